"""Back-off n-gram models as arrays: reading ARPA lines, a table of n-grams, and log10 probabilities of sentences.

An n-gram's key is the pair (entry of the n-gram without its first word, its first word), so keys are exact and
one lookup lengthens a match by one word to the left. An entry is a word's id, or the number of words plus a slot
of the table. Where a model lacks the shorter n-gram an entry without a probability (NaN) stands in for it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corpusforge.kernels.array_types import READ_INT32, READ_INT64, READ_UINT8, READ_UINT64
from corpusforge.kernels.fasttext_sums import find_entry
from corpusforge.kernels.hash64 import mix
from corpusforge.kernels.loading import kernel, types

Bytes = npt.NDArray[np.uint8]
Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
UInt64 = npt.NDArray[np.uint64]
Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

EMPTY = np.uint64(0xFFFFFFFFFFFFFFFF)
"""Key of a free slot."""

_READ_MATRIX = types.Array(types.float32, 2, "C", readonly=True)
_READ_IDS = types.Array(types.int32, 2, "C", readonly=True)
_MATRIX = types.Array(types.float32, 2, "C")
_TAB, _LINE_FEED, _RETURN, _SPACE = 9, 10, 13, 32
_MINUS, _PLUS, _POINT, _ZERO, _NINE, _E = 0x2D, 0x2B, 0x2E, 0x30, 0x39, 0x65


@kernel(types.Tuple((types.float64, types.boolean))(READ_UINT8, types.int64, types.int64))
def parse_number(data: Bytes, start: int, end: int) -> tuple[float, bool]:
    """Value of ``data[start:end]`` as a decimal number, and whether it is one."""
    at = start
    negative = at < end and data[at] == _MINUS
    if at < end and (data[at] == _MINUS or data[at] == _PLUS):
        at += 1
    value = 0.0
    digits = 0
    decimals = 0
    after_point = False
    while at < end and (_ZERO <= data[at] <= _NINE or (data[at] == _POINT and not after_point)):
        if data[at] == _POINT:
            after_point = True
        else:
            value = value * 10.0 + (data[at] - _ZERO)
            digits += 1
            decimals += after_point
        at += 1
    exponent = 0
    if at < end and data[at] | 0x20 == _E and digits > 0:
        at += 1
        sign = 1
        if at < end and (data[at] == _MINUS or data[at] == _PLUS):
            sign = -1 if data[at] == _MINUS else 1
            at += 1
        if at == end:
            return 0.0, False
        while at < end and _ZERO <= data[at] <= _NINE:
            exponent = min(exponent * 10 + (data[at] - _ZERO), 1000)
            at += 1
        exponent *= sign
    value *= 10.0 ** np.float64(exponent - decimals)
    return (-value if negative else value), at == end and digits > 0


@kernel(
    types.Tuple((types.int64, _MATRIX, types.int64[:, ::1]))(
        READ_UINT8, types.int64, types.int64, types.int64, types.int64
    )
)
def parse_lines(
    data: Bytes, start: int, end: int, length: int, count: int
) -> tuple[np.int64, Float32, Int64]:
    """Read the lines ``data[start:end]`` of one order: a probability, `length` words, maybe a back-off weight.

    Returns the number of lines, `count` where all is well and ~byte where something is no such line or one too
    many; numbers float32[count, 2]; and the starts and ends of the words int64[count, 2 * length].
    """
    numbers = np.zeros((count, 2), np.float32)
    words = np.zeros((count, 2 * length), np.int64)
    line = np.int64(0)
    at = np.int64(start)
    while at < end:
        fields = 0
        first = at
        while at < end and data[at] != _LINE_FEED:
            if data[at] == _TAB or data[at] == _SPACE or data[at] == _RETURN:
                at += 1
                continue
            begin = at
            while (
                at < end
                and data[at] != _TAB
                and data[at] > 0
                and data[at] not in (_SPACE, _RETURN, _LINE_FEED)
            ):
                at += 1
            if at == begin or fields > length + 1 or line >= count:
                return ~begin, numbers, words
            if 1 <= fields <= length:
                words[line, 2 * fields - 2] = begin
                words[line, 2 * fields - 1] = at
            else:
                value, is_number = parse_number(data, begin, at)
                if not is_number:
                    return ~begin, numbers, words
                numbers[line, 0 if fields == 0 else 1] = value
            fields += 1
        at += 1
        if fields > 0:
            if fields <= length:
                return ~first, numbers, words
            line += 1
    return line, numbers, words


@kernel(types.int32[:, ::1](READ_UINT8, types.int64[:, ::1], READ_UINT8, READ_INT64, READ_INT32))
def find_ids(data: Bytes, words: Int64, names: Bytes, name_offsets: Int64, table: Int32) -> Int32:
    """Ids int32[n, length] of words given by starts and ends int64[n, 2 * length]; -1 for unknown ones."""
    ids = np.empty((words.shape[0], words.shape[1] // 2), np.int32)
    for line in range(ids.shape[0]):
        for place in range(ids.shape[1]):
            ids[line, place] = find_entry(
                data, words[line, 2 * place], words[line, 2 * place + 1], names, name_offsets, table
            )
    return ids


@kernel(types.int64(types.int64, types.int64, READ_UINT64))
def _find(entry: int, word: int, keys: UInt64) -> np.int64:
    """Slot of the n-gram that puts `word` before `entry`, or ~slot of the free one where it belongs."""
    key = (np.uint64(entry) << np.uint64(32)) | np.uint64(word)
    mask = np.uint64(len(keys) - 1)
    slot = mix(key) & mask
    while keys[slot] != key:
        if keys[slot] == EMPTY:
            return np.int64(~np.int64(slot))
        slot = (slot + np.uint64(1)) & mask
    return np.int64(slot)


@kernel(types.int64(_READ_IDS, _READ_MATRIX, types.int64, types.uint64[::1], _MATRIX, types.int64))
def insert_ngrams(
    ids: Int32, numbers: Float32, words: int, keys: UInt64, values: Float32, held: int
) -> np.int64:
    """Put n-grams of one order int32[n, length] with their numbers float32[n, 2] into the table.

    Shorter orders come first. `keys` uint64[c] and `values` float32[c, 2] (log10 of probability and back-off
    weight) are the table, c a power of two, of which `held` slots are taken. Returns how many then are, -1 when
    three quarters would not do.
    """
    length = ids.shape[1]
    taken = np.int64(held)
    for line in range(len(ids)):
        entry = np.int64(ids[line, length - 1])
        for place in range(length - 2, -1, -1):
            slot = _find(entry, np.int64(ids[line, place]), keys)
            if slot < 0:
                slot = ~slot
                if (taken + 1) * 4 > len(keys) * 3:
                    return np.int64(-1)
                keys[slot] = (np.uint64(entry) << np.uint64(32)) | np.uint64(ids[line, place])
                values[slot, 0] = np.nan
                values[slot, 1] = 0
                taken += 1
            if place == 0:
                values[slot, 0] = numbers[line, 0]
                values[slot, 1] = numbers[line, 1]
            entry = words + slot
    return taken


@kernel(
    types.float64[::1](
        READ_INT32,
        READ_INT64,
        types.int64,
        types.int64,
        types.int64,
        _READ_MATRIX,
        READ_UINT64,
        _READ_MATRIX,
    )
)
def score_sentences(
    ids: Int32,
    offsets: Int64,
    order: int,
    begin: int,
    end: int,
    unigrams: Float32,
    keys: UInt64,
    values: Float32,
) -> Float64:
    """Sum log10 probabilities of n sentences, each with its end, after its begin: float64[n], summed in order.

    Sentence i has the word ids ``ids[offsets[i]:offsets[i + 1]]``; `unigrams` float32[words, 2] and `values` are
    log10 of probability and back-off weight.
    """
    scores = np.zeros(len(offsets) - 1, np.float64)
    weights = np.zeros(order + 1, np.float64)
    found = np.zeros(order + 1, np.float64)
    for sentence in range(len(scores)):
        first, last = offsets[sentence], offsets[sentence + 1]
        weights[1] = unigrams[begin, 1]
        context = np.int64(min(1, order - 1))
        total = 0.0
        for at in range(first, last + 1):
            entry = np.int64(ids[at]) if at < last else end
            probability = np.float64(unigrams[entry, 0])
            found[1] = unigrams[entry, 1]
            matched = np.int64(1)
            length = np.int64(1)
            while length < order and at - length >= first - 1:
                word = np.int64(ids[at - length]) if at - length >= first else begin
                slot = _find(entry, word, keys)
                if slot < 0:
                    break
                length += 1
                if not np.isnan(values[slot, 0]):
                    probability = np.float64(values[slot, 0])
                    matched = length
                found[length] = values[slot, 1]
                entry = len(unigrams) + slot
            for size in range(matched, context + 1):
                probability += weights[size]
            total += probability
            context = np.int64(min(int(length), order - 1))
            for size in range(1, context + 1):
                weights[size] = found[size]
        scores[sentence] = total
    return scores


@kernel(
    types.Tuple((types.int32[::1], types.int64[::1], types.int64[::1]))(
        READ_INT64,
        READ_INT32,
        READ_INT64,
        READ_INT32,
        READ_INT32,
        READ_INT64,
        READ_INT32,
        READ_INT32,
        READ_INT32,
    )
)
def join_ids(
    offsets: Int64,
    places: Int32,
    starts: Int64,
    counts: Int32,
    pieces: Int32,
    outside_starts: Int64,
    outside_counts: Int32,
    outside_pieces: Int32,
    pool: Int32,
) -> tuple[Int32, Int64, Int64]:
    """Put the ids of n texts together from those of their words: ids int32[t], offsets int64[n + 1], pieces int64[n].

    `offsets`, `places` as `corpusforge.kernels.word_table.find_words` gives them; `starts`, `counts` (ids in
    `pool`) and `pieces` are by slot of the table, those of `outside` for words without one.
    """
    texts = len(offsets) - 1
    id_offsets = np.zeros(texts + 1, np.int64)
    totals = np.zeros(texts, np.int64)
    for text in range(texts):
        size = np.int64(0)
        for word in range(offsets[text], offsets[text + 1]):
            place = np.int64(places[word])
            size += np.int64(counts[place] if place >= 0 else outside_counts[~place])
            totals[text] += np.int64(pieces[place] if place >= 0 else outside_pieces[~place])
        id_offsets[text + 1] = id_offsets[text] + size
    ids = np.empty(id_offsets[texts], np.int32)
    at = 0
    for word in range(offsets[0], offsets[texts]):
        place = np.int64(places[word])
        start = starts[place] if place >= 0 else outside_starts[~place]
        size = np.int64(counts[place] if place >= 0 else outside_counts[~place])
        for item in range(size):
            ids[at] = pool[start + item]
            at += 1
    return ids, id_offsets, totals
