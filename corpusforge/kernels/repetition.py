"""What repeats inside a document: items that came before, and words under repeated n-grams.

Sequences are compared by 64-bit hashes of their words. One hash table serves all documents of a batch: a slot
counts as empty unless it bears the stamp of the current pass, so nothing is ever cleared.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corpusforge.kernels.array_types import INT32, INT64, READ_INT32, READ_INT64, READ_UINT64, UINT8, UINT64
from corpusforge.kernels.hash64 import add_hash, mix
from corpusforge.kernels.loading import kernel, types

Bytes = npt.NDArray[np.uint8]
Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
UInt64 = npt.NDArray[np.uint64]

TOP_SIZES = (2, 3, 4)
"""Sizes of n-grams of which the most frequent one counts."""
DUPLICATE_SIZES = (5, 6, 7, 8, 9, 10)
"""Sizes of n-grams of which every repeated one counts."""

_SMALLEST, _FIRST_DUPLICATE, _LARGEST = 2, 5, 10


def hash_sequences(hashes: UInt64, boundaries: Int64) -> UInt64:
    """Hash of each sequence ``hashes[boundaries[i]:boundaries[i + 1]]``, uint64[m]."""
    return np.asarray(_hash_sequences(hashes, boundaries))


def find_repeats(hashes: UInt64, offsets: Int64, count_first: bool) -> npt.NDArray[np.bool_]:
    """Mark items that came before in the same document, bool[m]; with `count_first` their first ones too.

    `hashes` uint64[m] identify the items, `offsets` int64[n + 1] gives each document's range.
    """
    return np.asarray(_find_repeats(hashes, offsets, count_first)).view(np.bool_)


def repeated_n_gram_characters(hashes: UInt64, characters: Int32, offsets: Int64, count_first: bool) -> Int64:
    """Characters of texts that stand in repeated n-grams, int64[texts, 9]: a column for n = 2 to 10.

    `hashes` uint64[w] and `characters` int32[w] (length) of the words, `offsets` int64[n + 1].

    n = 2, 3, 4: the characters of the most frequent n-gram times its occurrences, which are counted from left
    to right without overlap; of equally frequent ones the longest; 0 when none occurs twice.
    n = 5 to 10: the characters of all words that are covered by an n-gram that occurred before (starting
    further left, overlapping or not), each word once; with `count_first` those of first occurrences too.
    """
    return np.asarray(_repeated_n_grams(hashes, characters, offsets, count_first)).reshape(
        len(offsets) - 1, 9
    )


@kernel(UINT64(READ_UINT64, READ_INT64))
def _hash_sequences(hashes: UInt64, boundaries: Int64) -> UInt64:
    result = np.empty(len(boundaries) - 1, np.uint64)
    for sequence in range(len(boundaries) - 1):
        state = np.uint64(0)
        for item in range(boundaries[sequence], boundaries[sequence + 1]):
            state = add_hash(state, hashes[item])
        result[sequence] = mix(state)
    return result


@kernel(types.int64(READ_INT64))
def largest_document(offsets: Int64) -> int:
    """Size of the largest document."""
    largest = 0
    for document in range(len(offsets) - 1):
        largest = max(largest, offsets[document + 1] - offsets[document])
    return largest


@kernel(types.int64(types.int64))
def slots_for(items: int) -> int:
    """Slots of a table that gets `items` keys: a power of two, at most two thirds full."""
    slots = 16
    while 2 * slots < 3 * items:
        slots *= 2
    return slots


@kernel(types.int64(READ_UINT64, READ_INT32, types.int64, types.uint64, types.int32))
def slot_of(keys: UInt64, stamps: Int32, mask: int, key: np.uint64, stamp: int) -> int:
    """Slot that holds the key in this pass, or the free one where it belongs."""
    slot = int(np.int64(key) & mask)
    while stamps[slot] == stamp and keys[slot] != key:
        slot = (slot + 1) & mask
    return slot


@kernel(UINT8(READ_UINT64, READ_INT64, types.boolean))
def _find_repeats(hashes: UInt64, offsets: Int64, count_first: bool) -> Bytes:
    repeated = np.zeros(len(hashes), np.uint8)
    slots = slots_for(largest_document(offsets))
    keys = np.empty(slots, np.uint64)
    stamps = np.zeros(slots, np.int32)
    first = np.empty(slots, np.int64)
    for document in range(len(offsets) - 1):
        stamp = np.int32(document + 1)
        mask = slots_for(offsets[document + 1] - offsets[document]) - 1
        for item in range(offsets[document], offsets[document + 1]):
            slot = slot_of(keys, stamps, mask, hashes[item], stamp)
            if stamps[slot] == stamp:
                repeated[item] = 1
                if count_first:
                    repeated[first[slot]] = 1
            else:
                stamps[slot] = stamp
                keys[slot] = hashes[item]
                first[slot] = item
    return repeated


@kernel(types.int64(UINT64, INT32, types.int64, UINT64, INT32, types.int32, INT32, INT32, UINT8))
def _find_origins(
    grams: UInt64,
    places: Int32,
    count: int,
    keys: UInt64,
    stamps: Int32,
    stamp: int,
    first: Int32,
    origins: Int32,
    repeated: Bytes,
) -> int:
    """Write to `origins[k]` where the n-gram at `places[k]` stood first; return how many stood before.

    `repeated` is set where an n-gram occurs more than once, the first time as well.
    """
    mask = slots_for(count) - 1
    repeats = 0
    for k in range(count):
        at = places[k]
        slot = slot_of(keys, stamps, mask, grams[at], stamp)
        if stamps[slot] != stamp:
            stamps[slot] = stamp
            keys[slot] = grams[at]
            first[slot] = at
        else:
            repeats += 1
            repeated[at] = 1
            repeated[first[slot]] = 1
        origins[k] = first[slot]
    return repeats


@kernel(types.int64(INT32, INT32, types.int64, types.int64, INT64, INT32, INT32))
def _top_n_gram(
    places: Int32,
    origins: Int32,
    count: int,
    size: int,
    ends_at: Int64,
    occurrences: Int32,
    free_from: Int32,
) -> int:
    """Characters of the most frequent n-gram times its count; `ends_at[i]` are those before word i."""
    best = 1
    best_length = 0
    for k in range(count):
        at, origin = places[k], origins[k]
        if at == origin:
            occurrences[origin] = 1
            free_from[origin] = at + size
            continue
        if at < free_from[origin]:
            continue
        occurrences[origin] += 1
        free_from[origin] = at + size
        length = int(ends_at[at + size] - ends_at[at])
        if occurrences[origin] > best or (occurrences[origin] == best and length > best_length):
            best = int(occurrences[origin])
            best_length = length
    return best * best_length


@kernel(types.int64(INT32, INT32, types.int64, types.int64, INT64, UINT8, types.boolean))
def _covered_by_repeats(
    places: Int32,
    origins: Int32,
    count: int,
    size: int,
    ends_at: Int64,
    covered: Bytes,
    count_first: bool,
) -> int:
    """Characters of the words under repeated n-grams. `covered` is zero before and after."""
    for k in range(count):
        at, origin = places[k], origins[k]
        if at == origin:
            continue
        for word in range(at + size - 1, at - 1, -1):
            if covered[word]:
                break
            covered[word] = 1
        if count_first:
            for word in range(origin, origin + size):
                covered[word] = 1
    total = 0
    for word in range(len(covered)):
        if covered[word]:
            total += ends_at[word + 1] - ends_at[word]
            covered[word] = 0
    return total


@kernel(types.int64(INT32, types.int64, types.int64, UINT8))
def _keep_repeated(places: Int32, count: int, last: int, repeated: Bytes) -> int:
    """Keep the `repeated` places up to `last`, in order; return how many. Clears `repeated`."""
    kept = 0
    for k in range(count):
        at = places[k]
        if repeated[at] and at <= last:
            places[kept] = at
            kept += 1
        repeated[at] = 0
    return kept


@kernel(INT64(READ_UINT64, READ_INT32, READ_INT64, types.boolean))
def _repeated_n_grams(hashes: UInt64, characters: Int32, offsets: Int64, count_first: bool) -> Int64:
    sizes = _LARGEST - _SMALLEST + 1
    result = np.zeros((len(offsets) - 1) * sizes, np.int64)
    largest = largest_document(offsets)
    slots = slots_for(largest)
    keys = np.empty(slots, np.uint64)
    stamps = np.zeros(slots, np.int32)
    first = np.empty(slots, np.int32)
    places, origins = np.empty(largest, np.int32), np.empty(largest, np.int32)
    occurrences, free_from = np.empty(largest, np.int32), np.empty(largest, np.int32)
    grams = np.empty(largest, np.uint64)
    ends_at = np.zeros(largest + 1, np.int64)
    repeated, covered = np.zeros(largest, np.uint8), np.zeros(largest, np.uint8)
    stamp = np.int32(0)
    for document in range(len(offsets) - 1):
        begin = offsets[document]
        words = offsets[document + 1] - begin
        for word in range(words):
            grams[word] = hashes[begin + word]
            places[word] = word
            ends_at[word + 1] = ends_at[word] + characters[begin + word]
        count = words - 1
        for size in range(_SMALLEST, _LARGEST + 1):
            # An n-gram can only repeat where its first n - 1 words do: the others have left `places`.
            for k in range(count):
                at = places[k]
                grams[at] = add_hash(grams[at], hashes[begin + at + size - 1])
            stamp += np.int32(1)
            if _find_origins(grams, places, count, keys, stamps, stamp, first, origins, repeated) == 0:
                break
            if size < _FIRST_DUPLICATE:
                found = _top_n_gram(places, origins, count, size, ends_at, occurrences, free_from)
            else:
                found = _covered_by_repeats(
                    places, origins, count, size, ends_at, covered[:words], count_first
                )
            result[document * sizes + size - _SMALLEST] = found
            count = _keep_repeated(places, count, words - size - 1, repeated)
    return result
