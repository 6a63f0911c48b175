from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from corpusforge.kernels.jaccard import overlaps

sets = st.sets(st.integers(0, 2**64 - 1) | st.integers(0, 30), max_size=25)


@settings(max_examples=200, deadline=None)
@given(one=sets, others=st.lists(sets, max_size=5), limit=st.integers(1, 30))
def test_overlaps_against_python_sets(one: set[int], others: list[set[int]], limit: int) -> None:
    cut_one = sorted(one)[:limit]
    cut_others = [sorted(other)[:limit] for other in others]
    was_cut = [int(len(other) > limit) for other in others]
    offsets = np.concatenate([[0], np.cumsum([len(other) for other in cut_others])]).astype(np.int64)
    values = np.array([value for other in cut_others for value in other], np.uint64)
    shared, union = overlaps(
        np.array(cut_one, np.uint64), int(len(one) > limit), offsets, values, np.array(was_cut, np.int64)
    )
    for index, other in enumerate(others):
        bounds = [cut_one[-1]] if len(one) > limit else []
        bounds += [cut_others[index][-1]] if was_cut[index] else []
        bound = min(bounds, default=2**64)
        # The whole sets, not the cut ones: what the cut ones hold up to the bound is all there is.
        left, right = {value for value in one if value <= bound}, {value for value in other if value <= bound}
        assert (shared[index], union[index]) == (len(left & right), len(left | right))


def test_a_sample_estimates_the_similarity() -> None:
    values = np.sort(np.random.default_rng(1).integers(0, 2**63, 30_000).astype(np.uint64))
    chosen = np.random.default_rng(2).permutation(30_000)
    one, two = np.sort(values[chosen[:20_000]])[:4096], np.sort(values[chosen[10_000:]])[:4096]
    shared, union = overlaps(one, 1, np.array([0, 4096]), two, np.array([1]))
    assert abs(shared[0] / union[0] - 1 / 3) < 0.03
