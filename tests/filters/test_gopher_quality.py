"""Gopher's quality signals against a slow twin, and texts just inside and just outside each threshold."""

from __future__ import annotations

import statistics
import time
import unicodedata
from collections.abc import Callable
from fractions import Fraction
from math import floor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corpusforge.filters.gopher_quality import GopherQuality, Parameters
from corpusforge.step import RATIO, Measured

SECTION = "gopher_quality@paper"
STOP = ["the", "be", "to", "of", "and", "that", "have", "with"]
TEXTS = st.lists(
    st.one_of(
        st.text(st.characters(max_codepoint=0x1FFF, exclude_categories=["Cs", "Cn", "Cc"]), max_size=40),
        st.lists(
            st.sampled_from(
                ["the", "The", "of", "a", "42", "#", "...", "…", "•", "-", "naïve", "\n", "\u00a0"]
            ),
            max_size=30,
        ).map(" ".join),
        st.sampled_from(["", "\n", " \t\n  \n", "word"]),
    ),
    max_size=4,
)


def ratio(numerator: int, denominator: int) -> int:
    return floor(Fraction(numerator, denominator) * RATIO) if denominator else 0


def is_symbol(word: str) -> bool:
    return all(unicodedata.category(c)[0] in "PS" for c in word)


def twin(text: str) -> dict[str, int]:
    words = text.split()
    lengths = [len(word) for word in words if not is_symbol(word)]
    lines = [line.strip() for line in text.split("\n") if line.split()]
    letters = [any(unicodedata.category(c)[0] == "L" for c in word) for word in words]
    return {
        "words": len(lengths),
        "mean_word_length": ratio(sum(lengths), len(lengths)),
        "median_word_length": int(Fraction(statistics.median(lengths)) * RATIO) if lengths else 0,
        "hash_ratio": ratio(text.count("#"), len(words)),
        "ellipsis_ratio": ratio(text.count("...") + text.count("…"), len(words)),
        "bullet_line_ratio": ratio(sum(line[0] in "•-*" for line in lines), len(lines)),
        "ellipsis_line_ratio": ratio(sum(line.endswith(("...", "…")) for line in lines), len(lines)),
        "alphabetic_word_ratio": ratio(sum(letters), len(words)),
        "stop_words": len(set(STOP) & set(words)),
        "stop_word_occurrences": sum(word in STOP for word in words),
    }


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=TEXTS)
def test_signals_match_the_twin(measure: Callable[..., Measured], texts: list[str]) -> None:
    signals = measure(GopherQuality(), texts).signals
    for row, text in enumerate(texts):
        assert {name: int(values[row]) for name, values in signals.items()} == twin(text)


def test_an_ordinary_text_is_kept(dropped_by: Callable[..., list[set[str]]]) -> None:
    assert dropped_by(GopherQuality, SECTION, ["the cat sat with some other cats. " * 8]) == [set()]


@pytest.mark.parametrize(
    ("rule", "kept", "dropped"),
    [
        ("min_words", "word " * 50, "word " * 49),
        ("min_words", "word " * 50 + "--- " * 9, "word " * 49 + "--- " * 9),
        ("max_words", "word " * 100_000, "word " * 100_001),
        ("min_mean_word_length", "abc " * 5, "abc " * 99 + "ab"),
        ("min_mean_word_length", "äöü " * 5, "äöü " * 99 + "äö"),
        ("max_mean_word_length", "abcdefghij " * 5, "abcdefghij " * 99 + "abcdefghijk"),
        ("max_hash_ratio", "# " + "word " * 9, "# " + "word " * 8),
        ("max_ellipsis_ratio", "end... " + "word " * 9, "end... " + "word " * 8),
        ("max_ellipsis_ratio", "end… " + "word " * 9, "end… " + "word " * 8),
        ("max_bullet_line_ratio", "- a\n\n" * 9 + "a", "  • a\n" * 10),
        ("max_ellipsis_line_ratio", "a...\n" * 3 + "a\n" * 7, "a…\n" * 4 + "a\n" * 7),
        ("min_alphabetic_word_ratio", "a b c d 5", "a b c 4 5"),
        ("min_stop_words", "the cat of mine", "the cat the dog"),
    ],
)
def test_thresholds(dropped_by: Callable[..., list[set[str]]], rule: str, kept: str, dropped: str) -> None:
    inside, outside = dropped_by(GopherQuality, SECTION, [kept, dropped])
    assert rule not in inside
    assert rule in outside


@pytest.mark.parametrize(
    ("rule", "threshold", "kept", "dropped"),
    [
        ("min_median_word_length", 3, "a abc abc", "ab ab abcdefgh"),
        ("max_median_word_length", 2.5, "ab abc", "ab abc abc"),
        ("min_stop_word_occurrences", 2, "the the", "the cat"),
    ],
)
def test_rules_that_the_paper_does_not_have(
    dropped_by: Callable[..., list[set[str]]], rule: str, threshold: float, kept: str, dropped: str
) -> None:
    inside, outside = dropped_by(GopherQuality, SECTION, [kept, dropped], **{rule: threshold})
    assert rule not in inside
    assert rule in outside


def test_folded_stop_words(measure: Callable[..., Measured]) -> None:
    for fold_case, expected in ((False, 1), (True, 2)):
        step = GopherQuality(Parameters(fold_case=fold_case))
        assert measure(step, ["The end OF the end"]).signals["stop_words"].tolist() == [expected]


@pytest.mark.parametrize("unit", ["a", "a ", "\n", "- ...\n", "中"])
def test_a_hostile_document_costs_linear_time(measure: Callable[..., Measured], unit: str) -> None:
    text = unit * (4_000_000 // len(unit.encode()))
    started = time.process_time()
    measure(GopherQuality(), [text])
    assert time.process_time() - started < 3
