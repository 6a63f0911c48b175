"""Shares of a mixture: tokens, not rows, are what the weights count, and a source that ends it is named."""

from __future__ import annotations

import io
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from corpusforge.apportion import Apportionment
from corpusforge.mix.shares import Supply, mixture_of, print_mixture, row_weights, shortage, supplies

LLAMA = {
    name: Fraction(weight)
    for name, weight in {
        "commoncrawl": "67",
        "c4": "15",
        "github": "4.5",
        "wikipedia": "4.5",
        "books": "4.5",
        "arxiv": "2.5",
        "stackexchange": "2",
    }.items()
}

fill = st.integers(100, 2049)


def achieved(rows: int, weights: dict[str, int], tokens_per_row: dict[str, int]) -> dict[str, float]:
    counts = Apportionment(weights).counts(rows)
    tokens = {name: counts[name] * tokens_per_row[name] for name in counts}
    return {name: value / sum(tokens.values()) for name, value in tokens.items()}


@given(fills=st.lists(fill, min_size=7, max_size=7), rows=st.integers(1_000_000, 10**12))
def test_from_a_million_rows_on_every_share_is_within_a_thousandth(fills, rows):
    tokens = dict(zip(LLAMA, fills))
    supply = {name: Supply((10**12,), 10**12 * tokens[name]) for name in LLAMA}
    found = achieved(rows, row_weights(LLAMA, supply), tokens)
    whole = sum(LLAMA.values())
    for name, share in found.items():
        assert abs(share / float(LLAMA[name] / whole) - 1) < 0.001, name


@given(fills=st.lists(fill, min_size=3, max_size=3), rows=st.integers(1, 5000))
def test_below_every_source_is_within_one_row(fills, rows):
    weights = dict(zip("abc", map(Fraction, (5, 3, 2))))
    made = row_weights(weights, {name: Supply((10**9,), 10**9 * count) for name, count in zip("abc", fills)})
    counts = Apportionment(made).counts(rows)
    for name in made:
        assert abs(counts[name] - rows * made[name] / sum(made.values())) < 1


@given(st.lists(st.integers(0, 5000), min_size=3, max_size=3))
def test_the_mixture_is_the_largest_that_takes_no_row_twice(rows):
    weights = dict(zip("abc", map(Fraction, (5, 3, 2))))
    supply = {name: Supply((count,), count * 100) for name, count in zip("abc", rows)}
    made = mixture_of(weights, supply)
    counts = Apportionment(made.row_weights).counts(made.rows)
    assert all(counts[name] <= supply[name].rows for name in "abc")
    more = Apportionment(made.row_weights).counts(made.rows + 1)
    assert [name for name in "abc" if more[name] > supply[name].rows] == [made.ends_with]


def test_shards_add_up_by_source_and_pass():
    def shard(source: str, *passes: tuple[int, int]) -> dict[str, object]:
        return {"source": source, "passes": [{"rows": rows, "tokens": tokens} for rows, tokens in passes]}

    found = supplies([shard("b", (3, 30), (1, 9)), shard("a"), shard("b", (2, 20))])
    assert found == {"a": Supply((), 0), "b": Supply((5, 1), 59)}
    assert list(found) == ["a", "b"]


def test_a_shortage_is_told_with_what_was_possible():
    weights = {"web": Fraction(67), "code": Fraction(33)}
    supply = {"web": Supply((1000,), 100_000), "code": Supply((50, 20), 7_000)}
    made = mixture_of(weights, supply)
    assert made.ends_with == "code"
    told = made.to_json(weights, supply)
    assert told["sources"]["code"]["possible"] == 21_212
    assert told["sources"]["web"]["possible"] == 149_253
    assert told["sources"]["code"]["passes"] == 1400
    assert "code ran out" in shortage(told)
    assert "web would be the next" in shortage(told)
    target = io.StringIO()
    print_mixture(told, {"web": 14_200, "code": 7_000}, Console(file=target, width=100))
    assert "66.981 %" in target.getvalue()
    assert "21,212" in target.getvalue()


def test_a_source_without_tokens_ends_the_mixture_at_once():
    weights = {"web": Fraction(1), "code": Fraction(1)}
    supply = {"web": Supply((10,), 1000)}
    made = mixture_of(weights, supply)
    assert made.rows <= 1
    assert made.ends_with == "code"
    assert "code has no tokens" in shortage(made.to_json(weights, supply))
    with pytest.raises(ValueError, match="no weight"):
        mixture_of({"web": Fraction(0)}, supply)


def test_one_source_needs_no_weighing():
    assert row_weights({"web": Fraction(3)}, {}) == {"web": 1}
    assert mixture_of({"web": Fraction(3)}, {"web": Supply((7, 2), 900)}).rows == 9
