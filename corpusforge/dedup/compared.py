"""What deduplicating steps compared, as tables that other thresholds are replayed on: see `corpusforge.dedup.what_if`.

`minhash_dedup` keeps every pair that it compared with the exact ratio, below its threshold too, and those that it left
out for want of budget; `exact_dedup` keeps the members of each group in the order of priority. The rows of all
partitions one behind the other are the same for any number of partitions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from corpusforge.claim import current_stages
from corpusforge.dedup.groups import Columns, columns_of
from corpusforge.dedup.stars import EDGE_SCHEMA, IDENTICAL, LEADER, MEMBER, SAMPLED
from corpusforge.errors import UsageError
from corpusforge.layout import RunLayout
from corpusforge.places import readable
from corpusforge.step import fixed_ratio

Int64 = npt.NDArray[np.int64]
UInt64 = npt.NDArray[np.uint64]
Bool = npt.NDArray[np.bool_]

UNCOMPARED = 4
"""Flag of a pair that was beyond its member's budget, beside `SAMPLED` and `IDENTICAL`."""

COMPARED_SCHEMA = pa.schema(
    [
        *(EDGE_SCHEMA.field(name) for name in (*LEADER, *MEMBER)),
        pa.field("shared", pa.int64()),
        pa.field("union", pa.int64()),
        pa.field("flags", pa.int64()),
    ]
)
"""A pair of documents, the preferred one first, with the sizes of what their (sampled) shingle sets share and hold."""

GROUP_COLUMNS = ("survivor_high", "survivor_low", "id_high", "id_low")
"""Columns of `exact_dedup`'s table (`corpusforge.dedup.decisions`) that are read here."""


@dataclass(frozen=True)
class Compared:
    """Documents 0 to n-1 that a step compared, those preferred before the others, and what it found.

    `high`, `low` uint64[n]: their ids. `groups` int64[n]: documents with equal shingles (or keys) have one number.
    `leaders`, `members` int64[m], `similarity` int64[m] in units of 1 / RATIO and `flags` int64[m]: pairs.
    `sizes` int64[n]: distinct shingles, where a document equals another one, else 0.
    """

    high: UInt64
    low: UInt64
    groups: Int64
    leaders: Int64
    members: Int64
    similarity: Int64
    flags: Int64
    sizes: Int64

    def __len__(self) -> int:
        return len(self.groups)


def compared_by(run: Path, instance: str, exchange: str, most: int | None = None) -> Compared | None:
    """What a step compared in a finished run; `exchange`: ``keys`` of `exact_dedup`, ``sets`` of `minhash_dedup`.

    None where the run keeps no such table: its stages were cleaned away, or an older version made it; and where it has
    more than `most` rows. Raises `UsageError` for a damaged one.
    """
    schema = COMPARED_SCHEMA.names if exchange == "sets" else GROUP_COLUMNS
    ending = f"-{instance}.{exchange}-reduce@"
    stages = [stage for stage in current_stages(RunLayout(str(run))) if ending in stage]
    if len(stages) != 1:
        return None
    folder = run / "stages" / stages[0]
    # A partition without rows has a manifest and no table.
    if not any(folder.glob("*.json")):
        return None
    parts = []
    left = most
    for path in sorted(folder.glob("*.table.parquet")):
        part = _read(path, schema, left)
        if part is None:
            return None
        left = None if left is None else left - len(part[schema[0]])
        parts.append(part)
    rows = {name: np.concatenate([part[name] for part in parts]) for name in schema} if parts else None
    if rows is None:
        return _nothing()
    return pairs_compared(rows) if exchange == "sets" else groups_compared(rows)


def _read(path: Path, names: Sequence[str], most: int | None) -> Columns | None:
    try:
        with pq.ParquetFile(readable(path)) as file:
            if not set(names) <= set(file.schema_arrow.names):
                return None
            if most is not None and file.metadata.num_rows > most:
                return None
            table = file.read(columns=list(names))
    except (OSError, pa.ArrowInvalid) as error:
        raise UsageError(f"{path} cannot be read: {error}") from error
    return columns_of(table.combine_chunks(), names)


