"""What a run says while it trains: JSON lines, a live display, TensorBoard where it is installed."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from corpusforge.errors import UsageError

LOG_NAME = "log.jsonl"


class Journal:
    """``log.jsonl``: one JSON object a line, {"step": …} for steps and {"event": …} for all else."""

    def __init__(self, path: Path | None, keep: int = 0) -> None:
        """Go on behind the first `keep` bytes: what a killed run wrote after its checkpoint is written anew."""
        self._file = None
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("ab")
            self._file.truncate(keep)

    def write(self, entry: dict[str, Any]) -> None:
        """Append a line; it is in the file when this returns."""
        if self._file is not None:
            self._file.write(json.dumps(entry, allow_nan=False).encode() + b"\n")
            self._file.flush()

    def size(self) -> int:
        """Bytes so far."""
        return 0 if self._file is None else os.fstat(self._file.fileno()).st_size

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()


def read_journal(path: Path) -> list[dict[str, Any]]:
    """Entries in order; a last line that was cut off is left out. Raises `ValueError` for other damage."""
    if not path.is_file():
        return []
    entries = []
    lines = path.read_bytes().split(b"\n")
    for number, line in enumerate(lines):
        if number == len(lines) - 1:
            break
        try:
            entry = json.loads(line)
        except ValueError as error:
            raise ValueError(f"{path}, line {number + 1}: {error}") from error
        if not isinstance(entry, dict):
            raise ValueError(f"{path}, line {number + 1}: not an object")
        entries.append(entry)
    return entries


def taken_steps(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Entries of steps as they finally happened: what a rewind undid is left out."""
    steps: list[dict[str, Any]] = []
    for entry in entries:
        if entry.get("event") == "rewind":
            steps = [step for step in steps if step["step"] < entry["to_step"]]
        elif "event" not in entry:
            steps.append(entry)
    return steps


class Board:
    """Scalars for TensorBoard."""

    def __init__(self, folder: Path, step: int) -> None:
        """Go on at `step`: what an earlier attempt wrote from there on is not shown any more.

        Raises `UsageError` when TensorBoard is not installed.
        """
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise UsageError(
                '--tensorboard needs TensorBoard: pip install "corpusforge[tensorboard]"'
            ) from error
        self._kind, self._folder = SummaryWriter, str(folder)
        self._writer = SummaryWriter(self._folder, purge_step=step)

    def write(self, step: int, values: dict[str, Any]) -> None:
        """Add every number among `values` under its name, those of a mapping in it under both names."""
        for name, value in values.items():
            if isinstance(value, dict):
                self.write(step, {f"{name}/{inner}": one for inner, one in value.items()})
            elif isinstance(value, int | float) and not isinstance(value, bool) and name != "step":
                self._writer.add_scalar(name, value, step)

    def go_back(self, step: int) -> None:
        """After a rewind: what was written from `step` on is not shown any more."""
        self._writer.close()
        self._writer = self._kind(self._folder, purge_step=step)

    def close(self) -> None:
        """Write out what is left."""
        self._writer.close()


class Display:
    """A live line on a terminal, where rich is installed and standard error is one; else nothing."""

    def __init__(self, steps: int, wanted: bool) -> None:
        self._progress: Any = None
        if not wanted:
            return
        try:
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn
        except ImportError:
            return
        console = Console(stderr=True)
        if not console.is_terminal:
            return
        columns = [
            TextColumn("step {task.completed}/{task.total}"),
            BarColumn(None),
            TextColumn("{task.description}"),
        ]
        self._progress = Progress(*columns, console=console)
        self._task = self._progress.add_task("", total=steps)
        self._progress.start()

    def show(self, step: int, entry: dict[str, Any], left: float | None) -> None:
        """Show a step: loss, tokens/s, both MFUs, waiting, time left."""
        if self._progress is None:
            return
        words = [f"loss {entry['loss']:.4f}" if entry["loss"] is not None else "loss not finite"]
        if entry["tokens_per_second"] is not None:
            words.append(f"{entry['tokens_per_second']:,.0f} tokens/s")
        for name, label in (("mfu", "MFU"), ("mfu_measured", "of measured peak"), ("waiting", "waiting")):
            if entry[name] is not None:
                words.append(f"{label} {entry[name]:.1%}")
        if left is not None:
            words.append(f"{duration(left)} left")
        self._progress.update(self._task, completed=step, description=" · ".join(words))

    def close(self) -> None:
        """Leave the terminal as it was."""
        if self._progress is not None:
            self._progress.stop()


def duration(seconds: float) -> str:
    """90 → 1 min 30 s; 7,260 → 2 h 1 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
