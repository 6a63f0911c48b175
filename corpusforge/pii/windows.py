"""Windows: the parts of a text that a recognizer sees, candidates with enough context around them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from corpusforge.kernels.pii_candidates import CLASSES, find_candidates
from corpusforge.kernels.pii_marks import find_marks
from corpusforge.texts import Texts

CONTEXT = 48
"""Bytes of context on either side of a candidate: enough for what a recognizer looks back and ahead at."""
_WORD_REST = 32
"""Bytes that a window may grow further so that it does not begin or end inside a word."""


@dataclass(frozen=True)
class Window:
    """Bytes [start, end) of text `row`, counted from the start of that text."""

    row: int
    start: int
    end: int


def _reach_back(text: bytes, position: int) -> int:
    """A position at least `CONTEXT` bytes before, at white space or at least at a character."""
    position = max(0, position - CONTEXT)
    lowest = max(0, position - _WORD_REST)
    while position > lowest and text[position - 1] > 32:
        position -= 1
    while position > 0 and text[position] & 0xC0 == 0x80:
        position -= 1
    return position


def _reach_ahead(text: bytes, position: int) -> int:
    """A position at least `CONTEXT` bytes after, at white space or at least between characters."""
    position = min(len(text), position + CONTEXT)
    highest = min(len(text), position + _WORD_REST)
    while position < highest and text[position] > 32:
        position += 1
    while position < len(text) and text[position] & 0xC0 == 0x80:
        position += 1
    return position


def windows(texts: Texts, kind: int) -> Iterator[Window]:
    """Windows around the candidates of a class, in order; those that touch are one."""
    find = find_candidates if kind < CLASSES else find_marks
    rows, starts, ends = find(texts.data, texts.offsets, kind)
    current: Window | None = None
    text = b""
    for row, start, end in zip(rows.tolist(), starts.tolist(), ends.tolist()):
        if current is None or current.row != row:
            text = texts.bytes_of(row)
        base = int(texts.offsets[row])
        first, last = _reach_back(text, start - base), _reach_ahead(text, end - base)
        if current is not None and current.row == row and first <= current.end:
            current = Window(row, current.start, max(last, current.end))
            continue
        if current is not None:
            yield current
        current = Window(row, first, last)
    if current is not None:
        yield current
