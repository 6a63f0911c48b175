"""Numbers and lines of ARPA files; scores are checked in tests/models/test_ngram_model.py."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpusforge.kernels.ngram_scores import parse_lines, parse_number
from corpusforge.kernels.word_table import strip_spans
from corpusforge.texts import Texts


@given(st.floats(-1000, 1000), st.sampled_from(["{:.7f}", "{:e}", "{:.3g}", "{:+.2f}"]))
@settings(deadline=None)
def test_numbers(value: float, layout: str) -> None:
    text = layout.format(value)
    data = np.frombuffer(text.encode(), np.uint8)
    found, is_number = parse_number(data, 0, len(data))
    assert is_number
    assert found == pytest.approx(float(text), rel=1e-12, abs=1e-300)


@pytest.mark.parametrize("text", ["", "-", ".", "1.2.3", "e5", "1e", "1e+x", "0x1", "inf", "nan", "1 "])
def test_no_numbers(text: str) -> None:
    data = np.frombuffer(text.encode(), np.uint8)
    assert not parse_number(data, 0, len(data))[1]


def test_lines() -> None:
    content = b"\n-1.5\tthe cat\t-0.5\r\n\n-2 a b\n"
    read, numbers, words = parse_lines(np.frombuffer(content, np.uint8), 0, len(content), 2, 2)
    assert read == 2
    assert numbers.tolist() == [[-1.5, -0.5], [-2, 0]]
    spelled = [[content[row[at] : row[at + 1]] for at in (0, 2)] for row in words.tolist()]
    assert spelled == [[b"the", b"cat"], [b"a", b"b"]]


@given(st.binary(max_size=30), st.integers(1, 3), st.integers(0, 3))
@settings(deadline=None)
def test_any_bytes_end(content: bytes, length: int, count: int) -> None:
    read, _, _ = parse_lines(np.frombuffer(content, np.uint8), 0, len(content), length, count)
    assert read <= count


@given(st.lists(st.text(alphabet=" \n\x1f\x85\u3000ab\u00e9\U0001f600", max_size=8), max_size=5))
@settings(deadline=None)
def test_strip(documents: list[str]) -> None:
    view = Texts.from_strings(documents)
    starts, ends = strip_spans(view.data, view.offsets[:-1], view.offsets[1:])
    found = [view.data[start:end].tobytes().decode() for start, end in zip(starts, ends)]
    assert found == [document.strip() for document in documents]
