"""Books: Project Gutenberg's texts, plain or in `.zip`, EPUB, and plain text of any encoding.

A document is a book. Header and footer of Project Gutenberg go, and paragraphs that were wrapped at a width are
joined; see `corpusforge.extract.gutenberg`. An archive's sizes are those found by reading, never those it declares.
"""

from __future__ import annotations

import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO, ClassVar

from pydantic import Field

from corpusforge.extract.charset import decode
from corpusforge.extract.gutenberg import Book, declared_charset, unwrapped, without_gutenberg
from corpusforge.sources.base import Damaged, Record, Skipped, Source, SourceFile
from corpusforge.sources.decompress import DECOMPRESSION_ERRORS, decompressed
from corpusforge.sources.epub import CONTAINER, RIGHTS, read_epub
from corpusforge.sources.tar import read_exactly
from corpusforge.step import StepParameters

ZIP = b"PK\x03\x04"
_BYTE_ORDER_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
_ZIP_ERRORS = (
    *(zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError, KeyError, EOFError, struct.error),
    *(zlib.error, lzma.LZMAError),
)
"""What `zipfile` raises for damaged archives, foreign compressions and encrypted members."""


class Parameters(StepParameters):
    """Parameters of `Books`."""

    unwrap: bool = Field(True, description="join the lines of paragraphs that were wrapped at a width")
    max_book_bytes: int = Field(64 << 20, gt=0, description="decompressed bytes of one book")
    max_archive_bytes: int = Field(1 << 30, gt=0, description="a longer .zip or .epub is given up")
    max_members: int = Field(5000, gt=0, description="files of one archive, and chapters of a book")


class _TooLargeError(Exception):
    """A book over its limit."""


