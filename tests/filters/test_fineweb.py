"""FineWeb's signals against a slow twin, and texts just inside and just outside each threshold."""

from __future__ import annotations

import time
from collections.abc import Callable
from fractions import Fraction
from math import floor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corpusforge.filters.fineweb import FineWeb
from corpusforge.step import RATIO, Measured

PIECES = ["a", "b.", "c?", '"', "…", "x" * 29, "é" * 30, "\n", "\n\n", " \n", "。"]
TEXTS = st.lists(
    st.one_of(
        st.lists(st.sampled_from(PIECES), max_size=20).map(" ".join),
        st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=40),
        st.sampled_from(["", "\n", " \n "]),
    ),
    max_size=4,
)


def ratio(numerator: int, denominator: int) -> int:
    return floor(Fraction(numerator, denominator) * RATIO) if denominator else 0


def twin(text: str) -> dict[str, int]:
    lines = [line.strip() for line in text.split("\n") if line.split()]
    words = [tuple(line.split()) for line in lines]
    repeated = sum(len(line) for at, line in enumerate(lines) if words[at] in words[:at])
    return {
        "terminal_line_ratio": ratio(
            sum(line.endswith((".", "!", "?", "'", '"')) for line in lines), len(lines)
        ),
        "short_line_ratio": ratio(sum(len(line) <= 30 for line in lines), len(lines)),
        "duplicate_line_character_ratio": ratio(repeated, sum(map(len, lines))),
        "line_feed_ratio": ratio(text.count("\n"), len(text.split())),
    }


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=TEXTS)
def test_signals_match_the_twin(measure: Callable[..., Measured], texts: list[str]) -> None:
    signals = measure(FineWeb(), texts).signals
    for row, text in enumerate(texts):
        assert {name: int(values[row]) for name, values in signals.items()} == twin(text)


def lines(count: int, size: int, end: str = "") -> list[str]:
    """Different lines of so many characters."""
    return [f"{number:03}" + "x" * (size - 3 - len(end)) + end for number in range(count)]


LONG, ENDED, SHORT = lines(100, 50), lines(100, 50, "."), lines(100, 30)


@pytest.mark.parametrize(
    ("section", "rule", "kept", "dropped"),
    [
        ("datatrove", "min_terminal_line_ratio", ENDED[:12] + LONG[12:], ENDED[:11] + LONG[11:]),
        ("paper", "terminal_line_ratio_above", ENDED[:13] + LONG[13:], ENDED[:12] + LONG[12:]),
        ("datatrove", "max_short_line_ratio", SHORT[:67] + LONG[67:], SHORT[:68] + LONG[68:]),
        ("datatrove", "max_short_line_ratio", lines(9, 31), lines(9, 30)),
        ("paper", "short_line_ratio_below", SHORT[:66] + LONG[66:], SHORT[:67] + LONG[67:]),
        (
            "datatrove",
            "max_duplicate_line_character_ratio",
            [*LONG[1:], LONG[1]],
            [*LONG[2:], LONG[2], LONG[2]],
        ),
        (
            "paper",
            "duplicate_line_character_ratio_below",
            LONG[9:] + [LONG[9]] * 9,
            LONG[10:] + [LONG[10]] * 10,
        ),
        (
            "datatrove",
            "max_line_feed_ratio",
            ["a b c d e f g", "h", "i", "j"],
            ["a b c d e f", "h", "i", "j"],
        ),
    ],
)
def test_thresholds(
    dropped_by: Callable[..., list[set[str]]], section: str, rule: str, kept: list[str], dropped: list[str]
) -> None:
    inside, outside = dropped_by(FineWeb, f"fineweb@{section}", ["\n".join(kept), "\n\n".join(dropped)])
    assert rule not in inside
    assert rule in outside


def test_ordinary_and_empty_texts(dropped_by: Callable[..., list[set[str]]]) -> None:
    text = "\n".join(f"{line} and some more words stand here." for line in LONG)
    found = dropped_by(FineWeb, "fineweb@datatrove", [text, ""])
    assert found == [set(), {"min_terminal_line_ratio"}]


@pytest.mark.parametrize("unit", ["a", "a ", "\n", "a\n", "."])
def test_a_hostile_document_costs_linear_time(measure: Callable[..., Measured], unit: str) -> None:
    text = unit * (2_000_000 // len(unit))
    started = time.process_time()
    measure(FineWeb(), [text])
    assert time.process_time() - started < 3
