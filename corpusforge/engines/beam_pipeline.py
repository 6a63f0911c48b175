"""The Beam pipeline of one stage: what goes into the job, whatever runner gets it.

A stage that consumes no exchange is Create(tasks) → Reshuffle → ParDo. One that does also has
Create(producer tasks) → Reshuffle → ParDo(read runs) → GroupByKey with the tasks → ParDo: only chunks of run
bytes move, and partitions without rows get their task all the same. Nothing comes back to the driver but
counters: results are committed files, failed attempts are small files that the driver asks for by name.
"""

from __future__ import annotations

import struct
import tempfile
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import apache_beam as beam
from apache_beam.coders import Coder, registry

from corpusforge import storage
from corpusforge.engines.beam_work import ReadHeartbeat, Work, heartbeat_of
from corpusforge.engines.moving import Chunk, Spool, chunks_of, producers_of
from corpusforge.engines.watch import GivenUpError
from corpusforge.errors import CorpusforgeError
from corpusforge.layout import dump_json
from corpusforge.plan import Plan, Stage
from corpusforge.tasks.body import execute
from corpusforge.tasks.context import TaskContext

METRICS = "corpusforge"
"""Namespace of the counters that a runner shows: tasks_done, tasks_failed, chunks_moved, bytes_moved."""


class ChunkCoder(Coder):  # type: ignore[misc]
    """Chunks as bytes: five little-endian int64 of where the piece stands, then the piece itself."""

    _HEADER = struct.Struct("<5q")

    def encode(self, value: Chunk) -> bytes:
        """Bytes of a chunk."""
        return self._HEADER.pack(*value[:5]) + value.data

    def decode(self, encoded: bytes) -> Chunk:
        """Chunk of the bytes."""
        partition, exchange, producer, offset, run_bytes = self._HEADER.unpack_from(encoded)
        data = bytes(encoded[self._HEADER.size :])
        return Chunk(partition, exchange, producer, offset, run_bytes, data)

    def is_deterministic(self) -> bool:
        """Equal chunks are equal bytes."""
        return True

    def to_type_hint(self) -> type:
        """The type that the coder is for."""
        return Chunk


registry.register_coder(Chunk, ChunkCoder)


def _task_marker(task: int) -> Chunk:
    """A chunk without data: makes a group of a task that may have no rows to read."""
    return Chunk(task, 0, 0, 0, 0, b"")


class _StageFn(beam.DoFn):  # type: ignore[misc]
    """Loads the plan once per worker, before the first element."""

    def __init__(self, work: Work) -> None:
        super().__init__()
        self.work = work

    def setup(self) -> None:
        """Read the plan and load the plugins; arrays are computed on one thread, as on every engine."""
        import pyarrow as pa

        pa.set_cpu_count(1)
        self.plan = self.work.plan
        self.stage: Stage = self.plan.stages[self.work.stage]
        self.heartbeat = heartbeat_of(self.work)


class _TaskFn(_StageFn):
    """Runs tasks, and keeps one task's failure from ending the job of all others."""

    def attempt(self, task: int, moved_runs: Mapping[str, Sequence[Path]] | None) -> None:
        """Commit the task, or leave its error: one failed task does not end the job of all others."""
        context = TaskContext(self.plan, self.work.root, self.stage, task, self.heartbeat, moved_runs)
        try:
            self.heartbeat.working_on(self.stage.id, task, self.work.submission)
            execute(self.stage.body, context)
        except GivenUpError:
            pass  # the driver finds what the earlier attempt left, and decides
        except CorpusforgeError as error:
            self.note(task, {"kind": "refused", "status": error.exit_status, "error": str(error)})
        except Exception:
            self.note(task, {"kind": "failed", "error": traceback.format_exc(limit=-8)})
        else:
            beam.metrics.Metrics.counter(METRICS, "tasks_done").inc()
        finally:
            self.heartbeat.done()
            self.heartbeat.step = ""
            if isinstance(self.heartbeat, ReadHeartbeat):
                self.heartbeat.rest()

    def note(self, task: int, failure: Mapping[str, object]) -> None:
        """Leave the error of an attempt where the driver looks for it."""
        storage.commit_bytes(self.work.failure_file(self.stage.id, task), dump_json(failure))
        beam.metrics.Metrics.counter(METRICS, "tasks_failed").inc()


