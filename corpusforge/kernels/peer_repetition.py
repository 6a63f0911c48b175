"""Repeated n-grams as two other projects count them, so that their verdicts can be had from ours.

Both count the most frequent n-gram with overlaps, and also when it occurs once; of equally frequent ones the one
that stands first. They differ in what the length of an n-gram is and in which duplicates count (see
`docs/concepts/rule-set-variants.md`). N-grams are compared by 64-bit hashes of their words.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corpusforge.kernels.array_types import INT32, INT64, READ_INT32, READ_INT64, READ_UINT64, UINT64
from corpusforge.kernels.hash64 import add_hash
from corpusforge.kernels.loading import kernel, types
from corpusforge.kernels.repetition import largest_document, slot_of, slots_for

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
UInt64 = npt.NDArray[np.uint64]

_SMALLEST, _FIRST_DUPLICATE, _LARGEST = 2, 5, 10
_SIZES = _LARGEST - _SMALLEST + 1


def datatrove_n_gram_characters(hashes: UInt64, characters: Int32, offsets: Int64) -> Int64:
    """Characters in repeated n-grams as datatrove counts them, int64[texts, 9]: a column for n = 2 to 10.

    `hashes` uint64[w] and `characters` int32[w] (length) of the words, `offsets` int64[n + 1].

    n = 2, 3, 4: the most frequent n-gram's characters, with a space between words, times its occurrences.
    n = 5 to 10: from left to right, an n-gram that was met before counts its characters and is jumped over;
    any other is remembered, and the next one begins a word further.
    """
    return _columns(_n_grams(hashes, characters, offsets, True), offsets)


def dolma_n_gram_characters(hashes: UInt64, characters: Int32, offsets: Int64) -> Int64:
    """Characters in repeated n-grams as Dolma counts them, int64[texts, 9]: a column for n = 2 to 10.

    n = 2, 3, 4: the most frequent n-gram's characters, without spaces, times its occurrences.
    n = 5 to 10: the characters of every occurrence of an n-gram that occurs twice, overlaps counted again.
    """
    return _columns(_n_grams(hashes, characters, offsets, False), offsets)


def n_gram_mass(characters: Int32, offsets: Int64) -> Int64:
    """Characters of all n-grams, each word as often as n-grams hold it, int64[texts, 9]: for n = 2 to 10."""
    return _columns(_mass(characters, offsets), offsets)


def _columns(values: Int64, offsets: Int64) -> Int64:
    return np.asarray(values).reshape(len(offsets) - 1, _SIZES)


@kernel(
    types.UniTuple(types.int64, 2)(
        UINT64, types.int64, types.int64, UINT64, INT32, types.int32, INT64, INT64, INT64
    )
)
def _count_grams(
    grams: UInt64,
    count: int,
    size: int,
    keys: UInt64,
    stamps: Int32,
    stamp: int,
    first: Int64,
    occurrences: Int64,
    ends_at: Int64,
) -> tuple[int, int]:
    """Count n-grams: (place of the most frequent, characters of all that occur twice, each time).

    ``occurrences[place]`` holds the count of the n-gram that stands first at `place`.
    """
    mask = slots_for(count) - 1
    for at in range(count):
        slot = slot_of(keys, stamps, mask, grams[at], stamp)
        if stamps[slot] != stamp:
            stamps[slot] = stamp
            keys[slot] = grams[at]
            first[slot] = at
            occurrences[at] = 1
        else:
            occurrences[at] = 0
            occurrences[first[slot]] += 1
    best = 0
    repeated = np.int64(0)
    for at in range(count):
        if occurrences[at] > occurrences[best]:
            best = at
        if occurrences[at] > 1:
            repeated += occurrences[at] * (ends_at[at + size] - ends_at[at])
    return best, int(repeated)


@kernel(types.int64(UINT64, types.int64, types.int64, UINT64, INT32, types.int32, INT64))
def _jumped_over(
    grams: UInt64, count: int, size: int, keys: UInt64, stamps: Int32, stamp: int, ends_at: Int64
) -> int:
    """Characters of n-grams that were met before, jumping over each."""
    mask = slots_for(count) - 1
    total = np.int64(0)
    at = 0
    while at < count:
        slot = slot_of(keys, stamps, mask, grams[at], stamp)
        if stamps[slot] == stamp:
            total += ends_at[at + size] - ends_at[at]
            at += size
        else:
            stamps[slot] = stamp
            keys[slot] = grams[at]
            at += 1
    return int(total)


@kernel(INT64(READ_UINT64, READ_INT32, READ_INT64, types.boolean))
def _n_grams(hashes: UInt64, characters: Int32, offsets: Int64, jumps: bool) -> Int64:
    result = np.zeros((len(offsets) - 1) * _SIZES, np.int64)
    largest = largest_document(offsets)
    slots = slots_for(largest)
    keys = np.empty(slots, np.uint64)
    stamps = np.zeros(slots, np.int32)
    first, occurrences = np.empty(slots, np.int64), np.empty(largest, np.int64)
    grams = np.empty(largest, np.uint64)
    ends_at = np.zeros(largest + 1, np.int64)
    stamp = np.int32(0)
    for document in range(len(offsets) - 1):
        begin = offsets[document]
        words = offsets[document + 1] - begin
        for word in range(words):
            grams[word] = hashes[begin + word]
            ends_at[word + 1] = ends_at[word] + characters[begin + word]
        for size in range(_SMALLEST, min(_LARGEST, words) + 1):
            count = words - size + 1
            for at in range(count):
                grams[at] = add_hash(grams[at], hashes[begin + at + size - 1])
            stamp += np.int32(1)
            if size >= _FIRST_DUPLICATE and jumps:
                found = _jumped_over(grams, count, size, keys, stamps, stamp, ends_at)
            else:
                best, repeated = _count_grams(
                    grams, count, size, keys, stamps, stamp, first, occurrences, ends_at
                )
                spaces = size - 1 if jumps else 0
                top = (ends_at[best + size] - ends_at[best] + spaces) * occurrences[best]
                found = top if size < _FIRST_DUPLICATE else repeated
            result[document * _SIZES + size - _SMALLEST] = found
    return result


@kernel(INT64(READ_INT32, READ_INT64))
def _mass(characters: Int32, offsets: Int64) -> Int64:
    result = np.zeros((len(offsets) - 1) * _SIZES, np.int64)
    for document in range(len(offsets) - 1):
        words = offsets[document + 1] - offsets[document]
        for word in range(words):
            for size in range(_SMALLEST, min(_LARGEST, words) + 1):
                holders = min(word + 1, words - word, size, words - size + 1)
                result[document * _SIZES + size - _SMALLEST] += holders * characters[offsets[document] + word]
    return result
