"""What spans of text are compared by: their normalized bytes, equal to those of `corpusforge.dedup.normalize`.

ASCII is normalized here for every normalization, other UTF-8 where only white space matters. The other spans are told
apart, and Python normalizes them. White space is what `str.isspace` says, here and in the count of words.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corpusforge.kernels.array_types import INT64, READ_INT64, READ_UINT8, UINT8
from corpusforge.kernels.loading import kernel, types

Bytes = npt.NDArray[np.uint8]
Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]

WHITESPACE, LOWER_ALNUM, STRIP_LOWER, CCNET = range(4)
"""Normalizations by number."""


@kernel(types.boolean(types.int64))
def is_space(code_point: int) -> bool:
    """Whether `str.isspace` and `str.split` take a code point for white space."""
    if code_point < 0x80:
        return code_point == 0x20 or 0x09 <= code_point <= 0x0D or 0x1C <= code_point <= 0x1F
    if code_point < 0x2000:
        return code_point == 0x85 or code_point == 0xA0 or code_point == 0x1680
    return (
        code_point <= 0x200A
        or code_point == 0x2028
        or code_point == 0x2029
        or code_point == 0x202F
        or code_point == 0x205F
        or code_point == 0x3000
    )


@kernel(types.UniTuple(types.int64, 2)(READ_UINT8, types.int64, types.int64))
def _strict(data: Bytes, at: int, end: int) -> tuple[np.int64, np.int64]:
    """Code point at byte `at` and its length in bytes; (-1, 1) where there is no well-formed UTF-8."""
    first = np.int64(data[at])
    if first < 0x80:
        return first, np.int64(1)
    if first < 0xC2 or first > 0xF4:
        return np.int64(-1), np.int64(1)
    size = np.int64(2 if first < 0xE0 else (3 if first < 0xF0 else 4))
    if at + size > end:
        return np.int64(-1), np.int64(1)
    code_point = first & (0x7F >> size)
    for position in range(at + 1, at + size):
        byte = np.int64(data[position])
        if byte & 0xC0 != 0x80:
            return np.int64(-1), np.int64(1)
        code_point = (code_point << 6) | (byte & 0x3F)
    overlong = (size == 3 and code_point < 0x800) or (size == 4 and code_point < 0x10000)
    if overlong or code_point > 0x10FFFF or 0xD800 <= code_point < 0xE000:
        return np.int64(-1), np.int64(1)
    return code_point, size


def normalize_spans(data: Bytes, starts: Int64, ends: Int64, normalization: int) -> tuple[Bytes, Int64, Bool]:
    """Normalize m spans of UTF-8: (values uint8, offsets int64[m + 1], done bool[m]).

    Where `done` is false the value is empty, and `corpusforge.dedup.normalize.normalized` has to give it: spans
    that are no UTF-8, and those beyond ASCII unless the normalization is `WHITESPACE`.
    """
    room = int((ends - starts).sum())
    values = np.empty(room, np.uint8)
    offsets = np.zeros(len(starts) + 1, np.int64)
    done = np.ones(len(starts), np.bool_)
    size = _normalize_spans(data, starts, ends, normalization, values, offsets, done)
    return values[:size], offsets, done


@kernel(types.int64(READ_UINT8, types.int64, types.int64, UINT8, types.int64))
def _put_spaced(data: Bytes, start: int, end: int, values: Bytes, filled: int) -> int:
    """Put a span with one space for every run of white space and none at its ends; -1 where it is no UTF-8."""
    first = filled
    pending = False
    at = start
    while at < end:
        code_point, size = _strict(data, at, end)
        if code_point < 0:
            return -1
        if is_space(code_point):
            pending = filled > first
        else:
            if pending:
                values[filled] = 0x20
                filled += 1
                pending = False
            for position in range(at, at + size):
                values[filled] = data[position]
                filled += 1
        at += size
    return filled


@kernel(types.int64(READ_UINT8, types.int64, types.int64, types.int64, UINT8, types.int64))
def _put_ascii(data: Bytes, start: int, end: int, normalization: int, values: Bytes, filled: int) -> int:
    """Put a span of ASCII in lower case without what the normalization removes; -1 where it is not ASCII."""
    for at in range(start, end):
        if data[at] >= 0x80:
            return -1
    if normalization != LOWER_ALNUM:
        while start < end and is_space(np.int64(data[start])):
            start += 1
        while end > start and is_space(np.int64(data[end - 1])):
            end -= 1
    for at in range(start, end):
        byte = data[at]
        digit = 0x30 <= byte <= 0x39
        if 0x41 <= byte <= 0x5A:
            byte += 0x20
        if normalization == LOWER_ALNUM and not (digit or 0x61 <= byte <= 0x7A):
            continue
        if normalization == CCNET:
            if byte < 0x20 or byte == 0x7F:
                continue
            if digit:
                byte = 0x30
        values[filled] = byte
        filled += 1
    return filled


@kernel(types.int64(READ_UINT8, READ_INT64, READ_INT64, types.int64, UINT8, INT64, types.boolean[::1]))
def _normalize_spans(
    data: Bytes,
    starts: Int64,
    ends: Int64,
    normalization: int,
    values: Bytes,
    offsets: Int64,
    done: Bool,
) -> int:
    filled = np.int64(0)
    for span in range(len(starts)):
        if normalization == WHITESPACE:
            after = _put_spaced(data, starts[span], ends[span], values, filled)
        else:
            after = _put_ascii(data, starts[span], ends[span], normalization, values, filled)
        done[span] = after >= 0
        filled = max(after, filled)
        offsets[span + 1] = filled
    return int(filled)


def count_spaced_words(data: Bytes, starts: Int64, ends: Int64, ascii_only: bool) -> Int64:
    """Words between white space in each of m spans, int64[m].

    `ascii_only`: between the six characters that `bytes.split` takes for white space.
    """
    return np.asarray(_count_spaced_words(data, starts, ends, ascii_only))


@kernel(INT64(READ_UINT8, READ_INT64, READ_INT64, types.boolean))
def _count_spaced_words(data: Bytes, starts: Int64, ends: Int64, ascii_only: bool) -> Int64:
    counts = np.zeros(len(starts), np.int64)
    for span in range(len(starts)):
        inside = False
        at = starts[span]
        while at < ends[span]:
            code_point, size = np.int64(data[at]), np.int64(1)
            if ascii_only:
                space = code_point == 0x20 or 0x09 <= code_point <= 0x0D
            else:
                if code_point >= 0x80:
                    code_point, size = _strict(data, at, ends[span])
                space = is_space(code_point)
            if not space and not inside:
                counts[span] += 1
            inside = not space
            at += size
    return counts
