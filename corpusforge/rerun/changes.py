"""What became of documents in a second run over the same input, or more: every fate that is another now.

Shards are compared one by one, and of a shard no texts are held but their hashes.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from corpusforge.filters.takedown import NAME
from corpusforge.places import readable
from corpusforge.writer import commit_parquet

FOLDER = "changes"
"""Folder of the new run that holds a table of changes per shard."""

SCHEMA = pa.schema(
    [
        pa.field("id", pa.binary(16)),
        pa.field("source", pa.string()),
        pa.field("locator", pa.string()),
        pa.field("change", pa.string()),
        pa.field("before", pa.string()),
        pa.field("after", pa.string()),
        pa.field("survivor_before", pa.binary(16)),
        pa.field("survivor_after", pa.binary(16)),
    ]
)
"""`before` and `after`: "kept", the verdict, or null where the run holds no row of the document."""

KINDS = {
    "taken_down": "taken down: without text in dropped/",
    "returned": "kept now: what they were dropped for is gone",
    "dropped": "dropped now, kept before",
    "text": "kept with another text",
    "survivor": "dropped for another document now",
    "verdict": "dropped by another rule now",
    "no_row": "without a row in one of the runs",
}
"""Kinds of changes, and what they mean."""


@dataclass(frozen=True)
class _Fate:
    source: str
    verdict: str | None
    survivor: bytes | None
    text: bytes


def compare(before: Path, after: Path) -> dict[str, int]:
    """Write ``changes/`` of the run `after`; gives the number of documents by kind of change.

    Of runs that keep no dropped documents, or a sample, many changes are of kind "no_row".
    """
    counts: Counter[str] = Counter()
    for path in sorted((after / "documents").glob("*.parquet")):
        rows = shard_changes(before, path.name, after, path.name)
        counts.update(row["change"] for row in rows)
    return in_order(counts)


def in_order(counts: Mapping[str, int]) -> dict[str, int]:
    """Numbers of documents by kind of change, in the order of `KINDS` and without zeros."""
    return {kind: counts[kind] for kind in KINDS if counts.get(kind)}


def shard_changes(before: Path, name_before: str, after: Path, name: str) -> list[dict[str, Any]]:
    """Write what changed for the documents of one shard into ``changes/`` of the run `after`, and give these rows.

    `name_before` and `name` are those of the shard's files in the two runs. Memory: the shard's documents without
    their texts.
    """
    old, new = _shard(before, name_before), _shard(after, name)
    rows = [
        row
        for key in dict.fromkeys([*new, *old])
        if (row := _row(key, old.get(key), new.get(key))) is not None
    ]
    with commit_parquet(str(after / FOLDER / name), SCHEMA) as writer:
        writer.write(pa.RecordBatch.from_pylist(rows, schema=SCHEMA))
    return rows


def _shard(run: Path, name: str) -> dict[tuple[bytes, str], _Fate]:
    found = {}
    for folder in ("documents", "dropped"):
        path = run / folder / name
        if path.exists():
            for row in _rows(path, folder == "documents"):
                fate = _Fate(row["source"], row.get("verdict"), row.get("duplicate_of"), row["text"])
                found[(row["id"], row["locator"])] = fate
    return found


def _rows(path: Path, kept: bool) -> Iterator[dict[str, Any]]:
    """Rows with the hash of a kept text in place of the text."""
    columns = ["id", "source", "locator"] + (["text"] if kept else ["verdict", "duplicate_of"])
    with pq.ParquetFile(readable(path)) as file:
        for group in range(file.num_row_groups):
            for row in file.read_row_group(group, columns=columns, use_threads=False).to_pylist():
                text = (row.get("text") or "").encode("utf-8")
                yield {**row, "text": hashlib.blake2b(text, digest_size=16).digest() if kept else b""}


def _row(key: tuple[bytes, str], old: _Fate | None, new: _Fate | None) -> dict[str, Any] | None:
    kind = _kind(old, new)
    if kind is None:
        return None
    known = new or old
    return {
        "id": key[0],
        "source": known.source if known is not None else None,
        "locator": key[1],
        "change": kind,
        "before": None if old is None else old.verdict or "kept",
        "after": None if new is None else new.verdict or "kept",
        "survivor_before": old.survivor if old is not None else None,
        "survivor_after": new.survivor if new is not None else None,
    }


def _kind(old: _Fate | None, new: _Fate | None) -> str | None:
    if new is not None and new.verdict is not None and new.verdict.startswith(NAME):
        return None if old is not None and old.verdict == new.verdict else "taken_down"
    if old is None or new is None:
        return "no_row"
    if old.verdict != new.verdict:
        if new.verdict is None:
            return "returned"
        return "dropped" if old.verdict is None else "verdict"
    if old.survivor != new.survivor:
        return "survivor"
    return "text" if old.text != new.text else None
