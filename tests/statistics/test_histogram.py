from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusforge.statistics.histogram import Histogram, bin_edges, bins_of, quantile
from corpusforge.step import MICRO, RATIO, fixed_point

SCALES = st.sampled_from([1, 3, 100, MICRO, RATIO])
VALUES = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.integers(-200, 200),
    st.integers(-3 * RATIO, 3 * RATIO),
    st.integers(0, 62).map(lambda power: 2**power - 1),
    st.integers(0, 62).map(lambda power: 2**power),
)


@given(st.lists(VALUES, min_size=1, max_size=40), SCALES)
def test_every_value_lies_between_the_edges_of_its_bin(values: list[int], scale: int) -> None:
    numbers = bins_of(np.array(values, np.int64), scale)
    for value, number in zip(values, numbers.tolist()):
        low, high = bin_edges(number, scale)
        assert low <= max(value, -(2**63) + 1) < high


@given(st.lists(VALUES, min_size=2, max_size=40), SCALES)
def test_bins_are_in_the_order_of_the_values(values: list[int], scale: int) -> None:
    numbers = bins_of(np.array(sorted(values), np.int64), scale)
    assert np.all(np.diff(numbers) >= 0)


def test_small_integers_and_half_percents_have_bins_of_their_own() -> None:
    assert len(set(bins_of(np.arange(-63, 64), 1).tolist())) == 127
    ratios = np.arange(201) * (RATIO // 200)
    assert bins_of(ratios, RATIO).tolist() == list(range(201))
    assert bins_of(ratios - 1, RATIO).tolist() == list(range(-1, 200))


def test_a_scale_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="scale"):
        bins_of(np.array([1]), 0)


@given(st.lists(VALUES, max_size=60), st.integers(0, 60), SCALES)
def test_a_split_anywhere_adds_up_to_the_whole(values: list[int], cut: int, scale: int) -> None:
    whole, left, right = Histogram(scale), Histogram(scale), Histogram(scale)
    whole.add(np.array(values, np.int64))
    left.add(np.array(values[:cut], np.int64))
    right.add(np.array(values[cut:], np.int64))
    one, other = Histogram(scale), Histogram(scale)
    for part in (left, right):
        one.merge_json(part.to_json())
    for part in (right, left):
        other.merge_json(part.to_json())
    assert one.to_json() == other.to_json() == whole.to_json()
    assert whole.to_json()["sum"] == sum(values)
    assert whole.to_json()["count"] == len(values) == sum(count for _, count in whole.to_json()["bins"])


def test_histograms_of_different_scales_do_not_merge() -> None:
    with pytest.raises(ValueError, match="do not add up"):
        Histogram(1).merge_json(Histogram(RATIO).to_json())


def test_quantiles_are_exact_for_small_integers() -> None:
    histogram = Histogram(1)
    histogram.add(np.arange(1, 61))
    assert quantile(histogram.to_json(), 1, 2) == 30
    assert quantile(histogram.to_json(), 0, 1) == 1
    assert quantile(histogram.to_json(), 1, 1) == 60
    assert quantile(Histogram(1).to_json(), 1, 2) is None


def test_thresholds_become_the_integers_that_their_digits_say() -> None:
    assert fixed_point(0.1, RATIO) == 100_000_000
    assert fixed_point(0.3, RATIO) == 300_000_000
    assert fixed_point(50, 1) == 50
    assert fixed_point(None, 1) is None
    assert fixed_point(True, 1) is None
    assert fixed_point(["tail"], 1) is None
    assert fixed_point(0.5, 0) is None
