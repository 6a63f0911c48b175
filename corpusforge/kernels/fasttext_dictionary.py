"""The dictionary of a fastText model file: its entries, and a table that finds them by their spelling."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corpusforge.kernels.array_types import READ_INT64, READ_UINT8
from corpusforge.kernels.fasttext_sums import find_entry, word_hash
from corpusforge.kernels.loading import kernel, types

Bytes = npt.NDArray[np.uint8]
Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]


@kernel(
    types.Tuple((types.int64[::1], types.int64[::1], types.int64[::1], types.uint8[::1], types.int64))(
        READ_UINT8, types.int64, types.int64
    )
)
def scan_entries(data: Bytes, at: int, size: int) -> tuple[Int64, Int64, Int64, Bytes, np.int64]:
    """Find the `size` dictionary entries that a model file holds from byte `at` on.

    An entry is a spelling, NUL, a count int64 and a type byte. Returns starts and ends of the spellings, counts,
    types, and the byte behind the last entry: -1 when the file ends before.
    """
    starts = np.zeros(size, np.int64)
    ends = np.zeros(size, np.int64)
    counts = np.zeros(size, np.int64)
    kinds = np.zeros(size, np.uint8)
    for entry in range(size):
        starts[entry] = at
        while at < len(data) and data[at] != 0:
            at += 1
        ends[entry] = at
        if at + 10 > len(data):
            return starts, ends, counts, kinds, np.int64(-1)
        count = np.uint64(0)
        for place in range(8):
            count |= np.uint64(data[at + 1 + place]) << np.uint64(8 * place)
        counts[entry] = np.int64(count)
        kinds[entry] = data[at + 9]
        at += 10
    return starts, ends, counts, kinds, np.int64(at)


@kernel(types.int32[::1](READ_UINT8, READ_INT64, types.int64))
def hash_entries(names: Bytes, name_offsets: Int64, slots: int) -> Int32:
    """Table of entries by hash for `find_entry`, int32[slots], a power of two; of equal spellings the first counts."""
    table = np.full(slots, -1, np.int32)
    mask = np.uint64(slots - 1)
    for entry in range(len(name_offsets) - 1):
        start, end = name_offsets[entry], name_offsets[entry + 1]
        if find_entry(names, start, end, names, name_offsets, table) >= 0:
            continue
        slot = word_hash(names, start, end) & mask
        while table[slot] >= 0:
            slot = (slot + np.uint64(1)) & mask
        table[slot] = entry
    return table
