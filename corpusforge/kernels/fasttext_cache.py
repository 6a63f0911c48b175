"""Sums of the words of spans of text, with a table of the words' vectors that is kept from batch to batch.

A row of the table is a word of up to 31 bytes, filled up with zeros (no word holds a NUL), and its vector. Two rows
are a set, whose words share a cache line; a word belongs to one set, and a new one takes the place of the word of
its set that was not found last. Words are found 64 bytes at a time and looked up in groups, in passes: while the
words of one pass are worked on, the memory of the next is on its way into the processor's cache, as waiting for it
would take longer than all other work. A vector is summed on its own and then added, always in the order of the
words, so what the table holds changes no result.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corpusforge.kernels.array_types import INT64, READ_INT32, READ_INT64, READ_UINT8, READ_UINT64
from corpusforge.kernels.fasttext_ngrams import ones
from corpusforge.kernels.fasttext_sums import LONGEST, MATRIX, READ_MATRIX, SHORTEST
from corpusforge.kernels.fasttext_words import (
    END,
    FACTS,
    GROUP,
    GROUP_ARRAY,
    HASH,
    ROOM,
    ROWS,
    SPAN,
    START,
    Room,
    make_room,
    sum_new_words,
)
from corpusforge.kernels.loading import kernel, types
from corpusforge.kernels.prefetch import prefetch
from corpusforge.kernels.vectors import add_rows_16, copy_32, space_bits_64
from corpusforge.kernels.word_keys import KEY_BYTES, hash_key, key_of
from corpusforge.kernels.word_table import is_space

Bytes = npt.NDArray[np.uint8]
Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
UInt64 = npt.NDArray[np.uint64]
Float32 = npt.NDArray[np.float32]

BLOCK = 64
"""Bytes that are looked at together for words: at most half of them begin one."""

MOST_ROWS = 127
"""Most rows of the model that the vector of a word of the table sums."""

_HELD_BYTES = np.uint64(31)
_WORD_BITS = np.uint64((1 << 56) - 1)
_ROWS_AT = np.uint64(56)
_SECOND_LAST = np.uint64(1 << 63)
_NONE, _ONE = np.uint64(0), np.uint64(1)
_EDGES = 2 * GROUP + 4


def make_table(rows: int, width: int) -> tuple[UInt64, Float32]:
    """Empty table of `rows`, a power of two and at least 2, for vectors of `width`: its words and its vectors.

    The words are uint64[rows / 2, 8], two to a set, four items each; the last byte of one has the number of rows
    of the model that it sums and, in the highest bit of the first one's, whether the second was found last. The
    vectors are float32[rows + GROUP, n]; the last ones are room for a group's new words.
    """
    vectors = _lines((rows + GROUP) * -(-width // 16)).reshape(rows + GROUP, -1)
    return _lines(rows // 2).view(np.uint64), vectors


def _lines(count: int) -> Float32:
    """Zeros float32[count, 16], each row a cache line."""
    memory = np.zeros((count + 1) * 16, np.float32)
    first = -memory.ctypes.data % 64 // 4
    return memory[first : first + count * 16].reshape(count, 16)


@kernel(types.uint64(READ_UINT8, types.uint64, types.uint64))
def _word_bits(data: Bytes, at: np.uint64, end: np.uint64) -> np.uint64:
    """Which of the 64 bytes from `at` on are of words: a bit for each, none from `end` on."""
    if at + np.uint64(BLOCK) <= np.uint64(len(data)):
        bits = ~space_bits_64(data, at)
    else:
        bits = _NONE
        for place in range(min(end - at, np.uint64(BLOCK))):
            if not is_space(data[at + np.uint64(place)]):
                bits |= _ONE << np.uint64(place)
    if end - at < np.uint64(BLOCK):
        bits &= (_ONE << (end - at)) - _ONE
    return np.uint64(bits)


@kernel(types.uint64(READ_UINT8, types.uint64, types.uint64, types.uint64, types.uint64[::1], types.uint64))
def _find_edges(
    data: Bytes, at: np.uint64, end: np.uint64, before: np.uint64, edges: UInt64, count: np.uint64
) -> np.uint64:
    """Write where words begin and end in the 64 bytes from `at` on, or by `end`, from ``edges[count]`` on; new count.

    `before` is 1 where the byte before is of a word.
    """
    bits = _word_bits(data, at, end)
    changes = bits ^ ((bits << _ONE) | before)
    while changes:
        first = changes & (~changes + _ONE)
        edges[count] = at + ones(first - _ONE)
        count += _ONE
        changes ^= first
    return count


@kernel(types.uint64(types.uint64, GROUP_ARRAY))
def _set_of(hashed: np.uint64, keys: UInt64) -> np.uint64:
    return (hashed >> np.uint64(32)) & np.uint64(len(keys) - 1)


@kernel(
    types.int64(
        READ_UINT8, types.uint64[::1], types.int32[::1], types.int64, types.uint64, types.uint8[::1],
        GROUP_ARRAY, GROUP_ARRAY,
    )
)  # fmt: skip
def _read_words(
    data: Bytes,
    edges: UInt64,
    spans: Int32,
    count: int,
    stop: np.uint64,
    stopped: Bytes,
    group: UInt64,
    keys: UInt64,
) -> np.int64:
    """Put words into a group, but those behind a `stop` of their span, and ask for their sets; their number."""
    size = _NONE
    for word in range(count):
        span = spans[word]
        if stopped[span]:
            continue
        start, end = edges[2 * word], edges[2 * word + 1]
        if start + np.uint64(KEY_BYTES) <= np.uint64(len(data)):
            copy_32(data, start, min(end - start, np.uint64(KEY_BYTES)), group, size)
        else:
            group[size, 0], group[size, 1], group[size, 2], group[size, 3] = key_of(data, start, end)
        if group[size, 0] == stop and end - start < np.uint64(8):
            stopped[span] = 1
            continue
        hashed = hash_key(group[size, 0], group[size, 1], group[size, 2], group[size, 3])
        group[size, HASH], group[size, SPAN] = hashed, np.uint64(span)
        group[size, START], group[size, END] = start, end
        prefetch(keys, _set_of(hashed, keys), _NONE)
        size += _ONE
    return np.int64(size)


@kernel(types.int64(GROUP_ARRAY, types.int64, GROUP_ARRAY, READ_MATRIX, types.int64[::1], types.int32[::1]))
def _look_up(group: UInt64, size: int, keys: UInt64, vectors: Float32, places: Int64, new: Int32) -> np.int64:
    """Find a group's words: `places`, but for the `new` ones, and the number of those.

    A place is a row of the table and, 32 bits higher, the number of rows of the model. The vectors are asked for.
    """
    count = np.int64(0)
    for word in range(size):
        place = _set_of(group[word, HASH], keys)
        first, second, third, fourth = group[word, 0], group[word, 1], group[word, 2], group[word, 3]
        other = (keys[place, 0] ^ first) | (keys[place, 1] ^ second) | (keys[place, 2] ^ third)
        other |= (keys[place, 3] ^ fourth) & _WORD_BITS
        another = (keys[place, 4] ^ first) | (keys[place, 5] ^ second) | (keys[place, 6] ^ third)
        another |= (keys[place, 7] ^ fourth) & _WORD_BITS
        is_second = np.uint64(another == _NONE)
        is_long = group[word, END] - group[word, START] > _HELD_BYTES
        if is_long or (other != _NONE and another != _NONE):
            new[count] = word
            count += 1
        else:
            row = (place << _ONE) + is_second
            prefetch(vectors, row, _NONE)
            facts = keys[place, 3]
            rows = ((keys[place, 7] if is_second else facts) >> _ROWS_AT) & np.uint64(MOST_ROWS)
            places[word] = np.int64(row | (rows << np.uint64(32)))
            if (facts >> np.uint64(63)) != is_second:
                keys[place, 3] = facts ^ _SECOND_LAST
    return count


@kernel(types.void(types.int32[::1], types.int64, types.int64[::1], MATRIX, FACTS, READ_MATRIX))
def _place_new(
    new: Int32, count: int, places: Int64, vectors: Float32, facts: Int32, new_sums: Float32
) -> None:
    """Put the vectors of a group's new words behind the table's, and give the words these places."""
    first = np.uint64(len(vectors) - GROUP)
    for word in range(count):
        number = np.uint64(word)
        row = first + number
        places[new[number]] = np.int64(row) | (np.int64(facts[number, ROWS]) << 32)
        for column in range(new_sums.shape[1]):
            vectors[row, np.uint64(column)] = new_sums[number, np.uint64(column)]


@kernel(types.void(GROUP_ARRAY, types.int64, READ_INT64, READ_MATRIX, MATRIX, INT64))
def _add(group: UInt64, size: int, places: Int64, vectors: Float32, sums: Float32, rows: Int64) -> None:
    """Add the vectors of a group's words to the sums of their spans."""
    width = np.uint64(sums.shape[1])
    first, behind, words = _NONE, _NONE, np.uint64(size)
    while first < words:
        span = group[first, SPAN]
        while behind < words and group[behind, SPAN] == span:
            rows[span] += places[behind] >> 32
            behind += _ONE
        column = _NONE
        while column + np.uint64(16) <= width:
            add_rows_16(sums, span, vectors, places, first, behind, column)
            column += np.uint64(16)
        while column < width:
            for word in range(first, behind):
                sums[span, column] += vectors[np.uint64(places[word] & 0xFFFFFFFF), column]
            column += _ONE
        first = behind


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
        if group[word, END] - group[word, START] > _HELD_BYTES or facts[number, ROWS] > MOST_ROWS:
            continue
        place = _set_of(group[word, HASH], keys)
        is_second = (keys[place, 3] >> np.uint64(63)) ^ _ONE
        item = is_second << np.uint64(2)
        last = keys[place, 3] & _SECOND_LAST if is_second == _NONE else _NONE
        keys[place, item] = group[word, 0]
        keys[place, item + _ONE] = group[word, 1]
        keys[place, item + np.uint64(2)] = group[word, 2]
        keys[place, item + np.uint64(3)] = (
            group[word, 3] | (np.uint64(facts[number, ROWS]) << _ROWS_AT) | last
        )
        row = (place << _ONE) + is_second
        for column in range(new_sums.shape[1]):
            vectors[row, column] = new_sums[number, column]


