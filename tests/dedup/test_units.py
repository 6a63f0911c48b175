from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusforge.dedup.units import domain_of, unit_spans, units


@given(st.text("ab \n\t\ré", max_size=30), st.sampled_from(["line", "paragraph"]))
def test_units_cover_the_text(text: str, kind: str) -> None:
    raw = text.encode()
    spans = unit_spans(raw, kind)  # type: ignore[arg-type]
    assert b"".join(raw[start:end] for start, _, end in spans) == raw
    assert all(start <= content <= end for start, content, end in spans)
    if kind == "line":
        assert [raw[start:content] for start, content, _ in spans] == raw.split(b"\n")


def test_keys_are_those_of_the_normalized_content_in_its_scope() -> None:
    def keys(text: str, scope: bytes = b"one") -> list[bytes]:
        return [unit.key for unit in units(text.encode(), scope, "line", "whitespace", 1, 1)]

    assert keys("a  b\n\n c") == keys(" a b \nc")
    assert set(keys("a b")).isdisjoint(keys("a b", b"two"))
    assert len(keys("a\n \n\n")) == 1


def test_what_is_no_utf8_costs_nothing_else() -> None:
    found = units(b"\xff\xfe broken\nfine", b"", "line", "lower_alnum", 1, 1)
    assert [(unit.start, unit.end) for unit in found] == [(0, 10), (10, 14)]


@pytest.mark.parametrize(
    ("url", "scope"),
    [
        ("https://www.Example.com:8080/path", b"host:example.com"),
        ("http://user:secret@example.com?x", b"host:example.com"),
        ("http://example.com./", b"host:example.com"),
        ("http://[::1]:80/", b"host:[::1]:80"),
        ("http:///nothing", b"source:web"),
        ("no url", b"source:web"),
        ("http://a\\b@c/", b"host:a"),
        (None, b"source:web"),
    ],
)
def test_domains(url: str | None, scope: bytes) -> None:
    assert domain_of(url, "web") == scope
