"""The exchange against the obvious: sort everything in memory, cut by partition."""

from __future__ import annotations

import io

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusforge import exchange
from corpusforge.exchange import RunBuilder, merge_runs, partition_numbers, write_run
from corpusforge.operations import ExchangeSpec, address_of

SCHEMA = pa.schema([("key", pa.uint64()), ("order", pa.int64()), ("payload", pa.string())])
SPEC = ExchangeSpec("test", SCHEMA, ("key", "order"))

rows = st.lists(
    st.tuples(
        st.sampled_from([0, 1, 2**63, 2**64 - 1, 2**62 + 5, 7]), st.integers(-5, 5), st.text(max_size=3)
    ),
    max_size=60,
)


def batch_of(items: list[tuple[int, int, str]]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist(
        [{"key": key, "order": order, "payload": payload} for key, order, payload in items], schema=SCHEMA
    )


def as_source(batches: list[pa.RecordBatch]) -> io.BytesIO:
    sink = io.BytesIO()
    write_run(sink, SCHEMA, iter(batches))
    return io.BytesIO(sink.getvalue())


@given(
    batches=st.lists(rows, max_size=5),
    partitions=st.sampled_from([1, 2, 8]),
    memory=st.sampled_from([1, 500, 1 << 20]),
)
def test_runs_hold_all_rows_sorted_in_their_partition(batches, partitions, memory):
    builder = RunBuilder(SPEC, partitions, memory)
    for items in batches:
        builder.add(batch_of(items))
    found = {number: [row for batch in part for row in batch.to_pylist()] for number, part in builder.runs()}
    builder.close()
    expected: dict[int, list[tuple[int, int]]] = {}
    for items in batches:
        for key, order, _ in items:
            expected.setdefault(key * partitions >> 64, []).append((key, order))
    assert {n: [(r["key"], r["order"]) for r in part] for n, part in found.items()} == {
        n: sorted(part) for n, part in expected.items()
    }
    payloads = sorted(r["payload"] for part in found.values() for r in part)
    assert payloads == sorted(payload for items in batches for _, _, payload in items)
    assert list(found) == sorted(found)


@given(runs=st.lists(rows.filter(bool), max_size=6), batch_rows=st.integers(1, 4), fan_in=st.integers(2, 4))
def test_merging_runs_sorts_whatever_the_batches_and_rounds(runs, batch_rows, fan_in):
    before = exchange.RUN_BATCH_ROWS, exchange.FAN_IN
    exchange.RUN_BATCH_ROWS, exchange.FAN_IN = batch_rows, fan_in
    try:
        sources = [as_source([batch_of(sorted(items, key=lambda row: row[:2]))]) for items in runs]
        merged = [row for batch in merge_runs(SPEC, sources) for row in batch.to_pylist()]
    finally:
        exchange.RUN_BATCH_ROWS, exchange.FAN_IN = before
    keys = [(row["key"], row["order"]) for row in merged]
    assert keys == sorted((key, order) for items in runs for key, order, _ in items)


def test_rows_addressed_to_shards_go_to_the_shard_of_their_address():
    spec = ExchangeSpec("addressed", pa.schema([("key", pa.int64())]), ("key",), "shard")
    keys = np.concatenate([address_of(shard, np.arange(3)) for shard in (2, 0, 5)])
    batch = pa.RecordBatch.from_arrays([pa.array(keys)], schema=spec.schema)
    assert partition_numbers(spec, batch, 6).tolist() == [2, 2, 2, 0, 0, 0, 5, 5, 5]


def test_a_merge_holds_one_batch_per_run_not_the_runs():
    """A million rows in sixteen runs pass through a merge in a small part of their size."""
    generator = np.random.default_rng(0)
    sources = []
    for _ in range(16):
        keys = np.sort(generator.integers(0, 2**63, 65_536).astype(np.uint64))
        batch = pa.RecordBatch.from_arrays(
            [pa.array(keys), pa.array(np.arange(len(keys))), pa.array(["x" * 20] * len(keys))], schema=SCHEMA
        )
        sources.append(as_source([batch]))
    start = pa.total_allocated_bytes()
    peak = total = 0
    for merged in merge_runs(SPEC, sources):
        total += merged.num_rows
        peak = max(peak, pa.total_allocated_bytes() - start)
    assert total == 16 * 65_536
    assert peak < 16 * exchange.RUN_BATCH_ROWS * 60 * 4


def test_columns_outside_the_schema_are_an_error():
    builder = RunBuilder(SPEC, 2, 1 << 20)
    with pytest.raises((KeyError, ValueError)):
        builder.add(pa.RecordBatch.from_pylist([{"key": 1}]))


@given(st.lists(st.one_of(st.none(), st.lists(st.integers(0, 2**64 - 1), max_size=4)), max_size=8), st.data())
def test_rows_with_lists_are_taken_as_arrow_takes_them(lists, data):
    schema = pa.schema([("number", pa.int64()), ("hashes", pa.list_(pa.uint64()))])
    batch = pa.RecordBatch.from_pydict({"number": range(len(lists)), "hashes": lists}, schema=schema)
    batch = batch.slice(data.draw(st.integers(0, len(lists))))
    rows = data.draw(st.lists(st.integers(0, batch.num_rows - 1), max_size=12)) if batch.num_rows else []
    rows = np.array(rows, np.int64)
    assert exchange.taken(batch, rows).equals(batch.take(pa.array(rows)))
