"""Character references: all names of the standard, numbers, and the library's own decoder as a twin."""

from __future__ import annotations

import html
from html.entities import html5

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusforge.kernels.html_entities import character_reference


def decode(text: str) -> str:
    data = np.frombuffer(text.encode(), np.uint8)
    out, i = bytearray(), 0
    while i < len(data):
        if data[i] != 38:
            out.append(data[i])
            i += 1
            continue
        first, second, i = character_reference(data, i)
        out += chr(first).encode() + (chr(second).encode() if second else b"")
    return out.decode()


def test_all_names() -> None:
    for name, text in html5.items():
        assert decode(f"a&{name} b") == f"a{text} b", name


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("&", "&"), ("&;", "&;"), ("&#;", "&#;"), ("&#x;", "&#x;"), ("&notit;", "¬it;"), ("&nothing;", "¬hing;"),
        ("AT&T", "AT&T"), ("&amp", "&"), ("&AMP;lt;", "&lt;"), ("&#128;", "€"), ("&#x20AC", "€"), ("&#0;", "\ufffd"),
        ("&#xD800;", "\ufffd"), ("&#99999999999999999999;", "\ufffd"), ("&unknown;", "&unknown;"), ("&#65a", "Aa"),
    ],
)  # fmt: skip
def test_cases_of_the_standard(text: str, expected: str) -> None:
    assert decode(text) == expected


@given(
    st.lists(
        st.sampled_from(["&", "#", "x", "amp", "lt", ";", "65", "41", "not", "in", "E", " ", "é", "frac14"])
    )
)
def test_equals_the_standard_library(parts: list[str]) -> None:
    text = "".join(parts)
    # The library drops what refers to control characters; browsers keep it (as text, where it does not show).
    if not any(0 < ord(c) < 32 or 0x7F <= ord(c) < 0xA0 for c in decode(text)):
        assert decode(text) == html.unescape(text)
