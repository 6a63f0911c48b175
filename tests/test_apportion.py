from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpusforge.apportion import NEVER, Apportionment, exact_weight, largest_remainder

LLAMA = {
    "commoncrawl": "67.0", "c4": "15.0", "github": "4.5", "wikipedia": "4.5",
    "books": "4.5", "arxiv": "2.5", "stackexchange": "2.0",
}  # fmt: skip


def test_shares_hold_after_every_row() -> None:
    mixture = Apportionment(LLAMA)
    assert mixture.period == 200
    sources = mixture.source(np.arange(1000))
    for rows in range(1, 1001):
        counts = np.bincount(sources[:rows], minlength=7)
        assert mixture.counts(rows) == dict(zip(mixture.sources, counts.tolist(), strict=True))
        for name, have in zip(mixture.sources, counts.tolist(), strict=True):
            assert abs(have - rows * Fraction(LLAMA[name]) / 100) < 1


@given(st.lists(st.integers(0, 30), min_size=1, max_size=6).filter(any), st.lists(st.integers(0, 10**15)))
@settings(max_examples=100, deadline=None)
def test_ordinals_number_the_rows_of_a_source(weights: list[int], rows: list[int]) -> None:
    mixture = Apportionment({f"s{index}": weight for index, weight in enumerate(weights)})
    sources, ordinals = mixture.source(np.array(rows)), mixture.ordinal(np.array(rows))
    for row, source, ordinal in zip(rows, sources.tolist(), ordinals.tolist(), strict=True):
        assert mixture.counts(row)[mixture.sources[source]] == ordinal
        assert mixture.counts(row + 1)[mixture.sources[source]] == ordinal + 1
        assert mixture.place(mixture.sources[source], np.array([ordinal])).tolist() == [row]


@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=4), st.lists(st.integers(0, 60), min_size=4, max_size=4)
)
@settings(max_examples=100, deadline=None)
def test_rows_within_what_there_is(weights: list[int], have: list[int]) -> None:
    mixture = Apportionment({str(index): weight for index, weight in enumerate(weights)})
    available = {str(index): count for index, count in enumerate(have)}
    rows = mixture.rows_within(available)
    assert all(mixture.counts(rows)[name] <= available[name] for name in mixture.sources)
    assert any(mixture.counts(rows + 1)[name] > available[name] for name in mixture.sources)


@given(st.integers(0, 10**6), st.lists(st.integers(0, 50), min_size=1, max_size=8).filter(any))
def test_largest_remainder_adds_up(total: int, weights: list[int]) -> None:
    parts = largest_remainder(total, weights)
    assert sum(parts) == total
    shares = [Fraction(total * weight, sum(weights)) for weight in weights]
    assert all(abs(part - share) < 1 for part, share in zip(parts, shares, strict=True))


def test_ties_of_largest_remainder_go_to_the_first() -> None:
    assert largest_remainder(2, [1, 1, 1]) == [1, 1, 0]


def test_sources_without_a_weight_have_no_place() -> None:
    mixture = Apportionment({"a": 1, "b": 0})
    assert mixture.sources == ["a"]
    assert mixture.place("b", np.arange(3)).tolist() == [NEVER] * 3


def test_refuses_weights_that_are_not_exact() -> None:
    with pytest.raises(TypeError, match="decimal string"):
        exact_weight(0.1)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="negative"):
        exact_weight("-1")
    with pytest.raises(ValueError, match="positive"):
        Apportionment({"a": 0})
    with pytest.raises(ValueError, match="repeat only after"):
        Apportionment({"a": 1, "b": 10_000_019})
    assert exact_weight("0.045") == Fraction(9, 200)
