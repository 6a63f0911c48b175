"""Words between white space, and terms (lower-cased runs of word characters) for shingles: one pass each."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corpusforge.kernels.array_types import INT32, INT64, READ_INT32, READ_INT64, READ_UINT8, UINT8, UINT64
from corpusforge.kernels.hash64 import SEED, add_byte, mix
from corpusforge.kernels.loading import kernel, types
from corpusforge.kernels.unicode_table import (
    CLASSES,
    CODE_POINTS,
    DIGIT,
    LETTER,
    LOWER_SHIFT,
    MARK,
    PUNCTUATION,
    SPACE,
    SYMBOL,
    UNSPACED,
    UPPER,
    WORD,
    decode,
)

Bytes = npt.NDArray[np.uint8]
Int64 = npt.NDArray[np.int64]
UInt64 = npt.NDArray[np.uint64]

HAS_LETTER = 1
"""Kind bit: the word holds a letter (L*)."""
HAS_DIGIT = 2
"""Kind bit: the word holds a decimal digit (Nd)."""
ONLY_SYMBOLS = 4
"""Kind bit: every character is punctuation (P*) or a symbol (S*)."""
HAS_UPPER = 8
"""Kind bit: the word holds an upper-case letter (Lu)."""
HAS_UNSPACED = 16
"""Kind bit: the word holds a character of a script that is written without spaces."""

_READ_UINT16 = types.Array(types.uint16, 1, "C", readonly=True)
_WORD_ARRAYS = (INT64, INT64, INT64, UINT64, UINT8)
_TERM_ARRAYS = (INT64, UINT64, INT64, INT64)
_NOT_SYMBOL = 1 << 15
_WORD_CLASSES = CLASSES | np.where(CLASSES & (PUNCTUATION | SYMBOL), 0, _NOT_SYMBOL).astype(np.uint16)


NO_SHIFT = np.zeros(CODE_POINTS, np.int32)
"""In place of `LOWER_SHIFT`: every letter keeps its case."""
NO_SHIFT.flags.writeable = False


def split_words(data: Bytes, offsets: Int64) -> tuple[Int64, Int64, Int64, UInt64, npt.NDArray[np.uint8]]:
    """Find the words of n texts: maximal runs of characters without Unicode's White_Space property.

    `data` uint8, `offsets` int64[n + 1]: the texts, in UTF-8; bytes that are none count as U+FFFD, which is a
    symbol. Returns `document_offsets` int64[n + 1], `starts` and `ends` int64[w] (byte positions in `data`),
    `hashes` uint64[w] (`corpusforge.kernels.hash64` of the bytes as they stand), `kinds` uint8[w] (bits of
    this module).
    """
    document_offsets, starts, ends, hashes, kinds = _split_words(data, offsets, _WORD_CLASSES)
    return document_offsets, starts, ends, hashes, kinds


def split_terms(data: Bytes, offsets: Int64, lowercase: bool = True) -> tuple[Int64, UInt64, Int64, Int64]:
    """Find the terms of n texts: maximal runs of letters, marks, digits, numbers, underscores, lower-cased.

    That is Python's ``\\w+``, to which marks (accents, vowel signs) belong here. In scripts that are written
    without spaces (Han, Hiragana, Katakana, Thai, Lao, Khmer, Myanmar) each character is a term of its own,
    together with the marks on it. Lower case is Unicode's simple mapping, character by character; without
    `lowercase` letters stay as they are.

    Returns `document_offsets` int64[n + 1], `hashes` uint64[t] (of the (lower-cased) UTF-8 bytes), `starts` and
    `ends` int64[t] (byte positions in `data` of the term as it stands).
    """
    document_offsets, hashes, starts, ends = _split_terms(
        data, offsets, CLASSES, LOWER_SHIFT if lowercase else NO_SHIFT
    )
    return document_offsets, hashes, starts, ends


def count_characters(data: Bytes, starts: Int64, ends: Int64) -> npt.NDArray[np.int32]:
    """Code points of m spans of UTF-8, int32[m]: their bytes that do not continue a character."""
    return np.asarray(_count_characters(data, starts, ends))


def count_classes(data: Bytes, starts: Int64, ends: Int64, classes: int) -> npt.NDArray[np.int32]:
    """Characters of each span that are in one of the `classes` (bits of `unicode_table.CLASSES`), int32[m]."""
    return np.asarray(_count_classes(data, starts, ends, classes, CLASSES))


@kernel(types.uint8(types.int64))
def _kind_of(flags: int) -> int:
    """Kind bits of a word from the union of its characters' classes."""
    kind = 0
    if flags & LETTER:
        kind |= HAS_LETTER
    if flags & DIGIT:
        kind |= HAS_DIGIT
    if not flags & _NOT_SYMBOL:
        kind |= ONLY_SYMBOLS
    if flags & UPPER:
        kind |= HAS_UPPER
    if flags & UNSPACED:
        kind |= HAS_UNSPACED
    return kind


