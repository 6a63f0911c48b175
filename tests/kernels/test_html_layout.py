"""The tables of tags and bytes."""

from __future__ import annotations

from corpusforge.kernels.html_elements import HASHES
from corpusforge.kernels.html_layout import (
    BEHAVIOUR,
    BREAKS,
    BYTE_CLASS,
    CELL_TAG,
    IS_CELL,
    PARAGRAPH,
    SKIPS,
    TAG_CODES,
)
from corpusforge.kernels.html_tokens import name_hash


def number(tag: str) -> int:
    return HASHES.tolist().index(name_hash(tag))


def test_tags() -> None:
    assert TAG_CODES[number("p")] == PARAGRAPH
    assert TAG_CODES[number("th")] == CELL_TAG
    assert BEHAVIOUR[number("td")] == BREAKS | IS_CELL
    assert BEHAVIOUR[number("svg")] == SKIPS
    assert BEHAVIOUR[number("b")] == 0


def test_bytes() -> None:
    assert BYTE_CLASS[ord(" ")] == 1
    assert BYTE_CLASS[ord(".")] == 2
    assert BYTE_CLASS[ord("7")] == 4
    assert BYTE_CLASS[ord("Q")] == 8
    assert BYTE_CLASS[ord("&")] == BYTE_CLASS[1] == 16
    assert BYTE_CLASS[ord("q")] == BYTE_CLASS[0x80] == 0
