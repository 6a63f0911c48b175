"""Keys of words: a word's bytes themselves, up to 32, as four numbers.

Words are parted as fastText parts them (`corpusforge.kernels.word_table.is_space`). No word holds a NUL, so bytes
filled up with zeros tell words apart, and a key of zeros stands for none.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corpusforge.kernels.array_types import READ_UINT8
from corpusforge.kernels.loading import kernel, types

Bytes = npt.NDArray[np.uint8]

KEY_BYTES = 32
"""Longest word that a key holds whole."""

_EIGHT = np.uint64(8)
_HALF = np.uint64(32)
# The multipliers of xxHash64 and MurmurHash3: odd, with bits all over.
_FACTORS = (0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x85EBCA77C2B2AE63)
_FIRST, _SECOND, _THIRD, _FOURTH = (np.uint64(factor) for factor in _FACTORS)
_LAST = np.uint64(0xFF51AFD7ED558CCD)


@kernel(types.uint64(READ_UINT8, types.uint64, types.uint64))
def _eight_bytes(data: Bytes, at: np.uint64, end: np.uint64) -> np.uint64:
    """Bytes ``data[at:at + 8]``, the first one lowest, zeros from `end` on."""
    value = np.uint64(0)
    if at + _EIGHT <= end:
        # The compiler makes one load of these.
        value = np.uint64(data[at])
        value |= np.uint64(data[at + np.uint64(1)]) << np.uint64(8)
        value |= np.uint64(data[at + np.uint64(2)]) << np.uint64(16)
        value |= np.uint64(data[at + np.uint64(3)]) << np.uint64(24)
        value |= np.uint64(data[at + np.uint64(4)]) << np.uint64(32)
        value |= np.uint64(data[at + np.uint64(5)]) << np.uint64(40)
        value |= np.uint64(data[at + np.uint64(6)]) << np.uint64(48)
        value |= np.uint64(data[at + np.uint64(7)]) << np.uint64(56)
        return value
    for place in range(end - at):
        value |= np.uint64(data[at + np.uint64(place)]) << np.uint64(8 * place)
    return value


@kernel(types.uint64(types.uint64, types.uint64, types.uint64, types.uint64))
def hash_key(first: np.uint64, second: np.uint64, third: np.uint64, fourth: np.uint64) -> np.uint64:
    """Hash of a key; its high bits are the best."""
    state = first * _FIRST + second * _SECOND + third * _THIRD + fourth * _FOURTH
    return np.uint64((state ^ (state >> _HALF)) * _LAST)


@kernel(types.UniTuple(types.uint64, 4)(READ_UINT8, types.uint64, types.uint64))
def key_of(
    data: Bytes, start: np.uint64, end: np.uint64
) -> tuple[np.uint64, np.uint64, np.uint64, np.uint64]:
    """Key of the first 32 bytes of ``data[start:end]``."""
    return (
        _eight_bytes(data, start, end),
        _eight_bytes(data, min(start + _EIGHT, end), end),
        _eight_bytes(data, min(start + np.uint64(16), end), end),
        _eight_bytes(data, min(start + np.uint64(24), end), end),
    )
