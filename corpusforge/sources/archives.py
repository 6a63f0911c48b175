"""Members of tar and zip archives, one after another in bounded memory; nothing is written to disk.

The tar reader goes forward only, so that every compression streams; headers are those of POSIX.1-2001 (pax), GNU tar
and old tar. Every size that a header states is compared with a limit before a byte is read.
"""

from __future__ import annotations

import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO

BLOCK = 512
PIECE = 1 << 16
LONGEST_NAME = 1 << 16
"""Bytes of a name or of extended headers; longer ones end the archive."""
LONGEST_DIRECTORY = 64 << 20
"""Bytes of a zip file's central directory."""
_ZIP_END, _ZIP64_END = b"PK\x05\x06", b"PK\x06\x06"
_ZIP_TAIL = 22 + 65_535 + 76
_LINK_MODE = 0o120000


class ArchiveError(Exception):
    """The rest of an archive cannot be read. `kind` is a short name to count."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class MemberError(Exception):
    """This member cannot be read; the next one can."""


@dataclass(frozen=True)
class Member:
    """A member that is no folder. `kind` is "file", "link" or "special"; `size` is in bytes.

    `read(limit)` gives the content; call it before the next member is asked for. It raises `MemberError` when the
    content is damaged or longer than `limit` bytes, whatever `size` says.
    """

    name: str
    size: int
    kind: str
    read: Callable[[int], bytes]


@dataclass
class Limits:
    """Bounds of one archive: unpacked bytes and members of any kind."""

    total_bytes: int
    members: int


class TarReader:
    """Iterates a tar stream. `comment` is that of the global header: git writes the commit there."""

    def __init__(self, stream: BinaryIO, limits: Limits) -> None:
        self._stream = stream
        self._limits = limits
        self._left = 0
        """Bytes of the member, padding included, that are still to be passed over."""
        self._passed = 0
        self.comment: str | None = None

    def members(self) -> Iterator[Member]:
        """Iterate members in the stream's order. Raises `ArchiveError` where the archive cannot be followed."""
        name: str | None = None
        size: int | None = None
        for _ in range(self._limits.members):
            header = self._header()
            if header is None:
                return
            if header.type in (b"x", b"g", b"L", b"K"):
                data = self._extension(header.size)
                if header.type == b"L":
                    name = data.rstrip(b"\0").decode("utf-8", "replace")
                elif header.type == b"x":
                    fields = pax_fields(data)
                    name = fields.get("path", name)
                    size = _whole(fields["size"]) if "size" in fields else size
                elif header.type == b"g":
                    self.comment = pax_fields(data).get("comment", self.comment)
                continue
            real_size = header.size if size is None else size
            kind = _kind(header.type)
            content = real_size if kind != "link" else 0
            self._left = content + -content % BLOCK
            if kind != "folder":
                yield Member(name or header.name, content, kind, partial(self._read, content))
            name = size = None
            while self._left > 0:
                self._left -= len(self._exactly(min(self._left, PIECE)))
        raise ArchiveError("too_many_files", f"more than {self._limits.members} members")

    def _header(self) -> tarfile.TarInfo | None:
        block = self._exactly(BLOCK)
        if not block.strip(b"\0"):
            return None
        try:
            header = tarfile.TarInfo.frombuf(block, "utf-8", "replace")
        except (tarfile.HeaderError, ValueError) as error:
            raise ArchiveError(
                "damaged_archive", f"bad header behind {self._passed} bytes: {error}"
            ) from error
        if header.size < 0:
            raise ArchiveError("damaged_archive", f"a size below 0 behind {self._passed} bytes")
        return header

    def _extension(self, size: int) -> bytes:
        if size > LONGEST_NAME:
            raise ArchiveError("damaged_archive", f"an extended header of {size} bytes")
        return self._exactly(size + -size % BLOCK)[:size]

    def _exactly(self, size: int) -> bytes:
        data = self._stream.read(size)
        while len(data) < size and (more := self._stream.read(size - len(data))):
            data += more
        self._count(len(data))
        if len(data) < size:
            raise ArchiveError("truncated_archive", f"the archive ends behind {self._passed} bytes")
        return data

    def _read(self, size: int, limit: int) -> bytes:
        if size > limit:
            raise MemberError(f"{size} bytes, {limit} are allowed")
        data = self._exactly(self._left)
        self._left = 0
        return data[:size]

    def _count(self, size: int) -> None:
        self._passed += size
        if self._passed > self._limits.total_bytes:
            raise ArchiveError("archive_too_large", f"more than {self._limits.total_bytes} bytes unpacked")


