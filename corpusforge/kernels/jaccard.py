"""Exact Jaccard similarity of sorted sets of 64-bit hashes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corpusforge.kernels.array_types import READ_INT64, READ_UINT64
from corpusforge.kernels.loading import kernel, types

Int64 = npt.NDArray[np.int64]
UInt64 = npt.NDArray[np.uint64]


@kernel(types.UniTuple(types.int64[::1], 2)(READ_UINT64, types.int64, READ_INT64, READ_UINT64, READ_INT64))
def overlaps(
    one: UInt64, one_cut: int, offsets: Int64, others: UInt64, others_cut: Int64
) -> tuple[Int64, Int64]:
    """Compare the set `one` with k other sets; return intersections and unions, int64[k] each.

    `one` uint64 and every ``others[offsets[i]:offsets[i + 1]]`` are sorted without repeats. `one_cut` and
    `others_cut` int64[k] tell which sets are cut to their smallest hashes. Sets are complete up to the last
    hash of a cut one, so a pair with a cut set is compared up to the smaller of these last hashes: an
    estimate from a random sample that is at least as large as the smaller cut set.
    """
    count = len(offsets) - 1
    intersections = np.zeros(count, np.int64)
    unions = np.zeros(count, np.int64)
    largest = np.uint64(0xFFFFFFFFFFFFFFFF)
    for other in range(count):
        left, right = 0, offsets[other]
        left_end, right_end = len(one), offsets[other + 1]
        bound = largest
        if one_cut != 0 and left_end > 0:
            bound = one[left_end - 1]
        if others_cut[other] != 0 and right_end > right and others[right_end - 1] < bound:
            bound = others[right_end - 1]
        shared, union = 0, 0
        while left < left_end and right < right_end:
            a, b = one[left], others[right]
            if min(a, b) > bound:
                break
            shared += a == b
            left += a <= b
            right += b <= a
            union += 1
        while left < left_end and one[left] <= bound:
            left += 1
            union += 1
        while right < right_end and others[right] <= bound:
            right += 1
            union += 1
        intersections[other] = shared
        unions[other] = union
    return intersections, unions
