"""The one Parquet writer: pinned options, a row group per batch, so equal rows give equal bytes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from corpusforge import storage
from corpusforge.logical_digest import LogicalDigest

SMALL, FAST = 3, 1
"""Levels of Zstandard: of files that stay, and of those that later stages of the run read once or twice.

On 86 MB of web text level 1 takes two thirds of the time of level 3, and a seventh more room.
"""


class ParquetFileWriter:
    """Writes record batches to an open file, one row group each, and keeps a logical digest of the values.

    The digest (`corpusforge.logical_digest`) is over values rather than file bytes: equal across versions of
    the Parquet library.
    """

    def __init__(self, file: Any, schema: pa.Schema, level: int = SMALL) -> None:
        self._writer = pq.ParquetWriter(
            pa.PythonFile(file, mode="w"),
            schema,
            version="2.6",
            data_page_version="1.0",
            compression="zstd",
            compression_level=level,
            use_dictionary=False,
            write_statistics=False,
            store_schema=True,
        )
        self.schema = schema
        self.rows = 0
        self.facts: dict[str, Any] = {}
        """Bytes, hash, rows and digests, once the file is committed."""
        self._digests = {field.name: LogicalDigest(field.type) for field in schema}

    def write(self, batch: pa.RecordBatch) -> None:
        """Append a batch as one row group; an empty batch is written too, so that row groups stay aligned."""
        batch = batch.select(self.schema.names).cast(self.schema)
        self._writer.write_table(pa.Table.from_batches([batch]), row_group_size=max(1, batch.num_rows))
        self.rows += batch.num_rows
        for name, column in zip(batch.schema.names, batch.columns):
            self._digests[name].update(column)

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


@contextmanager
def commit_parquet(location: str, schema: pa.Schema, level: int = SMALL) -> Iterator[ParquetFileWriter]:
    """Write one Parquet file atomically; `writer.facts` is filled when the block has ended."""
    with storage.commit(location) as file:
        writer = ParquetFileWriter(file, schema, level)
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
    return one_batch(file.read_row_group(index, columns=columns, use_threads=False))


def one_batch(table: pa.Table) -> pa.RecordBatch:
    """All rows of a table as one batch. Raises `OverflowError` where a column's offsets do not reach so far."""
    batches = table.combine_chunks().to_batches()
    if len(batches) > 1:
        raise OverflowError(f"{table.num_rows} rows of {table.nbytes} bytes do not fit one batch")
    return batches[0] if batches else pa.RecordBatch.from_pylist([], schema=table.schema)
