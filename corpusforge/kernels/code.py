"""Measurements of source code: lengths of lines, alphanumeric characters, visible text of HTML, comments."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corpusforge.kernels.array_types import INT64, READ_INT64, READ_UINT8
from corpusforge.kernels.loading import kernel, types
from corpusforge.kernels.unicode_table import CLASSES, DIGIT, LETTER, NUMBER, decode

Bytes = npt.NDArray[np.uint8]
Int64 = npt.NDArray[np.int64]

NO_COMMENTS, SLASHES, PYTHON = 0, 1, 2
"""How comments look: unknown; ``//`` and ``/* */``; ``#`` and strings in triple quotes that begin a line."""

_READ_UINT16 = types.Array(types.uint16, 1, "C", readonly=True)
_ALPHANUMERIC = LETTER | DIGIT | NUMBER


def measure_lines(data: Bytes, offsets: Int64) -> tuple[Int64, Int64, Int64, Int64]:
    """Per text: code points, of them alphanumeric (letters, digits, numbers), lines, code points of the longest line.

    Lines are what stands between line feeds, as in Python's ``splitlines`` nothing behind the last one; all int64[n].
    """
    characters, alphanumeric, lines, longest = _measure_lines(data, offsets, CLASSES)
    return characters, alphanumeric, lines, longest


def count_visible(data: Bytes, offsets: Int64, selected: Bytes) -> Int64:
    """Code points of HTML outside of tags, comments, script and style, white space runs as one; 0 if not selected."""
    return np.asarray(_count_visible(data, offsets, selected))


def count_comments(data: Bytes, offsets: Int64, styles: Bytes) -> Int64:
    """Bytes of comments with their marks, int64[n]; `styles` uint8[n] says how they look.

    Strings in quotes are passed over; one of a single line ends with it, whatever it holds.
    """
    return np.asarray(_count_comments(data, offsets, styles))


@kernel(types.UniTuple(INT64, 4)(READ_UINT8, READ_INT64, _READ_UINT16))
def _measure_lines(
    data: Bytes, offsets: Int64, classes: npt.NDArray[np.uint16]
) -> tuple[Int64, Int64, Int64, Int64]:
    texts = len(offsets) - 1
    characters = np.zeros(texts, np.int64)
    alphanumeric = np.zeros(texts, np.int64)
    lines = np.zeros(texts, np.int64)
    longest = np.zeros(texts, np.int64)
    for text in range(texts):
        at, end = offsets[text], offsets[text + 1]
        length = 0
        while at < end:
            byte = data[at]
            if byte < 128:
                code_point, size = np.int64(byte), np.int64(1)
            else:
                code_point, size = decode(data, at, end)
            at += size
            characters[text] += 1
            if code_point == 10:
                lines[text] += 1
                longest[text] = max(longest[text], length)
                length = 0
                continue
            length += 1
            alphanumeric[text] += (classes[code_point] & _ALPHANUMERIC) != 0
        if length:
            lines[text] += 1
            longest[text] = max(longest[text], length)
    return characters, alphanumeric, lines, longest


@kernel(types.boolean(READ_UINT8, types.int64, types.int64, types.int64))
def _is_name(data: Bytes, at: int, end: int, which: int) -> bool:
    """Whether the tag name at `at` is "script" (0) or "style" (1), in any case."""
    name = "script" if which == 0 else "style"
    if at + len(name) > end:
        return False
    same = 0
    while same < len(name) and (data[at + same] | 32) == ord(name[same]):
        same += 1
    return same == len(name)


@kernel(INT64(READ_UINT8, READ_INT64, READ_UINT8))
def _count_visible(data: Bytes, offsets: Int64, selected: Bytes) -> Int64:
    visible = np.zeros(len(offsets) - 1, np.int64)
    for text in range(len(offsets) - 1):
        if not selected[text]:
            continue
        at, end = offsets[text], offsets[text + 1]
        hidden = -1  # within script (0) or style (1)
        space = True
        while at < end:
            byte = data[at]
            if byte == 60:  # "<"
                if hidden >= 0:
                    if at + 1 < end and data[at + 1] == 47 and _is_name(data, at + 2, end, hidden):
                        hidden = -1
                    else:
                        at += 1
                        continue
                elif at + 3 < end and data[at + 1] == 33 and data[at + 2] == 45 and data[at + 3] == 45:
                    at += 4
                    while at < end and not (data[at] == 62 and data[at - 1] == 45 and data[at - 2] == 45):
                        at += 1
                    at += 1
                    continue
                elif _is_name(data, at + 1, end, 0):
                    hidden = 0
                elif _is_name(data, at + 1, end, 1):
                    hidden = 1
                while at < end and data[at] != 62:
                    at += 1
            elif hidden < 0:
                if byte == 32 or 9 <= byte <= 13:
                    visible[text] += not space
                    space = True
                elif (byte & 0xC0) != 0x80:
                    visible[text] += 1
                    space = False
            at += 1
    return visible


@kernel(INT64(READ_UINT8, READ_INT64, READ_UINT8))
def _count_comments(data: Bytes, offsets: Int64, styles: Bytes) -> Int64:
    comments = np.zeros(len(offsets) - 1, np.int64)
    for text in range(len(offsets) - 1):
        style = styles[text]
        at, end = offsets[text], offsets[text + 1]
        fresh = True  # nothing but white space stands before on this line
        while at < end and style != 0:
            byte = data[at]
            start = at
            following = data[at + 1] if at + 1 < end else 0
            triple = at + 2 < end and following == byte and data[at + 2] == byte
            if (style == 1 and byte == 47 and following == 47) or (style == 2 and byte == 35):
                while at < end and data[at] != 10:
                    at += 1
                comments[text] += at - start
            elif style == 1 and byte == 47 and following == 42:
                at += 2
                while at < end and not (data[at] == 42 and at + 1 < end and data[at + 1] == 47):
                    at += 1
                at = min(at + 2, end)
                comments[text] += at - start
            elif style == 2 and triple and (byte == 34 or byte == 39):
                at += 3
                while at < end and not (
                    data[at] == byte and at + 2 < end and data[at + 1] == byte and data[at + 2] == byte
                ):
                    at += 2 if data[at] == 92 else 1
                at = min(at + 3, end)
                comments[text] += at - start if fresh else 0
                fresh = False
            elif byte == 34 or byte == 39 or (style == 1 and byte == 96):
                at += 1
                while at < end and data[at] != byte and (data[at] != 10 or byte == 96):
                    at += 2 if data[at] == 92 else 1
                if at < end and data[at] == byte:
                    at += 1
                fresh = False
            else:
                fresh = byte == 10 or (fresh and (byte == 32 or byte == 9))
                at += 1
    return comments
