"""Windows over streams."""

from __future__ import annotations

import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusforge.sources.window import Window


@given(
    st.binary(max_size=400),
    st.lists(st.tuples(st.sampled_from(["peek", "take", "drop"]), st.integers(0, 90))),
)
def test_a_window_is_a_view_of_the_stream(data: bytes, moves: list[tuple[str, int]]) -> None:
    stream = io.BytesIO(data)
    window = Window(lambda size: stream.read(7))
    position = 0
    for move, size in moves:
        if move == "drop":
            position += window.drop(size)
            assert position <= len(data)
        else:
            piece = getattr(window, move)(size)
            assert piece == data[position : position + size]
            position += len(piece) if move == "take" else 0
        assert window.position == position


def test_a_window_goes_back_to_its_mark() -> None:
    stream = io.BytesIO(b"0123456789")
    window = Window(lambda size: stream.read(3))
    window.take(4)
    window.mark()
    window.take(4)
    assert window.start == 4
    window.position = 4
    assert window.take(99) == b"456789"


@pytest.mark.parametrize("before", [0, 1, (1 << 20) - 3, 1 << 20, (3 << 20) - 2])
def test_patterns_are_found_wherever_they_stand(before: int) -> None:
    stream = io.BytesIO(b"x" * before + b"needle" + b"y" * 10)
    window = Window(stream.read)
    assert window.seek_pattern(re.compile(b"needle"), 6)
    assert window.position == before
    assert window.take(6) == b"needle"
    assert not window.seek_pattern(re.compile(b"needle"), 6)
    assert window.position == before + 16
