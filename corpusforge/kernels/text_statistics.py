"""Counts per document and per line that the heuristic rule sets share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from corpusforge.kernels.array_types import INT64, READ_INT32, READ_INT64, READ_UINT8, READ_UINT64, UINT8
from corpusforge.kernels.hash64 import hash_string
from corpusforge.kernels.loading import kernel, types

Bytes = npt.NDArray[np.uint8]
Bool = npt.NDArray[np.bool_]
Int64 = npt.NDArray[np.int64]
UInt64 = npt.NDArray[np.uint64]
Patterns = tuple[Bytes, Int64]

LONGEST = 4095
"""Lengths above this one count as this one in `twice_median`."""

_ELLIPSIS_1, _ELLIPSIS_2, _ELLIPSIS_3 = 0xE2, 0x80, 0xA6  # U+2026 in UTF-8


def sum_by_span(values: npt.NDArray[np.generic], offsets: Int64) -> Int64:
    """Sum ``values[offsets[i]:offsets[i + 1]]`` for each i, in int64[n]."""
    totals = np.zeros(len(values) + 1, np.int64)
    np.cumsum(values, out=totals[1:], dtype=np.int64)
    return np.asarray(totals[offsets[1:]] - totals[offsets[:-1]], np.int64)


def line_words(line_ends: Int64, word_starts: Int64) -> Int64:
    """First word of each line and the number of words behind them, int64[l + 1].

    Line i holds the words ``result[i]:result[i + 1]``. Lines and words are those of the same texts, in order.
    """
    first = np.zeros(len(line_ends) + 1, np.int64)
    first[1:] = np.searchsorted(word_starts, line_ends, "left")
    return first


def patterns_of(strings: Sequence[str]) -> Patterns:
    """Strings as (data uint8, offsets int64[k + 1]), for `starts_with_any` and `ends_with_any`."""
    encoded = [string.encode("utf-8") for string in strings]
    offsets = np.zeros(len(encoded) + 1, np.int64)
    np.cumsum([len(item) for item in encoded], out=offsets[1:])
    return np.frombuffer(b"".join(encoded), np.uint8), offsets


def starts_with_any(data: Bytes, starts: Int64, ends: Int64, patterns: Patterns) -> Bool:
    """Whether each of m spans begins with one of the patterns, bool[m]."""
    return np.asarray(_has_affix(data, starts, ends, *patterns, False)).view(np.bool_)


def ends_with_any(data: Bytes, starts: Int64, ends: Int64, patterns: Patterns) -> Bool:
    """Whether each of m spans ends with one of the patterns, bool[m]."""
    return np.asarray(_has_affix(data, starts, ends, *patterns, True)).view(np.bool_)


def count_hashes_and_ellipses(data: Bytes, offsets: Int64) -> tuple[Int64, Int64]:
    """Number signs, and ellipses ("..." without overlap, and "…"), per text: two int64[n]."""
    hash_signs, ellipses = _count_marks(data, offsets)
    return hash_signs, ellipses


def twice_median(values: npt.NDArray[np.int32], offsets: Int64) -> Int64:
    """Twice the median of ``values[offsets[i]:offsets[i + 1]]`` (none negative), int64[n]; 0 for none.

    Of an even number of values the median is the mean of the middle two: hence twice, to stay whole. Values
    above `LONGEST` count as `LONGEST`.
    """
    return np.asarray(_twice_median(values, offsets))


def count_members(
    word_hashes: UInt64, offsets: Int64, spellings: Sequence[Sequence[str]]
) -> tuple[Int64, Int64]:
    """Count the words of texts that belong to a list.

    `spellings`: for each entry of the list the strings that count as it. Returns (distinct entries found,
    occurrences) per text, int64[n] each.
    """
    members = {hash_string(string): entry for entry, strings in enumerate(spellings) for string in strings}
    ordered = sorted(members)
    keys = np.array(ordered, np.uint64)
    entries = np.array([members[key] for key in ordered], np.int64)
    distinct, occurrences = _count_members(word_hashes, offsets, keys, entries, len(spellings))
    return distinct, occurrences


@kernel(UINT8(READ_UINT8, READ_INT64, READ_INT64, READ_UINT8, READ_INT64, types.boolean))
def _has_affix(
    data: Bytes, starts: Int64, ends: Int64, pattern_data: Bytes, pattern_offsets: Int64, at_end: bool
) -> Bytes:
    found = np.zeros(len(starts), np.uint8)
    for span in range(len(starts)):
        for pattern in range(len(pattern_offsets) - 1):
            first = pattern_offsets[pattern]
            size = pattern_offsets[pattern + 1] - first
            if size > ends[span] - starts[span]:
                continue
            begin = ends[span] - size if at_end else starts[span]
            same = 0
            while same < size and data[begin + same] == pattern_data[first + same]:
                same += 1
            if same == size:
                found[span] = 1
                break
    return found


@kernel(types.UniTuple(INT64, 2)(READ_UINT8, READ_INT64))
def _count_marks(data: Bytes, offsets: Int64) -> tuple[Int64, Int64]:
    documents = len(offsets) - 1
    hash_signs = np.zeros(documents, np.int64)
    ellipses = np.zeros(documents, np.int64)
    for document in range(documents):
        end = offsets[document + 1]
        points = 0
        for at in range(offsets[document], end):
            byte = data[at]
            if byte == 46:  # "."
                points += 1
                if points == 3:
                    ellipses[document] += 1
                    points = 0
                continue
            points = 0
            if byte == 35:  # "#"
                hash_signs[document] += 1
            elif byte == _ELLIPSIS_1 and at + 2 < end:
                ellipses[document] += data[at + 1] == _ELLIPSIS_2 and data[at + 2] == _ELLIPSIS_3
    return hash_signs, ellipses


@kernel(INT64(READ_INT32, READ_INT64))
def _twice_median(values: npt.NDArray[np.int32], offsets: Int64) -> Int64:
    medians = np.zeros(len(offsets) - 1, np.int64)
    counts = np.zeros(LONGEST + 1, np.int64)
    for document in range(len(offsets) - 1):
        size = offsets[document + 1] - offsets[document]
        if size == 0:
            continue
        longest = 0
        for at in range(offsets[document], offsets[document + 1]):
            value = min(values[at], LONGEST)
            longest = max(longest, value)
            counts[value] += 1
        seen = 0
        for value in range(longest + 1):
            before = seen
            seen += counts[value]
            if before <= (size - 1) // 2 < seen:
                medians[document] += value
            if before <= size // 2 < seen:
                medians[document] += value
            counts[value] = 0
    return medians


@kernel(types.UniTuple(INT64, 2)(READ_UINT64, READ_INT64, READ_UINT64, READ_INT64, types.int64))
def _count_members(
    hashes: UInt64, offsets: Int64, keys: UInt64, entries: Int64, entry_count: int
) -> tuple[Int64, Int64]:
    documents = len(offsets) - 1
    distinct = np.zeros(documents, np.int64)
    occurrences = np.zeros(documents, np.int64)
    last_seen = np.full(entry_count, -1, np.int64)
    slots = 16
    while slots < 4 * len(keys):
        slots *= 2
    table = np.full(slots, -1, np.int64)
    for key in range(len(keys)):
        slot = np.int64(keys[key]) & (slots - 1)
        while table[slot] >= 0:
            slot = (slot + 1) & (slots - 1)
        table[slot] = key
    for document in range(documents):
        for word in range(offsets[document], offsets[document + 1]):
            slot = np.int64(hashes[word]) & (slots - 1)
            while table[slot] >= 0 and keys[table[slot]] != hashes[word]:
                slot = (slot + 1) & (slots - 1)
            if table[slot] < 0:
                continue
            entry = entries[table[slot]]
            occurrences[document] += 1
            if last_seen[entry] != document:
                last_seen[entry] = document
                distinct[document] += 1
    return distinct, occurrences
