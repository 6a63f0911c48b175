"""MinHash signatures (Broder, On the resemblance and containment of documents, 1997) and their bands.

Permutations are those of `datasketch` 2: the hash is mixed once with MurmurHash3's finalizer, then
permutation k is ``a_k * h + b_k`` modulo 2^32 (`affine32`) or 2^64 (`affine64`) with `a_k` odd. Equal
permutations and equal shingle hashes give `datasketch`'s values bit for bit.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from corpusforge.kernels.array_types import READ_INT64, READ_UINT64
from corpusforge.kernels.hash64 import mix
from corpusforge.kernels.loading import kernel, types
from corpusforge.kernels.mixing import mix32

Int64 = npt.NDArray[np.int64]
UInt32 = npt.NDArray[np.uint32]
UInt64 = npt.NDArray[np.uint64]
Scheme = Literal["affine32", "affine64"]

_READ_UINT32 = types.Array(types.uint32, 1, "C", readonly=True)


def permutations(count: int, scheme: Scheme, seed: int = 1) -> tuple[npt.NDArray[np.unsignedinteger], ...]:
    """Draw `count` permutations (a, b) as `datasketch.MinHash(count, seed, scheme=scheme)` draws them.

    uint32[count] each for `affine32`, uint64[count] for `affine64`. numpy's legacy generator is frozen, so
    the values never change.
    """
    bits = 32 if scheme == "affine32" else 64
    dtype = np.uint32 if bits == 32 else np.uint64
    generator = np.random.RandomState(seed)
    a = generator.randint(0, 1 << (bits - 1), count, dtype=dtype) * dtype(2) + dtype(1)
    b = generator.randint(0, 1 << bits, count, dtype=dtype)
    return a, b


@kernel(types.uint32[:, ::1](READ_INT64, READ_UINT64, _READ_UINT32, _READ_UINT32))
def signatures32(offsets: Int64, hashes: UInt64, a: UInt32, b: UInt32) -> UInt32:
    """Compute `affine32` signatures uint32[n, len(a)] of the low 32 bits of the shingles' hashes.

    `offsets` int64[n + 1] indexes `hashes` uint64[m]. A document without shingles has all bits set.
    """
    documents, count = len(offsets) - 1, len(a)
    result = np.full((documents, count), np.uint32(0xFFFFFFFF), np.uint32)
    for document in range(documents):
        row = result[document]
        place, end = offsets[document], offsets[document + 1]
        # Four shingles a pass: a, b and the row are loaded once for the four.
        while place + 4 <= end:
            h0 = mix32(np.uint32(hashes[place]))
            h1 = mix32(np.uint32(hashes[place + 1]))
            h2 = mix32(np.uint32(hashes[place + 2]))
            h3 = mix32(np.uint32(hashes[place + 3]))
            for k in range(count):
                v0 = np.uint32(a[k] * h0 + b[k])
                v1 = np.uint32(a[k] * h1 + b[k])
                v2 = np.uint32(a[k] * h2 + b[k])
                v3 = np.uint32(a[k] * h3 + b[k])
                row[k] = min(row[k], min(min(v0, v1), min(v2, v3)))
            place += 4
        while place < end:
            h0 = mix32(np.uint32(hashes[place]))
            for k in range(count):
                row[k] = min(row[k], np.uint32(a[k] * h0 + b[k]))
            place += 1
    return result


@kernel(types.uint64[:, ::1](READ_INT64, READ_UINT64, READ_UINT64, READ_UINT64))
def signatures64(offsets: Int64, hashes: UInt64, a: UInt64, b: UInt64) -> UInt64:
    """Compute `affine64` signatures uint64[n, len(a)]; otherwise as `signatures32`."""
    documents, count = len(offsets) - 1, len(a)
    result = np.full((documents, count), np.uint64(0xFFFFFFFFFFFFFFFF), np.uint64)
    for document in range(documents):
        row = result[document]
        place, end = offsets[document], offsets[document + 1]
        while place + 4 <= end:
            h0 = mix(hashes[place])
            h1 = mix(hashes[place + 1])
            h2 = mix(hashes[place + 2])
            h3 = mix(hashes[place + 3])
            for k in range(count):
                v0 = a[k] * h0 + b[k]
                v1 = a[k] * h1 + b[k]
                v2 = a[k] * h2 + b[k]
                v3 = a[k] * h3 + b[k]
                row[k] = min(row[k], min(min(v0, v1), min(v2, v3)))
            place += 4
        while place < end:
            h0 = mix(hashes[place])
            for k in range(count):
                row[k] = min(row[k], a[k] * h0 + b[k])
            place += 1
    return result


def signatures(
    offsets: Int64, hashes: UInt64, a: npt.NDArray[np.unsignedinteger], b: npt.NDArray[np.unsignedinteger]
) -> npt.NDArray[np.unsignedinteger]:
    """Compute signatures [n, len(a)] by the scheme that the permutations' type names."""
    if a.dtype == np.uint32:
        return np.asarray(signatures32(offsets, hashes, a, b))
    return np.asarray(signatures64(offsets, hashes, a, b))


@kernel(
    [
        types.uint64[:, ::1](types.Array(types.uint32, 2, "C", readonly=True), types.int64, types.int64),
        types.uint64[:, ::1](types.Array(types.uint64, 2, "C", readonly=True), types.int64, types.int64),
    ]
)
def band_keys(signature_rows: npt.NDArray[np.unsignedinteger], bands: int, rows: int) -> UInt64:
    """Hash each of `bands` runs of `rows` signature values with the band's number, uint64[n, bands].

    The keys are well mixed, so equal values in different bands have unrelated keys.
    """
    documents = signature_rows.shape[0]
    keys = np.empty((documents, bands), np.uint64)
    for document in range(documents):
        for band in range(bands):
            value = mix(np.uint64(band + 1))
            for row in range(rows):
                value = mix(value ^ np.uint64(signature_rows[document, band * rows + row]))
            keys[document, band] = value
    return keys
