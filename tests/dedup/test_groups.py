from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from corpusforge.dedup.groups import GroupHeads, batch_of, columns_of


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), max_size=30), st.integers(1, 30))
def test_heads_do_not_depend_on_batches(rows: list[tuple[int, int]], size: int) -> None:
    rows = sorted(rows)
    groups = GroupHeads(("a", "b"), ("place",))
    opens: list[bool] = []
    heads: list[int] = []
    for start in range(0, len(rows), size):
        part = rows[start : start + size]
        columns = {
            "a": np.array([a for a, _ in part], np.uint64),
            "b": np.array([b for _, b in part], np.int64),
            "place": np.arange(start, start + len(part)),
        }
        mask, carried = groups.heads(columns)
        opens += mask.tolist()
        heads += carried["place"].tolist()
    assert heads == [rows.index(row) for row in rows]
    assert opens == [rows.index(row) == place for place, row in enumerate(rows)]


def test_an_empty_batch_keeps_the_group() -> None:
    groups = GroupHeads(("key",), ("value",))
    big = 2**64 - 1
    groups.heads({"key": np.array([big], np.uint64), "value": np.array([big], np.uint64)})
    groups.heads({"key": np.zeros(0, np.uint64), "value": np.zeros(0, np.uint64)})
    opens, heads = groups.heads({"key": np.array([big], np.uint64), "value": np.array([5], np.uint64)})
    assert not opens[0]
    assert heads["value"].tolist() == [big]


def test_batches_are_built_in_the_order_of_the_schema() -> None:
    schema = pa.schema([("b", pa.int64()), ("a", pa.uint64())])
    columns = {"a": np.array([1, 2, 3], np.uint64), "b": np.array([4, 5, 6])}
    batch = batch_of(schema, columns, np.array([True, False, True]))
    assert batch.to_pylist() == [{"b": 4, "a": 1}, {"b": 6, "a": 3}]
    assert columns_of(batch)["a"].tolist() == [1, 3]