class RunTask(_TaskFn):
    """Element: a task's number. Runs and commits the task."""

    def process(self, task: int) -> Iterator[None]:
        """Run one task; nothing is output."""
        self.attempt(task, None)
        yield from ()


class RunTaskWithRuns(_TaskFn):
    """Element: (a task's number, all chunks of its runs). Puts the runs together on disk, then runs the task."""

    def process(self, element: tuple[int, Iterable[Chunk]]) -> Iterator[None]:
        """Spool chunk by chunk, so memory holds one of them; nothing is output."""
        task, chunks = element
        with tempfile.TemporaryDirectory(prefix="corpusforge-runs-") as folder:
            try:
                spool = Spool(Path(folder), self.stage.body.consumes)
                for chunk in chunks:
                    if chunk.data:
                        spool.add(chunk)
                runs = spool.paths(task)
            except (OSError, ValueError):
                self.note(task, {"kind": "failed", "error": traceback.format_exc(limit=-8)})
            else:
                self.attempt(task, runs)
        yield from ()


class ReadRuns(_StageFn):
    """Element: (exchange, producer task). Reads what the producer has for the tasks to do."""

    def __init__(self, work: Work, wanted: frozenset[int] | None) -> None:
        """`wanted`: the tasks to do; None for all of the stage."""
        super().__init__(work)
        self.wanted = wanted

    def process(self, element: tuple[int, int]) -> Iterator[tuple[int, Chunk]]:
        """Give (task, chunk) for every piece of a run."""
        exchange, producer = element
        moved = beam.metrics.Metrics.counter(METRICS, "bytes_moved")
        chunks = beam.metrics.Metrics.counter(METRICS, "chunks_moved")
        for chunk in chunks_of(self.plan, self.work.root, self.stage, exchange, producer, self.wanted):
            chunks.inc()
            moved.inc(len(chunk.data))
            yield chunk.partition, chunk


def add_stage(pipeline: beam.Pipeline, work: Work, plan: Plan, tasks: Sequence[int]) -> None:
    """Add the transforms that run `tasks` of the stage that `work` names."""
    stage = plan.stages[work.stage]
    numbers = (
        pipeline
        | "Tasks" >> beam.Create(tasks, reshuffle=False).with_output_types(int)
        | "Spread tasks" >> beam.Reshuffle().with_output_types(int)
    )
    if not stage.body.consumes:
        _ = numbers | "Run tasks" >> beam.ParDo(RunTask(work)).with_output_types(None)
        return
    wanted = None if len(tasks) == stage.tasks else frozenset(tasks)
    moved = (
        pipeline
        | "Producers"
        >> beam.Create(producers_of(plan, stage), reshuffle=False).with_output_types(tuple[int, int])
        | "Spread producers" >> beam.Reshuffle().with_output_types(tuple[int, int])
        | "Read runs" >> beam.ParDo(ReadRuns(work, wanted)).with_output_types(tuple[int, Chunk])
    )
    marked = numbers | "Mark tasks" >> beam.Map(_with_marker).with_output_types(tuple[int, Chunk])
    _ = (
        (moved, marked)
        | "Runs and tasks" >> beam.Flatten()
        | "Group by task" >> beam.GroupByKey()
        | "Run tasks" >> beam.ParDo(RunTaskWithRuns(work)).with_output_types(None)
    )


def _with_marker(task: int) -> tuple[int, Chunk]:
    return task, _task_marker(task)
