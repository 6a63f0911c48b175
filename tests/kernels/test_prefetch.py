"""A hint changes nothing, and is there when it is asked for."""

from __future__ import annotations

import numba
import numpy as np

from corpusforge.kernels.array_types import UINT64
from corpusforge.kernels.loading import kernel, types
from corpusforge.kernels.prefetch import prefetch


@kernel(types.uint64(UINT64))
def add_all(values: np.ndarray) -> int:
    total = np.uint64(0)
    for place in range(len(values)):
        prefetch(values, np.uint64(place), np.uint64(64))
        total += values[place]
    return total


def test_sums_stay_what_they_are() -> None:
    values = np.arange(1000, dtype=np.uint64)
    assert add_all(values) == 499_500
    assert values.tolist() == list(range(1000))
    # The address behind the last item lies outside.
    assert add_all(values[:1].copy()) == 0
    # Code that comes from the cache cannot be looked at: this is compiled again.
    compiled = numba.njit(numba.uint64(numba.uint64[::1]))(add_all.py_func)
    assert "prefetch" in next(iter(compiled.inspect_llvm().values()))
