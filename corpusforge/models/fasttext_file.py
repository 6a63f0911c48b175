"""Supervised fastText models read from their files: ``.bin``, and ``.ftz`` with product quantisation.

The layout is that of facebookresearch/fastText 0.9.2 (``fasttext.cc``, ``args.cc``, ``dictionary.cc``,
``matrix`` classes, ``productquantizer.cc``), versions 11 and 12. All numbers are little-endian.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from corpusforge.kernels.fasttext_dictionary import hash_entries, scan_entries
from corpusforge.kernels.fasttext_output import (
    HIERARCHICAL,
    NEGATIVE_SAMPLING,
    ONE_AGAINST_ALL,
    SOFTMAX,
    tree,
)

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
UInt64 = npt.NDArray[np.uint64]
Float32 = npt.NDArray[np.float32]

_MAGIC = 793712314
_VERSIONS = (11, 12)
_SUPERVISED = 3
_CENTROIDS = 256
_LABEL = "__label__"
_LAYERS = (HIERARCHICAL, NEGATIVE_SAMPLING, SOFTMAX, ONE_AGAINST_ALL)


@dataclass(frozen=True)
class FastTextFile:
    """A supervised model as plain arrays, which `corpusforge.kernels.fasttext_sums` and ``fasttext_output`` describe.

    Quantised matrices are unpacked. `labels` are without their prefix.
    """

    settings: Int64
    names: npt.NDArray[np.uint8]
    name_offsets: Int64
    table: Int32
    kept: UInt64
    before: Int32
    matrix: Float32
    weights: Float32
    layer: int
    left: Int32
    right: Int32
    labels: tuple[str, ...]


def read_fasttext_file(path: Path) -> FastTextFile:
    """Read a model. Raises `ValueError` for a file that is none, is damaged, or holds no supervised model."""
    reader = _Reader(np.memmap(path, np.uint8, mode="r").view(np.ndarray))
    magic, version = reader.numbers("<ii")
    if magic != _MAGIC or version not in _VERSIONS:
        raise ValueError("it does not begin like one of version 11 or 12")
    (dimension, _, _, _, _, word_ngrams, layer, kind, buckets, shortest, longest, _) = reader.numbers("<12i")
    reader.numbers("<d")
    if kind != _SUPERVISED or layer not in _LAYERS:
        raise ValueError("it is not supervised")
    if dimension < 1 or buckets < 0 or word_ngrams < 1:
        raise ValueError("its settings are out of range")
    longest = 0 if version == 11 or buckets == 0 else max(longest, 0)
    size, words, labels, _, pruned = reader.numbers("<iiiqq")
    if min(size, words, labels) < 0 or words + labels != size or labels < 1 or not -1 <= pruned <= buckets:
        raise ValueError("its dictionary is out of range")
    names, name_offsets, counts, spelled = reader.dictionary(size, words)
    pairs = reader.array(np.int32, 2 * max(pruned, 0)).reshape(-1, 2)
    kept, before, rows = _index_buckets(pairs, buckets, pruned >= 0)
    quantised = reader.flag()
    if pruned >= 0 and not quantised:
        raise ValueError("it is pruned but not quantised")
    matrix = reader.matrix(quantised, dimension)
    uses_buckets = longest > 0 or word_ngrams > 1
    needed = words + (buckets if pruned < 0 else int(rows.max(initial=-1)) + 1) * uses_buckets
    if len(matrix) < needed:
        raise ValueError(f"its input matrix has {len(matrix)} rows, not {needed}")
    if pruned >= 0:
        matrix = np.concatenate([matrix[:words], matrix[words + rows if uses_buckets else rows[:0]]])
    output = reader.matrix(reader.flag() and quantised, dimension)
    if len(output) != labels:
        raise ValueError(f"its output matrix has {len(output)} rows for {labels} labels")
    left, right = tree(counts[words:]) if layer == HIERARCHICAL else tree(counts[:0])
    return FastTextFile(
        np.array([words, shortest, longest, buckets, pruned >= 0, word_ngrams], np.int64),
        names,
        name_offsets,
        # At most half full, so that probing ends soon.
        hash_entries(names, name_offsets, 1 << (2 * size).bit_length()),
        kept,
        before,
        matrix,
        np.ascontiguousarray(output.T),
        layer,
        left,
        right,
        spelled,
    )


def _index_buckets(pairs: Int32, buckets: int, is_pruned: bool) -> tuple[UInt64, Int32, Int32]:
    """Make of (bucket, row) pairs int32[n, 2] the bit set, its running counts, and the rows in order."""
    pairs = pairs[np.argsort(pairs[:, 0], kind="stable")]
    numbers, rows = pairs[:, 0].astype(np.int64), np.ascontiguousarray(pairs[:, 1])
    if len(pairs) and (numbers[0] < 0 or numbers[-1] >= buckets or rows.min() < 0):
        raise ValueError("its index of buckets is out of range")
    if (np.diff(numbers) == 0).any():
        raise ValueError("its index of buckets names one twice")
    kept = np.zeros((buckets + 63) // 64 if is_pruned else 0, np.uint64)
    np.bitwise_or.at(kept, numbers >> 6, np.uint64(1) << (numbers & 63).astype(np.uint64))
    before = np.searchsorted(numbers, np.arange(len(kept), dtype=np.int64) * 64).astype(np.int32)
    return kept, before, rows


class _Reader:
    """Reads one item after another, and never past the end."""

    def __init__(self, data: npt.NDArray[np.uint8]) -> None:
        self.data = data
        self.at = 0

    def _take(self, size: int) -> npt.NDArray[np.uint8]:
        if size < 0 or self.at + size > len(self.data):
            raise ValueError("it ends too early")
        self.at += size
        return self.data[self.at - size : self.at]

    def numbers(self, layout: str) -> tuple[Any, ...]:
        return struct.unpack(layout, self._take(struct.calcsize(layout)).tobytes())

    def flag(self) -> bool:
        return bool(self._take(1)[0])

    def array(self, dtype: type[np.generic], count: int) -> npt.NDArray[Any]:
        """Aligned copy of `count` numbers."""
        content = self._take(count * np.dtype(dtype).itemsize)
        return np.frombuffer(content.tobytes(), np.dtype(dtype).newbyteorder("<")).astype(dtype, copy=False)

    def dictionary(
        self, size: int, words: int
    ) -> tuple[npt.NDArray[np.uint8], Int64, Int64, tuple[str, ...]]:
        """Spellings, their offsets, counts, and the labels, which come after the words."""
        if size * 10 > len(self.data):
            raise ValueError("it ends too early")
        starts, ends, counts, kinds, behind = scan_entries(self.data, self.at, size)
        if behind < 0:
            raise ValueError("it ends too early")
        if (kinds[:words] != 0).any() or (kinds[words:] != 1).any():
            raise ValueError("its dictionary does not hold the words first and then the labels")
        start, self.at = self.at, behind
        offsets = np.zeros(size + 1, np.int64)
        np.cumsum(ends - starts, out=offsets[1:])
        # Every entry is followed by NUL, count and type: ten bytes.
        is_name = np.ones(behind - start, bool)
        is_name[((ends - start)[:, None] + np.arange(10)).ravel()] = False
        names = self.data[start:behind][is_name]
        spelled = tuple(
            names[offsets[entry] : offsets[entry + 1]]
            .tobytes()
            .decode("utf-8", "replace")
            .removeprefix(_LABEL)
            for entry in range(words, size)
        )
        return names, offsets, counts, spelled

    def matrix(self, quantised: bool, dimension: int) -> Float32:
        """A matrix float32[rows, dimension], unpacked when it is quantised."""
        if not quantised:
            rows, columns = self.numbers("<qq")
            if columns != dimension or rows < 0:
                raise ValueError("a matrix of it has another size")
            return self.array(np.float32, rows * columns).reshape(rows, columns)
        with_norms = self.flag()
        rows, columns, size = self.numbers("<qqi")
        if columns != dimension or rows < 0:
            raise ValueError("a matrix of it has another size")
        codes = self._take(size)
        centroids = self._centroids(columns)
        if size != rows * len(centroids):
            raise ValueError("a matrix of it has another number of codes")
        codes = codes.reshape(rows, len(centroids))
        matrix = np.concatenate([part[codes[:, place]] for place, part in enumerate(centroids)], axis=1)
        if with_norms:
            norm_codes = self._take(rows)
            matrix = matrix * self._centroids(1)[0][norm_codes]
        return np.ascontiguousarray(matrix, np.float32)

    def _centroids(self, columns: int) -> list[Float32]:
        """Centroids of each run of columns, float32[256, width]."""
        dimension, parts, width, last = self.numbers("<4i")
        if dimension != columns or parts < 1 or (parts - 1) * width + last != columns or min(width, last) < 1:
            raise ValueError("a quantiser of it has another size")
        values = self.array(np.float32, columns * _CENTROIDS)
        border = (parts - 1) * width * _CENTROIDS
        found = list(values[:border].reshape(parts - 1, _CENTROIDS, width))
        return [*found, values[border:].reshape(_CENTROIDS, last)]
