from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from corpusforge.kernels.phrases import Phrases, count_phrases
from corpusforge.texts import Texts

TEXTS = st.lists(st.text("aAbB z{é\n", max_size=30), max_size=4)
GROUPS = st.lists(st.lists(st.text("ab zé", min_size=1, max_size=3), max_size=3), min_size=1, max_size=3)


def lower(text: str) -> str:
    return re.sub("[A-Z]", lambda m: m.group().lower(), text)


@given(TEXTS, GROUPS, st.booleans())
def test_matches_the_twin(strings: list[str], groups: list[list[str]], bounded: bool) -> None:
    texts = Texts.from_strings(strings)
    phrases = Phrases.of(*groups)
    edge = ("(?<![a-z])", "(?![a-z])") if bounded else ("", "")
    expected = [
        [
            sum(len(re.findall(f"(?={edge[0]}{re.escape(p)}{edge[1]})", lower(text))) for p in set(group))
            for group in groups
        ]
        for text in strings
    ]
    spans = texts.data, texts.offsets[:-1], texts.offsets[1:]
    assert count_phrases(*spans, phrases, bounded).tolist() == expected


def test_by_hand() -> None:
    texts = Texts.from_strings(["No JavaScript, no javascripts.", "ass", "class pass ass."])
    phrases = Phrases.of(["javascript"], ["Ass", ""])
    spans = texts.data, texts.offsets[:-1], texts.offsets[1:]
    assert count_phrases(*spans, phrases).tolist() == [[2, 0], [0, 1], [0, 3]]
    assert count_phrases(*spans, phrases, bounded=True).tolist() == [[1, 0], [0, 1], [0, 1]]
