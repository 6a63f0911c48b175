"""A digest of a column's values that neither file formats, buffer layouts nor batches change.

It is what runs of different versions are compared by: Parquet bytes may differ where values do not.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc


class LogicalDigest:
    """An ordered SHA-256 over the values of one column, fed batch by batch.

    Validity (a byte a row), lengths (int64) and values go into a hash each, and these into one; lists and
    structs have such hashes for what they hold. So the digest depends on the values in their order and on
    nothing else. Floats count by their bits.
    """

    def __init__(self, kind: pa.DataType) -> None:
        self._kind = kind
        self._is_bytes = _is_bytes(kind)
        self._rows = 0
        self._validity, self._lengths, self._values = hashlib.sha256(), hashlib.sha256(), hashlib.sha256()
        self._children: list[LogicalDigest] = []
        if _is_list(kind):
            self._children = [LogicalDigest(kind.value_type)]
        elif pa.types.is_struct(kind):
            self._children = [LogicalDigest(kind.field(index).type) for index in range(kind.num_fields)]

    def update(self, column: pa.Array) -> None:
        """Feed more rows. Raises `TypeError` for types that no column here has (maps, unions, dictionaries)."""
        self._rows += len(column)
        self._validity.update(_validity(column))
        if _is_list(self._kind):
            self._lengths.update(_integers(pc.list_value_length(column)))
            self._children[0].update(column.flatten())
        elif pa.types.is_struct(self._kind):
            for child, values in zip(self._children, column.flatten()):
                child.update(values)
        elif self._is_bytes:
            self._update_bytes(column)
        elif pa.types.is_boolean(self._kind):
            self._values.update(_integers(column))
        elif pa.types.is_primitive(self._kind):
            present = column.fill_null(0) if column.null_count else column
            self._values.update(present.to_numpy(zero_copy_only=False).tobytes())
        elif not pa.types.is_null(self._kind):
            raise TypeError(f"columns of type {self._kind} have no logical digest")

    def _update_bytes(self, column: pa.Array) -> None:
        """Lengths, of nulls 0, and the bytes of what is not null: parts of the buffers as they stand."""
        if column.null_count == len(column):
            self._lengths.update(bytes(8 * len(column)))
            return
        if column.null_count:
            self._lengths.update(_integers(pc.binary_length(column)))
            column = column.drop_null()
            data, offsets = _data_and_offsets(column)
        else:
            data, offsets = _data_and_offsets(column)
            self._lengths.update(np.diff(offsets).astype(np.int64).tobytes())
        if data is not None:
            self._values.update(memoryview(data)[int(offsets[0]) : int(offsets[-1])])

    def digest(self) -> bytes:
        """The digest of all rows so far, 32 bytes."""
        parts = [hash_.digest() for hash_ in (self._validity, self._lengths, self._values)]
        parts += [child.digest() for child in self._children]
        whole: Any = hashlib.sha256(f"{self._rows} {len(self._children)} ".encode())
        for part in parts:
            whole.update(part)
        return bytes(whole.digest())

    def hexdigest(self) -> str:
        """The digest in hexadecimal."""
        return self.digest().hex()


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind))


def _is_bytes(kind: pa.DataType) -> bool:
    kinds = (
        pa.types.is_string,
        pa.types.is_large_string,
        pa.types.is_binary,
        pa.types.is_large_binary,
        pa.types.is_fixed_size_binary,
    )
    return any(is_kind(kind) for is_kind in kinds)


def _validity(column: pa.Array) -> Any:
    """A byte a row: 1, or 0 for null."""
    if column.null_count in (0, len(column)) and not pa.types.is_null(column.type):
        return (b"\0" if column.null_count else b"\1") * len(column)
    return column.is_valid().cast(pa.uint8()).to_numpy(zero_copy_only=False)


def _data_and_offsets(column: pa.Array) -> tuple[pa.Buffer | None, npt.NDArray[Any]]:
    """The bytes of strings or binary values without nulls, one at least, and where each begins and the last ends."""
    kind, first, count = column.type, column.offset, len(column)
    if pa.types.is_fixed_size_binary(kind):
        return column.buffers()[1], kind.byte_width * np.arange(first, first + count + 1)
    _, offsets, data = column.buffers()
    wide = pa.types.is_large_string(kind) or pa.types.is_large_binary(kind)
    return data, np.frombuffer(offsets, np.int64 if wide else np.int32)[first : first + count + 1]


def _integers(array: pa.Array) -> bytes:
    """Values as int64, null as 0."""
    data: bytes = array.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False).tobytes()
    return data