@kernel(types.Tuple(_WORD_ARRAYS)(READ_UINT8, READ_INT64, _READ_UINT16))
def _split_words(
    data: Bytes, offsets: Int64, classes: npt.NDArray[np.uint16]
) -> tuple[Int64, Int64, Int64, UInt64, npt.NDArray[np.uint8]]:
    documents = len(offsets) - 1
    # A word and its space take two bytes at least; memory that is never written is never given.
    bound = (offsets[documents] - offsets[0]) // 2 + documents + 1
    document_offsets = np.zeros(documents + 1, np.int64)
    starts = np.empty(bound, np.int64)
    ends = np.empty(bound, np.int64)
    hashes = np.empty(bound, np.uint64)
    kinds = np.empty(bound, np.uint8)
    count = 0
    for document in range(documents):
        at = offsets[document]
        end = offsets[document + 1]
        while at < end:
            start = at
            state = SEED
            union = np.int64(0)
            while at < end:
                size = np.int64(1)
                code_point = np.int64(data[at])
                if code_point >= 0x80:
                    code_point, size = decode(data, at, end)
                flags = classes[code_point]
                if flags & SPACE:
                    break
                union |= np.int64(flags)
                state = add_byte(state, np.uint64(data[at]))
                for position in range(at + 1, at + size):
                    state = add_byte(state, np.uint64(data[position]))
                at += size
            if at > start:
                starts[count] = start
                ends[count] = at
                hashes[count] = mix(state)
                kinds[count] = _kind_of(union)
                count += 1
            if at < end:
                at += size
        document_offsets[document + 1] = count
    return document_offsets, starts[:count], ends[:count], hashes[:count], kinds[:count]


@kernel(types.uint64(types.uint64, types.int64))
def _add_character(state: np.uint64, code_point: int) -> np.uint64:
    """Hash state after the UTF-8 bytes of a code point."""
    if code_point < 0x80:
        return np.uint64(add_byte(state, np.uint64(code_point)))
    if code_point < 0x800:
        state = add_byte(state, np.uint64(0xC0 | (code_point >> 6)))
    else:
        if code_point < 0x10000:
            state = add_byte(state, np.uint64(0xE0 | (code_point >> 12)))
        else:
            state = add_byte(state, np.uint64(0xF0 | (code_point >> 18)))
            state = add_byte(state, np.uint64(0x80 | ((code_point >> 12) & 0x3F)))
        state = add_byte(state, np.uint64(0x80 | ((code_point >> 6) & 0x3F)))
    return np.uint64(add_byte(state, np.uint64(0x80 | (code_point & 0x3F))))


@kernel(types.Tuple(_TERM_ARRAYS)(READ_UINT8, READ_INT64, _READ_UINT16, READ_INT32))
def _split_terms(
    data: Bytes, offsets: Int64, classes: npt.NDArray[np.uint16], lower_shift: npt.NDArray[np.int32]
) -> tuple[Int64, UInt64, Int64, Int64]:
    documents = len(offsets) - 1
    bound = (
        offsets[documents] - offsets[0] + 1
    )  # every byte may be a term ("中" takes three, but "a中" has two)
    document_offsets = np.zeros(documents + 1, np.int64)
    hashes = np.empty(bound, np.uint64)
    starts = np.empty(bound, np.int64)
    ends = np.empty(bound, np.int64)
    count = 0
    for document in range(documents):
        at = offsets[document]
        end = offsets[document + 1]
        state = SEED
        is_open = False
        unspaced = False
        while at < end:
            size = 1
            code_point = np.int64(data[at])
            if code_point >= 0x80:
                code_point, size = decode(data, at, end)
            flags = np.int64(classes[code_point])
            extends = (flags & WORD) != 0
            if is_open and extends and not flags & MARK:
                extends = not unspaced and not flags & UNSPACED
            if is_open and not extends:
                hashes[count] = mix(state)
                ends[count] = at
                count += 1
                is_open = False
            if flags & WORD:
                if not is_open:
                    is_open = True
                    unspaced = (flags & UNSPACED) != 0
                    starts[count] = at
                    state = SEED
                state = _add_character(state, (code_point + lower_shift[code_point]) % CODE_POINTS)
            at += size
        if is_open:
            hashes[count] = mix(state)
            ends[count] = end
            count += 1
        document_offsets[document + 1] = count
    return document_offsets, hashes[:count], starts[:count], ends[:count]


@kernel(INT32(READ_UINT8, READ_INT64, READ_INT64))
def _count_characters(data: Bytes, starts: Int64, ends: Int64) -> npt.NDArray[np.int32]:
    counts = np.empty(len(starts), np.int32)
    for span in range(len(starts)):
        count = 0
        for at in range(starts[span], ends[span]):
            count += (data[at] & 0xC0) != 0x80
        counts[span] = count
    return counts


@kernel(
    INT32(READ_UINT8, READ_INT64, READ_INT64, types.int64, types.Array(types.uint16, 1, "C", readonly=True))
)
def _count_classes(
    data: Bytes, starts: Int64, ends: Int64, classes: int, table: npt.NDArray[np.uint16]
) -> npt.NDArray[np.int32]:
    counts = np.empty(len(starts), np.int32)
    for span in range(len(starts)):
        count = 0
        at = starts[span]
        while at < ends[span]:
            code_point, size = decode(data, at, ends[span])
            count += (table[code_point] & classes) != 0
            at += size
        counts[span] = count
    return counts
