from __future__ import annotations

import pytest

from corpusforge.dedup.normalize import normalized


@pytest.mark.parametrize(
    ("text", "normalization", "expected"),
    [
        (" A  b\n", "none", " A  b\n"),
        (" A  b\u00a0c\n", "whitespace", "A b c"),
        ("Été_2020: one-two!", "lower_alnum", "été2020onetwo"),
        ("!?", "lower_alnum", ""),
        ("中文。", "lower_alnum", "中文"),
    ],
)
def test_normalizations(text: str, normalization: str, expected: str) -> None:
    assert normalized(text.encode(), normalization) == expected.encode()  # type: ignore[arg-type]


def test_bytes_that_are_no_text_are_replaced() -> None:
    assert normalized(b"a \xff", "whitespace") == "a \ufffd".encode()
