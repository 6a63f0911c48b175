"""Parquet files that nobody vouches for: what they claim costs no memory and no time."""

from __future__ import annotations

import io
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
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


def test_pages_that_are_cut_cost_their_row_group() -> None:
    data = bytearray(packed({"text": ["some text"] * 3}, row_group_size=2, use_dictionary=False))
    begin = pq.ParquetFile(io.BytesIO(bytes(data))).metadata.row_group(0).column(0).data_page_offset
    data[begin : begin + 30] = b"\xff" * 30
    found = read(bytes(data), ["text"])
    assert kinds(found) == ["bad_row_group"]
    assert [item[0] for item in found if not isinstance(item, Damaged)] == ["a.parquet#2"]


def invalid(values: list[bytes]) -> pa.Array:
    return pa.array(values, pa.binary()).view(pa.string())


def test_bytes_that_are_no_utf8_cost_their_row() -> None:
    found = read(packed({"text": invalid([b"first", b"\xff\xfe", b"last"])}), ["text"])
    assert kinds(found) == ["bad_value"]
    assert (found[1].locator, found[1].error[:18]) == ("a.parquet#1", "UnicodeDecodeError")
    assert [found[0], found[2]] == [("a.parquet#0", {"text": "first"}), ("a.parquet#2", {"text": "last"})]


@pytest.mark.parametrize(
    "values",
    [
        pa.array([1, 2**62, 2], pa.timestamp("us")),
        pa.array([1, 2**60, 2], pa.timestamp("ms")),
        pa.array([1, 2**31 - 1, 2], pa.date32()),
        pa.ListArray.from_arrays([0, 1, 2, 3], invalid([b"a", b"\xed\xa0\x80", b"b"])),
        pa.StructArray.from_arrays([invalid([b"a", b"\x80", b"b"])], ["inner"]),
    ],
    ids=["microseconds", "milliseconds", "days", "list", "struct"],
)
def test_values_that_python_cannot_hold_cost_their_row(values: pa.Array) -> None:
    found = read(packed({"text": ["a", "b", "c"], "value": values}), ["text", "value"])
    assert [item.kind if isinstance(item, Damaged) else item[1]["text"] for item in found] == (
        ["a", "bad_value", "c"]
    )
    assert kinds(read(packed({"text": ["a", "b", "c"], "value": values}), ["text"])) == []


def test_an_unknown_time_zone_costs_the_rows_that_have_one() -> None:
    when = pa.array([1, None], pa.timestamp("us", "Mars/Phobos"))
    found = read(packed({"text": ["a", "b"], "when": when}), ["text", "when"])
    assert kinds(found) == ["bad_value"]
    assert found[1] == ("a.parquet#1", {"text": "b", "when": None})


def test_nanoseconds_are_cut_at_any_depth() -> None:
    nanoseconds = 1_600_000_000_123_456_789
    kind = pa.timestamp("ns", "UTC")
    moment = datetime(2020, 9, 13, 12, 26, 40, 123456, UTC)
    columns = {
        "flat": pa.array([nanoseconds], kind),
        "list": pa.array([[nanoseconds, None]], pa.list_(kind)),
        "struct": pa.array([{"at": nanoseconds}], pa.struct([("at", kind)])),
        "map": pa.array([[("at", nanoseconds)]], pa.map_(pa.string(), kind)),
        "time": pa.array([1_000_001_001], pa.time64("ns")),
    }
    ((_, row),) = read(packed(columns), list(columns))
    assert type(row["flat"]) is datetime
    assert row["time"].isoformat() == "00:00:01.000001"
    del row["time"]
    assert row == {
        "flat": moment,
        "list": [moment, None],
        "struct": {"at": moment},
        "map": [("at", moment)],
    }


def test_a_footer_that_contradicts_itself_ends_no_process() -> None:
    # The histogram of definition levels is that of a column that may be null; the schema then says that it may not.
    data = packed({"text": ["a"] * 10})
    optional, required = b"\x25\x02\x18\x04text", b"\x25\x00\x18\x04text"
    assert data.count(optional) == 1
    program = (
        "import io, sys\n"
        "from corpusforge.sources.c4 import C4, Parameters, SourceFile\n"
        "data = sys.stdin.buffer.read()\n"
        "file = SourceFile('a.parquet', 'a.parquet', len(data))\n"
        "print([item.kind for item in C4(Parameters()).records(file, io.BytesIO(data))])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=data.replace(optional, required),
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout.decode().strip()) == (0, "['bad_row_group']"), done.stderr


