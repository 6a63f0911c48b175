"""C4's layouts: every column kept, every bad line on its own, whatever the compression."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import tracemalloc
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from corpusforge.sources.base import Damaged, Record, Skipped, SourceFile
from corpusforge.sources.c4 import C4, Parameters, iso_date
from corpusforge.sources.decompress import Line, bounded_lines

ROWS = [
    {
        "text": f"document {number} ünïcode",
        "url": f"http://a.example/{number}",
        "timestamp": "2019-04-25T12:57:54Z",
    }
    for number in range(10)
]
PACKERS = {
    "plain": lambda data: data,
    "gz": gzip.compress,
    "zst": lambda data: zstandard.ZstdCompressor().compress(data),
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "two members": lambda data: gzip.compress(data[:100]) + gzip.compress(data[100:]),
}


def read(data: bytes, name: str = "c4-train.00000-of-01024.json.gz", **parameters: object) -> list:
    source = C4(Parameters(**parameters))
    return list(source.records(SourceFile(name, name, len(data)), io.BufferedReader(io.BytesIO(data))))


def lines(rows: list) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


@pytest.mark.parametrize("packing", PACKERS)
def test_rows_keep_text_url_and_date_in_any_compression(packing):
    found = read(PACKERS[packing](lines(ROWS)))
    assert [item.payload.decode() for item in found] == [row["text"] for row in ROWS]
    assert [item.url for item in found] == [row["url"] for row in ROWS]
    assert {item.date for item in found} == {"2019-04-25T12:57:54Z"}
    assert found[3].locator == found[3].origin_key == "c4-train.00000-of-01024.json.gz#3"


def test_each_bad_line_costs_itself():
    bad = [b"{", b"[1]", b'{"text": 5}', b'{"url": "x"}', b"", b"\xff\xfe", b"[" * 100_000]
    data = lines(ROWS[:1]) + b"\n".join(bad) + b"\n" + lines(ROWS[1:2])
    found = read(data)
    assert isinstance(found[0], Record)
    assert isinstance(found[-1], Record)
    assert [item.kind for item in found[1:-1]] == [
        "bad_json",
        "bad_json",
        "no_text",
        "no_text",
        "empty_line",
        "bad_json",
        "bad_json",
    ]
    assert sum(item.size for item in found) == len(data)


def test_a_line_over_the_limit_is_given_up_and_the_next_is_read():
    data = lines([{"text": "x" * 5000}]) + lines(ROWS[:1])
    found = read(data, max_line_bytes=1000)
    assert [type(item) for item in found] == [Damaged, Record]
    assert found[0].kind == "line_too_long"
    assert sum(item.size for item in found) == len(data)


def test_a_cut_stream_gives_what_is_whole_and_one_damage():
    data = gzip.compress(lines(ROWS * 2000))
    found = read(data[: len(data) // 2])
    assert all(isinstance(item, Record) for item in found[:-2])
    assert isinstance(found[-1], Damaged)
    assert found[-1].kind == "damaged_stream"
    assert len(found) > 1000


def test_parquet_with_a_column_map(tmp_path: Path):
    table = pa.table(
        {"content": [row["text"] for row in ROWS], "source_url": [None] * 10, "stars": list(range(10))}
    )
    sink = io.BytesIO()
    pq.write_table(table, sink, row_group_size=3)
    found = read(sink.getvalue(), "part.parquet", text="content", url="source_url", keep=["stars"])
    assert [item.payload.decode() for item in found] == [row["text"] for row in ROWS]
    assert [item.meta for item in found] == [{"stars": number} for number in range(10)]
    assert {item.url for item in found} == {None}
    assert [item.kind for item in read(sink.getvalue(), "part.parquet")] == ["no_text_column"]
    assert [item.kind for item in read(sink.getvalue()[:-10], "part.parquet", text="content")] == [
        "bad_parquet"
    ]


def test_lines_are_bounded_whatever_the_stream_gives():
    data = b"ab\n" + b"c" * 10 + b"\nd\n\nlast"
    assert list(bounded_lines(io.BytesIO(data), 4)) == [
        Line(0, b"ab", 3),
        Line(1, None, 11),
        Line(2, b"d", 2),
        Line(3, b"", 1),
        Line(4, b"last", 4),
    ]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2019-04-25T12:57:54Z", "2019-04-25T12:57:54Z"),
        ("2019-04-25 12:57:54+02:00", "2019-04-25T10:57:54Z"),
        (1_556_197_074, "2019-04-25T12:57:54Z"),
        ("yesterday", None),
        (None, None),
        (True, None),
        (1e30, None),
        ("0001-01-01T00:00:00+14:00", None),
        ("9999-12-31T23:59:59-01:00", None),
        ("9999-12-31T23:59:59+01:00", "9999-12-31T22:59:59Z"),
        (datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14))), None),
        (float("nan"), None),
        (10**30, None),
        ("9" * 5000, None),
    ],
)
def test_dates(value, expected):
    assert iso_date(value) == expected


def test_real_c4_files(shared_data: Path):
    folder = shared_data / "c4"
    path = folder / "wimbd-c4-sample.00000-of-00001.json.gz"
    found = read(path.read_bytes(), path.name, date="date")
    assert len(found) == 1000
    assert all(isinstance(item, Record) and item.url and item.date for item in found)
    parquet = folder / "hf-c4-train-00000-of-01637.parquet"
    assert all(isinstance(item, Record) for item in read(parquet.read_bytes(), parquet.name))
    assert not any(isinstance(item, Skipped) for item in found)


def test_layouts_of_others_by_their_columns():
    """MC4, RedPajama (an object or its text in `meta`), Dolma, and a Parquet file with a struct."""
    date, url = "2020-02-03T00:00:00Z", "http://a.example/1"
    mc4 = {"text": "t", "timestamp": "2020-02-03T00:00:00Z", "url": url}
    redpajama = {"text": "t", "meta": {"url": url, "timestamp": "2020-02-03T00:00:00.000Z", "language": "en"}}
    in_text = {"text": "t", "meta": json.dumps(redpajama["meta"])}
    dolma = {"id": "x", "text": "t", "created": date, "metadata": {"source": {"url": url}}}
    nested = {"url": "meta.url", "date": "meta.timestamp", "keep": ["meta.language", "meta.none"]}
    in_dolma = {"url": "metadata.source.url", "date": "created", "id": "id"}
    for row, columns in ((mc4, {}), (redpajama, nested), (in_text, nested), (dolma, in_dolma)):
        (found,) = read(lines([row]), "c4-af.tfrecord-00000-of-00064.json.gz", **columns)
        assert (found.payload, found.url, found.date) == (b"t", url, date)
    assert found.origin_key == "x"
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([redpajama, in_text | {"meta": None}, redpajama]), sink)
    found = read(sink.getvalue(), "part.parquet", **nested)
    assert [item.url for item in found] == [url, None, url]
    assert [item.meta for item in found] == [{"meta.language": "en"}, {}, {"meta.language": "en"}]


@pytest.mark.parametrize("meta", ["{" * 50_000, "{broken", [1], 5, None, {"url": {"a": 1}}])
def test_a_field_that_is_not_there_is_none(meta):
    (found,) = read(lines([{"text": "t", "meta": meta}]), url="meta.url.x")
    assert isinstance(found, Record)
    assert found.url is None


def test_a_bomb_of_one_line_takes_the_memory_of_the_limit():
    packed = gzip.compress(b'{"text": "' + bytes(64 << 20))
    tracemalloc.start()
    found = read(packed, max_line_bytes=1 << 20)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [item.kind for item in found] == ["line_too_long"]
    assert peak < 8 << 20
