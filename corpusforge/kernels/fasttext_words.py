"""Input vectors of new words: the sums of the rows of a fastText model that each of them selects.

A row for the word itself, if the dictionary has it, and one for each of its character n-grams, added in
fastText's order. The arrays of a model are those of `corpusforge.kernels.fasttext_sums`. The n-grams of short
words of ASCII are found many words at a time (`corpusforge.kernels.fasttext_ngrams`).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corpusforge.kernels.array_types import READ_INT32, READ_INT64, READ_UINT8, READ_UINT64
from corpusforge.kernels.fasttext_ngrams import (
    hash_block,
    mark_kept,
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
    find_entry,
    is_label,
    rank,
)
from corpusforge.kernels.loading import kernel, types
from corpusforge.kernels.prefetch import prefetch
from corpusforge.kernels.word_keys import KEY_BYTES, hash_key, key_of

Bytes = npt.NDArray[np.uint8]
Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
UInt64 = npt.NDArray[np.uint64]
Float32 = npt.NDArray[np.float32]

GROUP = 128
"""Words that are looked up together."""

HASH, START, END, SPAN = 4, 5, 6, 7
"""Columns of `group`, behind the four of a word's key and its hash: its bytes, and the span it is of."""

GROUP_ARRAY = types.Array(types.uint64, 2, "C")
FACTS = types.Array(types.int32, 2, "C")

ROOM = types.Tuple(
    (
        FACTS,
        MATRIX,
        types.uint8[::1],
        types.uint32[::1],
        FACTS,
        types.uint64[::1],
        types.Array(types.uint64, 2, "C"),
        types.int32[::1],
    )
)
Room = tuple[Int32, Float32, Bytes, npt.NDArray[np.uint32], Int32, UInt64, UInt64, Int32]

_PLACE, _ENTRY, _FIRST, ROWS = range(4)
FACT_COLUMNS = 4
_IS_LABEL = -2
_NO_PLACE = -1
_MARKED_BYTES = KEY_BYTES + 2
_BLOCK = (GROUP * _MARKED_BYTES + 63) // 64 * 64
_LESS_THAN, _GREATER_THAN = 0x3C, 0x3E
_ONE = np.uint64(1)
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


@kernel(types.void(READ_UINT8, types.uint64, types.uint64, types.uint8[::1], types.uint64))
def _copy_marked(data: Bytes, start: np.uint64, end: np.uint64, text: Bytes, at: np.uint64) -> None:
    """Write ``<``, ``data[start:end]`` and ``>`` from ``text[at]`` on; up to 32 bytes behind may be written too."""
    text[at] = _LESS_THAN
    if start + np.uint64(KEY_BYTES) <= np.uint64(len(data)) and end - start <= np.uint64(KEY_BYTES):
        for place in range(KEY_BYTES):
            text[at + _ONE + np.uint64(place)] = data[start + np.uint64(place)]
    else:
        for place in range(end - start):
            text[at + _ONE + np.uint64(place)] = data[start + np.uint64(place)]
    text[at + _ONE + end - start] = _GREATER_THAN


@kernel(
    types.int64(
        GROUP_ARRAY,
        types.int32[::1],
        types.int64,
        READ_UINT8,
        types.int64,
        READ_UINT8,
        READ_INT64,
        READ_UINT64,
        types.uint8[::1],
        types.uint64[::1],
        FACTS,
    )
)
def _fill_block(
    group: UInt64,
    new: Int32,
    count: int,
    data: Bytes,
    words: int,
    names: Bytes,
    name_offsets: Int64,
    index: UInt64,
    text: Bytes,
    lasts: UInt64,
    facts: Int32,
) -> np.int64:
    """Find the entries of new words, and put the short ones of ASCII into a block: its bytes."""
    filled = np.uint64(0)
    lasts[:] = 0
    for number in range(count):
        word = new[number]
        start, end = group[word, START], group[word, END]
        entry = find_name(data, start, end, group[word, HASH], names, name_offsets, index)
        facts[number, _PLACE] = _NO_PLACE
        facts[number, _ENTRY] = entry
        if is_label(data, np.int64(start), np.int64(end), entry, words):
            facts[number, _ENTRY] = _IS_LABEL
            continue
        every = group[word, 0] | group[word, 1] | group[word, 2] | group[word, 3]
        if end - start <= np.uint64(KEY_BYTES) and every & _NOT_ASCII == 0:
            facts[number, _PLACE] = filled
            _copy_marked(data, start, end, text, filled)
            filled += end - start + np.uint64(2)
            last = filled - _ONE
            lasts[last >> np.uint64(6)] |= _ONE << (last & np.uint64(63))
    return np.int64(filled)


