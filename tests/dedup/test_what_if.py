"""Replayed deduplication against the step itself, at other thresholds and with some of the documents gone."""

from __future__ import annotations

import random
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from memory_plan import Document, MemoryPlan, run_step

from corpusforge.dedup.compared import (
    COMPARED_SCHEMA,
    GROUP_COLUMNS,
    Compared,
    groups_compared,
    pairs_compared,
    places_of,
)
from corpusforge.dedup.exact import ExactDedup, ExactParameters
from corpusforge.dedup.minhash import MinhashDedup, MinhashParameters
from corpusforge.dedup.priority import binary_halves
from corpusforge.dedup.what_if import DROPS, GONE, KEEPS, PERHAPS, THERE, UNKNOWN, kept_at, outcomes
from corpusforge.step import RATIO

WORDS = ["ash", "birch", "cedar", "date", "elm", "fir", "gum", "hazel", "ivy", "jute", "kale", "lime"]


def corpus(seed: int, size: int) -> list[str]:
    """Texts in families: copies, reordered ones with the same shingles, and ones with some words replaced."""
    source = random.Random(seed)
    texts: list[str] = []
    for _ in range(size):
        kind = source.random()
        words = source.choice(texts).split() if texts and kind < 0.75 else source.choices(WORDS, k=14)
        if 0.25 < kind < 0.65:
            for at in source.sample(range(len(words)), source.choice([1, 1, 2, 3])):
                words[at] = source.choice(WORDS)
        if 0.65 < kind < 0.75:
            words = words + words
        texts.append(" ".join(words))
    return texts


def documents(texts: Sequence[str], chosen: Sequence[int]) -> list[list[Document]]:
    made = [Document(str(index), texts[index]) for index in chosen]
    return [made[::2], made[1::2]]


def rows_of(plan: MemoryPlan, names: Sequence[str], types: pa.Schema) -> dict[str, Any] | None:
    rows = [row for row in plan.tables if set(names) <= set(row)]
    if not rows:
        return None
    table = pa.Table.from_pylist(rows, schema=types)
    return {name: table.column(name).to_numpy() for name in names}


