"""Writes pages as WARC and WET files, one gzip member per record, and the truth about every record.

Everything uncompressed is the same on every machine for the same arguments. The compressed bytes are too, as
far as zlib and brotli compress alike: gzip headers carry no time, no name and no operating system.
"""

from __future__ import annotations

import base64
import hashlib
import json
import uuid
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

import brotli

from corpusforge.sample.pages import Page, similarity

_START = datetime(2024, 5, 18, tzinfo=UTC)
_GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
_SOFTWARE = "software: corpusforge sample\r\nformat: WARC File Format 1.0\r\n"


def gzip_member(data: bytes) -> bytes:
    """One gzip member (RFC 1952) with time 0, no name, and the operating system unknown."""
    compressor = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    body = compressor.compress(data) + compressor.flush()
    return (
        _GZIP_HEADER
        + body
        + zlib.crc32(data).to_bytes(4, "little")
        + (len(data) & 0xFFFFFFFF).to_bytes(4, "little")
    )


def record_id(*labels: int | str) -> str:
    """WARC-Record-ID: a UUID from the hash of the labels."""
    digest = hashlib.blake2b(
        "\0".join(map(str, labels)).encode(), digest_size=16, person=b"cf-record"
    ).digest()
    return f"<urn:uuid:{uuid.UUID(bytes=digest, version=4)}>"


def page_record_id(seed: int, number: int) -> str:
    """WARC-Record-ID of the response that holds a page."""
    return record_id(seed, "response", number)


def _sha1(data: bytes) -> str:
    return "sha1:" + base64.b32encode(hashlib.sha1(data, usedforsecurity=False).digest()).decode()


def _date(number: int) -> datetime:
    return _START + timedelta(seconds=number)


def _record(kind: str, identity: str, number: int, headers: Mapping[str, str], block: bytes) -> bytes:
    """A WARC 1.0 record (ISO 28500:2009): named fields, an empty line, the block, two line ends."""
    fields = {
        "WARC-Type": kind,
        "WARC-Date": _date(number).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "WARC-Record-ID": identity,
        "Content-Length": str(len(block)),
        **headers,
    }
    head = "WARC/1.0\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields.items()) + "\r\n"
    return head.encode("utf-8") + block + b"\r\n\r\n"


def _encoded(number: int, body: bytes) -> tuple[bytes, dict[str, str]]:
    """Content codings in turn. Common Crawl decodes bodies and renames the header; so does every eighth."""
    turn = number % 8
    if turn == 4:
        return body, {"X-Crawler-Content-Encoding": "gzip"}
    if turn == 5:
        return gzip_member(body), {"Content-Encoding": "gzip"}
    if turn == 6:
        return brotli.compress(body, quality=5), {"Content-Encoding": "br"}
    if turn == 7:
        return zlib.compress(body, 6), {"Content-Encoding": "deflate"}
    return body, {}


_REASONS = {200: "OK", 301: "Moved Permanently", 404: "Not Found"}


def _response(page: Page) -> tuple[bytes, dict[str, str]]:
    """The HTTP response to a page, and its headers."""
    body, coding = _encoded(page.number, page.body)
    content_type = page.content_type + (f"; charset={page.charset}" if page.charset else "")
    headers = {
        "Date": format_datetime(_date(page.number), usegmt=True),
        "Server": "Apache",
        "Content-Type": content_type,
        **coding,
        **page.headers,
        "Content-Length": str(len(body)),
    }
    head = f"HTTP/1.1 {page.status} {_REASONS[page.status]}\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in headers.items()) + "\r\n"
    return head.encode("latin-1") + body, headers


@dataclass
class Truth:
    """Writes the truth file, one JSON object with sorted keys a record."""

    file: TextIO
    records: int = 0

    def write(self, **fact: Any) -> None:
        """Write one line; facts that are None are left out."""
        kept = {name: value for name, value in fact.items() if value is not None}
        self.file.write(json.dumps(kept, sort_keys=True, ensure_ascii=False) + "\n")
        self.records += 1


