"""Words and terms against slow twins on Python strings."""

from __future__ import annotations

import re
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusforge.kernels import unicode_table as table
from corpusforge.kernels import words
from corpusforge.kernels.hash64 import hash_string
from corpusforge.texts import Texts

TEXTS = st.lists(
    st.one_of(
        st.text(max_size=60),
        st.text("aAbß éẞ1_.,#\n\t\u00a0\u3000中のไท\u0301ย…İ\U00010400", max_size=60),
        st.sampled_from(["", " ", "\n", " \n\t\n", "one line without end"]),
    ),
    max_size=5,
)


def flags(character: str) -> int:
    return int(table.CLASSES[ord(character)])


def twin_words(text: str) -> list[str]:
    return "".join("\n" if flags(c) & table.SPACE else c for c in text).split("\n")


def twin_kind(word: str) -> int:
    found = [flags(c) for c in word]
    kind = words.ONLY_SYMBOLS if all(f & (table.PUNCTUATION | table.SYMBOL) for f in found) else 0
    pairs = [
        (table.LETTER, words.HAS_LETTER),
        (table.DIGIT, words.HAS_DIGIT),
        (table.UPPER, words.HAS_UPPER),
        (table.UNSPACED, words.HAS_UNSPACED),
    ]
    return kind | sum(bit for flag, bit in pairs if any(f & flag for f in found))


def lower(text: str) -> str:
    return "".join("i" if c == "İ" else c.lower() for c in text)


def twin_terms(text: str) -> list[str]:
    classes = "".join(
        "m"
        if flags(c) & table.MARK
        else "u"
        if flags(c) & table.UNSPACED
        else "w"
        if flags(c) & table.WORD
        else " "
        for c in text
    )
    # A mark goes with what is before it; one that begins a term counts by its own script.
    classes = re.sub(
        r"(?<![muw])m", lambda m: "u" if flags(text[m.start()]) & table.UNSPACED else "w", classes
    )
    return [text[m.start() : m.end()] for m in re.finditer(r"um*|w[wm]*", classes)]


@given(TEXTS)
def test_words_match_the_twin(strings: list[str]) -> None:
    texts = Texts.from_strings(strings)
    offsets, starts, ends, hashes, kinds = words.split_words(texts.data, texts.offsets)
    for row, text in enumerate(strings):
        here = slice(offsets[row], offsets[row + 1])
        found = [texts.data[a:b].tobytes().decode() for a, b in zip(starts[here], ends[here])]
        expected = [word for word in twin_words(text) if word]
        assert found == expected
        assert hashes[here].tolist() == [hash_string(word) for word in expected]
        assert kinds[here].tolist() == [twin_kind(word) for word in expected]


@given(TEXTS)
def test_terms_match_the_twin(strings: list[str]) -> None:
    texts = Texts.from_strings(strings)
    offsets, hashes, starts, ends = words.split_terms(texts.data, texts.offsets)
    for row, text in enumerate(strings):
        here = slice(offsets[row], offsets[row + 1])
        found = [texts.data[a:b].tobytes().decode() for a, b in zip(starts[here], ends[here])]
        assert found == twin_terms(text)
        assert hashes[here].tolist() == [hash_string(lower(term)) for term in found]


@given(st.text(st.characters(max_codepoint=0x2FF), max_size=80))
def test_terms_are_pythons_words_where_there_are_no_marks(text: str) -> None:
    texts = Texts.from_strings([text])
    _, hashes, _, _ = words.split_terms(texts.data, texts.offsets)
    assert hashes.tolist() == [hash_string(lower(term)) for term in re.findall(r"\w+", text)]


def test_kinds_by_hand() -> None:
    texts = Texts.from_strings(["Über 3rd — $%. 中文 naïve 42"])
    kinds = texts.words.kinds.tolist()
    assert kinds == [
        words.HAS_LETTER | words.HAS_UPPER,
        words.HAS_LETTER | words.HAS_DIGIT,
        words.ONLY_SYMBOLS,
        words.ONLY_SYMBOLS,
        words.HAS_LETTER | words.HAS_UNSPACED,
        words.HAS_LETTER,
        words.HAS_DIGIT,
    ]


@given(st.binary(max_size=40))
def test_bytes_that_are_no_text_stay_inside(raw: bytes) -> None:
    data = np.frombuffer(raw + b"x y", np.uint8)
    offsets = np.array([0, len(raw)], np.int64)
    _, starts, ends, _, _ = words.split_words(data, offsets)
    assert (starts < ends).all()
    assert (ends <= len(raw)).all()
    _, _, starts, ends = words.split_terms(data, offsets)
    assert (starts < ends).all()
    assert (ends <= len(raw)).all()


@given(TEXTS)
def test_characters(strings: list[str]) -> None:
    texts = Texts.from_strings(strings)
    counts = words.count_characters(texts.data, texts.offsets[:-1], texts.offsets[1:])
    assert counts.tolist() == [len(text) for text in strings]


@pytest.mark.parametrize("unit", ["a", "a ", "中", " ", "\u0e31", "é"])
def test_a_megabyte_of_one_thing_costs_linear_time(unit: str) -> None:
    texts = Texts.from_strings([unit * (1_000_000 // len(unit.encode()))])
    started = time.process_time()
    words.split_words(texts.data, texts.offsets)
    words.split_terms(texts.data, texts.offsets)
    assert time.process_time() - started < 1


@given(TEXTS, st.sampled_from([table.UPPER, table.DIGIT, table.LETTER | table.DIGIT]))
def test_characters_of_classes(texts: list[str], classes: int) -> None:
    columns = Texts.from_strings(texts)
    found = words.count_classes(columns.data, columns.offsets[:-1], columns.offsets[1:], classes)
    assert found.tolist() == [sum((flags(c) & classes) != 0 for c in text) for text in texts]
