"""Write tasks: the final projection of a shard to ``documents/``, ``dropped/`` and ``quarantine/``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from corpusforge import storage
from corpusforge.document import canonical_json
from corpusforge.layout import number
from corpusforge.randomness import STREAM_KEEP_SAMPLE, id_bytes, repeats, uniform_bits
from corpusforge.tasks.batch import QUARANTINE, Batch
from corpusforge.tasks.body import Body, TaskResult
from corpusforge.tasks.context import TaskContext
from corpusforge.tasks.sidecar import Sidecar, stored_batches
from corpusforge.writer import ParquetFileWriter, commit_parquet

WITHHELD = "takedown"
"""Beginning of verdicts whose documents are written without their text."""

BASE_COLUMNS = ("id", "source", "locator", "url", "date", "license", "lang", "meta", "text")
"""Document columns of the output files, before the signals."""


class WriteBody(Body):
    """Writes one file of kept and one of dropped documents per shard, with all signals, and the quarantine."""

    operation: ClassVar[str] = "write"

    def __init__(self, keep_dropped: str) -> None:
        self.keep_dropped = keep_dropped

    def run(self, task: TaskContext) -> TaskResult:
        """Project one shard. Row counts by source go to the manifest, for the ledger to check."""
        result = TaskResult()
        name = number(task.number)
        schema = _signal_schema(task)
        dropped_schema = schema.append(pa.field("verdict", pa.string())).append(
            pa.field("duplicate_of", pa.binary(16))
        )
        written: dict[str, dict[str, int]] = {}
        with ExitStack() as stack:
            kept_writer = stack.enter_context(
                commit_parquet(task.layout.file("documents", f"{name}.parquet"), schema)
            )
            dropped_writer = stack.enter_context(
                commit_parquet(task.layout.file("dropped", f"{name}.parquet"), dropped_schema)
            )
            for batch in stored_batches(task, task.number):
                self._project(task, batch, kept_writer, dropped_writer, written)
        lines = _quarantine(task, written)
        digest = storage.commit_bytes(task.layout.file("quarantine", f"{name}.jsonl"), lines)
        result.value = {
            "written": written,
            "outputs": {
                f"documents/{name}.parquet": kept_writer.facts,
                f"dropped/{name}.parquet": dropped_writer.facts,
                f"quarantine/{name}.jsonl": {
                    "bytes": len(lines),
                    "sha256": digest,
                    "rows": lines.count(b"\n"),
                },
            },
        }
        return result

    def _project(
        self,
        task: TaskContext,
        batch: Batch,
        kept_writer: ParquetFileWriter,
        dropped_writer: ParquetFileWriter,
        written: dict[str, dict[str, int]],
    ) -> None:
        kept = batch.kept()
        dropped = np.array(
            [
                row
                for row, verdict in enumerate(batch.verdicts)
                if verdict is not None and not verdict.startswith(QUARANTINE)
            ],
            np.int64,
        )
        sources = batch.columns["source"].to_pylist()
        for rows, kind in ((kept, "documents"), (dropped, "dropped")):
            for row in rows:
                counts = _counts(written, sources[row])
                counts[kind] += 1
        table = _projected(batch, kept_writer.schema)
        sizes = pc.binary_length(table.column("text")).fill_null(0).to_numpy(zero_copy_only=False)
        for row, size in zip(kept.tolist(), sizes[kept].tolist()):
            _counts(written, sources[row])["document_bytes"] += size
        _write(kept_writer, table, kept)
        dropped = self._sampled(batch, dropped, task.plan.seed)
        verdicts = pa.array(batch.verdicts, pa.string())
        table = _without_texts(table, batch.verdicts).append_column("verdict", verdicts)
        table = table.append_column("duplicate_of", batch.extra["duplicate_of"])
        _write(dropped_writer, table, dropped)

    def _sampled(self, batch: Batch, dropped: npt.NDArray[np.int64], seed: int) -> npt.NDArray[np.int64]:
        """Rows of dropped documents to write: all, none, or a seeded share of them."""
        if self.keep_dropped == "all":
            return dropped
        if self.keep_dropped == "none":
            return dropped[:0]
        share = Fraction(self.keep_dropped.removeprefix("sample:"))
        bits = uniform_bits(seed, id_bytes(batch.columns["id"]), STREAM_KEEP_SAMPLE)
        return dropped[repeats(bits, share)[dropped] > 0]


def _without_texts(table: pa.RecordBatch, verdicts: Sequence[str | None]) -> pa.RecordBatch:
    """The rows with the texts of those that were taken down left out: they are to be written nowhere."""
    gone = [verdict is not None and verdict.startswith(WITHHELD) for verdict in verdicts]
    if not any(gone):
        return table
    index = table.schema.get_field_index("text")
    texts = pc.if_else(pa.array(gone), pa.scalar(None, pa.large_string()), table.column(index))
    return table.set_column(index, table.schema.field(index), texts)


def _counts(written: dict[str, dict[str, int]], source: str) -> dict[str, int]:
    return written.setdefault(source, {"documents": 0, "document_bytes": 0, "dropped": 0, "quarantined": 0})


def _signals(task: TaskContext) -> Iterator[tuple[Sidecar, str, pa.DataType]]:
    order = {stage.id: stage.index for stage in task.plan.stages}
    for item in task.plan.sidecars:
        if order[item.stage_id] < task.stage.index:
            for signal in item.signals:
                if not pa.types.is_nested(signal.type):
                    yield item, signal.name, signal.type


def _signal_schema(task: TaskContext) -> pa.Schema:
    fields = [
        pa.field(name, {"id": pa.binary(16), "text": pa.large_string()}.get(name, pa.string()))
        for name in BASE_COLUMNS
    ]
    fields += [pa.field(f"{item.step}.{name}", kind) for item, name, kind in _signals(task)]
    return pa.schema(fields)


def _projected(batch: Batch, schema: pa.Schema) -> pa.RecordBatch:
    """All rows of a batch with the columns of the output, texts in their latest view."""
    text = batch.views.text("latest").to_arrow()
    columns: list[Any] = []
    for field in schema:
        if field.name == "text":
            columns.append(text)
        elif field.name in BASE_COLUMNS:
            columns.append(batch.columns[field.name])
        else:
            columns.append(batch.signals[field.name])
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _write(writer: ParquetFileWriter, table: pa.RecordBatch, rows: npt.NDArray[np.int64]) -> None:
    writer.write(table.take(pa.array(rows)))


def _quarantine(task: TaskContext, written: dict[str, dict[str, int]]) -> bytes:
    """The errors of all stages about this shard, one JSON object a line."""
    lines: list[str] = []
    for stage, number_of_task in _error_tasks(task):
        files = task.layout.read_manifest(stage, number_of_task)["files"]
        if "errors.jsonl" not in files:
            continue
        data = storage.read_bytes(task.layout.task_file(stage, number_of_task, "errors.jsonl"))
        for line in data.decode("utf-8").splitlines():
            error = json.loads(line)
            if error["step"] != "read":
                _counts(written, error["source"])["quarantined"] += 1
            lines.append(canonical_json(error) + "\n")
    return "".join(lines).encode("utf-8")


def _error_tasks(task: TaskContext) -> Iterator[tuple[str, int]]:
    """Stages and tasks whose errors belong to this shard.

    What went wrong while parts were collected belongs to no document: it is dealt out to the document shards
    of the source in turn.
    """
    shard = task.plan.shards[task.number]
    for stage in task.plan.stages[: task.stage.index]:
        if stage.body.operation in ("read", "map"):
            yield stage.id, task.number
        elif stage.body.operation == "collect":
            targets = [item.index for item in task.plan.shards if item.source == shard.source]
            own = [number for number, item in enumerate(task.plan.collected) if item.source == shard.source]
            for turn, collected in enumerate(own):
                if targets[turn % len(targets)] == task.number:
                    yield stage.id, collected
