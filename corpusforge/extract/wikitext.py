"""Wikitext to clean prose: links become their words, templates, references and files go, mathematics stays.

Parsing is mwparserfromhell's. Work is bounded by the caller (bytes of the page) and by `MAXIMUM_NODES`.
"""

from __future__ import annotations

import gc
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

from corpusforge.extract.wikitext_cleanup import Verbatim, tidy, without_loose_markup, without_reserved
from corpusforge.extract.wikitext_prose import MAXIMUM_NODES, Prose, TooManyNodesError

__all__ = [
    "MAXIMUM_NODES",
    "TooManyNodesError",
    "is_redirect",
    "wikitext_to_text",
    "wikitext_to_text_by_nodes",
]

_REDIRECT = re.compile(r"^\s*#\s*[^\s\[]{3,20}\s*:?\s*\[\[", re.IGNORECASE)


def is_redirect(text: str) -> bool:
    """Whether a page only points to another one (``#REDIRECT [[…]]`` in any language)."""
    return _REDIRECT.match(text) is not None


def wikitext_to_text(text: str, file_names: Collection[str], category_names: Collection[str]) -> str:
    """Give a page's text: paragraphs, headings on lines of their own, list items behind ``- ``.

    `file_names` and `category_names` are the names of those namespaces in the wiki's language, in lower case;
    links to them are dropped. Tables give a line per row, cells separated by tabs. Code stays as it stands, mathematics
    as ``$…$`` in TeX. Raises `TooManyNodesError`, and ValueError for what the parser itself cannot take.
    """
    from mwparserfromhell.parser import ParserError

    from corpusforge.extract.wikitext_tokens import IrregularTokensError

    try:
        with _no_collection():
            written, verbatim = _written_from_tokens(text, _dropped(file_names, category_names))
    except IrregularTokensError:
        return wikitext_to_text_by_nodes(text, file_names, category_names)
    except ParserError as error:
        raise ValueError(str(error)) from error
    return _finished(written, verbatim, file_names)


def wikitext_to_text_by_nodes(text: str, file_names: Collection[str], category_names: Collection[str]) -> str:
    """The same as `wikitext_to_text` from the parser's nodes, for all pages, and several times slower."""
    from mwparserfromhell.parser import ParserError
    from mwparserfromhell.parser.builder import Builder

    prose = _NodeProse(_dropped(file_names, category_names))
    try:
        prose.write(Builder().build(_tokens(text)))
    except ParserError as error:
        raise ValueError(str(error)) from error
    return _finished("".join(prose.pieces), prose.verbatim, file_names)


def _written_from_tokens(text: str, dropped: frozenset[str]) -> tuple[str, Verbatim]:
    """What a page's tokens say, to be mended; no token outlives the call."""
    from corpusforge.extract.wikitext_tokens import TokenProse

    prose = TokenProse(_tokens(text), dropped)
    prose.write_page()
    return "".join(prose.pieces), prose.verbatim


@contextmanager
def _no_collection() -> Iterator[None]:
    """Hold the search for cycles of garbage: a page's tokens are many objects and no cycle, and all go with the page.

    The searches that they set off took a third of the time.
    """
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _tokens(text: str) -> list[Any]:
    """The parser's tokens; apostrophes that mean bold and italic stay text."""
    from mwparserfromhell.parser import Parser

    tokens: list[Any] = Parser()._tokenizer.tokenize(without_reserved(text), 0, True)
    return tokens


def _dropped(file_names: Collection[str], category_names: Collection[str]) -> frozenset[str]:
    return frozenset(file_names) | frozenset(category_names)


def _finished(written: str, verbatim: Verbatim, file_names: Collection[str]) -> str:
    return verbatim.restore(tidy(without_loose_markup(written, file_names)))


class _NodeProse(Prose[Any]):
    """Walks the nodes of a page."""

    def write(self, part: Any) -> None:
        for node in part.nodes:
            self.visit()
            getattr(self, f"_{type(node).__name__.lower()}", self._nothing)(node)

    def source(self, part: Any) -> str:
        return str(part)

    def _nothing(self, node: Any) -> None:
        """Comments, arguments and whatever is not named here say nothing to a reader."""

    def _text(self, node: Any) -> None:
        self.text(str(node.value))

    def _htmlentity(self, node: Any) -> None:
        kind = "named" if node.named else node.hex_char if node.hexadecimal else "decimal"
        self.entity(kind, node.value)

    def _heading(self, node: Any) -> None:
        self.heading(int(node.level), node.title)

    def _wikilink(self, node: Any) -> None:
        self.link(str(node.title), node.text)

    def _externallink(self, node: Any) -> None:
        self.external_link(node.url, node.title, node.brackets)

    def _template(self, node: Any) -> None:
        self.template(str(node.name), [parameter.value for parameter in node.params])

    def _tag(self, node: Any) -> None:
        self.tag(str(node.tag), node.contents)
