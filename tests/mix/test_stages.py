"""Weights that change with the step: shares of each stage, no row twice, any step by itself."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusforge.apportion import Apportionment
from corpusforge.mix.loader import Row, RowReader
from corpusforge.mix.stages import Stage, StagedRows

ROW_WEIGHTS = {"books": 300_000, "code": 100_000, "web": 600_000}
SHARES = {"books": 150_000, "code": 100_000, "web": 750_000}
"""Rows of books are half as full as those of code, those of web a quarter fuller."""


class Numbers(RowReader):
    """Rows that hold nothing but their number."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.fingerprint = "numbers"

    def __len__(self) -> int:
        return self.count

    def row(self, index: int) -> Row:
        return Row(np.array([index]), np.array([0, 1], np.int32), {})


def manifest(rows: int) -> dict[str, Any]:
    sources = {name: {"share": share} for name, share in SHARES.items()}
    return {"rows": rows, "row_weights": ROW_WEIGHTS, "mixture": {"sources": sources}}


def sources_of(rows: list[int]) -> Counter[str]:
    stored = Apportionment(dict(sorted(ROW_WEIGHTS.items())))
    return Counter(stored.sources[index] for index in stored.source(np.array(rows, np.int64)).tolist())


STAGES = [Stage(0, {"web": 3, "code": 1}), Stage(40, {"books": "0.5", "web": "0.5"})]


def test_each_stage_has_its_shares_in_tokens():
    reader = StagedRows(Numbers(20_000), manifest(20_000), STAGES)
    early = [row for step in range(40) for row in reader.order(step, 100).tolist()]
    late = [row for step in range(40, 80) for row in reader.order(step, 100).tolist()]
    # Tokens of a row: share / row weight, so 1 of code, 1.25 of web and 0.5 of books.
    counts = sources_of(early)
    assert set(counts) == {"web", "code"}
    assert abs(counts["web"] * 1.25 / (counts["code"] * 1.0) - 3) < 0.01
    counts = sources_of(late)
    assert set(counts) == {"web", "books"}
    assert abs(counts["web"] * 1.25 / (counts["books"] * 0.5) - 1) < 0.01
    assert len(set(early + late)) == 8000, "a stage goes on where the one before stopped"


@given(st.integers(0, 79), st.integers(1, 50), st.integers(0, 3))
def test_a_step_needs_no_step_before_it(step, batch, seed):
    made = StagedRows(Numbers(20_000), manifest(20_000), STAGES)
    again = StagedRows(Numbers(20_000), manifest(20_000), STAGES)
    for before in range(0, step, 7):
        again.order(before, batch, seed)
    assert again.order(step, batch, seed).tolist() == made.order(step, batch, seed).tolist()


def test_seeds_change_the_order_and_none_keeps_it():
    reader = StagedRows(Numbers(5000), manifest(5000), STAGES)
    assert reader.order(3, 64, 1).tolist() != reader.order(3, 64, 2).tolist()
    stored = [row for step in range(5) for row in reader.order(step, 64, None).tolist()]
    code = [row for row in stored if sources_of([row])["code"]]
    assert code == sorted(code)
    assert int(reader.row(7).tokens[0]) == 7


def test_a_source_that_runs_out_is_named_and_not_repeated():
    reader = StagedRows(Numbers(1000), manifest(1000), [Stage(0, {"code": 1})])
    assert len({row for step in range(10) for row in reader.order(step, 10).tolist()}) == 100
    with pytest.raises(ValueError, match=r"step 10: code has run out after 100 rows"):
        reader.order(10, 10)
    twice = StagedRows(Numbers(1000), manifest(1000), [Stage(0, {"code": 1})], passes=Fraction(2))
    first = [row for step in range(10) for row in twice.order(step, 10).tolist()]
    second = [row for step in range(10, 20) for row in twice.order(step, 10).tolist()]
    assert sorted(first) == sorted(second)
    assert first != second


@pytest.mark.parametrize(
    ("stages", "words"),
    [
        ([], "starts at step 0"),
        ([Stage(1, {"web": 1})], "starts at step 0"),
        ([Stage(0, {"web": 1}), Stage(0, {"web": 1})], "rising"),
        ([Stage(0, {"wbe": 1})], "no rows of 'wbe'"),
        ([Stage(0, {"web": 0})], "positive"),
        ([Stage(0, {"web": -1})], "negative"),
    ],
)
def test_stages_that_cannot_be(stages, words):
    with pytest.raises(ValueError, match=words):
        StagedRows(Numbers(1000), manifest(1000), stages)


def test_the_rows_must_be_those_of_the_run():
    with pytest.raises(ValueError, match="the reader holds 10 rows"):
        StagedRows(Numbers(10), manifest(1000), STAGES)
    with pytest.raises(ValueError, match="no order for step -1"):
        StagedRows(Numbers(1000), manifest(1000), STAGES).order(-1, 4)
