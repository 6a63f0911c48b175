from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpusforge.kernels.philox import blocks, first_words

words = st.integers(0, 2**64 - 1)

# Random123's kat_vectors for philox4x64-10: counter and key of zeros, and of ones.
KNOWN = [
    (0, "16554d9eca36314c db20fe9d672d0fdc d7e772cee186176b 7e68b68aec7ba23b"),
    (2**64 - 1, "87b092c3013fe90b 438c3c67be8d0224 9cc7d7c69cd777b6 a09caebf594f0ba0"),
]


@pytest.mark.parametrize(("word", "expected"), KNOWN)
def test_published_vectors(word: int, expected: str) -> None:
    result = blocks(np.full((1, 4), word, np.uint64), np.uint64(word), np.uint64(word))
    assert [int(value, 16) for value in expected.split()] == result[0].tolist()


@given(st.lists(words, min_size=4, max_size=4), words, words)
@settings(max_examples=200, deadline=None)
def test_equals_numpy(counter: list[int], key_0: int, key_1: int) -> None:
    # numpy adds one to the 256-bit counter before it makes a block.
    value = sum(word << (64 * place) for place, word in enumerate(counter))
    before = (value - 1) % 2**256
    state = np.array([(before >> (64 * place)) & (2**64 - 1) for place in range(4)], np.uint64)
    key = np.array([key_0, key_1], np.uint64)
    expected = np.random.Philox(counter=state, key=key).random_raw(4)
    result = blocks(np.array([counter], np.uint64), key[0], key[1])
    assert result[0].tolist() == expected.tolist()


@given(st.lists(st.tuples(words, words), max_size=20), words, words)
@settings(max_examples=50, deadline=None)
def test_first_words(pairs: list[tuple[int, int]], stream: int, key: int) -> None:
    low = np.array([pair[0] for pair in pairs], np.uint64)
    high = np.array([pair[1] for pair in pairs], np.uint64)
    counters = np.array([[*pair, stream, 0] for pair in pairs], np.uint64).reshape(-1, 4)
    expected = blocks(counters, np.uint64(key), np.uint64(0))[:, 0]
    assert np.array_equal(first_words(low, high, np.uint64(stream), np.uint64(key)), expected)
