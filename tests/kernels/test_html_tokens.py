"""Tags, raw text and comments against slow twins."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusforge.kernels.html_tokens import (
    hash_tag,
    name_hash,
    read_name,
    skip_comment,
    skip_declaration,
    skip_raw,
)


def view(text: str | bytes) -> np.ndarray:
    return np.frombuffer(text if isinstance(text, bytes) else text.encode(), np.uint8)


@given(st.text("abzAZ-:1é", min_size=1, max_size=12))
def test_names(name: str) -> None:
    lower = re.sub("[A-Z]", lambda match: match[0].lower(), name)
    for after in ("", ">", " a", "/"):
        end, value = read_name(view("<" + name + after), 1)
        assert (end, int(value)) == (1 + len(name.encode()), name_hash(lower))


def test_equal_tags_have_equal_hashes() -> None:
    tags = [b"b x=1>a", b"b x=1>b", b"b x=2>a", b"b>"]
    hashes = [hash_tag(view(b"<" + tag), 1, 1 + tag.index(b">")) for tag in tags]
    assert hashes[0] == hashes[1]
    assert len(set(hashes)) == 3


def slow_comment(text: str) -> int:
    for short in (">", "->"):
        if text.startswith(short):
            return len(short)
    match = re.search("--!?>", text)
    return match.end() if match else len(text)


@given(st.text("<!->x", max_size=12))
def test_comments(text: str) -> None:
    assert skip_comment(view("<!--" + text), 4) == 4 + slow_comment(text)


@pytest.mark.parametrize(
    ("text", "foreign", "end"),
    [
        ("<!doctype html>x", False, 15),
        ("<?php > ?>", False, 7),
        ("</ >x", False, 4),
        ("<!x", False, 3),
        ("<!-- > --> ", False, 10),
        ("<![CDATA[ > ]]>x", False, 11),
        ("<![CDATA[ > ]]>x", True, 15),
        ("<![CDATA[ > ", True, 12),
    ],
)
def test_declarations(text: str, foreign: bool, end: int) -> None:
    assert skip_declaration(view(text), 0, foreign) == end


@pytest.mark.parametrize(
    ("name", "content", "length"),
    [
        ("style", "a</style>", 1),
        ("style", "a</styles></STYLE >", 10),
        ("title", "<b></title", 10),
        ("script", "<!-- <script> </script> --> </script>", 28),
        ("script", "<!-- <script> </script> </script>", 24),
        ("script", "<!-- </script>", 5),
        ("script", "<!--><script></script>", 13),
        ("style", "<!-- <style> </style>", 13),
        ("script", "never", 5),
    ],
)
def test_raw_text(name: str, content: str, length: int) -> None:
    page = f"<{name}>{content}"
    begin = len(name) + 2
    assert skip_raw(view(page), begin, 1, 1 + len(name), name == "script") == begin + length
