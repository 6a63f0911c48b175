"""Words of spans of text, looked up in a table that is kept from batch to batch.

The table is open, probed linearly, and its keys are the words themselves, up to 31 bytes and their number, so a
hit needs no further check. Longer words, and words that find the table full, are new every time. A batch only
adds to the table; `keep_used` thins it out between batches.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corpusforge.kernels.array_types import INT64, READ_INT64, READ_UINT8, READ_UINT64
from corpusforge.kernels.hash64 import SEQUENCE, mix
from corpusforge.kernels.loading import kernel, types
from corpusforge.kernels.unicode_table import CLASSES, SPACE, decode

Bytes = npt.NDArray[np.uint8]
Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
UInt64 = npt.NDArray[np.uint64]

KEY_BYTES = 31
"""Longest word that the table holds."""

KEYS = types.Array(types.uint64, 2, "C")
_MAXIMUM_PROBES = 16
_SPACE = 0x20
_TAB, _CARRIAGE_RETURN = 0x09, 0x0D
_ONES = np.uint64(0x0101010101010101)
_READ_UINT16 = types.Array(types.uint16, 1, "C", readonly=True)
_BLANKS = CLASSES & SPACE
_BLANKS[0x1C:0x20] = SPACE


def are_blank(data: Bytes, starts: Int64, ends: Int64) -> npt.NDArray[np.bool_]:
    """Tell which of s spans hold nothing but white space: what Python's ``str.isspace`` calls so. bool[s]."""
    return np.asarray(_are_blank(data, starts, ends, _BLANKS))


@kernel(types.boolean[::1](READ_UINT8, READ_INT64, READ_INT64, _READ_UINT16))
def _are_blank(
    data: Bytes, starts: Int64, ends: Int64, blanks: npt.NDArray[np.uint16]
) -> npt.NDArray[np.bool_]:
    result = np.ones(len(starts), np.bool_)
    for span in range(len(starts)):
        at = starts[span]
        while at < ends[span]:
            code_point, size = decode(data, at, ends[span])
            if blanks[code_point] == 0:
                result[span] = False
                break
            at += size
    return result


def strip_spans(data: Bytes, starts: Int64, ends: Int64) -> tuple[Int64, Int64]:
    """Narrow s spans of UTF-8 to what Python's ``str.strip`` leaves of them: starts and ends int64[s]."""
    new_starts, new_ends = _strip_spans(data, starts, ends, _BLANKS)
    return new_starts, new_ends


@kernel(types.UniTuple(INT64, 2)(READ_UINT8, READ_INT64, READ_INT64, _READ_UINT16))
def _strip_spans(
    data: Bytes, starts: Int64, ends: Int64, blanks: npt.NDArray[np.uint16]
) -> tuple[Int64, Int64]:
    new_starts = starts.copy()
    new_ends = ends.copy()
    for span in range(len(starts)):
        at = starts[span]
        end = ends[span]
        while at < end:
            code_point, size = decode(data, at, end)
            if blanks[code_point] == 0:
                break
            at += size
        while end > at:
            back = end - 1
            while back > at and end - back < 4 and data[back] & 0xC0 == 0x80:
                back -= 1
            code_point, size = decode(data, back, end)
            if blanks[code_point] == 0:
                break
            end = back
        new_starts[span] = at
        new_ends[span] = end
    return new_starts, new_ends


@kernel(types.boolean(types.uint8))
def is_space(byte: int) -> bool:
    """Space, tab to carriage return, and NUL: what parts words for fastText."""
    return byte == _SPACE or _TAB <= byte <= _CARRIAGE_RETURN or byte == 0


@kernel(types.uint64(READ_UINT64, types.int64))
def eight_bytes(blocks: UInt64, at: int) -> np.uint64:
    """Bytes ``at:at + 8``, the first one lowest."""
    shift = np.uint64((at & 7) * 8)
    # Two shifts, as one by 64 is not defined.
    high = (blocks[(at >> 3) + 1] << np.uint64(1)) << (np.uint64(63) - shift)
    return np.uint64((blocks[at >> 3] >> shift) | high)


@kernel(types.uint64(types.uint64, types.boolean))
def _bytes_before_space(block: np.uint64, only_space: bool) -> np.uint64:
    """Number of bytes before the first one that parts words, 8 where there is none.

    One subtraction marks the bytes below 0x21, and sometimes a 0x21 behind one; each marked one is looked at.
    """
    marks = (block - _ONES * np.uint64(0x21)) & ~block & (_ONES << np.uint64(7))
    while marks:
        first = marks & (~marks + np.uint64(1))
        count = ((((first >> np.uint64(7)) - np.uint64(1)) & _ONES) * _ONES) >> np.uint64(56)
        byte = np.uint8((block >> (count << np.uint64(3))) & np.uint64(0xFF))
        if byte == _SPACE or (not only_space and is_space(byte)):
            return np.uint64(count)
        marks ^= first
    return np.uint64(8)


@kernel(types.uint64(types.uint64, types.uint64, types.uint64, types.uint64))
def _hash_key(first: np.uint64, second: np.uint64, third: np.uint64, fourth: np.uint64) -> np.uint64:
    return np.uint64(mix(((first * SEQUENCE + second) * SEQUENCE + third) * SEQUENCE + fourth))


