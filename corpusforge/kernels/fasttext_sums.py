"""Input vectors of words and of spans of text under a fastText model.

The rules are fastText's (facebookresearch/fastText 0.9.2, ``dictionary.cc``: find, computeSubwords, pushHash,
addWordNgrams): character n-grams in buckets (`corpusforge.kernels.fasttext_ngrams`), and in quantised models only
the buckets that were kept.

A model's arrays: `settings` int64[6] (places below); `names` uint8 and `name_offsets` int64[entries + 1] spell
the dictionary's words and then its labels; `table` int32[power of two] finds entries by hash with linear probing,
-1 in free slots; `kept` uint64[ceil(buckets / 64)] has a bit per bucket that was kept and `before` int32 the bits
set before each of its items (both empty where all are kept); `matrix` float32[rows, d] holds the words' vectors
and then the kept buckets' in order.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corpusforge.kernels.array_types import INT64, READ_INT32, READ_INT64, READ_UINT8, READ_UINT64
from corpusforge.kernels.fasttext_ngrams import (
    BASIS,
    BLOCK_BYTES,
    add_byte,
    hash_block,
    select_from_block,
    select_from_word,
)
from corpusforge.kernels.loading import kernel, types
from corpusforge.kernels.word_table import is_space

Bytes = npt.NDArray[np.uint8]
Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
UInt64 = npt.NDArray[np.uint64]
Float32 = npt.NDArray[np.float32]

WORDS, SHORTEST, LONGEST, BUCKETS, PRUNED, WORD_NGRAMS = range(6)
"""Places in `settings`: words in the dictionary, characters of the shortest and longest n-gram, buckets, whether
some were pruned, and the longest n-gram of words."""

LABEL = -1
"""Number of rows of a token that is a label and no word."""

MATRIX = types.Array(types.float32, 2, "C")
READ_MATRIX = types.Array(types.float32, 2, "C", readonly=True)

_LESS_THAN, _GREATER_THAN = 0x3C, 0x3E
_LABEL_PREFIX = tuple(b"__label__")
_WORD_MULTIPLIER = np.uint64(116049371)
_SIGN_32 = np.uint64(0x80000000)
_HIGH_32 = np.uint64(0xFFFFFFFF00000000)


@kernel(types.uint64(READ_UINT8, types.int64, types.int64))
def word_hash(data: Bytes, start: int, end: int) -> np.uint64:
    """FastText's 32-bit hash of ``data[start:end]``."""
    state = BASIS
    for place in range(start, end):
        state = add_byte(state, data[place])
    return state


