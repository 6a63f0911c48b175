r"""Definitions without arguments, put in where they are used.

``\newcommand{\be}{\begin{equation}}`` makes a paper unreadable to anyone who has not read its preamble. Commands
with arguments stay as they stand. Work is bounded: a command's expansion is made once and has a longest length,
a command inside its own expansion is left alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from corpusforge.extract.latex_scan import VERBATIM_BEGIN, Finder, LatexLimitError, matching_braces

MAXIMUM_BODY = 10_000
"""Characters of a definition; a longer one is no abbreviation and stays."""
MAXIMUM_DEPTH = 50
"""Commands inside commands that are expanded."""

_CONTROL = re.compile(r"\\(?:[A-Za-z@]+|[^A-Za-z@])", re.DOTALL)
_NAME = r"\\([A-Za-z]++)(?![@])"
_LIKE_NEWCOMMAND = re.compile(rf"\*?\s*+(?:\{{\s*+{_NAME}\s*+\}}|{_NAME})\s*+\{{")
_LIKE_DEF = re.compile(rf"\s*+{_NAME}\s*+\{{")
_ENDS_IN_COMMAND = re.compile(r"\\[A-Za-z@]+\Z")
_INTERNAL = re.compile(r"\\[A-Za-z]*@|(?<!\\)#")

_NEWCOMMAND = frozenset({"newcommand", "renewcommand", "providecommand", "DeclareRobustCommand"})
_DEF = frozenset({"def", "gdef", "edef", "xdef"})
_OPERATOR = "DeclareMathOperator"
_DEFINING = _NEWCOMMAND | _DEF | {_OPERATOR}
_PROTECTED = frozenset(
    (
        *(
            "begin",
            "end",
            "documentclass",
            "documentstyle",
            "document",
            "usepackage",
            "input",
            "include",
            "par",
        ),
        *(
            "part",
            "chapter",
            "section",
            "subsection",
            "subsubsection",
            "paragraph",
            "subparagraph",
            "appendix",
        ),
        *("title", "author", "date", "maketitle", "abstract", "caption", "footnote", "label", "ref", "cite"),
        *(
            "bibliography",
            "bibliographystyle",
            "bibitem",
            "item",
            "newcommand",
            "renewcommand",
            "def",
            "verb",
        ),
    )
)
"""Commands of LaTeX that keep their names, whatever a style makes of them."""


@dataclass(frozen=True, slots=True)
class _Definition:
    name: str
    body: str
    end: int


def expand(text: str, max_characters: int) -> str:
    """Take definitions of commands without arguments out, and put their bodies where the commands stand.

    A definition holds from where it stands on. Raises `LatexLimitError` ("macro_bomb") when the text would grow
    over `max_characters`.
    """
    return _Expander(max_characters).expand(text)


class _Expander:
    def __init__(self, max_characters: int) -> None:
        self._limit = max_characters
        self._bodies: dict[str, str] = {}
        self._expanded: dict[str, str] = {}
        self._work = 0

    def expand(self, text: str) -> str:
        pairs = matching_braces(text)
        finder = Finder(text)
        kept: list[str] = []
        position = begin = 0
        while match := _CONTROL.search(text, position):
            position = match.end()
            name = match.group()[1:]
            if name in _DEFINING:
                definition = _definition(text, name, position, pairs)
                if definition is not None:
                    kept.append(text[begin : match.start()])
                    position = begin = definition.end
                    self._define(name, definition)
            elif name == "begin" and (verbatim := VERBATIM_BEGIN.match(text, match.start())):
                position = max(finder.end_of(f"\\end{{{verbatim[1]}}}", position), position)
            elif name in self._bodies:
                kept.append(text[begin : match.start()])
                self._put(kept, self._expansion(name, (name,)), text[position : position + 1])
                if text.startswith("{}", position):
                    position += 2
                begin = position
        kept.append(text[begin:])
        return "".join(kept)

    def _define(self, kind: str, definition: _Definition) -> None:
        if kind == "providecommand" and definition.name in self._bodies:
            return
        self._bodies[definition.name] = definition.body
        self._expanded.clear()

    def _put(self, kept: list[str], piece: str, following: str) -> None:
        """Append an expansion; a command at its end must not grow by the letter that follows."""
        self._spend(len(piece))
        kept.append(piece)
        if following.isalpha() and _ENDS_IN_COMMAND.search(piece[-64:]):
            kept.append(" ")

    def _spend(self, characters: int) -> None:
        self._work += characters + 1
        if self._work > self._limit:
            raise LatexLimitError("macro_bomb", f"expansions of more than {self._limit} characters")

    def _expansion(self, name: str, active: tuple[str, ...]) -> str:
        """A command's body with the commands in it expanded."""
        known = self._expanded.get(name)
        if known is not None:
            return known
        body = self._bodies[name]
        kept: list[str] = []
        begin = 0
        for match in _CONTROL.finditer(body):
            inner = match.group()[1:]
            if inner in self._bodies and inner not in active and len(active) < MAXIMUM_DEPTH:
                kept.append(body[begin : match.start()])
                following = body[match.end() : match.end() + 1]
                self._put(kept, self._expansion(inner, (*active, inner)), following)
                begin = match.end()
        kept.append(body[begin:])
        self._spend(len(body))
        expanded = "".join(kept)
        self._expanded[name] = expanded
        return expanded


def _definition(text: str, kind: str, position: int, pairs: dict[int, int]) -> _Definition | None:
    """The definition without arguments behind a defining command, or None for any other."""
    head = (_LIKE_DEF if kind in _DEF else _LIKE_NEWCOMMAND).match(text, position)
    if head is None:
        return None
    name = next(group for group in head.groups() if group is not None)
    opening = head.end() - 1
    closing = pairs.get(opening)
    if closing is None or closing - opening > MAXIMUM_BODY or name in _PROTECTED:
        return None
    body = text[opening + 1 : closing]
    if _INTERNAL.search(body) or f"\\{kind}" in body:
        return None
    if kind == _OPERATOR:
        star = "*" if text.startswith("*", position) else ""
        body = f"\\operatorname{star}{{{body}}}"
    body = body.replace("\\xspace", "")
    return _Definition(name, body, closing + 1)
