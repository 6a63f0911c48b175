"""Input vectors of new words: the sums of the rows of a fastText model that each of them selects.

A row for the word itself, if the dictionary has it, and one for each of its character n-grams; first the shortest
n-grams, which is not fastText's order but costs less, and moves a sum by no more than rounding does. The arrays of
a model are those of `corpusforge.kernels.fasttext_sums`. The n-grams of words are found many words at a time: their
characters stand in a block, one word behind the other, those of ASCII first (`corpusforge.kernels.fasttext_ngrams`).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corpusforge.kernels.array_types import READ_INT32, READ_INT64, READ_UINT8, READ_UINT64
from corpusforge.kernels.fasttext_ngrams import (
    fold,
    hash_block,
    keep_kept,
    mark_likely,
    select_from_block,
    select_from_word,
)
from corpusforge.kernels.fasttext_sums import (
    BUCKETS,
    LONGEST,
    MATRIX,
    READ_MATRIX,
    SHORTEST,
    WORDS,
    add_row,
    find_entry,
    is_label,
    rank,
)
from corpusforge.kernels.loading import kernel, types
from corpusforge.kernels.prefetch import prefetch
from corpusforge.kernels.vectors import widen_32
from corpusforge.kernels.word_keys import KEY_BYTES, hash_key, key_of

Bytes = npt.NDArray[np.uint8]
Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
UInt64 = npt.NDArray[np.uint64]
UInt32 = npt.NDArray[np.uint32]
Float32 = npt.NDArray[np.float32]

GROUP = 256
"""Words that are looked up together."""

HASH, START, END, SPAN = 4, 5, 6, 7
"""Columns of `group`, behind the four of a word's key and its hash: its bytes, and the span it is of."""

GROUP_ARRAY = types.Array(types.uint64, 2, "C")
FACTS = types.Array(types.int32, 2, "C")

ROOM = types.Tuple(
    (
        FACTS,
        MATRIX,
        types.uint32[::1],
        types.uint32[::1],
        FACTS,
        types.uint64[::1],
        types.Array(types.uint64, 2, "C"),
        types.int32[::1],
        types.int32[::1],
        types.uint64[::1],
    )
)
Room = tuple[Int32, Float32, UInt32, UInt32, Int32, UInt64, UInt64, Int32, Int32, UInt64]

_PLACE, _BEHIND, _ENTRY, _OWNER, ROWS = range(5)
FACT_COLUMNS = 5
_IS_LABEL = -2
_NO_PLACE, _NO_ASCII = -1, -2
_LONGEST = 34
_BLOCK = (GROUP * (KEY_BYTES + 2) + 63) // 64 * 64
_LESS_THAN, _GREATER_THAN = 0x3C, 0x3E
_NONE, _ONE = np.uint64(0), np.uint64(1)
_ENTRY_BITS = np.uint64(0xFFFFFFFF)
_NOT_ASCII = np.uint64(0x8080808080808080)


@kernel(types.uint64[::1](READ_UINT8, READ_INT64, READ_INT32, types.int64))
def index_names(names: Bytes, name_offsets: Int64, table: Int32, slots: int) -> UInt64:
    """Table uint64[slots], a power of two, of the entries of a dictionary by their keys, for `find_name`.

    An item has the high half of the hash of the key of the entry's first 32 bytes, and the entry plus one; 0 is free.
    """
    index = np.zeros(slots, np.uint64)
    mask = np.uint64(slots - 1)
    for entry in range(len(name_offsets) - 1):
        start, end = name_offsets[entry], name_offsets[entry + 1]
        # Of equal spellings the first counts.
        if find_entry(names, start, end, names, name_offsets, table) != entry:
            continue
        first, second, third, fourth = key_of(names, np.uint64(start), np.uint64(end))
        hashed = hash_key(first, second, third, fourth)
        slot = hashed & mask
        while index[slot] != 0:
            slot = (slot + _ONE) & mask
        index[slot] = (hashed & ~_ENTRY_BITS) | np.uint64(entry + 1)
    return index


@kernel(
    types.int64(READ_UINT8, types.uint64, types.uint64, types.uint64, READ_UINT8, READ_INT64, READ_UINT64)
)
def find_name(
    data: Bytes,
    start: np.uint64,
    end: np.uint64,
    hashed: np.uint64,
    names: Bytes,
    name_offsets: Int64,
    index: UInt64,
) -> np.int64:
    """Entry of the dictionary that is spelled ``data[start:end]``, or -1.

    `hashed` is the `hash_key` of its first 32 bytes.
    """
    mask = np.uint64(len(index) - 1)
    slot = hashed & mask
    while index[slot] != 0:
        if (index[slot] ^ hashed) & ~_ENTRY_BITS == 0:
            entry = (index[slot] & _ENTRY_BITS) - _ONE
            first = np.uint64(name_offsets[entry])
            size = np.uint64(name_offsets[entry + _ONE]) - first
            at = np.uint64(0)
            while at < size and at < end - start and names[first + at] == data[start + at]:
                at += _ONE
            if at == size and at == end - start:
                return np.int64(entry)
        slot = (slot + _ONE) & mask
    return np.int64(-1)


