"""Read tasks: records of a shard's files become documents, and the first steps run before they are stored."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, ClassVar

import numpy as np
import pyarrow as pa

from corpusforge import ledger, storage
from corpusforge.document import DOCUMENT_SCHEMA, canonical_json, document_id, text_hash
from corpusforge.errors import UsageError
from corpusforge.operations import ROW_BITS
from corpusforge.sources.base import Damaged, Record, Skipped, Source, SourceFile
from corpusforge.sources.urls import url_key
from corpusforge.tasks.batch import Batch
from corpusforge.tasks.body import TaskResult
from corpusforge.tasks.context import TaskContext
from corpusforge.tasks.map import MapBody
from corpusforge.tasks.sidecar import DOCUMENTS_FILE, STORED_SCHEMA
from corpusforge.writer import ParquetFileWriter, commit_parquet


class ReadBody(MapBody):
    """Reads source files and materializes the documents behind the extracting step."""

    operation: ClassVar[str] = "read"

    def __init__(self, sources: Mapping[str, Source], batch_documents: int, batch_bytes: int) -> None:
        super().__init__()
        self.sources = dict(sources)
        self.batch_documents = batch_documents
        self.batch_bytes = batch_bytes

    def run(self, task: TaskContext) -> TaskResult:
        """Read, run the steps, store documents with text and verdict."""
        shard = task.plan.shards[task.number]
        result = TaskResult()
        with commit_parquet(task.own_file(DOCUMENTS_FILE), STORED_SCHEMA) as documents:
            reading = _Reading(self, task)
            self.run_over(
                task, result, reading.batches(), lambda batch: _store(documents, batch), reading.errors
            )
        result.files = {DOCUMENTS_FILE: documents.facts, **result.files}
        result.ledger["records"] = {shard.source: reading.account}
        result.value = {"inputs": [_file_facts(file) for file in shard.files]}
        return result


class _Reading:
    """The records of one shard on their way to batches; counts what never becomes a document."""

    def __init__(self, body: ReadBody, task: TaskContext) -> None:
        self.body, self.task = body, task
        self.shard = task.plan.shards[task.number]
        self.account = ledger.new_record_account()
        self.errors: list[dict[str, Any]] = []

    def batches(self) -> Iterator[Batch]:
        """Batches of records, closed by number or bytes."""
        gathered = _Gathered(self.shard.source)
        first_row = 0
        for record in self.records():
            gathered.add(record)
            if len(gathered) >= self.body.batch_documents or gathered.size >= self.body.batch_bytes:
                yield gathered.batch(self.task.number, first_row)
                first_row += len(gathered)
                gathered = _Gathered(self.shard.source)
        if len(gathered) or first_row == 0:
            yield gathered.batch(self.task.number, first_row)

    def records(self) -> Iterator[Record]:
        """Records that become documents; everything else is counted, damage goes to quarantine."""
        source, account, kills = self.body.sources[self.shard.source], self.account, self.task.kills()
        for file in self.shard.files:
            with storage.open_read(file.url) as stream:
                for item in source.records(file, stream):
                    account["records"] += 1
                    account["bytes"] += item.size
                    if isinstance(item, Skipped):
                        account["skipped"][item.kind] = account["skipped"].get(item.kind, 0) + 1
                        account["skipped_bytes"] += item.size
                    elif isinstance(item, Damaged):
                        self._give_up(item)
                    elif item.locator in kills:
                        reason = f"watchdog: busy for more than {kills[item.locator]['seconds']} s"
                        self._give_up(Damaged(item.locator, "watchdog", reason, item.size))
                    else:
                        account["documents"] += 1
                        account["document_bytes"] += item.size
                        account["payload_bytes"] += len(item.payload)
                        yield item

    def _give_up(self, item: Damaged) -> None:
        account = self.account
        account["damaged"][item.kind] = account["damaged"].get(item.kind, 0) + 1
        account["damaged_bytes"] += item.size
        error = {"locator": item.locator, "source": self.shard.source, "step": "read", "kind": item.kind}
        self.errors.append({**error, "error": item.error})


def _store(documents: ParquetFileWriter, batch: Batch) -> None:
    """Write a batch's documents with text, hash and verdict behind the steps of the first stage."""
    if "payload" in batch.extra and batch.size:
        raise UsageError("no step makes text of the payloads: the recipe needs the step `extract`")
    columns = dict(batch.columns)
    texts = columns["text"].cast(pa.large_binary()).to_pylist()
    columns["text_hash"] = pa.array(
        [None if text is None else text_hash(text) for text in texts], pa.binary(16)
    )
    columns["verdict"] = pa.array(batch.verdicts, pa.string())
    columns["bytes"] = pa.array(batch.sizes, pa.int64())
    arrays = [columns[name] for name in STORED_SCHEMA.names]
    documents.write(pa.RecordBatch.from_arrays(arrays, schema=STORED_SCHEMA))


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
            "meta": [canonical_json(dict(record.meta)) for record in records],
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


def _file_facts(file: SourceFile) -> dict[str, Any]:
    with storage.open_read(file.url) as stream:
        return {"path": file.path, "bytes": file.size, "sha256": _sha256(stream)}


def _sha256(stream: BinaryIO) -> str:
    digest = hashlib.sha256()
    while block := stream.read(1 << 20):
        digest.update(block)
    return digest.hexdigest()
