"""Statistics of the words of texts by their 64-bit hashes: different ones, entropy, the most frequent n-grams."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from corpusforge.kernels.array_types import INT64, READ_INT32, READ_INT64, READ_UINT64
from corpusforge.kernels.hash64 import SEQUENCE, add_hash
from corpusforge.kernels.loading import kernel, types
from corpusforge.kernels.repetition import largest_document, slot_of, slots_for

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
UInt64 = npt.NDArray[np.uint64]
Float64 = npt.NDArray[np.float64]

TOP_SIZES = (2, 3, 4)
"""Lengths of the n-grams of `top_n_gram_characters`."""

_FLOAT64 = types.Array(types.float64, 1, "C")


def distinct_and_entropy(hashes: UInt64, offsets: Int64) -> tuple[Int64, Float64]:
    """Different words int64[n] and the entropy of their distribution in nats, float64[n]; 0 without words.

    Words are equal when their `hashes` uint64[w] are; text i has ``offsets[i]:offsets[i + 1]``.
    """
    distinct, entropy = _distinct_and_entropy(hashes, offsets)
    return distinct, entropy


def top_n_gram_characters(hashes: UInt64, characters: Int32, offsets: Int64) -> Int64:
    """Characters of the most frequent n-gram times its occurrences, int64[n, 3], for n-grams of 2, 3 and 4 words.

    Occurrences may overlap; of equally frequent n-grams the one that stands first counts; 0 when none occurs
    twice. `hashes` uint64[w] and `characters` int32[w] of the words, `offsets` int64[n + 1].
    """
    return np.asarray(_top_n_grams(hashes, characters, offsets)).reshape(-1, 3)


def count_sequences(hashes: UInt64, offsets: Int64, sequences: set[tuple[int, ...]]) -> Int64:
    """Count the runs of words that are among `sequences` (hashes of their words), int64[n]; they may overlap."""
    totals = np.zeros(len(offsets) - 1, np.int64)
    documents = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    for size in sorted({len(sequence) for sequence in sequences}):
        windows = len(hashes) - size + 1
        if size == 0 or windows < 1:
            continue
        keys = np.array([_joined(sequence) for sequence in sequences if len(sequence) == size], np.uint64)
        joined = np.zeros(windows, np.uint64)
        for word in range(size):
            joined = joined * SEQUENCE + hashes[word : word + windows]
        # A run must not begin in one text and end in the next.
        inside = documents[:windows] == documents[size - 1 :]
        found = documents[:windows][np.isin(joined, keys) & inside]
        totals += np.bincount(found, minlength=len(totals))
    return totals


def _joined(sequence: tuple[int, ...]) -> int:
    state = 0
    for item in sequence:
        state = (state * int(SEQUENCE) + item) & 0xFFFFFFFFFFFFFFFF
    return state


@kernel(types.Tuple((INT64, _FLOAT64))(READ_UINT64, READ_INT64))
def _distinct_and_entropy(hashes: UInt64, offsets: Int64) -> tuple[Int64, Float64]:
    documents = len(offsets) - 1
    distinct = np.zeros(documents, np.int64)
    entropy = np.zeros(documents, np.float64)
    slots = slots_for(largest_document(offsets))
    keys = np.empty(slots, np.uint64)
    stamps = np.zeros(slots, np.int32)
    counts = np.empty(slots, np.int64)
    order = np.empty(slots, np.int64)
    for document in range(documents):
        words = offsets[document + 1] - offsets[document]
        stamp = np.int32(document + 1)
        mask = slots_for(words) - 1
        found = 0
        for word in range(offsets[document], offsets[document + 1]):
            slot = slot_of(keys, stamps, mask, hashes[word], stamp)
            if stamps[slot] != stamp:
                stamps[slot] = stamp
                keys[slot] = hashes[word]
                counts[slot] = 0
                order[found] = slot
                found += 1
            counts[slot] += 1
        # In the order of first occurrence, so that the sum is the same everywhere.
        total = 0.0
        for place in range(found):
            count = counts[order[place]]
            if count > 1:
                total += count * math.log(count)
        distinct[document] = found
        if found > 1:
            entropy[document] = math.log(words) - total / words
    return distinct, entropy


@kernel(INT64(READ_UINT64, READ_INT32, READ_INT64))
def _top_n_grams(hashes: UInt64, characters: Int32, offsets: Int64) -> Int64:
    documents = len(offsets) - 1
    result = np.zeros(documents * 3, np.int64)
    largest = largest_document(offsets)
    slots = slots_for(largest)
    keys = np.empty(slots, np.uint64)
    stamps = np.zeros(slots, np.int32)
    first = np.empty(slots, np.int64)
    grams = np.empty(largest, np.uint64)
    places, occurrences = np.empty(largest, np.int64), np.empty(largest, np.int64)
    origins = np.empty(largest, np.int64)
    ends_at = np.zeros(largest + 1, np.int64)
    stamp = np.int32(0)
    for document in range(documents):
        begin = offsets[document]
        words = offsets[document + 1] - begin
        for word in range(words):
            grams[word] = hashes[begin + word]
            places[word] = word
            ends_at[word + 1] = ends_at[word] + characters[begin + word]
        count = words - 1
        for size in range(2, 5):
            stamp += np.int32(1)
            mask = slots_for(max(count, 0)) - 1
            for k in range(count):
                at = places[k]
                grams[at] = add_hash(grams[at], hashes[begin + at + size - 1])
                slot = slot_of(keys, stamps, mask, grams[at], stamp)
                if stamps[slot] != stamp:
                    stamps[slot] = stamp
                    keys[slot] = grams[at]
                    first[slot] = k
                    occurrences[k] = 0
                origins[k] = first[slot]
                occurrences[first[slot]] += 1
            best = 0
            for k in range(count):
                if origins[k] == k and occurrences[k] > occurrences[best]:
                    best = k
            if count <= 0 or occurrences[best] < 2:
                break
            at = places[best]
            result[document * 3 + size - 2] = (ends_at[at + size] - ends_at[at]) * occurrences[best]
            # A longer n-gram can only repeat where its first words do.
            kept = 0
            for k in range(count):
                if occurrences[origins[k]] > 1 and places[k] + size < words:
                    places[kept] = places[k]
                    kept += 1
            count = kept
    return result
