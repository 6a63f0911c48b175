"""Verification of MinHash candidates: the shingles of both documents meet, and exact Jaccard decides."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corpusforge.dedup.buckets import REQUEST_SCHEMA, node_keys
from corpusforge.dedup.compared import COMPARED_SCHEMA, UNCOMPARED
from corpusforge.dedup.groups import Columns, batch_of, columns_of, joined_columns
from corpusforge.dedup.priority import PRIORITY, PRIORITY_FIELDS, priority_columns
from corpusforge.dedup.shingling import shingles_of
from corpusforge.dedup.stars import EDGE, IDENTICAL, LEADER, MEMBER, SAMPLED, edges_and_markers
from corpusforge.exchange import list_array
from corpusforge.kernels.jaccard import overlaps
from corpusforge.kernels.lists import gather_lists
from corpusforge.kernels.shingles import distinct_shingles
from corpusforge.operations import Emitter, ExchangeSpec, Reducer
from corpusforge.step import RATIO, LiveRows, fixed_ratio

if TYPE_CHECKING:
    from corpusforge.dedup.minhash import MinhashParameters

Int64 = npt.NDArray[np.int64]
UInt64 = npt.NDArray[np.uint64]

LEADS, COMPARED, NOT_COMPARED = 0, 1, 2
"""Roles of a set in its group: the leader's, one to compare with it, one beyond its document's budget."""

STATISTICS = ("compared", "similar", "sampled_pairs", "over_budget")

MINIMUM_COMPARISONS = 4
"""Comparisons that a document of any length is given."""

SET_SCHEMA = pa.schema(
    [
        pa.field("key", pa.uint64()),
        pa.field("role", pa.int64()),
        pa.field("address", pa.int64()),
        *PRIORITY_FIELDS,
        pa.field("cut", pa.int64()),
        pa.field("shingles", pa.list_(pa.uint64())),
    ]
)


def set_spec(name: str) -> ExchangeSpec:
    """Sets of shingles by leader, the leader's own first. The budget supposes sets of 500."""
    return ExchangeSpec(name, SET_SCHEMA, ("key", "role", "address"), bytes_per_row=1 << 17)


