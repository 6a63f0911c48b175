"""Words as spaCy splits them: equal to what spaCy gives for the whole text."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusforge.filters import spacy_marks
from corpusforge.filters.spacy_words import (
    HAS_LETTER,
    LONGEST,
    MARKS,
    ONLY_SYMBOLS,
    Splitter,
    count_sentences,
    splitter,
)
from corpusforge.texts import Texts

spacy = pytest.importorskip("spacy")

ODD = (
    "don't cannot U.S.A. e.g. 10km (so) [1] well-known and/or a@b.org :) ... … — “q” naïve 日本語 1,000.5 C++ #x 50°C. "
    "gonna Id 10:30 http://a.example/?b=c !! ?) the river Mr. \u00a0 \x1c \u2028 'tis rock'n'roll x=y ... ."
)
PIECES = st.sampled_from(ODD.split(" "))
TEXTS = st.lists(PIECES, max_size=25).flatmap(
    lambda words: st.sampled_from([" ", "  ", "\n", "\t"]).map(lambda space: space.join(words))
)


@pytest.fixture(scope="module")
def english() -> Any:
    language = spacy.blank("en")
    language.add_pipe("sentencizer")
    return language


def words_of(texts: list[str]) -> list[list[str]]:
    columns = Texts.from_strings(texts)
    words = splitter("test").split(columns)
    spans = [columns.data[start:end].tobytes().decode() for start, end in zip(words.starts, words.ends)]
    assert [len(span) for span in spans] == words.characters.tolist()
    return [spans[words.offsets[index] : words.offsets[index + 1]] for index in range(len(texts))]


@given(st.lists(TEXTS, max_size=4))
def test_words_are_those_of_spacy(english: Any, texts: list[str]) -> None:
    expected = [
        [token.text.strip() for token in english.tokenizer(text) if token.text.strip()] for text in texts
    ]
    assert words_of(texts) == expected


@given(TEXTS)
def test_sentences_are_those_of_the_sentencizer(english: Any, text: str) -> None:
    stripped = text.strip()
    columns = Texts.from_strings([stripped, "One. Two"])
    expected = max(1, len(list(english(stripped).sents))) if stripped else 1
    assert count_sentences(splitter("test").split(columns), columns.data).tolist() == [expected, 2]


def test_special_cases_with_marks_are_split_as_spacy_does(english: Any) -> None:
    runs = sorted(rule for rule in english.tokenizer.rules if rule.strip() and not set(rule) & set(" \n\t"))
    runs += [rule + mark for rule in runs for mark in MARKS] + [f"({rule}" for rule in runs]
    expected = [[token.text for token in english.tokenizer(run)] for run in runs]
    assert words_of(runs) == expected


@given(st.lists(st.from_regex(r"[^\W\d_]{1,6}[,.;:?!]?", fullmatch=True), max_size=20))
def test_letters_with_a_mark_are_split_as_spacy_does(english: Any, runs: list[str]) -> None:
    assert words_of(runs) == [[token.text for token in english.tokenizer(run)] for run in runs]


def test_a_run_is_split_alike_whatever_it_is_asked_about_with() -> None:
    """spaCy finds emoticons across a single space, too, and of two that overlap takes the first: "= (" and "(="."""
    alone, together = Splitter("test")._ask(["(=="]), Splitter("test")._ask(["=", "(=="])
    assert alone.sizes.tolist() == [2, 1]
    assert together.sizes.tolist() == [1, 2, 1]
    assert together.firsts.tolist() == [0, 1, 3]


def test_kinds_of_words() -> None:
    columns = Texts.from_strings(["Stop! 12 (x) ..."])
    words = splitter("test").split(columns)
    assert (words.kinds & HAS_LETTER > 0).tolist() == [True, False, False, False, True, False, False]
    assert (words.kinds & ONLY_SYMBOLS > 0).tolist() == [False, True, False, True, False, True, True]
    assert {".", "?", "!", "。"} <= spacy_marks.TERMINAL
    assert len(spacy_marks.TERMINAL) == 159
    assert spacy_marks.TERMINAL < spacy_marks.SYMBOLS


def test_hostile_runs() -> None:
    long = "(" * (LONGEST + 1)
    names = "IS_ALPHA and IS_DIGIT"
    assert words_of([long, "", names, "x " * 10]) == [[long], [], names.split(), ["x"] * 10]
    assert words_of(["(" * 50])[0] == ["("] * 50


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("corpusforge.filters.spacy_words.KEPT", 5)
    small = Splitter("test")
    for index in range(20):
        words = small.split(Texts.from_strings([f"a{index}, b{index}. c{index}!"]))
        assert len(words.starts) == 6
    assert len(small) <= 5
