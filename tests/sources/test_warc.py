"""Records out of sound and damaged archives of every compression."""

from __future__ import annotations

import gzip
import io
import re
import tracemalloc
import zlib
from pathlib import Path
from unittest import mock

import pytest
import zstandard
from fastwarc.stream_io import Lz4Writer
from fastwarc.warc import ArchiveIterator
from hypothesis import example, given, settings
from hypothesis import strategies as st

from corpusforge.sources.warc import Lost, RawRecord, begins_record, header_end, parse_fields, read_records

LIMIT = 1 << 20


def record(number: int, content: bytes | None = None, warc_type: str = "response") -> bytes:
    body = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n" + f"<p>page {number}</p>".encode() * 40
    content = body if content is None else content
    return (
        f"WARC/1.0\r\nWARC-Type: {warc_type}\r\nWARC-Record-ID: <urn:test:{number}>\r\n"
        f"WARC-Target-URI: http://example.org/{number}\r\nWARC-Date: 2024-05-18T01:58:10Z\r\n"
        f"Content-Length: {len(content)}\r\n\r\n"
    ).encode() + (content + b"\r\n\r\n")


def lz4(data: bytes) -> bytes:
    sink = io.BytesIO()
    writer = Lz4Writer(sink)
    writer.write(data)
    writer.close()
    return sink.getvalue()


def zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor(write_checksum=True).compress(data)


PACKERS = {"gz": gzip.compress, "zst": zstd, "lz4": lz4, "plain": bytes}


def read(data: bytes, name: str = "test.warc.gz", limit: int = LIMIT) -> tuple[list[RawRecord], list[Lost]]:
    found = list(read_records(io.BytesIO(data), name, limit))
    return [r for r in found if isinstance(r, RawRecord)], [r for r in found if isinstance(r, Lost)]


def names(records: list[RawRecord]) -> list[int]:
    return [int(r.headers["warc-record-id"].rpartition(":")[2].strip(">")) for r in records]


_GZIPPED = [gzip.compress(record(number), mtime=0) for number in range(5)]
_GZIPPED.append(
    gzip.compress(record(5, b"".join(number.to_bytes(2, "big") for number in range(4000))), mtime=0)
)
_INSERTED = (
    b"",
    b"\0",
    b"\x1f\x8b\x08",
    b"no member",
    _GZIPPED[0][-8:],
    _GZIPPED[1][-8:],
    gzip.compress(b""),
)


@given(
    st.lists(st.sampled_from(_GZIPPED), min_size=1, max_size=4),
    st.lists(
        st.tuples(st.integers(0, 1 << 16), st.sampled_from(["change", "cut", "insert"]), st.integers(0, 255)),
        max_size=2,
    ),
    st.sampled_from([0, 700, 1 << 20]),
)
def test_members_read_at_once_are_those_that_zlib_reads(
    members: list[bytes], damages: list[tuple[int, str, int]], at_once: int
) -> None:
    data = bytearray(b"".join(members))
    for place, kind, value in damages:
        place %= len(data) + 1
        if kind == "change":
            data[place : place + 1] = bytes([value])
        elif kind == "cut":
            data = data[: max(1, place)]
        else:
            data[place:place] = _INSERTED[value % len(_INSERTED)]
    with mock.patch("corpusforge.sources.containers.AT_ONCE", -1):
        expected = read(bytes(data))
    with mock.patch("corpusforge.sources.containers.AT_ONCE", at_once):
        assert read(bytes(data)) == expected


def test_a_member_whose_last_block_is_not_marked_as_such_is_damaged() -> None:
    whole = _GZIPPED[5]
    assert whole[10] & 1
    # All of its data come out, and their length and checksum are right.
    unmarked = whole[:10] + bytes([whole[10] & 0xFE]) + whole[11:]
    records, lost = read(_GZIPPED[0] + unmarked)
    assert names(records) == [0]
    assert [one.kind for one in lost] == [one.kind for one in read(_GZIPPED[0] + whole[:-4])[1]] != []


@pytest.mark.parametrize("packing", PACKERS)
def test_sound_archives(packing: str) -> None:
    members = [PACKERS[packing](record(number)) for number in range(10)]
    records, lost = read(b"".join(members))
    assert (names(records), lost) == (list(range(10)), [])
    starts = [sum(map(len, members[:number])) for number in range(10)]
    assert [(r.offset, r.inner) for r in records] == [(start, 0) for start in starts]
    assert records[3].content.endswith(b"<p>page 3</p>")
    assert records[3].size == len(record(3)) - 4


