"""CCNet's normalization, and cutting at characters."""

from __future__ import annotations

import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusforge.models.normalization import PUNCTUATION, cut, line_spans, normalize, sentences
from corpusforge.texts import Texts


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  Hello World 1999 \n", "hello world 0000"),
        ("first line.\nSecond", "first line.second"),
        ("Élève naïve, ÜBER", "eleve naive, uber"),
        ("e\u0301 \u0130stanbul", "e istanbul"),
        ("“quoted” – ‘’ … 「x」？", '"quoted" - ‘\' ... "x"?'),
        ("end．Next—dash", "end. next - dash"),
        ("１２３ ٤٥", "000 00"),
        ("a\x00b\x1f\x7f\x85c\t", "abc"),
        ("", ""),
    ],
)
def test_ccnet(text: str, expected: str) -> None:
    assert normalize(text, "ccnet") == expected


def slow_ccnet(text: str) -> str:
    """One character at a time."""
    out = []
    for character in unicodedata.normalize("NFD", text.strip().lower()):
        if unicodedata.category(character) == "Mn":
            continue
        character = PUNCTUATION.get(character, character)
        if unicodedata.category(character[0]) == "Nd":
            character = "0"
        if unicodedata.category(character[0]) != "Cc":
            out.append(character)
    return "".join(out)


@given(st.text())
def test_equals_the_slow_twin(text: str) -> None:
    assert normalize(text, "ccnet") == slow_ccnet(text)


def test_lines_are_sentences() -> None:
    text = " Élève 12 \n\n\tNext\r\n"
    assert sentences(text, "lines") == ["eleve 00", "", "next", ""]
    assert sentences(text, "ccnet") == ["eleve 00 next"]
    assert sentences(text, "none") == [normalize(text, "none")]


@given(st.lists(st.text("ab\né", max_size=9), max_size=6), st.integers(0, 63))
def test_line_spans(texts: list[str], mask: int) -> None:
    view = Texts.from_strings(texts)
    chosen = np.array([number for number in range(len(texts)) if mask >> number & 1], np.int64)
    found = line_spans(view.data, view.offsets[:-1][chosen], view.offsets[1:][chosen])
    lines = [(text, view.data[start:end].tobytes().decode()) for text, start, end in zip(*found)]
    expected = [(number, line) for number, row in enumerate(chosen) for line in texts[row].split("\n")]
    assert lines == expected


def test_none_only_clears_controls() -> None:
    assert normalize("Éa\r\n\tB 12\0\x85", "none") == "Éa B 12 \x85"


@given(st.text(), st.integers(0, 40))
def test_cut(text: str, maximum: int) -> None:
    data = text.encode("utf-8")
    part = cut(data, maximum)
    assert data.startswith(part)
    assert len(part) <= maximum
    assert text.startswith(part.decode("utf-8"))
    # Nothing that fits is left out.
    rest = data[len(part) :].decode("utf-8")
    assert not rest or len(part) + len(rest[0].encode("utf-8")) > maximum