@kernel(
    types.void(
        READ_UINT8, types.uint64[::1], types.int32[::1], types.int64, types.uint64, types.uint8[::1],
        READ_INT64, READ_UINT8, READ_INT64, READ_UINT64, READ_UINT64, READ_INT32, READ_MATRIX,
        GROUP_ARRAY, MATRIX, GROUP_ARRAY, types.int64[::1], types.int32[::1], ROOM, MATRIX, INT64,
    )
)  # fmt: skip
def _sum_words(
    data: Bytes,
    edges: UInt64,
    spans: Int32,
    count: int,
    stop: np.uint64,
    stopped: Bytes,
    settings: Int64,
    names: Bytes,
    name_offsets: Int64,
    index: UInt64,
    kept: UInt64,
    before: Int32,
    matrix: Float32,
    keys: UInt64,
    vectors: Float32,
    group: UInt64,
    places: Int64,
    new: Int32,
    room: Room,
    sums: Float32,
    rows: Int64,
) -> None:
    """Add the vectors of `count` words, given by their edges, to the sums of their spans."""
    size = _read_words(data, edges, spans, count, stop, stopped, group, keys)
    new_words = _look_up(group, size, keys, vectors, places, new)
    if new_words > 0:
        sum_new_words(
            group, new, new_words, data, settings, names, name_offsets, index, kept, before, matrix, room
        )
        _place_new(new, new_words, places, vectors, room[0], room[1])
    _add(group, size, places, vectors, sums, rows)
    _keep(group, new, new_words, keys, vectors, room[0], room[1])


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
    edges = np.zeros(_EDGES, np.uint64)
    spans = np.zeros(GROUP + 2, np.int32)
    group = np.zeros((GROUP, 8), np.uint64)
    places = np.zeros(GROUP, np.int64)
    new = np.zeros(GROUP, np.int32)
    room = make_room(settings[SHORTEST], settings[LONGEST], width, kept)
    count = _NONE
    for span in range(len(starts)):
        at, end = np.uint64(starts[span]), np.uint64(ends[span])
        while at < end and not stopped[span]:
            begun = (count + _ONE) >> _ONE
            count = _find_edges(data, at, end, count & _ONE, edges, count)
            at += np.uint64(BLOCK)
            if at >= end and count & _ONE:
                edges[count] = end
                count += _ONE
            for word in range(begun, (count + _ONE) >> _ONE):
                spans[word] = span
            whole = count >> _ONE
            if whole > GROUP - BLOCK // 2 - 1:
                _sum_words(
                    data,
                    edges,
                    spans,
                    whole,
                    stop,
                    stopped,
                    settings,
                    names,
                    name_offsets,
                    index,
                    kept,
                    before,
                    matrix,
                    keys,
                    vectors,
                    group,
                    places,
                    new,
                    room,
                    sums,
                    rows,
                )
                edges[0] = edges[count - _ONE]
                spans[0] = span
                count &= _ONE
        if count & _ONE:
            # An edge of a word behind the stop.
            count -= _ONE
    _sum_words(
        data,
        edges,
        spans,
        count >> _ONE,
        stop,
        stopped,
        settings,
        names,
        name_offsets,
        index,
        kept,
        before,
        matrix,
        keys,
        vectors,
        group,
        places,
        new,
        room,
        sums,
        rows,
    )
    return sums, rows, stopped
