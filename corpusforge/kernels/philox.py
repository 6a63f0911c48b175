"""Philox4x64-10: random numbers that are a function of (key, counter) and of nothing else.

Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC 2011), section 3.3 and table 2.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corpusforge.kernels.loading import kernel, types

UInt64 = npt.NDArray[np.uint64]

ROUNDS = 10

_MULTIPLIER_0 = np.uint64(0xD2E7470EE14C6C93)
_MULTIPLIER_1 = np.uint64(0xCA5A826395121157)
_WEYL_0 = np.uint64(0x9E3779B97F4A7C15)
_WEYL_1 = np.uint64(0xBB67AE8584CAA73B)
_LOW_HALF = np.uint64(0xFFFFFFFF)
_HALF_BITS = np.uint64(32)

_words = types.Array(types.uint64, 1, "C", readonly=True)
_counters = types.Array(types.uint64, 2, "C", readonly=True)
_four = types.UniTuple(types.uint64, 4)


@kernel(types.uint64(types.uint64, types.uint64))
def _high_product(left: np.uint64, right: np.uint64) -> np.uint64:
    """High 64 bits of the 128-bit product, from four 32-bit halves."""
    left_low, left_high = left & _LOW_HALF, left >> _HALF_BITS
    right_low, right_high = right & _LOW_HALF, right >> _HALF_BITS
    low = left_low * right_low
    middle = left_high * right_low + (low >> _HALF_BITS)
    other = left_low * right_high + (middle & _LOW_HALF)
    return left_high * right_high + (middle >> _HALF_BITS) + (other >> _HALF_BITS)


@kernel(_four(types.uint64, types.uint64, types.uint64, types.uint64, types.uint64, types.uint64))
def _block(
    word_0: np.uint64,
    word_1: np.uint64,
    word_2: np.uint64,
    word_3: np.uint64,
    key_0: np.uint64,
    key_1: np.uint64,
) -> tuple[np.uint64, np.uint64, np.uint64, np.uint64]:
    for _ in range(ROUNDS):
        high_0 = _high_product(_MULTIPLIER_0, word_0)
        high_1 = _high_product(_MULTIPLIER_1, word_2)
        low_0 = _MULTIPLIER_0 * word_0
        low_1 = _MULTIPLIER_1 * word_2
        word_0, word_1, word_2, word_3 = high_1 ^ word_1 ^ key_0, low_1, high_0 ^ word_3 ^ key_1, low_0
        key_0 += _WEYL_0
        key_1 += _WEYL_1
    return word_0, word_1, word_2, word_3


@kernel(types.uint64[:, ::1](_counters, types.uint64, types.uint64))
def blocks(counters: UInt64, key_0: np.uint64, key_1: np.uint64) -> UInt64:
    """Random blocks uint64[n, 4] of `counters` uint64[n, 4] under the key (key_0, key_1)."""
    result = np.empty((len(counters), 4), np.uint64)
    for index in range(len(counters)):
        counter = counters[index]
        output = _block(counter[0], counter[1], counter[2], counter[3], key_0, key_1)
        result[index, 0] = output[0]
        result[index, 1] = output[1]
        result[index, 2] = output[2]
        result[index, 3] = output[3]
    return result


@kernel(types.uint64[::1](_words, _words, types.uint64, types.uint64))
def first_words(low: UInt64, high: UInt64, stream: np.uint64, key: np.uint64) -> UInt64:
    """First word uint64[n] of the blocks of counters (low[i], high[i], stream, 0) and key (key, 0)."""
    result = np.empty(len(low), np.uint64)
    for index in range(len(low)):
        result[index] = _block(low[index], high[index], stream, np.uint64(0), key, np.uint64(0))[0]
    return result