def _nothing() -> Compared:
    number, identity = np.zeros(0, np.int64), np.zeros(0, np.uint64)
    return Compared(identity, identity, number, number, number, number, number, number)


def groups_compared(rows: Columns) -> Compared:
    """Read the rows of `exact_dedup`'s table (`GROUP_COLUMNS`), one or more, of all partitions in order."""
    opens = np.ones(len(rows["id_high"]), np.bool_)
    for name in GROUP_COLUMNS[:2]:
        opens[1:] &= rows[name][1:] == rows[name][:-1]
    opens[1:] = ~opens[1:]
    group = np.cumsum(opens) - 1
    # A survivor has no row of its own: it goes before the first of its group.
    firsts = np.flatnonzero(opens)
    high = np.insert(rows["id_high"], firsts, rows["survivor_high"][firsts])
    low = np.insert(rows["id_low"], firsts, rows["survivor_low"][firsts])
    groups = np.insert(group, firsts, group[firsts]).astype(np.int64)
    nothing, none = np.zeros(0, np.int64), np.zeros(len(groups), np.int64)
    return Compared(high, low, groups, nothing, nothing, nothing, nothing, none)


def pairs_compared(rows: Columns) -> Compared:
    """Read the rows of `minhash_dedup`'s table (`COMPARED_SCHEMA`), one or more, of all partitions in order."""
    count = len(rows["leader"])
    sides = {
        name: np.concatenate([rows[one], rows[other]]) for name, one, other in zip(LEADER, LEADER, MEMBER)
    }
    order = np.lexsort([sides[name] for name in reversed(LEADER)])
    new = np.ones(2 * count, np.bool_)
    same = np.ones(2 * count - 1, np.bool_)
    for name in LEADER:
        same &= sides[name][order][1:] == sides[name][order][:-1]
    new[1:] = ~same
    number = np.empty(2 * count, np.int64)
    number[order] = np.cumsum(new) - 1
    first = order[new]
    leaders, members, flags = number[:count], number[count:], rows["flags"]
    equal = (flags & (IDENTICAL | SAMPLED)) == IDENTICAL
    sizes = np.zeros(len(first), np.int64)
    for side in (leaders, members):
        sizes[side[equal]] = rows["union"][equal]
    return Compared(
        sides["l3"][first],
        sides["l4"][first],
        _joined(len(first), leaders[equal], members[equal]),
        leaders,
        members,
        fixed_ratio(rows["shared"], rows["union"]),
        flags,
        sizes,
    )


def _joined(count: int, one: Int64, other: Int64) -> Int64:
    """Number of the first document that each is linked to, itself counted, int64[count]."""
    labels = np.arange(count, dtype=np.int64)
    while True:
        before = labels.copy()
        np.minimum.at(labels, other, labels[one])
        np.minimum.at(labels, one, labels[other])
        if (labels == before).all():
            return labels


def places_of(compared: Compared, high: UInt64, low: UInt64, first: Bool) -> Int64:
    """Row of each compared document among documents with the given ids, int64[n]; -1 where there is none.

    `first` bool[k] says which rows come first where several have one id, as copies of one record do.
    """
    rows = _by_id(high, low, ~first)
    nodes = _by_id(compared.high, compared.low, np.zeros(len(compared), np.bool_))
    known = dict(rows)
    found = np.full(len(compared), -1, np.int64)
    for key, node in nodes:
        found[node] = known.get(key, -1)
    return found


def _by_id(high: UInt64, low: UInt64, last: Bool) -> Iterator[tuple[Any, int]]:
    """(id and how many rows had it before, row) of each row."""
    order = np.lexsort((np.arange(len(high)), last, low, high))
    keys = zip(high[order].tolist(), low[order].tolist())
    before: Any = None
    serial = 0
    for key, row in zip(keys, order.tolist()):
        serial = serial + 1 if key == before else 0
        before = key
        yield (*key, serial), row
