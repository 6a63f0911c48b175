from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from corpusforge.dedup.minhash import MinhashParameters
from corpusforge.dedup.stars import IDENTICAL, SAMPLED, leader_spec
from corpusforge.dedup.verify import COMPARED, LEADS, NOT_COMPARED, SET_SCHEMA, SetEmitter, VerifyReducer
from corpusforge.operations import RunContext
from corpusforge.step import RATIO, LiveRows
from corpusforge.texts import Texts


def set_row(key: int, role: int, address: int, shingles: list[int], cut: int = 0) -> dict[str, object]:
    priority = {"p0": 0, "p1": 0, "p2": 0, "p3": address, "p4": 7}
    return {"key": key, "role": role, "address": address, **priority, "cut": cut, "shingles": shingles}


def edges(
    rows: list[dict[str, object]], size: int, threshold: float = 0.5
) -> dict[tuple[int, int], tuple[int, int]]:
    table = pa.Table.from_pylist(rows, schema=SET_SCHEMA)
    reducer = VerifyReducer(threshold, leader_spec("out"))
    reducer.open(RunContext())
    batches = (table.slice(at, size).combine_chunks().to_batches()[0] for at in range(0, len(rows), size))
    found = [row for name, batch in reducer.reduce(batches) if name == "out" for row in batch.to_pylist()]
    markers = {row["member"] for row in found if row["kind"] == 1}
    assert markers == {row["member"] for row in found if row["kind"] == 2}
    return {
        (row["leader"], row["member"]): (row["similarity"], row["flags"]) for row in found if row["kind"] == 2
    }


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_sets_meet_their_leader_across_batches(size: int) -> None:
    rows = [
        set_row(1, LEADS, 10, [1, 2, 3, 4]),
        set_row(1, COMPARED, 11, [1, 2, 3, 4]),
        set_row(1, COMPARED, 12, [1, 2]),
        set_row(1, COMPARED, 13, [4, 5]),
        set_row(1, NOT_COMPARED, 14, []),
        # The leader of key 2 is no longer among the living.
        set_row(2, COMPARED, 11, [1, 2, 3, 4]),
        set_row(3, LEADS, 11, [9]),
        set_row(3, COMPARED, 15, [9]),
    ]
    assert edges(rows, size) == {
        (10, 11): (RATIO, IDENTICAL),
        (10, 12): (RATIO // 2, 0),
        (11, 15): (RATIO, IDENTICAL),
    }


def test_the_threshold_is_exact() -> None:
    rows = [set_row(1, LEADS, 10, [1, 2, 3]), set_row(1, COMPARED, 11, [1, 2])]
    assert len(edges(rows, 9, 0.666666666)) == 1
    assert len(edges(rows, 9, 0.666666667)) == 0


def test_a_cut_set_is_never_identical_to_a_whole_one() -> None:
    rows = [set_row(1, LEADS, 10, [1, 2, 3], cut=1), set_row(1, COMPARED, 11, [1, 2, 3])]
    assert edges(rows, 9) == {(10, 11): (RATIO, SAMPLED)}
    rows[1] = set_row(1, COMPARED, 11, [1, 2, 3], cut=1)
    assert edges(rows, 9) == {(10, 11): (RATIO, SAMPLED | IDENTICAL)}


def test_the_budget_serves_the_best_ranks_and_always_the_leader_itself() -> None:
    requests = [(1, -1, 1), *((1, rank, 100 + rank) for rank in range(6)), (2, 0, 1)]
    joined = pa.RecordBatch.from_pylist(
        [
            {"address": address, "rank": rank, "leader": leader, "row": address}
            for address, rank, leader in requests
        ]
    )
    columns = {
        "id": pa.array([bytes(16)] * 3, pa.binary(16)),
        "source": pa.array(["s"] * 3),
        "date": pa.array([None] * 3, pa.string()),
    }
    texts = Texts.from_strings(["never asked", " ".join(f"w{n}" for n in range(40)), "two words"])
    rows = LiveRows(texts, columns, addresses=np.arange(3), joined={"asked": joined})
    parameters = MinhashParameters(ngram=1, comparison_budget=200)
    batch = SetEmitter(parameters, "asked", "sets").emit(rows)
    assert batch.column("role").to_pylist() == [LEADS, *[COMPARED] * 5, NOT_COMPARED, COMPARED]
    assert [len(value) for value in batch.column("shingles").to_pylist()] == [*[40] * 6, 0, 2]
    assert all(value == sorted(value) for value in batch.column("shingles").to_pylist())


def test_nobody_asked_for_nothing() -> None:
    joined = pa.RecordBatch.from_pylist(
        [], schema=pa.schema([(name, pa.int64()) for name in ("address", "rank", "leader", "row")])
    )
    columns = {
        "id": pa.array([bytes(16)], pa.binary(16)),
        "source": pa.array(["s"]),
        "date": pa.array([None], pa.string()),
    }
    rows = LiveRows(Texts.from_strings(["text"]), columns, joined={"asked": joined})
    assert SetEmitter(MinhashParameters(), "asked", "sets").emit(rows).num_rows == 0