def test_a_list_of_one_long_value_many_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "DECODED_BYTES", 1 << 24)
    data = packed(
        {"text": ["a", "b"], "list": pa.array([["x" * (1 << 16)] * 600, ["y"]])},
        compression="zstd",
        row_group_size=1,
    )
    assert len(data) < 5000
    before = pa.total_allocated_bytes()
    found = read(data, ["text", "list"])
    assert pa.total_allocated_bytes() - before < 1 << 20
    assert kinds(found) == ["decompression_bomb"]
    assert found[1] == ("a.parquet#1", {"text": "b", "list": ["y"]})
    assert kinds(read(data, ["text"])) == []


@pytest.mark.parametrize("encoding", ["PLAIN", "DELTA_BYTE_ARRAY"])
def test_a_list_of_long_values_that_compress_well(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "DECODED_BYTES", 1 << 20)
    columns = {"list": pa.array([["x" * 100_000] * 200])}
    options = {"use_dictionary": False, "column_encoding": encoding, "compression": "zstd"}
    assert kinds(read(packed(columns, **options), ["list"])) == ["decompression_bomb"]


@pytest.mark.parametrize("compression", ["none", "snappy", "zstd", "gzip", "brotli", "lz4"])
def test_lists_of_short_values_many_times_are_read(compression: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # The dictionary's length times the values is over the bound, the longest value's times the values is not.
    monkeypatch.setattr(parquet, "DECODED_BYTES", 1 << 20)
    table = {"list": [[f"value {(number * 7 + at) % 500}" for at in range(3)] for number in range(5000)]}
    data = packed(table, compression=compression)
    assert len(data) * parquet.UNFOLDED_PER_BYTE + (1 << 20) < 15_000 * 500 * 10
    assert [row["list"] for _, row in read(data, ["list"])] == table["list"]


def test_what_lists_and_structs_hold_counts_towards_the_limit() -> None:
    columns = {"list": [["a"], ["b" * 9] * 3, ["c"]], "struct": [{"x": "a"}, {"x": "b"}, {"x": "c" * 30}]}
    found = read(packed(columns), ["list", "struct"], limit=20)
    assert [item.kind if isinstance(item, Damaged) else "row" for item in found] == (
        ["row", "row_too_long", "row_too_long"]
    )


@pytest.mark.parametrize(
    "footer",
    [
        b"\x29\xfc\xff\xff\xff\xff\x0f",  # a schema of four billion elements
        b"\x29\x7c\x00\x00",  # one that is cut
        b"\x19\x17" * 3000,  # doubles that are not there
        b"\x1c" * 5000,  # structs in structs
        b"\x19" * 5000,  # lists in lists
        b"\x28" + b"\xff" * 20,
    ],
)
def test_hostile_footers(footer: bytes) -> None:
    data = b"PAR1" + footer + len(footer).to_bytes(4, "little") + b"PAR1"
    with pytest.raises(pa.ArrowInvalid):
        read(data, ["text"])


def test_the_schema_says_which_columns_repeat() -> None:
    columns = {
        "flat": ["a"],
        "a.b": ["a"],
        "struct": [{"x": {"y": 1}, "list": [{"z": "a"}]}],
        "map": pa.array([[("k", "v")]], pa.map_(pa.string(), pa.string())),
    }
    data = packed(columns)
    schema = pq.ParquetFile(io.BytesIO(data)).schema
    leaves = ParquetRows(SourceFile("a", "a", len(data)), io.BytesIO(data), 1)._leaves
    assert [leaf.prefixes[-1] for leaf in leaves] == [schema.column(number).path for number in range(6)]
    assert [leaf.repeated for leaf in leaves] == (
        [schema.column(number).max_repetition_level > 0 for number in range(6)]
    )


_SMALL = [
    packed(
        {
            "text": ["some text", None, "é", "more"],
            "list": [["x", "y"], [], None, ["z" * 40]],
            "when": pa.array([1, 2, 3, 2**60], pa.timestamp("ns", "Europe/Paris")),
        },
        compression=compression,
        row_group_size=2,
        **options,
    )
    for compression in ("none", "zstd")
    for options in ({"data_page_version": "1.0"}, {"data_page_version": "2.0", "use_dictionary": False})
]


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(_SMALL),
    st.lists(st.tuples(st.integers(0, 1 << 16), st.integers(0, 255)), min_size=1, max_size=4),
)
def test_bytes_that_changed_cost_rows_and_nothing_else(data: bytes, changes: list[tuple[int, int]]) -> None:
    changed = bytearray(data)
    for place, value in changes:
        changed[place % len(data)] = value
    try:
        rows = ParquetRows(SourceFile("a", "a", len(data)), io.BytesIO(bytes(changed)), 1 << 20)
    except (pa.ArrowException, OSError):
        return
    wanted = [name for name in ("text", "list", "when") if name in rows.names]
    for item in rows.rows(wanted):
        assert isinstance(item, Damaged) or set(item[1]) == set(wanted)
