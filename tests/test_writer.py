"""The Parquet writer: equal rows give equal bytes, and a file is there whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from corpusforge.writer import commit_parquet, one_batch, row_groups

SCHEMA = pa.schema([("id", pa.binary(2)), ("text", pa.large_string()), ("n", pa.int64())])
ROWS = [{"id": b"%02d" % n, "text": f"text {n}" if n % 3 else None, "n": n} for n in range(10)]


def batch(rows: list[dict[str, object]]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist(rows, schema=SCHEMA)


def write(path: Path, batches: list[pa.RecordBatch]) -> dict[str, object]:
    with commit_parquet(str(path), SCHEMA) as writer:
        for item in batches:
            writer.write(item)
    return writer.facts


def test_equal_rows_give_equal_bytes_wherever_they_lie_in_memory(tmp_path):
    plain = write(tmp_path / "a.parquet", [batch(ROWS[:6]), batch(ROWS[6:])])
    sliced = batch([*ROWS, *ROWS]).slice(10)
    other = write(tmp_path / "b.parquet", [sliced.slice(0, 6), sliced.slice(6)])
    assert plain == other
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    assert plain["rows"] == 10
    assert plain["bytes"] == (tmp_path / "a.parquet").stat().st_size


def test_other_row_groups_give_other_bytes_and_the_same_digests(tmp_path):
    one = write(tmp_path / "a.parquet", [batch(ROWS)])
    two = write(tmp_path / "b.parquet", [batch(ROWS[:5]), batch(ROWS[5:])])
    assert one["sha256"] != two["sha256"]
    assert one["digests"] == two["digests"]
    changed = write(tmp_path / "c.parquet", [batch([*ROWS[:9], {**ROWS[9], "n": 10}])])
    assert {name for name in SCHEMA.names if changed["digests"][name] != one["digests"][name]} == {"n"}


def test_every_batch_is_a_row_group_also_an_empty_one(tmp_path):
    write(tmp_path / "a.parquet", [batch(ROWS[:2]), batch([]), batch(ROWS[2:])])
    assert pq.ParquetFile(tmp_path / "a.parquet").num_row_groups == 3
    found = list(row_groups(str(tmp_path / "a.parquet")))
    assert [item.num_rows for item in found] == [2, 0, 8]
    assert [row for item in found for row in item.to_pylist()] == ROWS
    assert next(row_groups(str(tmp_path / "a.parquet"), ["n"])).schema.names == ["n"]


def test_an_error_leaves_nothing_behind(tmp_path):
    with pytest.raises(KeyError):
        write(tmp_path / "a.parquet", [batch(ROWS), pa.RecordBatch.from_pylist([{"id": b"00"}])])
    assert list(tmp_path.iterdir()) == []


def test_a_table_is_one_batch_or_an_error():
    assert one_batch(pa.Table.from_batches([batch(ROWS[:4]), batch(ROWS[4:])])).to_pylist() == ROWS
    assert one_batch(pa.Table.from_batches([], schema=SCHEMA)).num_rows == 0
