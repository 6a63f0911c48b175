"""The arithmetic of signals: exact integers, whatever floats would make of them."""

from __future__ import annotations

from fractions import Fraction
from math import floor

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusforge.step import MICRO, RATIO, LiveRows, MapStep, Measured, Step, fixed_point, fixed_ratio
from corpusforge.texts import Texts

BOUND = (2**63 - 1) // RATIO
numbers = st.integers(-BOUND, BOUND)


@given(pairs=st.lists(st.tuples(numbers, st.integers(0, 2**62)), max_size=8))
def test_ratios_are_the_floor_of_the_exact_quotient(pairs):
    numerators = np.array([pair[0] for pair in pairs], np.int64)
    denominators = np.array([pair[1] for pair in pairs], np.int64)
    expected = [floor(Fraction(a * RATIO, b)) if b else 0 for a, b in pairs]
    assert fixed_ratio(numerators, denominators).tolist() == expected


@pytest.mark.parametrize("numerator", [BOUND + 1, -BOUND - 1])
def test_ratios_that_would_overflow_are_refused(numerator):
    with pytest.raises(OverflowError):
        fixed_ratio(np.array([numerator]), np.array([1]))


@given(
    digits=st.integers(-(10**12), 10**12), places=st.integers(0, 9), scale=st.sampled_from([1, MICRO, RATIO])
)
def test_thresholds_are_their_decimal_digits_times_the_scale_floored(digits, places, scale):
    value = float(f"{digits}e-{places}")
    exact = Fraction(repr(value))
    assert fixed_point(value, scale) == floor(exact * scale)


def test_what_is_no_number_has_no_fixed_point():
    assert fixed_point(0.3, RATIO) == 300_000_000
    assert fixed_point(-0.25, 1) == -1
    for value in (None, True, "3", [1]):
        assert fixed_point(value, 1) is None
    assert fixed_point(3, 0) is None, "signals without a scale are no numbers"


def test_rows_have_as_many_texts_as_addresses():
    rows = LiveRows(Texts.from_strings(["a", "b"]), {"id": pa.array([1, 2])}, {"c4.lines": pa.array([3, 4])})
    assert len(rows) == 2
    assert rows.addresses.tolist() == [0, 1]
    assert rows.column("id").to_pylist() == [1, 2]
    assert rows.signal("c4.lines").to_pylist() == [3, 4]
    for missing in (rows.column, rows.signal, rows.joined):
        with pytest.raises(KeyError):
            missing("nothing")


def test_a_step_that_says_not_how_it_enters_a_plan_is_named():
    class Lost(Step):
        name = "lost"

    with pytest.raises(TypeError, match="lost"):
        Lost().compile(None)  # type: ignore[arg-type]

    class Found(MapStep):
        name = "found"

        def measure(self, rows: LiveRows) -> Measured:
            return Measured()

    assert (Found().instance, Found(instance="other").instance) == ("found", "other")
    assert Found().fingerprint() == {}
