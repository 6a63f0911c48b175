"""Whether a page is sound UTF-8 as it stands: most are, and need no decoding."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corpusforge.kernels.loading import kernel, types

_BYTES = types.Array(types.uint8, 1, "C", readonly=True)
_U = types.uint64

_AT_ONCE = 32
"""Bytes that are looked at together for one beyond ASCII."""


@kernel(_U(_BYTES, _U), _nrt=False)
def _character(data: npt.NDArray[np.uint8], i: np.uint64) -> np.uint64:
    """Length of the well-formed character beyond ASCII at `i` (The Unicode Standard, table 3-7); 0: it is none.

    U+FFFD counts as none.
    """
    lead = data[i]
    length = np.uint64(2 if lead < 0xE0 else (3 if lead < 0xF0 else 4))
    if lead < 0xC2 or lead > 0xF4 or i + length > np.uint64(len(data)):
        return np.uint64(0)
    second = data[i + np.uint64(1)]
    lowest = 0xA0 if lead == 0xE0 else (0x90 if lead == 0xF0 else 0x80)
    highest = 0x9F if lead == 0xED else (0x8F if lead == 0xF4 else 0xBF)
    if second < lowest or second > highest:
        return np.uint64(0)
    for k in range(2, length):
        if data[i + np.uint64(k)] & 0xC0 != 0x80:
            return np.uint64(0)
    if lead == 0xEF and second == 0xBF and data[i + np.uint64(2)] == 0xBD:
        return np.uint64(0)
    return length


@kernel(types.boolean(_BYTES), _nrt=False)
def is_sound_utf8(data: npt.NDArray[np.uint8]) -> bool:
    """Tell whether uint8[n] is UTF-8 that holds no U+FFFD: whether decoding with replacements replaces nothing."""
    n = np.uint64(len(data))
    i = np.uint64(0)
    while i < n:
        end = min(i + np.uint64(_AT_ONCE), n)
        if end - i == np.uint64(_AT_ONCE):
            every = np.uint8(0)
            for k in range(_AT_ONCE):
                every |= data[i + np.uint64(k)]
            if every < 0x80:
                i = end
                continue
        while i < end:
            if data[i] < 0x80:
                i += np.uint64(1)
                continue
            length = _character(data, i)
            if length == np.uint64(0):
                return False
            i += length
    return True
