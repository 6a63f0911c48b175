from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from corpusforge.document import document_id
from corpusforge.randomness import id_bytes, id_words, uniform_bits


def ids(count: int) -> pa.Array:
    return pa.array([document_id("test", str(number)) for number in range(count)], pa.binary(16))


def test_a_number_depends_on_seed_stream_and_id_only() -> None:
    all_bits = uniform_bits(7, id_bytes(ids(100)), 1)
    assert np.array_equal(all_bits[40:60], uniform_bits(7, id_bytes(ids(100).slice(40, 20)), 1))
    assert np.array_equal(all_bits, uniform_bits(7, id_words(id_bytes(ids(100))), 1))
    assert not np.any(all_bits == uniform_bits(8, id_bytes(ids(100)), 1))
    assert not np.any(all_bits == uniform_bits(7, id_bytes(ids(100)), 2))


def test_matches_numpys_philox() -> None:
    identity = bytes(range(16))
    low, high = int.from_bytes(identity[:8], "little"), int.from_bytes(identity[8:], "little")
    before = np.array([low - 1, high, 3, 0], np.uint64)
    expected = np.random.Philox(counter=before, key=np.array([5, 0], np.uint64)).random_raw(1)[0]
    assert uniform_bits(5, np.frombuffer(identity, np.uint8).reshape(1, 16), 3)[0] == expected


def test_numbers_are_spread_evenly() -> None:
    bits = uniform_bits(0, id_bytes(ids(16_000)), 1)
    counts = np.bincount((bits >> np.uint64(60)).astype(np.int64), minlength=16)
    # 1,000 expected in each of 16 bins: chi-squared of 15 degrees, 99.99 % below 44.3.
    assert ((counts - 1000) ** 2 / 1000).sum() < 44.3


def test_id_bytes_reads_chunks_slices_and_plain_binary() -> None:
    array = ids(6)
    chunked = pa.chunked_array([array.slice(0, 2), array.slice(2)])
    assert np.array_equal(id_bytes(chunked), id_bytes(array))
    assert np.array_equal(id_bytes(array.cast(pa.binary())), id_bytes(array))
    assert id_bytes(array.slice(0, 0)).shape == (0, 16)


def test_refuses_what_has_no_number() -> None:
    with pytest.raises(ValueError, match="null"):
        id_bytes(pa.array([None], pa.binary(16)))
    with pytest.raises(ValueError, match="16 bytes"):
        id_bytes(pa.array([b"12345678"], pa.binary(8)))
    with pytest.raises(ValueError, match="shape"):
        id_words(np.zeros((2, 8), np.uint8))
    with pytest.raises(ValueError, match="seed"):
        uniform_bits(-1, np.zeros((1, 16), np.uint8), 1)
