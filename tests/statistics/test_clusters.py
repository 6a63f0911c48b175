from __future__ import annotations

import itertools
from collections import Counter

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from corpusforge.sources.base import Shard, SourceFile
from corpusforge.statistics.clusters import EARLIER, LARGEST, MEMBERS, ClusterFacts, labels_of, merge

SHARDS = [
    Shard(0, "web", (SourceFile("crawl-data/CC-MAIN-2024-10/a.wet.gz", "a", 1),)),
    Shard(1, "web", (SourceFile("crawl-data/CC-MAIN-2024-18/b.wet.gz", "b", 1),)),
    Shard(2, "books", (SourceFile("pg1.txt", "c", 1),)),
]


def address(shard: int, row: int) -> int:
    return (shard << 40) | row


def table(groups: list[tuple[int, list[int]]], size: int) -> list[pa.RecordBatch]:
    rows = [(survivor, member) for survivor, members in groups for member in members]
    return [
        pa.RecordBatch.from_pydict(
            {
                "survivor": pa.array([row[0] for row in rows[start : start + size]], pa.int64()),
                "address": pa.array([row[1] for row in rows[start : start + size]], pa.int64()),
            }
        )
        for start in range(0, len(rows), size)
    ]


group_sizes = st.lists(st.tuples(st.integers(0, 2), st.integers(1, 9)), max_size=30)


@settings(max_examples=60, deadline=None)
@given(recipe=group_sizes, size=st.integers(1, 7), cut=st.integers(0, 30))
def test_counts_what_python_counts_whatever_the_batches(
    recipe: list[tuple[int, int]], size: int, cut: int
) -> None:
    rows = itertools.count()
    groups = [
        (address(shard, next(rows)), [address((shard + at) % 3, next(rows)) for at in range(count)])
        for shard, count in recipe
    ]
    parts = []
    for part in (groups[:cut], groups[cut:]):
        facts = ClusterFacts(SHARDS)
        for batch in table(part, size):
            facts.add(batch)
        parts.append(facts.to_json())
    merged = merge([part for part in parts if part is not None])
    assert merged == merge([part for part in parts[::-1] if part is not None])
    expected = sorted(groups, key=lambda group: (-len(group[1]), group[0]))[:LARGEST]
    assert merged["largest"] == [
        [survivor, len(members), sorted(members[:MEMBERS])] for survivor, members in expected
    ]
    sources = Counter(
        (SHARDS[member >> 40].source, SHARDS[survivor >> 40].source)
        for survivor, members in groups
        for member in members
    )
    assert {(one, two): count for one, two, count in merged["sources"]} == sources
    assert sum(count for _, _, count in merged["dumps"]) == sources.total()


def test_survivors_of_earlier_runs_and_of_split_clusters() -> None:
    first, second = ClusterFacts(SHARDS), ClusterFacts(SHARDS)
    for batch in table([(-5, [address(0, 1)]), (address(1, 4), [address(0, 2), address(0, 3)])], 9):
        first.add(batch)
    for batch in table([(address(1, 4), [address(2, 0), address(2, 1)])], 9):
        second.add(batch)
    parts = [one for one in (first.to_json(), second.to_json()) if one is not None]
    merged = merge(parts)
    assert merged["largest"][0] == [address(1, 4), 4, [address(0, 2), address(0, 3), address(2, 0)]]
    assert ["web", EARLIER, 1] in merged["sources"]
    assert ["web CC-MAIN-2024-10", "web CC-MAIN-2024-18", 2] in merged["dumps"]


def test_other_tables_are_passed_over() -> None:
    facts = ClusterFacts(SHARDS)
    facts.add(pa.RecordBatch.from_pydict({"survivor": [1]}))
    facts.add(table([(1, [2])], 1)[0].slice(0, 0))
    assert facts.to_json() is None
    assert merge([]) == {"largest": [], "sources": [], "dumps": []}


def test_a_shard_of_two_crawls_is_of_neither() -> None:
    files = tuple(SourceFile(f"CC-MAIN-2024-{week}/x", "x", 1) for week in (10, 18))
    assert labels_of([Shard(0, "web", files)])["dumps"] == ["web generation 0"]
