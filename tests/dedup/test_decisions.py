from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from corpusforge.dedup.decisions import DECISION_SCHEMA, Survivors, apply_decisions
from corpusforge.step import LiveRows
from corpusforge.texts import Texts


@given(st.lists(st.integers(0, 5), max_size=30), st.integers(1, 30))
def test_survivors_count_their_copies_in_any_batches(named: list[int], size: int) -> None:
    named = sorted(named)
    survivors = Survivors()
    batches = [survivors.add(np.array(named[at : at + size], np.int64)) for at in range(0, len(named), size)]
    rows = [row for batch in [*batches, survivors.finish()] if batch is not None for row in batch.to_pylist()]
    assert [(row["address"], row["copies"]) for row in rows] == [
        (address, named.count(address)) for address in sorted(set(named))
    ]
    assert all(row["duplicate"] == 0 for row in rows)


def test_decisions_become_signals_and_twins() -> None:
    schema = DECISION_SCHEMA.append(pa.field("row", pa.int64()))
    nothing = dict.fromkeys(DECISION_SCHEMA.names, 0)
    twin = {"twin_high": 1, "twin_low": 2**64 - 1}
    joined = pa.RecordBatch.from_pylist(
        [
            {**nothing, "address": 5, "copies": 2, "row": 1},
            {**nothing, "address": 5, "copies": 3, "row": 1},
            {"address": 7, "duplicate": 1, "similarity": 9, "sampled": 1, **twin, "copies": 0, "row": 2},
        ],
        schema=schema,
    )
    rows = LiveRows(Texts.from_strings(["a", "b", "c"]), {}, joined={"x": joined})
    measured, details = apply_decisions(rows, "x")
    assert np.asarray(measured.signals["duplicate"]).tolist() == [0, 0, 1]
    assert np.asarray(measured.signals["copies"]).tolist() == [0, 5, 0]
    assert measured.twins is not None
    assert measured.twins.to_pylist() == [None, None, bytes([0] * 7 + [1] + [255] * 8)]
    assert {name: values.tolist() for name, values in details.items()} == {
        "row": [2],
        "similarity": [9],
        "sampled": [1],
    }


def test_no_decisions_leave_all_documents() -> None:
    schema = DECISION_SCHEMA.append(pa.field("row", pa.int64()))
    rows = LiveRows(
        Texts.from_strings(["a"]), {}, joined={"x": pa.RecordBatch.from_pylist([], schema=schema)}
    )
    measured, _ = apply_decisions(rows, "x")
    assert np.asarray(measured.signals["duplicate"]).tolist() == [0]
    assert measured.twins is not None
    assert measured.twins.to_pylist() == [None]
