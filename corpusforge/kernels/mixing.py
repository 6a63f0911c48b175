"""MurmurHash3's finalizers beside `corpusforge.kernels.hash64.mix`: for 32 bits, and over numpy arrays.

Bijections that spread every input bit. Source: Austin Appleby, MurmurHash3, ``fmix32`` and ``fmix64`` (public
domain).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corpusforge.kernels.loading import kernel, types

UInt64 = npt.NDArray[np.uint64]

_SHIFT = np.uint64(33)


@kernel(types.uint32(types.uint32))
def mix32(value: np.uint32) -> np.uint32:
    """Mix one 32-bit value; `mix32(0)` is 0."""
    value = np.uint32(value ^ (value >> np.uint32(16)))
    value = np.uint32(value * np.uint32(0x85EBCA6B))
    value = np.uint32(value ^ (value >> np.uint32(13)))
    value = np.uint32(value * np.uint32(0xC2B2AE35))
    return np.uint32(value ^ (value >> np.uint32(16)))


def mix64_array(values: npt.NDArray[np.uint64] | npt.NDArray[np.int64], salt: int = 0) -> UInt64:
    """Mix every ``value ^ salt``, uint64[n]: distinct values give distinct results under one salt."""
    mixed = np.ascontiguousarray(values).view(np.uint64) ^ np.uint64(salt)
    mixed = (mixed ^ (mixed >> _SHIFT)) * np.uint64(0xFF51AFD7ED558CCD)
    mixed = (mixed ^ (mixed >> _SHIFT)) * np.uint64(0xC4CEB9FE1A85EC53)
    return mixed ^ (mixed >> _SHIFT)
