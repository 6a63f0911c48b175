"""Counts against slow twins."""

from __future__ import annotations

import statistics

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from corpusforge.kernels import text_statistics as kernels
from corpusforge.texts import Texts

TEXTS = st.lists(st.text("ab.…# \n\u3000é*-•", max_size=40), max_size=5)


def offsets_of(groups: list[list[int]]) -> np.ndarray:
    return np.cumsum([0, *map(len, groups)]).astype(np.int64)


@given(st.lists(st.lists(st.integers(0, 5000), max_size=8), max_size=5))
def test_sums_and_medians(groups: list[list[int]]) -> None:
    values = np.array([value for group in groups for value in group], np.int32)
    offsets = offsets_of(groups)
    assert kernels.sum_by_span(values, offsets).tolist() == [sum(group) for group in groups]
    clipped = [[min(value, kernels.LONGEST) for value in group] for group in groups]
    expected = [int(2 * statistics.median(group)) if group else 0 for group in clipped]
    assert kernels.twice_median(values, offsets).tolist() == expected


@given(TEXTS)
def test_hash_signs_and_ellipses(strings: list[str]) -> None:
    texts = Texts.from_strings(strings)
    hash_signs, ellipses = kernels.count_hashes_and_ellipses(texts.data, texts.offsets)
    assert hash_signs.tolist() == [text.count("#") for text in strings]
    assert ellipses.tolist() == [text.count("...") + text.count("…") for text in strings]


@given(TEXTS)
def test_words_of_lines(strings: list[str]) -> None:
    texts = Texts.from_strings(strings)
    first = kernels.line_words(texts.lines.ends, texts.words.starts)
    expected = [len(line.split()) for text in strings for line in text.split("\n")]
    assert np.diff(first).tolist() == expected


@given(TEXTS, st.lists(st.text("ab.…é", min_size=1, max_size=3), max_size=3))
def test_affixes(strings: list[str], patterns: list[str]) -> None:
    texts = Texts.from_strings(strings)
    spans = texts.data, texts.offsets[:-1], texts.offsets[1:], kernels.patterns_of(patterns)
    assert kernels.starts_with_any(*spans).tolist() == [text.startswith(tuple(patterns)) for text in strings]
    assert kernels.ends_with_any(*spans).tolist() == [text.endswith(tuple(patterns)) for text in strings]


@given(TEXTS, st.lists(st.lists(st.sampled_from(["a", "b", "ab", "#", "é"]), max_size=2), max_size=4))
def test_members(strings: list[str], raw: list[list[str]]) -> None:
    taken: set[str] = set()
    spellings = []
    for group in raw:
        spellings.append([word for word in dict.fromkeys(group) if word not in taken])
        taken |= set(group)
    texts = Texts.from_strings(strings)
    words = texts.words
    distinct, occurrences = kernels.count_members(words.hashes, words.document_offsets, spellings)
    split = [text.split() for text in strings]
    assert occurrences.tolist() == [sum(word in taken for word in found) for found in split]
    assert distinct.tolist() == [sum(bool(set(group) & set(found)) for group in spellings) for found in split]
