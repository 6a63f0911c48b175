"""Words of spans as fastText splits them, looked up in a table that is kept from batch to batch.

The table is open, probed linearly, and its keys are the words themselves: up to 32 bytes, padded with NUL, which
no word holds. So a hit needs no further check. Longer words, and words that find the table full, are new every
time. A batch only adds to the table; `keep_used` thins it out between batches.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit, types

from corpusforge.kernels.array_types import INT64, READ_INT64, READ_UINT8
from corpusforge.kernels.hash64 import SEQUENCE, mix
from corpusforge.kernels.unicode_table import CLASSES, SPACE, decode

Bytes = npt.NDArray[np.uint8]
Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
UInt64 = npt.NDArray[np.uint64]
Float32 = npt.NDArray[np.float32]

END_OF_SENTENCE = b"</s>"
"""The word that fastText puts at the end of every line; it reads nothing behind one."""

KEY_BYTES = 32
"""Longest word that the table holds."""

KEYS = types.Array(types.uint64, 2, "C")
MATRIX = types.Array(types.float32, 2, "C")

_END_KEY = np.uint64(int.from_bytes(END_OF_SENTENCE, "little"))
_MAXIMUM_PROBES = 16
_SPACE = 0x20
_TAB, _CARRIAGE_RETURN = 0x09, 0x0D
_READ_UINT16 = types.Array(types.uint16, 1, "C", readonly=True)
_BLANKS = CLASSES & SPACE
_BLANKS[0x1C:0x20] = SPACE


def are_blank(data: Bytes, starts: Int64, ends: Int64) -> npt.NDArray[np.bool_]:
    """Tell which of s spans hold nothing but white space: what Python's ``str.isspace`` calls so. bool[s]."""
    return np.asarray(_are_blank(data, starts, ends, _BLANKS))


@njit(types.boolean[::1](READ_UINT8, READ_INT64, READ_INT64, _READ_UINT16), cache=True, nogil=True)
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


@njit(types.boolean(types.uint8), cache=True, nogil=True)
def is_space(byte: int) -> bool:
    """Bytes that part words for fastText: space, tab to carriage return, and NUL."""
    return byte == _SPACE or _TAB <= byte <= _CARRIAGE_RETURN or byte == 0


@njit(types.uint64(types.uint64, types.uint64, types.uint64, types.uint64), cache=True, nogil=True)
def _hash_key(first: np.uint64, second: np.uint64, third: np.uint64, fourth: np.uint64) -> np.uint64:
    return np.uint64(mix(((first * SEQUENCE + second) * SEQUENCE + third) * SEQUENCE + fourth))


@njit(
    types.Tuple((INT64, types.int32[::1], INT64, INT64, types.int32[::1], types.uint8[::1]))(
        READ_UINT8, READ_INT64, READ_INT64, KEYS, types.uint8[::1], INT64
    ),
    cache=True,
    nogil=True,
)
def find_words(
    data: Bytes, starts: Int64, ends: Int64, keys: UInt64, used: Bytes, held: Int64
) -> tuple[Int64, Int32, Int64, Int64, Int32, Bytes]:
    """Split s spans at space, tab to carriage return, and NUL, and look the words up.

    `starts`, `ends` int64[s]: byte positions in `data`; `keys` uint64[c, 4], `used` uint8[c] (lookups up to 2)
    and `held` int64[1] are the table, c a power of two. Returns `offsets` int64[s + 1] of the spans' words,
    `places` int32[t], a slot of the table or ~k for the k-th new word without one, the new words' starts and
    ends int64[m] and their slots or -1, int32[m], and uint8[s] that is 1 where a span holds ``</s>``.
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
            if is_space(data[at]):
                at += 1
                continue
            start = at
            first = second = third = fourth = np.uint64(0)
            while at < end:
                byte = data[at]
                if is_space(byte):
                    break
                item = np.uint64(byte) << np.uint64(((at - start) & 7) * 8)
                if at - start < 8:
                    first |= item
                elif at - start < 16:
                    second |= item
                elif at - start < 24:
                    third |= item
                else:
                    fourth |= item
                at += 1
            if first == _END_KEY and at - start == 4:
                stopped[span] = 1
                break
            place = np.int64(-1)
            is_new = True
            if at - start <= KEY_BYTES:
                slot = _hash_key(first, second, third, fourth) & mask
                for _ in range(_MAXIMUM_PROBES):
                    if keys[slot, 0] == 0:
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


@njit(
    types.void(KEYS, MATRIX, types.int32[::1], types.uint8[::1], INT64, KEYS, MATRIX, types.int32[::1]),
    cache=True,
    nogil=True,
)
def keep_used(
    keys: UInt64,
    sums: Float32,
    rows: Int32,
    used: Bytes,
    held: Int64,
    new_keys: UInt64,
    new_sums: Float32,
    new_rows: Int32,
) -> None:
    """Copy the words that were found again since the last time to an empty table, as long as it is under half full.

    `sums` float32[c, d] and `rows` int32[c] are what the table holds of each word; `held` and `used` are set to
    what the new table is.
    """
    mask = np.uint64(len(keys) - 1)
    copied = np.int64(0)
    for old in range(len(keys)):
        if used[old] < 2 or copied >= len(keys) // 2:
            continue
        slot = _hash_key(keys[old, 0], keys[old, 1], keys[old, 2], keys[old, 3]) & mask
        while new_keys[slot, 0] != 0:
            slot = (slot + np.uint64(1)) & mask
        for item in range(4):
            new_keys[slot, item] = keys[old, item]
        for column in range(sums.shape[1]):
            new_sums[slot, column] = sums[old, column]
        new_rows[slot] = rows[old]
        copied += 1
    for slot in range(len(keys)):
        used[slot] = 1 if new_keys[slot, 0] != 0 else 0
    held[0] = copied