def flip(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes(byte ^ 0x55 for byte in data[middle : middle + 8]) + data[middle + 8 :]


def cut(data: bytes) -> bytes:
    return data[: len(data) * 2 // 3]


def wrong_checksum(data: bytes) -> bytes:
    return data[:-8] + bytes([data[-8] ^ 1]) + data[-7:]


def wrong_magic(data: bytes) -> bytes:
    return b"\0\0\0\0" + data[4:]


@pytest.mark.parametrize(
    ("packing", "damage"),
    [
        ("gz", flip), ("gz", cut), ("gz", wrong_checksum), ("gz", wrong_magic),
        ("zst", flip), ("zst", cut), ("zst", wrong_magic), ("lz4", cut), ("lz4", wrong_magic),
    ],
)  # fmt: skip
@pytest.mark.parametrize("position", [0, 4, 9])
def test_one_damaged_member_costs_one_record(packing: str, damage, position: int) -> None:
    members = [PACKERS[packing](record(number)) for number in range(10)]
    members[position] = damage(members[position])
    records, lost = read(b"".join(members), f"test.warc.{packing}")
    assert names(records) == [number for number in range(10) if number != position]
    assert len(lost) == 1
    assert lost[0].offset == sum(map(len, members[:position]))
    assert lost[0].size == len(members[position])


@pytest.mark.parametrize("packing", PACKERS)
@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data.replace(b"WARC/1.0", b"XARC/1.0"),
        lambda data: data.replace(b"WARC/1.0", b"WARC/one"),
        lambda data: re.sub(rb"Content-Length: \d+", b"Content-Length: -5", data),
        lambda data: re.sub(rb"Content-Length: \d+", b"Content-Length: 1_0", data),
        lambda data: re.sub(rb"Content-Length: \d+\r\n", b"", data),
        lambda data: re.sub(rb"Content-Length: \d+", b"Content-Length: 200", data),
        lambda data: re.sub(rb"Content-Length: \d+", b"Content-Length: 900", data),
        lambda data: data[:-150],
    ],
    ids=["magic", "version", "negative", "underscore", "missing", "too short", "too long", "cut"],
)
def test_one_damaged_record_costs_one_record(packing: str, damage) -> None:
    raw = [record(number) for number in range(10)]
    raw[4] = damage(raw[4])
    members = [PACKERS[packing](one) for one in raw]
    records, lost = read(b"".join(members))
    assert names(records) == [0, 1, 2, 3, 5, 6, 7, 8, 9]
    assert [(one.offset, one.size) for one in lost] == [(sum(map(len, members[:4])), len(members[4]))]


