"""Buckets of the character n-grams of words, as fastText hashes them.

The rules are fastText's (facebookresearch/fastText 0.9.2, ``dictionary.cc``: hash, computeSubwords): ``<`` and ``>``
stand around a word, an n-gram is a run of whole characters, FNV-1a of 32 bits takes its bytes as signed ones, and
``<`` and ``>`` alone count for nothing. Characters of ASCII are bytes, so the n-grams of many such words, written
one behind the other into a block, are hashed side by side: one length after another, at every byte of the block.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corpusforge.kernels.array_types import READ_UINT8, READ_UINT64
from corpusforge.kernels.loading import kernel, types

Bytes = npt.NDArray[np.uint8]
Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
UInt32 = npt.NDArray[np.uint32]
UInt64 = npt.NDArray[np.uint64]

BASIS = np.uint64(2166136261)
"""Hash of nothing."""

BLOCK_BYTES = 4096
"""Bytes of a block of words: what a core's first cache holds together with the hashes and buckets."""

_PRIME = np.uint64(16777619)
_MASK = np.uint64(0xFFFFFFFF)
_SIGN = np.uint64(0xFFFFFF00)
_BUCKETS = types.Array(types.int32, 2, "C")


@kernel(types.uint64(types.uint64, types.uint8))
def add_byte(state: np.uint64, byte: int) -> np.uint64:
    """32-bit FNV-1a state after a byte, which fastText extends as a signed one."""
    value = np.uint64(byte)
    return ((state ^ (value | (value >> np.uint64(7)) * _SIGN)) * _PRIME) & _MASK


