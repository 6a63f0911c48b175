"""Sums of the words of spans of text, with a table of the words' vectors that is kept from batch to batch.

A row of the table is a word: its key (`corpusforge.kernels.word_keys`), the number of rows of the model that its
vector sums, and the vector. Two rows that stand side by side are a set; a word belongs to one set, and a new one
takes the place of the word of its set that was not found last. Words are looked up in groups: the rows of all of
a group are on their way into the processor's cache while their bytes are still being read, as waiting for them
would take longer than all other work. A vector is summed on its own and then added, always in the order of the
words, so what the table holds changes no result.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corpusforge.kernels.array_types import INT64, READ_INT32, READ_INT64, READ_UINT8, READ_UINT64
from corpusforge.kernels.fasttext_sums import LONGEST, MATRIX, READ_MATRIX, SHORTEST
from corpusforge.kernels.fasttext_words import (
    END,
    FACTS,
    GROUP,
    GROUP_ARRAY,
    HASH,
    ROWS,
    SPAN,
    START,
    make_room,
    sum_new_words,
)
from corpusforge.kernels.loading import kernel, types
from corpusforge.kernels.prefetch import prefetch
from corpusforge.kernels.word_keys import KEY_BYTES, hash_key, word_end, word_part
from corpusforge.kernels.word_table import is_space

Bytes = npt.NDArray[np.uint8]
Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
UInt64 = npt.NDArray[np.uint64]
Float32 = npt.NDArray[np.float32]

VECTOR = 16
"""Column of a row, as float32, with which its vector begins: the second cache line."""

_COUNT, _FOUND_LAST = 4, 5
_LINE = np.uint64(64)
_ONE = np.uint64(1)
_EIGHT = np.uint64(8)


def make_table(rows: int, width: int) -> tuple[UInt64, Float32]:
    """Empty table of `rows`, a power of two and at least 2, for vectors of `width`: its keys and its vectors.

    Both are views of the same memory, uint64[rows, n] and float32[rows, 2 * n].
    """
    items = 8 + (width + 15) // 16 * 8
    memory = np.zeros(rows * items + 8, np.uint64)
    # Rows begin with a cache line.
    first = -memory.ctypes.data % 64 // 8
    keys = memory[first : first + rows * items].reshape(rows, items)
    return keys, keys.view(np.float32)


@kernel(types.boolean(GROUP_ARRAY, types.int64, GROUP_ARRAY, types.uint64))
def _is_at(group: UInt64, word: int, keys: UInt64, row: np.uint64) -> bool:
    different = (keys[row, 0] ^ group[word, 0]) | (keys[row, 1] ^ group[word, 1])
    return bool((different | (keys[row, 2] ^ group[word, 2]) | (keys[row, 3] ^ group[word, 3])) == 0)


@kernel(types.uint64(types.uint64, GROUP_ARRAY))
def _set_of(hashed: np.uint64, keys: UInt64) -> np.uint64:
    """First row of the set of a word."""
    return ((hashed >> np.uint64(32)) & np.uint64((len(keys) >> 1) - 1)) << _ONE


@kernel(types.int64(GROUP_ARRAY, types.int64, GROUP_ARRAY, types.int32[::1], types.int32[::1]))
def _look_up(group: UInt64, size: int, keys: UInt64, places: Int32, new: Int32) -> np.int64:
    """Find the rows of a group's words: `places`, ~k for the k-th new one, and the number of `new` words."""
    count = np.int64(0)
    for word in range(size):
        first = _set_of(group[word, HASH], keys)
        second = first + _ONE
        is_long = group[word, END] - group[word, START] > np.uint64(KEY_BYTES)
        if not is_long and _is_at(group, word, keys, first):
            places[word] = first
            if keys[first, _FOUND_LAST] != 0:
                keys[first, _FOUND_LAST] = 0
        elif not is_long and _is_at(group, word, keys, second):
            places[word] = second
            if keys[first, _FOUND_LAST] == 0:
                keys[first, _FOUND_LAST] = 1
        else:
            places[word] = ~count
            new[count] = word
            count += 1
    return count


@kernel(
    types.void(GROUP_ARRAY, types.int64, types.int32[::1], GROUP_ARRAY, MATRIX, FACTS, MATRIX, MATRIX, INT64)
)
def _add(
    group: UInt64,
    size: int,
    places: Int32,
    keys: UInt64,
    vectors: Float32,
    facts: Int32,
    new_sums: Float32,
    sums: Float32,
    rows: Int64,
) -> None:
    """Add the vectors of a group's words to the sums of their spans."""
    width = sums.shape[1]
    for word in range(size):
        span = group[word, SPAN]
        place = np.int64(places[word])
        if place >= 0:
            row = np.uint64(place)
            rows[span] += np.int64(keys[row, _COUNT])
            for column in range(width):
                sums[span, column] += vectors[row, VECTOR + column]
        else:
            number = np.uint64(~place)
            rows[span] += facts[number, ROWS]
            for column in range(width):
                sums[span, column] += new_sums[number, column]


