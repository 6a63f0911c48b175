"""How fast a size trains on this device: the real loop on rows of random tokens."""

from __future__ import annotations

import dataclasses
import gc
from typing import Any

import numpy as np
import torch

from corpusforge.train.data import TokenRows
from corpusforge.train.loop import TrainSettings, train
from corpusforge.train.sizes import configuration

BATCH_TOKENS = 131_072
ROWS = 256


def profile(
    size: str,
    context: int = 2048,
    vocabulary_size: int = 32_768,
    steps: int = 30,
    batch_tokens: int = BATCH_TOKENS,
    microbatch: int | None = None,
    device: str = "auto",
    compiled: bool | None = None,
) -> dict[str, Any]:
    """Train a size for so many steps, and say how fast that was.

    Speeds leave out the first steps (compilation). Values: size, parameters, context, device, tokens_per_second,
    flops_per_second, mfu (of the data sheet's peak), mfu_measured (of the peak measured in this run), waiting,
    peak_memory in bytes (None on a CPU), seconds. Raises as `train` does.
    """
    batch = max(1, batch_tokens // context)
    model, config = configuration(size, vocabulary_size, context, tokens=steps * batch * context)
    config = dataclasses.replace(config, batch=batch, microbatch=microbatch, spike_sigma=0.0)
    generator = np.random.Generator(np.random.Philox(key=0))
    rows = TokenRows(generator.integers(0, vocabulary_size, (ROWS, context + 1), dtype=np.uint32))
    on_gpu = torch.cuda.is_available() and device != "cpu"
    if on_gpu:
        torch.cuda.reset_peak_memory_stats()
    result = train(TrainSettings(rows, model, config, device=device, compile=compiled))
    rate = result.speed["tokens_per_second"]
    values = {
        "size": size,
        "parameters": model.parameters,
        "context": context,
        "batch_tokens": batch * context,
        "device": torch.cuda.get_device_name() if on_gpu else "CPU",
        "torch": torch.__version__,
        "flops_per_second": None if rate is None else rate * model.flops_per_token,
        "peak_memory": torch.cuda.max_memory_allocated() if on_gpu else None,
        "seconds": result.seconds,
        "steps": result.steps,
        **result.speed,
    }
    del result
    gc.collect()
    if on_gpu:
        torch.cuda.empty_cache()
    return values
