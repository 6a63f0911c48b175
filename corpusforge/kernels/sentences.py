"""Sentences, counted or found, by rules that are written down here, the same in every language and version.

A sentence ends behind a run of terminators (``. ? ! …`` and those of CJK, Devanagari and Arabic) and the
closing quotes and brackets after it, when white space or the end of the span follows; behind the full-width
terminators ``。！？`` nothing needs to follow. It does not end there when

- the next letter or digit, within 16 characters, is a lower-case letter of the Latin, Greek or Cyrillic
  script ("approx. five", "he said ... nothing"), or
- the run is one full stop behind a single letter ("J. Smith", "e.g. "), and the span goes on.

What stands behind the last end counts as one more sentence. A sentence must hold a letter or a digit.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corpusforge.kernels.array_types import INT32, INT64, READ_INT64, READ_UINT8
from corpusforge.kernels.loading import kernel, types
from corpusforge.kernels.unicode_table import CLASSES, DIGIT, LETTER, SPACE, UPPER, WORD, decode

Bytes = npt.NDArray[np.uint8]
Classes = npt.NDArray[np.uint16]
Int64 = npt.NDArray[np.int64]

TERMINATORS = ".?!…।؟۔。！？"
FULL_WIDTH = "。！？"
CLOSERS = "\"')]}»”’」』）"
_LAST_CASED = 0x52F  # the end of Cyrillic Supplement

_TERMINATOR, _FULL_WIDTH, _CLOSER = 1, 2, 4
_READ_UINT16 = types.Array(types.uint16, 1, "C", readonly=True)
_ROLES = np.zeros(0x10000, np.uint8)
for _characters, _role in ((TERMINATORS, _TERMINATOR), (FULL_WIDTH, _FULL_WIDTH), (CLOSERS, _CLOSER)):
    for _character in _characters:
        _ROLES[ord(_character)] |= _role


def count_sentences(data: Bytes, starts: Int64, ends: Int64) -> npt.NDArray[np.int32]:
    """Sentences in each of m spans of UTF-8, int32[m]."""
    return np.asarray(_count_sentences(data, starts, ends, CLASSES, _ROLES))


def split_sentences(data: Bytes, starts: Int64, ends: Int64) -> tuple[Int64, Int64, Int64]:
    """Find the sentences that `count_sentences` counts: offsets int64[m + 1], starts int64[s], ends int64[s].

    A sentence begins at the first character behind the one before it that is no white space. The last one of a span
    ends with the span's last such character: what holds neither letter nor digit belongs to the sentence before it.
    """
    offsets = np.zeros(len(starts) + 1, np.int64)
    np.cumsum(count_sentences(data, starts, ends), out=offsets[1:])
    places = np.empty((2, offsets[-1]), np.int64)
    _split_sentences(data, starts, ends, CLASSES, _ROLES, offsets, places[0], places[1])
    return offsets, places[0], places[1]


@kernel(types.uint8(types.int64, READ_UINT8))
def _role_of(code_point: int, roles: Bytes) -> int:
    return roles[code_point] if code_point < len(roles) else 0


@kernel(types.boolean(READ_UINT8, types.int64, types.int64, _READ_UINT16))
def _goes_on_in_lower_case(data: Bytes, at: int, end: int, classes: Classes) -> bool:
    """Whether the next letter or digit is a lower-case letter; looks at most 16 characters ahead."""
    for _ in range(16):
        if at >= end:
            return False
        code_point, size = decode(data, at, end)
        flags = classes[code_point]
        if flags & LETTER:
            return code_point <= _LAST_CASED and not flags & UPPER
        if flags & WORD:
            return False
        at += size
    return False


@kernel(
    types.UniTuple(types.int64, 2)(
        READ_UINT8, types.int64, types.int64, types.int64, _READ_UINT16, READ_UINT8
    )
)
def _after_terminators(
    data: Bytes, at: int, end: int, letters_before: int, classes: Classes, roles: Bytes
) -> tuple[int, int]:
    """(position behind the terminators and closers at `at`, 1 when a sentence ends there).

    `letters_before`: length of the run of word characters before `at`.
    """
    begin = at
    one_full_stop = data[at] == 46
    role = _TERMINATOR
    full_width = False
    while at < end:
        code_point, size = decode(data, at, end)
        role = _role_of(code_point, roles)
        if not role & _TERMINATOR:
            break
        full_width = (role & _FULL_WIDTH) != 0
        at += size
    one_full_stop = one_full_stop and at == begin + 1
    while at < end:
        code_point, size = decode(data, at, end)
        if not _role_of(code_point, roles) & _CLOSER:
            break
        at += size
    if at >= end or full_width:
        return at, 1
    code_point, size = decode(data, at, end)
    if not classes[code_point] & SPACE:
        return at, 0
    if one_full_stop and letters_before == 1:
        return at, 0
    return at, 0 if _goes_on_in_lower_case(data, at, end, classes) else 1


@kernel(INT32(READ_UINT8, READ_INT64, READ_INT64, _READ_UINT16, READ_UINT8))
def _count_sentences(
    data: Bytes, starts: Int64, ends: Int64, classes: Classes, roles: Bytes
) -> npt.NDArray[np.int32]:
    counts = np.zeros(len(starts), np.int32)
    for span in range(len(starts)):
        at = starts[span]
        end = ends[span]
        content = False
        letters = 0
        while at < end:
            code_point = np.int64(data[at])
            size = 1
            if code_point >= 0x80:
                code_point, size = decode(data, at, end)
            if _role_of(code_point, roles) & _TERMINATOR:
                at, ended = _after_terminators(data, at, end, letters, classes, roles)
                letters = 0
                if ended and content:
                    counts[span] += 1
                    content = False
                continue
            flags = classes[code_point]
            letters = letters + 1 if flags & WORD else 0
            if flags & (LETTER | DIGIT):
                content = True
            at += size
        if content:
            counts[span] += 1
    return counts


@kernel(types.void(READ_UINT8, READ_INT64, READ_INT64, _READ_UINT16, READ_UINT8, READ_INT64, *[INT64] * 2))
def _split_sentences(
    data: Bytes,
    starts: Int64,
    ends: Int64,
    classes: Classes,
    roles: Bytes,
    offsets: Int64,
    sentence_starts: Int64,
    sentence_ends: Int64,
) -> None:
    for span in range(len(starts)):
        at = starts[span]
        end = ends[span]
        found = offsets[span]
        begin = np.int64(-1)
        filled = at
        content = False
        letters = 0
        while at < end and found < offsets[span + 1]:
            code_point, size = decode(data, at, end)
            flags = classes[code_point]
            if begin < 0 and not flags & SPACE:
                begin = at
            if _role_of(code_point, roles) & _TERMINATOR:
                at, ended = _after_terminators(data, at, end, letters, classes, roles)
                letters = 0
                filled = at
                if ended and content:
                    sentence_starts[found] = begin
                    sentence_ends[found] = at
                    found += 1
                    begin = np.int64(-1)
                    content = False
                continue
            letters = letters + 1 if flags & WORD else 0
            if flags & (LETTER | DIGIT):
                content = True
            at += size
            if not flags & SPACE:
                filled = at
        if found < offsets[span + 1]:
            sentence_starts[found] = begin
            sentence_ends[found] = filled
            continue
        if found == offsets[span]:
            continue
        while at < end:
            code_point, size = decode(data, at, end)
            at += size
            if not classes[code_point] & SPACE:
                filled = at
        sentence_ends[found - 1] = max(filled, sentence_ends[found - 1])
