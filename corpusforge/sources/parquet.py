"""Rows of Parquet files that nobody vouches for: what is decoded at a time is bounded, whatever the file claims.

A reader of Parquet believes a file's numbers: it takes as much memory as a page's header names, and goes on for as many
rows as the footer counts, which a few bytes can repeat. So the footer and page headers are read first (FileMetaData
and PageHeader of parquet.thrift in Thrift's compact protocol), and rows and text are held against the size of the file.
Arrow's own view of the footer is not asked for: of one that contradicts itself it ends the process.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from corpusforge.sources.base import Damaged, SourceFile
from corpusforge.sources.thrift import BINARY, INT32, INT64, HeaderError, Wanted, read_struct

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
UNFOLDED_PER_BYTE = 64
"""Bytes that the lists of a row group may unfold to, for each of its bytes, beyond `DECODED_BYTES`."""
FOOTER_BYTES = 32 << 20
"""A longer footer is not read: that is more than a hundred thousand column chunks."""
NESTING = 64
"""Most levels of lists and structs in a column."""

_TAIL = 1 << 16
_DICTIONARY_BYTES = 4 << 20
_CHUNK = {4: INT32, 5: INT64, 7: INT64, 9: INT64, 11: INT64}
_ELEMENT = {1: INT32, 2: INT32, 3: INT32, 4: BINARY, 5: INT32}
_FILE: Wanted = {2: [_ELEMENT], 4: [{1: [{3: _CHUNK}], 3: INT64}]}
_PAGE: Wanted = {1: INT32, 2: INT32, 3: INT32, 5: {1: INT32, 2: INT32}, 8: {1: INT32, 4: INT32}}
_DATA_PAGE, _DICTIONARY_PAGE, _DATA_PAGE_V2 = 0, 2, 3
_ENCODING_FIELD = {_DATA_PAGE: (5, 2), _DATA_PAGE_V2: (8, 4)}
_PLAIN, _PLAIN_DICTIONARY, _DELTA_LENGTHS, _DICTIONARY, _SPLIT = 0, 2, 6, 8, 9
_CODECS = {1: "snappy", 2: "gzip", 4: "brotli", 6: "zstd", 7: "lz4_raw"}
_REPEATED, _BYTE_ARRAY, _FIXED = 2, 6, 7


class ParquetRows:
    """A Parquet file to be read row by row. Raises `pyarrow.ArrowException` or OSError when its footer is damaged."""

    def __init__(self, file: SourceFile, stream: BinaryIO, max_value_bytes: int) -> None:
        self._file, self._limit = file, max_value_bytes
        self._stream = _Held(stream)
        try:
            footer, _ = read_struct(_footer(self._stream), 0, _FILE)
            self._leaves = _leaves(footer.get(2, []))
            self._groups: list[dict[int, Any]] = footer.get(4, [])
            self._parquet = pq.ParquetFile(self._stream)
            self.names: list[str] = self._parquet.schema_arrow.names
            """Of the columns."""
        except (pa.ArrowException, OSError):
            raise
        except _BAD_VALUES as error:
            raise pa.ArrowInvalid(f"{type(error).__name__}: {error}") from error
        finally:
            self._stream.drop()

    def rows(self, columns: Sequence[str]) -> Iterator[tuple[str, dict[str, Any]] | Damaged]:
        """Iterate rows as (locator, values); a row group that cannot be read, or a value that is bad, costs itself."""
        number, text = 0, 0
        for group, metadata in enumerate(self._groups):
            lost = metadata.get(3, -1)
            if lost < 0 or number + lost > FREE_ROWS + ROWS_PER_BYTE * self._stream.size:
                message = f"{lost} rows from here on, in a file of {self._stream.size} bytes"
                yield Damaged(self._locator(number), "too_many_rows", message, 0)
                return
            try:
                at_once = self._rows_at_once(metadata, frozenset(columns))
                for row in self._of_group(group, columns, at_once):
                    locator = self._locator(number)
                    number, lost = number + 1, lost - 1
                    if isinstance(row, Exception):
                        yield Damaged(locator, "bad_value", f"{type(row).__name__}: {row}"[:300], 0)
                        continue
                    size = sum(map(_size, row.values()))
                    text += size
                    if text > FREE_TEXT + TEXT_PER_BYTE * self._stream.size:
                        yield Damaged(locator, "decompression_bomb", f"{text} bytes of values up to here", 0)
                        return
                    if size > self._limit:
                        yield Damaged(locator, "row_too_long", f"{size}, {self._limit} are allowed", 0)
                    else:
                        yield locator, row
            except (pa.ArrowException, OSError, *_BAD_VALUES) as error:
                kind = error.kind if isinstance(error, HeaderError) else "bad_row_group"
                yield Damaged(self._locator(number), kind, f"{lost} rows lost: {error}"[:300], 0)
                number += lost
            finally:
                self._stream.drop()

    def _locator(self, number: int) -> str:
        return f"{self._file.path}#{number}"

    def _of_group(
        self, group: int, columns: Sequence[str], at_once: int
    ) -> Iterator[dict[str, Any] | Exception]:
        for batch in self._parquet.iter_batches(
            at_once, row_groups=[group], columns=list(columns), use_threads=False
        ):
            yield from _rows(batch)

    def _rows_at_once(self, metadata: Mapping[int, Any], columns: frozenset[str]) -> int:
        """How many rows of a group may be decoded together: each could be as long as the longest page.

        What lists hold has no such limit, as one row can have all of it: raises `_BombError` where that is too much.
        """
        chunks = metadata.get(1, [])
        if len(chunks) != len(self._leaves):
            raise HeaderError(f"{len(chunks)} column chunks for {len(self._leaves)} columns")
        longest, unfolded, packed = 1, 0, 0
        for leaf, outer in zip(self._leaves, chunks, strict=True):
            if columns.isdisjoint(leaf.prefixes):
                continue
            chunk = outer.get(3, {})
            pages = self._pages(leaf, chunk)
            longest = max(longest, pages.longest)
            if leaf.repeated:
                unfolded, packed = unfolded + pages.unfolded, packed + chunk[7]
        if unfolded > DECODED_BYTES + UNFOLDED_PER_BYTE * packed:
            raise _BombError(f"lists of up to {unfolded} bytes in {packed}")
        return max(1, min(ROWS, DECODED_BYTES // longest))

    def _pages(self, leaf: _Leaf, chunk: Mapping[int, Any]) -> _Pages:
        """What the pages of a column chunk unfold to, from their headers."""
        if not {4, 5, 7, 9} <= chunk.keys():
            raise HeaderError("a column chunk without its place")
        begin, values = chunk[9], chunk[5]
        if 0 < chunk.get(11, 0) < begin:
            begin = chunk[11]
        if values > FREE_ROWS + ROWS_PER_BYTE * self._stream.size:
            raise HeaderError(f"{values} values in a file of {self._stream.size} bytes")
        data = self._stream.hold(begin, chunk[7])
        place, found, longest, unfolded = 0, 0, 0, 0
        dictionary: tuple[int, bytes] | None = None
        referring = 0
        while found < values and place < len(data):
            header, place = read_struct(data, place, _PAGE)
            length, compressed = header.get(2, -1), header.get(3, -1)
            if min(length, compressed) < 0:
                raise HeaderError("a page without its sizes")
            if length > PAGE_BYTES:
                raise _PageTooLargeError(f"a page of {length} bytes, {PAGE_BYTES} are allowed")
            longest = max(longest, length)
            kind = header.get(1)
            if kind == _DICTIONARY_PAGE:
                if dictionary is not None:
                    raise HeaderError("a second dictionary")
                dictionary = length, data[place : place + compressed] if leaf.repeated else b""
            elif kind in _ENCODING_FIELD:
                field, encoding = _ENCODING_FIELD[kind]
                inner = header.get(field, {})
                count = max(0, inner.get(1, 0))
                found += count
                if inner.get(encoding) in (_DICTIONARY, _PLAIN_DICTIONARY):
                    referring += count
                elif inner.get(encoding) in (_PLAIN, _DELTA_LENGTHS, _SPLIT):
                    unfolded += length
                else:  # a value may repeat the one before it
                    unfolded += count * leaf.at_most(length)
            place += compressed
        if leaf.repeated and dictionary is not None:
            unfolded += _of_dictionary(leaf, referring, *dictionary, chunk[4])
        return _Pages(longest, unfolded)


class _Pages(NamedTuple):
    """Bytes of a column chunk: of its longest page when decompressed, and of all values (were each the longest)."""

    longest: int
    unfolded: int


class _Leaf(NamedTuple):
    """A column of values in the schema's tree: the dotted paths that choose it, and what a value may take."""

    prefixes: tuple[str, ...]
    repeated: bool
    kind: int
    width: int

    def at_most(self, length: int) -> int:
        """Bytes of a value in a page of that length."""
        if self.kind == _BYTE_ARRAY:
            return length
        return min(length, max(0, self.width)) if self.kind == _FIXED else 12


