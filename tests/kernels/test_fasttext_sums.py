"""Hashes of words and sums of spans; whole predictions are checked in tests/models/test_fasttext_model.py."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from models.fasttext_twin import fnv

from corpusforge.kernels.fasttext_dictionary import hash_entries
from corpusforge.kernels.fasttext_sums import hash_words, join_spans, word_hash


@given(st.binary(max_size=40))
@settings(deadline=None)
def test_hash(data: bytes) -> None:
    assert word_hash(np.frombuffer(data, np.uint8), 0, len(data)) == fnv(data)


def test_spans_are_joined_up_to_the_stop() -> None:
    sums = np.array([[0, 0], [1, 2], [5, 7]], np.float32)
    rows = np.array([0, 9, 3])
    joined, joined_rows = join_spans(np.array([0, 1, 1, 3]), sums, rows, np.array([0, 1, 0], np.uint8))
    assert joined.tolist() == [[0, 0], [0, 0], [1, 2]]
    assert joined_rows.tolist() == [0, 0, 9]


def test_hashes_of_words() -> None:
    names = [b"the", b"__label__en", b"lab"]
    joined = np.frombuffer(b"".join(names), np.uint8)
    offsets = np.cumsum([0, *map(len, names)]).astype(np.int64)
    stop = np.frombuffer(b"</s>", np.uint8)
    text = b" the\tcat\0 \xc3\xa9 __label__en lab __label__x more</s> </s> unread"
    data = np.frombuffer(text, np.uint8)
    starts, ends = np.array([0, 4]), np.array([len(data), 4])
    model = (np.array([1, 2, 4, 50, 0, 2]), joined, offsets, hash_entries(joined, offsets, 8))
    span_offsets, hashes = hash_words(data, starts, ends, stop, *model)
    words = (b"the", b"cat", b"\xc3\xa9", b"more</s>", b"</s>")
    # "lab" stands among the labels of this dictionary, and the second span is empty but for its end.
    assert hashes.tolist() == [*map(fnv, words), fnv(b"</s>")]
    assert span_offsets.tolist() == [0, 5, 6]
