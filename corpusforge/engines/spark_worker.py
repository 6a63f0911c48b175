"""What runs on Spark's executors: tasks, the reading of runs, and the spooling of moved runs.

Rows of these jobs are numbers of tasks and chunks of runs. Documents go from file to file in Python; the JVM
never sees their text.
"""

from __future__ import annotations

import os
import tempfile
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pyarrow as pa
from pyspark.accumulators import Accumulator, AccumulatorParam

from corpusforge.engines import moving
from corpusforge.engines.shipping import load_plan
from corpusforge.engines.watch import GivenUpError, WatchedHeartbeat
from corpusforge.errors import CorpusforgeError, UsageError
from corpusforge.plan import Plan, Stage
from corpusforge.tasks.body import execute
from corpusforge.tasks.context import TaskContext

CHUNK_COLUMNS = (
    "destination long, partition long, exchange long, producer long, offset long, run_bytes long, data binary"
)
"""Rows of an exchange: `destination` is a number that Spark's hash sends to a partition of the task's own."""

CHUNK_SCHEMA = pa.schema(
    [
        *(
            (name, pa.int64())
            for name in ("destination", "partition", "exchange", "producer", "offset", "run_bytes")
        ),
        ("data", pa.binary()),
    ]
)

CHUNK_ROWS = 512
"""Rows per batch that a producer hands to Spark, where its chunks are small."""

ANNOUNCED = -1
"""In place of an exchange: the row says that the task is to run, and carries nothing."""

TASK_COLUMNS = "task long"

TASK_SCHEMA = pa.schema([("task", pa.int64())])

USAGE, FINAL, FAILED = "usage", "final", "failed"
"""Kinds of failures: the run cannot work; the run has failed; the task may be tried again."""

MESSAGE_LENGTH = 8000
"""Characters of a failure's traceback that travel to the driver."""

FAILURES_KEPT = 100
"""Failures that the driver is told in one job; the others stay uncommitted, and so are tried again."""


class Numbers(AccumulatorParam):  # type: ignore[misc]
    """Adds lists: numbers of tasks that are done. Feeds the progress bar and nothing else."""

    def zero(self, value: list[int]) -> list[int]:
        """Give an empty list."""
        return []

    def addInPlace(self, value1: list[int], value2: list[int]) -> list[int]:  # noqa: N802 - Spark's name
        """Append."""
        value1.extend(value2)
        return value1


class Failures(AccumulatorParam):  # type: ignore[misc]
    """Adds {task: (kind, message)}, keeping a bounded number."""

    def zero(self, value: dict[int, tuple[str, str]]) -> dict[int, tuple[str, str]]:
        """Give an empty dictionary."""
        return {}

    def addInPlace(  # noqa: N802 - Spark's name
        self, value1: dict[int, tuple[str, str]], value2: dict[int, tuple[str, str]]
    ) -> dict[int, tuple[str, str]]:
        """Merge."""
        for task, failure in value2.items():
            if len(value1) < FAILURES_KEPT:
                value1[task] = failure
        return value1


