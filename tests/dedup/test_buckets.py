from __future__ import annotations

import numpy as np
import pyarrow as pa
from memory_plan import Document, MemoryPlan

from corpusforge.dedup.buckets import (
    PAIR_SCHEMA,
    BandEmitter,
    BucketReducer,
    RequestReducer,
    document_shingles,
    node_keys,
    pair_spec,
    request_spec,
)
from corpusforge.dedup.minhash import MinhashParameters
from corpusforge.texts import Texts


def test_shingles_ignore_case_and_punctuation() -> None:
    texts = Texts.from_strings(["One two, three FOUR five six", "one TWO three four (five) six!", ""])
    offsets, hashes = document_shingles(texts, 5)
    assert offsets.tolist() == [0, 2, 4, 4]
    assert hashes[:2].tolist() == hashes[2:].tolist()
    assert hashes[0] != hashes[1]


def test_a_row_per_band_and_document_with_words() -> None:
    plan = MemoryPlan([[Document("a", "some words here"), Document("b", "...")]])
    plan.exchange(BandEmitter(MinhashParameters(bands=5, rows=3), "bands"))
    rows = pa.concat_tables(plan.exchanges["bands"].values()).to_pylist()
    assert len(rows) == 5
    assert {row["address"] for row in rows} == {0}
    assert len({row["key"] for row in rows}) == 5
    assert plan.bytes_per_row("bands") <= plan.specs["bands"].bytes_per_row + 1


def test_copies_are_paired_with_the_preferred_one_alone() -> None:
    text = "the same words in every document"
    plan = MemoryPlan([[Document(f"d{number}", text) for number in range(9)]], run_rows=2)
    plan.exchange(BandEmitter(MinhashParameters(bands=3, rows=2), "bands"))
    plan.reduce("bands", BucketReducer(4, pair_spec("pairs")))
    rows = pa.concat_tables(plan.exchanges["pairs"].values()).to_pylist()
    assert len({row["leader"] for row in rows}) == 1
    assert len({(row["leader"], row["member"]) for row in rows}) == 8
    assert plan.statistics == {"bucket_pairs": 3 * 8, "bucket_overflow": 0}


def test_each_pair_and_each_leader_is_asked_for_once() -> None:
    plan = MemoryPlan([[], []], run_rows=2)
    pairs = [(1, 5, 2), (1, 5, 0), (1, 6, 1), (2, 6, 0), (2, 6, 0)]
    leaders, members, ranks = (np.array(column, np.int64) for column in zip(*pairs))
    columns = {"key": node_keys(leaders), "member": members, "rank": ranks, "leader": leaders}
    plan._store(pair_spec("pairs"), [pa.RecordBatch.from_pydict(columns, schema=PAIR_SCHEMA)])
    plan.reduce("pairs", RequestReducer(request_spec("requests")))
    rows = pa.concat_tables(plan.exchanges["requests"].values()).to_pylist()
    assert [tuple(row.values()) for row in rows] == [(1, -1, 1), (2, -1, 2), (5, 0, 1), (6, 0, 2), (6, 1, 1)]
    assert plan.statistics == {"candidate_pairs": 3, "leaders": 2}


def test_no_address_has_key_zero() -> None:
    addresses = np.array([0, 1, (1 << 62) - 1, 5 << 40], np.int64)
    keys = node_keys(addresses)
    assert 0 not in keys
    assert len(set(keys.tolist())) == len(addresses)
