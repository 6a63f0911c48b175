"""EPUB books: chapters in the order of the spine, as text, from a zip archive that is read in bounds.

The order is that of the format (EPUB 3.3, sections 4.2.6 and 5): ``META-INF/container.xml`` names the package
document, whose spine lists the content documents. Names are looked up in the archive and nowhere else.
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import unquote
from xml.etree import ElementTree

from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.html import HTMLTree

from corpusforge.extract.charset import decode
from corpusforge.extract.html import Limits, PageLimitError, measure_page
from corpusforge.kernels.html_scan import CAPACITY

CONTAINER = "META-INF/container.xml"
RIGHTS = "META-INF/rights.xml"
CHAPTER_LIMITS = Limits(
    max_bytes=8 << 20, max_nodes=500_000, max_depth=min(500, CAPACITY - 1), max_path_steps=50_000_000
)
"""Bounds of one content document: bytes, elements, depth, attributes of a tag, steps along paths, options."""


class Reader(Protocol):
    """Reads a member of the archive. Raises `KeyError` for one that is not there."""

    def __call__(self, name: str) -> bytes:
        """The member's bytes."""


class EpubError(ValueError):
    """An archive that is no EPUB book."""


@dataclass(frozen=True, slots=True)
class EpubBook:
    """A book's text, its chapters separated by two empty lines, and what its package tells."""

    text: str
    chapters: int
    title: str | None
    author: str | None
    language: str | None
    identifier: str | None


def read_epub(read: Reader, max_chapters: int) -> EpubBook:
    """Read a book. Raises `EpubError`, and what `read` raises beside `KeyError`."""
    path = _package_path(_xml(read, CONTAINER))
    package = _xml(read, path)
    hrefs = {
        item.get("id"): item.get("href", "")
        for item in _all(package, "item")
        if item.get("media-type", "") in ("application/xhtml+xml", "text/html")
    }
    spine = [item.get("idref") for item in _all(package, "itemref") if item.get("linear") != "no"]
    if len(spine) > max_chapters:
        raise EpubError(f"{len(spine)} content documents, {max_chapters} are allowed")
    texts: list[str] = []
    for name in dict.fromkeys(spine):
        if href := hrefs.get(name):
            member = posixpath.normpath(
                posixpath.join(posixpath.dirname(path), unquote(href.partition("#")[0]))
            )
            try:
                text = chapter_text(read(member))
            except KeyError:
                continue
            if text:
                texts.append(text)
    return EpubBook(
        "\n\n\n".join(texts),
        len(texts),
        _first(package, "title"),
        _first(package, "creator"),
        _first(package, "language"),
        _first(package, "identifier"),
    )


def chapter_text(payload: bytes) -> str:
    """A content document as text. Raises `EpubError` for one over the limits."""
    html = decode(payload).text
    try:
        measure_page(html.encode("utf-8"), CHAPTER_LIMITS)
    except PageLimitError as error:
        raise EpubError(f"a chapter: {error.kind}: {error}") from error
    tree = HTMLTree.parse(html)
    text = extract_plain_text(
        tree, preserve_formatting=True, main_content=False, alt_texts=False, links=False
    )
    return str(text).strip()


def _xml(read: Reader, name: str) -> ElementTree.Element:
    try:
        data = read(name)
    except KeyError as error:
        raise EpubError(f"no {name}") from error
    if b"<!ENTITY" in data:
        raise EpubError(f"{name} declares entities")
    try:
        return ElementTree.fromstring(data)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise EpubError(f"{name}: {error}") from error


def _package_path(container: ElementTree.Element) -> str:
    paths = [item.get("full-path", "") for item in _all(container, "rootfile")]
    if not paths or not paths[0]:
        raise EpubError("no package document is named")
    return paths[0]


def _all(root: ElementTree.Element, name: str) -> list[ElementTree.Element]:
    """Elements of a local name in document order, whatever their namespace."""
    return [item for item in root.iter() if isinstance(item.tag, str) and item.tag.rpartition("}")[2] == name]


def _first(root: ElementTree.Element, name: str) -> str | None:
    return next(
        (" ".join(item.text.split()) for item in _all(root, name) if item.text and item.text.strip()), None
    )
