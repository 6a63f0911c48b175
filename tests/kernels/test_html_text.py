"""Text within a block against a plain version in Python."""

from __future__ import annotations

import html
import re

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from corpusforge.kernels.html_blocks import walk_html

_PIECES = [
    "word",
    " ",
    "\n",
    "\t",
    "&nbsp;",
    "\u00a0",
    "é",
    "，",
    "。",
    "&amp;",
    "&lt;p&gt;",
    "A",
    "7",
    ";",
    "\x01",
    "\u00ad",
]


def only_text(page: str) -> str:
    return bytes(walk_html(np.frombuffer(page.encode(), np.uint8), 1000, 10**6, 10**8).text).decode()


@given(st.lists(st.sampled_from(_PIECES)).map("".join))
def test_white_space_is_collapsed(text: str) -> None:
    shown = re.sub("[\x01\u00ad]", "", html.unescape(text))
    assert only_text(f"<p>{text}</p>") == " ".join(shown.split())


@given(st.lists(st.sampled_from(["word", " ", "\n", "&lt;", "é", "&nbsp;", "\r\n"])).map("".join))
def test_white_space_is_kept_in_preformatted_text(text: str) -> None:
    shown = html.unescape(text).replace("\r\n", "\n").replace("\u00a0", " ").lstrip("\n")
    assert only_text(f"<pre>{text}</pre>") == shown
