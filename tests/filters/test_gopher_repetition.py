"""Gopher's repetition signals against a slow twin, and texts just inside and just outside each threshold."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from fractions import Fraction
from itertools import groupby
from math import floor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corpusforge.filters.gopher_repetition import GopherRepetition, Parameters
from corpusforge.step import RATIO, Measured

SECTION = "gopher_repetition@paper"
WORDS = st.sampled_from(["a", "bb", "naïve", "中文", "\n", "\n\n", "\n \n", " ", "z" * 9])
TEXTS = st.lists(
    st.one_of(
        st.lists(WORDS, max_size=60).map(" ".join),
        st.lists(WORDS, max_size=15).map(lambda words: " ".join(words * 3)),
        st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=30),
        st.sampled_from(["", " ", "\n\n"]),
    ),
    max_size=4,
)
Line = tuple[str, ...]


def ratio(numerator: int, denominator: int) -> int:
    return floor(Fraction(numerator, denominator) * RATIO) if denominator else 0


def size(words: Sequence[str]) -> int:
    return sum(map(len, words))


def duplicates(items: Sequence[Hashable], count_first: bool) -> list[bool]:
    return [item in items[:at] or (count_first and items.count(item) > 1) for at, item in enumerate(items)]


def twin_top(words: list[str], n: int) -> int:
    counts: Counter[Line] = Counter()
    free: dict[Line, int] = {}
    for at in range(len(words) - n + 1):
        gram = tuple(words[at : at + n])
        if at >= free.get(gram, 0):
            counts[gram] += 1
            free[gram] = at + n
    count, length = max(((count, size(gram)) for gram, count in counts.items()), default=(0, 0))
    return count * length if count > 1 else 0


def twin(text: str, count_first: bool) -> dict[str, int]:
    words = text.split()
    rows: list[Line] = [tuple(line.split()) for line in text.split("\n")]
    lines = [row for row in rows if row]
    paragraphs = [tuple(group) for filled, group in groupby(rows, bool) if filled]
    repeated = duplicates(lines, count_first)
    again = duplicates(paragraphs, count_first)
    total = size(words)
    signals = {
        "duplicate_line_ratio": ratio(sum(repeated), len(lines)),
        "duplicate_line_character_ratio": ratio(
            sum(size(line) for line, is_again in zip(lines, repeated) if is_again), total
        ),
        "duplicate_paragraph_ratio": ratio(sum(again), len(paragraphs)),
        "duplicate_paragraph_character_ratio": ratio(
            sum(sum(map(size, paragraph)) for paragraph, is_again in zip(paragraphs, again) if is_again),
            total,
        ),
    }
    for n in (2, 3, 4):
        signals[f"top_{n}_gram_character_ratio"] = ratio(twin_top(words, n), total)
    for n in range(5, 11):
        marks = duplicates([tuple(words[at : at + n]) for at in range(len(words) - n + 1)], count_first)
        covered = {word for at, mark in enumerate(marks) if mark for word in range(at, at + n)}
        signals[f"duplicate_{n}_gram_character_ratio"] = ratio(size([words[at] for at in covered]), total)
    return signals


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=TEXTS, count_first=st.booleans())
def test_signals_match_the_twin(
    measure: Callable[..., Measured], texts: list[str], count_first: bool
) -> None:
    step = GopherRepetition(Parameters(count_first_occurrences=count_first))
    signals = measure(step, texts).signals
    for row, text in enumerate(texts):
        assert {name: int(values[row]) for name, values in signals.items()} == twin(text, count_first)


def words(count: int, start: int = 0) -> str:
    """Different words of four characters."""
    return " ".join(f"w{number:03}" for number in range(start, start + count))


def pasted(total: int, passage: int) -> str:
    """Words of which the last `passage` repeat the first ones; `total` words in all."""
    return f"{words(total - passage)} {words(passage)}"


def spread(gram: str, count: int, total: int) -> str:
    """The n-gram so many times between different words; `total` words in all."""
    others = words(total - count * len(gram.split())).split()
    return " ".join([f"{gram} {others.pop()}" for _ in range(count)] + others)


@pytest.mark.parametrize(
    ("rule", "kept", "dropped"),
    [
        ("max_duplicate_line_ratio", "a\n" * 4 + "b\nc\nd\ne\nf\ng\n", "a\n\n" * 5 + "b\nc\nd\ne\nf\n"),
        (
            "max_duplicate_paragraph_ratio",
            "a\n\n" * 4 + "b\n\nc\n\nd\n\ne\n\nf\n\ng",
            "a\nb\n\n" * 4 + "b\n\nc\n\nd",
        ),
        ("max_duplicate_line_character_ratio", "aa\naa\nbbbbbb", "aa\naa\nbbbbb"),
        ("max_duplicate_paragraph_character_ratio", "a\na\n\na\na\n\nbbbbbb", "a\na\n\na\na\n\nbbbbb"),
        ("max_top_2_gram_character_ratio", spread("aaaa bbbb", 10, 100), spread("aaaa bbbb", 11, 100)),
        (
            "max_top_3_gram_character_ratio",
            spread("aaaa bbbb cccc", 6, 100),
            spread("aaaa bbbb cccc", 7, 100),
        ),
        (
            "max_top_4_gram_character_ratio",
            spread("aaaa bbbb cccc dddd", 4, 100),
            spread("aaaa bbbb cccc dddd", 5, 100),
        ),
        ("max_duplicate_5_gram_character_ratio", pasted(100, 15), pasted(100, 16)),
        ("max_duplicate_6_gram_character_ratio", pasted(100, 14), pasted(100, 15)),
        ("max_duplicate_7_gram_character_ratio", pasted(100, 13), pasted(100, 14)),
        ("max_duplicate_8_gram_character_ratio", pasted(100, 12), pasted(100, 13)),
        ("max_duplicate_9_gram_character_ratio", pasted(100, 11), pasted(100, 12)),
        ("max_duplicate_10_gram_character_ratio", pasted(100, 10), pasted(100, 11)),
        ("max_duplicate_10_gram_character_ratio", pasted(20, 9), pasted(20, 10)),
    ],
)
def test_thresholds(dropped_by: Callable[..., list[set[str]]], rule: str, kept: str, dropped: str) -> None:
    inside, outside = dropped_by(GopherRepetition, SECTION, [kept, dropped])
    assert rule not in inside
    assert rule in outside


def test_a_text_without_repetition_is_kept(dropped_by: Callable[..., list[set[str]]]) -> None:
    assert dropped_by(GopherRepetition, SECTION, [words(200)]) == [set()]


def test_a_passage_pasted_twice(measure: Callable[..., Measured]) -> None:
    """Twenty of 200 words occur twice: ten per cent of the characters repeat, twenty with the first ones."""
    for count_first, expected in ((False, RATIO // 10), (True, RATIO // 5)):
        step = GopherRepetition(Parameters(count_first_occurrences=count_first))
        signals = measure(step, [pasted(200, 20)]).signals
        assert signals["duplicate_10_gram_character_ratio"].tolist() == [expected]


@pytest.mark.parametrize("unit", ["a", "a ", "\n", "a\n", "a b c d e f g h i j k l ", "a\n\n"])
def test_a_hostile_document_costs_linear_time(measure: Callable[..., Measured], unit: str) -> None:
    text = unit * (2_000_000 // len(unit))
    started = time.process_time()
    measure(GopherRepetition(), [text])
    assert time.process_time() - started < 4
