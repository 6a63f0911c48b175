"""BLAKE2b of 128 bits over many short spans of bytes at once, equal to what `hashlib` gives for each.

Source: Saarinen, Aumasson, The BLAKE2 Cryptographic Hash and Message Authentication Code, RFC 7693. A span's hash
is that of a prefix of 16 bytes and the span, unkeyed, with a personalization: ``hashlib.blake2b(prefix + span,
digest_size=16, person=person)``.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corpusforge.kernels.array_types import READ_INT64, READ_UINT8, READ_UINT64, UINT64
from corpusforge.kernels.loading import kernel, types

Bytes = npt.NDArray[np.uint8]
Int64 = npt.NDArray[np.int64]
UInt64 = npt.NDArray[np.uint64]

BLOCK = 128
"""Bytes that are compressed at once."""
PREFIX = 16
"""Bytes before every span."""
DIGEST = 16
"""Bytes of a hash."""

_IV = np.array(
    [
        0x6A09E667F3BCC908,
        0xBB67AE8584CAA73B,
        0x3C6EF372FE94F82B,
        0xA54FF53A5F1D36F1,
        0x510E527FADE682D1,
        0x9B05688C2B3E6C1F,
        0x1F83D9ABFB41BD6B,
        0x5BE0CD19137E2179,
    ],
    np.uint64,
)
_SIGMA = np.array(
    [
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
        [14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
        [11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4],
        [7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8],
        [9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13],
        [2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9],
        [12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11],
        [13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10],
        [6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5],
        [10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0],
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
        [14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
    ],
    np.int64,
).reshape(-1)
# The first four words of the parameter block: digest length, no key, fan-out 1, depth 1.
_PARAMETERS = np.uint64(0x01010000 | DIGEST)


def span_keys(
    data: Bytes, starts: Int64, ends: Int64, prefixes: Bytes, owners: Int64, person: bytes
) -> tuple[UInt64, UInt64]:
    """Hash the spans ``data[starts[i]:ends[i]]`` behind ``prefixes[owners[i]]``.

    `prefixes` uint8[p, 16]; `owners` int64[m]. Returns the big-endian halves of the hashes, uint64[m] each. Raises
    `ValueError` for a `person` of other than 16 bytes.
    """
    if len(person) != 16:
        raise ValueError("the personalization of BLAKE2b has 16 bytes")
    words = np.frombuffer(person, "<u8").astype(np.uint64)
    heads = np.ascontiguousarray(prefixes).reshape(-1).view("<u8").astype(np.uint64)
    halves = _span_keys(data, starts, ends, heads, owners, words, _IV, _SIGMA).reshape(2, len(starts))
    return halves[0].byteswap(), halves[1].byteswap()


@kernel(
    types.void(UINT64, types.int64, types.int64, types.int64, types.int64, types.uint64, types.uint64),
    inline="always",
)
def _mix(v: UInt64, a: int, b: int, c: int, d: int, x: np.uint64, y: np.uint64) -> None:
    """The function G of RFC 7693, section 3.1."""
    v[a] = v[a] + v[b] + x
    word = v[d] ^ v[a]
    v[d] = (word >> np.uint64(32)) | (word << np.uint64(32))
    v[c] = v[c] + v[d]
    word = v[b] ^ v[c]
    v[b] = (word >> np.uint64(24)) | (word << np.uint64(40))
    v[a] = v[a] + v[b] + y
    word = v[d] ^ v[a]
    v[d] = (word >> np.uint64(16)) | (word << np.uint64(48))
    v[c] = v[c] + v[d]
    word = v[b] ^ v[c]
    v[b] = (word >> np.uint64(63)) | (word << np.uint64(1))


@kernel(types.void(UINT64, UINT64, UINT64, types.int64, types.boolean, READ_UINT64, READ_INT64))
def _compress(
    state: UInt64, block: UInt64, v: UInt64, total: int, last: bool, initial: UInt64, sigma: Int64
) -> None:
    """The function F of RFC 7693, section 3.2; `total` bytes were taken, this block's included."""
    for place in range(8):
        v[place] = state[place]
        v[place + 8] = initial[place]
    v[12] ^= np.uint64(total)
    if last:
        v[14] = ~v[14]
    for turn in range(0, 192, 16):
        _mix(v, 0, 4, 8, 12, block[sigma[turn]], block[sigma[turn + 1]])
        _mix(v, 1, 5, 9, 13, block[sigma[turn + 2]], block[sigma[turn + 3]])
        _mix(v, 2, 6, 10, 14, block[sigma[turn + 4]], block[sigma[turn + 5]])
        _mix(v, 3, 7, 11, 15, block[sigma[turn + 6]], block[sigma[turn + 7]])
        _mix(v, 0, 5, 10, 15, block[sigma[turn + 8]], block[sigma[turn + 9]])
        _mix(v, 1, 6, 11, 12, block[sigma[turn + 10]], block[sigma[turn + 11]])
        _mix(v, 2, 7, 8, 13, block[sigma[turn + 12]], block[sigma[turn + 13]])
        _mix(v, 3, 4, 9, 14, block[sigma[turn + 14]], block[sigma[turn + 15]])
    for place in range(8):
        state[place] ^= v[place] ^ v[place + 8]


@kernel(
    UINT64(
        READ_UINT8,
        READ_INT64,
        READ_INT64,
        READ_UINT64,
        READ_INT64,
        READ_UINT64,
        READ_UINT64,
        READ_INT64,
    )
)
def _span_keys(
    data: Bytes,
    starts: Int64,
    ends: Int64,
    heads: UInt64,
    owners: Int64,
    person: UInt64,
    initial: UInt64,
    sigma: Int64,
) -> UInt64:
    spans = len(starts)
    keys = np.empty(2 * spans, np.uint64)
    state = np.empty(8, np.uint64)
    block = np.empty(16, np.uint64)
    v = np.empty(16, np.uint64)
    for span in range(spans):
        for place in range(8):
            state[place] = initial[place]
        state[0] ^= _PARAMETERS
        state[6] ^= person[0]
        state[7] ^= person[1]
        block[0] = heads[2 * owners[span]]
        block[1] = heads[2 * owners[span] + 1]
        filled = PREFIX
        total = 0
        at = starts[span]
        end = ends[span]
        while True:
            size = min(BLOCK - filled, end - at)
            for word in range(filled // 8, 16):
                block[word] = np.uint64(0)
            for place in range(size):
                position = filled + place
                block[position >> 3] |= np.uint64(data[at + place]) << np.uint64(8 * (position & 7))
            at += size
            total += filled + size
            _compress(state, block, v, total, at == end, initial, sigma)
            if at == end:
                break
            filled = 0
        keys[span] = state[0]
        keys[spans + span] = state[1]
    return keys
