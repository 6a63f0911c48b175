"""Hints in attributes: the automaton against a search for every word."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusforge.kernels.html_hints import HINTS, WORDS, attributes_mask, bit, words_mask


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
    data = np.frombuffer(attributes.encode() + b">", np.uint8)
    assert found(int(attributes_mask(data, 0, len(data) - 1))) == expected


@given(st.binary(max_size=60))
def test_any_bytes_end(data: bytes) -> None:
    assert attributes_mask(np.frombuffer(data, np.uint8), 0, len(data)) >= 0
