"""Hints in attributes: the automaton against a search for every word."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusforge.kernels.html_hints import HINTS, WORDS, bit, read_attributes, words_mask
from corpusforge.kernels.html_tokens import read_name


def view(text: str) -> np.ndarray:
    return np.frombuffer(text.encode(), np.uint8)


def found(mask: int) -> set[str]:
    return {hint for hint in HINTS if mask & bit(hint)}


def slow(value: str) -> set[str]:
    padded = "-" + re.sub("[^a-z]", "-", value.lower()) + "-"
    return {hint for hint, words in WORDS.items() if any(word in padded for word in words.split())}


_PIECES = sorted({word.strip("-") for words in WORDS.values() for word in words.split()})


@given(st.lists(st.sampled_from([*_PIECES, "-", "_", " ", "x", "AD", "Ad", "9"]), max_size=8))
def test_equals_a_search_for_every_word(pieces: list[str]) -> None:
    value = "".join(pieces)
    data = np.frombuffer(value.encode(), np.uint8)
    assert found(int(words_mask(data, 0, len(data)))) == slow(value)


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        (' class="post-content"', {"content", "body"}),
        (" CLASS=Sidebar", {"side"}),
        (" class = 'x' id = 'comments'", {"comment"}),
        (' data-class="sidebar" href="/comments" title="footer"', set()),
        (" hidden", {"hidden"}),
        (' style="color: red; display:none"', {"hidden"}),
        (" class=", set()),
        (' class="side', set()),
        (" =class class", set()),
        (" role=navigation itemprop=articleBody", {"navigation", "content", "body"}),
        ("", set()),
    ],
)
def test_attributes(attributes: str, expected: set[str]) -> None:
    mask = read_attributes(view(attributes + ">"), 0, True)[3]
    assert found(mask) == expected


@pytest.mark.parametrize(
    ("tag", "name", "attributes", "self_closing"),
    [
        ("p>", "p", 0, 0),
        ("br/>", "br", 0, 1),
        ("br / >", "br", 0, 0),
        ("a href=x/>", "a", 1, 0),
        ('a href="x>y" b>', "a", 2, 0),
        ("a href='x\">y'b/>", "a", 2, 1),
        ("a = b>", "a", 2, 0),
        ("a =>", "a", 1, 0),
        ("a b = c d>", "a", 2, 0),
        ("a b=>", "a", 1, 0),
        ("a\nb\tc\fd>", "a", 3, 0),
        ("a/b/c>", "a", 2, 0),
    ],
)
def test_tags(tag: str, name: str, attributes: int, self_closing: int) -> None:
    data = view("<" + tag + "rest>")
    name_end, _ = read_name(data, 1)
    assert tag[: name_end - 1] == name
    assert read_attributes(data, name_end, False) == (len(tag) + 1, attributes, self_closing, 0)


@pytest.mark.parametrize("tag", ["p", "p ", "p a", "p a=", 'p a="b>', "p a=b"])
def test_tags_without_an_end(tag: str) -> None:
    data = view("<" + tag)
    assert read_attributes(data, read_name(data, 1)[0], True)[0] == -1


@given(st.binary(max_size=60))
def test_any_bytes_end(data: bytes) -> None:
    end, attributes, *_, mask = read_attributes(np.frombuffer(data, np.uint8), 0, True)
    assert end == -1 or data[end - 1] == ord(">")
    assert attributes <= len(data)
    assert mask >= 0
