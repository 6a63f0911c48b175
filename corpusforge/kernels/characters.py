"""The characters of texts as 64-bit terms, for shingles of characters."""

from __future__ import annotations

import string

import numpy as np
import numpy.typing as npt

from corpusforge.kernels.array_types import READ_INT32, READ_INT64, READ_UINT8
from corpusforge.kernels.hash64 import mix
from corpusforge.kernels.loading import kernel, types
from corpusforge.kernels.unicode_table import CLASSES, CODE_POINTS, LOWER_SHIFT, SPACE, decode
from corpusforge.kernels.words import NO_SHIFT

Bytes = npt.NDArray[np.uint8]
Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
UInt64 = npt.NDArray[np.uint64]

_READ_UINT16 = types.Array(types.uint16, 1, "C", readonly=True)
_SPACE_CHARACTER = 0x20
_NO_MARKS = np.zeros(128, np.uint8)
_MARKS = _NO_MARKS.copy()
_MARKS[[ord(mark) for mark in string.punctuation]] = 1


def character_terms(
    data: Bytes, offsets: Int64, lowercase: bool, remove_punctuation: bool
) -> tuple[Int64, UInt64]:
    """Hash every character of n texts: offsets int64[n + 1], terms uint64[t].

    Runs of white space are one space, and there is none at a text's ends. `lowercase` takes Unicode's simple mapping,
    character by character. `remove_punctuation` leaves out the 32 marks of ASCII, before white space is looked at.
    """
    shift = LOWER_SHIFT if lowercase else NO_SHIFT
    marks = _MARKS if remove_punctuation else _NO_MARKS
    term_offsets, terms = _character_terms(data, offsets, CLASSES, shift, marks)
    return term_offsets, terms


@kernel(
    types.Tuple((types.int64[::1], types.uint64[::1]))(
        READ_UINT8, READ_INT64, _READ_UINT16, READ_INT32, READ_UINT8
    )
)
def _character_terms(
    data: Bytes, offsets: Int64, classes: npt.NDArray[np.uint16], shift: Int32, marks: Bytes
) -> tuple[Int64, UInt64]:
    documents = len(offsets) - 1
    term_offsets = np.zeros(documents + 1, np.int64)
    terms = np.empty(offsets[documents] - offsets[0], np.uint64)
    count = 0
    for document in range(documents):
        first = count
        pending = False
        at = offsets[document]
        end = offsets[document + 1]
        while at < end:
            code_point, size = decode(data, at, end)
            at += size
            if code_point < 128 and marks[code_point]:
                continue
            if classes[code_point] & SPACE:
                pending = count > first
                continue
            if pending:
                terms[count] = mix(np.uint64(_SPACE_CHARACTER + 1))
                count += 1
                pending = False
            lower = (code_point + shift[code_point]) % CODE_POINTS
            terms[count] = mix(np.uint64(lower + 1))
            count += 1
        term_offsets[document + 1] = count
    return term_offsets, terms[:count].copy()
