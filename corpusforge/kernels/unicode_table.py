"""Classes and lower case of every code point, and the UTF-8 decoder that goes with them.

One generated table serves all kernels, so results do not change with the Python version. Kernels take the
tables as arguments (numba would freeze a global array into its cache).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corpusforge.kernels.array_types import READ_UINT8
from corpusforge.kernels.loading import kernel, types
from corpusforge.kernels.unicode_data import CLASS_RUNS, LOWER_RUNS, UNICODE_VERSION

__all__ = ["CLASSES", "LOWER_SHIFT", "UNICODE_VERSION", "decode"]

LETTER = 1
"""General category L*."""
DIGIT = 2
"""Nd."""
NUMBER = 4
"""Nl and No: superscripts, fractions, Roman numerals."""
MARK = 8
"""M*."""
PUNCTUATION = 16
"""P*."""
SYMBOL = 32
"""S*."""
SPACE = 64
"""The White_Space property."""
UPPER = 128
"""Lu."""
UNSPACED = 256
"""Letters and marks of scripts that are written without spaces: Han, Hiragana, Katakana, Thai, Lao, Khmer,
Myanmar."""
WORD = 512
r"""Letters, marks, digits, numbers and the underscore: Python's ``\w`` and the marks."""

CODE_POINTS = 0x110000


def _expand(runs: str) -> npt.NDArray[np.int64]:
    pairs = [run.split("*") for run in runs.split()]
    values = np.array([int(value, 16) for value, _ in pairs], np.int64)
    return np.repeat(values, [int(length, 16) for _, length in pairs])


CLASSES: npt.NDArray[np.uint16] = _expand(CLASS_RUNS).astype(np.uint16)
"""uint16[0x110000]: the bits above."""

LOWER_SHIFT: npt.NDArray[np.int32] = _expand(LOWER_RUNS).astype(np.int32)
"""int32[0x110000]: ``(c + LOWER_SHIFT[c]) % 0x110000`` is the simple lower case of c."""

CLASSES.flags.writeable = False
LOWER_SHIFT.flags.writeable = False


@kernel(
    types.UniTuple(types.int64, 2)(READ_UINT8, types.int64, types.int64),
    inline="never",
)
def decode(data: npt.NDArray[np.uint8], at: int, end: int) -> tuple[np.int64, np.int64]:
    """Code point at byte `at` (< `end`) and its length in bytes.

    Bytes that are no UTF-8 (or a sequence cut by `end`) are taken one by one as U+FFFD, so every text ends.
    Overlong forms and surrogates are not told apart from others.
    """
    first = np.int64(data[at])
    if first < 0x80:
        return first, np.int64(1)
    if first >= 0xF8 or first < 0xC0:
        return np.int64(0xFFFD), np.int64(1)
    size = 2 if first < 0xE0 else (3 if first < 0xF0 else 4)
    if at + size > end:
        return np.int64(0xFFFD), np.int64(1)
    code_point = first & (0x7F >> size)
    for position in range(at + 1, at + size):
        byte = np.int64(data[position])
        if byte & 0xC0 != 0x80:
            return np.int64(0xFFFD), np.int64(1)
        code_point = (code_point << 6) | (byte & 0x3F)
    if code_point >= CODE_POINTS:
        return np.int64(0xFFFD), np.int64(1)
    return code_point, np.int64(size)
