"""Lists of 64-bit numbers picked out of a column of them, with repeats and in any order."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corpusforge.kernels.array_types import INT64, READ_INT64, READ_UINT64, UINT64
from corpusforge.kernels.loading import kernel, types

Int64 = npt.NDArray[np.int64]
UInt64 = npt.NDArray[np.uint64]


@kernel(types.Tuple((INT64, UINT64))(READ_UINT64, READ_INT64, READ_INT64))
def gather_lists(values: UInt64, starts: Int64, sizes: Int64) -> tuple[Int64, UInt64]:
    """Copy n lists: list i is ``values[starts[i]:][:sizes[i]]``.

    `values` uint64, `starts` and `sizes` int64[n]. Returns offsets int64[n + 1] and the values uint64.
    """
    offsets = np.zeros(len(starts) + 1, np.int64)
    for row in range(len(starts)):
        offsets[row + 1] = offsets[row] + sizes[row]
    gathered = np.empty(offsets[len(starts)], np.uint64)
    for row in range(len(starts)):
        start, first = np.uint64(starts[row]), np.uint64(offsets[row])
        for place in range(np.uint64(sizes[row])):
            gathered[first + place] = values[start + place]
    return offsets, gathered
