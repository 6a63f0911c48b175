"""Hashes of all windows of words, and the anchors that stand for them: winnowing."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corpusforge.kernels.array_types import READ_INT64, READ_UINT64
from corpusforge.kernels.hash64 import mix
from corpusforge.kernels.loading import kernel, types

Int64 = npt.NDArray[np.int64]
UInt64 = npt.NDArray[np.uint64]

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


@kernel(
    types.Tuple((types.int64[::1], types.uint64[::1]))(READ_INT64, READ_UINT64, types.int64, types.uint64)
)
def window_hashes(
    document_offsets: Int64, terms: UInt64, width: int, salt: np.uint64
) -> tuple[Int64, UInt64]:
    """Hash every run of `width` words, in order; a document of fewer words has none.

    `document_offsets` int64[n + 1] indexes `terms` uint64[m], hashes of words. Other salts give other, independent
    hashes. Returns offsets int64[n + 1] and hashes uint64. Each hash is taken on from the one before it in constant
    time (Karp and Rabin, Efficient randomized pattern-matching algorithms, 1987).
    """
    documents = len(document_offsets) - 1
    offsets = np.zeros(documents + 1, np.int64)
    for document in range(documents):
        words = document_offsets[document + 1] - document_offsets[document]
        offsets[document + 1] = offsets[document] + max(0, words - width + 1)
    hashes = np.empty(offsets[documents], np.uint64)
    power = np.uint64(1)
    for _ in range(width - 1):
        power *= _MULTIPLIER
    for document in range(documents):
        begin, end = document_offsets[document], document_offsets[document + 1]
        if end - begin < width:
            continue
        rolling = np.uint64(0)
        for word in range(begin, begin + width - 1):
            rolling = rolling * _MULTIPLIER + mix(terms[word] ^ salt)
        place = offsets[document]
        for first in range(begin, end - width + 1):
            rolling = rolling * _MULTIPLIER + mix(terms[first + width - 1] ^ salt)
            hashes[place] = mix(rolling ^ salt)
            place += 1
            rolling -= mix(terms[first] ^ salt) * power
    return offsets, hashes


@kernel(types.Tuple((types.int64[::1], types.int64[::1]))(READ_INT64, READ_UINT64, types.int64))
def window_minima(offsets: Int64, hashes: UInt64, width: int) -> tuple[Int64, Int64]:
    """The place of the least hash of every run of `width` hashes, the rightmost one of equals.

    `offsets` int64[n + 1] indexes `hashes` uint64[m]. Returns offsets int64[n + 1] and places int64, indices of
    `hashes`; a document of fewer hashes has none. Equal runs have their minima at equal places within them: this is
    winnowing (Schleimer, Wilkerson, Aiken, Winnowing: local algorithms for document fingerprinting, 2003).
    """
    documents = len(offsets) - 1
    new_offsets = np.zeros(documents + 1, np.int64)
    for document in range(documents):
        count = offsets[document + 1] - offsets[document]
        new_offsets[document + 1] = new_offsets[document] + max(0, count - width + 1)
    places = np.empty(new_offsets[documents], np.int64)
    # Candidates for the minimum, their hashes rising: a ring, as at most `width` are alive.
    ring = np.empty(width, np.int64)
    for document in range(documents):
        begin, end = offsets[document], offsets[document + 1]
        head, alive = 0, 0
        filled = new_offsets[document]
        for place in range(begin, end):
            if alive > 0 and ring[head] <= place - width:
                head = (head + 1) % width
                alive -= 1
            while alive > 0 and hashes[ring[(head + alive - 1) % width]] >= hashes[place]:
                alive -= 1
            ring[(head + alive) % width] = place
            alive += 1
            if place - begin >= width - 1:
                places[filled] = ring[head]
                filled += 1
    return new_offsets, places
