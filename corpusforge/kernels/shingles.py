"""Word n-grams (shingles) as 64-bit hashes, and a document's sorted set of them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corpusforge.kernels.array_types import READ_INT64, READ_UINT64, UINT64
from corpusforge.kernels.hash64 import add_hash, mix
from corpusforge.kernels.loading import kernel, types

Int64 = npt.NDArray[np.int64]
UInt64 = npt.NDArray[np.uint64]

CROWDED = 32
"""Hashes in one bucket of as many buckets as hashes: among uniform ones next to impossible, unless they are equal."""


@kernel(types.Tuple((types.int64[::1], types.uint64[::1]))(READ_INT64, READ_UINT64, types.int64))
def shingle_hashes(document_offsets: Int64, terms: UInt64, ngram: int) -> tuple[Int64, UInt64]:
    """Hash every run of `ngram` words, in order, repeats included.

    `document_offsets` int64[n + 1] indexes `terms` uint64[m], hashes of words. Returns offsets int64[n + 1]
    and shingle hashes uint64. A document of fewer than `ngram` words gives one shingle of all its words, one
    without words gives none.
    """
    documents = len(document_offsets) - 1
    offsets = np.zeros(documents + 1, np.int64)
    for document in range(documents):
        words = document_offsets[document + 1] - document_offsets[document]
        count = words - ngram + 1
        if count < 1:
            count = 1 if words > 0 else 0
        offsets[document + 1] = offsets[document] + count
    hashes = np.empty(offsets[documents], np.uint64)
    for document in range(documents):
        first_word = document_offsets[document]
        width = min(ngram, document_offsets[document + 1] - first_word)
        first = offsets[document]
        for place in range(offsets[document + 1] - first):
            value = np.uint64(width)
            for word in range(first_word + place, first_word + place + width):
                value = add_hash(value, terms[word])
            hashes[first + place] = mix(value)
    return offsets, hashes


@kernel(types.uint64[::1](READ_INT64, READ_UINT64))
def fingerprints(offsets: Int64, hashes: UInt64) -> UInt64:
    """One hash per document of its whole sequence of shingles, uint64[n].

    Equal sequences have equal fingerprints, so documents with the same words in the same order do.
    """
    documents = len(offsets) - 1
    result = np.empty(documents, np.uint64)
    for document in range(documents):
        value = np.uint64(offsets[document + 1] - offsets[document])
        for place in range(offsets[document], offsets[document + 1]):
            value = add_hash(value, hashes[place])
        result[document] = mix(value)
    return result


@kernel(UINT64(READ_UINT64))
def sorted_hashes(hashes: UInt64) -> UInt64:
    """Sorted copy of hashes: each goes to the bucket of its first bits, and within that a few places at most.

    Linear for uniform hashes. Where one bucket is crowded (repeated shingles, or hashes that were made to be) the
    usual sort takes its place.
    """
    count = len(hashes)
    bits = 1
    while (1 << bits) < count:
        bits += 1
    shift = np.uint64(64 - bits)
    starts = np.zeros((1 << bits) + 1, np.int64)
    for place in range(count):
        starts[np.int64(hashes[place] >> shift) + 1] += 1
    for bucket in range(1 << bits):
        if starts[bucket + 1] > CROWDED:
            return np.sort(hashes)
        starts[bucket + 1] += starts[bucket]
    ordered = np.empty(count, np.uint64)
    for place in range(count):
        first_bits = np.int64(hashes[place] >> shift)
        at = starts[first_bits]
        starts[first_bits] = at + 1
        ordered[at] = hashes[place]
    for place in range(1, count):
        value = ordered[place]
        target = place
        while target > 0 and ordered[target - 1] > value:
            ordered[target] = ordered[target - 1]
            target -= 1
        ordered[target] = value
    return ordered


@kernel(
    types.Tuple((types.int64[::1], types.uint64[::1], types.int64[::1]))(READ_INT64, READ_UINT64, types.int64)
)
def distinct_shingles(offsets: Int64, hashes: UInt64, limit: int) -> tuple[Int64, UInt64, Int64]:
    """Give each document's distinct shingle hashes, sorted, at most the `limit` smallest.

    Returns offsets int64[n + 1], values uint64, and int64[n] that is 1 where a set was cut. As hashes are
    uniform, the smallest ones are a random sample of the set that two documents draw alike (bottom-k; Broder,
    On the resemblance and containment of documents, 1997, section 3).
    """
    documents = len(offsets) - 1
    new_offsets = np.zeros(documents + 1, np.int64)
    cut = np.zeros(documents, np.int64)
    values = np.empty(len(hashes), np.uint64)
    filled = 0
    for document in range(documents):
        ordered = sorted_hashes(hashes[offsets[document] : offsets[document + 1]])
        start = filled
        for place in range(len(ordered)):
            if place > 0 and ordered[place] == ordered[place - 1]:
                continue
            if filled - start == limit:
                cut[document] = 1
                break
            values[filled] = ordered[place]
            filled += 1
        new_offsets[document + 1] = filled
    return new_offsets, values[:filled].copy(), cut
