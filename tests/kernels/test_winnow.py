from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from corpusforge.kernels.winnow import window_hashes, window_minima

LISTS = st.lists(st.lists(st.integers(0, 3), max_size=30), max_size=4)


def arrays(lists: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    offsets = np.cumsum([0, *map(len, lists)]).astype(np.int64)
    return offsets, np.array([value for one in lists for value in one], np.uint64)


@given(LISTS, st.integers(1, 12))
def test_equal_windows_and_only_they_have_equal_hashes(lists: list[list[int]], width: int) -> None:
    offsets, terms = arrays(lists)
    window_offsets, hashes = window_hashes(offsets, terms, width, np.uint64(7))
    expected = [tuple(one[at : at + width]) for one in lists for at in range(len(one) - width + 1)]
    assert np.diff(window_offsets).tolist() == [max(0, len(one) - width + 1) for one in lists]
    by_hash: dict[int, set[tuple[int, ...]]] = {}
    for value, window in zip(hashes.tolist(), expected, strict=True):
        by_hash.setdefault(value, set()).add(window)
    assert len(by_hash) == len(set(expected))
    assert all(len(found) == 1 for found in by_hash.values())


def test_salts_give_other_hashes() -> None:
    offsets, terms = arrays([[1, 2, 3]])
    assert (
        window_hashes(offsets, terms, 2, np.uint64(1))[1][0]
        != window_hashes(offsets, terms, 2, np.uint64(2))[1][0]
    )


@given(LISTS, st.integers(1, 12))
def test_minima_are_the_rightmost_least_of_every_window(lists: list[list[int]], width: int) -> None:
    offsets, hashes = arrays(lists)
    window_offsets, places = window_minima(offsets, hashes, width)
    expected = []
    for begin, one in zip(offsets.tolist(), lists):
        for at in range(len(one) - width + 1):
            least = min(range(at, at + width), key=lambda place: (one[place], -place))
            expected.append(begin + least)
    assert places.tolist() == expected
    assert np.diff(window_offsets).tolist() == [max(0, len(one) - width + 1) for one in lists]
