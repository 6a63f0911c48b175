"""Runs of characters between white space, split into words by a table of the splits that are known.

A tokenizer that looks at each run by itself (spaCy's) is asked once for each distinct run. Most runs need not be asked
about: letters alone are one word, and letters with one mark behind them are two, where neither is a special case.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corpusforge.kernels.array_types import (
    INT32,
    INT64,
    READ_INT32,
    READ_INT64,
    READ_UINT8,
    READ_UINT64,
    UINT8,
    UINT64,
)
from corpusforge.kernels.hash64 import SEED, add_byte, hash_bytes, mix
from corpusforge.kernels.loading import kernel, types
from corpusforge.kernels.unicode_table import CLASSES, LETTER, PUNCTUATION, SPACE, decode

Bytes = npt.NDArray[np.uint8]
Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
UInt64 = npt.NDArray[np.uint64]

LETTERS, MARKED, UNKNOWN = -1, -2, -3
"""Places of runs that the table does not have: letters alone, letters and one mark, and the others."""

HAS_LETTER, ONLY_SYMBOLS, ENDS_SENTENCE, IS_PUNCTUATION, BLANK = 1, 2, 4, 8, 128
"""Kinds of words, a bit set: one of Unicode's letters, nothing but symbols, one mark that ends a sentence, nothing but
Unicode's punctuation (P*), nothing but what Python calls white space."""

_SYMBOL, _ENDS, _BLANK = 1 << 12, 1 << 13, 1 << 14
_READ_UINT16 = types.Array(types.uint16, 1, "C", readonly=True)
_WORDS = (INT64, INT64, INT32, UINT64, UINT8)


def character_classes(symbols: frozenset[str], sentence_ends: frozenset[str]) -> npt.NDArray[np.uint16]:
    """Classes of every code point, uint16[0x110000], for `describe_words`."""
    classes = CLASSES.copy()
    classes[(CLASSES & SPACE) != 0] |= _BLANK
    classes[0x1C:0x20] |= _BLANK
    for characters, bit in ((symbols, _SYMBOL), (sentence_ends, _ENDS)):
        classes[[ord(character) for character in characters]] |= bit
    return classes


def hash_set(hashes: UInt64) -> UInt64:
    """An open table of distinct hashes for `find_splits`, uint64[c], c a power of two; 0 is nothing."""
    table = np.zeros(1 << max(4, int(2 * len(hashes)).bit_length()), np.uint64)
    _insert(table, np.zeros(len(table), np.int64), hashes, np.zeros(len(hashes), np.int64))
    return table


@kernel(types.int64(READ_UINT64, types.uint64))
def _slot(keys: UInt64, key: np.uint64) -> np.int64:
    """Where a key stands in an open table, or the free slot where it would."""
    mask = np.uint64(len(keys) - 1)
    at = key & mask
    while keys[at] != 0 and keys[at] != key:
        at = (at + np.uint64(1)) & mask
    return np.int64(at)


@kernel(types.void(UINT64, INT64, READ_UINT64, READ_INT64))
def _insert(keys: UInt64, values: Int64, new_keys: UInt64, new_values: Int64) -> None:
    for index in range(len(new_keys)):
        key = max(new_keys[index], np.uint64(1))
        at = _slot(keys, key)
        keys[at] = key
        values[at] = new_values[index]


@kernel(types.int64(READ_UINT8, types.int64, types.int64, _READ_UINT16))
def _behind_letters(data: Bytes, start: int, end: int, classes: npt.NDArray[np.uint16]) -> np.int64:
    """Where the letters that a run begins with end."""
    at = np.int64(start)
    while at < end:
        code_point, size = np.int64(data[at]), np.int64(1)
        if code_point >= 0x80:
            code_point, size = decode(data, at, end)
        if not classes[code_point] & LETTER:
            break
        at += size
    return at


@kernel(
    INT64(
        READ_UINT8,
        READ_INT64,
        READ_INT64,
        READ_UINT64,
        _READ_UINT16,
        READ_UINT8,
        READ_UINT64,
        READ_UINT64,
        READ_INT64,
    )
)
def find_splits(
    data: Bytes,
    starts: Int64,
    ends: Int64,
    hashes: UInt64,
    classes: npt.NDArray[np.uint16],
    marks: Bytes,
    special: UInt64,
    keys: UInt64,
    values: Int64,
) -> Int64:
    """Places int64[r] of the splits of r runs (`starts`, `ends`, `hashes` of their bytes), or why there is none.

    `marks` uint8[128] is 1 for the marks of `MARKED` runs, which stand behind a lower-case letter of ASCII; `special`
    is a `hash_set` of what is neither `LETTERS` nor `MARKED`, nor `MARKED` without its mark. `keys` uint64[c] and
    `values` int64[c] are the table: a hash's place.
    """
    places = np.empty(len(starts), np.int64)
    for run in range(len(starts)):
        start, end = starts[run], ends[run]
        key = max(hashes[run], np.uint64(1))
        behind = _behind_letters(data, start, end, classes)
        if behind >= end - 1 and special[_slot(special, key)] == 0:
            if behind == end:
                places[run] = LETTERS
                continue
            last = data[end - 1]
            if behind > start and last < 0x80 and marks[last] and 0x61 <= data[behind - 1] <= 0x7A:
                letters = max(hash_bytes(data, start, behind), np.uint64(1))
                if special[_slot(special, letters)] == 0:
                    places[run] = MARKED
                    continue
        at = _slot(keys, key)
        places[run] = values[at] if keys[at] != 0 else UNKNOWN
    return places


