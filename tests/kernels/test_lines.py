from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from corpusforge.kernels.lines import split_lines
from corpusforge.texts import Texts


@given(st.lists(st.text("ab\n\r\u2028é", max_size=30), max_size=5))
def test_matches_the_twin(strings: list[str]) -> None:
    texts = Texts.from_strings(strings)
    offsets, starts, ends = split_lines(texts.data, texts.offsets)
    for row, text in enumerate(strings):
        here = slice(offsets[row], offsets[row + 1])
        found = [texts.data[a:b].tobytes().decode() for a, b in zip(starts[here], ends[here])]
        assert found == text.split("\n")


@given(
    sizes=st.lists(st.integers(0, 200), max_size=4),
    share=st.sampled_from([0.01, 0.1, 0.9]),
    seed=st.integers(0, 1000),
)
@settings(deadline=None)
def test_long_texts_match_the_twin(sizes: list[int], share: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    strings = ["".join("\n" if one < share else "a" for one in random.random(size)) for size in sizes]
    texts = Texts.from_strings(strings)
    offsets, starts, ends = split_lines(texts.data, texts.offsets)
    assert offsets.tolist() == [0, *np.cumsum([text.count("\n") + 1 for text in strings])]
    for row, text in enumerate(strings):
        here = slice(offsets[row], offsets[row + 1])
        found = [texts.data[a:b].tobytes().decode() for a, b in zip(starts[here], ends[here])]
        assert found == text.split("\n")


def test_offsets_need_not_start_at_zero() -> None:
    data = np.frombuffer(b"x\na\nb\nc", np.uint8)
    offsets, starts, ends = split_lines(data, np.array([2, 4, 7], np.int64))
    assert offsets.tolist() == [0, 2, 4]
    assert [data[a:b].tobytes() for a, b in zip(starts, ends)] == [b"a", b"", b"b", b"c"]


def test_no_texts() -> None:
    offsets, starts, ends = split_lines(np.zeros(0, np.uint8), np.zeros(1, np.int64))
    assert (offsets.tolist(), len(starts), len(ends)) == ([0], 0, 0)
