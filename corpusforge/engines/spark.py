"""The Spark engine: one job per stage, a Spark task for each of its tasks.

A task is a row with a number; the executor's Python reads the shipped plan and does the task's own reading and
writing. An exchange moves chunks of runs through Spark's shuffle, one Spark partition for each reducing task,
and our own merge reduces them. What is done is what is committed in the run directory: attempts that Spark
repeats or runs twice write the same bytes under the same names.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from corpusforge import storage
from corpusforge.engines import moving, spark_session, watch
from corpusforge.engines.base import Engine, Progress
from corpusforge.engines.failures import FailureLog
from corpusforge.engines.shipping import absolute_root, ship_plan
from corpusforge.errors import RunFailedError, UsageError
from corpusforge.plan import Plan, Stage
from corpusforge.tasks.body import task_label

POLL_SECONDS = 0.1

ATTEMPTS = 2
"""Attempts at a task that raises. Where a worker dies, Spark tries again by its own rules."""


class SparkEngine(Engine):
    """Runs tasks on Spark's executors, on this machine by default."""

    def __init__(
        self, plan: Plan, root: str, workers: int | None, watchdog_seconds: float, options: dict[str, str]
    ) -> None:
        """Start Spark. Raises `UsageError` for wrong options and a missing Java, `MissingExtraError`."""
        self._options = spark_session.parse_spark_options(options)
        spark_session.require_spark()
        spark_session.find_java()
        self._plan = plan
        self._root = absolute_root(root)
        self._watchdog_seconds = watchdog_seconds
        self._plan_file = ship_plan(plan, self._root)
        environment = {"OMP_NUM_THREADS": "1", "CORPUSFORGE_PLAN": self._plan_file}
        try:
            self._session, self._owned = spark_session.start_session(self._options, workers, environment)
        except Exception as error:
            raise UsageError(f"Spark does not start: {spark_session.root_cause(error)}") from error

    def close(self) -> None:
        """Stop Spark where it was started here, and remove what killed attempts left."""
        if self._owned:
            self._session.stop()
        storage.remove_temporary(self._root)
        if not storage.is_remote(self._plan_file):
            Path(self._plan_file).unlink(missing_ok=True)

    def run_stage(self, stage: Stage, tasks: Sequence[int], progress: Progress) -> None:
        """Run one job, and another for the tasks that failed; see `Engine.run_stage`."""
        pending = list(tasks)
        attempts: dict[int, int] = {}
        lost: dict[int, str] = {}
        log = FailureLog(self._root, stage.id)
        while pending:
            job = _Job(self, stage, pending, progress)
            job.run()
            left = job.left()
            stuck = watch.decide(self._plan, self._root, stage, left, job.name, self._watchdog_seconds)
            for entry in stuck.kills:
                progress.document_killed(stage, entry["task"], entry)
            if job.error is not None and not stuck.stuck:
                raise RunFailedError(f"stage {stage.id} failed: {spark_session.root_cause(job.error)}")
            pending = []
            for task, message in left.items():
                if task in stuck.stuck - stuck.lost.keys() or (message is None and job.error is not None):
                    # The watchdog killed more workers than Spark tries a task: it did not fail by itself.
                    pending.append(task)
                    continue
                attempts[task] = attempts.get(task, 0) + 1
                message = stuck.lost.get(task) or message or "the task came to no end that was reported"
                log.note(task, attempts[task], message)
                progress.task_failed(stage, task, attempts[task], message)
                if attempts[task] < ATTEMPTS and task not in stuck.lost:
                    pending.append(task)
                else:
                    lost[task] = message
        log.raise_lost(lost)


