"""Whole numbers: ASCII digits, a bounded number of them, and nothing that only looks like them."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from corpusforge.sources.whole_numbers import whole_number


@given(st.integers(-(10**18) + 1, 10**18 - 1))
def test_numbers_are_read(number: int) -> None:
    assert whole_number(f" {number}\n") == number


@pytest.mark.parametrize("text", ["", "-", "²", "١٢", "1_0", "1.0", "1e3", "x", "1 2", "9" * 19, "9" * 5000])
def test_what_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no whole number"):
        whole_number(text)


@given(st.text(st.sampled_from("0189²١_+- .e"), max_size=24))
@example("+7")
def test_nothing_else_is_raised(text: str) -> None:
    try:
        number = whole_number(text)
    except ValueError:
        return
    assert abs(number) < 10**18
    assert number == int(text)
