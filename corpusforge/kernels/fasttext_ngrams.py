"""Buckets of the character n-grams of words, as fastText hashes them.

The rules are fastText's (facebookresearch/fastText 0.9.2, ``dictionary.cc``: hash, computeSubwords): ``<`` and ``>``
stand around a word, an n-gram is a run of whole characters, FNV-1a of 32 bits takes its bytes as signed ones, and
``<`` and ``>`` alone count for nothing. The n-grams of many words, whose characters are written one behind the other
into a block, are hashed side by side: one length after another, at every character of the block.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corpusforge.kernels.array_types import READ_UINT8, READ_UINT64
from corpusforge.kernels.loading import kernel, types
from corpusforge.kernels.vectors import add_bytes_16, add_characters_16, remainders_16

Bytes = npt.NDArray[np.uint8]
Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
UInt32 = npt.NDArray[np.uint32]
UInt64 = npt.NDArray[np.uint64]

BASIS = np.uint64(2166136261)
"""Hash of nothing."""

CHUNK = 64
"""Characters of a block that are hashed side by side."""

LIKELY_ITEMS = 1 << 12
"""Items of a small bit set that most buckets are found missing in: 32 KiB, so that it stays in a core's own cache."""

_ONE = np.uint64(1)
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
        types.uint32[::1],
        types.int64,
        types.int64,
        types.int64,
        types.int64,
        types.int64,
        types.uint32[::1],
        _BUCKETS,
    )
)
def hash_block(
    units: UInt32,
    size: int,
    plain: int,
    shortest: int,
    longest: int,
    buckets: int,
    states: UInt32,
    found: Int32,
) -> None:
    """Buckets of the runs of `shortest` (1 or more) to `longest` characters that begin at each of the first `size`.

    `units` has characters, each a number of its one to four bytes, the first one lowest, and `longest` more of
    them than `size`, which is a multiple of 64; the first `plain` are of ASCII; `states` uint32[size] is room to
    work in; ``found[length - shortest, place]`` becomes the bucket.
    """
    factor, shift = reciprocal(buckets)
    divisor, behind, step = np.uint64(buckets), np.uint64(size), np.uint64(16)
    for place in range(size):
        states[np.uint64(place)] = np.uint32(BASIS)
    for length in range(1, longest + 1):
        more = np.uint64(length - 1)
        row = np.uint64(length - shortest)
        for place in range(np.uint64(0), behind, step):
            if place + more + step <= np.uint64(plain):
                add_bytes_16(units, place + more, states, place)
            else:
                add_characters_16(units, place + more, states, place)
            if length >= shortest:
                remainders_16(states, place, divisor, factor, shift, found, row, place)


@kernel(types.uint64(types.uint64[::1], types.int64, types.int64))
def _shifted(bits: UInt64, item: int, places: int) -> np.uint64:
    """Item of a bit set whose bits were moved `places`, 0 to 63, towards its start."""
    low = bits[item] >> np.uint64(places)
    # Two shifts, as one by 64 is not defined.
    return np.uint64(low | ((bits[item + 1] << np.uint64(1)) << np.uint64(63 - places)))


@kernel(types.uint64[::1](READ_UINT64))
def fold(kept: UInt64) -> UInt64:
    """Lay a bit set of buckets, all of them where it is empty, over itself: uint64[LIKELY_ITEMS].

    A bucket whose bit is not set in it, by the lowest bits of its number, is not kept.
    """
    likely = np.zeros(LIKELY_ITEMS, np.uint64)
    for item in range(len(kept)):
        likely[item & (LIKELY_ITEMS - 1)] |= kept[item]
    if len(kept) == 0:
        likely[:] = ~np.uint64(0)
    return likely


@kernel(types.int64(types.int32[::1], types.int32[::1], types.int64, READ_UINT64))
def keep_kept(found: Int32, words: Int32, count: int, kept: UInt64) -> np.int64:
    """Move what is of kept buckets to the front of the first `count` of `found` and `words`; their number."""
    if len(kept) == 0:
        return np.int64(count)
    number = np.uint64(0)
    for place in range(count):
        at = np.uint64(place)
        bucket = np.uint64(found[at])
        found[number], words[number] = found[at], words[at]
        number += (kept[bucket >> np.uint64(6)] >> (bucket & np.uint64(63))) & _ONE
    return np.int64(number)


@kernel(
    types.void(
        _BUCKETS, types.int64, types.int64, types.int64, READ_UINT64, types.uint64[::1], types.uint64[:, ::1]
    )
)
def mark_likely(
    buckets: Int32, size: int, shortest: int, longest: int, likely: UInt64, lasts: UInt64, marks: UInt64
) -> None:
    """Mark the places of a block where n-grams begin that lie in one word and whose bucket can be a kept one.

    `likely` is `fold`'s; `buckets` is what `hash_block` made of `size` places, a multiple of 64; `lasts`
    uint64[size / 64 + 1] has a bit per place, set for the last ones of words, and a word begins behind it. Row i
    of `marks` uint64[lengths, size / 64] becomes the bits of the n-grams of ``shortest + i`` characters.
    """
    lengths = longest - shortest + 1
    for item in range(size >> 6):
        for row in range(lengths):
            bits = np.uint64(0)
            for place in range(64):
                bucket = np.uint32(buckets[row, (item << 6) + place])
                word = np.uint64((bucket >> np.uint32(6)) & np.uint32(LIKELY_ITEMS - 1))
                bits |= ((likely[word] >> np.uint64(bucket & np.uint32(63))) & np.uint64(1)) << np.uint64(
                    place
                )
            outside = np.uint64(0)
            for places in range(shortest + row - 1):
                outside |= _shifted(lasts, item, places)
            if shortest + row == 1:
                before = lasts[item - 1] >> np.uint64(63) if item > 0 else np.uint64(1)
                outside = lasts[item] | (lasts[item] << np.uint64(1)) | before
            marks[row, item] = bits & ~outside


@kernel(
    types.int64(
        _BUCKETS,
        types.uint64[:, ::1],
        types.int64,
        types.uint64[::1],
        types.int32[::1],
        types.int32[::1],
    )
)
def select_from_block(
    buckets: Int32, marks: UInt64, filled: int, lasts: UInt64, found: Int32, words: Int32
) -> np.int64:
    """Write the marked buckets of the first `filled` places of a block to `found`, and the words they are of.

    `buckets`, `marks` and `lasts` are those of `mark_kept`; words are numbered as they stand in the block. Returns
    how many there are: first those of the shortest n-grams, and so on.
    """
    count = np.uint64(0)
    for length in range(len(buckets)):
        row = np.uint64(length)
        word = np.uint64(0)
        for chunk in range((filled + CHUNK - 1) >> 6):
            item = np.uint64(chunk)
            places = marks[row, item]
            if filled - (chunk << 6) < CHUNK:
                places &= (_ONE << np.uint64(filled & 63)) - _ONE
            while places:
                first = places & (~places + _ONE)
                found[count] = buckets[row, (item << np.uint64(6)) + ones(first - _ONE)]
                words[count] = word + ones(lasts[item] & (first - _ONE))
                count += _ONE
                places ^= first
            word += ones(lasts[item])
    return np.int64(count)


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
