"""Wikipedia's ``pages-articles`` dumps: XML, plain or compressed, of any language.

Pages are cut out of the stream and parsed one by one: a damaged page, or one that never ends, costs itself. Dumps in
several bzip2 streams (``…-pages-articles-multistream.xml.bz2``) are read in parts, and damaged streams passed over; the
index that Wikimedia publishes beside them is not needed, since each part finds its own streams.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any, BinaryIO, ClassVar, Literal
from xml.etree import ElementTree

from pydantic import Field

from corpusforge.errors import CorpusforgeError, MissingExtraError
from corpusforge.sources.base import Damaged, Record, Skipped, Source, SourceFile
from corpusforge.sources.bzip2 import Gap
from corpusforge.sources.c4 import iso_date
from corpusforge.sources.ranges import ranged
from corpusforge.sources.whole_numbers import whole_number
from corpusforge.sources.wikipedia_pages import HEADER_LIMIT, Piece, begin_of, pages_of_file
from corpusforge.step import StepParameters

_NAMESPACE = re.compile(rb'<namespace key="(-?\d+)"[^>]*>([^<]*)</namespace>')
_LANGUAGE = re.compile(rb'xml:lang="([a-zA-Z-]{2,16})"')
_DATABASE = re.compile(rb"<dbname>([a-z_0-9]{2,32})</dbname>")
_BASE = re.compile(rb"<base>(https?://[^<\s]{3,200}?)/[^/<\s]*</base>")
_FILE_NAME = re.compile(r"([a-z]{2,3}(?:_[a-z_]{2,20})?)wiki")
_FILE_KEY, _CATEGORY_KEY = b"6", b"14"

LICENSE = "CC-BY-SA-4.0"


class Parameters(StepParameters):
    """Parameters of `Wikipedia`."""

    namespaces: list[int] = Field(
        default_factory=lambda: [0], description="namespaces of pages to read; 0: articles"
    )
    keep_disambiguations: bool = Field(False, description="keep pages that only list the meanings of a word")
    max_page_bytes: int = Field(16 << 20, gt=0, description="a longer page is given up")
    multistream: Literal["parts", "whole"] = Field(
        "parts",
        description='"parts": a .bz2 file with "multistream" in its name is read by several shards of `shard_bytes`',
    )


class Wikipedia(Source):
    """Reads articles; their wikitext becomes prose."""

    name = "wikipedia"
    summary = "Wikipedia and other MediaWiki dumps (pages-articles XML), wikitext to clean prose"
    suffixes: ClassVar[tuple[str, ...]] = tuple(
        f".xml{packing}" for packing in (".bz2", ".gz", ".zst", ".xz", "")
    )
    Parameters = Parameters

    def expand(self, file: SourceFile, shard_bytes: int) -> Iterable[SourceFile]:
        """A multistream dump stands for parts of `shard_bytes`: each is the streams that begin in it."""
        named = file.path.endswith(".bz2") and "multistream" in file.path.rsplit("/", 1)[-1]
        if not named or self.parameters.multistream == "whole" or file.size <= shard_bytes:
            return (file,)
        bounds = [*range(0, file.size, shard_bytes), file.size]
        return [ranged(file.path, file.url, [place]) for place in pairwise(bounds)]

    def records(self, file: SourceFile, stream: BinaryIO) -> Iterator[Record | Skipped | Damaged]:
        """Iterate pages in the file's order; of a part, those that begin in its streams."""
        try:
            import mwparserfromhell  # noqa: F401
        except ImportError as error:
            raise MissingExtraError("wikipedia", "sources") from error
        begin, end = file.ranges[0] if file.ranges else (0, None)
        site = _Site(begin_of(stream, HEADER_LIMIT) if begin else b"", file.name)
        for item in pages_of_file(stream, begin, end, self.parameters.max_page_bytes):
            if isinstance(item, Gap):
                place = f"{file.name}@{item.offset}" if item.offset else file.name
                yield Damaged(place, "damaged_stream", item.error[:300], 0)
                continue
            place, piece = item
            if piece.kind == "header":
                site = _Site(piece.data or b"", file.name)
                yield Skipped("siteinfo", piece.size)
            elif piece.kind == "rest":
                yield Skipped("end", piece.size)
            else:
                yield self._piece(f"{file.name}{place}", site, piece)

    def _piece(self, locator: str, site: _Site, piece: Piece) -> Record | Skipped | Damaged:
        if piece.data is None:
            message = f"{piece.size} bytes, {self.parameters.max_page_bytes} are allowed"
            return Damaged(locator, "page_too_long", message, piece.size)
        if not piece.closed:
            return Damaged(locator, "page_not_closed", f"no end within {len(piece.data)} bytes", piece.size)
        return self._page(locator, site, piece.data, piece.size)

    def _page(self, locator: str, site: _Site, data: bytes, size: int) -> Record | Skipped | Damaged:
        from corpusforge.extract.wikitext import TooManyNodesError, is_redirect, wikitext_to_text

        try:
            page = ElementTree.fromstring(data)
            namespace = whole_number(page.findtext("ns") or "0")
            number, title = whole_number(page.findtext("id") or ""), page.findtext("title") or ""
            revision = page.find("revision")
            text = (revision.findtext("text") if revision is not None else None) or ""
        except (ElementTree.ParseError, ValueError) as error:
            return Damaged(locator, "bad_xml", f"{type(error).__name__}: {error}"[:300], size)
        if namespace not in self.parameters.namespaces:
            return Skipped(f"namespace_{namespace}" if -2 <= namespace < 1000 else "namespace_other", size)
        if page.find("redirect") is not None or is_redirect(text):
            return Skipped("redirect", size)
        if not self.parameters.keep_disambiguations and is_disambiguation(title, text):
            return Skipped("disambiguation", size)
        try:
            prose = wikitext_to_text(text, site.files, site.categories)
        except (TooManyNodesError, RecursionError, ValueError) as error:
            return Damaged(locator, "bad_wikitext", f"{type(error).__name__}: {error}"[:300], size)
        except (CorpusforgeError, MemoryError, OSError, ImportError):
            raise  # the machine's or the installation's: no page's fault
        except Exception as error:
            # A fault of the parser or of ours that a hostile page finds: it costs the page, and its own kind tells.
            return Damaged(locator, "wikitext_error", f"{type(error).__name__}: {error}"[:300], size)
        edition = revision.findtext("id") if revision is not None else None
        return Record(
            origin_key=f"{site.database}/{number}/{edition or ''}",
            locator=locator,
            payload=f"{title}\n\n{prose}".encode("utf-8", "replace"),
            size=size,
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