@kernel(types.uint64(READ_UINT8, types.uint64, types.uint64, types.uint32[::1], types.uint64))
def _write_ascii(data: Bytes, start: np.uint64, end: np.uint64, units: UInt32, at: np.uint64) -> np.uint64:
    """Write ``<``, the up to 32 bytes ``data[start:end]`` and ``>`` from ``units[at]`` on; the place behind."""
    units[at] = _LESS_THAN
    at += _ONE
    if start + np.uint64(KEY_BYTES) <= np.uint64(len(data)):
        widen_32(data, start, units, at)
    else:
        for place in range(end - start):
            units[at + np.uint64(place)] = data[start + np.uint64(place)]
    at += end - start
    units[at] = _GREATER_THAN
    return np.uint64(at + _ONE)


@kernel(types.uint64(READ_UINT8, types.uint64, types.uint64, types.uint32[::1], types.uint64))
def _write_characters(
    data: Bytes, start: np.uint64, end: np.uint64, units: UInt32, at: np.uint64
) -> np.uint64:
    """Write ``<``, the characters ``data[start:end]`` and ``>`` from ``units[at]`` on; the place behind.

    That is `at` where a character has more than four bytes, as none of UTF-8 has.
    """
    place, shift, unit, longest = at, _NONE, np.uint64(_LESS_THAN), _NONE
    units[place] = np.uint32(unit)
    for byte in range(start, end):
        value = np.uint64(data[byte])
        begins = np.uint64(value & np.uint64(0xC0) != np.uint64(0x80))
        place += begins
        shift = _NONE if begins else shift + np.uint64(8)
        unit = value if begins else unit | (value << shift)
        longest = max(longest, shift)
        units[place] = np.uint32(unit)
    if longest > np.uint64(24):
        return at
    units[place + _ONE] = _GREATER_THAN
    return np.uint64(place + np.uint64(2))


@kernel(
    types.UniTuple(types.int64, 2)(
        GROUP_ARRAY,
        types.int32[::1],
        types.int64,
        READ_UINT8,
        READ_INT64,
        READ_UINT8,
        READ_INT64,
        READ_UINT64,
        types.uint32[::1],
        FACTS,
    )
)
def _fill_block(
    group: UInt64,
    new: Int32,
    count: int,
    data: Bytes,
    settings: Int64,
    names: Bytes,
    name_offsets: Int64,
    index: UInt64,
    units: UInt32,
    facts: Int32,
) -> tuple[np.int64, np.int64]:
    """Find the entries of new words, and put their characters into a block: those of ASCII, and all.

    Words that do not fit in are given no place.
    """
    plain = placed = _NONE
    for number in range(count):
        word = new[number]
        start, end = group[word, START], group[word, END]
        entry = find_name(data, start, end, group[word, HASH], names, name_offsets, index)
        facts[number, _PLACE] = facts[number, _BEHIND] = _NO_PLACE
        facts[number, _ENTRY] = entry
        if is_label(data, np.int64(start), np.int64(end), entry, settings[WORDS]):
            facts[number, _ENTRY] = _IS_LABEL
            continue
        every = group[word, 0] | group[word, 1] | group[word, 2] | group[word, 3]
        if end - start <= np.uint64(KEY_BYTES) and every & _NOT_ASCII == 0:
            facts[number, _PLACE] = plain
            plain = _write_ascii(data, start, end, units, plain)
            facts[number, _BEHIND] = plain
            facts[placed, _OWNER] = number
            placed += _ONE
        else:
            facts[number, _PLACE] = _NO_ASCII
    filled = plain
    for number in range(count):
        if facts[number, _PLACE] != _NO_ASCII:
            continue
        facts[number, _PLACE] = _NO_PLACE
        word = new[number]
        start, end = group[word, START], group[word, END]
        if filled + end - start + np.uint64(2) > np.uint64(_BLOCK):
            continue
        behind = _write_characters(data, start, end, units, filled)
        if behind > filled and (settings[LONGEST] <= _LONGEST or behind - filled <= np.uint64(_LONGEST)):
            facts[number, _PLACE] = filled
            facts[number, _BEHIND] = behind
            facts[placed, _OWNER] = number
            placed += _ONE
            filled = behind
    return np.int64(plain), np.int64(filled)


@kernel(types.void(types.int64, types.int64, FACTS, types.uint64[::1]))
def _mark_lasts(size: int, count: int, facts: Int32, lasts: UInt64) -> None:
    """Set the bits of the last characters of words in a block of `size`."""
    lasts[: (size >> 6) + 1] = 0
    for number in range(count):
        last = np.uint64(facts[number, _BEHIND] - 1)
        if facts[number, _BEHIND] > 0:
            lasts[last >> np.uint64(6)] |= _ONE << (last & np.uint64(63))


