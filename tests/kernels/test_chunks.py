"""The chunk kernels against slow, obvious twins."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from corpusforge.kernels.chunks import KEY_BYTES, find_chunks, join_tokens, split_chunks
from corpusforge.kernels.word_table import as_blocks
from corpusforge.texts import Texts

texts_strategy = st.lists(st.text(st.sampled_from("ab é\n▁▂"), max_size=25), max_size=6)


def slow_chunks(text: str) -> list[str]:
    chunks = []
    for place, character in enumerate(text):
        before = text[place - 1] if place else ""
        begins = (
            place == 0
            or (character == "\n") != (before == "\n")
            or (character == " " and before not in (" ", "▁"))
        )
        if begins:
            chunks.append("")
        chunks[-1] += character
    return chunks


@given(texts_strategy)
@settings(max_examples=300, deadline=None)
def test_chunks_equal_their_twin(strings: list[str]) -> None:
    texts = Texts.from_strings(strings)
    index, starts = split_chunks(texts.data, texts.offsets)
    chunks = [texts.data[begin:end].tobytes().decode() for begin, end in zip(starts[:-1], starts[1:])]
    found = [chunks[first:last] for first, last in zip(index[:-1], index[1:])]
    assert found == [slow_chunks(string) for string in strings]


@given(st.lists(st.lists(st.text("abé▁", min_size=1, max_size=30), max_size=30), max_size=4))
@settings(max_examples=200, deadline=None)
def test_equal_chunks_share_a_number_from_batch_to_batch(batches: list[list[str]]) -> None:
    table = np.zeros((64, 4), np.uint64)
    known: list[str] = []
    for strings in batches:
        texts = Texts.from_strings(strings)
        numbers, new, others = find_chunks(as_blocks(texts.data), texts.offsets, table, len(known))
        assert [strings[place] not in known for place in new] == [True] * len(new)
        known += [strings[place] for place in new]
        assert len(known) == len(set(known)) <= 48
        assert [numbers[place] for place in others] == [-1 - at for at in range(len(others))]
        for string, number in zip(strings, numbers.tolist()):
            assert number < 0 or known[number] == string
            assert number >= 0 or len(string.encode()) > KEY_BYTES or len(known) > 20


def test_a_full_table_takes_no_more() -> None:
    texts = Texts.from_strings([str(number) for number in range(5000)] * 2)
    table = np.zeros((1024, 4), np.uint64)
    numbers, new, others = find_chunks(as_blocks(texts.data), texts.offsets, table, 0)
    assert len(new) <= 768 == np.count_nonzero(table[:, 3])
    assert len(others) == np.count_nonzero(numbers < 0) >= 2 * (5000 - 768)


@given(
    st.lists(st.lists(st.integers(0, 4), max_size=5), max_size=5),
    st.lists(st.lists(st.integers(0, 9), max_size=3), min_size=5, max_size=5),
    st.integers(-1, 3),
)
@settings(max_examples=200, deadline=None)
def test_tokens_are_put_together(texts: list[list[int]], tokens: list[list[int]], end: int) -> None:
    index = np.concatenate([[0], np.cumsum([len(text) for text in texts])]).astype(np.int64)
    numbers = np.array([number for text in texts for number in text], np.int64)
    ids = np.array([token for part in tokens for token in part], np.int32)
    offsets = np.concatenate([[0], np.cumsum([len(part) for part in tokens])]).astype(np.int64)
    result, places = join_tokens(index, numbers, ids, offsets, end)
    found = [result[first:last].tolist() for first, last in zip(places[:-1], places[1:])]
    final = [end] if end >= 0 else []
    assert found == [[token for number in text for token in tokens[number]] + final for text in texts]