@dataclass(frozen=True)
class StageWork:
    """The tasks of one stage, as they travel to the executors: `tasks[i]` is done for row i."""

    plan_file: str
    root: str
    stage_index: int
    tasks: Sequence[int]
    destinations: Sequence[int]
    """For each task a number that only its Spark partition gets; empty for stages that consume nothing."""
    chunk_bytes: int
    watchdog_seconds: float
    job: str
    """Names this Spark job among those that ever worked on the run."""
    done: Accumulator
    failures: Accumulator

    @property
    def plan(self) -> Plan:
        """The shipped plan."""
        return load_plan(self.plan_file)

    @property
    def stage(self) -> Stage:
        """The stage whose tasks run."""
        return self.plan.stages[self.stage_index]

    @cached_property
    def places(self) -> Mapping[int, int]:
        """Task to its row."""
        return {task: place for place, task in enumerate(self.tasks)}

    # Jobs

    def run(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Rows i (int64) to tasks that need no moved runs."""
        for batch in batches:
            for place in batch.column(0).to_pylist():
                yield self._run_task(self.tasks[place], None)

    def send(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Rows (int64) to chunks of the producer of that number; behind the last producer, all tasks are announced."""
        producers = moving.producers_of(self.plan, self.stage)
        for batch in batches:
            for number in batch.column(0).to_pylist():
                if number == len(producers):
                    yield from self._announce()
                    continue
                exchange, producer = producers[number]
                yield from _packed(self._chunks(exchange, producer), self.chunk_bytes)

    def receive(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Chunks, of one task as a rule, to files; then the tasks that were announced."""
        with tempfile.TemporaryDirectory(prefix="corpusforge-spool-") as folder:
            spool, announced = moving.Spool(Path(folder), self.stage.body.consumes), []
            for batch in batches:
                columns = [column.to_pylist() for column in batch.columns[1:]]
                for chunk in map(moving.Chunk._make, zip(*columns)):
                    if chunk.exchange == ANNOUNCED:
                        announced.append(chunk.partition)
                    else:
                        spool.add(chunk)
            for task in sorted(announced):
                yield self._run_task(task, spool)
                spool.remove(task)

    # Parts

    def _announce(self) -> Iterator[pa.RecordBatch]:
        for start in range(0, len(self.tasks), CHUNK_ROWS):
            tasks = self.tasks[start : start + CHUNK_ROWS]
            rows = [moving.Chunk(task, ANNOUNCED, ANNOUNCED, 0, 0, b"") for task in tasks]
            yield _batch(rows, self.destinations[start : start + CHUNK_ROWS])

    def _chunks(self, exchange: int, producer: int) -> Iterator[tuple[int, moving.Chunk]]:
        chunks = moving.chunks_of(
            self.plan, self.root, self.stage, exchange, producer, self.places, self.chunk_bytes
        )
        for chunk in chunks:
            yield self.destinations[self.places[chunk.partition]], chunk

    def _run_task(self, task: int, spool: moving.Spool | None) -> pa.RecordBatch:
        """Execute and commit one task; what it raises goes to the driver, which decides on another attempt."""
        heartbeat = None
        try:
            stage = self.stage
            heartbeat = _heartbeat(self.root, self.watchdog_seconds)
            heartbeat.working_on(stage.id, task, self.job)
            moved = spool.paths(task) if spool is not None else None
            execute(stage.body, TaskContext(self.plan, self.root, stage, task, heartbeat, moved))
            self.done.add([task])
        except GivenUpError:
            pass  # the driver finds what the earlier attempt left, and decides
        except UsageError as error:
            self.failures.add({task: (USAGE, str(error))})
        except CorpusforgeError as error:
            self.failures.add({task: (FINAL, str(error))})
        except Exception:
            self.failures.add({task: (FAILED, traceback.format_exc(limit=-8)[-MESSAGE_LENGTH:])})
        finally:
            if heartbeat is not None:
                heartbeat.done()
        return pa.record_batch([pa.array([task], pa.int64())], schema=TASK_SCHEMA)


_heartbeats: dict[int, WatchedHeartbeat] = {}
"""This process's heartbeat, by process number: a forked process must not use its parent's."""


def _heartbeat(root: str, seconds: float) -> WatchedHeartbeat:
    own = os.getpid()
    if own not in _heartbeats:
        _heartbeats.clear()
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        pa.set_cpu_count(1)
        _heartbeats[own] = WatchedHeartbeat(root, seconds)
    return _heartbeats[own]


def _packed(chunks: Iterable[tuple[int, moving.Chunk]], chunk_bytes: int) -> Iterator[pa.RecordBatch]:
    """Chunks to batches of about `chunk_bytes`: many small runs cost one batch."""
    held: list[moving.Chunk] = []
    destinations: list[int] = []
    size = 0
    for destination, chunk in chunks:
        if held and (size + len(chunk.data) > chunk_bytes or len(held) == CHUNK_ROWS):
            yield _batch(held, destinations)
            held, destinations, size = [], [], 0
        held.append(chunk)
        destinations.append(destination)
        size += len(chunk.data)
    if held:
        yield _batch(held, destinations)


def _batch(chunks: Sequence[moving.Chunk], destinations: Sequence[int]) -> pa.RecordBatch:
    arrays = [pa.array(destinations, pa.int64())]
    arrays += [pa.array([chunk[column] for chunk in chunks], pa.int64()) for column in range(5)]
    arrays.append(pa.array([chunk.data for chunk in chunks], pa.binary()))
    return pa.record_batch(arrays, schema=CHUNK_SCHEMA)
