"""Identities: the same on every machine, for ever."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusforge.document import canonical_json, document_id, text_hash


def test_ids_and_hashes_never_change():
    """What is published refers to these: a change of one byte is a change of all corpora."""
    assert document_id("commoncrawl", "<urn:uuid:1>").hex() == "209c4c1d98c067cc4e4b0e51b0c9733a"
    assert text_hash("Grüße".encode()).hex() == "08b01a2d1056095d9a9e55952ccbb9e4"


names = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5)


@given(one=st.tuples(names, names), other=st.tuples(names, names))
def test_ids_are_equal_only_for_equal_sources_and_keys(one, other):
    assert (document_id(*one) == document_id(*other)) is (one == other)
    assert len(document_id(*one)) == 16


def test_keys_that_are_no_unicode_have_an_id():
    assert document_id("web", "\ud800") != document_id("web", "?")


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(value=values)
def test_canonical_json_is_json_and_does_not_depend_on_order(value):
    text = canonical_json(value)
    assert json.loads(text) == value
    if isinstance(value, dict):
        assert canonical_json(dict(reversed(value.items()))) == text


def test_numbers_that_json_does_not_know_are_refused():
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json({"a": float("nan")})