@kernel(types.void(GROUP_ARRAY, types.int32[::1], types.int64, GROUP_ARRAY, MATRIX, FACTS, MATRIX))
def _keep(
    group: UInt64,
    new: Int32,
    count: int,
    keys: UInt64,
    vectors: Float32,
    facts: Int32,
    new_sums: Float32,
) -> None:
    """Put new words into the table; one that the group holds twice lands in the same row twice."""
    for number in range(count):
        word = new[number]
        if group[word, END] - group[word, START] > np.uint64(KEY_BYTES):
            continue
        first = _set_of(group[word, HASH], keys)
        row = first + (keys[first, _FOUND_LAST] ^ _ONE)
        for item in range(4):
            keys[row, item] = group[word, item]
        keys[row, _COUNT] = np.uint64(facts[number, ROWS])
        for column in range(new_sums.shape[1]):
            vectors[row, VECTOR + column] = new_sums[number, column]


@kernel(types.uint64(READ_UINT8, types.uint64, types.uint64, GROUP_ARRAY, types.uint64))
def _read_word(data: Bytes, start: np.uint64, end: np.uint64, group: UInt64, place: np.uint64) -> np.uint64:
    """Put the word at ``data[start]`` into a group, but for its span; its end."""
    second = third = fourth = np.uint64(0)
    first, size = word_part(data, start, end)
    at = start + size
    if size == 8 and at < end:
        second, size = word_part(data, at, end)
        at += size
        if size == 8 and at < end:
            third, size = word_part(data, at, end)
            at += size
            if size == 8 and at < end:
                fourth, size = word_part(data, at, end)
                at += size
                if size == 8:
                    at = word_end(data, at, end)
    group[place, 0], group[place, 1] = first, second
    group[place, 2], group[place, 3] = third, fourth
    group[place, HASH] = hash_key(first, second, third, fourth)
    group[place, START], group[place, END] = start, at
    return np.uint64(at)


@kernel(
    types.Tuple((MATRIX, INT64, types.uint8[::1]))(
        READ_UINT8,
        READ_INT64,
        READ_INT64,
        types.uint64,
        READ_INT64,
        READ_UINT8,
        READ_INT64,
        READ_UINT64,
        READ_UINT64,
        READ_INT32,
        READ_MATRIX,
        GROUP_ARRAY,
        MATRIX,
    )
)
def sum_spans(
    data: Bytes,
    starts: Int64,
    ends: Int64,
    stop: np.uint64,
    settings: Int64,
    names: Bytes,
    name_offsets: Int64,
    index: UInt64,
    kept: UInt64,
    before: Int32,
    matrix: Float32,
    keys: UInt64,
    vectors: Float32,
) -> tuple[Float32, Int64, Bytes]:
    """Sum the vectors of each span's words, in order: sums float32[s, d] and rows summed int64[s].

    Span i is ``data[starts[i]:ends[i]]``; `stop` is a word of up to 7 bytes as a number, the first byte lowest,
    behind which a span is not read: uint8[s] is 1 where a span holds it. `index` is
    `corpusforge.kernels.fasttext_words.index_names`'s, `keys` and `vectors` are `make_table`'s, and the other
    arrays those of `corpusforge.kernels.fasttext_sums`.
    """
    width = matrix.shape[1]
    sums = np.zeros((len(starts), width), np.float32)
    rows = np.zeros(len(starts), np.int64)
    stopped = np.zeros(len(starts), np.uint8)
    group = np.zeros((GROUP, 8), np.uint64)
    places = np.zeros(GROUP, np.int32)
    new = np.zeros(GROUP, np.int32)
    room = make_room(settings[SHORTEST], settings[LONGEST], width)
    size = np.uint64(0)
    for span in range(len(starts) + 1):
        is_behind = span == len(starts)
        at = np.uint64(0) if is_behind else np.uint64(starts[span])
        end = np.uint64(0) if is_behind else np.uint64(ends[span])
        while at < end or (is_behind and size > 0):
            if size == GROUP or is_behind:
                count = _look_up(group, np.int64(size), keys, places, new)
                if count > 0:
                    sum_new_words(
                        group,
                        new,
                        count,
                        data,
                        settings,
                        names,
                        name_offsets,
                        index,
                        kept,
                        before,
                        matrix,
                        room,
                    )
                _add(group, np.int64(size), places, keys, vectors, room[0], room[1], sums, rows)
                _keep(group, new, count, keys, vectors, room[0], room[1])
                size = np.uint64(0)
                continue
            if is_space(data[at]):
                at += _ONE
                continue
            at = _read_word(data, at, end, group, size)
            if group[size, 0] == stop and group[size, 1] == 0:
                stopped[span] = 1
                break
            group[size, SPAN] = np.uint64(span)
            row = _set_of(group[size, HASH], keys)
            prefetch(keys, row, np.uint64(0))
            prefetch(keys, row, _LINE)
            prefetch(keys, row + _ONE, np.uint64(0))
            prefetch(keys, row + _ONE, _LINE)
            size += _ONE
    return sums, rows, stopped
