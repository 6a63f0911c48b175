from __future__ import annotations

import re
import time

from hypothesis import given
from hypothesis import strategies as st

from corpusforge.kernels.citations import find_citations
from corpusforge.texts import Texts

PIECES = ["[", "]", "1", "23", "[edit]", "[citation needed]", "[Edit]", "[edit", "é", " ", "[]"]


@given(st.lists(st.lists(st.sampled_from(PIECES), max_size=8).map("".join), max_size=4))
def test_matches_the_regular_expression(strings: list[str]) -> None:
    texts = Texts.from_strings(strings)
    spans, starts, ends = find_citations(texts.data, texts.offsets[:-1], texts.offsets[1:])
    found = [(s, a - texts.offsets[s], b - texts.offsets[s]) for s, a, b in zip(spans, starts, ends)]
    pattern = re.compile(rb"\[[0-9]*\]|\[edit\]|\[citation needed\]")
    expected = [(i, *m.span()) for i, text in enumerate(strings) for m in pattern.finditer(text.encode())]
    assert found == expected


def test_a_megabyte_of_brackets_costs_linear_time() -> None:
    for unit in ("[", "[1", "[citation needed", "1"):
        texts = Texts.from_strings(["[" + unit * (1_000_000 // len(unit))])
        started = time.process_time()
        find_citations(texts.data, texts.offsets[:-1], texts.offsets[1:])
        assert time.process_time() - started < 1
