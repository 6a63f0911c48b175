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
from corpusforge.kernels.fasttext_ngrams import BASIS, add_byte, ones
from corpusforge.kernels.loading import kernel, types
from corpusforge.kernels.vectors import add_16
from corpusforge.kernels.word_table import is_space

Bytes = npt.NDArray[np.uint8]
Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
UInt64 = npt.NDArray[np.uint64]
Float32 = npt.NDArray[np.float32]

WORDS, SHORTEST, LONGEST, BUCKETS, PRUNED, WORD_NGRAMS = range(6)
"""Places in `settings`: words in the dictionary, characters of the shortest and longest n-gram, buckets, whether
some were pruned, and the longest n-gram of words."""

MATRIX = types.Array(types.float32, 2, "C")
READ_MATRIX = types.Array(types.float32, 2, "C", readonly=True)

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


@kernel(types.boolean(READ_UINT8, types.int64, types.int64, types.int64, types.int64))
def is_label(data: Bytes, start: int, end: int, entry: int, words: int) -> bool:
    """Whether ``data[start:end]``, whose entry of the dictionary (or -1) is given, is a label and no word."""
    if entry >= 0:
        return bool(entry >= words)
    at = 0
    while at < len(_LABEL_PREFIX) and start + at < end and data[start + at] == _LABEL_PREFIX[at]:
        at += 1
    return at == len(_LABEL_PREFIX)


@kernel(types.boolean(READ_UINT8, types.int64, types.int64, READ_UINT8))
def _is_same(data: Bytes, start: int, end: int, other: Bytes) -> bool:
    if end - start != len(other):
        return False
    place = 0
    while place < len(other) and data[start + place] == other[place]:
        place += 1
    return place == len(other)


@kernel(types.int64(types.int64, READ_UINT64, READ_INT32))
def rank(bucket: int, kept: UInt64, before: Int32) -> np.int64:
    """Number of kept buckets before a kept one; the bucket itself where all are kept."""
    if len(kept) == 0:
        return np.int64(bucket)
    below = (np.uint64(1) << np.uint64(bucket & 63)) - np.uint64(1)
    return np.int64(before[bucket >> 6]) + np.int64(ones(kept[bucket >> 6] & below))


@kernel(types.void(MATRIX, types.uint64, READ_MATRIX, types.uint64), inline="always")
def add_row(target: Float32, row: np.uint64, source: Float32, other: np.uint64) -> None:
    """Add ``source[other]``, which can be longer, to ``target[row]``."""
    width = np.uint64(target.shape[1])
    column = np.uint64(0)
    while column + np.uint64(16) <= width:
        add_16(target, row, source, other, column)
        column += np.uint64(16)
    while column < width:
        target[row, column] += source[other, column]
        column += np.uint64(1)


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
                row = rank(bucket, kept, before)
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


@kernel(
    types.Tuple((INT64, types.uint64[::1]))(
        READ_UINT8, READ_INT64, READ_INT64, READ_UINT8, INT64, READ_UINT8, READ_INT64, READ_INT32
    )
)
def hash_words(
    data: Bytes,
    starts: Int64,
    ends: Int64,
    stop: Bytes,
    settings: Int64,
    names: Bytes,
    name_offsets: Int64,
    table: Int32,
) -> tuple[Int64, UInt64]:
    """Hash the words of s spans, labels left out: offsets int64[s + 1] and `word_hash` uint64[t].

    The word `stop` stands behind every span, and nothing behind it is read.
    """
    bound = np.int64(len(starts))
    for span in range(len(starts)):
        bound += (ends[span] - starts[span] + 1) >> 1
    hashes = np.empty(bound, np.uint64)
    offsets = np.zeros(len(starts) + 1, np.int64)
    stop_hash = word_hash(stop, 0, len(stop))
    stop_entry = find_entry(stop, 0, len(stop), names, name_offsets, table)
    count = np.int64(0)
    for span in range(len(starts)):
        at = starts[span]
        while at < ends[span]:
            if is_space(data[at]):
                at += 1
                continue
            start = at
            while at < ends[span] and not is_space(data[at]):
                at += 1
            hashed = word_hash(data, start, at)
            if hashed == stop_hash and _is_same(data, start, at, stop):
                break
            entry = _find_hashed(data, start, at, hashed, names, name_offsets, table)
            if not is_label(data, start, at, entry, settings[WORDS]):
                hashes[count] = hashed
                count += 1
        if not is_label(stop, 0, len(stop), stop_entry, settings[WORDS]):
            hashes[count] = stop_hash
            count += 1
        offsets[span + 1] = count
    return offsets, hashes[:count]
