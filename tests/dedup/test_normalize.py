from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusforge.dedup.normalize import normalized


@pytest.mark.parametrize(
    ("text", "normalization", "expected"),
    [
        (" A  b\n", "none", " A  b\n"),
        (" A  b\u00a0c\n", "whitespace", "A b c"),
        ("Été_2020: one-two!", "lower_alnum", "été2020onetwo"),
        ("!?", "lower_alnum", ""),
        ("中文。", "lower_alnum", "中文"),
        ("  Été, 2020!\t", "strip_lower", "été, 2020!"),
        (" Page 12 of 345: “Été” – Fin.\t", "ccnet", "page 00 of 000: été  fin."),
        ("a\x07b\x85c ٣", "ccnet", "abc 0"),
        ("。…", "ccnet", ""),
    ],
)
def test_normalizations(text: str, normalization: str, expected: str) -> None:
    assert normalized(text.encode(), normalization) == expected.encode()  # type: ignore[arg-type]


@given(st.text(st.characters(max_codepoint=127), max_size=20), st.sampled_from(["whitespace", "lower_alnum"]))
def test_ascii_is_no_special_case(text: str, normalization: Any) -> None:
    longer = normalized((text + " é").encode(), normalization).decode()
    ending = (" é" if text.split() else "é") if normalization == "whitespace" else "é"
    assert normalized(text.encode(), normalization).decode() + ending == longer


def test_bytes_that_are_no_text_are_replaced() -> None:
    assert normalized(b"a \xff", "whitespace") == "a \ufffd".encode()
