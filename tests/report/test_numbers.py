from __future__ import annotations

import pytest

from corpusforge.report import numbers
from corpusforge.step import RATIO


@pytest.mark.parametrize(
    ("part", "whole", "words"),
    [
        (0, 0, "0 %"),
        (0, 9, "0 %"),
        (9, 9, "100 %"),
        (1, 10**9, "< 0.01 %"),
        (10**9 - 1, 10**9, "> 99.99 %"),
        (1, 3, "33.3 %"),
        (1, 200, "0.50 %"),
        (1999, 2000, "99.95 %"),
    ],
)
def test_shares_never_round_to_nothing_or_all(part: int, whole: int, words: str) -> None:
    assert numbers.percent(part, whole) == words


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.00 kB"),
        (999_499, "999 kB"),
        (999_500, "1.00 MB"),
        (5 * 10**15, "5,000 TB"),
    ],
)
def test_sizes_have_three_digits(count: int, words: str) -> None:
    assert numbers.size(count) == words


def test_values_are_shown_in_their_units() -> None:
    assert numbers.measured(RATIO // 3, RATIO) == "0.3333"
    assert numbers.measured(RATIO, RATIO) == "1"
    assert numbers.measured(1_234_567, 1) == "1,234,567"
    assert numbers.measured(None, 1) == "not measured"
    assert numbers.measured("a\u202eb", 0) == "a\ufffdb"


def test_conditions_read_as_words() -> None:
    assert numbers.condition("word_count", "below", 50) == "word_count below 50"
    assert numbers.condition("ratio", "at_least", 0.25) == "ratio at least 0.25"
    assert numbers.condition("bucket", "is_in", ["tail", "all"]) == "bucket one of tail, all"
    assert numbers.condition("listed", "is_true", True) == "listed is true"
    assert numbers.condition("words", "below", None) == "words: switched off"
    assert numbers.condition("words", "below", {"de": 3, "en": 4}) == "words below de: 3; en: 4"
    assert numbers.condition(None, None, None) == ""
    assert numbers.drops_when("is_true", False) == "switched off"
    assert numbers.threshold(list("abcdefghij")).endswith("… (10 in all)")


def test_durations_and_speeds() -> None:
    assert [numbers.seconds(value) for value in (0.5, 42.0, 83.4, 7_300)] == [
        "0.50 s",
        "42.0 s",
        "1 min 23 s",
        "2 h 01 min",
    ]
    assert numbers.speed(50_000_000, 2.0) == "25.0 MB/s"
    assert numbers.speed(1, 0.0) == "–"
