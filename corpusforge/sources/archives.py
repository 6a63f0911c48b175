"""Members of tar and zip archives, one after another in bounded memory; nothing is written to disk.

The tar reader goes forward only, so that every compression streams. Every size that a header states is compared with
a limit before a byte is read.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO, cast

from corpusforge.sources import tar

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
        self._stream = cast(BinaryIO, _Counted(stream, limits.total_bytes))
        self._limits = limits
        self._global_fields: dict[str, str] = {}

    @property
    def comment(self) -> str | None:
        """What the headers read so far say."""
        return self._global_fields.get("comment")

    def members(self) -> Iterator[Member]:
        """Iterate members in the stream's order. Raises `ArchiveError` where the archive cannot be followed."""
        try:
            found = tar.tar_members(self._stream, must_end=True, global_fields=self._global_fields)
            for number, member in enumerate(found):
                if number == self._limits.members:
                    raise ArchiveError("too_many_files", f"more than {number} members")
                if not member.is_folder:
                    kind = "file" if member.is_file else "link" if member.is_link else "special"
                    yield Member(member.name, member.size, kind, partial(_read, member))
        except tar.TarError as error:
            truncated = isinstance(error, tar.TarTruncatedError)
            raise ArchiveError("truncated_archive" if truncated else "damaged_archive", str(error)) from error


def _read(member: tar.Member, limit: int) -> bytes:
    if member.size > limit:
        raise MemberError(f"{member.size} bytes, {limit} are allowed")
    return member.read()


class _Counted:
    """A stream that ends with an error once more than `limit` bytes were read."""

    def __init__(self, stream: BinaryIO, limit: int) -> None:
        self._stream, self._limit, self._passed = stream, limit, 0

    def read(self, size: int) -> bytes:
        data = self._stream.read(size)
        self._passed += len(data)
        if self._passed > self._limit:
            raise ArchiveError("archive_too_large", f"more than {self._limit} bytes unpacked")
        return data


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
