"""Wikipedia's ``pages-articles`` dumps: XML, plain or compressed, of any language.

Pages are cut out of the stream between ``<page>`` and ``</page>``, which a dump never holds otherwise (text is
escaped), and parsed one by one: a damaged page, or one that never ends, costs itself.
"""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterator
from typing import Any, BinaryIO, ClassVar, cast
from xml.etree import ElementTree

from pydantic import Field

from corpusforge.errors import MissingExtraError
from corpusforge.sources.base import Damaged, Record, Skipped, Source, SourceFile
from corpusforge.sources.c4 import iso_date
from corpusforge.sources.decompress import DECOMPRESSION_ERRORS, decompressed
from corpusforge.step import StepParameters

BLOCK = 1 << 20
_BEGIN = b"<page>"
_END = b"</page>"
_NAMESPACE = re.compile(rb'<namespace key="(-?\d+)"[^>]*>([^<]*)</namespace>')
_LANGUAGE = re.compile(rb'xml:lang="([a-zA-Z-]{2,16})"')
_DATABASE = re.compile(rb"<dbname>([a-z_0-9]{2,32})</dbname>")
_BASE = re.compile(rb"<base>(https?://[^<\s]{3,200}?)/[^/<\s]*</base>")
_FILE_NAME = re.compile(r"([a-z]{2,3}(?:_[a-z_]{2,20})?)wiki")
_FILE_KEY, _CATEGORY_KEY = b"6", b"14"
_HEADER_LIMIT = 1 << 20

LICENSE = "CC-BY-SA-4.0"


class Parameters(StepParameters):
    """Parameters of `Wikipedia`."""

    namespaces: list[int] = Field(
        default_factory=lambda: [0], description="namespaces of pages to read; 0: articles"
    )
    keep_disambiguations: bool = Field(False, description="keep pages that only list the meanings of a word")
    max_page_bytes: int = Field(16 << 20, gt=0, description="a longer page is given up")