@kernel(types.int64(types.uint64))
def _ones(value: np.uint64) -> np.int64:
    """Bits that are set."""
    value -= (value >> np.uint64(1)) & np.uint64(0x5555555555555555)
    value = (value & np.uint64(0x3333333333333333)) + (
        (value >> np.uint64(2)) & np.uint64(0x3333333333333333)
    )
    value = (value + (value >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.int64((value * np.uint64(0x0101010101010101)) >> np.uint64(56))


@kernel(types.int64(READ_UINT8, types.int64, types.int64, types.uint64, READ_UINT8, READ_INT64, READ_INT32))
def _find_hashed(
    data: Bytes, start: int, end: int, hashed: np.uint64, names: Bytes, name_offsets: Int64, table: Int32
) -> np.int64:
    """Entry of the dictionary that is spelled ``data[start:end]``, whose `word_hash` is given, or -1."""
    mask = np.uint64(len(table) - 1)
    slot = hashed & mask
    while table[slot] >= 0:
        entry = np.int64(table[slot])
        first = name_offsets[entry]
        if name_offsets[entry + 1] - first == end - start:
            at = np.int64(0)
            while at < end - start and names[first + at] == data[start + at]:
                at += 1
            if at == end - start:
                return entry
        slot = (slot + np.uint64(1)) & mask
    return np.int64(-1)


@kernel(types.int64(READ_UINT8, types.int64, types.int64, READ_UINT8, READ_INT64, READ_INT32))
def find_entry(
    data: Bytes, start: int, end: int, names: Bytes, name_offsets: Int64, table: Int32
) -> np.int64:
    """Entry of the dictionary that is spelled ``data[start:end]``, or -1."""
    return np.int64(_find_hashed(data, start, end, word_hash(data, start, end), names, name_offsets, table))


@kernel(types.boolean(READ_UINT8, types.int64, types.int64))
def _looks_like_label(data: Bytes, start: int, end: int) -> bool:
    at = 0
    while at < len(_LABEL_PREFIX) and start + at < end and data[start + at] == _LABEL_PREFIX[at]:
        at += 1
    return at == len(_LABEL_PREFIX)


@kernel(types.int64(types.int64, READ_UINT64, READ_INT32))
def _rank(bucket: int, kept: UInt64, before: Int32) -> np.int64:
    """Number of kept buckets before a kept one; the bucket itself where all are kept."""
    if len(kept) == 0:
        return np.int64(bucket)
    below = (np.uint64(1) << np.uint64(bucket & 63)) - np.uint64(1)
    return np.int64(np.int64(before[bucket >> 6]) + _ones(kept[bucket >> 6] & below))


@kernel(
    types.Tuple((types.uint64, types.boolean))(
        READ_UINT8, types.int64, types.int64, types.uint8[::1], types.int64
    )
)
def _copy_word(data: Bytes, start: int, end: int, text: Bytes, at: int) -> tuple[np.uint64, bool]:
    """Write ``<``, ``data[start:end]`` and ``>`` from ``text[at]`` on; the word's hash, and whether it is ASCII."""
    hashed = BASIS
    others = np.uint8(0)
    text[at] = _LESS_THAN
    for place in range(end - start):
        byte = data[start + place]
        text[at + 1 + place] = byte
        others |= byte
        hashed = add_byte(hashed, byte)
    text[at + 1 + end - start] = _GREATER_THAN
    return hashed, bool(others < 0x80)


@kernel(
    types.UniTuple(types.int64, 2)(
        READ_UINT8,
        READ_INT64,
        READ_INT64,
        types.int64,
        types.int64,
        READ_UINT8,
        READ_INT64,
        READ_INT32,
        types.uint8[::1],
        types.int32[::1],
        types.boolean[::1],
    )
)
def _fill_block(
    data: Bytes,
    starts: Int64,
    ends: Int64,
    first: int,
    words: int,
    names: Bytes,
    name_offsets: Int64,
    table: Int32,
    text: Bytes,
    entries: Int32,
    is_ascii: npt.NDArray[np.bool_],
) -> tuple[np.int64, np.int64]:
    """Put words from the one numbered `first` on into a block, at least one: the number of the next, and its bytes.

    Finds their entries: -1 where there is none, -2 for labels.
    """
    filled = np.int64(0)
    word = np.int64(first)
    while word < len(starts):
        start, end = starts[word], ends[word]
        if word > first and filled + end - start + 2 > BLOCK_BYTES:
            break
        hashed, is_ascii[word] = _copy_word(data, start, end, text, filled)
        entry = _find_hashed(data, start, end, hashed, names, name_offsets, table)
        if entry >= words or (entry < 0 and _looks_like_label(data, start, end)):
            entry = np.int64(-2)
        entries[word] = entry
        filled += end - start + 2
        word += 1
    return word, filled


@kernel(
    types.Tuple((INT64, types.int32[::1], types.int32[::1]))(
        READ_UINT8,
        READ_INT64,
        READ_INT64,
        READ_INT64,
        READ_UINT8,
        READ_INT64,
        READ_INT32,
        READ_UINT64,
        READ_INT32,
    )
)
def word_rows(
    data: Bytes,
    starts: Int64,
    ends: Int64,
    settings: Int64,
    names: Bytes,
    name_offsets: Int64,
    table: Int32,
    kept: UInt64,
    before: Int32,
) -> tuple[Int64, Int32, Int32]:
    """Rows of the input matrix that m words ``data[starts:ends]`` select: their own and their character n-grams'.

    Returns offsets int64[m + 1], rows int32[r] and the number of rows int32[m], `LABEL` for tokens that are
    labels. Time and memory grow with the words' bytes.
    """
    words, buckets = settings[WORDS], settings[BUCKETS]
    shortest, longest = max(settings[SHORTEST], 1), max(settings[LONGEST], 0)
    longest_word = np.int64(0)
    bound = np.int64(0)
    for word in range(len(starts)):
        longest_word = max(longest_word, ends[word] - starts[word])
        bound += (ends[word] - starts[word] + 2) * longest + 1
    text = np.zeros(max(BLOCK_BYTES, longest_word + 2) + longest, np.uint8)
    states = np.empty(BLOCK_BYTES, np.uint32)
    block = np.empty((max(longest - shortest + 1, 0), BLOCK_BYTES), np.int32)
    offsets = np.zeros(len(starts) + 1, np.int64)
    rows = np.empty(bound, np.int32)
    counts = np.zeros(len(starts), np.int32)
    entries = np.empty(len(starts), np.int32)
    is_ascii = np.empty(len(starts), np.bool_)
    found = behind = np.int64(0)
    while behind < len(starts):
        first = behind
        behind, filled = _fill_block(
            data, starts, ends, first, words, names, name_offsets, table, text, entries, is_ascii
        )
        if longest > 0 and filled <= BLOCK_BYTES:
            hash_block(text, filled, shortest, longest, buckets, states, block)
        end = np.int64(0)
        for word in range(first, behind):
            begin = end
            end += ends[word] - starts[word] + 2
            if entries[word] >= 0:
                rows[found] = entries[word]
                found += 1
            first_bucket = found
            if entries[word] >= -1 and longest > 0:
                if is_ascii[word] and filled <= BLOCK_BYTES:
                    found = select_from_block(block, begin, end, shortest, longest, kept, rows, found)
                else:
                    found = select_from_word(text[begin:end], shortest, longest, buckets, kept, rows, found)
            for place in range(first_bucket, found):
                rows[place] = words + _rank(np.int64(rows[place]), kept, before)
            offsets[word + 1] = found
            counts[word] = found - offsets[word] if entries[word] >= -1 else LABEL
    return offsets, rows[:found], counts


@kernel(types.void(INT64, types.int32[::1], READ_MATRIX, types.int32[::1], MATRIX, MATRIX))
def sum_rows(
    offsets: Int64, rows: Int32, matrix: Float32, slots: Int32, held: Float32, outside: Float32
) -> None:
    """Sum ``matrix[rows[offsets[i]:offsets[i + 1]]]`` for every i into ``held[slots[i]]``.

    Those whose slot is -1 fill `outside` in order.
    """
    width = matrix.shape[1]
    total = np.empty(width, np.float32)
    next_outside = 0
    for item in range(len(slots)):
        total[:] = 0
        for place in range(offsets[item], offsets[item + 1]):
            row = np.int64(rows[place])
            for column in range(width):
                total[column] += matrix[row, column]
        slot = np.int64(slots[item])
        if slot >= 0:
            for column in range(width):
                held[slot, column] = total[column]
        else:
            for column in range(width):
                outside[next_outside, column] = total[column]
            next_outside += 1


@kernel(
    types.Tuple((MATRIX, INT64))(
        READ_INT64, types.int32[::1], MATRIX, types.int32[::1], MATRIX, types.int32[::1]
    )
)
def sum_spans(
    offsets: Int64, places: Int32, held: Float32, held_rows: Int32, outside: Float32, outside_rows: Int32
) -> tuple[Float32, Int64]:
    """Sum the vectors of each span's words, in order: sums float32[s, d] and rows int64[s].

    `offsets`, `places` as `corpusforge.kernels.word_table.find_words` gives them; `held` float32[c, d] and
    `held_rows` int32[c] by slot of the table, `outside` and `outside_rows` for words without one.
    """
    spans = len(offsets) - 1
    width = held.shape[1]
    sums = np.zeros((spans, width), np.float32)
    rows = np.zeros(spans, np.int64)
    for span in range(spans):
        total = np.int64(0)
        for word in range(offsets[span], offsets[span + 1]):
            place = np.int64(places[word])
            if place >= 0:
                total += max(held_rows[place], 0)
                for column in range(width):
                    sums[span, column] += held[place, column]
            else:
                total += max(outside_rows[~place], 0)
                for column in range(width):
                    sums[span, column] += outside[~place, column]
        rows[span] = total
    return sums, rows


@kernel(types.uint64(types.uint64))
def _extend_sign(hashed: np.uint64) -> np.uint64:
    """A 32-bit hash as fastText widens it: through a signed integer."""
    return hashed | _HIGH_32 if hashed & _SIGN_32 else hashed


@kernel(types.void(READ_INT64, READ_UINT64, READ_INT64, READ_UINT64, READ_INT32, READ_MATRIX, MATRIX, INT64))
def add_word_ngrams(
    offsets: Int64,
    hashes: UInt64,
    settings: Int64,
    kept: UInt64,
    before: Int32,
    matrix: Float32,
    sums: Float32,
    rows: Int64,
) -> None:
    """Add the vectors of runs of 2 and more words to the sums float32[s, d] and rows int64[s] of s spans.

    The words of span i, its end of sentence included and its labels left out, have the `word_hash`
    ``hashes[offsets[i]:offsets[i + 1]]``.
    """
    words, buckets = settings[WORDS], settings[BUCKETS]
    for span in range(len(offsets) - 1):
        for first in range(offsets[span], offsets[span + 1]):
            state = _extend_sign(hashes[first])
            for last in range(first + 1, min(offsets[span + 1], first + settings[WORD_NGRAMS])):
                state = state * _WORD_MULTIPLIER + _extend_sign(hashes[last])
                bucket = np.int64(state % np.uint64(max(buckets, 1)))
                if len(kept) > 0 and (kept[bucket >> 6] >> np.uint64(bucket & 63)) & np.uint64(1) == 0:
                    continue
                row = _rank(bucket, kept, before)
                rows[span] += 1
                for column in range(matrix.shape[1]):
                    sums[span, column] += matrix[words + row, column]


@kernel(types.Tuple((MATRIX, INT64))(READ_INT64, MATRIX, READ_INT64, types.uint8[::1]))
def join_spans(offsets: Int64, sums: Float32, rows: Int64, stopped: Bytes) -> tuple[Float32, Int64]:
    """Sums float32[n, d] and rows int64[n] of n texts from those of their spans ``offsets[i]:offsets[i + 1]``.

    A text ends with the first of its spans that has `stopped`.
    """
    texts = len(offsets) - 1
    totals = np.zeros((texts, sums.shape[1]), np.float32)
    counts = np.zeros(texts, np.int64)
    for text in range(texts):
        for span in range(offsets[text], offsets[text + 1]):
            counts[text] += rows[span]
            for column in range(sums.shape[1]):
                totals[text, column] += sums[span, column]
            if stopped[span]:
                break
    return totals, counts


@kernel(types.uint64[::1](READ_UINT8, READ_INT64, READ_INT64, READ_INT64))
def hash_words(data: Bytes, starts: Int64, ends: Int64, offsets: Int64) -> UInt64:
    """`word_hash` of the words of s spans, uint64[t], as many as `offsets` int64[s + 1] counts in each span."""
    hashes = np.empty(offsets[-1], np.uint64)
    for span in range(len(starts)):
        at = starts[span]
        for word in range(offsets[span], offsets[span + 1]):
            while at < ends[span] and is_space(data[at]):
                at += 1
            start = at
            while at < ends[span] and not is_space(data[at]):
                at += 1
            hashes[word] = word_hash(data, start, at)
    return hashes
