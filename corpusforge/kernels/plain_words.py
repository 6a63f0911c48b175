"""Words of printable ASCII characters, rewritten byte by byte: what most words of Latin text need."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit, types

from corpusforge.kernels.array_types import READ_INT64, READ_UINT8

Bytes = npt.NDArray[np.uint8]
Int64 = npt.NDArray[np.int64]

_FIRST, _LAST = 0x21, 0x7E


@njit(
    types.Tuple((types.uint8[::1], types.int64[::1], types.boolean[::1]))(
        READ_UINT8, READ_INT64, READ_INT64, READ_UINT8
    ),
    cache=True,
    nogil=True,
)
def copy_plain_words(
    data: Bytes, starts: Int64, ends: Int64, mapping: Bytes
) -> tuple[Bytes, Int64, npt.NDArray[np.bool_]]:
    """Copy those of n words that are plain: (bytes uint8[], offsets int64[n + 1], whether plain bool[n]).

    A word ``data[start:end]`` is plain when it has bytes and all of them are from 0x21 to 0x7E; each is replaced by
    ``mapping[byte]``, uint8[256]. Other words have no bytes.
    """
    total = np.int64(0)
    for word in range(len(starts)):
        total += ends[word] - starts[word]
    copied = np.empty(total, np.uint8)
    offsets = np.zeros(len(starts) + 1, np.int64)
    plain = np.zeros(len(starts), np.bool_)
    held = 0
    for word in range(len(starts)):
        at = starts[word]
        while at < ends[word] and _FIRST <= data[at] <= _LAST:
            copied[held + at - starts[word]] = mapping[data[at]]
            at += 1
        if at == ends[word] and at > starts[word]:
            plain[word] = True
            held += at - starts[word]
        offsets[word + 1] = held
    return copied[:held].copy(), offsets, plain
