"""Group: many records to one document inside one source, by container.

Answers go to their question, comments to their tree, files to their repository. It is the one operation in
which text crosses an exchange. Parts are sent to the document shard that their container's hash names, in
the order that the source declares, and the source assembles them while they stream past.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, groupby
from typing import Any, ClassVar

import pyarrow as pa

from corpusforge import storage
from corpusforge.document import canonical_json
from corpusforge.operations import ROW_BITS, ExchangeSpec
from corpusforge.sources.base import Damaged, GroupingSource, Record, Skipped, Source
from corpusforge.tasks.body import Body, TaskResult
from corpusforge.tasks.context import TaskContext
from corpusforge.tasks.facts import file_facts
from corpusforge.tasks.records import RecordReader

PARTS = ExchangeSpec(
    "group.parts",
    pa.schema(
        [
            ("key", pa.int64()),
            ("high", pa.uint64()),
            ("low", pa.uint64()),
            ("place", pa.int64()),
            ("sequence", pa.int64()),
            ("container", pa.string()),
            ("payload", pa.large_binary()),
            ("record", pa.string()),
        ]
    ),
    ("key", "high", "low", "place", "sequence"),
    "shard",
    bytes_per_row=1 << 20,
)
"""Parts on their way to the document shard of their container."""

BATCH_PARTS = 1024
BATCH_BYTES = 16 << 20

_FIELDS = ("origin_key", "locator", "size", "content_type", "charset", "url", "date", "license")


class CollectBody(Body):
    """Reads the files of one shard of a grouping source and sends its parts on their way."""

    operation: ClassVar[str] = "collect"

    def __init__(self, sources: Mapping[str, Source]) -> None:
        self.sources = dict(sources)

    def run(self, task: TaskContext) -> TaskResult:
        """Emit all parts; the account holds them as records that are still to be merged."""
        shard = task.plan.collected[task.number]
        source = self.sources[shard.source]
        assert isinstance(source, GroupingSource)
        targets = [target.index for target in task.plan.shards if target.source == shard.source]
        reader = RecordReader(shard, source)
        builder = task.run_builder(PARTS)
        batch: list[dict[str, Any]] = []
        size = 0
        for number, record in enumerate(reader.records()):
            reader.account["merged"] += 1
            batch.append(_part(source, record, targets, (task.number << ROW_BITS) | number))
            size += len(record.payload)
            if len(batch) >= BATCH_PARTS or size >= BATCH_BYTES:
                builder.add(pa.RecordBatch.from_pylist(batch, schema=PARTS.schema))
                batch, size = [], 0
        builder.add(pa.RecordBatch.from_pylist(batch, schema=PARTS.schema))
        result = TaskResult()
        result.files[f"{PARTS.name}.runs"] = task.commit_runs(builder)
        if reader.errors:
            data = "".join(canonical_json(error) + "\n" for error in reader.errors).encode("utf-8", "replace")
            digest = storage.commit_bytes(task.own_file("errors.jsonl"), data)
            result.files["errors.jsonl"] = {"bytes": len(data), "sha256": digest, "rows": len(reader.errors)}
        result.ledger["records"] = {shard.source: reader.account}
        result.value = {"inputs": [file_facts(file) for file in shard.files]}
        return result


def _part(source: GroupingSource, record: Record, targets: Sequence[int], sequence: int) -> dict[str, Any]:
    """One row: the target is the prefix of the container's hash, as in every exchange."""
    container, place = source.container(record)
    digest = hashlib.blake2b(
        container.encode("utf-8", "surrogatepass"), digest_size=16, person=b"corpusforge-grp"
    ).digest()
    high, low = int.from_bytes(digest[:8], "big"), int.from_bytes(digest[8:], "big")
    target = targets[high * len(targets) >> 64]
    facts = {name: getattr(record, name) for name in _FIELDS}
    return {
        "key": target << ROW_BITS,
        "high": high,
        "low": low,
        "place": place,
        "sequence": sequence,
        "container": container,
        "payload": record.payload,
        "record": canonical_json({**facts, "meta": dict(record.meta)}),
    }


def assembled(task: TaskContext, source: GroupingSource) -> Iterator[Record | Skipped | Damaged]:
    """The documents of a group shard: the source's assembly of each container, parts streaming in order."""
    parts = (row for batch in task.read_exchange(PARTS.name, task.number) for row in batch.to_pylist())
    for _, rows in groupby(parts, key=lambda row: (row["high"], row["low"])):
        yield from _assemble(source, rows)


def _assemble(source: GroupingSource, rows: Iterator[dict[str, Any]]) -> Iterator[Record | Skipped | Damaged]:
    first = next(rows)
    yield from source.assemble(first["container"], map(_record, chain([first], rows)))


def _record(row: dict[str, Any]) -> Record:
    return Record(payload=row["payload"], **json.loads(row["record"]))