class SetEmitter(Emitter):
    """Sends the distinct shingles of the documents that were asked for them, once per request."""

    def __init__(self, parameters: MinhashParameters, requests: str, name: str) -> None:
        self.parameters = parameters
        self.requests = requests
        self.output = set_spec(name)

    def emit(self, rows: LiveRows) -> pa.RecordBatch:
        """One row per request; beyond the document's budget of hashes the row comes without them."""
        asked = joined_columns(rows, self.requests, REQUEST_SCHEMA)
        place = asked["row"].astype(np.int64)
        documents, owner = np.unique(place, return_inverse=True)
        offsets, hashes = shingles_of(rows.texts.take(documents), self.parameters)
        offsets, hashes, cut = distinct_shingles(offsets, hashes, self.parameters.max_shingles)
        sizes = np.diff(offsets)
        role = self._roles(asked, owner, sizes)
        columns: Columns = {"key": node_keys(asked["leader"]), "role": role, "address": asked["address"]}
        columns |= {name: values[place] for name, values in priority_columns(rows, self.parameters).items()}
        columns["cut"] = cut[owner]
        sent = np.where(role == NOT_COMPARED, 0, sizes[owner])
        shingles = _take_lists(offsets, hashes, owner, sent)
        arrays = [pa.array(columns[field.name], field.type) for field in SET_SCHEMA if field.name in columns]
        return pa.RecordBatch.from_arrays([*arrays, shingles], schema=SET_SCHEMA)

    def _roles(self, asked: Columns, owner: Int64, sizes: Int64) -> Int64:
        """Roles int64[n]; a document's best-ranked requests come first and are served first."""
        leads = asked["rank"] < 0
        order = np.lexsort((asked["leader"], asked["rank"], owner))
        serial = np.empty(len(owner), np.int64)
        starts = np.searchsorted(owner[order], owner[order])
        serial[order] = np.arange(len(owner)) - starts
        # A document that leads has one more row, which comes first; it is not counted.
        lead_count = np.zeros(len(sizes), np.int64)
        np.add.at(lead_count, owner[leads], 1)
        allowed = np.maximum(MINIMUM_COMPARISONS, self.parameters.comparison_budget // np.maximum(sizes, 1))
        beyond = serial - lead_count[owner] >= allowed[owner]
        return np.where(leads, LEADS, np.where(beyond, NOT_COMPARED, COMPARED)).astype(np.int64)


def _take_lists(offsets: Int64, values: UInt64, owner: Int64, sizes: Int64) -> pa.Array:
    """Repeat lists: row i is the first ``sizes[i]`` values of list ``owner[i]``."""
    total = int(sizes.sum())
    if total >= 2**31:
        raise OverflowError("shingle sets of one batch exceed 2^31 values: lower comparison_budget")
    return list_array(*gather_lists(values, offsets[owner], sizes))


class VerifyReducer(Reducer):
    """Compares each set of a group with the leader's; similar pairs become edges between documents.

    Memory: the leader's set (at most `max_shingles` hashes) and one batch.
    """

    def __init__(self, threshold: float, output: ExchangeSpec) -> None:
        self.threshold = int(Decimal(str(threshold)) * RATIO)
        self.outputs = (output,)
        self._counts = dict.fromkeys(STATISTICS, 0)
        self._key = -1
        self._leader: tuple[UInt64, int, dict[str, Any]] | None = None

    def reduce(self, batches: Iterator[pa.RecordBatch]) -> Iterator[tuple[str, pa.RecordBatch]]:
        """Yield edges and markers for the first round of stars, and under "table" all pairs that met."""
        self._counts = dict.fromkeys(STATISTICS, 0)
        self._key, self._leader = -1, None
        for batch in batches:
            pairs = self._pairs_of(batch)
            if pairs is None:
                continue
            similar = (pairs["similarity"] >= self.threshold) & ((pairs["flags"] & UNCOMPARED) == 0)
            self._counts["similar"] += int(similar.sum())
            edges = {name: values[similar] for name, values in pairs.items()}
            kind = np.full(int(similar.sum()), EDGE, np.int64)
            yield self.outputs[0].name, edges_and_markers(edges | {"kind": kind})
            yield "table", batch_of(COMPARED_SCHEMA, pairs)

    def _pairs_of(self, batch: pa.RecordBatch) -> Columns | None:
        columns = columns_of(batch, SET_SCHEMA.names[:-1])
        lists = batch.column("shingles")
        offsets = lists.offsets.to_numpy().astype(np.int64)
        values = lists.values.to_numpy()
        self._counts["over_budget"] += int((columns["role"] == NOT_COMPARED).sum())
        starts = np.flatnonzero(np.append(True, columns["key"][1:] != columns["key"][:-1]))
        parts = []
        for start, end in zip(starts.tolist(), [*starts[1:].tolist(), batch.num_rows]):
            part = self._group(columns, offsets, values, start, end)
            if part is not None:
                parts.append(part)
        if not parts:
            return None
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _group(
        self, columns: Columns, offsets: Int64, values: UInt64, start: int, end: int
    ) -> Columns | None:
        """Compare the rows `start` to `end`, all of one key, with the leader of that key."""
        key = int(columns["key"][start])
        if key != self._key:
            self._key, self._leader = key, None
        if columns["role"][start] == LEADS:
            own = values[offsets[start] : offsets[start + 1]].copy()
            priority = {name: columns[name][start] for name in (*PRIORITY, "address")}
            self._leader = (own, int(columns["cut"][start]), priority)
            start += 1
        if self._leader is None or start == end:
            return None
        own, own_cut, priority = self._leader
        count = int(np.searchsorted(columns["role"][start:end], NOT_COMPARED))
        cut = np.ascontiguousarray(columns["cut"][start:end])
        shared, union = np.zeros(end - start, np.int64), np.zeros(end - start, np.int64)
        shared[:count], union[:count] = overlaps(
            own, own_cut, offsets[start : start + count + 1], values, cut[:count]
        )
        similarity = fixed_ratio(shared, union)
        sampled = (cut != 0) | (own_cut != 0)
        self._counts["compared"] += count
        self._counts["sampled_pairs"] += int(sampled[:count].sum())
        flags = sampled * np.int64(SAMPLED)
        flags += ((similarity == RATIO) & (cut == own_cut)) * np.int64(IDENTICAL)
        flags[count:] |= UNCOMPARED
        pairs: Columns = {"shared": shared, "union": union, "similarity": similarity, "flags": flags}
        for column, leader, member in zip((*PRIORITY, "address"), LEADER, MEMBER):
            pairs[leader] = np.repeat(np.asarray(priority[column], columns[column].dtype), end - start)
            pairs[member] = columns[column][start:end]
        return pairs

    def statistics(self) -> dict[str, int]:
        """Count pairs compared, found similar, compared on a sample, and left out for want of budget."""
        return dict(self._counts)
