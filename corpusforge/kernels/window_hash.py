"""Windows of words whose hash may be in an index, by a rolling hash and a table of leading bits."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corpusforge.kernels.array_types import READ_INT64, READ_UINT8, READ_UINT64
from corpusforge.kernels.hash64 import mix
from corpusforge.kernels.loading import kernel, types

Int64 = npt.NDArray[np.int64]
UInt64 = npt.NDArray[np.uint64]

# The multiplier of `corpusforge.kernels.shingles`: windows have the hashes that its shingles have.
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


@kernel(
    types.Tuple((types.int64[::1], types.int64[::1], types.uint64[::1]))(
        READ_INT64, READ_UINT64, types.int64, READ_UINT8, types.uint64
    )
)
def find_windows(
    document_offsets: Int64, terms: UInt64, width: int, present: npt.NDArray[np.uint8], shift: np.uint64
) -> tuple[Int64, Int64, UInt64]:
    """Windows of `width` words whose hash, shifted right by `shift`, is a bit that is set in `present`.

    `present` uint8[2^(61 - shift)] holds 8 bits a byte, the lowest first (``numpy.packbits``, "little").

    `document_offsets` int64[n + 1] indexes `terms` uint64[m]. A window's hash is that of
    `corpusforge.kernels.shingles.shingle_hashes`, taken on from the window before it in constant time
    (Karp and Rabin, Efficient randomized pattern-matching algorithms, 1987). Documents of fewer words have no
    window. Returns, in order: `rows` int64[k], `firsts` int64[k] (the first word, as an index of `terms`),
    `hashes` uint64[k].
    """
    # Memory that is never written is never given.
    room = len(terms)
    rows, firsts, hashes = np.empty(room, np.int64), np.empty(room, np.int64), np.empty(room, np.uint64)
    count = 0
    power = np.uint64(1)
    for _ in range(width - 1):
        power *= _MULTIPLIER
    start = np.uint64(width) * power * _MULTIPLIER
    for row in range(len(document_offsets) - 1):
        begin, end = document_offsets[row], document_offsets[row + 1]
        if end - begin < width:
            continue
        rolling = np.uint64(0)
        for word in range(begin, begin + width - 1):
            rolling = rolling * _MULTIPLIER + terms[word]
        for first in range(begin, end - width + 1):
            rolling = rolling * _MULTIPLIER + terms[first + width - 1]
            value = mix(start + rolling)
            place = np.int64(value >> shift)
            if present[place >> 3] >> (place & 7) & 1:
                rows[count], firsts[count], hashes[count] = row, first, value
                count += 1
            rolling -= terms[first] * power
    return rows[:count].copy(), firsts[:count].copy(), hashes[:count].copy()
