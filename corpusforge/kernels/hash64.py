"""The 64-bit hash of words, terms and lines: seeded FNV-1a over bytes, finished by MurmurHash3's mixer.

FNV-1a takes one byte after another, so it runs inside the loops that look at every byte anyway; the mixer
(fmix64 of MurmurHash3, Appleby 2008) spreads its weak high bits. Not a cryptographic hash: whoever knows the
seed can make collisions, so equality that deletes another publisher's text must not rest on it alone.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corpusforge.kernels.array_types import READ_UINT8
from corpusforge.kernels.loading import kernel, types

SEED = np.uint64(0xCBF29CE484222325)
"""Start value: FNV's offset basis."""
PRIME = np.uint64(0x100000001B3)
"""FNV's 64-bit prime."""
SEQUENCE = np.uint64(0x9E3779B97F4A7C15)
"""Multiplier of hashes of sequences: the odd number nearest to 2^64 / golden ratio."""

_MIX_1 = np.uint64(0xFF51AFD7ED558CCD)
_MIX_2 = np.uint64(0xC4CEB9FE1A85EC53)
_SHIFT = np.uint64(33)


@kernel(types.uint64(types.uint64, types.uint64))
def add_byte(state: np.uint64, byte: np.uint64) -> np.uint64:
    """State after one more byte; a hash begins with `SEED`."""
    return (state ^ byte) * PRIME


@kernel(types.uint64(types.uint64))
def mix(state: np.uint64) -> np.uint64:
    """Finish a state: every bit of the result depends on every bit of the state."""
    state ^= state >> _SHIFT
    state *= _MIX_1
    state ^= state >> _SHIFT
    state *= _MIX_2
    return state ^ (state >> _SHIFT)


@kernel(types.uint64(types.uint64, types.uint64))
def add_hash(state: np.uint64, item: np.uint64) -> np.uint64:
    """State of a sequence's hash after one more item; begins with 0, finished by `mix`."""
    return state * SEQUENCE + item


@kernel(types.uint64(READ_UINT8, types.int64, types.int64))
def hash_bytes(data: npt.NDArray[np.uint8], start: int, end: int) -> np.uint64:
    """Hash of ``data[start:end]``."""
    state = SEED
    for at in range(start, end):
        state = add_byte(state, np.uint64(data[at]))
    return np.uint64(mix(state))


def hash_string(text: str) -> int:
    """Hash of a string's UTF-8 bytes, equal to what the kernels give for the same bytes."""
    data = np.frombuffer(text.encode("utf-8"), np.uint8)
    return int(hash_bytes(data, 0, len(data)))
