"""Parquet files that nobody vouches for: what they claim costs no memory and no time."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusforge.sources import parquet
from corpusforge.sources.base import Damaged, SourceFile
from corpusforge.sources.parquet import ParquetRows


def packed(columns: dict[str, Any], **options: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink, **options)
    return sink.getvalue()


def read(data: bytes, columns: list[str], limit: int = 1 << 26) -> list[Any]:
    rows = ParquetRows(SourceFile("a.parquet", "a.parquet", len(data)), io.BytesIO(data), limit)
    return list(rows.rows(columns))


def kinds(found: list[Any]) -> list[str]:
    return [item.kind for item in found if isinstance(item, Damaged)]


@pytest.mark.parametrize("compression", ["none", "snappy", "zstd", "gzip"])
@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_rows_are_those_of_the_table(compression: str, version: str) -> None:
    texts = [f"Text {number} é" * (number % 7) for number in range(900)]
    table: dict[str, Any] = {"text": texts, "meta": [{"url": text[:6], "list": [1, 2]} for text in texts]}
    options = {"compression": compression, "data_page_version": version, "data_page_size": 2000}
    data = packed(table | {"other": texts}, row_group_size=400, **options)
    expected = [
        (f"a.parquet#{number}", {"text": text, "meta": table["meta"][number]})
        for number, text in enumerate(texts)
    ]
    assert read(data, ["text", "meta"]) == expected


def test_real_files_are_read_in_full(shared_data: Path) -> None:
    data = (shared_data / "c4" / "hf-c4-train-00000-of-01637.parquet").read_bytes()
    assert [row for _, row in read(data, ["text"])] == (
        pq.read_table(io.BytesIO(data), columns=["text"]).to_pylist()
    )


def test_a_page_that_unfolds_too_far_costs_its_row_group(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "PAGE_BYTES", 1 << 20)
    rows = ["first", " " * (4 << 20), "last"]
    data = packed({"text": rows}, compression="zstd", row_group_size=1)
    assert len(data) < 8000
    found = read(data, ["text"])
    assert kinds(found) == ["page_too_large"]
    assert [item[1]["text"] for item in found if not isinstance(item, Damaged)] == ["first", "last"]
    assert [item[0] for item in found if not isinstance(item, Damaged)] == ["a.parquet#0", "a.parquet#2"]


def test_more_rows_than_a_file_of_its_size_can_hold() -> None:
    data = packed({"text": pa.nulls(3_000_000, pa.string())}, row_group_size=3_000_000)
    assert len(data) < 10_000
    (found,) = read(data, ["text"])
    assert found.kind == "too_many_rows"
    assert "3000000 rows" in found.error


def test_lists_of_more_values_than_the_file_can_hold() -> None:
    data = packed({"text": ["a"], "list": pa.array([[None] * 2_000_000], pa.list_(pa.string()))})
    assert kinds(read(data, ["text", "list"])) == ["bad_row_group"]
    assert kinds(read(data, ["text"])) == []


def test_one_value_that_many_rows_repeat(monkeypatch: pytest.MonkeyPatch) -> None:
    data = packed({"text": ["x" * 100_000] * 2000}, compression="zstd")
    assert len(data) < 10_000
    monkeypatch.setattr(parquet, "FREE_TEXT", 10_000_000)
    monkeypatch.setattr(parquet, "TEXT_PER_BYTE", 1)
    found = read(data, ["text"])
    assert kinds(found) == ["decompression_bomb"]
    assert 90 < len(found) < 110
    # Long values are decoded a few at a time.
    decoded: list[int] = []
    group = ParquetRows._of_group

    def spy(self: ParquetRows, number: int, columns: Any, at_once: int) -> Any:
        decoded.append(at_once)
        return group(self, number, columns, at_once)

    monkeypatch.setattr(ParquetRows, "_of_group", spy)
    monkeypatch.setattr(parquet, "DECODED_BYTES", 1_000_000)
    read(data, ["text"])
    assert decoded == [9]


def test_a_row_over_the_limit_costs_itself() -> None:
    found = read(packed({"text": ["a", "b" * 50, "c"]}), ["text"], limit=20)
    assert kinds(found) == ["row_too_long"]
    assert len(found) == 3


@given(st.binary(max_size=60))
def test_headers_of_pages_that_are_none(data: bytes) -> None:
    try:
        _, end = parquet._struct(data, 0)
    except parquet._PageError:
        return
    assert end <= len(data)


def test_pages_that_are_cut_cost_their_row_group() -> None:
    data = bytearray(packed({"text": ["some text"] * 3}, row_group_size=2, use_dictionary=False))
    begin = pq.ParquetFile(io.BytesIO(bytes(data))).metadata.row_group(0).column(0).data_page_offset
    data[begin : begin + 30] = b"\xff" * 30
    found = read(bytes(data), ["text"])
    assert kinds(found) == ["bad_row_group"]
    assert [item[0] for item in found if not isinstance(item, Damaged)] == ["a.parquet#2"]
