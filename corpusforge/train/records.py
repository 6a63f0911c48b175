"""What a training run is given, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from corpusforge.mix.loader import RowReader
from corpusforge.train.model import Llama, ModelConfig
from corpusforge.train.settings import TrainConfig
from corpusforge.train.verify import ListedFile

Evaluate = Callable[[Llama, int], dict[str, Any]]
"""(model in evaluation mode, steps so far) to plain values."""


@dataclass(frozen=True)
class TrainSettings:
    """A training run: what, on what, where to, and how it shows itself."""

    data: RowReader | Path
    model: ModelConfig
    training: TrainConfig
    output: Path | None = None
    """folder for checkpoints and log; None: nothing is written, and there is no going back at a spike"""
    resume: bool = False
    device: str = "auto"
    parallel: str = "ddp"
    """ddp or fsdp, under torchrun"""
    compile: bool | None = None
    """None: on a GPU"""
    checkpoint_every: int | None = None
    """steps; None: 20 times in a run, at least 50 and at most 1,000 steps apart"""
    evaluate_every: int | None = None
    """steps; None: only at the end"""
    on_evaluate: Evaluate | None = None
    """(model in evaluation mode, steps so far) to plain values for log and result; on every process"""
    stop_after: int | None = None
    """end after this step, with a checkpoint, as if interrupted"""
    verify: tuple[ListedFile, ...] | None = None
    """files of `data` that are hashed while training begins; a damaged one ends it before there is a checkpoint that
    was trained on it. None: all that are listed with a hash, where `data` is a path"""
    measure: bool = True
    """measure the device's matrix product at the start"""
    live: bool = False
    tensorboard: bool = False


@dataclass(frozen=True)
class TrainResult:
    """What came out. Losses are nats per token; None where a number is not finite or not known."""

    loss: float
    """mean over the last 5 % of the steps"""
    curve: list[tuple[int, float | None]]
    """(step from 0, loss)"""
    steps: int
    tokens: int
    """positions in the rows of all steps, padding included"""
    seconds: float
    """of the steps of this process, without evaluation and checkpoints"""
    flops: float
    checkpoint: Path | None
    model: Llama = field(repr=False)
    fingerprint: str
    """of the data"""
    initial_hash: str
    """of the first weights"""
    skipped_steps: int
    rewinds: int
    evaluations: list[dict[str, Any]]
    speed: dict[str, float | None]
