"""Listings of a crawl: paths and index rows become files and ranges; bad rows and damaged ranges cost themselves."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from object_stores import s3_store

from corpusforge import storage
from corpusforge.errors import UsageError
from corpusforge.listing import list_shards
from corpusforge.recipe import load_text
from corpusforge.sources.base import Damaged, Record, Shard, Skipped, SourceFile
from corpusforge.sources.commoncrawl import CommonCrawl, Parameters
from corpusforge.sources.crawl_listing import Entry, base_of, is_listing, listing_rows
from corpusforge.tasks.facts import file_facts
from corpusforge.tasks.records import RecordReader

CRAWL = "crawl-data/CC-MAIN-2024-22"
NAMES = [f"{CRAWL}/segments/1/warc/CC-{number}.warc.gz" for number in range(3)]
PAGES = 12


def member(archive: int, number: int, size: int = 200) -> bytes:
    """One gzip member with a page of letters that compress badly."""
    letters = "".join(
        chr(97 + (archive * 7 + number * 11 + place * place * 13) % 26) for place in range(size)
    )
    body = f"<p>{archive}-{number} {letters}</p>".encode()
    content = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n" + body
    fields = f"WARC-Type: response\r\nWARC-Record-ID: <urn:{archive}:{number}>\r\n"
    fields += f"WARC-Target-URI: http://example.org/{archive}/{number}\r\nContent-Length: {len(content)}\r\n"
    return gzip.compress(b"WARC/1.0\r\n" + fields.encode() + b"\r\n" + content + b"\r\n\r\n", mtime=0)


def archives() -> tuple[dict[str, bytes], dict[str, list[tuple[int, int]]]]:
    """The archives by name, and where in each the records stand."""
    files, places = {}, {}
    for archive, name in enumerate(NAMES):
        members = [member(archive, number) for number in range(PAGES)]
        ends = [sum(map(len, members[: number + 1])) for number in range(PAGES)]
        files[name] = b"".join(members)
        places[name] = [(end - len(one), end) for one, end in zip(members, ends)]
    return files, places


FILES, PLACES = archives()
CHOSEN = [(NAMES[0], *PLACES[NAMES[0]][number]) for number in (0, 1, 7)] + [(NAMES[2], *PLACES[NAMES[2]][4])]


def cdx_line(name: str, begin: int, end: int) -> str:
    facts = {
        "url": "http://x/",
        "status": "200",
        "length": str(end - begin),
        "offset": str(begin),
        "filename": name,
    }
    return f"org,example)/ 20240518015810 {json.dumps(facts)}"


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    """A local mirror: archives below their paths, lists of them, and two indexes of the chosen records."""
    for name, data in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    folder = tmp_path / CRAWL
    (folder / "warc.paths.gz").write_bytes(gzip.compress(("\n".join(NAMES) + "\n").encode()))
    lines = "\n".join(cdx_line(*row) for row in CHOSEN) + "\n"
    (folder / "cdx-00000.gz").write_bytes(gzip.compress(lines.encode()))
    columns = ("warc_filename", "warc_record_offset", "warc_record_length")
    rows = [(name, begin, end - begin) for name, begin, end in CHOSEN]
    pq.write_table(
        pa.table({**dict(zip(columns, map(list, zip(*rows)))), "url": ["x"] * 4}), folder / "i.parquet"
    )
    return tmp_path


def shards(listing: object, shard_bytes: int = 1 << 20, base: object = None) -> list[Shard]:
    options = {} if base is None else {"base": str(base)}
    recipe = (
        f"shard_bytes: {shard_bytes}\nsources: {{commoncrawl: {json.dumps(options)}}}\nsteps: [extract]\n"
    )
    return list_shards(load_text(recipe, "r.yaml"), {"commoncrawl": [str(listing)]})


def read(found: list[Shard]) -> tuple[list[str], list[Damaged]]:
    """Keys of all records of the shards, and what was damaged."""
    keys, damaged = [], []
    for shard in found:
        for file in shard.files:
            with storage.open_read(file.url) as stream:
                items = list(CommonCrawl(Parameters()).records(file, stream))
            keys += [item.origin_key for item in items if isinstance(item, Record)]
            damaged += [item for item in items if isinstance(item, Damaged)]
    return keys, damaged


WANTED = ["urn:0:0", "urn:0:1", "urn:0:7", "urn:2:4"]


def test_a_list_of_paths_is_its_files(mirror):
    found = shards(mirror / CRAWL / "warc.paths.gz", shard_bytes=1)
    assert [[file.path for file in shard.files] for shard in found] == [[name] for name in NAMES]
    assert [file.size for shard in found for file in shard.files] == [len(FILES[name]) for name in NAMES]
    keys, damaged = read(found)
    assert len(keys) == 3 * PAGES
    assert not damaged


def test_the_base_may_be_elsewhere_and_what_is_missing_is_named(mirror, tmp_path_factory):
    listing = tmp_path_factory.mktemp("elsewhere") / "some.paths"
    listing.write_text("\n".join(NAMES[:2]))
    with pytest.raises(UsageError, match=r"commoncrawl\.base"):
        shards(listing)
    assert len(read(shards(listing, base=mirror))[0]) == 2 * PAGES
    (mirror / NAMES[1]).unlink()
    with pytest.raises(UsageError, match=r"1 of 2 listed files are not there: .*CC-1"):
        shards(listing, base=mirror)


def test_an_assumed_size_asks_for_none(mirror, monkeypatch):
    monkeypatch.setattr(storage, "size", lambda location: pytest.fail(f"asked for {location}"))
    parameters = Parameters(listed_file_bytes=1 << 30)
    location = str(mirror / CRAWL / "warc.paths.gz")
    found = list(CommonCrawl(parameters).expand(SourceFile("warc.paths.gz", location, 1), 1))
    assert [file.size for file in found] == [1 << 30] * 3


@pytest.mark.parametrize("index", ["cdx-00000.gz", "i.parquet"])
def test_an_index_is_ranges_and_its_records_those_of_the_archives(mirror, index):
    found = shards(mirror / CRAWL / index)
    assert [file.name for shard in found for file in shard.files] == [NAMES[0], NAMES[2]]
    assert sum(file.size for shard in found for file in shard.files) == sum(
        end - begin for _, begin, end in CHOSEN
    )
    assert read(found) == (WANTED, [])
    whole = {}
    for name in NAMES:
        source_file = SourceFile(name, name, len(FILES[name]))
        for item in CommonCrawl().records(source_file, io.BytesIO(FILES[name])):
            whole[item.origin_key] = item
    for shard in found:
        reader = RecordReader(shard, CommonCrawl())
        for record in reader.records():
            assert record == whole[record.origin_key]


def test_shards_are_closed_by_the_bytes_of_ranges(mirror):
    two = CHOSEN[1][2] - CHOSEN[0][1]
    found = shards(mirror / CRAWL / "i.parquet", shard_bytes=two)
    assert [[file.ranges for file in shard.files] for shard in found] == [
        [tuple(row[1:] for row in CHOSEN[:2])],
        [(CHOSEN[2][1:],), (CHOSEN[3][1:],)],
    ]
    assert read(found)[0] == WANTED


def test_the_manifest_tells_of_the_ranges_only(mirror):
    (shard,) = shards(mirror / CRAWL / "i.parquet")
    before = [file_facts(file) for file in shard.files]
    assert [facts["path"] for facts in before] == [file.path for file in shard.files]
    data = bytearray(FILES[NAMES[0]])
    data[PLACES[NAMES[0]][3][0] + 5] ^= 1  # between the ranges
    (mirror / NAMES[0]).write_bytes(data)
    assert [file_facts(file) for file in shard.files] == before
    data[CHOSEN[0][1] + 5] ^= 1
    (mirror / NAMES[0]).write_bytes(data)
    assert file_facts(shard.files[0])["sha256"] != before[0]["sha256"]


def test_damaged_ranges_cost_one_record_each(mirror):
    name = NAMES[0]
    data = bytearray(FILES[name])
    data[PLACES[name][1][0] + 40] ^= 255
    (mirror / name).write_bytes(data)
    rows = [
        *CHOSEN[:3],
        (name, len(data) - 3, len(data) + 50),
        (name, PLACES[name][9][0] + 7, PLACES[name][9][1]),
    ]
    index = mirror / CRAWL / "some.cdxj"
    index.write_text("\n".join(cdx_line(*row) for row in rows))
    keys, damaged = read(shards(index))
    assert keys == ["urn:0:0", "urn:0:7"]
    assert [item.kind for item in damaged] == ["damaged_member", "damaged_member", "range_out_of_file"]
    assert [item.locator for item in damaged] == [
        f"{name}@{place}" for place in (PLACES[name][1][0], PLACES[name][9][0] + 7, len(data) - 3)
    ]


def test_a_range_over_the_limit_is_not_read(mirror):
    index = mirror / CRAWL / "some.cdxj"
    index.write_text("\n".join([cdx_line(NAMES[0], 0, 1 << 39), cdx_line(*CHOSEN[1])]))
    keys, damaged = read(shards(index))
    assert keys == ["urn:0:1"]
    assert [item.kind for item in damaged] == ["range_too_long"]


BAD_LINES = [
    "no object",
    '{"filename": "a"}',
    cdx_line("../../etc/passwd", 0, 5),
    cdx_line("/etc/passwd", 0, 5),
    cdx_line("http://example.org/a.warc.gz", 0, 5),
    cdx_line("a\x00b", 0, 5),
    cdx_line("a", -1, 5),
    cdx_line("a", 5, 5),
    cdx_line("a", 0, 1 << 50),
    '{"filename": ["a"], "offset": 1, "length": 2}',
    '{"filename": "a", "offset": [1], "length": 2}',
    '{"filename": "a", "offset": Infinity, "length": 2}',
    '{"filename": "a", "offset": 1, "length": 1e999}',
    "x" * 70_000,
    "[" * 60_000 + "{",
]


@pytest.mark.parametrize("line", BAD_LINES, ids=range(len(BAD_LINES)))
def test_a_bad_row_costs_itself_and_is_reported_by_reading(mirror, line):
    index = mirror / CRAWL / "some.cdxj"
    index.write_text("\n".join([cdx_line(*CHOSEN[0]), line, cdx_line(*CHOSEN[3])]))
    found = shards(index)
    assert found[-1].files[-1].path == "some.cdxj"
    keys, damaged = read(found)
    assert keys == [WANTED[0], WANTED[3]]
    (one,) = damaged
    assert one.locator == "some.cdxj#1"


def test_a_listing_cut_off_and_one_of_nothing(mirror):
    lines = "\n".join(cdx_line(NAMES[0], *place) for place in PLACES[NAMES[0]] for _ in range(40))
    packed = gzip.compress(lines.encode(), 1)
    index = mirror / CRAWL / "some.cdx.gz"
    index.write_bytes(packed[: len(packed) // 2])
    keys, damaged = read(shards(index))
    assert 0 < len(keys) < PAGES
    assert [item.kind for item in damaged] == ["damaged_stream"]
    for name, data in (("some.cdx.gz", b"\x1f\x8bjunk"), ("a.paths", b""), ("a.parquet", b"PAR1junkPAR1")):
        (mirror / CRAWL / name).write_bytes(data)
        with pytest.raises(UsageError, match="lists nothing"):
            shards(mirror / CRAWL / name)


def test_a_table_without_the_columns_is_no_index(mirror):
    pq.write_table(pa.table({"text": ["a"]}), mirror / CRAWL / "text.parquet")
    with pytest.raises(UsageError, match="lists nothing"):
        shards(mirror / CRAWL / "text.parquet")


def test_what_a_listing_is_called():
    assert all(
        map(
            is_listing,
            ["warc.paths.gz", "x.paths", "cdx-00001.gz", "indexes/cdx-00001.gz", "a.cdxj", "b.parquet"],
        )
    )
    assert not any(map(is_listing, ["a.warc.gz", "b.wet.gz", "cdx-1.gz", "paths.gz", "a.cdx-x.warc"]))


def test_where_the_root_is():
    name = f"{CRAWL}/segments/1.warc.gz"
    assert base_of(f"https://host/{CRAWL}/warc.paths.gz?x=/a", name) == "https://host"
    assert base_of(f"/disk/{CRAWL}/segments/mine.paths", name) == "/disk"
    with pytest.raises(UsageError):
        base_of("/disk/warc.paths.gz", name)


def test_rows_of_a_list():
    rows = list(listing_rows("a.paths", io.BytesIO(b"a/b.warc.gz\r\n\n")))
    assert rows == [Entry("a/b.warc.gz", None, 13), Skipped("empty_line", 1)]


class _Ranged(BaseHTTPRequestHandler):
    """Serves a folder, with ranges; notes what was asked."""

    folder: Path
    seen: list[tuple[str, str]]
    ranges = True

    def do_HEAD(self) -> None:
        self._answer(head=True)

    def do_GET(self) -> None:
        self._answer(head=False)

    def _answer(self, head: bool) -> None:
        path = self.folder / self.path.lstrip("/")
        wanted = self.headers.get("Range", "") if self.ranges else ""
        self.seen.append((self.command, wanted))
        if not path.is_file():
            self.send_error(404)
            return
        data = path.read_bytes()
        size = len(data)
        begin, end = 0, size
        if wanted:
            first, _, last = wanted.removeprefix("bytes=").partition("-")
            begin, end = int(first), min(int(last or size) + 1, size)
        self.send_response(206 if wanted else 200)
        if wanted:
            self.send_header("Content-Range", f"bytes {begin}-{end - 1}/{size}")
        self.send_header("Content-Length", str(end - begin))
        self.end_headers()
        if not head:
            self.wfile.write(data[begin:end])

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextlib.contextmanager
def http_server(folder: Path, ranges: bool = True) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    seen: list[tuple[str, str]] = []
    handler = type("Handler", (_Ranged,), {"folder": folder, "seen": seen, "ranges": ranges})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", seen
    finally:
        server.shutdown()
        server.server_close()


FAR = gzip.compress(b"WARC/1.0\r\nWARC-Type: request\r\nContent-Length: 400000\r\n\r\n" + bytes(400_000), 0)
"""A record that nothing lists, longer than what is read along."""


@pytest.mark.parametrize("ranges", [True, False])
def test_over_http_near_ranges_are_one_request(mirror, ranges):
    pytest.importorskip("aiohttp")
    name = NAMES[0]
    (mirror / name).write_bytes(FILES[name] + FAR + FILES[NAMES[1]])
    begin, end = (place + len(FILES[name]) + len(FAR) for place in PLACES[NAMES[1]][2])
    index = mirror / CRAWL / "some.cdxj"
    index.write_text("\n".join(cdx_line(*row) for row in [*CHOSEN[:3], (name, begin, end)]))
    with http_server(mirror, ranges) as (url, seen):
        found = shards(f"{url}/{CRAWL}/some.cdxj")
        seen.clear()
        assert read(found) == ([*WANTED[:3], "urn:1:2"], [])
        asked = [wanted for command, wanted in seen if command == "GET"]
        near = ["bytes=1-1", f"bytes={CHOSEN[0][1]}-{CHOSEN[2][2] - 1}", f"bytes={begin}-{end - 1}"]
        assert asked == (near if ranges else ["", ""])
        assert len(read(shards(f"{url}/{CRAWL}/warc.paths.gz"))[0]) == 4 * PAGES


def test_over_s3(mirror):
    with s3_store() as store:
        bucket = store.bucket()
        for path in (NAMES[0], NAMES[2], f"{CRAWL}/cdx-00000.gz", f"{CRAWL}/warc.paths.gz"):
            storage.commit_bytes(f"{bucket}/{path}", (mirror / path).read_bytes())
        found = shards(f"{bucket}/{CRAWL}/cdx-00000.gz")
        assert read(found) == (WANTED, [])
        with pytest.raises(UsageError, match="1 of 3 listed files are not there"):
            shards(f"{bucket}/{CRAWL}/warc.paths.gz")
        store.spoil("status", f"GET {NAMES[2].rpartition('/')[2]}")
        assert read(found) == (WANTED, [])
