"""Rows of Parquet files that nobody vouches for: what is decoded at a time is bounded, whatever the file claims.

A reader of Parquet believes a file's numbers: it takes as much memory as a page's header names, and goes on for as many
rows as the footer counts, which a few bytes can repeat. So page headers are read first (PageHeader of parquet.thrift
in Thrift's compact protocol), and rows and text are held against the size of the file.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from corpusforge.sources.base import Damaged, SourceFile

MAGIC = b"PAR1"
ROWS = 256
"""Most rows that are decoded at once."""
DECODED_BYTES = 256 << 20
"""Rows that are decoded at once may take this, were each as long as the longest page."""
PAGE_BYTES = 256 << 20
"""A longer page, decompressed, is not read. Writers aim at 1 MiB."""
FREE_ROWS, ROWS_PER_BYTE = 1 << 17, 8
"""Rows that a file may have whatever its size, and for each of its bytes."""
FREE_TEXT, TEXT_PER_BYTE = 1 << 30, 1000
"""Bytes of values that a file may give whatever its size, and for each of its bytes."""

_DEPTH = 8


class ParquetRows:
    """A Parquet file to be read row by row. Raises `pyarrow.ArrowException` or OSError when its footer is damaged."""

    def __init__(self, file: SourceFile, stream: BinaryIO, max_value_bytes: int) -> None:
        self._file, self._limit = file, max_value_bytes
        self._stream = _Held(stream)
        self._parquet = pq.ParquetFile(self._stream)
        self.names: list[str] = self._parquet.schema_arrow.names
        """Of the columns."""

    def rows(self, columns: Sequence[str]) -> Iterator[tuple[str, dict[str, Any]] | Damaged]:
        """Iterate rows as (locator, values); a row group that cannot be read, or a value too long, costs itself."""
        number, text = 0, 0
        for group in range(self._parquet.num_row_groups):
            metadata = self._parquet.metadata.row_group(group)
            lost = metadata.num_rows
            if lost < 0 or number + lost > FREE_ROWS + ROWS_PER_BYTE * self._stream.size:
                message = f"{lost} rows from here on, in a file of {self._stream.size} bytes"
                yield Damaged(self._locator(number), "too_many_rows", message, 0)
                return
            try:
                at_once = self._rows_at_once(metadata, frozenset(columns))
                for row in self._of_group(group, columns, at_once):
                    locator = self._locator(number)
                    number, lost = number + 1, lost - 1
                    size = sum(len(value) for value in row.values() if isinstance(value, str | bytes))
                    text += size
                    if text > FREE_TEXT + TEXT_PER_BYTE * self._stream.size:
                        yield Damaged(locator, "decompression_bomb", f"{text} bytes of values up to here", 0)
                        return
                    if size > self._limit:
                        yield Damaged(locator, "row_too_long", f"{size}, {self._limit} are allowed", 0)
                    else:
                        yield locator, row
            except (pa.ArrowException, OSError, _PageError) as error:
                kind = "page_too_large" if isinstance(error, _PageTooLargeError) else "bad_row_group"
                yield Damaged(self._locator(number), kind, f"{lost} rows lost: {error}"[:300], 0)
                number += lost
            finally:
                self._stream.drop()

    def _locator(self, number: int) -> str:
        return f"{self._file.path}#{number}"

    def _of_group(self, group: int, columns: Sequence[str], at_once: int) -> Iterator[dict[str, Any]]:
        for batch in self._parquet.iter_batches(
            at_once, row_groups=[group], columns=list(columns), use_threads=False
        ):
            yield from batch.to_pylist()

    def _rows_at_once(self, metadata: Any, columns: frozenset[str]) -> int:
        """How many rows of a group may be decoded together: each could be as long as the longest page."""
        longest = 1
        for number in range(metadata.num_columns):
            chunk = metadata.column(number)
            if chunk.path_in_schema.split(".")[0] in columns:
                begin = chunk.data_page_offset
                if chunk.has_dictionary_page and 0 < chunk.dictionary_page_offset < begin:
                    begin = chunk.dictionary_page_offset
                longest = max(
                    longest, self._longest_page(begin, chunk.total_compressed_size, chunk.num_values)
                )
        return max(1, min(ROWS, DECODED_BYTES // longest))

    def _longest_page(self, begin: int, size: int, values: int) -> int:
        """Bytes of the longest page of a column chunk when decompressed."""
        if values > FREE_ROWS + ROWS_PER_BYTE * self._stream.size:
            raise _PageError(f"{values} values in a file of {self._stream.size} bytes")
        data = self._stream.hold(begin, size)
        place, found, longest = 0, 0, 0
        while found < values and place < len(data):
            header, place = _struct(data, place)
            length, compressed = header.get(2), header.get(3)
            if not isinstance(length, int) or not isinstance(compressed, int) or min(length, compressed) < 0:
                raise _PageError("a page without its sizes")
            if length > PAGE_BYTES:
                raise _PageTooLargeError(f"a page of {length} bytes, {PAGE_BYTES} are allowed")
            longest = max(longest, length)
            for field in (5, 8):  # the header of a data page, of either version
                inner = header.get(field)
                found += max(0, int(inner.get(1, 0))) if isinstance(inner, dict) else 0
            place += compressed
        return longest


class _PageError(ValueError):
    """Page headers that cannot be."""


class _PageTooLargeError(_PageError):
    """A page that would take too much memory."""


class _Held(io.RawIOBase):
    """A stream of which ranges are held in memory: page headers are read, then the pages, but a store is asked once."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.size = stream.seek(0, io.SEEK_END)
        self._place = 0
        self._ranges: list[tuple[int, bytes]] = []

    def hold(self, begin: int, size: int) -> bytes:
        """Read a range and keep it until `drop`."""
        if begin < 0 or size < 0 or begin + size > self.size:
            raise _PageError(f"bytes {begin} to {begin + size} of {self.size}")
        self._stream.seek(begin)
        data = self._stream.read(size)
        self._ranges.append((begin, data))
        return data

    def drop(self) -> None:
        """Forget all ranges."""
        self._ranges.clear()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self.size}[whence]
        self._place = max(0, base + offset)
        return self._place

    def read(self, size: int = -1) -> bytes:
        size = max(0, self.size - self._place) if size is None or size < 0 else size
        for begin, data in self._ranges:
            if begin <= self._place and self._place + size <= begin + len(data):
                found = data[self._place - begin : self._place - begin + size]
                break
        else:
            self._stream.seek(self._place)
            found = self._stream.read(size)
        self._place += len(found)
        return found


