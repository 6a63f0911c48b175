"""The one Parquet writer: pinned options, a row group per batch, so equal rows give equal bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from corpusforge import storage


class ParquetFileWriter:
    """Writes record batches to an open file, one row group each, and keeps a logical digest of the values.

    The digest is per column, ordered, over values rather than file bytes: equal across versions of the
    Parquet library.
    """

    def __init__(self, file: Any, schema: pa.Schema) -> None:
        self._writer = pq.ParquetWriter(
            pa.PythonFile(file, mode="w"),
            schema,
            version="2.6",
            data_page_version="1.0",
            compression="zstd",
            compression_level=3,
            use_dictionary=False,
            write_statistics=False,
            store_schema=True,
        )
        self.schema = schema
        self.rows = 0
        self.facts: dict[str, Any] = {}
        """Bytes, hash, rows and digests, once the file is committed."""
        self._digests = {name: hashlib.sha256() for name in schema.names}

    def write(self, batch: pa.RecordBatch) -> None:
        """Append a batch as one row group; an empty batch is written too, so that row groups stay aligned."""
        batch = batch.select(self.schema.names).cast(self.schema)
        self._writer.write_table(pa.Table.from_batches([batch]), row_group_size=max(1, batch.num_rows))
        self.rows += batch.num_rows
        for name, column in zip(batch.schema.names, batch.columns):
            _digest_column(self._digests[name], column)

    def close(self) -> None:
        """Write the footer."""
        self._writer.close()

    def abandon(self) -> None:
        """Never write the footer: the file under it is gone."""
        self._writer.is_open = False

    @property
    def digests(self) -> dict[str, str]:
        """Logical digest per column, hexadecimal."""
        return {name: digest.hexdigest() for name, digest in self._digests.items()}


def _digest_column(digest: Any, column: pa.Array) -> None:
    """Feed validity, lengths and bytes of a column, in a form that no buffer layout changes."""
    valid = column.is_valid()
    digest.update(len(column).to_bytes(8, "little"))
    digest.update(bytes(valid.cast(pa.uint8()).to_numpy(zero_copy_only=False)))
    kind = column.type
    if pa.types.is_nested(kind):
        for value in column.to_pylist():
            digest.update(repr(value).encode("utf-8", "surrogatepass"))
        return
    textual = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_fixed_size_binary)
    if any(is_kind(kind) for is_kind in textual):
        column = column.cast(pa.large_binary())
    if pa.types.is_large_binary(column.type):
        lengths = pc.binary_length(column).fill_null(0)
        digest.update(lengths.to_numpy(zero_copy_only=False).tobytes())
        joined = column.drop_null()
        if len(joined):
            _, _, data = joined.buffers()
            offsets = memoryview(joined.buffers()[1]).cast("q")
            first, last = offsets[joined.offset], offsets[joined.offset + len(joined)]
            if data is not None:
                digest.update(memoryview(data)[first:last])
        return
    digest.update(
        column.fill_null(False if pa.types.is_boolean(kind) else 0).to_numpy(zero_copy_only=False).tobytes()
    )


@contextmanager
def commit_parquet(location: str, schema: pa.Schema) -> Iterator[ParquetFileWriter]:
    """Write one Parquet file atomically; `writer.facts` is filled when the block has ended."""
    with storage.commit(location) as file:
        writer = ParquetFileWriter(file, schema)
        try:
            yield writer
        except BaseException:
            writer.abandon()
            raise
        writer.close()
    writer.facts = {
        "bytes": file.bytes_written,
        "sha256": file.sha256,
        "rows": writer.rows,
        "digests": writer.digests,
    }


def row_groups(location: str, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
    """Iterate a file's row groups as single batches."""
    with storage.open_read(location) as stream:
        file = pq.ParquetFile(stream)
        for index in range(file.num_row_groups):
            yield read_row_group(file, index, columns)


def read_row_group(file: pq.ParquetFile, index: int, columns: list[str] | None = None) -> pa.RecordBatch:
    """Read one row group as one contiguous batch."""
    table = file.read_row_group(index, columns=columns, use_threads=False).combine_chunks()
    batches = table.to_batches()
    if batches:
        return batches[0]
    return pa.RecordBatch.from_pylist([], schema=table.schema)
