"""The exchange: rows sorted on the map side into one run per partition, merged on the reduce side.

An engine moves (partition, run bytes) and knows no more. A run is an Arrow IPC stream of batches, sorted by
the columns that the exchange declares; memory is bounded by a parameter, not by the number of rows: what does
not fit is spilled as sorted runs and merged (Knuth, The Art of Computer Programming, vol. 3, 5.4).
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from corpusforge import storage
from corpusforge.operations import ExchangeSpec, shard_of
from corpusforge.writer import one_batch

RUN_BATCH_ROWS = 4096
"""Rows per batch inside a run: what a merge holds in memory for each of its inputs."""

RUN_BATCH_BYTES = 1 << 20
"""Upper bound, in bytes, for a batch inside a run (rows may carry lists)."""

FAN_IN = 128
"""Runs merged at once; more are merged in rounds through temporary files."""


Run = io.RawIOBase | Iterator[pa.RecordBatch]
"""A sorted run: the bytes of one, or its batches."""


def partition_numbers(spec: ExchangeSpec, batch: pa.RecordBatch, partitions: int) -> npt.NDArray[np.int64]:
    """Partition int64[n] of each row: the prefix of the key's hash, or the shard of the key's address."""
    key: npt.NDArray[Any] = batch.column(spec.order[0]).to_numpy(zero_copy_only=False)
    if spec.partition_by == "shard":
        return shard_of(key.astype(np.int64))
    if partitions == 1:
        return np.zeros(len(key), np.int64)
    shift = np.uint64(64 - (partitions.bit_length() - 1))
    return (key.astype(np.uint64) >> shift).astype(np.int64)


def sorted_batch(spec: ExchangeSpec, batch: pa.RecordBatch) -> pa.RecordBatch:
    """Sort a batch by the declared columns."""
    if batch.num_rows < 2:
        return batch
    keys = [batch.column(name).to_numpy(zero_copy_only=False) for name in reversed(spec.order)]
    return taken(batch, np.lexsort(keys))


def taken(batch: pa.RecordBatch, rows: npt.NDArray[np.int64]) -> pa.RecordBatch:
    """The given rows of a batch; lists of hashes are copied as wholes, which Arrow does value by value."""
    lists = [index for index, field in enumerate(batch.schema) if field.type == pa.list_(pa.uint64())]
    if not lists:
        return batch.take(pa.array(rows))
    from corpusforge.kernels.lists import gather_lists

    order = pa.array(rows)
    columns = []
    for index, column in enumerate(batch.columns):
        if index not in lists or column.null_count:
            columns.append(column.take(order))
            continue
        ends = column.offsets.to_numpy().astype(np.int64)
        offsets, values = gather_lists(column.values.to_numpy(), ends[rows], np.diff(ends)[rows])
        columns.append(list_array(offsets, values))
    return pa.RecordBatch.from_arrays(columns, schema=batch.schema)


def list_array(offsets: npt.NDArray[np.int64], values: npt.NDArray[np.uint64]) -> pa.Array:
    """Lists of hashes from offsets int64[n + 1] and values uint64. Raises `OverflowError` for 2^31 values."""
    if offsets[-1] >= 2**31:
        raise OverflowError(f"lists of {offsets[-1]} hashes do not fit one batch")
    return pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), pa.array(values, pa.uint64()))


def _slices(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """Cut a batch to the size of run batches."""
    per_row = max(1, batch.nbytes // max(1, batch.num_rows))
    rows = max(1, min(RUN_BATCH_ROWS, RUN_BATCH_BYTES // per_row))
    for start in range(0, batch.num_rows, rows):
        yield batch.slice(start, rows)


def write_run(sink: BinaryIO | io.RawIOBase, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> int:
    """Write sorted batches as one run; gives its rows. Nothing is written for no rows."""
    rows = 0
    writer = None
    for batch in batches:
        for piece in _slices(batch):
            if writer is None:
                writer = pa.ipc.new_stream(pa.PythonFile(sink, mode="w"), schema)
            writer.write_batch(piece)
            rows += piece.num_rows
    if writer is not None:
        writer.close()
    return rows


class RunBuilder:
    """The map side: takes batches in any order, gives one sorted run per partition.

    `memory_bytes` bounds what is held before a spill; spills go to a temporary folder and are merged.
    """

    def __init__(self, spec: ExchangeSpec, partitions: int, memory_bytes: int) -> None:
        self.spec = spec
        self.partitions = partitions
        self.rows = 0
        self._memory_bytes = memory_bytes
        self._held: list[pa.RecordBatch] = []
        self._held_bytes = 0
        self._spills: list[dict[int, tuple[int, int]]] = []
        self._spill_files: list[BinaryIO] = []

    def add(self, batch: pa.RecordBatch) -> None:
        """Take rows; those addressed to documents of earlier runs, whose fates stand, are left out."""
        if self.spec.partition_by == "shard" and batch.num_rows:
            decided = pc.less(batch.column(self.spec.order[0]), 0)
            batch = batch.filter(pc.invert(decided)) if pc.any(decided).as_py() else batch
        if batch.num_rows == 0:
            return
        batch = batch.select(self.spec.schema.names).cast(self.spec.schema)
        self.rows += batch.num_rows
        self._held.append(batch)
        self._held_bytes += batch.nbytes
        if self._held_bytes > self._memory_bytes:
            self._spill()

    def _partitioned(self) -> Iterator[tuple[int, pa.RecordBatch]]:
        """Empty the memory: (partition, its sorted rows) in partition order."""
        if not self._held:
            return
        batch = one_batch(pa.Table.from_batches(self._held))
        self._held, self._held_bytes = [], 0
        numbers = partition_numbers(self.spec, batch, self.partitions)
        keys = [batch.column(name).to_numpy(zero_copy_only=False) for name in reversed(self.spec.order)]
        order = np.lexsort([*keys, numbers])
        batch = taken(batch, order)
        numbers = numbers[order]
        present, starts = np.unique(numbers, return_index=True)
        ends = np.append(starts[1:], len(numbers))
        for number, start, end in zip(present, starts, ends):
            yield int(number), batch.slice(int(start), int(end - start))

    def _spill(self) -> None:
        file = tempfile.TemporaryFile()  # noqa: SIM115
        index: dict[int, tuple[int, int]] = {}
        for number, batch in self._partitioned():
            start = file.tell()
            write_run(file, self.spec.schema, iter([batch]))
            index[number] = (start, file.tell() - start)
        self._spills.append(index)
        self._spill_files.append(file)

    def runs(self) -> Iterator[tuple[int, Iterator[pa.RecordBatch]]]:
        """Give (partition, sorted batches) in partition order; each must be consumed before the next."""
        if not self._spills:
            for number, batch in self._partitioned():
                yield number, iter([batch])
            return
        self._spill()
        for number in sorted(set().union(*self._spills)):
            sources = [
                FileSlice(file, *index[number])
                for file, index in zip(self._spill_files, self._spills)
                if number in index
            ]
            yield number, merge_runs(self.spec, sources)

    def close(self) -> None:
        """Remove the spills."""
        for file in self._spill_files:
            file.close()


class FileSlice(io.RawIOBase):
    """A readable part of a file that others read too: seeks before each read."""

    def __init__(self, file: BinaryIO, start: int, length: int) -> None:
        self._file = file
        self._position = start
        self._end = start + length

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Read up to the end of the slice."""
        wanted = min(len(buffer), self._end - self._position)
        if wanted <= 0:
            return 0
        self._file.seek(self._position)
        data = self._file.read(wanted)
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)


