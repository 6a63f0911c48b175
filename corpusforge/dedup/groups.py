"""Groups of equal keys in a sorted stream of batches, whatever the batches' boundaries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corpusforge.operations import COMPARED, LOST
from corpusforge.step import LiveRows

Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]
Columns = dict[str, npt.NDArray[Any]]

_LOST_SCHEMA = pa.schema([pa.field("address", pa.int64()), pa.field("survivor", pa.int64())])
_COMPARED_SCHEMA = pa.schema([pa.field("address", pa.int64())])


def columns_of(batch: pa.RecordBatch, names: Sequence[str] | None = None) -> Columns:
    """View a batch's numeric columns as numpy arrays."""
    return {
        name: batch.column(name).to_numpy(zero_copy_only=False)
        for name in (names if names is not None else batch.schema.names)
    }


def joined_columns(rows: LiveRows, exchange: str, schema: pa.Schema) -> Columns:
    """View the rows that `exchange` addressed to a batch, with `row` int64; empty columns when there are none."""
    joined = rows.joined(exchange)
    names = [*schema.names, "row"]
    if joined.num_rows:
        return columns_of(joined, names)
    unsigned = {field.name for field in schema if pa.types.is_unsigned_integer(field.type)}
    return {name: np.zeros(0, np.uint64 if name in unsigned else np.int64) for name in names}


def batch_of(schema: pa.Schema, columns: Columns, keep: npt.NDArray[Any] | None = None) -> pa.RecordBatch:
    """Build a batch of numeric columns in the schema's order; `keep` (mask or index) chooses rows."""
    arrays = [columns[field.name] if keep is None else columns[field.name][keep] for field in schema]
    return pa.RecordBatch.from_arrays(
        [pa.array(np.ascontiguousarray(array), field.type) for array, field in zip(arrays, schema)],
        schema=schema,
    )


def lost_parts(columns: Columns, heads: Columns, lost: Bool) -> tuple[str, pa.RecordBatch]:
    """Tell the report who has what documents lose: `address` of both columns, and which rows are lost, [n] each."""
    values = {"address": columns["address"], "survivor": heads["address"]}
    return LOST, batch_of(_LOST_SCHEMA, values, lost)


def compared_parts(columns: Columns) -> tuple[str, pa.RecordBatch]:
    """Tell the report that these are parts of the documents at `address`, lost or not."""
    return COMPARED, batch_of(_COMPARED_SCHEMA, columns)


class GroupHeads:
    """Tells for each row of a sorted stream the first row of its group, which may lie batches back.

    The memory is one row: a group of any size needs no more.
    """

    def __init__(self, key: Sequence[str], carried: Sequence[str]) -> None:
        self.key = tuple(key)
        self.carried = tuple(carried)
        self._last: dict[str, Any] | None = None

    def heads(self, columns: Columns) -> tuple[Bool, Columns]:
        """Give a mask of the rows that open a group, and `carried` of every row's group head, [n] each."""
        count = len(columns[self.key[0]])
        opens = np.ones(count, bool)
        if count == 0:
            return opens, {name: columns[name] for name in self.carried}
        same = np.ones(count - 1, bool)
        for name in self.key:
            same &= columns[name][1:] == columns[name][:-1]
        opens[1:] = ~same
        last = self._last
        continues = last is not None and all(columns[name][0] == last[name] for name in self.key)
        opens[0] = not continues
        place = np.maximum.accumulate(np.where(opens, np.arange(count), -1))
        heads: Columns = {}
        for name in self.carried:
            values = columns[name][np.maximum(place, 0)]
            if continues and last is not None:
                values = np.where(place < 0, np.asarray(last[name], values.dtype), values)
            heads[name] = values
        self._last = {name: columns[name][-1] for name in self.key} | {
            name: heads[name][-1] for name in self.carried
        }
        return opens, heads
