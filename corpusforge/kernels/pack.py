"""Packing pieces of documents into rows of fixed capacity.

Best-fit: H. Ding et al., "Fewer truncations improve language modeling" (arXiv 2404.10830), section 3: cut
documents longer than a row into full rows and a remainder, then best-fit decreasing. Here in windows, with
rows left open from one window to the next. Instead of a tree over bins, rows with equal free space form a
stack, and a three-level bit set over free spaces finds the tightest stack that fits.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corpusforge.kernels.loading import kernel, types

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
UInt64 = npt.NDArray[np.uint64]

MAXIMUM_CAPACITY = (1 << 24) - 1
"""Tokens per row; four levels of 64-bit words cover it."""

_LEVELS = 4
_lengths = types.Array(types.int64, 1, "C", readonly=True)
_int32 = types.Array(types.int32, 1, "C", readonly=True)
_bits = types.uint64[:, ::1]
_pieces = types.Tuple((types.int64[::1], types.int64[::1], types.int32[::1]))


@kernel(_pieces(_lengths, types.int64))
def cut_long(lengths: Int64, capacity: int) -> tuple[Int64, Int64, Int32]:
    """Pieces of documents: (document int64[p], start int64[p], length int32[p]), in order.

    A document longer than `capacity` becomes full pieces and a remainder; an empty document has no piece.
    """
    count = 0
    for document in range(len(lengths)):
        count += -(-lengths[document] // capacity)
    documents = np.empty(count, np.int64)
    starts = np.empty(count, np.int64)
    sizes = np.empty(count, np.int32)
    piece = 0
    for document in range(len(lengths)):
        start = np.int64(0)
        while start < lengths[document]:
            documents[piece] = document
            starts[piece] = start
            sizes[piece] = min(capacity, lengths[document] - start)
            start += sizes[piece]
            piece += 1
    return documents, starts, sizes


@kernel(_pieces(_lengths, types.int64))
def cut_stream(lengths: Int64, capacity: int) -> tuple[Int64, Int64, Int32]:
    """Pieces as in `cut_long`, of the documents laid end to end and cut every `capacity` tokens."""
    total = np.int64(0)
    count = 0
    for document in range(len(lengths)):
        length = lengths[document]
        if length > 0:
            count += (total + length - 1) // capacity - total // capacity + 1
        total += length
    documents = np.empty(count, np.int64)
    starts = np.empty(count, np.int64)
    sizes = np.empty(count, np.int32)
    piece = 0
    free = capacity
    for document in range(len(lengths)):
        start = np.int64(0)
        while start < lengths[document]:
            documents[piece] = document
            starts[piece] = start
            sizes[piece] = min(free, lengths[document] - start)
            start += sizes[piece]
            free -= sizes[piece]
            if free == 0:
                free = capacity
            piece += 1
    return documents, starts, sizes


@kernel(types.int64(types.uint64))
def _lowest_bit(word: np.uint64) -> int:
    """Position of the lowest set bit of a word that is not zero."""
    position = 0
    for width in (32, 16, 8, 4, 2, 1):
        mask = (np.uint64(1) << np.uint64(width)) - np.uint64(1)
        if word & mask == np.uint64(0):
            word >>= np.uint64(width)
            position += width
    return position


@kernel(types.void(_bits, types.int64))
def _set(bits: UInt64, value: int) -> None:
    for level in range(_LEVELS):
        word = value >> 6
        before = bits[level, word]
        bits[level, word] = before | (np.uint64(1) << np.uint64(value & 63))
        if before != np.uint64(0):
            return
        value = word


@kernel(types.void(_bits, types.int64))
def _clear(bits: UInt64, value: int) -> None:
    for level in range(_LEVELS):
        word = value >> 6
        bits[level, word] &= ~(np.uint64(1) << np.uint64(value & 63))
        if bits[level, word] != np.uint64(0):
            return
        value = word


@kernel(types.int64(_bits, types.int64))
def _next(bits: UInt64, value: int) -> int:
    """Smallest member at or above `value`, or -1."""
    words = bits.shape[1]
    for level in range(_LEVELS):
        word = value >> 6
        if word >= words:
            return -1
        above = bits[level, word] >> np.uint64(value & 63) << np.uint64(value & 63)
        if above != np.uint64(0):
            found: int = (word << 6) + _lowest_bit(above)
            for lower in range(level - 1, -1, -1):
                found = (found << 6) + _lowest_bit(bits[lower, found])
            return found
        value = word + 1
    return -1


@kernel(types.void(_int32, types.int64, types.int64, types.int64[::1], types.int64[::1]))
def _longest_first(sizes: Int32, first: int, last: int, counts: Int64, order: Int64) -> None:
    """Write the pieces first..last-1 to `order`, longest first, equal ones in order (counting sort)."""
    counts[:] = 0
    for piece in range(first, last):
        counts[sizes[piece]] += 1
    place = 0
    for size in range(len(counts) - 1, 0, -1):
        here = counts[size]
        counts[size] = place
        place += here
    for piece in range(first, last):
        order[counts[sizes[piece]]] = piece
        counts[sizes[piece]] += 1


@kernel(types.int64[::1](_int32, types.int64, types.int64))
def best_fit(sizes: Int32, capacity: int, window: int) -> Int64:
    """Row int64[p] of each piece int32[p] (0 < size <= capacity).

    Pieces are taken `window` at a time, longest first (equal ones in order). Each goes to the open row with
    the least free space that holds it, among equals to the one touched last, or opens the next row. Rows stay
    open from one window to the next.
    """
    rows = np.empty(len(sizes), np.int64)
    stack = np.full(capacity + 1, -1, np.int64)
    below = np.empty(len(sizes), np.int64)
    bits = np.zeros((_LEVELS, (capacity >> 6) + 1), np.uint64)
    counts = np.empty(capacity + 1, np.int64)
    order = np.empty(min(window, len(sizes)), np.int64)
    opened = np.int64(0)
    for first in range(0, len(sizes), window):
        last = min(first + window, len(sizes))
        _longest_first(sizes, first, last, counts, order)
        for place in range(last - first):
            piece = order[place]
            size = np.int64(sizes[piece])
            free = _next(bits, size)
            if free < 0:
                row = opened
                opened += 1
                free = np.int64(capacity)
            else:
                row = stack[free]
                stack[free] = below[row]
                if stack[free] < 0:
                    _clear(bits, free)
            rows[piece] = row
            free -= size
            if free > 0:
                if stack[free] < 0:
                    _set(bits, free)
                below[row] = stack[free]
                stack[free] = row
    return rows
