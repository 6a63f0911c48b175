"""What LaTeX source needs before anything else: comments, conditionals, braces, and where source stands verbatim.

Every function reads its text once: what is searched and not found is remembered, so no input costs more than its
length.
"""

from __future__ import annotations

import re

_VERBATIM = r"verbatim\*?|Verbatim\*?|lstlisting|minted|alltt|filecontents\*?"
VERBATIM_BEGIN = re.compile(rf"\\begin\{{({_VERBATIM})\}}")
_COMMENTED = re.compile(
    rf"\\begin\{{(?P<environment>{_VERBATIM}|comment)\}}|\\verb\*?(?P<mark>[^A-Za-z\s*])|\\[^\n]|%"
)
_CONDITIONAL = re.compile(r"\\(?:(?P<open>if(?!f(?![A-Za-z@]))[A-Za-z@]*)|(?P<other>else|fi))(?![A-Za-z@])")
_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)
_ENDS_IN_COMMAND = re.compile(r"\\[A-Za-z@]+\Z")
_BLANK = re.compile(r"[ \t]*+")
_VERB_LENGTH = 1000
"""Characters after ``\\verb|`` in which the closing mark is looked for."""


class LatexLimitError(ValueError):
    """A source that asks for more work than is allowed. `kind` is the short name that is counted."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class Finder:
    """Finds strings forward in one text; one that was not found is not looked for again."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._absent: set[str] = set()

    def end_of(self, wanted: str, position: int) -> int:
        """Index behind the next `wanted` at or after `position`, or -1. Positions must not go backwards."""
        if wanted in self._absent:
            return -1
        found = self.text.find(wanted, position)
        if found < 0:
            self._absent.add(wanted)
            return -1
        return found + len(wanted)


def without_comments(text: str) -> str:
    r"""Take comments out as TeX does, and `comment` environments; ``\%`` and verbatim source stay.

    A line that is only a comment goes with its line feed. Behind a comment that ends a line TeX joins the next
    line without a space, so this does too, but for an empty line, which ends a paragraph, and where a command's
    name would grow. (The expression that RedPajama's cleaner uses, ``[^\\]%.+$``, takes the character before the
    ``%`` along.)
    """
    finder = Finder(text)
    kept: list[str] = []
    position = begin = 0
    while match := _COMMENTED.search(text, position):
        if environment := match["environment"]:
            end = finder.end_of(f"\\end{{{environment}}}", match.end())
            position = end if end >= 0 else match.end()
            if environment == "comment" and end >= 0:
                kept.append(text[begin : match.start()])
                begin = position
        elif mark := match["mark"]:
            end = text.find(mark, match.end(), match.end() + _VERB_LENGTH)
            inside = text[match.end() : end] if end >= 0 else "\n"
            position = match.end() if "\n" in inside else end + 1
        elif match.group() != "%":
            position = match.end()
        else:
            piece, position = _behind_comment(text, begin, match.start())
            kept.append(piece)
            begin = position
    kept.append(text[begin:])
    return "".join(kept)


def _behind_comment(text: str, begin: int, percent: int) -> tuple[str, int]:
    """What stands between `begin` and a comment, and where text goes on."""
    end = text.find("\n", percent)
    before = text[begin:percent]
    if end < 0:
        return before, len(text)
    line = max(text.rfind("\n", 0, percent) + 1, begin)
    blank_before = not text[line:percent].strip(" \t")
    if blank_before and (line == 0 or text[line - 1] == "\n"):
        return text[begin:line], end + 1
    blank = _BLANK.match(text, end + 1)
    following = blank.end() if blank else end + 1
    if following >= len(text) or text[following] == "\n":
        return before, end
    if _ENDS_IN_COMMAND.search(before[-64:]):
        return before, end
    return before, following


def without_false_branches(text: str) -> str:
    r"""Take out what stands between ``\iffalse`` and its ``\else`` or ``\fi``."""
    if "\\iffalse" not in text:
        return text
    kept: list[str] = []
    begin = depth = 0
    cut = -1
    """Where the ``\\iffalse`` stands whose end is looked for, or -1."""
    for match in _CONDITIONAL.finditer(text):
        if cut < 0:
            if match["open"] == "iffalse":
                cut, depth = match.start(), 1
        elif match["open"]:
            depth += 1
        elif match["other"] == "fi" or depth == 1:
            depth -= 1
            if depth == 0:
                kept.append(text[begin:cut])
                begin, cut = match.end(), -1
    kept.append(text[begin:])
    return "".join(kept)


def matching_braces(text: str) -> dict[int, int]:
    """Index of each opening brace to that of its closing one; escaped braces do not count."""
    pairs: dict[int, int] = {}
    stack: list[int] = []
    for match in _BRACE.finditer(text):
        if match.group() == "{":
            stack.append(match.start())
        elif match.group() == "}" and stack:
            pairs[stack.pop()] = match.start()
    return pairs
