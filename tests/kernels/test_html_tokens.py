"""Tags, raw text and comments against slow twins."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusforge.kernels.html_tokens import (
    hash_name,
    name_hash,
    read_tag,
    skip_comment,
    skip_declaration,
    skip_raw,
)


def view(text: str | bytes) -> np.ndarray:
    return np.frombuffer(text if isinstance(text, bytes) else text.encode(), np.uint8)


@given(st.text("abzAZ-:1é", min_size=1, max_size=12))
def test_names(name: str) -> None:
    lower = re.sub("[A-Z]", lambda match: match[0].lower(), name)
    assert int(hash_name(view("<" + name), 1, 1 + len(name.encode()))) == name_hash(lower)


@pytest.mark.parametrize(
    ("tag", "name", "attributes", "self_closing"),
    [
        ("p>", "p", 0, 0),
        ("br/>", "br", 0, 1),
        ("br / >", "br", 0, 0),
        ("a href=x/>", "a", 1, 0),
        ('a href="x>y" b>', "a", 2, 0),
        ("a href='x\">y'b/>", "a", 2, 1),
        ("a = b>", "a", 2, 0),
        ("a =>", "a", 1, 0),
        ("a b = c d>", "a", 2, 0),
        ("a b=>", "a", 1, 0),
        ("a\nb\tc\fd>", "a", 3, 0),
        ("a/b/c>", "a", 2, 0),
    ],
)
def test_tags(tag: str, name: str, attributes: int, self_closing: int) -> None:
    name_end, end, *rest = read_tag(view("<" + tag + "rest>"), 1)
    assert (tag[: name_end - 1], end) == (name, len(tag) + 1)
    assert rest[:2] == [attributes, self_closing]


@pytest.mark.parametrize("tag", ["p", "p ", "p a", "p a=", 'p a="b>', "p a=b"])
def test_tags_without_an_end(tag: str) -> None:
    assert read_tag(view("<" + tag), 1)[1] == -1


def test_equal_tags_have_equal_hashes() -> None:
    hashes = [read_tag(view(f"<{tag}"), 1)[4] for tag in ("b x=1>a", "b x=1>b", "b x=2>a", "b>")]
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
