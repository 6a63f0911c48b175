"""How a document learns its fate as a duplicate: decision rows by shard, and the step that reads them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corpusforge.dedup.groups import Columns, GroupHeads, batch_of, columns_of, joined_columns
from corpusforge.dedup.priority import PRIORITY, binary_of_halves
from corpusforge.operations import ExchangeSpec, Reducer
from corpusforge.step import LiveRows, Measured

Int64 = npt.NDArray[np.int64]

DECISION_SCHEMA = pa.schema(
    [
        pa.field("address", pa.int64()),
        pa.field("duplicate", pa.int64()),
        pa.field("similarity", pa.int64()),
        pa.field("sampled", pa.int64()),
        pa.field("twin_high", pa.uint64()),
        pa.field("twin_low", pa.uint64()),
        pa.field("copies", pa.int64()),
    ]
)
"""A row with `duplicate` 1 drops the document at `address` for the twin; one with 0 tells a survivor of
`copies` documents that were dropped for it, and several of these add up."""


TABLE_SCHEMA = pa.schema(
    [
        pa.field("survivor", pa.int64()),
        pa.field("survivor_high", pa.uint64()),
        pa.field("survivor_low", pa.uint64()),
        pa.field("address", pa.int64()),
        pa.field("id_high", pa.uint64()),
        pa.field("id_low", pa.uint64()),
    ]
)
"""Dropped documents and what they lost to; the rows of one survivor stand together, in the order of priority."""


def decision_spec(name: str) -> ExchangeSpec:
    """Declare an exchange of decisions, addressed to the documents' shards."""
    order = ("address", "duplicate", "copies", "twin_high", "twin_low")
    return ExchangeSpec(name, DECISION_SCHEMA, order, partition_by="shard", bytes_per_row=56)


class Survivors:
    """Counts the dropped documents per survivor in a stream that names survivors in groups."""

    def __init__(self) -> None:
        self._address: int | None = None
        self._copies = 0

    def add(self, addresses: Int64) -> pa.RecordBatch | None:
        """Take the survivors of the next dropped documents, in groups; give rows of the groups that ended."""
        if len(addresses) == 0:
            return None
        starts = np.flatnonzero(np.concatenate([[True], addresses[1:] != addresses[:-1]]))
        names = addresses[starts].tolist()
        counts = np.diff(np.append(starts, len(addresses))).tolist()
        if self._address is not None:
            if names[0] == self._address:
                counts[0] += self._copies
            else:
                names.insert(0, self._address)
                counts.insert(0, self._copies)
        self._address, self._copies = names.pop(), counts.pop()
        return survivor_rows(names, counts) if names else None

    def finish(self) -> pa.RecordBatch | None:
        """Give the row of the last group, if there was any."""
        if self._address is None:
            return None
        return survivor_rows([self._address], [self._copies])


def survivor_rows(addresses: list[int], copies: list[int]) -> pa.RecordBatch:
    """Make the rows that tell survivors of their copies."""
    count = len(addresses)
    columns: Columns = {name: np.zeros(count, np.int64) for name in DECISION_SCHEMA.names}
    columns["address"] = np.array(addresses, np.int64)
    columns["copies"] = np.array(copies, np.int64)
    columns["twin_high"] = columns["twin_low"] = np.zeros(count, np.uint64)
    return batch_of(DECISION_SCHEMA, columns)


class FirstSurvives(Reducer):
    """Of each group of equal keys the first row survives, and all others are dropped for it.

    Input is sorted by (key, priority, address). Memory per group: its first row.
    """

    def __init__(self, key: tuple[str, ...], output: ExchangeSpec) -> None:
        self.key = key
        self.outputs = (output,)
        self._groups = 0
        self._dropped = 0

    def reduce(self, batches: Iterator[pa.RecordBatch]) -> Iterator[tuple[str, pa.RecordBatch]]:
        """Yield decision rows, and under "table" who lost to whom."""
        name = self.outputs[0].name
        self._groups = self._dropped = 0
        groups = GroupHeads(self.key, ("address", PRIORITY[3], PRIORITY[4]))
        survivors = Survivors()
        for batch in batches:
            columns = columns_of(batch)
            opens, heads = groups.heads(columns)
            own = columns["address"] >= 0
            dropped = ~opens & own
            self._groups += int((opens & own).sum())
            self._dropped += int(dropped.sum())
            yield name, batch_of(DECISION_SCHEMA, _dropped_rows(columns, heads), dropped)
            if dropped.any():
                table: Columns = {
                    "survivor": heads["address"],
                    "survivor_high": heads[PRIORITY[3]],
                    "survivor_low": heads[PRIORITY[4]],
                    "address": columns["address"],
                    "id_high": columns[PRIORITY[3]],
                    "id_low": columns[PRIORITY[4]],
                }
                yield "table", batch_of(TABLE_SCHEMA, table, dropped)
            ended = survivors.add(heads["address"][dropped])
            if ended is not None:
                yield name, ended
        ended = survivors.finish()
        if ended is not None:
            yield name, ended

    def statistics(self) -> dict[str, int]:
        """Count keys that no earlier run has, and dropped documents."""
        return {"distinct": self._groups, "duplicates": self._dropped}


def _dropped_rows(columns: Columns, heads: Columns) -> Columns:
    count = len(columns["address"])
    return {
        "address": columns["address"],
        "duplicate": np.ones(count, np.int64),
        "similarity": np.zeros(count, np.int64),
        "sampled": np.zeros(count, np.int64),
        "twin_high": heads[PRIORITY[3]],
        "twin_low": heads[PRIORITY[4]],
        "copies": np.zeros(count, np.int64),
    }


def apply_decisions(rows: LiveRows, exchange: str) -> tuple[Measured, Columns]:
    """Turn joined decision rows into signals `duplicate` and `copies` and into twins.

    Also returns what belongs to single steps, for the rows with a decision to drop: `row`, `similarity` and
    `sampled`, int64[k] each.
    """
    count = len(rows)
    joined = joined_columns(rows, exchange, DECISION_SCHEMA)
    place = joined["row"].astype(np.int64)
    drops = joined["duplicate"] == 1
    dropped = place[drops]
    duplicate = np.zeros(count, np.int64)
    duplicate[dropped] = 1
    copies = np.zeros(count, np.int64)
    np.add.at(copies, place[~drops], joined["copies"][~drops])
    twin: dict[str, npt.NDArray[Any]] = {}
    for half in ("twin_high", "twin_low"):
        twin[half] = np.zeros(count, np.uint64)
        twin[half][dropped] = joined[half][drops]
    named = binary_of_halves(twin["twin_high"], twin["twin_low"])
    twins = pa.array(
        [value if drop else None for value, drop in zip(named.to_pylist(), duplicate.tolist())], pa.binary(16)
    )
    details: Columns = {"row": dropped} | {name: joined[name][drops] for name in ("similarity", "sampled")}
    return Measured(signals={"duplicate": duplicate, "copies": copies}, twins=twins), details
