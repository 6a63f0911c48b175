"""How to train: one frozen record that is printed, hashed and kept in every checkpoint."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from corpusforge.errors import UsageError
from corpusforge.names import nearest
from corpusforge.train.model import ModelConfig

CHOICES = {
    "schedule": ("cosine", "wsd", "constant"),
    "optimizer": ("adamw", "muon"),
    "parallel": ("ddp", "fsdp"),
    "precision": ("auto", "float32", "bfloat16"),
}


@dataclass(frozen=True)
class TrainConfig:
    """Everything that decides what is learned, besides the model and the data. Rows count over all processes."""

    tokens: int
    """predicted tokens to train on, at least; whole steps"""
    batch: int
    """rows per step"""
    learning_rate: float
    seed: int = 0
    """of the first weights and of the order of rows"""
    warmup: float = 0.05
    """share of the steps in which the rate rises from 0"""
    schedule: str = "cosine"
    """cosine; wsd: constant, then linear down; constant"""
    final: float = 0.1
    """last rate as a share of the highest"""
    decay: float = 0.2
    """share of the steps in which wsd goes down"""
    optimizer: str = "adamw"
    """adamw; muon: Muon for the matrices inside blocks, AdamW for the rest"""
    weight_decay: float = 0.1
    """of matrices inside blocks and an untied head; norms and embeddings have none"""
    beta1: float = 0.9
    beta2: float = 0.95
    epsilon: float = 1e-8
    clip: float = 1.0
    """largest norm of the gradient"""
    document_mask: bool = False
    """a token sees only its own document"""
    microbatch: int | None = None
    """rows per forward pass and process; null: all of them, at most 32,768 tokens"""
    precision: str = "auto"
    """auto: bfloat16 on a GPU, float32 on a CPU"""
    spike_sigma: float = 6.0
    """a step whose loss or gradient norm lies this far above the last ones is not taken; 0: off"""
    spike_window: int = 128
    """steps it is compared with"""
    spike_patience: int = 8
    """this many such steps among the last twice as many: back to a checkpoint, and past these batches"""
    rewind: int = 100
    """steps to go back at least, before the first of these steps"""
    rewind_skip: int = 200
    """batches to leave out at least"""
    rewinds: int = 3
    """after so many, the run fails"""

    def __post_init__(self) -> None:
        """Raise `UsageError` for values that cannot be."""
        for name in ("tokens", "batch", "spike_window", "spike_patience"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} must be at least 1, not {getattr(self, name)}")
        for name in ("warmup", "final", "decay"):
            if not 0 <= getattr(self, name) <= 1:
                raise UsageError(f"{name} is a share between 0 and 1, not {getattr(self, name)}")
        for name in ("learning_rate", "clip", "epsilon"):
            if not 0 < getattr(self, name) < math.inf:
                raise UsageError(f"{name} must be a positive number, not {getattr(self, name)}")
        for name in ("weight_decay", "spike_sigma", "rewind", "rewind_skip", "rewinds", "seed"):
            if not 0 <= getattr(self, name) < math.inf:
                raise UsageError(f"{name} must not be negative, it is {getattr(self, name)}")
        for name in ("beta1", "beta2"):
            if not 0 <= getattr(self, name) < 1:
                raise UsageError(f"{name} must lie in [0, 1), not {getattr(self, name)}")
        if self.microbatch is not None and self.microbatch < 1:
            raise UsageError(f"microbatch must be at least 1, not {self.microbatch}")
        for name in ("schedule", "optimizer", "precision"):
            if getattr(self, name) not in CHOICES[name]:
                raise UsageError(f"{name} is one of {', '.join(CHOICES[name])}, not {getattr(self, name)!r}")

    def steps(self, context: int) -> int:
        """Steps until at least `tokens` are predicted in rows of `context`."""
        return -(-self.tokens // (self.batch * context))

    def rate(self, step: int, steps: int) -> float:
        """Learning rate of step `step` (from 0) of `steps`.

        Linear warm-up; then the cosine of Loshchilov and Hutter 2017 (arXiv 1608.03983) down to `final`, or
        warm-up, stable, decay (Hu et al. 2024, arXiv 2404.06395) with a linear decay.
        """
        warm = round(self.warmup * steps)
        if step < warm:
            return self.learning_rate * (step + 1) / warm
        if self.schedule == "constant":
            return self.learning_rate
        begin = warm if self.schedule == "cosine" else max(warm, steps - round(self.decay * steps))
        passed = min(max((step - begin) / max(steps - 1 - begin, 1), 0.0), 1.0)
        left = (1 + math.cos(math.pi * passed)) / 2 if self.schedule == "cosine" else 1 - passed
        return self.learning_rate * (self.final + (1 - self.final) * left)


def settings_hash(model: ModelConfig, config: TrainConfig) -> str:
    """SHA-256 in hex over all values of both."""
    values = {"model": dataclasses.asdict(model), "training": dataclasses.asdict(config)}
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def override(
    model: ModelConfig, config: TrainConfig, values: Mapping[str, Any]
) -> tuple[ModelConfig, TrainConfig]:
    """Both records with `values` (name to value, or to its text) in their place.

    Raises `UsageError` for an unknown name, a value of another type, and a shape or value that cannot be.
    """
    fields = {
        field.name: (kind, field) for kind in (ModelConfig, TrainConfig) for field in dataclasses.fields(kind)
    }
    changes: dict[Any, dict[str, Any]] = {ModelConfig: {}, TrainConfig: {}}
    for name, value in values.items():
        if name not in fields:
            raise UsageError(f"there is no setting {name!r} of training{nearest(name, fields)}")
        kind, field = fields[name]
        changes[kind][name] = _parse(name, str(field.type), value)
    try:
        return (
            dataclasses.replace(model, **changes[ModelConfig]),
            dataclasses.replace(config, **changes[TrainConfig]),
        )
    except ValueError as error:
        raise UsageError(str(error)) from error


def _parse(name: str, kind: str, value: Any) -> Any:
    """`value` as the annotated type says. Raises `UsageError`."""
    text = str(value).strip()
    if kind.endswith("| None"):
        if value is None or text.lower() in ("null", "none"):
            return None
        kind = kind.removesuffix("| None").strip()
    try:
        if kind == "int":
            return parse_count(text)
        if kind == "float":
            return float(text)
        if kind == "bool":
            return {"true": True, "false": False, "1": True, "0": False}[text.lower()]
    except (KeyError, UsageError, ValueError) as error:
        raise UsageError(f"{name} takes a value of type {kind}, not {text!r}") from error
    return text


def parse_count(text: str) -> int:
    """``100m``, ``1.5b``, ``20_000``, ``1e9`` to an integer. Raises `UsageError`."""
    factors = {"k": 10**3, "m": 10**6, "b": 10**9, "g": 10**9, "t": 10**12}
    plain = text.strip().lower()
    factor = factors.get(plain[-1:], 1)
    try:
        number = float(plain[:-1] if factor > 1 else plain) * factor
        if number != round(number):
            raise ValueError
        return round(number)
    except (OverflowError, ValueError):
        raise UsageError(f"a count looks like 20000, 100m or 1.5b, not {text!r}") from None
