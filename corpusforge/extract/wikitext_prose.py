"""What a reader sees of each thing that wikitext is made of: links their words, mathematics as TeX, references nothing.

How the things of a page are found is not told here: `Prose` is given them by one who walks a page, over the parser's
tokens or over its nodes, and asks that walker for what stands inside.
"""

from __future__ import annotations

import html
import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from html.entities import name2codepoint
from typing import Generic, TypeVar

from corpusforge.extract.wikitext_cleanup import HEADING, Verbatim, cell_text, without_reserved

MAXIMUM_NODES = 200_000
"""Nodes of a page that are visited; a page with more is refused."""

_DROPPED_TAGS = frozenset(
    (
        *("ref", "references", "gallery", "timeline", "score", "imagemap"),
        *("templatestyles", "mapframe", "maplink", "graph", "hiero", "indicator"),
    )
)
_KEPT_AS_THEY_STAND = frozenset(["code", "pre", "syntaxhighlight", "source", "nowiki", "poem"])
_TEXT_ARGUMENT = {
    "lang": 1,
    "langx": 1,
    "nowrap": 0,
    "nobr": 0,
    "small": 0,
    "big": 0,
    "abbr": 0,
    "nihongo": 0,
    "transliteration": 1,
    "circa": 0,
    "c.": 0,
    "mvar": 0,
    "math": 0,
}
"""Templates that mean one of their arguments: name to its position."""

_QUOTES = re.compile(r"'{2,}")
_FILE_LINK = re.compile(
    r"[^:]{1,40}:.+\.(?:jpe?g|png|gif|svg|tiff?|webp|xcf|og[agv]|webm|mid|mp3|wav|pdf|djvu)\s*", re.I
)
_LIST = {"li": "- ", "dd": "", "dt": ""}

Part = TypeVar("Part")
"""A part of a page, as its walker names it."""


class TooManyNodesError(ValueError):
    """A page has more nodes than are visited."""


def _apostrophes(match: re.Match[str]) -> str:
    """What is left of a run of apostrophes when those that mean italic (2), bold (3) or both (5) are gone."""
    length = len(match.group())
    return "'" if length == 4 else "'" * max(0, length - 5)


def _decoded(text: str) -> str:
    """A text with what its entities stand for, which may be no private character that means something here."""
    try:
        return without_reserved(html.unescape(text))
    except ValueError:  # a number of more digits than Python converts
        return text


class Prose(ABC, Generic[Part]):
    """Collects the text of a page in `pieces`; code and formulas are marks in it, which `verbatim` restores.

    Links to namespaces in `dropped` (lower case) say nothing. Comments and arguments of templates (``{{{1}}}``) do not
    either: a walker leaves them out.
    """

    def __init__(self, dropped: frozenset[str]) -> None:
        self.dropped = dropped
        self.pieces: list[str] = []
        self.verbatim = Verbatim()
        self._nodes = 0

    @abstractmethod
    def write(self, part: Part) -> None:
        """Write all that a part of the page is made of. Raises `TooManyNodesError`."""

    @abstractmethod
    def source(self, part: Part) -> str:
        """The wikitext of a part."""

    def visit(self) -> None:
        """Count a node."""
        self._nodes += 1
        if self._nodes > MAXIMUM_NODES:
            raise TooManyNodesError(f"more than {MAXIMUM_NODES} nodes")

    def text(self, text: str) -> None:
        """Plain text; marks of bold and italic go."""
        self.pieces.append(_QUOTES.sub(_apostrophes, text) if "''" in text else text)

    def entity(self, kind: str, value: str) -> None:
        """``&value;`` ("named"), ``&#value;`` ("decimal"), ``&#xvalue;`` or ``&#Xvalue;`` (the letter)."""
        try:
            if kind == "named":
                character = chr(name2codepoint[value])
            else:
                character = chr(int(value, 10 if kind == "decimal" else 16))
        except (ValueError, KeyError, OverflowError):
            prefix = {"named": "&", "decimal": "&#"}.get(kind, f"&#{kind}")
            character = f"{prefix}{value};"
        self.pieces.append(without_reserved(character))

    def heading(self, level: int, title: Part) -> None:
        """``== title ==``, on a line of its own."""
        self.pieces.append(f"\n{HEADING}{min(max(level, 1), 6)}")
        self.write(title)
        self.pieces.append("\n")

    def link(self, title: str, words: Part | None) -> None:
        """``[[title|words]]``."""
        title = title.strip()
        namespace, colon, _ = title.partition(":")
        if colon and (namespace.strip().lower() in self.dropped or _FILE_LINK.fullmatch(title)):
            return
        if words is not None:
            self.write(words)
        else:
            self.pieces.append(_decoded(title.removeprefix(":").split("#")[0] or title))

    def external_link(self, url: Part, title: Part | None, brackets: bool) -> None:
        """``[url title]``, ``[url]``, or the URL alone, which is all that stays of itself."""
        if title is not None:
            self.write(title)
        elif not brackets:
            self.pieces.append(self.source(url))

    def template(self, name: str, values: Sequence[Part]) -> None:
        """``{{name|value|key=value}}``."""
        known = name.strip().lower()
        if known in ("convert", "cvt") and len(values) >= 2:
            self.pieces.append(f"{self.source(values[0])} {self.source(values[1])}")
        elif known.startswith("formatnum:"):
            self.pieces.append(name.partition(":")[2])
        elif known.startswith("lang-") and values:
            self.write(values[0])
        elif known in _TEXT_ARGUMENT and len(values) > _TEXT_ARGUMENT[known]:
            self.write(values[_TEXT_ARGUMENT[known]])

    def tag(self, name: str, contents: Part) -> None:
        """A tag of HTML or of an extension, or what wikitext writes otherwise: lists, tables, lines."""
        name = name.strip().lower()
        if name in _DROPPED_TAGS:
            return
        if name == "math":
            self.pieces.append(self.verbatim.hold(f"${self.source(contents).strip()}$"))
        elif name in ("br", "hr"):
            self.pieces.append("\n")
        elif name in _LIST:
            self.pieces.append(_LIST[name])
        elif name in ("tr", "table"):
            if self.pieces and not self.pieces[-1].endswith("\n"):
                self.pieces.append("\n")
            self.write(contents)
            self.pieces.append("\n")
        elif name in ("td", "th"):
            self._cell(contents)
        elif name in _KEPT_AS_THEY_STAND:
            self._as_it_stands(name, self.source(contents))
        else:
            self.write(contents)

    def _cell(self, contents: Part) -> None:
        """One line; tables inside of a cell too, which are mostly layout."""
        begin = len(self.pieces)
        self.write(contents)
        text = "".join(self.pieces[begin:])
        self.pieces[begin:] = [cell_text(text), "\t"]

    def _as_it_stands(self, name: str, text: str) -> None:
        """Blocks on lines of their own. MediaWiki decodes entities in all of them but highlighted source."""
        text = text if name in ("syntaxhighlight", "source") else _decoded(text)
        if not text.strip():
            return
        if name == "nowiki" or (name == "code" and "\n" not in text):
            self.pieces.append(self.verbatim.hold(text))
        else:
            self.pieces += ["\n", self.verbatim.hold(text.strip("\n").rstrip()), "\n"]
