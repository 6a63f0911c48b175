"""The packing kernels against slow, obvious twins."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from corpusforge.kernels.pack import best_fit, cut_long, cut_stream

lengths_strategy = st.lists(st.integers(0, 400), max_size=80)


def slow_cut_long(lengths: list[int], capacity: int) -> list[tuple[int, int, int]]:
    pieces = []
    for document, length in enumerate(lengths):
        for start in range(0, length, capacity):
            pieces.append((document, start, min(capacity, length - start)))
    return pieces


def slow_cut_stream(lengths: list[int], capacity: int) -> list[tuple[int, int, int]]:
    tokens = [(document, place) for document, length in enumerate(lengths) for place in range(length)]
    pieces = []
    for begin in range(0, len(tokens), capacity):
        row = tokens[begin : begin + capacity]
        for document in sorted({document for document, _ in row}):
            places = [place for owner, place in row if owner == document]
            pieces.append((document, places[0], len(places)))
    return pieces


def slow_best_fit(sizes: list[int], capacity: int, window: int) -> list[int]:
    rows = [0] * len(sizes)
    open_rows: dict[int, tuple[int, int]] = {}  # row -> (free space, minus the time it was touched)
    clock = opened = 0
    for first in range(0, len(sizes), window):
        inside = range(first, min(first + window, len(sizes)))
        for piece in sorted(inside, key=lambda piece: (-sizes[piece], piece)):
            fitting = [(*state, row) for row, state in open_rows.items() if state[0] >= sizes[piece]]
            if fitting:
                free, _, row = min(fitting)
            else:
                free, row = capacity, opened
                opened += 1
            rows[piece] = row
            clock += 1
            open_rows[row] = (free - sizes[piece], -clock)
            if open_rows[row][0] == 0:
                del open_rows[row]
    return rows


@given(lengths_strategy, st.integers(1, 130))
@settings(max_examples=200, deadline=None)
def test_cuts_equal_their_twins(lengths: list[int], capacity: int) -> None:
    array = np.array(lengths, np.int64)
    for kernel, twin in ((cut_long, slow_cut_long), (cut_stream, slow_cut_stream)):
        assert list(zip(*(part.tolist() for part in kernel(array, capacity)))) == twin(lengths, capacity)


@given(st.data(), st.sampled_from([1, 7, 63, 64, 65, 300, 5000]), st.integers(1, 90))
@settings(max_examples=300, deadline=None)
def test_best_fit_equals_its_twin(data: st.DataObject, capacity: int, window: int) -> None:
    sizes = data.draw(st.lists(st.integers(1, capacity), max_size=80))
    rows = best_fit(np.array(sizes, np.int32), capacity, window)
    assert rows.tolist() == slow_best_fit(sizes, capacity, window)


def test_best_fit_with_many_open_rows_and_a_large_capacity() -> None:
    generator = np.random.default_rng(3)
    sizes = generator.integers(1, 300_000, 400).astype(np.int32)
    assert best_fit(sizes, 300_000, 100).tolist() == slow_best_fit(sizes.tolist(), 300_000, 100)