@kernel(ROOM(types.int64, types.int64, types.int64, READ_UINT64))
def make_room(shortest: int, longest: int, width: int, kept: UInt64) -> Room:
    """Arrays to work in, for `sum_new_words` of a model with n-grams of these lengths, this width, and these buckets.

    The facts int32[GROUP + 1, 5] and the sums float32[GROUP, width] of new words, and others.
    """
    lengths = max(min(longest, _LONGEST) - max(shortest, 1) + 1, 0)
    return (
        np.zeros((GROUP + 1, FACT_COLUMNS), np.int32),
        np.zeros((GROUP, width), np.float32),
        np.zeros(_BLOCK + 2 * _LONGEST, np.uint32),
        np.zeros(_BLOCK, np.uint32),
        np.zeros((lengths, _BLOCK), np.int32),
        np.zeros(_BLOCK // 64 + 1, np.uint64),
        np.zeros((lengths, _BLOCK // 64), np.uint64),
        np.zeros(_BLOCK * lengths, np.int32),
        np.zeros(_BLOCK * lengths, np.int32),
        fold(kept),
    )


@kernel(
    types.int64(
        READ_UINT8,
        types.uint64,
        types.uint64,
        READ_INT64,
        READ_UINT64,
        READ_INT32,
        READ_MATRIX,
        MATRIX,
        types.uint64,
    )
)
def _add_alone(
    data: Bytes,
    start: np.uint64,
    end: np.uint64,
    settings: Int64,
    kept: UInt64,
    before: Int32,
    matrix: Float32,
    sums: Float32,
    number: np.uint64,
) -> np.int64:
    """Add the rows of the n-grams of a word without a place; their number. Time and memory grow with its bytes."""
    size = np.int64(end - start) + 2
    shortest, longest = max(settings[SHORTEST], 1), min(settings[LONGEST], size)
    if longest < shortest:
        return np.int64(0)
    text = np.empty(size, np.uint8)
    text[0], text[size - 1] = _LESS_THAN, _GREATER_THAN
    text[1 : size - 1] = data[np.int64(start) : np.int64(end)]
    found = np.empty(size + 1, np.int32)
    total = np.int64(0)
    # One length after another, as in a block: where a word stands must not change its sum.
    for length in range(shortest, longest + 1):
        count = select_from_word(text, length, length, settings[BUCKETS], kept, found, 0)
        for at in range(count):
            row = settings[WORDS] + rank(np.int64(found[np.uint64(at)]), kept, before)
            add_row(sums, number, matrix, np.uint64(row))
        total += count
    return total


@kernel(
    types.void(
        GROUP_ARRAY,
        types.int32[::1],
        types.int64,
        READ_UINT8,
        READ_INT64,
        READ_UINT8,
        READ_INT64,
        READ_UINT64,
        READ_UINT64,
        READ_INT32,
        READ_MATRIX,
        ROOM,
    )
)
def sum_new_words(
    group: UInt64,
    new: Int32,
    count: int,
    data: Bytes,
    settings: Int64,
    names: Bytes,
    name_offsets: Int64,
    index: UInt64,
    kept: UInt64,
    before: Int32,
    matrix: Float32,
    room: Room,
) -> None:
    """Sum the rows that the first `count` of the new words select, into the facts and sums of `room`.

    `group` uint64[GROUP, 8] has the words (columns above), of which `new` int32[GROUP] are new; `index` is
    `index_names`'s; ``facts[k, ROWS]`` becomes the number of rows of the k-th new word, and ``sums[k]`` their sum.
    """
    facts, sums, units, states, buckets, lasts, marks, found, owners, likely = room
    shortest, longest = max(settings[SHORTEST], 1), min(settings[LONGEST], _LONGEST)
    plain, filled = _fill_block(group, new, count, data, settings, names, name_offsets, index, units, facts)
    size = (filled + 63) & ~63
    selected = np.int64(0)
    if longest >= shortest and filled > 0:
        _mark_lasts(size, count, facts, lasts)
        hash_block(units, size, plain, shortest, longest, settings[BUCKETS], states, buckets)
        mark_likely(buckets, size, shortest, longest, likely, lasts, marks)
        selected = select_from_block(buckets, marks, filled, lasts, found, owners)
        selected = keep_kept(found, owners, selected, kept)
    for at in range(selected):
        row = np.uint64(settings[WORDS] + rank(np.int64(found[np.uint64(at)]), kept, before))
        found[np.uint64(at)] = row
        prefetch(matrix, row, _NONE)
    for word in range(count):
        number = np.uint64(word)
        for column in range(sums.shape[1]):
            sums[number, np.uint64(column)] = 0
        entry = np.int64(facts[number, _ENTRY])
        facts[number, ROWS] = 0
        if entry >= 0:
            add_row(sums, number, matrix, np.uint64(entry))
            facts[number, ROWS] = 1
        if facts[number, _PLACE] < 0 and entry != _IS_LABEL:
            start, end = group[new[number], START], group[new[number], END]
            facts[number, ROWS] += _add_alone(data, start, end, settings, kept, before, matrix, sums, number)
    for at in range(selected):
        number = np.uint64(facts[owners[np.uint64(at)], _OWNER])
        facts[number, ROWS] += 1
        add_row(sums, number, matrix, np.uint64(found[np.uint64(at)]))