class _PageTooLargeError(HeaderError):
    """A page that would take too much memory."""

    kind = "page_too_large"


class _BombError(HeaderError):
    """Lists that would take too much memory."""

    kind = "decompression_bomb"


_BAD_VALUES = (ValueError, OverflowError, LookupError, RecursionError)
"""What a value raises that Python cannot hold: bytes that are no UTF-8, dates beyond the year 9999, unknown zones."""


def _rows(batch: pa.RecordBatch) -> Sequence[dict[str, Any] | Exception]:
    """Rows of a batch; for a row with a value that Python cannot hold, what it raises."""
    # Nanoseconds are cut: whether they can be had depends on whether pandas is installed.
    schema = pa.schema([field.with_type(_to_microseconds(field.type)) for field in batch.schema])
    if schema.types != batch.schema.types:
        columns = [
            column if column.type == kind else column.cast(kind, safe=False)
            for column, kind in zip(batch.columns, schema.types, strict=True)
        ]
        batch = pa.RecordBatch.from_arrays(columns, schema=schema)
    try:
        rows: list[dict[str, Any] | Exception] = batch.to_pylist()
    except _BAD_VALUES:  # of one row or several: the others are read without them
        rows = [_row(batch.slice(number, 1)) for number in range(batch.num_rows)]
    return rows


