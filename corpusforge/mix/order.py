"""Orders without state: a permutation of [0, n) that answers for any position by itself.

The permutation is a Feistel network on Z_a x Z_b with a * b >= n, walked until it falls below n (Black and
Rogaway, "Ciphers with arbitrary finite domains", CT-RSA 2002, sections 3 and 4). Only numpy is needed: the
trainer's loader calls it.
"""

from __future__ import annotations

import hashlib
from math import isqrt

import numpy as np
import numpy.typing as npt

Int64 = npt.NDArray[np.int64]
UInt64 = npt.NDArray[np.uint64]

ROUNDS = 8
"""Feistel rounds; Black and Rogaway bound what three leave visible, more mix small domains."""

MAXIMUM_SIZE = 1 << 62


def order_key(seed: int, source: str, epoch: int) -> bytes:
    """16-byte key of a permutation: BLAKE2b of (seed, epoch, source)."""
    digest = hashlib.blake2b(digest_size=16, person=b"corpusforge-perm")
    digest.update(f"{seed}\0{epoch}\0{source}".encode())
    return digest.digest()


def permute(indices: Int64, size: int, key: bytes) -> Int64:
    """Images int64[m] of `indices` int64[m] under the permutation of [0, size) that `key` names.

    Raises `ValueError` when an index lies outside [0, size) or the size outside [0, 2^62].
    """
    return _walk(indices, size, key, inverse=False)


def unpermute(indices: Int64, size: int, key: bytes) -> Int64:
    """Undo `permute`: positions int64[m] whose images are `indices`."""
    return _walk(indices, size, key, inverse=True)


def _walk(indices: Int64, size: int, key: bytes, inverse: bool) -> Int64:
    indices = np.asarray(indices, np.int64)
    if not 0 <= size <= MAXIMUM_SIZE:
        raise ValueError(f"a permutation's size must lie in [0, 2^62], it is {size}")
    if indices.size and (int(indices.min()) < 0 or int(indices.max()) >= size):
        raise ValueError(f"an index lies outside [0, {size})")
    if not indices.size:
        return indices.copy()
    left_size = isqrt(size - 1) + 1
    right_size = -(-size // left_size)
    keys = _round_keys(key)
    step = _decrypt if inverse else _encrypt
    result = step(indices.astype(np.uint64), left_size, right_size, keys)
    outside = np.flatnonzero(result >= np.uint64(size))
    while outside.size:
        moved = step(result[outside], left_size, right_size, keys)
        result[outside] = moved
        outside = outside[moved >= np.uint64(size)]
    return result.astype(np.int64)


def _round_keys(key: bytes) -> UInt64:
    digest = hashlib.blake2b(key, digest_size=8 * ROUNDS, person=b"corpusforge-feis").digest()
    return np.frombuffer(digest, "<u8").astype(np.uint64)


def _mix(values: UInt64, key: np.uint64) -> UInt64:
    """Round function: the 64-bit finalizer of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014, variant 13)."""
    values = values + key
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _encrypt(values: UInt64, left_size: int, right_size: int, keys: UInt64) -> UInt64:
    left, right = values // np.uint64(right_size), values % np.uint64(right_size)
    for number, key in enumerate(keys):
        # The left half lives alternately in Z_a and in Z_b.
        modulus = np.uint64(left_size if number % 2 == 0 else right_size)
        left, right = right, (left + _mix(right, key) % modulus) % modulus
    return left * np.uint64(right_size) + right


def _decrypt(values: UInt64, left_size: int, right_size: int, keys: UInt64) -> UInt64:
    left, right = values // np.uint64(right_size), values % np.uint64(right_size)
    for number in reversed(range(len(keys))):
        modulus = np.uint64(left_size if number % 2 == 0 else right_size)
        left, right = (right + modulus - _mix(left, keys[number]) % modulus) % modulus, left
    return left * np.uint64(right_size) + right
