"""Logical digests: equal for equal values, however they lie in memory; different for any difference."""

from __future__ import annotations

import hashlib

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusforge.logical_digest import LogicalDigest

EDITS = pa.large_list(pa.struct([("start", pa.int64()), ("rule", pa.string())]))
VALUES = {
    pa.string(): st.text(max_size=4),
    pa.large_string(): st.text(max_size=4),
    pa.binary(): st.binary(max_size=3),
    pa.binary(2): st.binary(min_size=2, max_size=2),
    pa.int64(): st.integers(-3, 3),
    pa.bool_(): st.booleans(),
    pa.float64(): st.floats(allow_nan=False),
    pa.large_list(pa.uint32()): st.lists(st.integers(0, 3), max_size=3),
    EDITS: st.lists(
        st.fixed_dictionaries({"start": st.integers(0, 3), "rule": st.text(max_size=2)}), max_size=3
    ),
}


def digest(arrays: list[pa.Array], kind: pa.DataType) -> str:
    made = LogicalDigest(kind)
    for array in arrays:
        made.update(array)
    return made.hexdigest()


@given(data=st.data(), kind=st.sampled_from(list(VALUES)))
def test_batches_and_slices_change_nothing_and_values_do(data, kind):
    columns = st.lists(st.none() | VALUES[kind], max_size=8)
    values, others = data.draw(columns), data.draw(columns)
    whole = digest([pa.array(values, kind)], kind)
    cut = data.draw(st.integers(0, len(values)))
    padded = pa.array([*others, *values, *others], kind).slice(len(others), len(values))
    assert digest([padded.slice(0, cut), padded.slice(cut)], kind) == whole
    same = repr(pa.array(values, kind).to_pylist()) == repr(pa.array(others, kind).to_pylist())
    assert (digest([pa.array(others, kind)], kind) == whole) is same


@given(
    st.lists(st.none() | st.text(max_size=4), max_size=8), st.sampled_from([pa.string(), pa.large_string()])
)
def test_the_digest_of_strings_is_what_it_says(values, kind):
    """What the runs of earlier versions recorded has to stay comparable."""
    texts = [b"" if value is None else value.encode() for value in values]
    parts = [
        bytes(value is not None for value in values),
        b"".join(len(text).to_bytes(8, "little") for text in texts),
        b"".join(texts),
    ]
    whole = f"{len(values)} 0 ".encode() + b"".join(hashlib.sha256(part).digest() for part in parts)
    assert digest([pa.array(values, kind)], kind) == hashlib.sha256(whole).hexdigest()


def test_text_does_not_run_over_its_borders():
    kind = pa.string()
    columns = [["ab", "c"], ["a", "bc"], ["abc"], ["abc", ""], ["abc", None], [None, "abc"], [], [None], [""]]
    assert len({digest([pa.array(column, kind)], kind) for column in columns}) == len(columns)


def test_unknown_types_are_an_error():
    with pytest.raises(TypeError, match="no logical digest"):
        digest([pa.array(["a"]).dictionary_encode()], pa.dictionary(pa.int32(), pa.string()))
