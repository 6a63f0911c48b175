"""Repeated n-grams as the peers count them, against slow twins."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusforge.kernels.hash64 import hash_string
from corpusforge.kernels.peer_repetition import (
    datatrove_n_gram_characters,
    dolma_n_gram_characters,
    n_gram_mass,
)

WORDS = st.lists(st.sampled_from(["a", "bb", "ccc", "the", "river"]), max_size=40)


def grams_of(words: list[str], size: int) -> list[tuple[str, ...]]:
    return [tuple(words[at : at + size]) for at in range(len(words) - size + 1)]


def datatrove(words: list[str]) -> list[int]:
    found = []
    for size in range(2, 11):
        grams = grams_of(words, size)
        if size < 5:
            top, count = Counter(grams).most_common(1)[0] if grams else ((), 0)
            found.append(len(" ".join(top)) * count)
            continue
        seen: set[tuple[str, ...]] = set()
        at = characters = 0
        while at < len(grams):
            if grams[at] in seen:
                characters += len("".join(grams[at]))
                at += size
            else:
                seen.add(grams[at])
                at += 1
        found.append(characters)
    return found


def dolma(words: list[str]) -> list[int]:
    found = []
    for size in range(2, 11):
        counts = Counter(grams_of(words, size))
        if size < 5:
            top, count = counts.most_common(1)[0] if counts else ((), 0)
            found.append(len("".join(top)) * count)
        else:
            found.append(sum(len("".join(gram)) * count for gram, count in counts.items() if count > 1))
    return found


def arrays(documents: list[list[str]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    words = [word for document in documents for word in document]
    offsets = np.zeros(len(documents) + 1, np.int64)
    np.cumsum([len(document) for document in documents], out=offsets[1:])
    hashes = np.array([hash_string(word) for word in words], np.uint64)
    return hashes, np.array([len(word) for word in words], np.int32), offsets


@given(st.lists(WORDS, max_size=4))
def test_against_twins(documents: list[list[str]]) -> None:
    hashes, characters, offsets = arrays(documents)
    assert datatrove_n_gram_characters(hashes, characters, offsets).tolist() == list(
        map(datatrove, documents)
    )
    assert dolma_n_gram_characters(hashes, characters, offsets).tolist() == list(map(dolma, documents))
    assert n_gram_mass(characters, offsets).tolist() == [
        [sum(len("".join(gram)) for gram in grams_of(words, size)) for size in range(2, 11)]
        for words in documents
    ]


@pytest.mark.parametrize("words", [["a"] * 300_000, ["a", "b"] * 150_000])
def test_one_word_without_end(words: list[str]) -> None:
    hashes, characters, offsets = arrays([words])
    assert datatrove_n_gram_characters(hashes, characters, offsets)[0, 3] > 250_000
    assert dolma_n_gram_characters(hashes, characters, offsets)[0, 8] > 2_500_000