def _struct(data: bytes, place: int, depth: int = 0) -> tuple[dict[int, Any], int]:
    """A struct in Thrift's compact protocol, as its fields by number (of text and the like only None), and its end."""
    fields: dict[int, Any] = {}
    number = 0
    try:
        while data[place]:
            head = data[place]
            place += 1
            if head >> 4:
                number += head >> 4
            else:
                number, place = _integer(data, place)
            fields[number], place = _value(data, place, head & 15, depth)
    except IndexError as error:
        raise _PageError("the header of a page is cut") from error
    return fields, place + 1


def _value(data: bytes, place: int, kind: int, depth: int) -> tuple[Any, int]:
    if kind in (1, 2):
        return kind == 1, place
    if kind == 3:
        return data[place], place + 1
    if kind in (4, 5, 6):
        return _integer(data, place)
    if kind == 7:
        return None, place + 8
    if kind == 8:
        size, place = _varint(data, place)
        return None, place + size
    if kind == 12 and depth < _DEPTH:
        return _struct(data, place, depth + 1)
    raise _PageError(f"a field of kind {kind} in the header of a page")


def _integer(data: bytes, place: int) -> tuple[int, int]:
    value, place = _varint(data, place)
    return value >> 1 ^ -(value & 1), place


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        value |= (data[place] & 127) << shift
        place += 1
        if data[place - 1] < 128:
            return value, place
    raise _PageError("a number of more than ten bytes")
