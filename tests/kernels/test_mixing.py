from __future__ import annotations

import numpy as np
from datasketch.minhash import _fmix
from hypothesis import given
from hypothesis import strategies as st

from corpusforge.kernels.hash64 import mix
from corpusforge.kernels.mixing import mix32, mix64_array


@given(st.integers(0, 2**32 - 1))
def test_mix32_is_that_of_datasketch(value: int) -> None:
    assert int(mix32(np.uint32(value))) == int(_fmix(np.array([value], np.uint32), 32)[0])


@given(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=5), st.integers(0, 2**64 - 1))
def test_mix64_array_is_the_scalar_mixer(values: list[int], salt: int) -> None:
    mixed = mix64_array(np.array(values, np.int64), salt)
    assert mixed.tolist() == [int(mix(np.uint64((value % 2**64) ^ salt))) for value in values]