class _Job:
    """One Spark job over some tasks of a stage, in a thread; the driver's own thread hears how it goes."""

    def __init__(self, engine: SparkEngine, stage: Stage, tasks: list[int], progress: Progress) -> None:
        from corpusforge.engines import spark_worker

        self._stage = stage
        self._tasks = tasks
        self._progress = progress
        self._session = engine._session
        self._context = self._session.sparkContext
        self._done = self._context.accumulator([], spark_worker.Numbers())
        self._failed = self._context.accumulator({}, spark_worker.Failures())
        self._heard: set[int] = set()
        self._heard_numbers = 0
        self.name = os.urandom(6).hex()
        self.error: BaseException | None = None
        consumes = bool(stage.body.consumes)
        work = spark_worker.StageWork(
            plan_file=engine._plan_file,
            root=engine._root,
            stage_index=stage.index,
            tasks=tuple(tasks),
            destinations=tuple(destinations(len(tasks)).tolist()) if consumes else (),
            chunk_bytes=engine._options.chunk_bytes,
            watchdog_seconds=engine._watchdog_seconds,
            job=self.name,
            done=self._done,
            failures=self._failed,
        )
        self._frame = self._exchanging(engine._plan, work) if consumes else self._plain(work)

    def _plain(self, work: Any) -> Any:
        from corpusforge.engines.spark_worker import TASK_COLUMNS

        count = len(self._tasks)
        rows = self._session.range(0, count, 1, count)
        return rows.mapInArrow(_function(work.run), TASK_COLUMNS)

    def _exchanging(self, plan: Plan, work: Any) -> Any:
        from corpusforge.engines.spark_worker import CHUNK_COLUMNS, TASK_COLUMNS

        count = len(moving.producers_of(plan, self._stage)) + 1
        rows = self._session.range(0, count, 1, count)
        chunks = rows.mapInArrow(_function(work.send), CHUNK_COLUMNS)
        moved = chunks.repartition(len(self._tasks), "destination")
        return moved.mapInArrow(_function(work.receive), TASK_COLUMNS)

    def run(self) -> None:
        """Run to the end, telling progress; `error` holds what Spark raised. Raises `UsageError` of a task."""
        group = f"corpusforge-{self._stage.id}"
        thread = threading.Thread(target=self._submit, args=(group,), name=group, daemon=True)
        thread.start()
        try:
            while thread.is_alive():
                thread.join(POLL_SECONDS)
                self._hear()
        except BaseException:
            self._context.cancelJobGroup(group)
            raise
        self._hear()

    def _submit(self, group: str) -> None:
        try:
            self._context.setJobGroup(group, f"corpusforge: {self._stage.id}", interruptOnCancel=True)
            # The rows say nothing that the driver needs: what tasks leave is in the run directory.
            self._frame.write.format("noop").mode("overwrite").save()
        except Exception as error:
            # Passed on to the driver's thread, which decides.
            self.error = error

    def _hear(self) -> None:
        from corpusforge.engines import spark_worker

        numbers = self._done.value
        for task in numbers[self._heard_numbers : (count := len(numbers))]:
            if task not in self._heard:
                self._heard.add(task)
                self._progress.task_done(self._stage, task)
        self._heard_numbers = count
        for task, (kind, message) in list(self._failed.value.items()):
            if kind == spark_worker.USAGE:
                raise UsageError(message)
            if kind == spark_worker.FINAL:
                raise RunFailedError(f"task {task_label(self._stage.id, task)} failed: {message}")

    def left(self) -> dict[int, str | None]:
        """Tasks that are not done, with the error that they raised."""
        failed: Mapping[int, tuple[str, str]] = self._failed.value
        return {
            task: failed[task][1] if task in failed else None
            for task in self._tasks
            if task not in self._heard
        }


def _function(method: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Spark asks for a plain function with one argument."""

    def function(batches: Any) -> Any:
        return method(batches)

    return function


def destinations(count: int) -> npt.NDArray[np.int64]:
    """Numbers int64[count], of which `repartition(count, column)` sends the i-th to partition i.

    Spark partitions by pmod(Murmur3 of the value, count) and offers no other way through DataFrames that all
    versions have; so numbers are tried until every partition has one (about count × ln count of them). Were
    Spark to hash otherwise one day, tasks would share partitions and still be right.
    """
    found: npt.NDArray[np.int64] = np.full(count, -1, np.int64)
    start, left = 0, count
    while left:
        tried = np.arange(start, start + max(1024, 2 * count), dtype=np.int64)
        start += len(tried)
        partitions, first = np.unique(murmur3(tried).astype(np.int64) % count, return_index=True)
        new = found[partitions] < 0
        found[partitions[new]] = tried[first[new]]
        left -= int(new.sum())
    return found


def murmur3(values: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
    """Spark's hash int32[n] of int64[n]: Murmur3_x86_32 (Austin Appleby, public domain) of 8 bytes, seed 42."""
    words = values.astype(np.int64).view(np.uint64)
    hashed = np.full(len(values), 42, np.uint32)
    for half in (words & np.uint64(0xFFFFFFFF), words >> np.uint64(32)):
        mixed = _rotated(half.astype(np.uint32) * np.uint32(0xCC9E2D51), 15) * np.uint32(0x1B873593)
        hashed = _rotated(hashed ^ mixed, 13) * np.uint32(5) + np.uint32(0xE6546B64)
    hashed ^= np.uint32(8)
    hashed = (hashed ^ (hashed >> np.uint32(16))) * np.uint32(0x85EBCA6B)
    hashed = (hashed ^ (hashed >> np.uint32(13))) * np.uint32(0xC2B2AE35)
    return (hashed ^ (hashed >> np.uint32(16))).view(np.int32)


def _rotated(values: npt.NDArray[np.uint32], bits: int) -> npt.NDArray[np.uint32]:
    return (values << np.uint32(bits)) | (values >> np.uint32(32 - bits))