@kernel(ROOM(types.int64, types.int64, types.int64))
def make_room(shortest: int, longest: int, width: int) -> Room:
    """Arrays to work in, for `sum_new_words` of a model with n-grams of these lengths and rows of `width`.

    The facts int32[GROUP + 1, 4] and the sums float32[GROUP, width] of new words, and others.
    """
    lengths = max(min(longest, _MARKED_BYTES) - max(shortest, 1) + 1, 0)
    return (
        np.zeros((GROUP + 1, FACT_COLUMNS), np.int32),
        np.zeros((GROUP, width), np.float32),
        np.zeros(_BLOCK + 2 * _MARKED_BYTES, np.uint8),
        np.zeros(_BLOCK, np.uint32),
        np.zeros((lengths, _BLOCK), np.int32),
        np.zeros(_BLOCK // 64 + 1, np.uint64),
        np.zeros((lengths + 1, _BLOCK // 64 + 1), np.uint64),
        np.zeros(_BLOCK * lengths + 1, np.int32),
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
        types.float32[::1],
    )
)
def _add_long_word(
    data: Bytes,
    start: np.uint64,
    end: np.uint64,
    settings: Int64,
    kept: UInt64,
    before: Int32,
    matrix: Float32,
    total: Float32,
) -> np.int64:
    """Add the rows of a long word's n-grams; their number. Time and memory grow with its bytes."""
    size = np.int64(end - start) + 2
    shortest, longest = max(settings[SHORTEST], 1), min(settings[LONGEST], size)
    if longest < shortest:
        return np.int64(0)
    text = np.empty(size, np.uint8)
    _copy_marked(data, start, end, text, np.uint64(0))
    found = np.empty(size * longest + 1, np.int32)
    count = select_from_word(text, shortest, longest, settings[BUCKETS], kept, found, 0)
    for at in range(count):
        row = np.uint64(settings[WORDS] + rank(np.int64(found[at]), kept, before))
        for column in range(matrix.shape[1]):
            total[column] += matrix[row, column]
    return np.int64(count)


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
    facts, sums, text, states, buckets, lasts, marks, found = room
    words = settings[WORDS]
    shortest, longest = max(settings[SHORTEST], 1), min(settings[LONGEST], _MARKED_BYTES)
    filled = _fill_block(group, new, count, data, words, names, name_offsets, index, text, lasts, facts)
    if longest >= shortest and filled > 0:
        size = (filled + 63) & ~63
        hash_block(text, size, shortest, longest, settings[BUCKETS], states, buckets)
        mark_kept(buckets, size, shortest, longest, kept, lasts, marks)
    selected = np.int64(0)
    for number in range(count):
        entry = np.int64(facts[number, _ENTRY])
        first = selected
        if entry != _IS_LABEL and longest >= shortest:
            word = new[number]
            start, end = group[word, START], group[word, END]
            size = np.int64(end - start) + 2
            if facts[number, _PLACE] >= 0:
                place = np.int64(facts[number, _PLACE])
                lengths = longest - shortest + 1
                selected = select_from_block(buckets, marks, place, place + size, lengths, found, selected)
            elif size <= _MARKED_BYTES:
                _copy_marked(data, start, end, text, np.uint64(_BLOCK))
                selected = select_from_word(
                    text[_BLOCK : _BLOCK + size], shortest, longest, settings[BUCKETS], kept, found, selected
                )
        for at in range(first, selected):
            found[at] = words + rank(np.int64(found[at]), kept, before)
            prefetch(matrix, np.uint64(found[at]), np.uint64(0))
        facts[number, _FIRST] = first
        facts[number, ROWS] = selected - first
    width = matrix.shape[1]
    for number in range(count):
        entry = np.int64(facts[number, _ENTRY])
        for column in range(width):
            sums[number, column] = matrix[entry, column] if entry >= 0 else np.float32(0)
        first = np.int64(facts[number, _FIRST])
        for at in range(first, first + facts[number, ROWS]):
            row = np.uint64(found[at])
            for column in range(width):
                sums[number, column] += matrix[row, column]
        if entry >= 0:
            facts[number, ROWS] += 1
        word = new[number]
        if entry != _IS_LABEL and group[word, END] - group[word, START] > np.uint64(KEY_BYTES):
            facts[number, ROWS] += _add_long_word(
                data, group[word, START], group[word, END], settings, kept, before, matrix, sums[number]
            )
