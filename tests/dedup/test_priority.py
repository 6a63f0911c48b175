from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from corpusforge.dedup.priority import (
    PriorityParameters,
    binary_halves,
    binary_of_halves,
    date_seconds,
    priority_columns,
    priority_tuples,
    source_rank,
)
from corpusforge.step import LiveRows
from corpusforge.texts import Texts


def order(parameters: PriorityParameters, rows: list[dict[str, object]]) -> list[str]:
    """Names of the rows, the preferred one first."""
    columns = {
        "id": pa.array([row["id"] for row in rows], pa.binary(16)),
        "source": pa.array([row.get("source", "web") for row in rows], pa.string()),
        "date": pa.array([row.get("date") for row in rows], pa.string()),
    }
    signals = {"judge.score": pa.array([row.get("score") for row in rows], pa.int64())}
    live = LiveRows(Texts.from_strings([""] * len(rows)), columns, signals)
    tuples = priority_tuples(priority_columns(live, parameters))
    return [str(rows[index]["name"]) for index in sorted(range(len(rows)), key=lambda place: tuples[place])]


def row(name: str, **values: object) -> dict[str, object]:
    return {"name": name, "id": name.encode().ljust(16, b"\0"), **values}


def test_source_goes_before_quality_before_date_before_id() -> None:
    rows = [
        row("z", source="wikipedia", score=1),
        row("a", source="web", score=9, date="2020-01-01"),
        row("b", source="web", score=9, date="2019-01-01T00:00:00Z"),
        row("c", source="web", score=10),
        row("e", source="web"),
        row("d", source="web"),
        row("f", source="books", score=1),
    ]
    parameters = PriorityParameters(sources=("wikipedia",), quality="judge.score")
    assert order(parameters, rows) == ["z", "f", "c", "b", "a", "d", "e"]


def test_newest_turns_dates_round_but_not_missing_ones() -> None:
    rows = [row("a", date="2020-01-01"), row("b", date="2021-01-01"), row("c", date="not a date"), row("d")]
    assert order(PriorityParameters(prefer="newest"), rows) == ["b", "a", "c", "d"]
    assert order(PriorityParameters(prefer="oldest"), rows) == ["a", "b", "c", "d"]


def test_an_older_generation_always_survives() -> None:
    live = LiveRows(
        Texts.from_strings([""]),
        {
            "id": pa.array([bytes(16)], pa.binary(16)),
            "source": pa.array(["zzzzzzzz"]),
            "date": pa.array([None], pa.string()),
        },
    )
    older = priority_columns(live, PriorityParameters(generation=3))["p0"][0]
    newer = priority_columns(live, PriorityParameters(generation=4, sources=("zzzzzzzz",)))["p0"][0]
    assert older < newer


def test_extreme_quality_does_not_overflow() -> None:
    rows = [row("low", score=-(2**63)), row("high", score=2**63 - 1), row("none")]
    assert order(PriorityParameters(quality="judge.score"), rows)[0] == "high"


def test_a_quality_that_nobody_measured_is_an_error() -> None:
    with pytest.raises(KeyError):
        order(PriorityParameters(quality="judge.other"), [row("a")])


def test_unlisted_sources_follow_by_name() -> None:
    names = ["wikipedia", "arxiv", "é", "", "stackexchange"]
    ranks = {name: source_rank(name, ("stackexchange",)) for name in names}
    assert sorted(names, key=lambda name: ranks[name]) == ["stackexchange", "", "arxiv", "wikipedia", "é"]
    assert max(ranks.values()) < 1 << 42


@given(st.lists(st.binary(min_size=16, max_size=16), max_size=9), st.integers(0, 3))
def test_halves_are_joined_again_and_keep_the_order(values: list[bytes], start: int) -> None:
    array = pa.array(values, pa.binary(16)).slice(start)
    high, low = binary_halves(array)
    assert binary_of_halves(high, low).to_pylist() == array.to_pylist()
    by_bytes = sorted(range(len(array)), key=lambda index: array[index].as_py())
    assert [array[int(index)] for index in np.lexsort((low, high))] == [array[index] for index in by_bytes]


def test_dates_of_both_forms_are_read_and_others_are_null() -> None:
    dates = ["1970-01-02", "1970-01-01T00:00:07Z", "yesterday", None, "", "1970-13-01"]
    assert date_seconds(pa.array(dates)).to_pylist() == [86400, 7, None, None, None, None]


def test_generations_have_a_bound() -> None:
    with pytest.raises(ValidationError):
        PriorityParameters(generation=2**20)