def _row(batch: pa.RecordBatch) -> dict[str, Any] | Exception:
    try:
        row: dict[str, Any] = batch.to_pylist()[0]
    except _BAD_VALUES as error:
        return error
    return row


def _to_microseconds(kind: pa.DataType) -> pa.DataType:
    """A type with microseconds for nanoseconds, at any depth."""
    types = pa.types
    if types.is_timestamp(kind) and kind.unit == "ns":
        return pa.timestamp("us", kind.tz)
    if types.is_time64(kind) and kind.unit == "ns":
        return pa.time64("us")
    if types.is_duration(kind) and kind.unit == "ns":
        return pa.duration("us")
    if types.is_struct(kind):
        return pa.struct([field.with_type(_to_microseconds(field.type)) for field in kind])
    if types.is_map(kind):
        key, item = _to_microseconds(kind.key_type), _to_microseconds(kind.item_type)
        same = key == kind.key_type and item == kind.item_type
        return kind if same else pa.map_(key, item, kind.keys_sorted)
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        field = kind.value_field.with_type(_to_microseconds(kind.value_type))
        if types.is_fixed_size_list(kind):
            return pa.list_(field, kind.list_size)
        return pa.large_list(field) if types.is_large_list(kind) else pa.list_(field)
    return kind


def _size(value: Any) -> int:
    """Characters or bytes of a value, and of all that it holds."""
    if isinstance(value, str | bytes):
        return len(value)
    if isinstance(value, dict):
        return sum(map(_size, value.values()))
    if isinstance(value, list | tuple):
        return sum(map(_size, value))
    return 0


def _of_dictionary(leaf: _Leaf, values: int, length: int, page: bytes, codec: int) -> int:
    """Bytes of that many values, were each the longest of a dictionary page."""
    if leaf.kind != _BYTE_ARRAY or values * length <= DECODED_BYTES or length > _DICTIONARY_BYTES:
        return values * leaf.at_most(length)
    if codec and codec not in _CODECS:
        return values * length
    plain = pa.decompress(page, length, _CODECS[codec], asbytes=True) if codec else page
    longest, place = 0, 0
    while place + 4 <= len(plain):
        size = int.from_bytes(plain[place : place + 4], "little")
        longest = max(longest, min(size, length))
        place += 4 + size
    return values * longest


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
            raise HeaderError(f"bytes {begin} to {begin + size} of {self.size}")
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


def _footer(stream: _Held) -> bytes:
    """The footer of a file. The file's end is held, as it is asked for again."""
    tail = stream.hold(max(0, stream.size - _TAIL), min(_TAIL, stream.size))
    length = int.from_bytes(tail[-8:-4], "little")
    if tail[-4:] != MAGIC or length + 8 > stream.size:
        raise HeaderError("no footer")
    if length > FOOTER_BYTES:
        raise HeaderError(f"a footer of {length} bytes, {FOOTER_BYTES} are allowed")
    if length + 8 > len(tail):
        tail = stream.hold(stream.size - 8 - length, length + 8)
    return tail[-8 - length : -8]


def _leaves(elements: Sequence[Mapping[int, Any]]) -> list[_Leaf]:
    """The columns of values of a schema, which stands in the footer as a tree in preorder."""
    leaves: list[_Leaf] = []
    open_groups: list[tuple[int, str, bool]] = []
    """Of each group around the next element: children still to come, its dotted path, whether it repeats."""
    for number, element in enumerate(elements):
        if number and not open_groups:
            raise HeaderError("a schema of more than one tree")
        path, repeated = "", False
        if open_groups:
            left, above, repeated = open_groups.pop()
            open_groups.append((left - 1, above, repeated))
            name = element.get(4, b"").decode("utf-8")
            path = f"{above}.{name}" if number and above else name
            repeated = repeated or element.get(3) == _REPEATED
        children = element.get(5, 0)
        if children > 0 or not number or 1 not in element:
            open_groups.append((children, path, repeated))
        else:
            parts = path.split(".")
            prefixes = tuple(".".join(parts[:end]) for end in range(1, len(parts) + 1))
            leaves.append(_Leaf(prefixes, repeated, element.get(1, 0), element.get(2, 0)))
        while open_groups and open_groups[-1][0] <= 0:
            open_groups.pop()
        if len(open_groups) > NESTING:
            raise HeaderError(f"columns of more than {NESTING} levels")
    return leaves
