from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from corpusforge.kernels.hash64 import mix
from corpusforge.kernels.shingles import distinct_shingles, fingerprints, shingle_hashes, sorted_hashes

documents_of_terms = st.lists(st.lists(st.integers(0, 2**64 - 1), max_size=9), max_size=6)
MULTIPLIER = 0x9E3779B97F4A7C15


def flat(documents: list[list[int]]) -> tuple[Any, Any]:
    offsets = np.concatenate([[0], np.cumsum([len(one) for one in documents])]).astype(np.int64)
    return offsets, np.array([value for one in documents for value in one], np.uint64)


def sequence_hash(values: list[int]) -> int:
    state = len(values)
    for value in values:
        state = (state * MULTIPLIER + value) % 2**64
    return int(mix(np.uint64(state)))


@settings(max_examples=100, deadline=None)
@given(documents=documents_of_terms, ngram=st.integers(1, 6))
def test_shingles_against_a_plain_twin(documents: list[list[int]], ngram: int) -> None:
    offsets, hashes = shingle_hashes(*flat(documents), ngram)
    for index, terms in enumerate(documents):
        if len(terms) < ngram:
            expected = [sequence_hash(terms)] if terms else []
        else:
            expected = [sequence_hash(terms[at : at + ngram]) for at in range(len(terms) - ngram + 1)]
        assert hashes[offsets[index] : offsets[index + 1]].tolist() == expected
    assert len(hashes) == offsets[-1]


@settings(max_examples=100, deadline=None)
@given(documents=documents_of_terms)
def test_fingerprints_are_hashes_of_the_sequence(documents: list[list[int]]) -> None:
    assert fingerprints(*flat(documents)).tolist() == [sequence_hash(one) for one in documents]


def test_documents_do_not_share_shingles_across_their_border() -> None:
    offsets, hashes = shingle_hashes(np.array([2, 4, 6], np.int64), np.arange(6, dtype=np.uint64), 2)
    assert offsets.tolist() == [0, 1, 2]
    assert hashes.tolist() == [sequence_hash([2, 3]), sequence_hash([4, 5])]


@settings(max_examples=100, deadline=None)
@given(
    documents=st.lists(st.lists(st.integers(0, 20), max_size=15), max_size=6),
    limit=st.integers(1, 10),
)
def test_distinct_shingles_against_a_plain_twin(documents: list[list[int]], limit: int) -> None:
    offsets, values, cut = distinct_shingles(*flat(documents), limit)
    for index, hashes in enumerate(documents):
        whole = sorted(set(hashes))
        assert values[offsets[index] : offsets[index + 1]].tolist() == whole[:limit]
        assert cut[index] == (len(whole) > limit)
    assert len(values) == offsets[-1]


@settings(max_examples=100, deadline=None)
@given(
    kinds=st.lists(st.sampled_from(["uniform", "equal", "crowded"]), max_size=3),
    count=st.integers(0, 400),
    seed=st.integers(0, 2**32),
)
def test_hashes_are_sorted_however_they_lie(kinds: list[str], count: int, seed: int) -> None:
    generator = np.random.Generator(np.random.PCG64(seed))
    parts = {
        "uniform": generator.integers(0, 2**64, count, np.uint64),
        "equal": np.full(count, 2**64 - 1, np.uint64),
        "crowded": generator.integers(2**63, 2**63 + 2**20, count, np.uint64),
    }
    hashes = np.concatenate([np.zeros(0, np.uint64), *(parts[kind] for kind in kinds)])
    generator.shuffle(hashes)
    before = hashes.copy()
    assert sorted_hashes(hashes).tolist() == sorted(before.tolist())
    assert (hashes == before).all()
