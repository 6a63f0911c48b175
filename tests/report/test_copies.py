from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpusforge.dedup.exact import ExactDedup, ExactParameters
from corpusforge.dedup.in_memory import measure_in_memory
from corpusforge.dedup.lines import LineDedup, LineParameters
from corpusforge.dedup.minhash import MinhashDedup, MinhashParameters
from corpusforge.dedup.ngrams import NgramDedup, NgramParameters
from corpusforge.dedup.substring import SubstringDedup, SubstringParameters
from corpusforge.document import DOCUMENT_SCHEMA, document_id
from corpusforge.report.copies import outcome, parts_of, scopes_of
from corpusforge.step import MapStep
from corpusforge.texts import Texts

STEPS: list[MapStep] = [
    ExactDedup(ExactParameters()),
    LineDedup(LineParameters(scope="global")),
    LineDedup(LineParameters(scope="global", unit="sentence", span=2, normalization="strip_lower")),
    NgramDedup(NgramParameters(ngram=3, min_ngram=2, max_unit_share=0.5)),
    SubstringDedup(SubstringParameters(words=4)),
]

# Few different words, lines and sentences, so that much stands twice.
words = st.sampled_from(["alpha", "beta", "gamma", "delta."])
lines = st.lists(words, min_size=1, max_size=6).map(" ".join)
texts = st.lists(lines, max_size=5).map("\n".join)


def columns(count: int) -> dict[str, pa.Array]:
    found = {field.name: pa.nulls(count, field.type) for field in DOCUMENT_SCHEMA}
    ids = [document_id("test", str(number)) for number in range(count)]
    return found | {"id": pa.array(ids, pa.binary(16)), "source": pa.array(["test"] * count)}


def decided(step: MapStep, documents: Texts) -> tuple[Any, Any]:
    """Spans that the step removes by text, and whether it takes a text for a duplicate."""
    measured = measure_in_memory(step, documents, columns(len(documents)), {})
    spans: list[list[tuple[int, int]]] = [[] for _ in range(len(documents))]
    if measured.edits is None:
        return spans, np.asarray(measured.signals["duplicate"]) != 0
    edits = measured.edits
    for row, start, end in zip(edits.rows.tolist(), edits.starts.tolist(), edits.ends.tolist()):
        spans[row].append((start, end))
    return spans, np.zeros(len(documents), bool)


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
@settings(max_examples=40, deadline=None)
@given(strings=st.lists(texts, min_size=1, max_size=6))
def test_steps_leave_one_place_and_remove_nothing_else(step: MapStep, strings: list[str]) -> None:
    documents = Texts.from_strings(strings)
    spans, dropped = decided(step, documents)
    parts = parts_of(step, documents, columns(len(strings)))
    removed = parts.removed(spans) if not isinstance(step, ExactDedup) else dropped[parts.rows]
    found = outcome(parts, removed, dropped)
    assert found["copies"]["found"] == found["copies"]["pairs"]
    assert found["removed"]["found"] == found["removed"]["pairs"]
    assert found["unjudged"] == 0


def test_what_is_left_twice_and_what_went_alone_are_told() -> None:
    step = LineDedup(LineParameters(scope="global"))
    documents = Texts.from_strings(["a a\nb b", "a a\nc c", "a a\nd d"])
    parts = parts_of(step, documents, columns(3))
    nothing = np.zeros(3, bool)
    kept = outcome(parts, parts.removed([[], [], []]), nothing)
    assert (kept["copies"]["found"], kept["copies"]["pairs"]) == (0, 2)
    half = outcome(parts, parts.removed([[], [(0, 4)], []]), nothing)
    assert (half["copies"]["found"], half["copies"]["pairs"]) == (1, 2)
    alone = outcome(parts, parts.removed([[(4, 7)], [(0, 4)], []]), nothing)
    assert (alone["removed"]["found"], alone["removed"]["pairs"]) == (1, 2)
    part = outcome(parts, parts.removed([[(4, 7)], [(0, 4)], []]), nothing, complete=False)
    assert (part["removed"]["pairs"], part["unjudged"]) == (1, 1)
    by_drop = outcome(parts, parts.removed([[], [], []]), np.array([False, True, True]))
    assert (by_drop["copies"]["found"], by_drop["copies"]["pairs"]) == (2, 2)


def test_domains_and_dumps_are_apart() -> None:
    documents = Texts.from_strings(["a a"] * 3)
    given_columns = columns(3) | {
        "url": pa.array(["http://one.org/1", "http://one.org/2", "http://two.org/"])
    }
    by_domain = parts_of(LineDedup(LineParameters()), documents, given_columns)
    assert by_domain.keys.tolist() == [0, 0, 1]
    step = ExactDedup(ExactParameters(scope="dump"))
    assert scopes_of(step, documents, columns(3)).tolist() == [0, 0, 0]
    assert scopes_of(step, documents, columns(3), np.array([0, 1, 0])).tolist() == [0, 1, 0]


def test_other_steps_have_no_parts() -> None:
    with pytest.raises(TypeError, match="minhash_dedup"):
        parts_of(MinhashDedup(MinhashParameters()), Texts.from_strings(["a"]), columns(1))
