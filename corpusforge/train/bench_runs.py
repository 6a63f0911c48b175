"""One run of a benchmark: train on drawn rows, score the panel, keep everything in one file."""

from __future__ import annotations

import dataclasses
import io
import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt
import torch

from corpusforge import storage
from corpusforge.errors import UsageError
from corpusforge.train.data import TokenRows
from corpusforge.train.eval_pack import EvaluationPack
from corpusforge.train.evaluate import item_scores, panel_score, task_results
from corpusforge.train.loop import train
from corpusforge.train.model import Llama, ModelConfig
from corpusforge.train.records import TrainSettings
from corpusforge.train.settings import TrainConfig

Float64 = npt.NDArray[np.float64]

CURVE_POINTS = 200


@dataclass(frozen=True, order=True)
class Arm:
    """Which run: the corpus' label, the seed, and the factor of the learning rate."""

    corpus: str
    seed: int
    factor: float = 1.0

    @property
    def name(self) -> str:
        """Name of its file."""
        return f"{self.corpus}-seed{self.seed}-rate{self.factor:g}"


@dataclass(frozen=True)
class RunRecord:
    """A finished run: plain facts, and the bits float64[passages] that the model needs for each passage."""

    arm: Arm
    facts: Mapping[str, Any]
    bits: Float64

    @property
    def macro(self) -> float:
        """Bits per byte, mean over domains."""
        return float(self.facts["bits_per_byte"]["macro"])

    def save(self, path: Path) -> None:
        """Write the file; it appears complete or not at all."""
        text = json.dumps({"arm": dataclasses.asdict(self.arm), **self.facts}, sort_keys=True).encode("utf-8")
        stream = io.BytesIO()
        np.savez(stream, facts=np.frombuffer(text, np.uint8), bits=self.bits)
        storage.commit_bytes(str(path), stream.getvalue())


def load_record(path: Path) -> RunRecord:
    """Read a finished run. Raises `UsageError` for a damaged file."""
    try:
        with np.load(path, allow_pickle=False) as file:
            facts, bits = json.loads(file["facts"].tobytes()), file["bits"]
        return RunRecord(Arm(**facts.pop("arm")), facts, bits)
    except (OSError, EOFError, KeyError, TypeError, ValueError, BadZipFile) as error:
        raise UsageError(f"{path} is no finished run: {error}; remove it to do it again") from error


NARROW = 256
"""Models up to this width train in one thread on a CPU: faster, and the same bits whatever the cores."""


@contextmanager
def threads_for(model: ModelConfig, device: str) -> Iterator[None]:
    """One thread of torch for narrow models on a CPU, while the block runs."""
    before = torch.get_num_threads()
    on_cpu = device == "cpu" or (device == "auto" and not torch.cuda.is_available())
    if on_cpu and model.width <= NARROW:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def train_arm(
    arm: Arm,
    rows: npt.NDArray[Any],
    pack: EvaluationPack,
    model: ModelConfig,
    training: TrainConfig,
    device: str = "auto",
    evaluations: int = 5,
) -> RunRecord:
    """Train and evaluate one arm; the seed sets first weights and order, the factor scales the learning rate.

    The panel is scored `evaluations` times, the last time at the end, and there also the tasks. Steps are never
    skipped at spikes: every arm takes all of its steps.
    """
    config = dataclasses.replace(
        training, seed=arm.seed, learning_rate=training.learning_rate * arm.factor, spike_sigma=0.0
    )
    steps = config.steps(model.context)
    final: dict[str, Any] = {}

    def on_evaluate(network: Llama, step: int) -> dict[str, Any]:
        panel = panel_score(network, pack)
        if step == steps:
            final["bits"] = panel.bits
            final["bits_per_byte"] = {"macro": panel.macro, "domains": dict(panel.by_domain)}
            final["tasks"] = task_results(pack, item_scores(network, pack)) if len(pack.gold) else {}
        return {"bits_per_byte": panel.macro}

    plan = TrainSettings(
        data=TokenRows(rows),
        model=model,
        training=config,
        device=device,
        evaluate_every=max(1, math.ceil(steps / evaluations)),
        on_evaluate=on_evaluate,
        measure=False,
    )
    with threads_for(model, device):
        result = train(plan)
    if not np.isfinite(final["bits"]).all():
        raise UsageError(f"training on {arm.corpus} with seed {arm.seed} diverged: try a lower learning rate")
    facts = {
        "bits_per_byte": final["bits_per_byte"],
        "tasks": final["tasks"],
        "loss": result.loss,
        "curve": thinned(result.curve, CURVE_POINTS),
        "evaluations": [[entry["at_step"], entry["bits_per_byte"]] for entry in result.evaluations],
        "steps": result.steps,
        "tokens": result.tokens,
        "flops": result.flops,
        "seconds": round(result.seconds, 3),
        "fingerprint": result.fingerprint,
        "initial_weights": result.initial_hash,
        "learning_rate": config.learning_rate,
        "speed": result.speed,
    }
    return RunRecord(arm, facts, np.asarray(final["bits"], np.float64))


def thinned(curve: list[tuple[int, float | None]], count: int) -> list[list[float | None]]:
    """At most `count` points of a curve of (step, loss): means over equal parts, steps at their ends."""
    size = max(1, math.ceil(len(curve) / count))
    points: list[list[float | None]] = []
    for begin in range(0, len(curve), size):
        losses = [loss for _, loss in curve[begin : begin + size] if loss is not None]
        mean = math.fsum(losses) / len(losses) if losses else None
        points.append([curve[min(begin + size, len(curve)) - 1][0] + 1, mean])
    return points