class Books(Source):
    """Reads books, one document each."""

    name = "books"
    summary = "Project Gutenberg texts (.txt, .zip), EPUB and plain text: header and footer cut, paragraphs unwrapped"
    suffixes: ClassVar[tuple[str, ...]] = (
        ".txt",
        ".txt.gz",
        ".txt.zst",
        ".txt.bz2",
        ".txt.xz",
        ".zip",
        ".epub",
    )
    Parameters = Parameters

    def records(self, file: SourceFile, stream: BinaryIO) -> Iterator[Record | Skipped | Damaged]:
        """Iterate the books of a file, most often one."""
        head = stream.read(len(ZIP))
        stream.seek(0)
        if head == ZIP:
            yield from self._archive(file, stream)
            return
        limit = self.parameters.max_book_bytes
        try:
            data = read_exactly(decompressed(stream), limit + 1)
        except (*DECOMPRESSION_ERRORS, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise
            yield Damaged(file.path, "damaged_stream", f"{type(error).__name__}: {error}"[:300], file.size)
            return
        if len(data) > limit:
            yield Damaged(file.path, "book_too_large", f"more than {limit} bytes", file.size)
        else:
            yield self._text(file.path, file.path, data, file.size)

    def _archive(self, file: SourceFile, stream: BinaryIO) -> Iterator[Record | Skipped | Damaged]:
        if file.size > self.parameters.max_archive_bytes:
            limit = self.parameters.max_archive_bytes
            yield Damaged(
                file.path, "archive_too_large", f"{file.size} bytes, {limit} are allowed", file.size
            )
            return
        try:
            with zipfile.ZipFile(stream) as archive:
                members = [member for member in archive.infolist() if not member.is_dir()]
                if len(members) > self.parameters.max_members:
                    message = f"{len(members)} files, {self.parameters.max_members} are allowed"
                    yield Damaged(file.path, "too_many_members", message, file.size)
                elif CONTAINER in {member.filename for member in members}:
                    yield self._guarded(file.path, file.size, lambda: self._epub(file, archive))
                else:
                    yield from self._members(file, archive, members)
        except _ZIP_ERRORS as error:
            yield Damaged(file.path, "bad_archive", f"{type(error).__name__}: {error}"[:300], file.size)

    def _members(
        self, file: SourceFile, archive: zipfile.ZipFile, members: list[zipfile.ZipInfo]
    ) -> Iterator[Record | Skipped | Damaged]:
        for member in members:
            locator = f"{file.path}#{member.filename}"
            size = max(member.compress_size, 0)
            if not member.filename.lower().endswith(".txt"):
                yield Skipped("no_text_file", size)
            else:
                yield self._guarded(locator, size, lambda: self._member(locator, archive, member, size))  # noqa: B023

    def _guarded(self, locator: str, size: int, read: Any) -> Record | Skipped | Damaged:
        """Read one book; every way in which an archive can fail costs the book."""
        try:
            found: Record | Skipped | Damaged = read()
        except _TooLargeError as error:
            return Damaged(locator, "book_too_large", str(error), size)
        except _ZIP_ERRORS as error:
            return Damaged(locator, "bad_archive", f"{type(error).__name__}: {error}"[:300], size)
        return found

    def _member(
        self, locator: str, archive: zipfile.ZipFile, member: zipfile.ZipInfo, size: int
    ) -> Record | Skipped | Damaged:
        if member.flag_bits & 1:
            return Skipped("encrypted", size)
        data = _Budget(archive, self.parameters.max_book_bytes)(member.filename)
        return self._text(locator, member.filename, data, size)

    def _text(self, locator: str, name: str, data: bytes, size: int) -> Record | Skipped:
        if not _is_text(data):
            return Skipped("no_text", size)
        book = without_gutenberg(decode(data, declared_charset(data), is_html=False).text.replace("\x00", ""))
        text = unwrapped(book.text) if self.parameters.unwrap else book.text
        return self._record(locator, name, book, text, size, {})

    def _epub(self, file: SourceFile, archive: zipfile.ZipFile) -> Record | Skipped:
        if RIGHTS in archive.namelist():
            return Skipped("encrypted", file.size)
        found = read_epub(_Budget(archive, self.parameters.max_book_bytes), self.parameters.max_members)
        book = without_gutenberg(found.text)
        number = book.number
        identifier = (found.identifier or "").rstrip("/").rpartition("/")[2]
        if number is None and "gutenberg" in (found.identifier or "").lower() and identifier.isdecimal():
            number = int(identifier[:9])
        book = Book(
            book.text,
            number,
            found.title or book.title,
            found.author or book.author,
            found.language or book.language,
        )
        return self._record(file.path, file.path, book, book.text, file.size, {"chapters": found.chapters})

    def _record(
        self, locator: str, name: str, book: Book, text: str, size: int, more: dict[str, Any]
    ) -> Record | Skipped:
        if not text.strip():
            return Skipped("empty", size)
        # Editions of one release are documents of their own until deduplication has compared them.
        base = name.rsplit("/", 1)[-1]
        return Record(
            origin_key=f"gutenberg/{book.number}/{base}" if book.number is not None else name,
            locator=locator,
            payload=text.encode("utf-8", "replace"),
            size=size,
            content_type="text/plain",
            charset="utf-8",
            url=f"https://www.gutenberg.org/ebooks/{book.number}" if book.number is not None else None,
            meta={"title": book.title, "author": book.author, "language": book.language, **more},
        )


class _Budget:
    """Reads members of one archive, all together no more than so many bytes."""

    def __init__(self, archive: zipfile.ZipFile, limit: int) -> None:
        self._archive, self._limit, self._left = archive, limit, limit

    def __call__(self, name: str) -> bytes:
        with self._archive.open(name) as member:
            data = read_exactly(member, self._left + 1)  # type: ignore[arg-type]
        self._left -= len(data)
        if self._left < 0:
            raise _TooLargeError(f"more than {self._limit} bytes when decompressed")
        return data


def _is_text(data: bytes) -> bool:
    """Whether bytes can be text: a byte order mark, or hardly any control characters among the first."""
    head = data[:4096]
    controls = sum(byte < 32 and byte not in b"\t\n\r\x0c\x1a\x1b" for byte in head)
    return head.startswith(_BYTE_ORDER_MARKS) or (bool(head) and controls * 50 <= len(head))
