"""Records of web archives: WARC 0.17 to 1.1 (ISO 28500) and ARC 1 and 2, from any container, past damage.

A record is believed when it is framed soundly: its header parses, its content is as long as it says, and
behind it another record begins or its member ends (with the right checksum). Everything else is given up as
`Lost`, and reading goes on at the next place where a record begins.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO

from corpusforge.sources.containers import Container, Member, MemberError, PlainContainer, open_container
from corpusforge.sources.window import FEED, Window

MAXIMUM_HEADER = 1 << 18
"""Most bytes of a record's header."""

_VERSION = re.compile(rb"WARC/\d{1,2}\.\d{1,3}[ \t]*\r?\n")
_ARC_LINE = re.compile(
    rb"(?P<url>[A-Za-z][A-Za-z0-9+.-]{0,20}:[^\r\n]{0,4096}?) (?P<ip>[0-9A-Fa-f.:]{1,45}) (?P<date>\d{8,17}) "
    rb"(?P<type>[^\r\n]{0,512}?) ?(?P<length>\d{1,18})\r?\n"
)
_ARC_2_TAIL = re.compile(
    rb"(?P<type>[^\r\n]*?) (?P<status>\d{1,3}|-) (?P<checksum>\S+) (?P<location>\S+) (?P<offset>\d+|-) \S+"
)
_NEXT_WARC = re.compile(rb"WARC/\d{1,2}\.\d{1,3}[ \t]*\r?\n(?:WARC-|Content-)", re.IGNORECASE)
_NEXT_ARC = re.compile(rb"(?<=\n)" + _ARC_LINE.pattern)
_NEXT_ANY = re.compile(_NEXT_WARC.pattern + rb"|" + _NEXT_ARC.pattern)
_SOUND_END = (re.compile(rb"\r\n\r\n|\n\n"), re.compile(rb"\r?\n[A-Za-z][A-Za-z0-9+.-]{0,20}:"))
"""What stands behind a record's content in WARC and in ARC."""
_LENGTH = re.compile(r"[0-9]{1,18}")

Wanted = Callable[[Mapping[str, str]], bool]


@dataclass(frozen=True, slots=True)
class RawRecord:
    """One record as it stands in the archive.

    `offset` is where its member begins in the file, `inner` where it begins in the member (0 for the first).
    `headers` has lower-case names; an ARC record's line is given by the WARC names of the same things.
    `content` is empty where it was not wanted. `size` counts header and content in decompressed bytes.
    """

    offset: int
    inner: int
    headers: Mapping[str, str]
    content: bytes
    size: int
    arc: bool = False


@dataclass(frozen=True, slots=True)
class Lost:
    """Bytes that hold no readable record. `size` counts bytes of the file where a member is damaged."""

    offset: int
    inner: int
    kind: str
    error: str
    size: int


