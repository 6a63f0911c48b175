"""Map tasks: the fused steps of a stage over the batches of one shard."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from corpusforge import ledger, storage
from corpusforge.document import canonical_json
from corpusforge.exchange import RunBuilder
from corpusforge.kills import reasons
from corpusforge.operations import Emitter, Folder, row_of
from corpusforge.statistics.steps import StepStatistics
from corpusforge.step import MapStep
from corpusforge.tasks.batch import Batch, run_step
from corpusforge.tasks.body import Body, TaskResult
from corpusforge.tasks.context import TaskContext
from corpusforge.tasks.measured_before import ShardBefore, measured_before
from corpusforge.tasks.sidecar import Sidecar, stored_batches
from corpusforge.writer import ParquetFileWriter, commit_parquet, one_batch


class MapBody(Body):
    """Steps fused over the stored documents of a shard, and what the stage does with them at its end."""

    operation: ClassVar[str] = "map"

    def __init__(self) -> None:
        self.steps: list[MapStep] = []
        self.emitter: Emitter | None = None
        self.folders: dict[str, Folder] = {}
        self.joins: list[str] = []
        self.measure_all = False

    @property
    def consumes(self) -> tuple[str, ...]:
        """The exchanges that are joined."""
        return tuple(self.joins)

    @property
    def needs_text(self) -> bool:
        """Whether anything in the stage looks at text; rules do, for the examples of what they drop."""
        parts: list[Any] = [*self.steps, *self.folders.values()]
        parts += [self.emitter] if self.emitter is not None else []
        return any(part.reads != "none" for part in parts) or any(step.rules for step in self.steps)

    def run(self, task: TaskContext) -> TaskResult:
        """Run all steps over all batches; sidecars, runs, partial folds and errors are committed as files."""
        result = TaskResult()
        self.run_over(task, result, stored_batches(task, task.number, self.needs_text))
        return result

    def run_over(
        self,
        task: TaskContext,
        result: TaskResult,
        batches: Iterable[Batch],
        after: Callable[[Batch], None] = lambda batch: None,
        errors: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        """Run the steps over the given batches, calling `after` behind each; `errors` are written first."""
        context = task.run_context()
        parts: list[Any] = [*self.steps, *self.folders.values(), *([self.emitter] if self.emitter else [])]
        source = task.plan.shards[task.number].source
        with ExitStack() as stack:
            before = measured_before(task, stack)
            for part in parts:
                # A part that is not for this source sees none of its documents: it needs no models.
                if _is_for(part, source) and not (before is not None and before.leave_closed(part, context)):
                    part.open(context)
            state = _MapState(self, task, result, stack, before)
            for batch in batches:
                state.process(batch)
                after(batch)
            state.finish([*errors, *state.errors])


def _is_for(part: Any, source: str) -> bool:
    """Whether a step, folder or emitter sees documents of that source."""
    return not part.only or source in part.only


class _MapState:
    """The open files and counters of one map task."""

    def __init__(
        self,
        body: MapBody,
        task: TaskContext,
        result: TaskResult,
        stack: ExitStack,
        before: ShardBefore | None,
    ) -> None:
        self.body, self.task, self.result, self.stack = body, task, result, stack
        self.before = before
        self.sidecars = [Sidecar.of(task.stage_id, step) for step in body.steps]
        self.writers: list[ParquetFileWriter] = [
            stack.enter_context(commit_parquet(task.own_file(item.file), item.schema))
            for item in self.sidecars
        ]
        self.statistics = [_statistics_of(step) for step in body.steps]
        self.accounts: list[dict[str, ledger.Account]] = [{} for _ in body.steps]
        self.timings = [{"seconds_cpu": 0.0, "bytes_in": 0.0} for _ in body.steps]
        self.joined = {
            name: JoinedRows(task.read_exchange(name, task.number), task.plan.exchanges[name].spec.schema)
            for name in body.joins
        }
        self.runs: RunBuilder | None = task.run_builder(body.emitter.output) if body.emitter else None
        self.folds: dict[str, dict[str, int]] = {name: {} for name in body.folders}
        self.errors: list[dict[str, Any]] = []
        kills, source = task.kills(), task.plan.shards[task.number].source
        task.heartbeat.source = source
        self.killed = [reasons(kills, source, step.instance) for step in body.steps]

    def process(self, batch: Batch) -> None:
        if self.before is not None:
            self.before.start(batch)
        for name, rows in self.joined.items():
            batch.joined[name] = rows.below(batch.first_row + batch.size)
        for index, step in enumerate(self.body.steps):
            self._run(index, step, batch)
        kept = batch.kept()
        emitter = self.body.emitter
        if emitter is not None and self.runs is not None:
            concerned = batch.limited(kept, emitter.only)
            if len(concerned):
                self.runs.add(emitter.emit(batch.rows(concerned, emitter.reads)))
        for name, folder in self.body.folders.items():
            concerned = batch.limited(kept, folder.only)
            if len(concerned):
                total = self.folds[name]
                for key, value in folder.partial(batch.rows(concerned, folder.reads)).items():
                    total[key] = total.get(key, 0) + int(value)
        self.errors += batch.errors

    def _run(self, index: int, step: MapStep, batch: Batch) -> None:
        timing = self.timings[index]
        seen = batch.kept()
        timing["bytes_in"] += float(batch.sizes[seen].sum())
        before = time.process_time()
        self.task.heartbeat.step = step.instance
        output = run_step(
            batch, step, self.body.measure_all, self.accounts[index], self.killed[index], self.before
        )
        self.task.heartbeat.step = ""
        timing["seconds_cpu"] += time.process_time() - before
        if self.task.plan.measured is not None:
            timing["documents_taken"] = timing.get("documents_taken", 0) + output.taken
            timing["documents_measured"] = timing.get("documents_measured", 0) + output.measured
        self.writers[index].write(self.sidecars[index].rows(output, batch.sizes))
        numbers = batch.limited(np.intersect1d(seen, batch.measurable(), assume_unique=True), step.only)
        taken = pa.array(numbers)
        view = "none" if not self.body.needs_text or "payload" in batch.extra else "latest"
        rows = batch.rows(numbers, view)
        self.statistics[index].add(
            signals={name: values.take(taken) for name, values in output.signals.items()},
            verdicts=pa.array(output.verdicts, pa.string()).take(taken),
            ids=rows.column("id"),
            texts=rows.texts,
            urls=rows.column("url"),
            langs=rows.column("lang"),
        )

    def finish(self, errors: Sequence[Mapping[str, Any]]) -> None:
        result, task = self.result, self.task
        self.stack.close()
        for item, writer in zip(self.sidecars, self.writers):
            result.files[item.file] = writer.facts
        if self.runs is not None:
            result.files[f"{self.runs.spec.name}.runs"] = task.commit_runs(self.runs)
        # An emitter that was not opened for this task still holds what it knew of another.
        if self.body.emitter is not None and _is_for(self.body.emitter, task.plan.shards[task.number].source):
            sample = self.body.emitter.sampled(len(task.plan.shards))
            result.value = result.value if sample is None else {"sample": sample}
        for name, counts in self.folds.items():
            data = canonical_json(counts).encode("utf-8")
            digest = storage.commit_bytes(task.own_file(f"{name}.fold"), data)
            result.files[f"{name}.fold"] = {"bytes": len(data), "sha256": digest, "rows": len(counts)}
        if errors:
            data = "".join(canonical_json(error) + "\n" for error in errors).encode("utf-8", "replace")
            digest = storage.commit_bytes(task.own_file("errors.jsonl"), data)
            result.files["errors.jsonl"] = {"bytes": len(data), "sha256": digest, "rows": len(errors)}
        names = [step.instance for step in self.body.steps]
        result.ledger["steps"] = dict(zip(names, self.accounts))
        result.statistics = {name: item.to_json() for name, item in zip(names, self.statistics)}
        result.timings = dict(zip(names, self.timings))


class JoinedRows:
    """Rows addressed to a shard, given out in step with its batches."""

    def __init__(self, batches: Iterator[pa.RecordBatch], schema: pa.Schema) -> None:
        self._batches = batches
        self._held: pa.Table | None = None
        self._schema = schema.append(pa.field("row", pa.int64()))

    def below(self, row: int) -> pa.RecordBatch:
        """Remove and give the rows with a row number under `row`, with the number as column `row`."""
        taken: list[pa.RecordBatch] = []
        while True:
            if self._held is None:
                batch = next(self._batches, None)
                if batch is None:
                    break
                self._held = _with_rows(batch)
            numbers = self._held.column("row").to_numpy()
            count = int(np.searchsorted(numbers, row, "left"))
            taken += self._held.slice(0, count).to_batches()
            if count < self._held.num_rows:
                self._held = self._held.slice(count)
                break
            self._held = None
        if taken:
            return one_batch(pa.Table.from_batches(taken))
        return pa.RecordBatch.from_pylist([], schema=self._schema)


def _with_rows(batch: pa.RecordBatch) -> pa.Table:
    key = batch.column(0).to_numpy(zero_copy_only=False)
    return pa.Table.from_batches([batch]).append_column("row", pa.array(row_of(key)))


def _statistics_of(step: MapStep) -> StepStatistics:
    thresholds = {rule.name: getattr(step.parameters, rule.name) for rule in step.rules}
    signals = [signal for signal in step.signals if not pa.types.is_nested(signal.type)]
    return StepStatistics(step.instance, signals, step.rules, thresholds)
