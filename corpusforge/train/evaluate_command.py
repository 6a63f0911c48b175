"""`corpusforge train evaluate`, and what `corpusforge train --pack` measures while it trains."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from corpusforge.errors import MissingExtraError, UsageError

if TYPE_CHECKING:
    from corpusforge.train.eval_pack import EvaluationPack
    from corpusforge.train.model import Llama
    from corpusforge.train.records import Evaluate


def evaluate(
    run: Annotated[Path, typer.Argument(help="Folder of a training run, or one of its checkpoints.")],
    pack: Annotated[Path, typer.Argument(help="File that `corpusforge eval-pack` wrote.")],
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print plain values.")] = False,
) -> None:
    """Bits per byte of a panel and zero-shot tasks for a trained model."""
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("train", "train") from error
    from corpusforge.train.checkpoint import newest_checkpoint
    from corpusforge.train.distributed import joined
    from corpusforge.train.eval_pack import load_pack
    from corpusforge.train.evaluate import evaluate as evaluated
    from corpusforge.train.export import load_model

    read = load_pack(pack)
    checkpoint = newest_checkpoint(run) if run.is_dir() else run
    model = load_model(checkpoint)
    with joined(device) as world:
        try:
            found = finite(evaluated(model.to(world.device), read))
        except ValueError as error:
            raise UsageError(f"{pack}: {error}") from error
    if as_json:
        print(json.dumps({"checkpoint": str(checkpoint), "pack": read.digest, **found}, indent=2))
    else:
        show(Console(), found)


def evaluation(path: Path, tokenizer: Mapping[str, Any], steps: int) -> Evaluate:
    """What to call while training: the panel each time, the tasks at the end of `steps`.

    `tokenizer` is what the shards' manifest says of theirs, or empty. Raises `UsageError` for a pack of another one.
    """
    from corpusforge.train.eval_pack import load_pack
    from corpusforge.train.evaluate import evaluate as evaluated

    pack = load_pack(path)
    check_tokenizer(pack, tokenizer)

    def call(model: Llama, step: int) -> dict[str, Any]:
        try:
            return finite(evaluated(model, pack, tasks=step == steps))
        except ValueError as error:
            raise UsageError(f"{path}: {error}") from error

    return call


def finite(values: Mapping[str, Any]) -> dict[str, Any]:
    """The same values with None for numbers that are not finite: a log holds none."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            found[name] = finite(value)
        else:
            found[name] = None if isinstance(value, float) and not math.isfinite(value) else value
    return found


def check_tokenizer(pack: EvaluationPack, tokenizer: Mapping[str, Any]) -> None:
    """Raise `UsageError` when the shards were made by another tokenizer than the pack."""
    theirs = tokenizer.get("sha256")
    if theirs is not None and theirs != pack.tokenizer:
        raise UsageError(
            f"the pack was made with another tokenizer ({pack.tokenizer[:12]}…) than the shards ({theirs[:12]}…): "
            "give corpusforge eval-pack the tokenizer that lies beside the shards"
        )


def show(out: Console, found: Mapping[str, Any]) -> None:
    """Tables of what `corpusforge.train.evaluate.evaluate` gave."""
    if "bits_per_byte" in found:
        table = Table("panel", "bits per byte", box=None)
        for name, value in found["bits_per_byte"].items():
            table.add_row(name.removeprefix("domain:"), _number(value, "{:.4f}") or "not finite")
        out.print(table, highlight=False)
    if not found.get("tasks"):
        return
    table = Table("task", "accuracy", "normalized", "margin, nats per byte", "items", "too long", box=None)
    for name, task in found["tasks"].items():
        accuracy = _number(task.get("accuracy"), "{:.2%}")
        if task.get("standard_error") is not None:
            accuracy += f" ± {task['standard_error']:.2%}"
        normalized = _number(task.get("accuracy_normalized"), "{:.2%}")
        margin = _number(task.get("margin"), "{:+.4f}")
        table.add_row(name, accuracy, normalized, margin, f"{task['items']:,}", f"{task['skipped']:,}")
    out.print(table, highlight=False)


def _number(value: float | None, form: str) -> str:
    return "" if value is None else form.format(value)
