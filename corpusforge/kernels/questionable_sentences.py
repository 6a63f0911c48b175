r"""Sentences as MADLAD-400's rules see them: what stands between ``[.!?]+`` and white space, and counts over each."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corpusforge.kernels.array_types import INT64, READ_INT64, READ_UINT8
from corpusforge.kernels.loading import kernel, types
from corpusforge.kernels.unicode_table import CLASSES, MARK, SPACE, UPPER, WORD, decode

Bytes = npt.NDArray[np.uint8]
Int64 = npt.NDArray[np.int64]

TECHNICAL_CHARACTERS = "0123456789{}+/()>"

CHARACTERS, TECHNICAL, WORDS, CAPITALIZED = range(4)
"""Columns of the counts."""

_COLUMNS = 4
_READ_UINT16 = types.Array(types.uint16, 1, "C", readonly=True)
_IS_TECHNICAL = np.zeros(128, np.uint8)
_IS_TECHNICAL[[ord(character) for character in TECHNICAL_CHARACTERS]] = 1


def split_sentences(data: Bytes, offsets: Int64) -> tuple[Int64, Int64, Int64, Int64]:
    """Find the sentences of n texts that are not blank, and count in each.

    A sentence ends before a run of ``.``, ``!``, ``?`` behind which white space stands, or with the text. Returns
    (sentence offsets int64[n + 1], starts and ends int64[s] in bytes, counts int64[s, 4]): characters, technical
    ones (`TECHNICAL_CHARACTERS`), words (runs of word characters), and words that begin with a capital.
    """
    sentence_offsets, starts, ends, counts = _split(data, offsets, CLASSES, _IS_TECHNICAL)
    return sentence_offsets, starts, ends, np.asarray(counts).reshape(-1, _COLUMNS)


@kernel(types.UniTuple(INT64, 4)(READ_UINT8, READ_INT64, _READ_UINT16, READ_UINT8))
def _split(
    data: Bytes, offsets: Int64, classes: npt.NDArray[np.uint16], is_technical: Bytes
) -> tuple[Int64, Int64, Int64, Int64]:
    documents = len(offsets) - 1
    # Behind a sentence stand a mark and white space.
    bound = (offsets[documents] - offsets[0]) // 2 + documents + 1
    sentence_offsets = np.zeros(documents + 1, np.int64)
    starts, ends = np.empty(bound, np.int64), np.empty(bound, np.int64)
    counts = np.empty(bound * _COLUMNS, np.int64)
    found = np.int64(0)
    for document in range(documents):
        at = offsets[document]
        end = offsets[document + 1]
        start = at
        characters = technical = words = capitalized = 0
        in_word = False
        is_blank = True
        while at <= end:
            length = np.int64(1)
            code_point = np.int64(0)
            behind = at
            if at < end:
                code_point = np.int64(data[at])
                if code_point >= 0x80:
                    code_point, length = decode(data, at, end)
                # A run of marks with white space behind it ends the sentence.
                while behind < end and (data[behind] == 46 or data[behind] == 33 or data[behind] == 63):
                    behind += 1
            stops = at == end
            if behind > at and behind < end:
                next_point, _ = decode(data, behind, end)
                stops = (classes[next_point] & SPACE) != 0
            if stops:
                if not is_blank:
                    starts[found] = start
                    ends[found] = at
                    counts[found * _COLUMNS + CHARACTERS] = characters
                    counts[found * _COLUMNS + TECHNICAL] = technical
                    counts[found * _COLUMNS + WORDS] = words
                    counts[found * _COLUMNS + CAPITALIZED] = capitalized
                    found += 1
                if at == end:
                    break
                at = behind
                while at < end:
                    code_point, length = decode(data, at, end)
                    if not classes[code_point] & SPACE:
                        break
                    at += length
                start = at
                characters = technical = words = capitalized = 0
                in_word = False
                is_blank = True
                continue
            # Marks without white space behind them are part of the sentence, all of the run at once.
            run = max(behind - at, 1)
            flags = np.int64(classes[code_point])
            characters += run
            is_blank = is_blank and (flags & SPACE) != 0
            if code_point < 128:
                technical += is_technical[code_point]
            is_word = (flags & WORD) != 0 and (in_word or not flags & MARK)
            if is_word and not in_word:
                words += 1
                capitalized += (flags & UPPER) != 0
            in_word = is_word
            at += length if run == 1 else run
        sentence_offsets[document + 1] = found
    return sentence_offsets, starts[:found], ends[:found], counts[: found * _COLUMNS]
