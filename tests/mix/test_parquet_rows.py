"""Packed rows as Parquet: fixed row groups, read back by others' readers, nothing left of a write that failed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from corpusforge.mix.parquet_rows import ROW_GROUP, SCHEMA, commit_rows


def test_rows_come_back_in_groups_of_one_size(tmp_path):
    path = tmp_path / "rows.parquet"
    count = ROW_GROUP * 2 + 3
    with commit_rows(str(path)) as rows:
        for number in range(count):
            rows.write(np.arange(4, dtype=np.uint32) + number, np.array([0, 2, 4]), "web")
    table = pq.read_table(path)
    assert table.schema == SCHEMA
    assert table.column("input_ids").to_pylist()[5] == [5, 6, 7, 8]
    assert table.column("boundaries").to_pylist()[-1] == [0, 2, 4]
    groups = pq.ParquetFile(path).metadata
    assert [groups.row_group(at).num_rows for at in range(groups.num_row_groups)] == [ROW_GROUP, ROW_GROUP, 3]
    assert rows.facts["rows"] == count
    assert rows.facts["bytes"] == path.stat().st_size


def test_no_rows_are_a_file_without_rows(tmp_path):
    with commit_rows(str(tmp_path / "none.parquet")):
        pass
    table = pq.read_table(tmp_path / "none.parquet")
    assert table.num_rows == 0
    assert table.schema == SCHEMA


def broken_off(path: Path) -> None:
    with commit_rows(str(path)) as rows:
        rows.write(np.zeros(2, np.uint32), np.zeros(1), "web")
        raise ValueError("stop")


def test_a_write_that_fails_leaves_nothing(tmp_path):
    with pytest.raises(ValueError, match="stop"):
        broken_off(tmp_path / "rows.parquet")
    assert list(tmp_path.iterdir()) == []
