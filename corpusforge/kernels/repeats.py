"""Words and phrases that stand several times in a row, in time linear in the words for each length of phrase.

A stretch of words in which every word equals the one `n` words before it has period n: a run of equal words counts
for its phrase of n words as often as that fits into the stretch and the n words before it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corpusforge.kernels.array_types import INT64, READ_INT64, READ_UINT8, READ_UINT64
from corpusforge.kernels.loading import kernel, types

Bytes = npt.NDArray[np.uint8]
Int64 = npt.NDArray[np.int64]
UInt64 = npt.NDArray[np.uint64]

_READ_BOOL = types.Array(types.boolean, 1, "C", readonly=True)
_BOOL = types.Array(types.boolean, 1, "C")


def find_repeats(
    data: Bytes,
    document_offsets: Int64,
    starts: Int64,
    ends: Int64,
    hashes: UInt64,
    counted: npt.NDArray[np.bool_],
    max_words: int,
    min_repeats: int,
) -> tuple[npt.NDArray[np.bool_], Int64, Int64]:
    """Find the words of phrases that follow on themselves, for phrases of 1 to `max_words` words.

    Text i has the words ``document_offsets[i]:document_offsets[i + 1]``, word j is ``data[starts[j]:ends[j]]`` with the
    hash `hashes` uint64[w]; words are equal when their bytes are. A phrase that stands at least `min_repeats` times in
    a row, and of which a word has `counted` bool[w], keeps its first place: the words of all others are gone, and
    longer phrases are looked for in what is left. Returns bool[w], int64[n] (phrases that were repeated) and int64[n]
    (the most times that one stood in a row, 0 without any).
    """
    documents = len(document_offsets) - 1
    gone = np.zeros(len(starts), np.bool_)
    phrases, longest = np.zeros(documents, np.int64), np.zeros(documents, np.int64)
    words = data, document_offsets, starts, ends, hashes, counted
    _find_repeats(*words, max_words, min_repeats, gone, phrases, longest)
    return gone, phrases, longest


@kernel(types.boolean(READ_UINT8, READ_INT64, READ_INT64, types.int64, types.int64))
def _same(data: Bytes, starts: Int64, ends: Int64, one: int, two: int) -> bool:
    """Whether two words have the same bytes."""
    size = ends[one] - starts[one]
    if size != ends[two] - starts[two]:
        return False
    place = 0
    while place < size and data[starts[one] + place] == data[starts[two] + place]:
        place += 1
    return bool(place == size)


@kernel(
    types.void(
        READ_UINT8,
        *[READ_INT64] * 3,
        READ_UINT64,
        _READ_BOOL,
        types.int64,
        types.int64,
        _BOOL,
        INT64,
        INT64,
    )
)
def _find_repeats(
    data: Bytes,
    document_offsets: Int64,
    starts: Int64,
    ends: Int64,
    hashes: UInt64,
    counted: npt.NDArray[np.bool_],
    max_words: int,
    min_repeats: int,
    gone: npt.NDArray[np.bool_],
    phrases: Int64,
    longest: Int64,
) -> None:
    # The words that are left of a document, and their hashes side by side: most comparisons end with these.
    left = np.empty(len(starts), np.int64)
    own = np.empty(len(starts), np.uint64)
    for document in range(len(document_offsets) - 1):
        count = document_offsets[document + 1] - document_offsets[document]
        for place in range(count):
            left[place] = document_offsets[document] + place
            own[place] = hashes[left[place]]
        for width in range(1, max_words + 1):
            if count < width * min_repeats:
                break
            before = phrases[document]
            at = width
            while at < count:
                if own[at] != own[at - width]:
                    at += 1
                    continue
                # The words `at` to `stop` equal those `width` before them; the phrase's first place is kept already.
                stop = at
                while (
                    stop < count
                    and own[stop] == own[stop - width]
                    and _same(data, starts, ends, left[stop], left[stop - width])
                ):
                    stop += 1
                times = (stop - at) // width + 1
                useful = False
                if times >= min_repeats:
                    for place in range(at - width, at):
                        useful = useful or counted[left[place]]
                if useful:
                    phrases[document] += 1
                    longest[document] = max(longest[document], times)
                    for place in range(at, at + (times - 1) * width):
                        gone[left[place]] = True
                    at += (times - 1) * width
                elif stop > at:
                    at = stop
                else:
                    at += 1
            if phrases[document] > before:
                kept = 0
                for place in range(count):
                    if not gone[left[place]]:
                        left[kept] = left[place]
                        own[kept] = own[place]
                        kept += 1
                count = kept
