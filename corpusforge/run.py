"""The driver: compiles a recipe, runs its stages on an engine, and closes the books."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from corpusforge import books, kills, storage
from corpusforge.document import canonical_json
from corpusforge.engines.base import Engine, Progress, pending_tasks
from corpusforge.errors import LedgerOpenError, RunFailedError, UsageError
from corpusforge.layout import RunLayout, dump_json
from corpusforge.listing import list_shards
from corpusforge.names import nearest
from corpusforge.plan import Plan, Stage, compile_plan
from corpusforge.recipe import Recipe, difference
from corpusforge.sources.base import Shard

OUTPUTS = ("documents", "dropped", "quarantine", "shards")
ENGINES = ("local", "spark", "beam")
"""Engines by name."""

RESULTS = ("manifest.json", "ledger.json", "report.json", "report.html", "environment.json", "timings.json")


@dataclass(frozen=True)
class RunSummary:
    """What a run came to."""

    root: str
    complete_before: bool
    """True when everything was there already and nothing was done."""
    ledger: dict[str, Any]
    report: dict[str, Any]


def run_recipe(
    recipe: Recipe,
    inputs: Mapping[str, Sequence[str]],
    output: str,
    *,
    engine: str = "local",
    engine_options: Mapping[str, str] | None = None,
    workers: int | None = None,
    limit: int | None = None,
    progress: Progress | None = None,
    on_plan: Callable[[Plan, bool], None] | None = None,
) -> RunSummary:
    """Run a recipe, or go on where an interrupted run of it stopped.

    `inputs`: source to paths, globs or URLs. `engine_options`: the engine's own settings. `limit`: only the
    first shards. `on_plan` hears the plan and
    whether work of an earlier attempt was found. Raises `UsageError` before any work, `RunFailedError` when a
    task fails for good or the error budget is spent, `LedgerOpenError` when the books do not balance.
    """
    recipe.check()
    shards = list_shards(recipe, inputs)[:limit]
    plan = compile_plan(recipe, shards)
    layout = RunLayout(output)
    with _lock(layout):
        resumed = _claim(layout, recipe, plan, shards)
        if on_plan is not None:
            on_plan(plan, resumed)
        if _is_complete(layout, plan):
            return _summary(layout, complete_before=True)
        started = time.time()
        reporting = _Log(layout, progress or Progress())
        watchdog = recipe.options.watchdog_seconds
        with make_engine(engine, plan, output, workers, watchdog, engine_options) as running:
            for stage in plan.stages:
                _run_stage(layout, plan, stage, running, reporting)
                books.check_error_budget(layout, plan, stage, recipe.options.error_budget)
        closed = books.close(layout, plan, recipe, started)
        summary = _summary(layout, complete_before=False)
        if not closed:
            bad = [row["name"] for row in summary.ledger["checks"] if not row["ok"]]
            raise LedgerOpenError(
                f"the ledger does not close: {'; '.join(bad[:5])} (see {layout.file('ledger.json')})"
            )
        return summary


def make_engine(
    name: str,
    plan: Plan,
    root: str,
    workers: int | None,
    watchdog_seconds: float,
    options: Mapping[str, str] | None = None,
) -> Engine:
    """The engine of that name; `options` are its own. Raises `UsageError` for an unknown one."""
    if name == "local":
        from corpusforge.engines.local import LocalEngine

        return LocalEngine(plan, root, workers or len(os.sched_getaffinity(0)), watchdog_seconds)
    if name == "spark":
        from corpusforge.engines.spark import SparkEngine

        return SparkEngine(plan, root, workers, watchdog_seconds, dict(options or {}))
    if name == "beam":
        from corpusforge.engines.beam import BeamEngine

        return BeamEngine(plan, root, workers, watchdog_seconds, dict(options or {}))
    raise UsageError(f"unknown engine {name!r}{nearest(name, ENGINES)}")


def _run_stage(layout: RunLayout, plan: Plan, stage: Stage, engine: Engine, progress: Progress) -> None:
    description = {**plan.describe()[stage.index], "digest": stage.digest}
    storage.commit_bytes(layout.file("stages", stage.id, "stage.json"), dump_json(description))
    pending = pending_tasks(plan, layout.root, stage)
    progress.stage_started(stage, stage.tasks - len(pending))
    if pending:
        engine.run_stage(stage, pending, progress)
    left = pending_tasks(plan, layout.root, stage) if pending else []
    if left:
        raise RunFailedError(f"stage {stage.id}: task {left[0]} reported success but committed nothing")
    progress.stage_finished(stage)


@contextlib.contextmanager
def _lock(layout: RunLayout) -> Iterator[None]:
    """One driver at a time per run directory; the lock goes with the process, however it ends."""
    if storage.is_remote(layout.root):
        yield
        return
    try:
        Path(layout.root).mkdir(parents=True, exist_ok=True)
        lock = Path(layout.file(".lock")).open("w")  # noqa: SIM115 - closed by the with statement below
    except OSError as error:
        raise UsageError(f"cannot write to {layout.root}: {error.strerror}") from error
    with lock as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise UsageError(f"another run is working in {layout.root}") from error
        yield


def _claim(layout: RunLayout, recipe: Recipe, plan: Plan, shards: Sequence[Shard]) -> bool:
    """Bind the directory to this recipe and these inputs; gives whether it was bound to them before.

    Raises `UsageError` naming the difference when it belongs to another recipe or to other inputs. More input
    files behind the known ones (or fewer) are accepted: what depends on them is done again.
    """
    recipe_file, inputs_file = layout.file("recipe.yaml"), layout.file("stages", "inputs.json")
    listed = [[shard.source, [[file.path, file.size] for file in shard.files]] for shard in shards]
    known = storage.exists(recipe_file)
    if known:
        old = yaml.safe_load(storage.read_bytes(recipe_file))
        changes = difference(old, yaml.safe_load(recipe.to_yaml()))
        if changes:
            raise UsageError(
                f"{layout.root} holds a run of another recipe:\n  "
                + "\n  ".join(changes)
                + "\nUse another --output."
            )
        if storage.exists(inputs_file):
            _compare_inputs(layout, json.loads(storage.read_bytes(inputs_file))["shards"], listed)
    elif _foreign(layout):
        raise UsageError(f"{layout.root} is not empty and holds no run: use another --output")
    storage.remove_temporary(layout.root)
    if known and not _same_plan(layout, plan):
        for name in OUTPUTS + RESULTS:
            _remove(layout.file(name))
    storage.commit_bytes(recipe_file, recipe.to_yaml().encode("utf-8"))
    storage.commit_bytes(inputs_file, dump_json({"shards": listed, "plan": plan.digest}))
    return known


def _foreign(layout: RunLayout) -> bool:
    if storage.is_remote(layout.root):
        return False
    return any(path.name not in (".lock", kills.KILLS_FILE) for path in Path(layout.root).iterdir())


def _remove(location: str) -> None:
    if not storage.is_remote(location) and Path(location).is_file():
        Path(location).unlink()
    else:
        storage.remove_tree(location)


def _same_plan(layout: RunLayout, plan: Plan) -> bool:
    location = layout.file("stages", "inputs.json")
    return storage.exists(location) and json.loads(storage.read_bytes(location))["plan"] == plan.digest


def _compare_inputs(layout: RunLayout, old: list[Any], new: list[Any]) -> None:
    for index, (before, after) in enumerate(zip(old, new)):
        if before != after and index < min(len(old), len(new)) - 1:
            raise UsageError(
                f"{layout.root} holds a run on other inputs: shard {index} was {before}, is {after}. "
                "Use another --output."
            )


def _is_complete(layout: RunLayout, plan: Plan) -> bool:
    location = layout.file("manifest.json")
    if not storage.exists(location):
        return False
    return bool(json.loads(storage.read_bytes(location))["plan"] == plan.digest)


def _summary(layout: RunLayout, complete_before: bool) -> RunSummary:
    ledger = json.loads(storage.read_bytes(layout.file("ledger.json")))
    report = json.loads(storage.read_bytes(layout.file("report.json")))
    return RunSummary(layout.root, complete_before, ledger, report)


class _Log(Progress):
    """Writes events to ``log.jsonl`` and passes them on."""

    def __init__(self, layout: RunLayout, inner: Progress) -> None:
        self._path = layout.file("log.jsonl")
        self._inner = inner

    def _write(self, event: str, stage: Stage, **facts: Any) -> None:
        if storage.is_remote(self._path):
            return
        with Path(self._path).open("a", encoding="utf-8") as file:
            file.write(
                canonical_json({"time": time.time(), "event": event, "stage": stage.id, **facts}) + "\n"
            )

    def stage_started(self, stage: Stage, done: int) -> None:
        self._write("stage_started", stage, tasks=stage.tasks, done=done)
        self._inner.stage_started(stage, done)

    def task_done(self, stage: Stage, task: int) -> None:
        self._write("task_done", stage, task=task)
        self._inner.task_done(stage, task)

    def task_failed(self, stage: Stage, task: int, attempt: int, error: str) -> None:
        self._write("task_failed", stage, task=task, attempt=attempt, error=error)
        self._inner.task_failed(stage, task, attempt, error)

    def document_killed(self, stage: Stage, task: int, entry: dict[str, Any]) -> None:
        self._write(
            "document_killed", stage, **{key: value for key, value in entry.items() if key != "stage"}
        )
        self._inner.document_killed(stage, task, entry)

    def stage_finished(self, stage: Stage) -> None:
        self._write("stage_finished", stage)
        self._inner.stage_finished(stage)
