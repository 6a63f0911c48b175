from __future__ import annotations

from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpusforge.mix.order import order_key, permute, unpermute
from corpusforge.randomness import repeats


@pytest.mark.parametrize("seed", range(3))
def test_a_bijection_for_every_small_size(seed: int) -> None:
    key = order_key(seed, "source", 0)
    for size in range(1, 300):
        everything = np.arange(size)
        image = permute(everything, size, key)
        assert np.array_equal(np.sort(image), everything)
        assert np.array_equal(unpermute(image, size, key), everything)


@given(st.integers(1, 2**62), st.data(), st.binary(max_size=16))
@settings(max_examples=100, deadline=None)
def test_large_sizes_come_back(size: int, data: st.DataObject, key: bytes) -> None:
    indices = np.array(data.draw(st.lists(st.integers(0, size - 1), max_size=30, unique=True)), np.int64)
    image = permute(indices, size, key)
    assert len(set(image.tolist())) == len(indices)
    assert all(0 <= value < size for value in image.tolist())
    assert np.array_equal(unpermute(image, size, key), indices)


def test_any_position_by_itself() -> None:
    key = order_key(1, "wikipedia", 2)
    whole = permute(np.arange(1000), 1000, key)
    assert all(permute(np.array([place]), 1000, key)[0] == whole[place] for place in range(0, 1000, 97))


def test_keys_and_epochs_give_other_orders() -> None:
    orders = {
        tuple(permute(np.arange(50), 50, order_key(seed, source, epoch)).tolist())
        for seed in (0, 1)
        for source in ("a", "b")
        for epoch in (0, 1)
    }
    assert len(orders) == 8


def test_all_orders_of_four_are_about_equally_frequent() -> None:
    counts = Counter(
        tuple(permute(np.arange(4), 4, order_key(seed, "s", 0)).tolist()) for seed in range(2400)
    )
    assert len(counts) == 24
    # 100 expected in each of 24 bins: chi-squared of 23 degrees, 99.99 % below 57.
    assert sum((count - 100) ** 2 / 100 for count in counts.values()) < 57


def test_neighbours_are_scattered() -> None:
    image = permute(np.arange(100_000), 100_000, order_key(0, "s", 0))
    steps = np.abs(np.diff(image))
    # The distance of two random places is a third of the range on average.
    assert abs(steps.mean() / 100_000 - 1 / 3) < 0.01


def test_refuses_places_outside() -> None:
    with pytest.raises(ValueError, match="outside"):
        permute(np.array([5]), 5, b"")
    with pytest.raises(ValueError, match="size"):
        permute(np.array([5]), -1, b"")
    assert len(permute(np.zeros(0, np.int64), 0, b"")) == 0


@given(st.fractions(0, 5, max_denominator=1000), st.lists(st.integers(0, 2**64 - 1), max_size=30))
@settings(max_examples=200, deadline=None)
def test_repeats_compare_exactly(epochs: Fraction, bits: list[int]) -> None:
    expected = [int(epochs) + (Fraction(value, 2**64) < epochs - int(epochs)) for value in bits]
    assert repeats(np.array(bits, np.uint64), epochs).tolist() == expected


def test_repeats_at_the_edges() -> None:
    bits = np.array([0, 2**63 - 1, 2**63, 2**64 - 1], np.uint64)
    assert repeats(bits, Fraction("2.5")).tolist() == [3, 3, 2, 2]
    assert repeats(bits, Fraction(3)).tolist() == [3, 3, 3, 3]
    assert repeats(bits, 1 - Fraction(1, 2**70)).tolist() == [1, 1, 1, 1]
    with pytest.raises(ValueError, match="negative"):
        repeats(bits, Fraction(-1))
