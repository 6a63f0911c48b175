"""What is left to mend when a page's nodes have been written: markup that the parser could not pair, gaps, lists.

Wikitext of real pages is often unbalanced: a table without its end, a link over two lines, a tag that nothing closes.
The parser gives such markup back as text. Here it goes, by lines and by rules that do not touch code and formulas,
which stand in `Verbatim` meanwhile.
"""

from __future__ import annotations

import re
from collections.abc import Collection

HEADING = "\ue000"
"""At the beginning of a line: its level and the words of a heading follow."""
_KEEP = "\ue001"
_RESERVED = re.compile("[\ue000\ue001]")
_KEPT = re.compile(f"{_KEEP}([0-9]{{1,9}}){_KEEP}")
_HEADING = re.compile(f"{HEADING}([1-6]?) ?")

_SWITCH = re.compile(r"__[A-Z]{3,20}__")
_EMPTY_BRACKETS = re.compile(r"\(\s*[,;:]?\s*\)|\[\s*\]")
_OPENING = re.compile(r"\((?:\s*[,;:、，])+\s*")
_SPACES = re.compile(r"[ \t\u00a0]+")
_BEFORE_MARK = re.compile(r" +([,.;:!?)])")
_SPACED_MARKS = tuple(f" {mark}" for mark in ",.;:!?)")
_SPACE_RUNS = re.compile("  +")
_BLANK_LINES = re.compile(r"\n{3,}")
_BULLETS = re.compile(r"(?:- )+")
_WORDLESS = re.compile(r"(?:- ?)+[\W_]*")

_ATTRIBUTE = (
    r"(?:style|class|align|valign|bgcolor|colspan|rowspan|width|height|scope|border|cellpadding|cellspacing|"
    r"nowrap|id|title|data-sort-value)\s*=\s*(?:\"[^\"\n]*\"|'[^'\n]*'|[^\s|\"']+)"
)
_ATTRIBUTES = re.compile(rf"\s*(?:{_ATTRIBUTE}\s*)+(?:\|(?!\|))?\s*", re.IGNORECASE)
_TABLE_LINE = re.compile(r"\s*(?:(?:\{\||\|\}|\|-)[^\n]*|[|!]\s*)")
_ROW_LINE = re.compile(r"\s*[|!](?![|!])\s*(?=\S)")
_CELL_BOUND = re.compile(r"\|\||!!")
_LINK = re.compile(r"\[\[(?:[^\[\]|]{0,300}\|)?([^\[\]]{0,1000})\]\]")
_LOOSE = re.compile(r"\[\[|\]\]|\{\{|\}\}")
_TAG = re.compile(
    r"</?(?:small|big|b|i|u|s|br|hr|div|span|center|font|ref|references|table|tr|td|th|sub|sup|blockquote|p|ul|ol|li|dl|"
    r"dd|dt|nowiki|noinclude|includeonly|onlyinclude|gallery|tt|em|strong|cite|abbr|code|pre|poem)(?:\s[^<>\n]{0,300})?/?>",
    re.IGNORECASE,
)


def without_reserved(text: str) -> str:
    """The text without the private characters that mark headings and verbatim pieces here."""
    return _RESERVED.sub("", text)


class Verbatim:
    """Code and formulas, which no rule may change: each is a mark in the text until the end."""

    def __init__(self) -> None:
        self._pieces: list[str] = []

    def hold(self, piece: str) -> str:
        """The mark that stands for a piece."""
        self._pieces.append(piece)
        return f"{_KEEP}{len(self._pieces) - 1}{_KEEP}"

    def restore(self, text: str) -> str:
        """Put the pieces back, each once; marks that stand for nothing, or for a piece that stands already, go."""
        left: dict[int, str] = dict(enumerate(self._pieces))
        # Every other part is the number of a mark.
        parts = _KEPT.split(text)
        for place, part in enumerate(parts):
            parts[place] = left.pop(int(part), "") if place % 2 else without_reserved(part)
        return "".join(parts)


def cell_text(text: str) -> str:
    """A table cell on one line, without attributes that the parser took for its content."""
    attributes = _ATTRIBUTES.match(text)
    return " ".join(text[attributes.end() if attributes else 0 :].split())


def without_loose_markup(text: str, file_names: Collection[str]) -> str:
    """Take out what is left of tables, links, templates and tags that are not balanced."""
    if any(mark in text for mark in ("{|", "|}", "\n|", "\n!")):
        text = "\n".join(_table_line(line) for line in text.split("\n"))
    if "[[" in text:
        files = "|".join(re.escape(name) for name in sorted(file_names))
        text = re.sub(rf"\[\[\s*(?:{files})\s*:[^\n]*", "", text, flags=re.IGNORECASE)
        text = _LINK.sub(r"\1", text)
    return _TAG.sub("", _LOOSE.sub("", text))


def _table_line(line: str) -> str:
    """A line of a table that was never closed, as the parser's tables are written: cells separated by tabs."""
    if _TABLE_LINE.fullmatch(line):
        return ""
    row = _ROW_LINE.match(line)
    if row is None:
        return line
    return "\t".join(cell_text(cell) for cell in _CELL_BOUND.split(line[row.end() :]))


def tidy(text: str) -> str:
    """Mend what removal leaves: empty brackets and list items, spaces before marks, runs of blank lines and spaces."""
    lines = []
    text = _SWITCH.sub("", text) if "__" in text else text
    for line in text.split("\n"):
        line = _tidy_line(line)
        if line.startswith("-") and _KEEP not in line and _WORDLESS.fullmatch(line):
            continue
        bullets = _BULLETS.match(line) if line.startswith("-") else None
        if bullets is not None:
            line = "  " * (len(bullets[0]) // 2 - 1) + "- " + line[bullets.end() :]
        lines.append(line)
    return _BLANK_LINES.sub("\n\n", "\n".join(without_empty_sections(lines))).strip()


def _tidy_line(line: str) -> str:
    """Most lines need little of it: what a rule is about is looked for first, which is far cheaper than the rule."""
    if _has_gaps(line):
        line = "\t".join(_SPACES.sub(" ", cell).strip() for cell in line.split("\t"))
    line = line.strip()
    if ")" in line or "]" in line:
        line = _EMPTY_BRACKETS.sub("", line)
    if "  " in line:
        line = _SPACE_RUNS.sub(" ", line)
    if "(" in line:
        line = _OPENING.sub("(", line)
    if any(mark in line for mark in _SPACED_MARKS):
        line = _BEFORE_MARK.sub(r"\1", line)
    return line.strip(" ")


def _has_gaps(line: str) -> bool:
    """Whether spaces may be more than one between two words, or stand beside a tab."""
    return "  " in line or "\t" in line or "\u00a0" in line


def without_empty_sections(lines: list[str]) -> list[str]:
    """Leave out headings under which nothing stands; a heading is a line of a mark, its level, and its words.

    All marks go, those too that stand within a line: of headings in the cell of a table. A heading stays when text, or
    a kept heading of a deeper level, stands below it before the next heading of its own or a higher level.
    """
    kept: list[str] = []
    below = 0  # 9: text below; else the level of the kept heading that stands next; 0: nothing
    for line in reversed(lines):
        mark = _HEADING.match(line)
        line = _HEADING.sub("", line) if HEADING in line else line
        if mark is None or not mark[1]:
            below = 9 if line else below
            kept.append(line)
        elif below > int(mark[1]):
            below = int(mark[1])
            kept.append(line.strip())
    return kept[::-1]
