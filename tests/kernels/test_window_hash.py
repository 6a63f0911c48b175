from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from corpusforge.kernels.shingles import shingle_hashes
from corpusforge.kernels.window_hash import find_windows

BITS = 6
SHIFT = np.uint64(64 - BITS)
DOCUMENTS = st.lists(st.lists(st.integers(0, 2**64 - 1), max_size=30), max_size=6)


def arrays(documents: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[type-arg]
    offsets = np.cumsum([0, *(len(words) for words in documents)]).astype(np.int64)
    return offsets, np.array([word for words in documents for word in words], np.uint64)


@given(DOCUMENTS, st.integers(1, 14), st.sets(st.integers(0, 2**BITS - 1)))
def test_windows_have_the_hashes_of_shingles(
    documents: list[list[int]], width: int, marked: set[int]
) -> None:
    offsets, terms = arrays(documents)
    present = np.packbits(np.isin(np.arange(2**BITS), list(marked)), bitorder="little")
    rows, firsts, hashes = find_windows(offsets, terms, width, present, SHIFT)
    expected = []
    for row, words in enumerate(documents):
        if len(words) < width:
            continue
        _, values = shingle_hashes(np.array([0, len(words)], np.int64), np.array(words, np.uint64), width)
        expected += [
            (row, int(offsets[row]) + place, value)
            for place, value in enumerate(values.tolist())
            if value >> (64 - BITS) in marked
        ]
    assert list(zip(rows.tolist(), firsts.tolist(), hashes.tolist())) == expected


def test_every_window_may_match() -> None:
    offsets, terms = arrays([list(range(1000))])
    present = np.full(2**BITS // 8, 255, np.uint8)
    rows, firsts, hashes = find_windows(offsets, terms, 3, present, SHIFT)
    assert firsts.tolist() == list(range(998))
    assert not rows.any()
    assert len(np.unique(hashes)) == 998
