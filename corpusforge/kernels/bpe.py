"""Byte-pair merges of chunks of text: what SentencePiece's BPE does, over a table of pairs.

Source of the method: Sennrich et al., ACL 2016; the order of merges (best score first, leftmost among equals) is
that of SentencePiece (``src/bpe_model.cc``). There a merge looks the joined spelling up in the vocabulary; here every
way to cut a piece into two symbols was entered in the table before, so that a look-up compares two numbers.

A symbol is the number of a piece, or above the pieces that of a character which occurs in pieces only; other
characters are -1 and never merge.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corpusforge.kernels.array_types import (
    INT32,
    INT64,
    READ_INT32,
    READ_INT64,
    READ_UINT8,
    READ_UINT64,
    UINT64,
)
from corpusforge.kernels.loading import kernel, types

Bytes = npt.NDArray[np.uint8]
Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
UInt64 = npt.NDArray[np.uint64]

FREE = np.uint64(0xFFFFFFFFFFFFFFFF)
"""The key of a slot without a pair: no two symbols have it."""
NO_MERGE = 0x7FFFFFFFFFFFFFFF

_SPACE = 0x20
_SCANNED = 64
"""Chunks of at most so many symbols are searched for their best pair; longer ones keep a heap."""
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(32)
_MARK_SHIFT = np.uint64(38)
_MARK = np.uint64(63)

PAIRS = types.Array(types.uint64, 2, "C")
READ_PAIRS = types.Array(types.uint64, 2, "C", readonly=True)


@kernel(types.uint64(types.int32, types.int32))
def _key(left: int, right: int) -> np.uint64:
    return (np.uint64(left) << _SHIFT) | np.uint64(right)


@kernel(types.uint64(types.uint64))
def _mixed(key: np.uint64) -> np.uint64:
    mixed = key * _MULTIPLIER
    return np.uint64(mixed ^ (mixed >> _SHIFT))


@kernel(types.void(READ_INT32, READ_INT32, READ_INT64, PAIRS, UINT64))
def insert_pairs(lefts: Int32, rights: Int32, merges: Int64, pairs: UInt64, marks: UInt64) -> None:
    """Enter pairs of symbols int32[p] with their merges.

    `pairs` uint64[slots, 2] has a power of two of slots, `FREE` at first, and at least one too many; `marks` is a
    power of two of words of bits, 0 at first: most pairs that are not there find no bit set, without a look into
    the table. A merge is (rank << 32) | merged symbol: of two, the lesser is done first.
    """
    last = np.uint64(len(pairs) - 1)
    for pair in range(len(lefts)):
        key = _key(lefts[pair], rights[pair])
        mixed = _mixed(key)
        slot = mixed & last
        while pairs[slot, 0] != FREE:
            slot = (slot + np.uint64(1)) & last
        pairs[slot, 0] = key
        pairs[slot, 1] = np.uint64(merges[pair])
        marks[(mixed >> _MARK_SHIFT) & np.uint64(len(marks) - 1)] |= np.uint64(1) << (
            (mixed >> _SHIFT) & _MARK
        )


@kernel(types.int64(READ_PAIRS, READ_UINT64, types.int32, types.int32))
def find_merge(pairs: UInt64, marks: UInt64, left: int, right: int) -> int:
    """Give the merge of two symbols, or `NO_MERGE`."""
    if left < 0 or right < 0:
        return NO_MERGE
    key = _key(left, right)
    mixed = _mixed(key)
    word = marks[(mixed >> _MARK_SHIFT) & np.uint64(len(marks) - 1)]
    if (word >> ((mixed >> _SHIFT) & _MARK)) & np.uint64(1) == 0:
        return NO_MERGE
    last = np.uint64(len(pairs) - 1)
    slot = mixed & last
    while pairs[slot, 0] != key:
        if pairs[slot, 0] == FREE:
            return NO_MERGE
        slot = (slot + np.uint64(1)) & last
    return int(pairs[slot, 1])


@kernel(types.int64(READ_PAIRS, READ_UINT64, INT32, INT64, INT64, types.int64))
def _merge_scanning(
    pairs: UInt64, marks: UInt64, symbols: Int32, places: Int64, merges: Int64, count: int
) -> int:
    """Merge `count` symbols in place, looking through all pairs for the best; gives how many are left."""
    for at in range(count - 1):
        merges[at] = find_merge(pairs, marks, symbols[at], symbols[at + 1])
    while count > 1:
        best = 0
        rank = merges[0] >> 32
        for at in range(1, count - 1):
            if merges[at] >> 32 < rank:
                rank = merges[at] >> 32
                best = at
        if merges[best] == NO_MERGE:
            break
        symbols[best] = np.int32(merges[best] & 0x7FFFFFFF)
        count -= 1
        for at in range(best + 1, count):
            symbols[at] = symbols[at + 1]
            places[at] = places[at + 1]
            merges[at - 1] = merges[at]
        if best + 1 < count:
            merges[best] = find_merge(pairs, marks, symbols[best], symbols[best + 1])
        if best > 0:
            merges[best - 1] = find_merge(pairs, marks, symbols[best - 1], symbols[best])
    return count


@kernel(types.void(INT64, INT64, INT64, types.int64, types.int64, types.int64))
def _push(ranks: Int64, lefts: Int64, widths: Int64, held: int, rank: int, left: int) -> None:
    """Add an entry to a heap of `held` entries, ordered by rank, then place; its width is entered by the caller."""
    width = widths[held]
    at = held
    while at > 0:
        above = (at - 1) >> 1
        if ranks[above] < rank or (ranks[above] == rank and lefts[above] <= left):
            break
        ranks[at], lefts[at], widths[at] = ranks[above], lefts[above], widths[above]
        at = above
    ranks[at], lefts[at], widths[at] = rank, left, width


@kernel(types.void(INT64, INT64, INT64, types.int64))
def _pop(ranks: Int64, lefts: Int64, widths: Int64, held: int) -> None:
    """Remove the first of `held` entries."""
    last = held - 1
    rank, left, width = ranks[last], lefts[last], widths[last]
    at = 0
    while True:
        below = 2 * at + 1
        if below >= last:
            break
        right = below + 1
        if right < last and (
            ranks[right] < ranks[below] or (ranks[right] == ranks[below] and lefts[right] < lefts[below])
        ):
            below = right
        if rank < ranks[below] or (rank == ranks[below] and left <= lefts[below]):
            break
        ranks[at], lefts[at], widths[at] = ranks[below], lefts[below], widths[below]
        at = below
    ranks[at], lefts[at], widths[at] = rank, left, width


@kernel(types.int64(READ_PAIRS, READ_UINT64, INT32, INT64, types.int64))
def _merge_with_heap(pairs: UInt64, marks: UInt64, symbols: Int32, places: Int64, count: int) -> int:
    """Merge `count` symbols in place in O(n log n); gives how many are left.

    An entry stands for the pair that begins at `left`; it is out of date when the characters under both symbols
    are not as many as when it was entered, or when its first symbol is gone.
    """
    sizes = np.ones(count, np.int64)  # characters under a symbol; 0 when it went into the one before
    following = np.arange(1, count + 1, dtype=np.int64)
    before = np.arange(-1, count - 1, dtype=np.int64)
    ranks = np.empty(3 * count, np.int64)
    lefts = np.empty(3 * count, np.int64)
    widths = np.empty(3 * count, np.int64)
    held = np.int64(0)
    for at in range(count - 1):
        merge = find_merge(pairs, marks, symbols[at], symbols[at + 1])
        if merge != NO_MERGE:
            widths[held] = 2
            _push(ranks, lefts, widths, held, merge >> 32, at)
            held += 1
    while held:
        left, width = lefts[0], widths[0]
        _pop(ranks, lefts, widths, held)
        held -= 1
        right = following[left]
        if sizes[left] == 0 or right >= count or sizes[left] + sizes[right] != width:
            continue
        symbols[left] = np.int32(find_merge(pairs, marks, symbols[left], symbols[right]) & 0x7FFFFFFF)
        sizes[left] = width
        sizes[right] = 0
        following[left] = following[right]
        if following[left] < count:
            before[following[left]] = left
        for first in (before[left], left):
            second = following[first] if first >= 0 else count
            if second < count:
                merge = find_merge(pairs, marks, symbols[first], symbols[second])
                if merge != NO_MERGE:
                    widths[held] = sizes[first] + sizes[second]
                    _push(ranks, lefts, widths, held, merge >> 32, first)
                    held += 1
    kept = 0
    for at in range(count):
        if sizes[at]:
            symbols[kept] = symbols[at]
            places[kept] = places[at]
            kept += 1
    return kept


@kernel(types.int64(READ_UINT8, types.int64, types.int64, READ_INT32, INT32, INT64, types.int64))
def _read_symbols(
    data: Bytes, start: int, end: int, symbol_of: Int32, symbols: Int32, places: Int64, count: int
) -> int:
    """Add the characters of ``data[start:end]`` to `count` symbols; -1 where the bytes are no UTF-8."""
    at = start
    while at < end:
        byte = np.int64(data[at])
        places[count] = at
        if byte < 0x80:
            symbols[count] = symbol_of[byte]
            at += 1
        else:
            size = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            if byte < 0xC0 or at + size > end:
                return -1
            point = byte & (0x7F >> size)
            for inner in range(1, size):
                point = (point << 6) | (np.int64(data[at + inner]) & 0x3F)
            if point >= len(symbol_of):
                return -1
            symbols[count] = symbol_of[point]
            at += size
        count += 1
    return count


@kernel(
    types.Tuple((types.int32[::1], types.int64[::1], types.boolean[::1]))(
        READ_UINT8,
        READ_INT64,
        READ_INT64,
        types.int64,
        READ_INT32,
        READ_PAIRS,
        READ_UINT64,
        READ_INT32,
        types.int64,
    )
)
def encode_chunks(
    data: Bytes,
    starts: Int64,
    ends: Int64,
    first_prefixed: int,
    symbol_of: Int32,
    pairs: UInt64,
    marks: UInt64,
    byte_ids: Int32,
    pieces: int,
) -> tuple[Int32, Int64, npt.NDArray[np.bool_]]:
    """Encode n chunks: (ids int32[t], offsets int64[n + 1], whether each could be encoded, bool[n]).

    Chunks from number `first_prefixed` on have a space put before them. `symbol_of` int32[code points] gives the
    symbol of a character, that of a space being the space symbol's; symbols below `pieces` are ids. Characters that
    are no piece become the ids of their bytes; with a negative ``byte_ids[0]`` a chunk that has one is not encoded
    and has no ids, and neither has one that is not UTF-8.
    """
    most = np.int64(0)
    total = np.int64(0)
    for chunk in range(len(starts)):
        most = max(most, ends[chunk] - starts[chunk])
        total += ends[chunk] - starts[chunk]
    ids = np.empty(total + len(starts), np.int32)
    offsets = np.zeros(len(starts) + 1, np.int64)
    encoded = np.ones(len(starts), np.bool_)
    symbols = np.empty(most + 1, np.int32)
    places = np.empty(most + 2, np.int64)
    merges = np.empty(_SCANNED, np.int64)
    held = np.int64(0)
    for chunk in range(len(starts)):
        count = np.int64(0)
        if chunk >= first_prefixed:
            symbols[0] = symbol_of[_SPACE]
            places[0] = starts[chunk]
            count = np.int64(1)
        count = _read_symbols(data, starts[chunk], ends[chunk], symbol_of, symbols, places, count)
        encoded[chunk] = count >= 0
        if count > 1:
            if count <= _SCANNED:
                count = _merge_scanning(pairs, marks, symbols, places, merges, count)
            else:
                count = _merge_with_heap(pairs, marks, symbols, places, count)
        first = held
        for at in range(count):
            if 0 <= symbols[at] < pieces:
                ids[held] = symbols[at]
                held += 1
            elif byte_ids[0] >= 0:
                for place in range(places[at], places[at + 1] if at + 1 < count else ends[chunk]):
                    ids[held] = byte_ids[data[place]]
                    held += 1
            else:
                encoded[chunk] = False
                held = first
                break
        offsets[chunk + 1] = held
    return ids[:held].copy(), offsets, encoded


@kernel(
    types.Tuple((types.int32[::1], types.int64[::1]))(
        READ_UINT8, READ_INT64, READ_INT64, READ_INT32, READ_PAIRS, READ_UINT64
    )
)
def encode_byte_chunks(
    data: Bytes, starts: Int64, ends: Int64, symbol_of: Int32, pairs: UInt64, marks: UInt64
) -> tuple[Int32, Int64]:
    """Encode n chunks by merges of bytes: (ids int32[t], offsets int64[n + 1]).

    `symbol_of` int32[256] gives the token of each byte. Any bytes are encoded.
    """
    most = np.int64(0)
    total = np.int64(0)
    for chunk in range(len(starts)):
        most = max(most, ends[chunk] - starts[chunk])
        total += ends[chunk] - starts[chunk]
    ids = np.empty(total, np.int32)
    offsets = np.zeros(len(starts) + 1, np.int64)
    symbols = np.empty(most + 1, np.int32)
    places = np.empty(most + 1, np.int64)
    merges = np.empty(_SCANNED, np.int64)
    held = np.int64(0)
    for chunk in range(len(starts)):
        count = ends[chunk] - starts[chunk]
        for at in range(count):
            symbols[at] = symbol_of[data[starts[chunk] + at]]
        if 1 < count <= _SCANNED:
            count = _merge_scanning(pairs, marks, symbols, places, merges, count)
        elif count > 1:
            count = _merge_with_heap(pairs, marks, symbols, places, count)
        for at in range(count):
            ids[held + at] = symbols[at]
        held += count
        offsets[chunk + 1] = held
    return ids[:held].copy(), offsets