@pytest.mark.parametrize("packing", PACKERS)
def test_a_truncated_file_gives_what_is_whole(packing: str) -> None:
    members = [PACKERS[packing](record(number)) for number in range(10)]
    data = b"".join(members)[: -len(members[9]) // 2]
    records, lost = read(data)
    assert names(records) == list(range(9))
    assert [(one.kind[:9], one.offset) for one in lost] == [("truncated", sum(map(len, members[:9])))]
    assert lost[0].size == len(data) - lost[0].offset


def test_a_file_in_one_member_gives_records_up_to_the_damage() -> None:
    raw = b"".join(record(number, bytes([number]) * 200000) for number in range(10))
    data = gzip.compress(raw, 0)
    records, lost = read(data[: len(data) // 2])
    assert names(records) == [0, 1, 2, 3]
    assert [record.inner > 0 for record in records] == [False, True, True, True]
    assert [one.kind for one in lost] == ["truncated_member"]


def test_members_that_end_inside_records() -> None:
    raw = b"".join(record(number) for number in range(10))
    data = b"".join(gzip.compress(raw[start : start + 333]) for start in range(0, len(raw), 333))
    records, lost = read(data)
    assert (names(records), lost) == (list(range(10)), [])
    assert len({(record.offset, record.inner) for record in records}) == 10


def test_garbage_between_members() -> None:
    members = [gzip.compress(record(number)) for number in range(4)]
    data = members[0] + b"garbage" * 10 + members[1] + b"\x1f\x8b\x08 fake" + members[2] + members[3] + b"end"
    records, lost = read(data)
    assert names(records) == [0, 1, 2, 3]
    assert [one.size for one in lost] == [70, 8, 3]


def test_too_large_records_are_passed_over_in_bounded_memory() -> None:
    big = record(1, bytes(64 << 20))
    data = gzip.compress(record(0), 1) + gzip.compress(big, 1) + gzip.compress(record(2), 1)
    del big
    tracemalloc.start()
    records, lost = read(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert names(records) == [0, 2]
    assert [one.kind for one in lost] == ["record_too_large"]
    assert peak < 8 << 20


def test_a_bomb_behind_a_record_takes_no_memory() -> None:
    data = gzip.compress(record(0) + bytes(64 << 20), 1) + gzip.compress(record(1))
    tracemalloc.start()
    records, lost = read(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (names(records), [one.kind for one in lost]) == ([0, 1], ["bad_record_header"])
    assert peak < 8 << 20


def test_unwanted_records_have_no_content() -> None:
    data = b"".join(
        gzip.compress(record(n, warc_type=t)) for n, t in enumerate(["warcinfo", "response", "request"])
    )
    found = list(
        read_records(io.BytesIO(data), "", LIMIT, lambda headers: headers["warc-type"] == "response")
    )
    assert [bool(one.content) for one in found if isinstance(one, RawRecord)] == [False, True, False]


def test_zstd_dictionary_frame() -> None:
    samples = [record(number) for number in range(200)]
    dictionary = zstandard.train_dictionary(4096, samples)
    raw = dictionary.as_bytes()
    compressor = zstandard.ZstdCompressor(dict_data=dictionary)
    data = b"\x5d\x2a\x4d\x18" + len(raw).to_bytes(4, "little") + raw
    data += b"".join(compressor.compress(one) for one in samples[:5])
    records, lost = read(data, "test.warc.zst")
    assert (names(records), lost) == ([0, 1, 2, 3, 4], [])


def test_skippable_frames_are_passed_over() -> None:
    skippable = b"\x50\x2a\x4d\x18\x03\0\0\0abc"
    for packing in ("zst", "lz4"):
        pack = PACKERS[packing]
        records, lost = read(pack(record(0)) + skippable + pack(record(1)) + skippable, f"a.warc.{packing}")
        assert (names(records), lost) == ([0, 1], [])


def test_arc_versions() -> None:
    def arc(line: bytes, content: bytes) -> bytes:
        return line % len(content) + b"\n" + content + b"\n"

    page = b"HTTP/1.0 200 OK\r\n\r\n<p>x"
    version_1 = [
        arc(b"filedesc://a.arc 0.0.0.0 20080101000000 text/plain %d", b"1 0 Archive\nURL IP\n"),
        arc(b"http://example.org/a b 1.2.3.4 20080102030405 text/html %d", page),
        arc(b"http://example.org/c 1.2.3.4 20080102030406 text/html; charset=x %d", page),
    ]
    version_2 = [arc(b"http://example.org/d ::1 20080102030405 text/html 200 ABC - 17 file.arc.gz %d", page)]
    for data in (b"".join(version_1 + version_2), b"".join(map(gzip.compress, version_1 + version_2))):
        records, lost = read(data, "a.arc.gz")
        assert lost == []
        assert [r.headers["warc-target-uri"][-3:] for r in records] == ["arc", "a b", "g/c", "g/d"]
        assert [r.headers["content-type"] for r in records[2:]] == ["text/html; charset=x", "text/html"]
        assert all(r.arc and r.content == page for r in records[1:])
    data = b"".join([version_1[0], version_1[1].replace(b" 20080102030405", b" date"), version_1[2]])
    records, lost = read(data)
    assert ([r.headers["warc-target-uri"][-3:] for r in records], len(lost)) == (["arc", "g/c"], 1)


@given(st.binary(max_size=300), st.sampled_from(sorted(PACKERS)), st.integers(0, 2000), st.integers(0, 60))
@example(b"P*M\x18", "gz", 0, 0)
@example(b"P*M\x18", "lz4", 0, 0)
@example(b"\x28\xb5\x2f\xfd", "gz", 0, 0)
@example(b"\x28\xb5\x2f\xfd", "lz4", 0, 0)
@example(b"\x04\x22\x4d\x18", "zst", 0, 0)
@example(b"\x04\x22\x4d\x18", "gz", 0, 3)
@example(b"\x1f\x8b\x08", "zst", 0, 3)
@example(b"\x1f\x8b\x08", "lz4", 0, 0)
@settings(max_examples=150, deadline=None)
def test_any_damage_ends_and_keeps_the_others(junk: bytes, packing: str, position: int, removed: int) -> None:
    members = [PACKERS[packing](record(number)) for number in range(6)]
    data = b"".join(members)
    position %= len(data)
    records, _ = read(data[:position] + junk + data[position + removed :], f"a.warc.{packing}")
    touched = set()
    start = 0
    for number, member in enumerate(members):
        if start <= position + removed and position <= start + len(member):
            touched.add(number)
        start += len(member)
    if packing == "plain" or b"WARC" in junk:
        return  # a length that was changed may reach over the next record
    assert set(names(records)) >= set(range(6)) - touched


@given(st.binary(max_size=2000))
@settings(deadline=None)
def test_junk_is_never_an_error(junk: bytes) -> None:
    for name in ("a.warc.gz", "a.warc.zst", "a.warc.lz4", "a.arc", "x"):
        _, lost = read(junk, name)
        assert sum(one.size for one in lost) <= len(junk) + 1
    read(b"\x1f\x8b\x08" + junk)
    read(b"\x28\xb5\x2f\xfd" + junk)
    read(b"\x04\x22\x4d\x18" + junk)
    read(gzip.compress(junk))


def test_header_helpers() -> None:
    assert parse_fields(b"A: 1\r\nB:x\r\n y\r\nA: 2\r\nnothing\r\n\xff: \xe9\r\n") == {
        "a": "1",
        "b": "x y",
        "ÿ": "é",
    }
    assert [header_end(data) for data in (b"a\r\n\r\nb", b"a\n\nb", b"a\n\r\nb\n\n", b"a")] == [5, 3, 4, -1]
    assert [header_end(b"a\n\n\r\nb", limit) for limit in (None, 4, 3, 2)] == [3, 3, 3, -1]
    assert [header_end(b"a\r\n\r\nb\n\n", limit) for limit in (None, 5, 4)] == [5, 5, -1]
    assert begins_record(b"\r\nWARC/1.1\r\n")
    assert not begins_record(b"XARC/1.1\r\n")


def test_agrees_with_fastwarc(shared_data: Path) -> None:
    for path in sorted((shared_data / "commoncrawl").glob("*.warc.*")):
        if path.name == "CC-MAIN-2024-22.warc.paths.gz":
            continue
        with path.open("rb") as stream:
            records, lost = read(stream.read(), path.name, 64 << 20)
        with path.open("rb") as stream:
            expected = [
                (one.record_id.strip("<>"), one.content_length, zlib.crc32(one.reader.read()))
                for one in ArchiveIterator(stream, parse_http=False, quirks_mode=False)
            ]
        got = [
            (r.headers["warc-record-id"].strip("<>"), len(r.content), zlib.crc32(r.content)) for r in records
        ]
        assert lost == []
        assert got == expected


@pytest.mark.parametrize(
    ("name", "sound", "damaged"),
    [
        ("clipped.warc.gz", 0, 1),
        ("gowarc-skip-non-open.warc.gz", 10, 0),
        ("warcio/bad.arc", 1, 2),
        ("warcio/example.arc.gz", 2, 0),
        ("warcio/example.warc", 6, 0),
        ("warcio/example.warc.gz", 6, 0),
        ("warcio/example-bad.warc.gz.bad", 6, 0),
        ("warcio/example-bad-non-chunked.warc.gz", 6, 0),
        ("warcio/example-digest.warc", 4, 0),
        ("warcio/example-iana.org-chunked.warc", 3, 0),
        ("warcio/example-resource.warc.gz", 3, 0),
        ("warcio/example-space-in-target-uri.warc.gz", 2, 0),
        ("warcio/example-trunc.warc", 3, 1),
        ("warcio/example-wget-bad-target-uri.warc.gz", 6, 0),
        ("warcio/example-wrong-chunks.warc.gz", 2, 0),
        ("warcio/post-test.warc.gz", 6, 0),
    ],
)
def test_real_odd_files(shared_data: Path, name: str, sound: int, damaged: int) -> None:
    data = (shared_data / "hostile" / name).read_bytes()
    records, lost = read(data, name)
    assert (len(records), len(lost)) == (sound, damaged)