@kernel(
    types.Tuple((INT64, *_WORDS))(
        READ_UINT8,
        READ_INT64,
        READ_INT64,
        READ_UINT64,
        READ_INT64,
        READ_UINT8,
        READ_INT64,
        READ_INT32,
        READ_INT32,
        READ_INT32,
        READ_UINT64,
        READ_UINT8,
    )
)
def write_words(
    data: Bytes,
    starts: Int64,
    ends: Int64,
    hashes: UInt64,
    places: Int64,
    mark_kinds: Bytes,
    firsts: Int64,
    begins: Int32,
    sizes: Int32,
    characters: Int32,
    word_hashes: UInt64,
    kinds: Bytes,
) -> tuple[Int64, Int64, Int64, Int32, UInt64, Bytes]:
    """Write out the words of r runs at known `places` (`find_splits`).

    Place p has the words ``firsts[p]:firsts[p + 1]`` of the arrays behind: where each begins in the run, in bytes, its
    bytes, characters, hash and kinds. `mark_kinds` uint8[128]: of the marks of `MARKED` runs. Returns `offsets`
    int64[r + 1] of the runs' words, and `starts`, `ends`, `characters`, `hashes`, `kinds` [w] of these.
    """
    offsets = np.empty(len(starts) + 1, np.int64)
    count = np.int64(0)
    for run in range(len(starts)):
        offsets[run] = count
        place = places[run]
        count += firsts[place + 1] - firsts[place] if place >= 0 else -place
    offsets[len(starts)] = count
    found_starts = np.empty(count, np.int64)
    found_ends = np.empty(count, np.int64)
    found_characters = np.empty(count, np.int32)
    found_hashes = np.empty(count, np.uint64)
    found_kinds = np.empty(count, np.uint8)
    for run in range(len(starts)):
        to, place, start, end = offsets[run], places[run], starts[run], ends[run]
        if place >= 0:
            for word in range(firsts[place], firsts[place + 1]):
                found_starts[to] = start + begins[word]
                found_ends[to] = found_starts[to] + sizes[word]
                found_characters[to] = characters[word]
                found_hashes[to] = word_hashes[word]
                found_kinds[to] = kinds[word]
                to += 1
            continue
        behind = end if place == LETTERS else end - 1
        letters = 0
        for at in range(start, behind):
            letters += (data[at] & 0xC0) != 0x80
        found_starts[to], found_ends[to] = start, behind
        found_characters[to], found_kinds[to] = letters, HAS_LETTER
        found_hashes[to] = hashes[run] if place == LETTERS else hash_bytes(data, start, behind)
        if place == MARKED:
            found_starts[to + 1], found_ends[to + 1] = behind, end
            found_characters[to + 1], found_kinds[to + 1] = 1, mark_kinds[data[behind]]
            found_hashes[to + 1] = hash_bytes(data, behind, end)
    return offsets, found_starts, found_ends, found_characters, found_hashes, found_kinds


@kernel(types.Tuple((INT32, UINT64, UINT8))(READ_UINT8, READ_INT64, READ_INT64, _READ_UINT16))
def describe_words(
    data: Bytes, starts: Int64, ends: Int64, classes: npt.NDArray[np.uint16]
) -> tuple[Int32, UInt64, Bytes]:
    """Characters int32[w], hashes uint64[w] and kinds uint8[w] of spans of UTF-8; see `character_classes`."""
    characters = np.zeros(len(starts), np.int32)
    hashes = np.empty(len(starts), np.uint64)
    kinds = np.empty(len(starts), np.uint8)
    for word in range(len(starts)):
        any_of, all_of, state = np.int64(0), np.int64(0xFFFF), SEED
        at = starts[word]
        while at < ends[word]:
            code_point, size = decode(data, at, ends[word])
            any_of |= np.int64(classes[code_point])
            all_of &= np.int64(classes[code_point])
            for position in range(at, at + size):
                state = add_byte(state, np.uint64(data[position]))
            characters[word] += 1
            at += size
        kind = 0
        if any_of & LETTER:
            kind |= HAS_LETTER
        if all_of & _SYMBOL:
            kind |= ONLY_SYMBOLS
        if all_of & _ENDS and characters[word] == 1:
            kind |= ENDS_SENTENCE
        if all_of & PUNCTUATION:
            kind |= IS_PUNCTUATION
        if all_of & _BLANK:
            kind = BLANK
        kinds[word] = kind
        hashes[word] = mix(state)
    return characters, hashes, kinds


def remember(keys: UInt64, values: Int64, new_keys: UInt64, new_values: Int64) -> None:
    """Add hashes and their places to the table of `find_splits`, which has room for them."""
    _insert(keys, values, new_keys, new_values)
