"""YAML with line numbers agrees with plain YAML, and knows where everything stands."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from corpusforge import marked_yaml
from corpusforge.errors import UsageError

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8"), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text("abc", min_size=1, max_size=3), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(value=values)
def test_values_are_those_of_plain_yaml(value):
    text = yaml.safe_dump(value, sort_keys=False)
    found, lines = marked_yaml.load(text, "x.yaml")
    assert found == value
    for path in lines:
        inner = value
        for part in path:
            inner = inner[part]


def test_lines_of_keys_items_and_what_is_missing():
    _, lines = marked_yaml.load("name: a\nsteps:\n  - one\n  - two:\n      deep: 1\n", "x.yaml")
    assert lines[("steps",)] == 2
    assert lines[("steps", 0)] == 3
    assert lines[("steps", 1, "two", "deep")] == 5
    assert marked_yaml.line_of(lines, ("steps", 1, "two", "missing", "more")) == 4
    assert marked_yaml.line_of(lines, ("nothing",)) == 1
    assert marked_yaml.load("", "x.yaml") == (None, {(): 1})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: 1\na: 2\n", "x.yaml:2: the key 'a' stands twice"),
        ("a:\n  1: 2\n", "x.yaml:2: the key 1 is not a string"),
        ("a: [1\nb: 2\n", "x.yaml:2"),
        ("a: \x00", "x.yaml"),
    ],
)
def test_mistakes_name_file_and_line(text, words):
    with pytest.raises(UsageError) as caught:
        marked_yaml.load(text, "x.yaml")
    assert words in str(caught.value)
