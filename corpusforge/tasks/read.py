"""Read tasks: records of a shard's files become documents, and the first steps run before they are stored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from corpusforge.document import DOCUMENT_SCHEMA, canonical_json, document_id, text_hash
from corpusforge.operations import ROW_BITS
from corpusforge.sources.base import GroupingSource, Record, Skipped, Source
from corpusforge.sources.urls import url_key
from corpusforge.tasks.batch import Batch
from corpusforge.tasks.body import TaskResult
from corpusforge.tasks.context import TaskContext
from corpusforge.tasks.facts import file_facts
from corpusforge.tasks.group import PARTS, assembled
from corpusforge.tasks.map import MapBody
from corpusforge.tasks.records import RecordReader, checked
from corpusforge.tasks.sidecar import DOCUMENTS_FILE, STORED_SCHEMA
from corpusforge.texts import Texts
from corpusforge.writer import FAST, ParquetFileWriter, commit_parquet


class ReadBody(MapBody):
    """Reads source files and materializes the documents behind the extracting step."""

    operation: ClassVar[str] = "read"

    def __init__(self, sources: Mapping[str, Source], batch_documents: int, batch_bytes: int) -> None:
        super().__init__()
        self.sources = dict(sources)
        self.batch_documents = batch_documents
        self.batch_bytes = batch_bytes

    @property
    def consumes(self) -> tuple[str, ...]:
        """The parts of grouping sources."""
        return (
            (PARTS.name,)
            if any(isinstance(source, GroupingSource) for source in self.sources.values())
            else ()
        )

    def run(self, task: TaskContext) -> TaskResult:
        """Read, run the steps, store documents with text and verdict."""
        shard = task.plan.shards[task.number]
        reader = RecordReader(shard, self.sources[shard.source])
        result = TaskResult()
        with commit_parquet(task.own_file(DOCUMENTS_FILE), STORED_SCHEMA, FAST) as documents:
            self.run_over(
                task,
                result,
                self._batches(task, reader),
                lambda batch: _store(documents, batch),
                reader.errors,
            )
        result.files = {DOCUMENTS_FILE: documents.facts, **result.files}
        result.ledger["records"] = {shard.source: reader.account}
        result.value = {**(result.value or {}), "inputs": [file_facts(file) for file in shard.files]}
        return result

    def _batches(self, task: TaskContext, reader: RecordReader) -> Iterator[Batch]:
        """Batches of records, closed by number or bytes; an empty shard has one empty batch."""
        gathered = _Gathered(reader.shard.source)
        first_row = 0
        for record in _records(task, reader):
            reader.became_document(record)
            gathered.add(record)
            if len(gathered) >= self.batch_documents or gathered.size >= self.batch_bytes:
                yield gathered.batch(task.number, first_row)
                first_row += len(gathered)
                gathered = _Gathered(reader.shard.source)
        if len(gathered) or first_row == 0:
            yield gathered.batch(task.number, first_row)


def _records(task: TaskContext, reader: RecordReader) -> Iterator[Record]:
    """The records that become documents: read from files, or assembled from parts."""
    if reader.shard.partition is None:
        yield from reader.records()
        return
    assert isinstance(reader.source, GroupingSource)
    for item in map(checked, assembled(task, reader.source)):
        reader.account["merged"] -= 1
        if isinstance(item, Record):
            yield item
            continue
        reader.account["document_bytes"] -= item.size  # counted there when its parts were collected
        if isinstance(item, Skipped):
            reader.skip(item)
        else:
            reader.give_up(item)


def _store(documents: ParquetFileWriter, batch: Batch) -> None:
    """Write a batch's documents with text, hash and verdict behind the steps of the first stage."""
    columns = dict(batch.columns)
    columns["text_hash"] = _text_hashes(columns["text"])
    columns["verdict"] = pa.array(batch.verdicts, pa.string())
    columns["bytes"] = pa.array(batch.sizes, pa.int64())
    arrays = [columns[name] for name in STORED_SCHEMA.names]
    documents.write(pa.RecordBatch.from_arrays(arrays, schema=STORED_SCHEMA))


def _text_hashes(column: pa.Array) -> pa.Array:
    """Hashes binary(16) of texts large_string; null where there is none."""
    texts = Texts.from_arrow(column)
    data, ends = texts.data.data, texts.offsets.tolist()
    hashes = [text_hash(data[start:end]) for start, end in zip(ends, ends[1:])]
    return pa.array(hashes, pa.binary(16), mask=column.is_null().to_numpy(zero_copy_only=False))


class _Gathered:
    """Records of a batch to be."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.records: list[Record] = []
        self.size = 0

    def __len__(self) -> int:
        return len(self.records)

    def add(self, record: Record) -> None:
        self.records.append(record)
        self.size += len(record.payload)

    def batch(self, shard: int, first_row: int) -> Batch:
        """The records as a batch whose texts are still to come."""
        if first_row + len(self) >= 1 << ROW_BITS:
            raise OverflowError("too many documents in one shard")
        records = self.records
        values: dict[str, Any] = {
            "id": [document_id(self.source, record.origin_key) for record in records],
            "url_key": [url_key(record.url) if record.url else None for record in records],
            "source": [self.source] * len(records),
            "locator": [record.locator for record in records],
            "url": [record.url for record in records],
            "date": [record.date for record in records],
            "license": [record.license for record in records],
            "meta": [canonical_json(dict(record.meta)) if record.meta else "{}" for record in records],
        }
        arrays = [
            pa.array(values[field.name], field.type)
            if field.name in values
            else pa.nulls(len(records), field.type)
            for field in DOCUMENT_SCHEMA
        ]
        extra = {
            "payload": pa.array([record.payload for record in records], pa.large_binary()),
            "content_type": pa.array([record.content_type for record in records], pa.string()),
            "charset": pa.array([record.charset for record in records], pa.string()),
        }
        sizes = np.array([len(record.payload) for record in records], np.int64)
        documents = pa.RecordBatch.from_arrays(arrays, schema=DOCUMENT_SCHEMA)
        return Batch(shard, first_row, documents, sizes, extra=extra)
