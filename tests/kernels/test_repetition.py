"""Repeated items and n-grams against slow twins on lists."""

from __future__ import annotations

import time
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusforge.kernels import repetition

DOCUMENTS = st.lists(
    st.one_of(
        st.lists(st.integers(0, 2), max_size=40),
        st.lists(st.integers(0, 200), max_size=40),
        st.lists(st.integers(0, 60), max_size=20).map(lambda words: words * 3),
    ),
    max_size=4,
)


def arrays(documents: list[list[int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Hashes, lengths and offsets of words given by number: word w has 1 + w % 7 characters."""
    flat = np.array([word for document in documents for word in document], np.int64)
    hashes = (flat.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    lengths = (1 + flat % 7).astype(np.int32)
    return hashes, lengths, np.cumsum([0, *map(len, documents)]).astype(np.int64)


def length(words: list[int] | tuple[int, ...]) -> int:
    return sum(1 + word % 7 for word in words)


def twin_top(words: list[int], n: int) -> int:
    counts: Counter[tuple[int, ...]] = Counter()
    free: dict[tuple[int, ...], int] = {}
    for at in range(len(words) - n + 1):
        gram = tuple(words[at : at + n])
        if at >= free.get(gram, 0):
            counts[gram] += 1
            free[gram] = at + n
    best = max(((count, length(gram)) for gram, count in counts.items()), default=(0, 0))
    return best[0] * best[1] if best[0] > 1 else 0


def twin_covered(words: list[int], n: int, count_first: bool) -> int:
    grams = [tuple(words[at : at + n]) for at in range(len(words) - n + 1)]
    covered: set[int] = set()
    for at, gram in enumerate(grams):
        if gram in grams[:at] or (count_first and grams.count(gram) > 1):
            covered.update(range(at, at + n))
    return length([words[at] for at in covered])


@given(DOCUMENTS, st.booleans())
def test_n_grams(documents: list[list[int]], count_first: bool) -> None:
    found = repetition.repeated_n_gram_characters(*arrays(documents), count_first)
    expected = [
        [twin_top(words, n) for n in (2, 3, 4)] + [twin_covered(words, n, count_first) for n in range(5, 11)]
        for words in documents
    ]
    assert found.tolist() == expected


@given(DOCUMENTS, st.booleans())
def test_items(documents: list[list[int]], count_first: bool) -> None:
    hashes, _, offsets = arrays(documents)
    expected = [
        item in document[:at] or (count_first and document.count(item) > 1)
        for document in documents
        for at, item in enumerate(document)
    ]
    assert repetition.find_repeats(hashes, offsets, count_first).tolist() == expected


@given(DOCUMENTS)
def test_sequences_are_equal_when_their_items_are(documents: list[list[int]]) -> None:
    hashes, _, offsets = arrays(documents)
    found = repetition.hash_sequences(hashes, offsets).tolist()
    for one, hash_one in zip(documents, found):
        for other, hash_other in zip(documents, found):
            assert (one == other) == (hash_one == hash_other)


@pytest.mark.parametrize("kinds", [1, 2, 1000, 10**6])
def test_a_million_words_cost_linear_time(kinds: int) -> None:
    words = np.random.Generator(np.random.Philox(1)).integers(0, kinds, 1_000_000, np.uint64)
    hashes = words * np.uint64(0x9E3779B97F4A7C15)
    offsets = np.array([0, len(words)], np.int64)
    started = time.process_time()
    repetition.repeated_n_gram_characters(hashes, np.ones(len(words), np.int32), offsets, True)
    assert time.process_time() - started < 3
