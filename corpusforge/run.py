"""The driver: compiles a recipe, runs its stages on an engine, and closes the books."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from corpusforge import books, claim, storage
from corpusforge.document import canonical_json
from corpusforge.earlier import load_earlier, next_generation
from corpusforge.engines.base import Engine, Progress, pending_tasks
from corpusforge.errors import LedgerOpenError, RunFailedError, UsageError
from corpusforge.layout import RunLayout, dump_json
from corpusforge.listing import list_shards
from corpusforge.names import nearest
from corpusforge.plan import Plan, Stage, compile_plan
from corpusforge.recipe import Recipe
from corpusforge.redaction import redacted
from corpusforge.sources.base import Shard

ENGINES = ("local", "spark", "beam")
"""Engines by name."""


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
    against: Sequence[str] = (),
    progress: Progress | None = None,
    on_plan: Callable[[Plan, bool], None] | None = None,
    adapted: Callable[[Plan, Sequence[Shard]], Plan] | None = None,
) -> RunSummary:
    """Run a recipe, or go on where an interrupted run of it stopped.

    `inputs`: source (or ``source@N``: dump N of it) to paths, globs or URLs. `engine_options`: the engine's own
    settings. `limit`: only the first shards. `against`: run directories that hold earlier dumps, whose documents
    stay and take part in deduplication. `on_plan` hears the plan and whether work of an earlier attempt was found.
    `adapted` may add to the plan what tasks take over from another run.
    Raises `UsageError` before any work, `RunFailedError` when a
    task fails for good or the error budget is spent, `LedgerOpenError` when the books do not balance.
    """
    if engine not in ENGINES:
        raise UsageError(f"unknown engine {engine!r}{nearest(engine, ENGINES)}")
    recipe.check()
    output = output.removeprefix("file://")
    earlier = load_earlier(against, output)
    shards = list_shards(recipe, inputs, next_generation(earlier), partial=bool(earlier))[:limit]
    plan = compile_plan(recipe, shards, earlier)
    if adapted is not None:
        plan = adapted(plan, shards)
    storage.check_output(output)
    layout = RunLayout(output)
    with claim.lock(layout) as check_held:
        resumed = claim.claim(layout, recipe, plan, shards)
        if on_plan is not None:
            on_plan(plan, resumed)
        if claim.is_complete(layout, plan):
            return _closed(layout, _summary(layout, complete_before=True))
        started = time.time()
        reporting = _Log(layout, progress or Progress())
        watchdog = recipe.options.watchdog_seconds
        budget = books.ErrorBudget(layout, recipe.options.error_budget)
        with make_engine(engine, plan, output, workers, watchdog, engine_options) as running:
            for stage in plan.stages:
                _run_stage(layout, plan, stage, running, reporting)
                budget.check(stage)
                check_held()
            books.close(layout, plan, recipe, started, running.call)
        return _closed(layout, _summary(layout, complete_before=False))


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


def _summary(layout: RunLayout, complete_before: bool) -> RunSummary:
    ledger = json.loads(storage.read_bytes(layout.file("ledger.json")))
    report = json.loads(storage.read_bytes(layout.file("report.json")))
    return RunSummary(layout.root, complete_before, ledger, report)


def _closed(layout: RunLayout, summary: RunSummary) -> RunSummary:
    """Pass on a run whose books balance. Raises `LedgerOpenError` for any other, however often it is asked for."""
    if not summary.ledger["closed"]:
        bad = [row["name"] for row in summary.ledger["checks"] if not row["ok"]]
        raise LedgerOpenError(
            f"the ledger does not close: {'; '.join(bad[:5])} (see {redacted(layout.file('ledger.json'))})"
        )
    return summary


class _Log(Progress):
    """Writes events to ``log.jsonl`` and passes them on; to a store when a stage ends or something fails."""

    def __init__(self, layout: RunLayout, inner: Progress) -> None:
        self._path = layout.file("log.jsonl")
        self._inner = inner
        self._held: list[str] = []

    def _write(self, event: str, stage: Stage, **facts: Any) -> None:
        entry = {"time": time.time(), "event": event, "stage": stage.id, **facts}
        self._held.append(canonical_json(entry) + "\n")
        if not storage.is_remote(self._path) or event not in ("stage_started", "task_done"):
            storage.append(self._path, "".join(self._held).encode("utf-8", "surrogateescape"))
            self._held.clear()

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
