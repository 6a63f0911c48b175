"""Packed rows as Parquet: what `datasets` and other readers of tables load without a library for shards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corpusforge.writer import ParquetFileWriter, commit_parquet

ROW_GROUP = 256
"""Rows of a row group, whatever the batches in which they come."""

SCHEMA = pa.schema(
    [
        pa.field("input_ids", pa.list_(pa.int32()), nullable=False),
        pa.field("boundaries", pa.list_(pa.int32()), nullable=False),
        pa.field("source", pa.string(), nullable=False),
    ]
)
"""`input_ids`: the row's tokens, padding at the end, named as trainers name them. `boundaries`: where documents start,
and the end of the last."""


class PackedParquet:
    """Collects rows and writes them in row groups of `ROW_GROUP`."""

    def __init__(self, writer: ParquetFileWriter) -> None:
        self._writer = writer
        self._held: list[tuple[npt.NDArray[Any], npt.NDArray[Any], str]] = []

    def write(self, tokens: npt.NDArray[Any], boundaries: npt.NDArray[Any], source: str) -> None:
        """Append a row: ids [capacity], boundaries [k + 1]."""
        self._held.append((tokens, boundaries, source))
        if len(self._held) == ROW_GROUP:
            self.flush()

    def flush(self) -> None:
        """Write the rows that are held as one row group."""
        if not self._held:
            return
        tokens, boundaries, sources = zip(*self._held, strict=True)
        arrays = [_lists(tokens), _lists(boundaries), pa.array(sources, pa.string())]
        self._writer.write(pa.RecordBatch.from_arrays(arrays, schema=SCHEMA))
        self._held = []

    @property
    def facts(self) -> dict[str, Any]:
        """Bytes, hash, rows and digests, once the file is committed."""
        return self._writer.facts


def _lists(rows: tuple[npt.NDArray[Any], ...]) -> pa.Array:
    offsets = np.zeros(len(rows) + 1, np.int32)
    np.cumsum([len(row) for row in rows], out=offsets[1:])
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(np.concatenate(rows).astype(np.int32)))


@contextmanager
def commit_rows(location: str) -> Iterator[PackedParquet]:
    """Write one file of packed rows, complete or not at all; `facts` are there when the block has ended."""
    with commit_parquet(location, SCHEMA) as writer:
        rows = PackedParquet(writer)
        yield rows
        rows.flush()
