"""CCNet's normalization, and cutting at characters."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusforge.models.normalization import PUNCTUATION, cut, normalize


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
