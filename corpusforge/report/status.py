"""How far a run is: its stages, the shards committed, and what failed and why, from the run directory."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from corpusforge.errors import UsageError
from corpusforge.report.terminal import plain

FAILURES_SHOWN = 5

_COMMITTED = re.compile(r"(\d+)\.json")


@dataclass(frozen=True)
class Failure:
    """One failed attempt at a task."""

    task: int
    attempt: int
    error: str
    time: str


@dataclass(frozen=True)
class StageStatus:
    """One stage: `tasks` is None when its stage.json cannot be read; `failed` lists tasks not committed since."""

    folder: str
    name: str
    operation: str
    tasks: int | None
    done: int
    attempts_failed: int
    failed: tuple[Failure, ...]

    @property
    def complete(self) -> bool:
        """Whether every task is committed."""
        return self.tasks is not None and self.done >= self.tasks


@dataclass(frozen=True)
class RunStatus:
    """All stages in order; `closed` is None until the ledger is written; `kills` counts the watchdog's."""

    stages: tuple[StageStatus, ...]
    closed: bool | None
    kills: int
    damage: tuple[str, ...] = ()
    """What could not be read, a sentence a file. The cut-off last line of a log is none: a kill leaves one."""

    @property
    def complete(self) -> bool:
        """Whether the run has ended: the ledger is the last thing that is decided."""
        return self.closed is not None


def read_status(run: Path) -> RunStatus:
    """Read the status of a run directory. Raises `UsageError` when it is none."""
    if not run.is_dir() or not any(
        (run / name).exists() for name in ("recipe.yaml", "stages", "ledger.json")
    ):
        raise UsageError(f"{run} is not a run directory")
    folders = sorted(path for path in (run / "stages").glob("*") if path.is_dir())
    damage: list[str] = []
    ledger = _read_json(run / "ledger.json", damage)
    closed = bool(ledger.get("closed")) if ledger is not None else None
    stages = tuple(_stage(folder, damage) for folder in folders)
    return RunStatus(stages, closed, len(_lines(run / "kills.jsonl", damage)), tuple(damage))


def _read_json(path: Path, damage: list[str]) -> dict[str, Any] | None:
    """Read a JSON mapping; None when there is none or, with a word in `damage`, when it is no such thing."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        damage.append(f"{path} cannot be read: {error}")
        return None
    if isinstance(value, dict):
        return value
    damage.append(f"{path} holds no JSON object")
    return None


def _lines(path: Path, damage: list[str]) -> list[dict[str, Any]]:
    """Read the objects of a JSON lines file; lines that are none are counted in `damage`, but for a torn last one."""
    try:
        raw = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return []
    except OSError as error:
        damage.append(f"{path} cannot be read: {error}")
        return []
    found, bad = [], 0
    whole, _, torn = raw.rpartition("\n")
    for line in [*whole.split("\n"), torn]:
        try:
            value = json.loads(line) if line.strip() else None
        except ValueError:
            bad += line is not torn
            continue
        if isinstance(value, dict):
            found.append(value)
        else:
            bad += value is not None
    if bad:
        damage.append(f"{path}: {bad:,} lines are damaged and not counted")
    return found


def _stage(folder: Path, damage: list[str]) -> StageStatus:
    declared = _read_json(folder / "stage.json", damage) or {}
    matches = (_COMMITTED.fullmatch(path.name) for path in folder.iterdir())
    done = {int(match[1]) for match in matches if match}
    failures = _lines(folder / "failures.jsonl", damage)
    latest: dict[int, Failure] = {}
    for line in failures:
        task = int(line.get("task", -1))
        if task not in done:
            attempt, error = int(line.get("attempt", 0)), str(line.get("error", "")).strip()
            latest[task] = Failure(task, attempt, error, str(line.get("time", "")))
    tasks = declared.get("tasks")
    return StageStatus(
        folder.name,
        str(declared.get("name", folder.name)),
        str(declared.get("operation", "")),
        tasks if isinstance(tasks, int) else None,
        len(done),
        len(failures),
        tuple(latest[task] for task in sorted(latest)),
    )


def status(run: Path, console: Console) -> RunStatus:
    """Print the stages of a run, shards done of all, failed ones and why; returns what it printed."""
    found = read_status(run)
    table = Table(
        title="Stages", title_justify="left", title_style="bold", header_style="dim", box=SIMPLE_HEAD
    )
    table.add_column("stage", overflow="fold")
    table.add_column("operation")
    table.add_column("done", justify="right")
    table.add_column("failed", justify="right")
    table.add_column("state")
    for stage in found.stages:
        state, style = _state(stage)
        total = "?" if stage.tasks is None else f"{stage.tasks:,}"
        table.add_row(
            plain(stage.name),
            plain(stage.operation),
            f"{stage.done:,} / {total}",
            f"{len(stage.failed):,}" if stage.failed else "",
            plain(state, style),
        )
    console.print(table)
    for stage in found.stages:
        _print_failures(stage, console)
    if found.kills:
        console.print(f"{found.kills:,} documents were killed by the watchdog (kills.jsonl)", highlight=False)
    for sentence in found.damage:
        console.print(plain(sentence, "red"))
    console.print(plain(_conclusion(found), "green" if found.closed else "red" if found.complete else ""))
    return found


def _state(stage: StageStatus) -> tuple[str, str]:
    if stage.tasks is None:
        return "stage.json is missing or damaged", "red"
    if stage.complete:
        return "complete", "green"
    if stage.failed:
        return "failed", "red"
    return ("waiting", "dim") if stage.done == 0 else ("under way", "yellow")


def _print_failures(stage: StageStatus, console: Console) -> None:
    for failure in stage.failed[:FAILURES_SHOWN]:
        lines = failure.error.splitlines() or ["no error was recorded"]
        when = f", {failure.time}" if failure.time else ""
        words = f"{stage.name}, shard {failure.task:05}, attempt {failure.attempt}{when}: {lines[-1]}"
        console.print(plain(words, "red"))
    more = len(stage.failed) - FAILURES_SHOWN
    if more > 0:
        console.print(plain(f"{stage.name}: {more:,} more in {stage.folder}/failures.jsonl", "red"))


def _conclusion(found: RunStatus) -> str:
    if found.closed:
        return "The run is complete and its ledger is closed."
    if found.complete:
        return "The run has ended, but its ledger does not close."
    if any(stage.failed for stage in found.stages):
        return "The run is not complete: shards have failed. The same command again resumes it."
    return "The run is not complete. The same command again resumes it."
