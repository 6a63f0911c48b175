"""A column of texts as plain arrays, with the views that most steps share: words and lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corpusforge.kernels.lines import split_lines
from corpusforge.kernels.words import split_words

Bytes = npt.NDArray[np.uint8]
Int64 = npt.NDArray[np.int64]
UInt64 = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class WordView:
    """The words of every text, found once and read by every step.

    `document_offsets` int64[n_texts + 1] indexes the word arrays: text i has the words
    ``document_offsets[i]:document_offsets[i + 1]``. `starts` and `ends` int64[n_words] are byte positions in
    `Texts.data`. `hashes` uint64[n_words] are 64-bit hashes of the words' bytes as they stand.
    `kinds` uint8[n_words] is a bit set (see `corpusforge.kernels.words`).
    """

    document_offsets: Int64
    starts: Int64
    ends: Int64
    hashes: UInt64
    kinds: npt.NDArray[np.uint8]


@dataclass(frozen=True)
class LineView:
    """The lines of every text, without their line feed; a text of n line feeds has n + 1 lines.

    Arrays as in `WordView`; byte positions are in `Texts.data`.
    """

    document_offsets: Int64
    starts: Int64
    ends: Int64


class Texts:
    """n UTF-8 texts in one buffer: `data` uint8[n_bytes], `offsets` int64[n + 1].

    `data[offsets[i]:offsets[i + 1]]` is text i. Offsets rise but need not start at zero.
    """

    def __init__(self, data: Bytes, offsets: Int64) -> None:
        self.data = data
        self.offsets = offsets

    @classmethod
    def from_arrow(cls, array: pa.Array) -> Texts:
        """View an Arrow (large) string or binary array without copying its bytes; nulls become empty texts."""
        if isinstance(array, pa.ChunkedArray):
            array = array.combine_chunks()
        if pa.types.is_string(array.type):
            array = array.cast(pa.large_string())
        elif pa.types.is_binary(array.type):
            array = array.cast(pa.large_binary())
        if array.null_count:
            fill = "" if pa.types.is_large_string(array.type) else b""
            array = array.fill_null(pa.scalar(fill, array.type))
        if len(array) == 0:
            return cls(np.zeros(0, np.uint8), np.zeros(1, np.int64))
        _, offsets_buffer, data_buffer = array.buffers()
        offsets = np.frombuffer(offsets_buffer, np.int64)[array.offset : array.offset + len(array) + 1]
        data = np.frombuffer(data_buffer, np.uint8) if data_buffer is not None else np.zeros(0, np.uint8)
        return cls(data, offsets)

    @classmethod
    def from_strings(cls, strings: Sequence[str]) -> Texts:
        """Copy Python strings (tests and small inputs)."""
        return cls.from_arrow(pa.array(strings, pa.large_string()))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def bytes_of(self, index: int) -> bytes:
        """Copy text `index` as bytes."""
        return self.data[self.offsets[index] : self.offsets[index + 1]].tobytes()

    def string(self, index: int) -> str:
        """Copy text `index` as a Python string."""
        return self.bytes_of(index).decode("utf-8")

    def strings(self) -> list[str]:
        """Copy all texts as Python strings."""
        return [self.string(index) for index in range(len(self))]

    @cached_property
    def sizes(self) -> Int64:
        """Bytes per text, int64[n]."""
        return np.diff(self.offsets)

    def to_arrow(self) -> pa.Array:
        """Wrap the buffers as a large_string array without copying the bytes."""
        return pa.LargeStringArray.from_buffers(
            len(self), pa.py_buffer(self.offsets), pa.py_buffer(self.data)
        )

    def take(self, rows: npt.NDArray[np.int64]) -> Texts:
        """Copy the given rows into a new column."""
        if len(rows) == len(self) and np.array_equal(rows, np.arange(len(self))):
            return self
        array = self.to_arrow().take(pa.array(rows))
        return Texts.from_arrow(array)

    @cached_property
    def words(self) -> WordView:
        """Whitespace-separated words (runs of characters that are not White_Space)."""
        return WordView(*split_words(self.data, self.offsets))

    @cached_property
    def lines(self) -> LineView:
        r"""Lines split at "\n" only."""
        return LineView(*split_lines(self.data, self.offsets))
