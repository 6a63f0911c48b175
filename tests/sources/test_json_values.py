from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusforge.sources.json_values import json_value

VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(st.characters(exclude_categories=()))),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=4), inner, max_size=4)),
    max_leaves=12,
)  # fmt: skip


def told(parse: Any, data: bytes) -> str:
    """What a parser gives or raises, by its representation: NaN is not equal to itself, and 1 to True."""
    try:
        return repr(parse(data))
    except (ValueError, RecursionError) as error:
        return f"{type(error).__name__}: {error}"


@given(VALUES, st.booleans())
def test_gives_what_json_gives(value: Any, ascii_only: bool) -> None:
    data = json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    assert told(json_value, data) == told(json.loads, data)


@given(VALUES, st.data())
def test_damage_is_told_alike(value: Any, data: st.DataObject) -> None:
    whole = bytearray(json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass"))
    at = data.draw(st.integers(0, len(whole)))
    whole[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
    assert told(json_value, bytes(whole)) == told(json.loads, bytes(whole))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b" ",
        b'{"a": "1", "a": "2"}',
        b'{"a": "\\ud800"}',
        b'{"a": "\\ud83d\\ude00"}',
        b'\xef\xbb\xbf{"a": "1"}',
        b'{"a": "\xed\xa0\x80"}',
        '{"a": "1"}'.encode("utf-16"),
        b'{"a": -0, "b": 1e400, "c": NaN, "d": -Infinity}',
        b'{"a": -NaN}',
        b'{"a": 01}',
        b'{"a": "1"} x',
        b'{"a": "\x01"}',
        b'{"a": "1",}',
        b"[" * 250 + b"]" * 250,
        b"[" * 100_000,
        b"1" * 5000,
        b"9223372036854775808",
    ],
)
def test_odd_texts(data: bytes) -> None:
    assert told(json_value, data) == told(json.loads, data)
