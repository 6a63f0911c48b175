"""Wikitext to clean prose: links become their words, templates, references and files go, mathematics stays.

Parsing is mwparserfromhell's. Work is bounded by the caller (bytes of the page) and by `MAXIMUM_NODES`.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

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

_MARK = "\ue000"
_QUOTES = re.compile(r"'{2,}")
_FILE_LINK = re.compile(
    r"[^:]{1,40}:.+\.(?:jpe?g|png|gif|svg|tiff?|webp|xcf|og[agv]|webm|mid|mp3|wav|pdf|djvu)\s*", re.I
)
_OPENING = re.compile(r"\((?:\s*[,;:、，])+\s*")
_SWITCH = re.compile(r"__[A-Z]{3,20}__")
_EMPTY_BRACKETS = re.compile(r"\(\s*[,;:]?\s*\)|\[\s*\]")
_SPACES_ONLY = re.compile(r"  +")
_SPACES = re.compile(r"[ \t\u00a0]+")
_BLANK_LINES = re.compile(r"\n{3,}")
_BEFORE_MARK = re.compile(r" +([,.;:!?)])")
_REDIRECT = re.compile(r"^\s*#\s*[^\s\[]{3,20}\s*:?\s*\[\[", re.IGNORECASE)
_LIST = {"li": "- ", "dd": "", "dt": ""}


class TooManyNodesError(ValueError):
    """A page has more nodes than are visited."""


def is_redirect(text: str) -> bool:
    """Whether a page only points to another one (``#REDIRECT [[…]]`` in any language)."""
    return _REDIRECT.match(text) is not None


def wikitext_to_text(text: str, file_names: Collection[str], category_names: Collection[str]) -> str:
    """Give a page's text: paragraphs, headings on lines of their own, list items behind ``- ``.

    `file_names` and `category_names` are the names of those namespaces in the wiki's language, in lower case;
    links to them are dropped. Tables give a line per row, cells separated by tabs. Mathematics stays as
    ``$…$`` in TeX. Raises `TooManyNodesError`.
    """
    import mwparserfromhell

    parsed = mwparserfromhell.parse(text, skip_style_tags=True)
    writer = _Writer(frozenset(file_names), frozenset(category_names))
    writer.write(parsed)
    return tidy("".join(writer.pieces))


def tidy(text: str) -> str:
    """Mend what removal leaves: empty brackets, spaces before marks, runs of blank lines and spaces."""
    text = _SWITCH.sub("", text)
    lines = []
    for line in text.split("\n"):
        cells = [_SPACES.sub(" ", cell).strip() for cell in line.split("\t")]
        line = "\t".join(cells).strip()
        line = _SPACES_ONLY.sub(" ", _EMPTY_BRACKETS.sub("", line))
        line = _OPENING.sub("(", line)
        line = _BEFORE_MARK.sub(r"\1", line).strip(" ")
        if line != "-":
            lines.append(line)
    lines = without_empty_sections(lines)
    return _BLANK_LINES.sub("\n\n", "\n".join(lines)).strip()


def _apostrophes(match: re.Match[str]) -> str:
    """What is left of a run of apostrophes when those that mean italic (2), bold (3) or both (5) are gone."""
    length = len(match.group())
    return "'" if length == 4 else "'" * max(0, length - 5)


def without_empty_sections(lines: list[str]) -> list[str]:
    """Leave out headings under which nothing stands; a heading is a line of a mark, its level, and its words.

    The marks go. A heading stays when text, or a kept heading of a deeper level, stands below it before the next
    heading of its own or a higher level.
    """
    kept: list[str] = []
    below = 0  # 9: text below; else the level of the kept heading that stands next; 0: nothing
    for line in reversed(lines):
        if not line.startswith(_MARK):
            below = 9 if line else below
            kept.append(line)
        elif below > int(line[1]):
            below = int(line[1])
            kept.append(line[2:].strip())
    return kept[::-1]


class _Writer:
    """Walks the nodes of a page and collects text."""

    def __init__(self, files: frozenset[str], categories: frozenset[str]) -> None:
        self.dropped = files | categories
        self.pieces: list[str] = []
        self._nodes = 0

    def write(self, code: Any) -> None:
        for node in code.nodes:
            self._nodes += 1
            if self._nodes > MAXIMUM_NODES:
                raise TooManyNodesError(f"more than {MAXIMUM_NODES} nodes")
            getattr(self, f"_{type(node).__name__.lower()}", self._nothing)(node)

    def _nothing(self, node: Any) -> None:
        """Comments, arguments and whatever is not named here say nothing to a reader."""

    def _text(self, node: Any) -> None:
        self.pieces.append(_QUOTES.sub(_apostrophes, str(node.value)))

    def _htmlentity(self, node: Any) -> None:
        try:
            self.pieces.append(node.normalize())
        except (ValueError, KeyError, OverflowError):
            self.pieces.append(str(node))

    def _heading(self, node: Any) -> None:
        self.pieces.append(f"\n{_MARK}{min(max(int(node.level), 1), 6)}")
        self.write(node.title)
        self.pieces.append("\n")

    def _wikilink(self, node: Any) -> None:
        title = str(node.title).strip()
        namespace, colon, _ = title.partition(":")
        if (colon and namespace.strip().lower() in self.dropped) or _FILE_LINK.fullmatch(title):
            return
        if node.text is not None:
            self.write(node.text)
        else:
            self.pieces.append(title.removeprefix(":").split("#")[0] or title)

    def _externallink(self, node: Any) -> None:
        if node.title is not None:
            self.write(node.title)
        elif not node.brackets:
            self.pieces.append(str(node.url))

    def _template(self, node: Any) -> None:
        name = str(node.name).strip().lower()
        if name in ("convert", "cvt") and len(node.params) >= 2:
            self.pieces.append(f"{node.params[0].value} {node.params[1].value}")
        elif name in _TEXT_ARGUMENT and len(node.params) > _TEXT_ARGUMENT[name]:
            self.write(node.params[_TEXT_ARGUMENT[name]].value)

    def _tag(self, node: Any) -> None:
        name = str(node.tag).strip().lower()
        if name in _DROPPED_TAGS:
            return
        if name == "math":
            self.pieces.append(f"${str(node.contents or '').strip()}$")
        elif name in ("br", "hr"):
            self.pieces.append("\n")
        elif name in _LIST:
            self.pieces.append(_LIST[name])
        elif name in ("tr", "table"):
            self._inside(node)
            self.pieces.append("\n")
        elif name in ("td", "th"):
            self._inside(node)
            self.pieces.append("\t")
        elif name in _KEPT_AS_THEY_STAND:
            self.pieces.append(f"\n{node.contents}\n" if name != "nowiki" else str(node.contents))
        else:
            self._inside(node)

    def _inside(self, node: Any) -> None:
        if node.contents is not None:
            self.write(node.contents)
