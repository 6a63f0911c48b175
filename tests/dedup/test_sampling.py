from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpusforge.dedup import sampling
from corpusforge.dedup.sampling import SAME_RANK, ContentSample, RunSample
from corpusforge.kernels.all_pairs import content_ranks
from corpusforge.kernels.mixing import mix64_array

# Few different documents, so that equal ranks are common; some without any shingle.
documents = st.lists(st.lists(st.integers(0, 3), max_size=2), max_size=40)


def arrays(sets: list[list[int]]) -> tuple[Any, Any]:
    offsets = np.cumsum([0, *(len(one) for one in sets)]).astype(np.int64)
    return offsets, np.array([value for one in sets for value in one], np.uint64)


def in_batches(sets: list[list[int]], first: int, size: int) -> ContentSample:
    sample = ContentSample()
    for start in range(0, len(sets), size):
        part = sets[start : start + size]
        sample.add(*arrays(part), np.arange(first + start, first + start + len(part)))
    return sample


def merged(parts: list[dict[str, Any]]) -> list[int]:
    sample = RunSample()
    for part in parts:
        sample.add(part)
    return sample.addresses()


def expected(sets: list[list[int]], limit: int) -> list[int]:
    offsets, values = arrays(sets)
    ranks = content_ranks(offsets, values, sampling._SALT).tolist()
    rows = sorted((rank, place) for place, rank in enumerate(ranks) if sets[place])
    groups = (list(group)[:SAME_RANK] for _, group in itertools.groupby(rows, key=lambda row: row[0]))
    return [place for group in groups for _, place in group][:limit]


@settings(max_examples=60, deadline=None)
@given(sets=documents, cut=st.integers(0, 40), sizes=st.tuples(st.integers(1, 9), st.integers(1, 40)))
def test_neither_batches_nor_shards_nor_their_order_matter(
    sets: list[list[int]], cut: int, sizes: tuple[int, int]
) -> None:
    one, two = in_batches(sets[:cut], 0, sizes[0]), in_batches(sets[cut:], len(sets[:cut]), sizes[1])
    parts = [one.to_json(2), two.to_json(2)]
    assert merged(parts) == merged(parts[::-1]) == expected(sets, sampling.SAMPLED_DOCUMENTS)


def test_the_sample_is_every_document_up_to_a_rank(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "SAMPLED_DOCUMENTS", 50)
    sets = [[number] for number in range(4000)]
    # One shard holds far more than its share: it tells of a part, and no rank above that part is taken.
    parts = [in_batches(sets[:3990], 0, 100).to_json(40), in_batches(sets[3990:], 3990, 3).to_json(40)]
    assert parts[0]["whole"] is False
    assert parts[1]["whole"] is True
    found = merged(parts)
    assert found == expected(sets, len(found))
    assert len(found) >= 40


def test_equal_documents_do_not_fill_it() -> None:
    sets = [[1, 2, 3]] * 5000 + [[number] for number in range(10, 20)]
    parts = [in_batches(sets[start : start + 1000], start, 300).to_json(6) for start in range(0, 5010, 1000)]
    found = merged(parts)
    assert len(found) == SAME_RANK + 10
    assert [address for address in found if address < 5000] == list(range(SAME_RANK))


@settings(max_examples=60, deadline=None)
@given(sets=documents, cut=st.integers(0, 40), size=st.integers(1, 40))
def test_of_a_part_that_is_reached_every_holder_is_there(sets: list[list[int]], cut: int, size: int) -> None:
    parts = []
    for shard, (first, last) in enumerate(((0, min(cut, len(sets))), (min(cut, len(sets)), len(sets)))):
        sample = ContentSample(6)
        for start in range(first, last, size):
            rows = range(start, min(start + size, last))
            keys = [key for row in rows for key in sets[row]]
            holders = [row for row in rows for _ in sets[row]]
            sample.add_holders(np.array(keys, np.uint64), np.array(holders, np.int64))
        parts.append(sample.to_json(2))
        assert len(parts[shard]["rows"]) <= 6
    together = RunSample()
    for part in parts:
        together.add(part)
    ranks = {key: rank for rank, key in enumerate(sorted(range(4), key=_rank))}
    found = together.addresses()
    least = [ranks[min(sets[row], key=_rank)] for row in found]
    assert least == sorted(least)
    for row, keys in enumerate(sets):
        # A document is missing only when its least part is beyond the sample, or shared by as many as are taken.
        if keys and row not in found:
            own = ranks[min(keys, key=_rank)]
            assert not least or own >= least[-1] or least.count(own) == SAME_RANK
    assert together.crowded == any(least.count(rank) >= SAME_RANK for rank in least)


def _rank(key: int) -> int:
    return int(mix64_array(np.array([key], np.uint64), sampling._PART_SALT)[0])


def test_nothing_gives_nothing() -> None:
    assert merged([]) == []
    assert merged([in_batches([[], []], 0, 1).to_json(1)]) == []