def as_blocks(data: Bytes) -> UInt64:
    """Copy bytes to items of eight, the first one lowest, with room behind them, uint64[len(data) // 8 + 2]."""
    blocks = np.empty(len(data) // 8 + 2, np.dtype("<u8"))
    blocks[-2:] = 0
    blocks.view(np.uint8)[: len(data)] = data
    return blocks.astype(np.uint64, copy=False)


@kernel(
    types.Tuple((INT64, types.int32[::1], INT64, INT64, types.int32[::1], types.uint8[::1]))(
        READ_UINT64, READ_INT64, READ_INT64, types.boolean, types.uint64, KEYS, types.uint8[::1], INT64
    )
)
def find_words(
    blocks: UInt64,
    starts: Int64,
    ends: Int64,
    only_space: bool,
    stop: np.uint64,
    keys: UInt64,
    used: Bytes,
    held: Int64,
) -> tuple[Int64, Int32, Int64, Int64, Int32, Bytes]:
    """Split s spans at space (and at the other bytes of `is_space`, unless `only_space`), and look the words up.

    `blocks` uint64 holds the text eight bytes an item, the first one lowest, with one item more behind it;
    `starts`, `ends` int64[s] are byte positions in it; `stop` is a word of up to 7 bytes as such an item, behind
    which a span is not read, or 0; `keys` uint64[c, 4], `used` uint8[c] (lookups up to 2) and `held` int64[1]
    are the table, c a power of two. Returns `offsets` int64[s + 1] of the spans' words, `places` int32[t], a
    slot of the table or ~k for the k-th new word without one, the new words' starts and ends int64[m] and their
    slots or -1, int32[m], and uint8[s] that is 1 where a span holds the word `stop`.
    """
    bound = np.int64(0)
    for span in range(len(starts)):
        bound += (ends[span] - starts[span] + 1) >> 1
    offsets = np.zeros(len(starts) + 1, np.int64)
    places = np.empty(bound, np.int32)
    new_starts = np.empty(bound, np.int64)
    new_ends = np.empty(bound, np.int64)
    new_slots = np.empty(bound, np.int32)
    stopped = np.zeros(len(starts), np.uint8)
    mask = np.uint64(len(keys) - 1)
    limit = len(keys) - len(keys) // 4
    count = new = outside = np.int64(0)
    for span in range(len(starts)):
        at, end = starts[span], ends[span]
        while at < end:
            byte = np.uint8(blocks[at >> 3] >> np.uint64((at & 7) * 8))
            if byte == _SPACE or (not only_space and is_space(byte)):
                at += 1
                continue
            start = at
            first = second = third = fourth = np.uint64(0)
            size = np.int64(8)
            while size == 8 and at < end:
                block = eight_bytes(blocks, at)
                size = min(np.int64(_bytes_before_space(block, only_space)), end - at)
                if size == 0:
                    break
                block &= ~np.uint64(0) >> np.uint64(64 - 8 * size)
                if at == start:
                    first = block
                elif at == start + 8:
                    second = block
                elif at == start + 16:
                    third = block
                else:
                    fourth = block
                at += size
            if stop != 0 and first == stop and at - start < 8:
                stopped[span] = 1
                break
            place = np.int64(-1)
            is_new = True
            if at - start <= KEY_BYTES:
                fourth |= np.uint64(at - start) << np.uint64(56)
                slot = _hash_key(first, second, third, fourth) & mask
                for _ in range(_MAXIMUM_PROBES):
                    if keys[slot, 3] == 0:
                        if held[0] < limit:
                            place = np.int64(slot)
                            keys[slot, 0], keys[slot, 1] = first, second
                            keys[slot, 2], keys[slot, 3] = third, fourth
                            used[slot] = 1
                            held[0] += 1
                        break
                    if (
                        keys[slot, 0] == first
                        and keys[slot, 1] == second
                        and keys[slot, 2] == third
                        and keys[slot, 3] == fourth
                    ):
                        place = np.int64(slot)
                        used[slot] = 2
                        is_new = False
                        break
                    slot = (slot + np.uint64(1)) & mask
            if is_new:
                new_starts[new] = start
                new_ends[new] = at
                new_slots[new] = place
                new += 1
                if place < 0:
                    place = ~outside
                    outside += 1
            places[count] = place
            count += 1
        offsets[span + 1] = count
    return offsets, places[:count], new_starts[:new], new_ends[:new], new_slots[:new], stopped


@kernel(types.Tuple((types.int32[::1], types.int32[::1]))(KEYS, types.uint8[::1], INT64, KEYS))
def keep_used(keys: UInt64, used: Bytes, held: Int64, new_keys: UInt64) -> tuple[Int32, Int32]:
    """Copy the words that were found again since the last time to an empty table, as long as it is under half full.

    Sets `held` and `used` to what the new table is. Returns the old and the new slots of what was copied,
    int32[k] each.
    """
    mask = np.uint64(len(keys) - 1)
    copied = np.int64(0)
    old_slots = np.empty(len(keys) // 2, np.int32)
    new_slots = np.empty(len(keys) // 2, np.int32)
    for old in range(len(keys)):
        if used[old] < 2 or copied >= len(keys) // 2:
            continue
        slot = _hash_key(keys[old, 0], keys[old, 1], keys[old, 2], keys[old, 3]) & mask
        while new_keys[slot, 3] != 0:
            slot = (slot + np.uint64(1)) & mask
        for item in range(4):
            new_keys[slot, item] = keys[old, item]
        old_slots[copied] = old
        new_slots[copied] = slot
        copied += 1
    for place in range(len(keys)):
        used[place] = 1 if new_keys[place, 3] != 0 else 0
    held[0] = copied
    return old_slots[:copied], new_slots[:copied]
