"""Texts in lower case, without ASCII punctuation, words one space apart: what word statistics are taken of.

Source of the steps: RedPajama-Data-v2 (Weber et al. 2024, arXiv:2411.12372; https://github.com/togethercomputer/
RedPajama-Data, ``utilities/text/normalization.py``). Two differences: lower case is Unicode's simple mapping,
character by character, and accents stay as they are written, where the reference decomposes them.
"""

from __future__ import annotations

import string
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from corpusforge.kernels.array_types import INT32, INT64, READ_INT32, READ_INT64, READ_UINT8, UINT8, UINT64
from corpusforge.kernels.hash64 import SEED, add_byte, mix
from corpusforge.kernels.loading import kernel, types
from corpusforge.kernels.unicode_table import CLASSES, CODE_POINTS, DIGIT, LOWER_SHIFT, NUMBER, SPACE, decode

Bytes = npt.NDArray[np.uint8]
Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
UInt64 = npt.NDArray[np.uint64]

_IS_PUNCTUATION = np.zeros(128, np.uint8)
_IS_PUNCTUATION[[ord(mark) for mark in string.punctuation]] = 1
_READ_UINT16 = types.Array(types.uint16, 1, "C", readonly=True)
_SPACE_BYTE = 32


@dataclass(frozen=True)
class NormalizedTexts:
    """n normalized texts and their words.

    `data` uint8, `offsets` int64[n + 1]: the texts. Text i has the words ``word_offsets[i]:word_offsets[i + 1]``
    (int64[n + 1]) with `hashes` uint64[w] (`corpusforge.kernels.hash64` of their bytes) and `lengths` int32[w] in
    characters. `numbers` int64[n]: characters that are digits or other numbers.
    """

    data: Bytes
    offsets: Int64
    word_offsets: Int64
    hashes: UInt64
    lengths: Int32
    numbers: Int64


def normalize_texts(data: Bytes, offsets: Int64) -> NormalizedTexts:
    """Normalize n texts in UTF-8, `data` uint8 and `offsets` int64[n + 1].

    Bytes that are no UTF-8 stay as they are and count as a character each.
    """
    return NormalizedTexts(*_normalize(data, offsets, CLASSES, LOWER_SHIFT, _IS_PUNCTUATION))


@kernel(types.int64(UINT8, types.int64, types.int64))
def _put(out: Bytes, at: int, code_point: int) -> int:
    """Write a code point of two bytes and more, or of one; gives the place behind it."""
    if code_point < 0x80:
        out[at] = code_point
        return at + 1
    if code_point < 0x800:
        out[at] = 0xC0 | (code_point >> 6)
        at += 1
    else:
        if code_point < 0x10000:
            out[at] = 0xE0 | (code_point >> 12)
            at += 1
        else:
            out[at] = 0xF0 | (code_point >> 18)
            out[at + 1] = 0x80 | ((code_point >> 12) & 0x3F)
            at += 2
        out[at] = 0x80 | ((code_point >> 6) & 0x3F)
        at += 1
    out[at] = 0x80 | (code_point & 0x3F)
    return at + 1


@kernel(
    types.Tuple((UINT8, INT64, INT64, UINT64, INT32, INT64))(
        READ_UINT8, READ_INT64, _READ_UINT16, READ_INT32, READ_UINT8
    )
)
def _normalize(
    data: Bytes,
    offsets: Int64,
    classes: npt.NDArray[np.uint16],
    lower_shift: npt.NDArray[np.int32],
    is_punctuation: Bytes,
) -> tuple[Bytes, Int64, Int64, UInt64, Int32, Int64]:
    documents = len(offsets) - 1
    size = offsets[documents] - offsets[0]
    # Lower case can take three bytes for two; memory that is never written is never given.
    out = np.empty(size + size // 2 + documents + 4, np.uint8)
    hashes = np.empty(size // 2 + documents + 1, np.uint64)
    lengths = np.empty(size // 2 + documents + 1, np.int32)
    new_offsets = np.zeros(documents + 1, np.int64)
    word_offsets = np.zeros(documents + 1, np.int64)
    numbers = np.zeros(documents, np.int64)
    put = np.int64(0)
    words = np.int64(0)
    for document in range(documents):
        begin = put
        at = offsets[document]
        end = offsets[document + 1]
        characters = 0
        state = SEED
        while at < end:
            length = np.int64(1)
            code_point = np.int64(data[at])
            if code_point >= 0x80:
                code_point, length = decode(data, at, end)
            elif is_punctuation[code_point]:
                at += 1
                continue
            flags = classes[code_point]
            if flags & SPACE:
                if characters:
                    hashes[words] = mix(state)
                    lengths[words] = characters
                    words += 1
                    characters = 0
                at += length
                continue
            if characters == 0:
                state = SEED
                if put > begin:
                    out[put] = _SPACE_BYTE
                    put += 1
            characters += 1
            numbers[document] += (flags & (DIGIT | NUMBER)) != 0
            first = put
            shift = lower_shift[code_point]
            if shift:
                put = _put(out, put, (code_point + shift) % CODE_POINTS)
            else:
                for place in range(at, at + length):
                    out[put] = data[place]
                    put += 1
            for place in range(first, put):
                state = add_byte(state, np.uint64(out[place]))
            at += length
        if characters:
            hashes[words] = mix(state)
            lengths[words] = characters
            words += 1
        new_offsets[document + 1] = put
        word_offsets[document + 1] = words
    return out[:put], new_offsets, word_offsets, hashes[:words], lengths[:words], numbers
