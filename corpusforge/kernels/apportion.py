"""One period of an apportionment of rows to sources (Tijdeman's chairman assignment)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corpusforge.kernels.loading import kernel, types

Int64 = npt.NDArray[np.int64]

_int64 = types.Array(types.int64, 1, "C", readonly=True)


@kernel(types.int32[::1](_int64, types.int64))
def chairmen(weights: Int64, total: int) -> npt.NDArray[np.int32]:
    """Source int32[total] of each row of one period, for positive `weights` int64[m] that add up to `total`.

    After k rows source i has had within 1 - 1 / (2m - 2) of k * weights[i] / total rows (R. Tijdeman, "The
    chairman assignment problem", Discrete Mathematics 32, 1980): among the sources that are owed at least
    1 / (2m - 2) of a row, the one whose debt would first grow too large is next; ties go to the first one.
    All comparisons are in integers below total^2 * 2m, which the caller keeps below 2^63.
    """
    sources = len(weights)
    assigned = np.zeros(total, np.int32)
    if sources < 2:
        return assigned
    scale = 2 * sources - 2
    owed = np.zeros(sources, np.int64)
    for row in range(total):
        best = -1
        best_slack = np.int64(0)
        for source in range(sources):
            owed[source] += weights[source]
            if scale * owed[source] < total:
                continue
            slack = total * (scale - 1) - scale * owed[source]
            if best < 0 or slack * weights[best] < best_slack * weights[source]:
                best = source
                best_slack = slack
        owed[best] -= total
        assigned[row] = best
    return assigned


@kernel(types.int32[::1](types.Array(types.int32, 1, "C", readonly=True), types.int64))
def ranks(assigned: npt.NDArray[np.int32], sources: int) -> npt.NDArray[np.int32]:
    """How many earlier rows of the period have the same source, int32[len(assigned)]."""
    seen = np.zeros(sources, np.int32)
    result = np.empty(len(assigned), np.int32)
    for row in range(len(assigned)):
        result[row] = seen[assigned[row]]
        seen[assigned[row]] += 1
    return result
