"""Texts: any Arrow column of strings or bytes, whatever its layout, as plain arrays."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from corpusforge.texts import Texts

strings = st.lists(st.none() | st.text(st.characters(codec="utf-8"), max_size=6), max_size=8)


@given(values=strings, before=strings, after=strings, kind=st.sampled_from([pa.string(), pa.large_string()]))
def test_slices_and_nulls_give_their_texts(values, before, after, kind):
    array = pa.array([*before, *values, *after], kind).slice(len(before), len(values))
    expected = [value or "" for value in values]
    texts = Texts.from_arrow(array)
    assert len(texts) == len(values)
    assert texts.strings() == expected
    assert texts.sizes.tolist() == [len(value.encode()) for value in expected]
    assert texts.to_arrow().to_pylist() == expected
    assert Texts.from_arrow(pa.chunked_array([array, array])).strings() == expected * 2
    assert Texts.from_arrow(array.cast(pa.large_binary())).strings() == expected


@given(
    values=st.lists(st.text(st.characters(codec="utf-8"), max_size=6), min_size=1, max_size=8), data=st.data()
)
def test_rows_are_taken_in_the_order_asked_for(values, data):
    texts = Texts.from_strings(values)
    rows = data.draw(st.lists(st.integers(0, len(values) - 1), max_size=8))
    assert texts.take(np.array(rows, np.int64)).strings() == [values[row] for row in rows]
    assert texts.take(np.arange(len(values))) is texts


@given(values=st.lists(st.text("ab \n\u2003é", max_size=12), max_size=6))
def test_words_and_lines_are_those_of_python(values):
    texts = Texts.from_strings(values)
    for view, split in ((texts.words, str.split), (texts.lines, lambda text: text.split("\n"))):
        found = [
            [
                texts.data[view.starts[at] : view.ends[at]].tobytes().decode()
                for at in range(view.document_offsets[row], view.document_offsets[row + 1])
            ]
            for row in range(len(values))
        ]
        assert found == [split(value) for value in values]
    assert texts.words is texts.words, "found once"
