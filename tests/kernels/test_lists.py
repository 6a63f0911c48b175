from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from corpusforge.kernels.lists import gather_lists

LISTS = st.lists(st.lists(st.integers(0, 2**64 - 1), max_size=6), min_size=1, max_size=8)


@given(LISTS, st.data())
def test_copies_the_beginnings_of_lists(lists: list[list[int]], data: st.DataObject) -> None:
    rows = data.draw(st.lists(st.integers(0, len(lists) - 1), max_size=12))
    sizes = [data.draw(st.integers(0, len(lists[row]))) for row in rows]
    ends = np.cumsum([0, *map(len, lists)])
    values = np.array([value for one in lists for value in one], np.uint64)
    offsets, gathered = gather_lists(
        values, ends[np.array(rows, np.int64)].astype(np.int64), np.array(sizes, np.int64)
    )
    expected = [lists[row][:size] for row, size in zip(rows, sizes)]
    assert offsets.tolist() == np.cumsum([0, *map(len, expected)]).tolist()
    assert gathered.tolist() == [value for one in expected for value in one]