class StoredSlice(io.RawIOBase):
    """A part of a stored file, opened at the first read and closed at the last: runs may be very many."""

    def __init__(self, location: str, start: int, length: int) -> None:
        self._location = location
        self._start = start
        self._left = length
        self._file: BinaryIO | None = None

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Read up to the end of the slice."""
        wanted = min(len(buffer), self._left)
        if wanted <= 0:
            return 0
        if self._file is None:
            self._file = storage.open_read(self._location, self._start + self._left)
            self._file.seek(self._start)
        data = self._file.read(wanted)
        buffer[: len(data)] = data
        self._left -= len(data)
        if self._left == 0:
            self._file.close()
        return len(data)

    def close(self) -> None:
        """Close the file under it."""
        if self._file is not None:
            self._file.close()
        super().close()


class _Cursor:
    """One run being merged: its current batch and how far it is consumed."""

    def __init__(self, spec: ExchangeSpec, source: Run) -> None:
        self._spec = spec
        self._reader: Iterator[pa.RecordBatch]
        if isinstance(source, io.IOBase):
            self._reader = pa.ipc.open_stream(
                pa.PythonFile(io.BufferedReader(cast(io.RawIOBase, source), 1 << 18), mode="r")
            )
        else:
            self._reader = source
        self.batch: pa.RecordBatch | None = None
        self.last_key: tuple[int, ...] = ()
        self.advance()

    def advance(self) -> None:
        """Load the next batch that has rows, or None at the end."""
        self.batch = None
        for batch in self._reader:
            if batch.num_rows:
                self.batch = batch
                self.last_key = tuple(batch.column(name)[-1].as_py() for name in self._spec.order)
                return

    def take_through(self, bound: tuple[int, ...]) -> pa.RecordBatch:
        """Remove and give the rows whose key is not above `bound`."""
        assert self.batch is not None
        count = self._rows_through(bound)
        taken = self.batch.slice(0, count)
        if count == self.batch.num_rows:
            self.advance()
        else:
            self.batch = self.batch.slice(count)
        return taken

    def _rows_through(self, bound: tuple[int, ...]) -> int:
        """Binary search, column by column: the rows are sorted by the order columns."""
        assert self.batch is not None
        low, high = 0, int(self.batch.num_rows)
        for name, value in zip(self._spec.order, bound):
            column = self.batch.column(name).to_numpy(zero_copy_only=False)[low:high]
            left = low + int(np.searchsorted(column, column.dtype.type(value), "left"))
            right = low + int(np.searchsorted(column, column.dtype.type(value), "right"))
            if left == right:
                return left
            low, high = left, right
        return high


def merge_runs(spec: ExchangeSpec, sources: Sequence[Run]) -> Iterator[pa.RecordBatch]:
    """Merge sorted runs to one sorted stream, holding one batch per run.

    Each turn takes from all runs the rows up to the smallest last key in memory, so no row that could come
    later is passed over. More than `FAN_IN` runs are merged in rounds through temporary files.
    """
    if len(sources) > FAN_IN:
        yield from _merge_in_rounds(spec, sources)
        return
    cursors = [cursor for cursor in (_Cursor(spec, source) for source in sources) if cursor.batch is not None]
    while cursors:
        bound = min(cursor.last_key for cursor in cursors)
        taken = [rows for rows in (cursor.take_through(bound) for cursor in cursors) if rows.num_rows]
        cursors = [cursor for cursor in cursors if cursor.batch is not None]
        if len(taken) == 1:
            yield taken[0]
        else:
            yield sorted_batch(spec, one_batch(pa.Table.from_batches(taken)))


def _merge_in_rounds(spec: ExchangeSpec, sources: Sequence[Run]) -> Iterator[pa.RecordBatch]:
    with tempfile.TemporaryDirectory(prefix="corpusforge-merge-") as folder:
        merged: list[BinaryIO] = []
        try:
            for start in range(0, len(sources), FAN_IN):
                file: BinaryIO = (Path(folder) / f"{start}.run").open("w+b")
                merged.append(file)
                write_run(file, spec.schema, merge_runs(spec, sources[start : start + FAN_IN]))
            yield from merge_runs(spec, [FileSlice(file, 0, file.seek(0, io.SEEK_END)) for file in merged])
        finally:
            for file in merged:
                file.close()