class Wikipedia(Source):
    """Reads articles; their wikitext becomes prose."""

    name = "wikipedia"
    summary = "Wikipedia and other MediaWiki dumps (pages-articles XML), wikitext to clean prose"
    suffixes: ClassVar[tuple[str, ...]] = tuple(
        f".xml{packing}" for packing in (".bz2", ".gz", ".zst", ".xz", "")
    )
    Parameters = Parameters

    def records(self, file: SourceFile, stream: BinaryIO) -> Iterator[Record | Skipped | Damaged]:
        """Iterate pages in the file's order."""
        try:
            import mwparserfromhell  # noqa: F401
        except ImportError as error:
            raise MissingExtraError("wikipedia", "sources") from error
        site = _Site(b"", file.path)
        try:
            for piece in pages(as_utf8(decompressed(stream)), self.parameters.max_page_bytes):
                if piece.kind == "header":
                    site = _Site(piece.data or b"", file.path)
                    yield Skipped("siteinfo", piece.size)
                elif piece.kind == "tail":
                    yield Skipped("end", piece.size)
                elif piece.data is None:
                    message = f"{piece.size} bytes, {self.parameters.max_page_bytes} are allowed"
                    yield Damaged(f"{file.path}#{piece.offset}", "page_too_long", message, piece.size)
                else:
                    yield self._page(file, site, piece)
        except (*DECOMPRESSION_ERRORS, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise
            yield Damaged(file.path, "damaged_stream", f"{type(error).__name__}: {error}"[:300], 0)

    def _page(self, file: SourceFile, site: _Site, piece: Piece) -> Record | Skipped | Damaged:
        from corpusforge.extract.wikitext import TooManyNodesError, is_redirect, wikitext_to_text

        locator = f"{file.path}#{piece.offset}"
        assert piece.data is not None
        try:
            page = ElementTree.fromstring(piece.data)
            namespace = int(page.findtext("ns") or "0")
            number, title = int(page.findtext("id") or ""), page.findtext("title") or ""
            revision = page.find("revision")
            text = (revision.findtext("text") if revision is not None else None) or ""
        except (ElementTree.ParseError, ValueError) as error:
            return Damaged(locator, "bad_xml", f"{type(error).__name__}: {error}"[:300], piece.size)
        if namespace not in self.parameters.namespaces:
            return Skipped(
                f"namespace_{namespace}" if -2 <= namespace < 1000 else "namespace_other", piece.size
            )
        if page.find("redirect") is not None or is_redirect(text):
            return Skipped("redirect", piece.size)
        if not self.parameters.keep_disambiguations and is_disambiguation(title, text):
            return Skipped("disambiguation", piece.size)
        try:
            prose = wikitext_to_text(text, site.files, site.categories)
        except (TooManyNodesError, RecursionError, ValueError) as error:
            return Damaged(locator, "bad_wikitext", f"{type(error).__name__}: {error}"[:300], piece.size)
        edition = revision.findtext("id") if revision is not None else None
        return Record(
            origin_key=f"{site.database}/{number}/{edition or ''}",
            locator=locator,
            payload=f"{title}\n\n{prose}".encode("utf-8", "replace"),
            size=piece.size,
            content_type="text/plain",
            charset="utf-8",
            url=f"{site.base}/{title.replace(' ', '_')}",
            date=iso_date(revision.findtext("timestamp")) if revision is not None else None,
            license=LICENSE,
            meta={
                "title": title,
                "page": number,
                "revision": edition,
                "wiki": site.database,
                "language": site.language,
            },
        )


class Piece:
    """A page, or what stands before the first ("header") or behind the last ("tail").

    `data` is None when it was longer than allowed.
    """

    __slots__ = ("data", "kind", "offset", "size")

    def __init__(self, kind: str, offset: int, data: bytes | None, size: int) -> None:
        self.kind, self.offset, self.data, self.size = kind, offset, data, size


class _Transcoded(io.RawIOBase):
    """UTF-16 as UTF-8, read as far as asked."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder("utf-16")("replace")

    def read(self, size: int = -1) -> bytes:
        """At least one byte while there is more, whatever the size asked for."""
        while block := self._stream.read(BLOCK):
            if text := self._decoder.decode(block):
                return text.encode("utf-8", "replace")
        return self._decoder.decode(b"", final=True).encode("utf-8", "replace")


def as_utf8(stream: BinaryIO) -> BinaryIO:
    """The stream, or its transcription when it begins with a byte order mark of UTF-16."""
    buffered = stream if hasattr(stream, "peek") else io.BufferedReader(cast(io.RawIOBase, stream))
    head = cast(io.BufferedReader, buffered).peek(2)[:2]
    if head in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        return cast(BinaryIO, _Transcoded(buffered))
    return buffered


def pages(stream: BinaryIO, limit: int) -> Iterator[Piece]:
    """Cut a dump into its header and its pages; offsets and sizes are in decompressed bytes.

    Memory is bounded by `limit`, whatever the file holds. Bytes between pages count to the page behind them.
    """
    buffer = bytearray()
    offset = 0
    kind, mark = "header", _BEGIN
    dropped = 0
    while True:
        found = buffer.find(mark)
        if found >= 0:
            end = found if kind == "header" else found + len(_END)
            data = bytes(buffer[:end])
            size = dropped + end
            if size:
                begin = data.find(_BEGIN)
                too_long = kind == "page" and size > limit
                yield Piece(
                    kind,
                    offset,
                    None if too_long else data[max(begin, 0) :] if kind == "page" else data,
                    size,
                )
            del buffer[:end]
            offset, dropped = offset + size, 0
            kind, mark = "page", _END
            continue
        if len(buffer) > (limit if kind == "page" else _HEADER_LIMIT):
            keep = len(mark)
            dropped += len(buffer) - keep
            del buffer[:-keep]
        block = stream.read(BLOCK)
        if not block:
            break
        buffer += block
    rest = dropped + len(buffer)
    if rest and b"</mediawiki>" in buffer and not dropped:
        yield (
            Piece("header", offset, b"", rest)
            if kind == "header"
            else Piece("tail", offset, b"<tail/>", rest)
        )
    elif rest:
        yield Piece("page", offset, None if dropped else bytes(buffer), rest)


class _Site:
    """What a dump's header says about its wiki."""

    def __init__(self, header: bytes, path: str) -> None:
        names: dict[bytes, str] = {
            key: name.decode("utf-8", "replace").strip().lower() for key, name in _NAMESPACE.findall(header)
        }
        self.files = {"file", "image", "media", *filter(None, [names.get(_FILE_KEY)])}
        self.categories = {"category", *filter(None, [names.get(_CATEGORY_KEY)])}
        named = _FILE_NAME.match(path.rsplit("/", 1)[-1])
        self.language = _first(_LANGUAGE, header) or (named.group(1).replace("_", "-") if named else None)
        self.database = _first(_DATABASE, header) or f"{(self.language or 'unknown').replace('-', '_')}wiki"
        self.base = _first(_BASE, header) or f"https://{self.language or 'en'}.wikipedia.org/wiki"


def _first(pattern: re.Pattern[bytes], header: bytes) -> str | None:
    match: Any = pattern.search(header)
    return match.group(1).decode("utf-8", "replace") if match else None


_DISAMBIGUATION = re.compile(
    r"\{\{\s*(disambig(uation)?|disamb|dab|hndis|geodis|begriffsklärung|homonymie|desambiguación|desambiguação|disambigua|"
    r"doorverwijspagina|ujednoznacznienie|неоднозначность|неоднозначность|förgrening|flertydig|egyért|rozcestník|"
    r"dezambiguizare|razvojba|вишезначна одредница|багатозначність|пояснение)\b",
    re.IGNORECASE,
)


def is_disambiguation(title: str, text: str) -> bool:
    """Whether a page lists the meanings of a word: by its template, or by the end of its title in English."""
    return title.endswith("(disambiguation)") or _DISAMBIGUATION.search(text) is not None