def replayed(
    compared: Compared, shards: list[list[Document]], reaching: dict[str, int], *settings: int
) -> dict[str, int]:
    everyone = [one for shard in shards for one in shard]
    high, low = binary_halves(pa.array([one.id for one in everyone], pa.binary(16)))
    row = places_of(compared, high, low, np.ones(len(everyone), np.bool_))
    assert (row >= 0).all()
    states = outcomes(compared, np.array([reaching[everyone[at].name] for at in row], np.uint8), *settings)
    found = {one.name: KEEPS for one in everyone}
    return found | {everyone[at].name: int(state) for at, state in zip(row, states)}


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    size=st.integers(2, 24),
    before=st.sampled_from([0.3, 0.5, 0.75]),
    after=st.sampled_from([0.2, 0.5, 0.6, 0.9, 1.0]),
    leaving=st.sampled_from([0.0, 0.15, 0.5]),
    max_leaders=st.sampled_from([1, 2, 64]),
    comparison_budget=st.sampled_from([16, 70, 1 << 16]),
    max_shingles=st.sampled_from([16, 16384]),
    ngram=st.sampled_from([1, 2]),
)
def test_known_fates_are_those_of_the_step_itself(
    seed: int, size: int, before: float, after: float, leaving: float, **limits: int
) -> None:
    texts = corpus(seed, size)
    if limits["max_shingles"] == 16:
        texts = [f"{text} {' '.join(reversed(text.split()))} {text[::-1]}" for text in texts]
    source = random.Random(seed)
    stay = [index for index in range(size) if source.random() >= leaving]

    def step(threshold: float) -> MinhashDedup:
        return MinhashDedup(MinhashParameters(bands=4, rows=1, threshold=threshold, **limits))

    first = documents(texts, range(size))
    plan = run_step(step(before), first)
    rows = rows_of(plan, COMPARED_SCHEMA.names, COMPARED_SCHEMA)
    second = documents(texts, stay)
    run_step(step(after), second)
    expected = {one.name: one.signals["minhash_dedup.duplicate"] for shard in second for one in shard}
    if rows is None:
        assert not any(expected.values())
        return
    reaching = {str(index): THERE if index in stay else GONE for index in range(size)}
    limit = int(Decimal(str(after)) * RATIO)
    found = replayed(
        pairs_compared(rows), first, reaching, limit, limits["max_leaders"], limits["comparison_budget"]
    )
    for name, duplicate in expected.items():
        assert found[name] in (UNKNOWN, DROPS if duplicate else KEEPS), (name, duplicate, found[name])
    roomy = limits["max_leaders"] == 64 and limits["comparison_budget"] > 70 and limits["max_shingles"] > 16
    if roomy or len(stay) == size:
        assert UNKNOWN not in [found[name] for name in expected]


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), size=st.integers(2, 20))
def test_what_may_be_there_or_not_gives_both_answers(seed: int, size: int) -> None:
    texts = corpus(seed, size)
    first = documents(texts, range(size))
    plan = run_step(MinhashDedup(MinhashParameters(bands=4, rows=1, threshold=0.5, ngram=1)), first)
    rows = rows_of(plan, COMPARED_SCHEMA.names, COMPARED_SCHEMA)
    if rows is None:
        return
    compared = pairs_compared(rows)
    source = random.Random(seed)
    doubtful = source.sample(range(size), min(3, size))

    def fates(state: dict[int, int]) -> dict[str, int]:
        reaching = {str(index): state.get(index, THERE) for index in range(size)}
        return replayed(compared, first, reaching, RATIO // 2, 64, 1 << 16)

    told = fates(dict.fromkeys(doubtful, PERHAPS))
    for mask in range(1 << len(doubtful)):
        some = fates({index: THERE if mask >> at & 1 else GONE for at, index in enumerate(doubtful)})
        for index in set(range(size)) - set(doubtful):
            assert told[str(index)] in (UNKNOWN, some[str(index)])


@pytest.mark.parametrize("partitions", [1, 4])
@pytest.mark.parametrize("seed", range(6))
def test_groups_of_equal_texts(seed: int, partitions: int) -> None:
    texts = corpus(seed, 30)
    stay = [index for index in range(30) if random.Random(f"{seed}/{index}").random() < 0.7]
    first = documents(texts, range(30))
    plan = run_step(ExactDedup(ExactParameters()), first, partitions=partitions)
    types = pa.schema([(name, pa.uint64()) for name in GROUP_COLUMNS])
    rows = rows_of(plan, GROUP_COLUMNS, types)
    assert rows is not None
    second = documents(texts, stay)
    run_step(ExactDedup(ExactParameters()), second)
    reaching = {str(index): THERE if index in stay else GONE for index in range(30)}
    found = replayed(groups_compared(rows), first, reaching, RATIO)
    for shard in second:
        for one in shard:
            assert found[one.name] == (DROPS if one.signals["exact_dedup.duplicate"] else KEEPS)


def test_kept_documents_by_similarity() -> None:
    first = documents(corpus(3, 24), range(24))
    plan = run_step(MinhashDedup(MinhashParameters(bands=4, rows=1, threshold=0.5, ngram=1)), first)
    rows = rows_of(plan, COMPARED_SCHEMA.names, COMPARED_SCHEMA)
    assert rows is not None
    compared = pairs_compared(rows)
    there, every = np.full(len(compared), THERE, np.uint8), np.ones(len(compared), np.bool_)
    alone = 24 - len(compared)
    curve = kept_at(compared, there, every, [RATIO // 2, RATIO, RATIO + 1], 64, 1 << 16)
    kept = sum(one.verdict is None for shard in first for one in shard)
    assert curve[0] + alone == kept < curve[1] + alone <= curve[2] + alone < 24
    assert kept_at(compared, there, ~every, [RATIO], 64, 1 << 16) == [0]