class RecordFile:
    """A file of gzip members, with its truth. `name` is its path below the sample's directory."""

    def __init__(self, directory: Path, name: str, seed: int, truth: Truth) -> None:
        self.name = name
        self.size = 0
        self._seed = seed
        self._truth = truth
        self._index = 0
        self._file = (directory / name).open("wb")

    def __enter__(self) -> RecordFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def _write(self, member: bytes, identity: str, type_: str, **fact: Any) -> None:
        self._file.write(member)
        self._truth.write(
            file=self.name, record=self._index, offset=self.size, record_id=identity, type=type_, **fact
        )
        self.size += len(member)
        self._index += 1

    def information(self, number: int) -> None:
        """The warcinfo record that opens a file."""
        identity = record_id(self._seed, self.name, "warcinfo")
        headers = {"WARC-Filename": self.name.rpartition("/")[2], "Content-Type": "application/warc-fields"}
        record = _record("warcinfo", identity, number, headers, _SOFTWARE.encode())
        self._write(gzip_member(record), identity, "warcinfo", kind="warcinfo")

    def request(self, page: Page) -> None:
        """The request record of a page."""
        identity = record_id(self._seed, "request", page.number)
        host, _, path = page.url.partition("://")[2].partition("/")
        block = f"GET /{path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: sample\r\n\r\n".encode()
        headers = {"WARC-Target-URI": page.url, "Content-Type": "application/http; msgtype=request"}
        record = _record("request", identity, page.number, headers, block)
        self._write(gzip_member(record), identity, "request", kind="request", url=page.url)

    def metadata(self, page: Page) -> None:
        """The metadata record of a page."""
        identity = record_id(self._seed, "metadata", page.number)
        headers = {
            "WARC-Target-URI": page.url,
            "WARC-Concurrent-To": page_record_id(self._seed, page.number),
            "Content-Type": "application/warc-fields",
        }
        record = _record("metadata", identity, page.number, headers, b"fetchTimeMs: 120\r\n")
        self._write(gzip_member(record), identity, "metadata", kind="metadata", url=page.url)

    def revisit(self, page: Page, number: int) -> None:
        """A revisit record: the page was seen again `number` seconds into the crawl, unchanged."""
        identity = record_id(self._seed, "revisit", page.number)
        headers = {
            "WARC-Target-URI": page.url,
            "WARC-Profile": "http://netpreserve.org/warc/1.0/revisit/identical-payload-digest",
            "WARC-Refers-To": page_record_id(self._seed, page.number),
            "Content-Type": "application/http; msgtype=response",
        }
        record = _record("revisit", identity, number, headers, b"HTTP/1.1 304 Not Modified\r\n\r\n")
        self._write(gzip_member(record), identity, "revisit", kind="revisit", url=page.url)

    def response(self, page: Page, damage: str | None = None) -> None:
        """The response record of a page. `damage`: "flipped" inverts bytes inside, "truncated" cuts."""
        block, http = _response(page)
        identity = page_record_id(self._seed, page.number)
        headers = {
            "WARC-Target-URI": page.url,
            "WARC-Payload-Digest": _sha1(page.body),
            "WARC-Block-Digest": _sha1(block),
            "Content-Type": "application/http; msgtype=response",
        }
        member = gzip_member(_record("response", identity, page.number, headers, block))
        middle = len(member) // 2
        if damage == "flipped":
            flipped = bytes(byte ^ 0xFF for byte in member[middle : middle + 16])
            member = member[:middle] + flipped + member[middle + 16 :]
        elif damage == "truncated":
            member = member[:middle]
        coding = http.get("Content-Encoding")
        self._write(member, identity, "response", encoding=coding, **self._fact(page, damage))

    def conversion(self, page: Page, text: str) -> None:
        """A WET record: the plain text of a page."""
        identity = record_id(self._seed, "conversion", page.number)
        block = text.encode("utf-8")
        headers = {
            "WARC-Target-URI": page.url,
            "WARC-Refers-To": page_record_id(self._seed, page.number),
            "WARC-Block-Digest": _sha1(block),
            "Content-Type": "text/plain",
        }
        record = _record("conversion", identity, page.number, headers, block)
        self._write(gzip_member(record), identity, "conversion", **self._fact(page, None))

    def _fact(self, page: Page, damage: str | None) -> dict[str, Any]:
        """What the truth file says of a page."""
        fact: dict[str, Any] = {
            "kind": "damaged" if damage else page.kind,
            "damage": damage,
            "url": page.url,
            "language": page.language,
            "charset": page.charset,
            "status": page.status,
            "page": page.number,
            "pii": [{"type": value.type, "value": value.value} for value in page.personal] or None,
        }
        if page.of is not None:
            fact["of"] = page_record_id(self._seed, page.of)
            fact["jaccard"] = round(similarity(self._seed, page, page.of), 4)
        return fact
