"""The next byte against Python's search."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from hypothesis import given
from hypothesis import strategies as st

from corpusforge.kernels.html_search import find_byte
from corpusforge.kernels.loading import kernel, types


@kernel(types.int64(types.Array(types.uint8, 1, "C", readonly=True), types.int64, types.int64, types.int64))
def found(data: npt.NDArray[np.uint8], byte: int, begin: int, end: int) -> int:
    return int(find_byte(data, byte, begin, end))


@given(st.binary(max_size=80), st.integers(0, 255), st.integers(0, 90), st.integers(0, 90))
def test_equals_find(data: bytes, byte: int, begin: int, end: int) -> None:
    end = min(end, len(data))
    expected = data.find(bytes([byte]), begin, end)
    at = found(np.frombuffer(data, np.uint8), byte, begin, end)
    assert at == (expected if expected >= 0 else end)
