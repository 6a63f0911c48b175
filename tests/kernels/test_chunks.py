"""The chunk kernels against slow, obvious twins."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from corpusforge.kernels.chunks import join_tokens, number_chunks, split_chunks
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


@given(texts_strategy)
@settings(max_examples=200, deadline=None)
def test_equal_chunks_share_a_number(strings: list[str]) -> None:
    texts = Texts.from_strings(strings)
    _, starts = split_chunks(texts.data, texts.offsets)
    chunks = [texts.data[begin:end].tobytes() for begin, end in zip(starts[:-1], starts[1:])]
    numbers, firsts = number_chunks(texts.data, starts)
    distinct = list(dict.fromkeys(chunks))
    assert numbers.tolist() == [distinct.index(chunk) for chunk in chunks]
    assert [chunks[first] for first in firsts] == distinct


def test_more_distinct_chunks_than_any_probe_meets() -> None:
    texts = Texts.from_strings([" ".join(str(number) for number in range(50_000))] * 2)
    index, starts = split_chunks(texts.data, texts.offsets)
    numbers, firsts = number_chunks(texts.data, starts)
    # The first chunk has no space before it, the others of both texts are the same.
    assert len(firsts) == 50_000
    assert np.array_equal(numbers[: index[1]], numbers[index[1] :])


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
