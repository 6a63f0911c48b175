from __future__ import annotations

import math
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusforge.train import statistics as stats

# Two-sided 95 % points of Student's t and one 99.5 % point, as any table has them.
TABLE = {
    (0.975, 1): 12.7062,
    (0.975, 2): 4.30265,
    (0.975, 4): 2.77645,
    (0.975, 30): 2.04227,
    (0.995, 2): 9.92484,
}


@pytest.mark.parametrize(("probability", "freedom"), TABLE)
def test_quantiles_of_student_are_those_of_tables(probability: float, freedom: int) -> None:
    assert stats.student_quantile(probability, freedom) == pytest.approx(
        TABLE[probability, freedom], abs=2e-4
    )
    assert stats.student_quantile(1 - probability, freedom) == pytest.approx(
        -TABLE[probability, freedom], abs=2e-4
    )


@given(st.integers(1, 60), st.floats(0.001, 0.999), st.data())
def test_binomial_tail_equals_the_sum(trials: int, probability: float, data: st.DataObject) -> None:
    count = data.draw(st.integers(0, trials + 1))
    exact = sum(
        comb(trials, k) * probability**k * (1 - probability) ** (trials - k) for k in range(count, trials + 1)
    )
    assert stats.binomial_tail(count, trials, probability) == pytest.approx(exact, abs=1e-9)


def test_binomial_interval_is_that_of_clopper_and_pearson() -> None:
    assert stats.binomial_interval(0, 100) == pytest.approx((0.0, 1 - 0.025 ** (1 / 100)), abs=1e-9)
    low, high = stats.binomial_interval(5, 100)
    assert (low, high) == pytest.approx((0.0164, 0.1128), abs=1e-4)
    with pytest.raises(ValueError, match="no share"):
        stats.binomial_interval(3, 2)


def test_paired_interval_by_hand() -> None:
    result = stats.paired(np.array([1.0, 2.0, 3.0]))
    assert result.interval.mean == 2.0
    assert result.deviation == 1.0
    assert result.interval.high - 2.0 == pytest.approx(4.30265 / math.sqrt(3), abs=1e-4)
    assert not result.interval.excludes_zero
    assert stats.paired(np.array([1.0, 1.1, 0.9])).interval.excludes_zero


def test_one_pair_tells_nothing() -> None:
    result = stats.paired(np.array([5.0]))
    assert not result.interval.excludes_zero
    assert stats.minimum_detectable_effect(1.0, 1) == math.inf
    with pytest.raises(ValueError, match="0 differences"):
        stats.paired(np.zeros(0))


@pytest.mark.parametrize("count", [2, 3, 5, 10])
def test_detectable_effect_is_found_as_often_as_promised(count: int) -> None:
    effect = stats.minimum_detectable_effect(1.0, count)
    draws = np.random.Generator(np.random.Philox(7)).normal(effect, 1.0, (20_000, count))
    t = draws.mean(axis=1) / (draws.std(axis=1, ddof=1) / math.sqrt(count))
    found = np.mean(np.abs(t) > stats.student_quantile(0.975, count - 1))
    assert found == pytest.approx(0.8, abs=0.015)


def test_bootstrap_covers_both_sources_of_chance() -> None:
    draw = np.random.Generator(np.random.Philox(3))
    sizes, domains = np.full(60, 100, np.int64), np.repeat(np.arange(3), 20)
    constant = np.full((3, 60), 10.0)
    interval = stats.bootstrap(constant, sizes, domains, draws=500)
    assert (interval.low, interval.mean, interval.high) == pytest.approx((0.1, 0.1, 0.1))
    documents = constant + draw.normal(0, 50, 60)
    seeds = constant + np.array([-50.0, 0.0, 50.0])[:, None]
    narrow = stats.bootstrap(documents, sizes, domains)
    wide = stats.bootstrap(seeds, sizes, domains)
    expected = 2 * 1.96 * 0.5 / math.sqrt(60)
    assert narrow.high - narrow.low == pytest.approx(expected, rel=0.25)
    assert wide.high - wide.low > 2 * (narrow.high - narrow.low)
    assert stats.bootstrap(documents, sizes, domains) == narrow
    assert stats.bootstrap(documents, sizes, domains, seed=1) != narrow


def test_domains_count_alike_whatever_their_bytes() -> None:
    bits, sizes = np.array([100.0, 10.0, 10.0]), np.array([100, 1000, 1000])
    assert stats.macro_difference(bits, sizes, np.array([0, 1, 1])) == pytest.approx((1.0 + 0.01) / 2)
