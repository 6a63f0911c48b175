from __future__ import annotations

from fractions import Fraction

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from corpusforge.kernels.apportion import chairmen, ranks

weight_lists = st.lists(st.integers(1, 60), min_size=1, max_size=7)


@given(weight_lists)
@settings(max_examples=200, deadline=None)
def test_every_prefix_keeps_tijdemans_bound(weights: list[int]) -> None:
    total, count = sum(weights), len(weights)
    assigned = chairmen(np.array(weights, np.int64), total)
    bound = 1 - Fraction(1, 2 * count - 2) if count > 1 else Fraction(0)
    given_rows = [0] * count
    for row, source in enumerate(assigned.tolist(), start=1):
        given_rows[source] += 1
        for weight, have in zip(weights, given_rows, strict=True):
            assert abs(have - Fraction(row * weight, total)) <= bound
    assert given_rows == weights


@given(weight_lists)
@settings(max_examples=50, deadline=None)
def test_ranks_count_earlier_rows(weights: list[int]) -> None:
    assigned = chairmen(np.array(weights, np.int64), sum(weights))
    as_list = assigned.tolist()
    expected = [as_list[:row].count(source) for row, source in enumerate(as_list)]
    assert ranks(assigned, len(weights)).tolist() == expected
