r"""Counts over the tokens of texts: runs of word characters and runs of other marks (``\w+|[^\w\s]+``).

A word character is a letter, a digit or other number, or an underscore; accents that stand alone are marks.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corpusforge.kernels.array_types import INT64, READ_INT64, READ_UINT8, UINT64
from corpusforge.kernels.hash64 import SEED, add_byte, mix
from corpusforge.kernels.loading import kernel, types
from corpusforge.kernels.unicode_table import CLASSES, LETTER, MARK, SPACE, UPPER, WORD, decode

Bytes = npt.NDArray[np.uint8]
Int64 = npt.NDArray[np.int64]
UInt64 = npt.NDArray[np.uint64]

TOKENS, WITH_ASCII_LETTER, ALL_CAPITALS, SENTENCES, CHARACTERS, CAPITALS, CURLY_BRACKETS = range(7)
"""Columns of `token_counts`."""

_COLUMNS = 7

_READ_UINT16 = types.Array(types.uint16, 1, "C", readonly=True)
_OTHER, _WORD, _SPACE = 0, 1, 2


def token_counts(data: Bytes, offsets: Int64) -> Int64:
    """Count for n texts, int64[n, 7]: tokens, those with a letter A to Z or a to z, those in capitals, sentences,
    characters, capital letters, curly brackets.

    A token in capitals holds a capital letter and no other letters. A sentence is a stretch without ``.``,
    ``!`` and ``?`` that holds a word character (the matches of ``\\b[^.!?]+[.!?]*``).
    """
    counts, _ = _scan(data, offsets, CLASSES, False)
    return np.asarray(counts).reshape(-1, _COLUMNS)


def token_hashes(data: Bytes, offsets: Int64) -> tuple[Int64, UInt64]:
    """Hash the tokens of n texts as they stand: (offsets int64[n + 1], hashes uint64[tokens])."""
    counts, hashes = _scan(data, offsets, CLASSES, True)
    token_offsets = np.zeros(len(offsets), np.int64)
    np.cumsum(np.asarray(counts).reshape(-1, _COLUMNS)[:, TOKENS], out=token_offsets[1:])
    return token_offsets, hashes


@kernel(types.Tuple((INT64, UINT64))(READ_UINT8, READ_INT64, _READ_UINT16, types.boolean))
def _scan(
    data: Bytes, offsets: Int64, classes: npt.NDArray[np.uint16], with_hashes: bool
) -> tuple[Int64, UInt64]:
    documents = len(offsets) - 1
    counts = np.zeros(documents * _COLUMNS, np.int64)
    hashes = np.empty(offsets[documents] - offsets[0] if with_hashes else 0, np.uint64)
    found = 0
    for document in range(documents):
        at = offsets[document]
        end = offsets[document + 1]
        kind = _SPACE
        state = SEED
        in_sentence = has_ascii = has_capital = has_other = False
        tokens = with_ascii = in_capitals = sentences = characters = capitals = brackets = 0
        while at <= end:
            length = np.int64(1)
            flags = np.int64(SPACE)
            code_point = np.int64(0)
            if at < end:
                code_point = np.int64(data[at])
                if code_point >= 0x80:
                    code_point, length = decode(data, at, end)
                flags = np.int64(classes[code_point])
            new_kind = _OTHER
            if flags & SPACE:
                new_kind = _SPACE
            elif flags & WORD and not flags & MARK:
                new_kind = _WORD
            if new_kind != kind:
                if kind != _SPACE:
                    tokens += 1
                    with_ascii += has_ascii
                    in_capitals += has_capital and not has_other
                    if with_hashes:
                        hashes[found] = mix(state)
                        found += 1
                kind = new_kind
                state = SEED
                has_ascii = has_capital = has_other = False
            if at == end:
                break
            characters += 1
            if new_kind == _WORD:
                folded = code_point | 32
                has_ascii |= bool(97 <= folded <= 122)
                if flags & UPPER:
                    has_capital = True
                    capitals += 1
                elif flags & LETTER:
                    has_other = True
                if not in_sentence:
                    in_sentence = True
                    sentences += 1
            elif code_point == 46 or code_point == 33 or code_point == 63:  # . ! ?
                in_sentence = False
            elif code_point == 123 or code_point == 125:  # { }
                brackets += 1
            if with_hashes:
                for place in range(at, at + length):
                    state = add_byte(state, np.uint64(data[place]))
            at += length
        row = document * _COLUMNS
        counts[row + TOKENS] = tokens
        counts[row + WITH_ASCII_LETTER] = with_ascii
        counts[row + ALL_CAPITALS] = in_capitals
        counts[row + SENTENCES] = sentences
        counts[row + CHARACTERS] = characters
        counts[row + CAPITALS] = capitals
        counts[row + CURLY_BRACKETS] = brackets
    return counts, hashes[:found]