@kernel(types.uint64(types.uint64))
def ones(value: np.uint64) -> np.uint64:
    """Bits that are set."""
    value -= (value >> np.uint64(1)) & np.uint64(0x5555555555555555)
    value = (value & np.uint64(0x3333333333333333)) + (
        (value >> np.uint64(2)) & np.uint64(0x3333333333333333)
    )
    value = (value + (value >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return (value * np.uint64(0x0101010101010101)) >> np.uint64(56)


@kernel(types.UniTuple(types.uint64, 2)(types.int64))
def reciprocal(divisor: int) -> tuple[np.uint64, np.uint64]:
    """(factor, shift) so that ``(x * factor) >> shift`` is x // divisor or one more, for every x below 2^32."""
    shift = np.uint64(32)
    while (np.int64(2) << np.int64(shift - np.uint64(32))) <= divisor:
        shift += np.uint64(1)
    return np.uint64((np.uint64(1) << shift) // np.uint64(max(divisor, 1)) + np.uint64(1)), shift


@kernel(types.int64(types.uint64, types.int64, types.uint64, types.uint64))
def _bucket(state: np.uint64, buckets: int, factor: np.uint64, shift: np.uint64) -> np.int64:
    """Remainder of a hash by the number of buckets, given its `reciprocal`."""
    bucket = np.int64(state) - np.int64((state * factor) >> shift) * buckets
    return np.int64(bucket + (buckets if bucket < 0 else 0))


@kernel(types.int64(types.int64, READ_UINT64))
def _is_kept(bucket: int, kept: UInt64) -> np.int64:
    """1 for a bucket whose bit is set, else 0."""
    place = np.uint64(bucket)
    return np.int64((kept[place >> np.uint64(6)] >> (place & np.uint64(63))) & np.uint64(1))


@kernel(
    types.void(
        types.uint8[::1],
        types.int64,
        types.int64,
        types.int64,
        types.int64,
        types.uint32[::1],
        _BUCKETS,
    )
)
def hash_block(
    text: Bytes, size: int, shortest: int, longest: int, buckets: int, states: UInt32, found: Int32
) -> None:
    """Buckets of the runs of `shortest` (1 or more) to `longest` bytes that begin at each of the first `size` bytes.

    `text` has `longest` bytes more; `states` uint32[size] is room to work in; ``found[length - shortest, place]``
    becomes the bucket.
    """
    factor, shift = reciprocal(buckets)
    for place in range(size):
        states[place] = np.uint32(BASIS)
    for length in range(1, longest + 1):
        for place in range(size):
            states[place] = np.uint32(add_byte(np.uint64(states[place]), text[place + length - 1]))
        if length >= shortest:
            for place in range(size):
                found[length - shortest, place] = _bucket(np.uint64(states[place]), buckets, factor, shift)


@kernel(types.uint64(types.uint64[::1], types.int64, types.int64))
def _shifted(bits: UInt64, item: int, places: int) -> np.uint64:
    """Item of a bit set whose bits were moved `places`, 0 to 63, towards its start."""
    low = bits[item] >> np.uint64(places)
    # Two shifts, as one by 64 is not defined.
    return np.uint64(low | ((bits[item + 1] << np.uint64(1)) << np.uint64(63 - places)))


@kernel(
    types.void(
        _BUCKETS, types.int64, types.int64, types.int64, READ_UINT64, types.uint64[::1], types.uint64[:, ::1]
    )
)
def mark_kept(
    buckets: Int32, size: int, shortest: int, longest: int, kept: UInt64, lasts: UInt64, marks: UInt64
) -> None:
    """Mark the places of a block where n-grams begin that lie in one word and whose bucket is kept.

    `buckets` is what `hash_block` made of `size` places, a multiple of 64; `lasts` uint64[size / 64 + 1] has a
    bit per place, set for the last ones of words, and a word begins behind it. Row i of `marks` uint64[lengths
    + 1, size / 64 + 1] becomes the bits of the n-grams of ``shortest + i`` bytes, the last row those of all.
    """
    lengths = longest - shortest + 1
    for item in range(size >> 6):
        marks[lengths, item] = 0
        for row in range(lengths):
            bits = np.uint64(0)
            for place in range(64):
                bucket = np.uint32(buckets[row, (item << 6) + place])
                if len(kept) > 0:
                    bit = (kept[bucket >> np.uint32(6)] >> np.uint64(bucket & np.uint32(63))) & np.uint64(1)
                else:
                    bit = np.uint64(1)
                bits |= bit << np.uint64(place)
            outside = np.uint64(0)
            for places in range(shortest + row - 1):
                outside |= _shifted(lasts, item, places)
            if shortest + row == 1:
                before = lasts[item - 1] >> np.uint64(63) if item > 0 else np.uint64(1)
                outside = lasts[item] | (lasts[item] << np.uint64(1)) | before
            marks[row, item] = bits & ~outside
            marks[lengths, item] |= marks[row, item]


@kernel(
    types.int64(
        _BUCKETS, types.uint64[:, ::1], types.int64, types.int64, types.int64, types.int32[::1], types.int64
    )
)
def select_from_block(
    buckets: Int32, marks: UInt64, begin: int, end: int, lengths: int, found: Int32, count: int
) -> np.int64:
    """Write the marked buckets of the word at ``begin:end`` of a block from ``found[count]`` on; new count.

    `buckets` and `marks` are what `hash_block` and `mark_kept` made; the word has up to 63 bytes.
    """
    number = np.uint64(count)
    places = _shifted(marks[lengths], begin >> 6, begin & 63)
    places &= (np.uint64(1) << np.uint64(end - begin)) - np.uint64(1)
    while places:
        first = places & (~places + np.uint64(1))
        place = np.uint64(begin) + ones(first - np.uint64(1))
        for row in range(lengths):
            # The next bucket overwrites one that is not marked: counting costs less than branching.
            found[number] = buckets[row, place]
            number += (marks[row, place >> np.uint64(6)] >> (place & np.uint64(63))) & np.uint64(1)
        places ^= first
    return np.int64(number)


@kernel(
    types.int64(
        READ_UINT8,
        types.int64,
        types.int64,
        types.int64,
        READ_UINT64,
        types.int32[::1],
        types.int64,
    )
)
def select_from_word(
    text: Bytes, shortest: int, longest: int, buckets: int, kept: UInt64, found: Int32, count: int
) -> np.int64:
    """Write the kept buckets of one word, ``<`` and ``>`` around it, from ``found[count]`` on; new count."""
    factor, shift = reciprocal(buckets)
    size = len(text)
    number = np.int64(count)
    for first in range(size):
        if text[first] & 0xC0 == 0x80:
            continue
        state = BASIS
        at = first
        for length in range(1, longest + 1):
            if at >= size:
                break
            state = add_byte(state, text[at])
            at += 1
            while at < size and text[at] & 0xC0 == 0x80:
                state = add_byte(state, text[at])
                at += 1
            if length < shortest or (length == 1 and (first == 0 or at == size)):
                continue
            bucket = _bucket(state, buckets, factor, shift)
            found[number] = bucket
            number += _is_kept(bucket, kept) if len(kept) > 0 else np.int64(1)
    return number