def _kind(type_: bytes) -> str:
    return {b"0": "file", b"\0": "file", b"7": "file", b"5": "folder", b"1": "link", b"2": "link"}.get(
        type_, "special"
    )


def _whole(text: str) -> int:
    if not text.isdecimal() or len(text) > 18:
        raise ArchiveError("damaged_archive", f"a size of {text[:30]!r}")
    return int(text)


def pax_fields(data: bytes) -> dict[str, str]:
    """Fields of an extended header: records of ``LENGTH KEY=VALUE`` and a line feed; what does not fit is left out."""
    fields: dict[str, str] = {}
    at = 0
    while at < len(data):
        length, space, _ = data[at : at + 12].partition(b" ")
        if not space or not length.isdigit() or not len(length) + 1 < int(length) <= len(data) - at:
            break
        key, _, value = data[at + len(length) + 1 : at + int(length)].removesuffix(b"\n").partition(b"=")
        fields[key.decode("utf-8", "replace")] = value.decode("utf-8", "replace")
        at += int(length)
    return fields


class ZipReader:
    """Iterates a seekable zip file. `comment` is the archive's: GitHub writes the commit there."""

    def __init__(self, stream: BinaryIO, limits: Limits) -> None:
        size = _directory_size(stream)
        if size > min(LONGEST_DIRECTORY, 256 * limits.members):
            raise ArchiveError("too_many_files", f"a central directory of {size} bytes")
        try:
            self._archive = zipfile.ZipFile(stream)
        except (zipfile.BadZipFile, ValueError, struct.error, NotImplementedError, EOFError) as error:
            raise ArchiveError("damaged_archive", f"{type(error).__name__}: {error}"[:300]) from error
        if len(self._archive.filelist) > limits.members:
            raise ArchiveError("too_many_files", f"{len(self._archive.filelist)} members")
        self._limits = limits
        self._passed = 0
        self.comment: str | None = self._archive.comment[:100].decode("utf-8", "replace") or None

    def members(self) -> Iterator[Member]:
        """Iterate members in the central directory's order; only what is read is unpacked."""
        for entry in self._archive.filelist:
            if entry.is_dir():
                continue
            is_link = entry.create_system == 3 and (entry.external_attr >> 16) & 0o170000 == _LINK_MODE
            yield Member(
                entry.filename, entry.file_size, "link" if is_link else "file", partial(self._read, entry)
            )

    def _read(self, entry: zipfile.ZipInfo, limit: int) -> bytes:
        if entry.file_size > limit:
            raise MemberError(f"{entry.file_size} bytes, {limit} are allowed")
        try:
            with self._archive.open(entry) as content:
                data = content.read(limit + 1)
        except (
            zipfile.BadZipFile,
            zlib.error,
            EOFError,
            RuntimeError,
            NotImplementedError,
            ValueError,
            struct.error,
        ) as error:
            # RuntimeError: the member is encrypted. NotImplementedError: its compression is not known.
            raise MemberError(f"{type(error).__name__}: {error}"[:300]) from error
        except OSError as error:
            if error.errno is not None:
                raise
            raise MemberError(f"{type(error).__name__}: {error}"[:300]) from error
        if len(data) > limit:
            raise MemberError(f"more than {limit} bytes")
        self._passed += len(data)
        if self._passed > self._limits.total_bytes:
            raise ArchiveError("archive_too_large", f"more than {self._limits.total_bytes} bytes unpacked")
        return data


def _directory_size(stream: BinaryIO) -> int:
    """Bytes of the central directory, as the end of the file states them (APPNOTE 4.3.14, 4.3.16)."""
    end = stream.seek(0, 2)
    stream.seek(max(0, end - _ZIP_TAIL))
    tail = stream.read(_ZIP_TAIL)
    stream.seek(0)
    at = tail.rfind(_ZIP_END)
    if at < 0 or at + 22 > len(tail):
        raise ArchiveError("damaged_archive", "no end of the central directory")
    size = int(struct.unpack_from("<L", tail, at + 12)[0])
    at = tail.rfind(_ZIP64_END, 0, at)
    if at >= 0 and at + 56 <= len(tail):
        size = max(size if size != 0xFFFFFFFF else 0, int(struct.unpack_from("<Q", tail, at + 40)[0]))
    return size
