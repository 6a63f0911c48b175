from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from datasketch import MinHash
from hypothesis import given, settings
from hypothesis import strategies as st

from corpusforge.kernels.hash64 import mix
from corpusforge.kernels.minhash import band_keys, permutations, signatures

documents_of_hashes = st.lists(st.lists(st.integers(0, 2**64 - 1), max_size=11), max_size=6)


def flat(documents: list[list[int]]) -> tuple[Any, Any]:
    offsets = np.concatenate([[0], np.cumsum([len(one) for one in documents])]).astype(np.int64)
    return offsets, np.array([value for one in documents for value in one], np.uint64)


@pytest.mark.parametrize("scheme", ["affine32", "affine64"])
@pytest.mark.parametrize("count", [1, 7, 112])
def test_permutations_are_those_of_datasketch(scheme: Any, count: int) -> None:
    theirs = MinHash(count, seed=5, scheme=scheme).permutations
    a, b = permutations(count, scheme, seed=5)
    assert a.dtype == theirs[0].dtype
    np.testing.assert_array_equal(a, theirs[0])
    np.testing.assert_array_equal(b, theirs[1])


@pytest.mark.parametrize("scheme", ["affine32", "affine64"])
@settings(max_examples=40, deadline=None)
@given(documents=documents_of_hashes)
def test_signatures_are_those_of_datasketch(scheme: Any, documents: list[list[int]]) -> None:
    a, b = permutations(20, scheme)
    ours = signatures(*flat(documents), a, b)
    bits = 32 if scheme == "affine32" else 64
    for row, hashes in zip(ours, documents):
        sketch = MinHash(20, scheme=scheme, hashfunc=lambda value: value & ((1 << bits) - 1))
        sketch.update_batch(hashes)
        np.testing.assert_array_equal(row, sketch.hashvalues)
    assert ours.shape == (len(documents), 20)


@pytest.mark.parametrize("scheme", ["affine32", "affine64"])
def test_signatures_of_many_shingles_and_readonly_arrays(scheme: Any) -> None:
    values = np.random.default_rng(3).integers(0, 2**63, 4001).astype(np.uint64)
    offsets = np.array([0, 1000, 1000, 4001], np.int64)
    values.flags.writeable = offsets.flags.writeable = False
    a, b = permutations(33, scheme)
    ours = signatures(offsets, values, a, b)
    mask = 0xFFFFFFFF if scheme == "affine32" else 0xFFFFFFFFFFFFFFFF
    for row, start, end in zip(ours, offsets, offsets[1:]):
        sketch = MinHash(33, scheme=scheme, hashfunc=lambda value: int(value) & mask)
        sketch.update_batch(values[start:end])
        np.testing.assert_array_equal(row, sketch.hashvalues)


def test_the_estimate_is_near_the_similarity() -> None:
    values = np.random.default_rng(4).integers(0, 2**63, 3000).astype(np.uint64)
    one, two = values[:2000], values[1000:]
    offsets = np.array([0, 2000, 4000], np.int64)
    a, b = permutations(2048, "affine64")
    rows = signatures(offsets, np.concatenate([one, two]), a, b)
    assert abs(float((rows[0] == rows[1]).mean()) - 1 / 3) < 0.05


@pytest.mark.parametrize("dtype", [np.uint32, np.uint64])
def test_band_keys_follow_their_definition(dtype: Any) -> None:
    rows = np.arange(24).astype(dtype).reshape(2, 12)
    keys = band_keys(rows, 3, 4)
    for document in range(2):
        for band in range(3):
            value = int(mix(np.uint64(band + 1)))
            for number in rows[document, 4 * band : 4 * band + 4].tolist():
                value = int(mix(np.uint64(value ^ number)))
            assert int(keys[document, band]) == value


def test_bands_of_equal_values_have_unrelated_keys() -> None:
    keys = band_keys(np.zeros((1, 40), np.uint64), 20, 2)
    assert len(set(keys[0].tolist())) == 20