class _RecordError(Exception):
    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def text_of(raw: bytes) -> str:
    """Decode a header's bytes: UTF-8 (ISO 28500), else Latin-1."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def parse_fields(raw: bytes) -> dict[str, str]:
    """Parse `name: value` lines by lower-case names; folded lines are joined, the first name wins."""
    fields: dict[str, str] = {}
    name = ""
    for line in raw.split(b"\n"):
        if line[:1] in (b" ", b"\t"):
            if name:
                fields[name] = f"{fields[name]} {text_of(line).strip()}".strip()
            continue
        key, colon, value = line.partition(b":")
        if not colon:
            continue
        name = text_of(key).strip().lower()
        if name in fields:
            name = ""
        else:
            fields[name] = text_of(value).strip()
    return fields


def header_end(data: bytes, limit: int | None = None) -> int:
    """Tell where the content begins: behind the first empty line; -1 where there is none (among `limit` bytes)."""
    end = data.find(b"\n\r\n", 0, limit)
    earlier = data.find(b"\n\n", 0, limit if end < 0 else end + 1)
    if earlier >= 0:
        return earlier + 2
    return end + 3 if end >= 0 else -1


def begins_record(head: bytes) -> bool:
    """Tell whether a record of either format begins with these bytes (behind line ends)."""
    head = head.lstrip(b"\r\n")
    return head.startswith(b"WARC/") or _ARC_LINE.match(head) is not None


def read_records(
    stream: BinaryIO, name: str, max_record_bytes: int, wanted: Wanted = lambda headers: True
) -> Iterator[RawRecord | Lost]:
    """Iterate the records of an archive, whatever its compression.

    `name` helps to tell the compression, `wanted` decides by a record's header whether its content is read
    (at most `max_record_bytes`) or passed over. Never raises for bad content; `OSError` of `stream` passes.
    """
    return _Archive(open_container(stream, name), max_record_bytes, wanted).records()


class _Archive:
    """Walks the members of a container and the records in them."""

    def __init__(self, container: Container, max_record_bytes: int, wanted: Wanted) -> None:
        self.container = container
        self.plain = isinstance(container, PlainContainer)
        self.max_record_bytes = max_record_bytes
        self.wanted = wanted
        self.arc: bool | None = None
        self.member: Member | None = None
        self.believed = 0

    def records(self) -> Iterator[RawRecord | Lost]:
        """Iterate over members; start again behind those that are damaged."""
        container = self.container
        while True:
            self.member = None
            self.believed = container.consumed
            try:
                self.member = container.next_member()
                if self.member is None:
                    return
                self.believed = self.member.offset
                yield from self._records_of(self.member)
            except MemberError as error:
                damaged = self.member.offset if self.member is not None else self.believed
                resumed = container.recover(damaged, begins_record)
                kind = "truncated_member" if error.truncated else "damaged_member"
                yield Lost(damaged, 0, kind, str(error), max(1, resumed - self.believed))

    def _records_of(self, member: Member) -> Iterator[RawRecord | Lost]:
        """Iterate the records of one member (of several, where a record goes on in the next)."""
        window = Window(member.read)
        first = True
        while _skip_line_ends(window, self.max_record_bytes):
            window.mark()
            begin = window.position
            place = (begin, 0) if self.plain else (member.offset, 0 if first else begin)
            try:
                found = self._read(window, place)
                self._expect_end(window)
            except _RecordError as error:
                found = self._lose(window, place, begin, error)
            self.believed = self.container.consumed
            yield found
            first = False

    def _read(self, window: Window, place: tuple[int, int]) -> RawRecord | Lost:
        """Read the record at the window's position, up to the end of its content."""
        begin = window.position
        headers, arc = self._header(window)
        declared = headers.get("content-length", "")
        if not _LENGTH.fullmatch(declared):
            raise _RecordError("bad_content_length", f"Content-Length is {declared[:40]!r}")
        length = int(declared)
        wanted = self.wanted(headers)
        if length > self.max_record_bytes:
            self._pass_over(window, length)
            size = window.position - begin
            if wanted:
                return Lost(*place, "record_too_large", f"a record of {length} bytes", size)
            return RawRecord(*place, headers, b"", size, arc)
        if self._need(window, length) < length:
            raise _RecordError("truncated_record", "the content is shorter than its Content-Length")
        content = window.take(length) if wanted else b""
        window.position += 0 if wanted else length
        return RawRecord(*place, headers, content, window.position - begin, arc)

    def _header(self, window: Window) -> tuple[dict[str, str], bool]:
        """Parse the header and move behind it; tell whether it is ARC's."""
        size = 2048
        ahead = window.fill(size)
        while True:
            head = window.peek(size)
            line = _ARC_LINE.match(head) if self.arc is not False and not head.startswith(b"WARC/") else None
            if line is not None:
                self.arc = True
                window.position += line.end()
                return _arc_headers(line), True
            end = header_end(head)
            # A header may go on in the next member; one that is there needs no look at it.
            if end >= 0 or ahead > MAXIMUM_HEADER or self._need(window, ahead + 1) == ahead:
                break
            size = 4 * len(head)
            ahead = window.fill(size)
        version = _VERSION.match(head)
        if version is None or end < 0:
            raise _RecordError("bad_record_header", f"no record begins with {head[:60]!r}")
        self.arc = False
        window.position += end
        return parse_fields(head[version.end() : end]), False

    def _need(self, window: Window, size: int) -> int:
        """Fill the window, from the following members too if no record begins there."""
        while (ahead := window.fill(size)) < size:
            following = self.container.continuation(begins_record)
            if following is None:
                break
            self.member = following
            window.read = following.read
        return ahead

    def _pass_over(self, window: Window, length: int) -> None:
        left = length
        while left:
            step = min(left, FEED)
            if self._need(window, step) < step:
                raise _RecordError("truncated_record", "the content is shorter than its Content-Length")
            left -= window.drop(step)

    def _expect_end(self, window: Window) -> None:
        """Check that a record or the member's end follows; the end of a member verifies its checksum."""
        if _SOUND_END[bool(self.arc)].match(window.peek(32)):
            _skip_line_ends(window, self.max_record_bytes)
            return  # what follows answers for itself
        if _skip_line_ends(window, self.max_record_bytes) and window.peek(5) != b"WARC/":
            following = window.peek(FEED) if self.arc else window.peek(60)
            if not begins_record(following):
                raise _RecordError("bad_content_length", f"behind the content stands {following[:60]!r}")

    def _lose(self, window: Window, place: tuple[int, int], begin: int, error: _RecordError) -> Lost:
        """Move to the next record of the same member, or to the member's end."""
        window.position = max(begin + 1, window.start)
        pattern = {True: _NEXT_ARC, False: _NEXT_WARC, None: _NEXT_ANY}[self.arc]
        found = window.seek_pattern(pattern, FEED)
        size = window.position - begin
        if not (self.plain or found or place[1]):
            size = self.container.consumed - place[0]
        return Lost(*place, error.kind, str(error), size)


def _skip_line_ends(window: Window, keep: int) -> bool:
    """Move over carriage returns and line feeds; tell whether anything follows."""
    while head := window.peek(64):
        following = head.lstrip(b"\r\n")
        window.position += len(head) - len(following)
        if following:
            return True
        if window.position - window.start > 2 * keep + MAXIMUM_HEADER:
            window.mark()
    return False


def _arc_headers(line: re.Match[bytes]) -> dict[str, str]:
    """Name the fields of an ARC record's line as WARC names them. Only the record's type is made up."""
    media_type = line["type"]
    tail = _ARC_2_TAIL.fullmatch(media_type)
    if tail is not None:
        media_type = tail["type"]
    url = text_of(line["url"])
    scheme = url[: url.find(":")].lower()
    return {
        "warc-type": "warcinfo" if scheme == "filedesc" else "response",
        "warc-target-uri": url,
        "warc-ip-address": text_of(line["ip"]),
        "warc-date": text_of(line["date"]),
        "content-type": text_of(media_type),
        "content-length": text_of(line["length"]),
    }
