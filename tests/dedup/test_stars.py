from __future__ import annotations

import random

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from memory_plan import MemoryPlan

from corpusforge.dedup.decisions import decision_spec
from corpusforge.dedup.stars import (
    EDGE,
    EDGE_SCHEMA,
    FateReducer,
    LeaderRound,
    MemberRound,
    edges_and_markers,
    fate_spec,
    leader_spec,
    member_spec,
)


def run(pairs: list[tuple[int, int]], rounds: int, partitions: int, run_rows: int) -> MemoryPlan:
    """Decide a graph whose nodes are their own priority; pairs are (preferred, other)."""
    plan = MemoryPlan([[]], partitions=partitions, run_rows=run_rows)
    low = np.array([pair[0] for pair in pairs], np.int64)
    high = np.array([pair[1] for pair in pairs], np.int64)
    edges = {
        name: np.zeros(len(pairs), np.uint64 if name[1:] in "34" else np.int64) for name in EDGE_SCHEMA.names
    }
    edges |= {"kind": np.full(len(pairs), EDGE, np.int64), "similarity": low * 1000 + high}
    edges |= {"l0": low, "leader": low, "m0": high, "member": high}
    plan._store(leader_spec("leaders1"), [edges_and_markers(edges)])
    for turn in range(1, rounds):
        plan.reduce(f"leaders{turn}", LeaderRound(member_spec(f"members{turn}"), last=False))
        plan.reduce(f"members{turn}", MemberRound(leader_spec(f"leaders{turn + 1}")))
    plan.reduce(f"leaders{rounds}", LeaderRound(fate_spec("fates"), last=True))
    plan.reduce("fates", FateReducer(decision_spec("decisions")))
    return plan


def greedy(pairs: list[tuple[int, int]]) -> set[int]:
    dropped: set[int] = set()
    for node in sorted({node for pair in pairs for node in pair}):
        if any(other == node and leader not in dropped for leader, other in pairs):
            dropped.add(node)
    return dropped


graphs = st.sets(
    st.tuples(st.integers(0, 14), st.integers(0, 14)).filter(lambda pair: pair[0] < pair[1]),
    min_size=1,
    max_size=40,
).map(sorted)


@settings(max_examples=150, deadline=None)
@given(pairs=graphs, rounds=st.integers(1, 4), partitions=st.sampled_from([1, 4]), run_rows=st.integers(1, 9))
def test_any_number_of_rounds_gives_the_greedy_rule(
    pairs: list[tuple[int, int]], rounds: int, partitions: int, run_rows: int
) -> None:
    plan = run(pairs, rounds, partitions, run_rows)
    decisions = pa.concat_tables(plan.exchanges["decisions"].values()).to_pylist()
    drops = {row["address"]: row["similarity"] for row in decisions if row["duplicate"]}
    assert set(drops) == greedy(pairs)
    copies: dict[int, int] = {}
    for row in decisions:
        if not row["duplicate"]:
            copies[row["address"]] = copies.get(row["address"], 0) + row["copies"]
    told: dict[int, int] = {}
    for member in plan.tables:
        assert (member["survivor"], member["address"]) in pairs
        assert member["survivor"] not in drops
        assert (
            drops[member["address"]] == member["similarity"] == member["survivor"] * 1000 + member["address"]
        )
        told[member["survivor"]] = told.get(member["survivor"], 0) + 1
    assert told == copies


@pytest.mark.parametrize("size", [1000])
def test_cliques_need_two_rounds(size: int) -> None:
    nodes = list(range(size))
    random.Random(1).shuffle(nodes)
    pairs = []
    for start in range(0, size, 10):
        clique = sorted(nodes[start : start + 10])
        pairs += [(one, two) for place, one in enumerate(clique) for two in clique[place + 1 :]]
    plan = run(pairs, 2, 2, 4096)
    assert plan.statistics["edges_open_after_rounds"] == 0
    assert plan.statistics["duplicates"] == size - size // 10
