"""Views against the obvious: edit Python byte strings one layer after the other."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from corpusforge import views
from corpusforge.edits import Edits
from corpusforge.texts import Texts
from corpusforge.views import Views


def apply_slowly(text: bytes, spans: list[tuple[int, int, str]]) -> bytes:
    for start, end, replacement in sorted(spans, reverse=True):
        text = text[:start] + replacement.encode() + text[end:]
    return text


@st.composite
def layers(draw):
    texts = draw(st.lists(st.text("abcdefgh", max_size=20), min_size=1, max_size=3))
    current = [text.encode() for text in texts]
    drawn = []
    for _ in range(draw(st.integers(1, 4))):
        spans = []
        for row, text in enumerate(current):
            cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=6, unique=True)))
            pairs = list(zip(cuts[::2], cuts[1::2]))
            chosen = [(a, b, draw(st.sampled_from(["", "", "X", "<Y>"]))) for a, b in pairs]
            spans += [(row, a, b, replacement, "rule") for a, b, replacement in chosen]
            current[row] = apply_slowly(text, chosen)
        drawn.append(spans)
    return texts, drawn


def cut_replacements(texts: list[str], drawn: list) -> bool:
    """Whether a later span cuts an earlier replacement in part: there the view snaps outward on purpose."""
    base = [[(char, None) for char in text.encode()] for text in texts]
    for number, spans in enumerate(drawn):
        for row, start, end, replacement, _ in sorted(spans, reverse=True):
            marked = base[row]
            inside = {mark for _, mark in marked[start:end] if mark}
            outside = {mark for _, mark in marked[:start] + marked[end:] if mark}
            if inside & outside:
                return True
            marked[start:end] = [(char, (number, row, start)) for char in replacement.encode()]
    return False


@given(layers())
def test_layers_give_what_editing_strings_gives(case):
    texts, drawn = case
    if cut_replacements(texts, drawn):
        return
    stacked = Views(Texts.from_strings(texts))
    replayed = Views(Texts.from_strings(texts))
    current = [text.encode() for text in texts]
    for number, spans in enumerate(drawn):
        mapped = stacked.edit(f"step{number}", Edits.from_spans(spans))
        column = views.to_arrow(mapped, len(texts))
        replayed.replay(f"step{number}", views.from_arrow(column))
        for row in range(len(texts)):
            current[row] = apply_slowly(current[row], [span[1:4] for span in spans if span[0] == row])
        expected = [text.decode() for text in current]
        assert stacked.text("latest").strings() == expected
        assert stacked.sizes().tolist() == [len(text) for text in current]
        assert replayed.text(f"step{number}").strings() == expected
    assert stacked.text("extract").strings() == texts


@given(layers())
def test_edits_that_cut_replacements_go_on_and_replay_to_the_same_texts(case):
    texts, drawn = case
    stacked = Views(Texts.from_strings(texts))
    replayed = Views(Texts.from_strings(texts))
    for number, spans in enumerate(drawn):
        lengths = stacked.text().sizes
        inside = [span for span in spans if span[2] <= lengths[span[0]]]
        mapped = stacked.edit(f"step{number}", Edits.from_spans(inside))
        replayed.replay(f"step{number}", views.from_arrow(views.to_arrow(mapped, len(texts))))
        assert stacked.sizes().tolist() == stacked.text().sizes.tolist()
        assert replayed.text().strings() == stacked.text().strings()


def test_two_edits_that_cut_one_placeholder_from_both_sides():
    stacked = Views(Texts.from_strings(["to ann@example.com now"]))
    stacked.edit("pii", Edits.from_spans([(0, 3, 18, "<EMAIL>", "email")]))
    stacked.edit("cut", Edits.from_spans([(0, 0, 5, "A", "cut"), (0, 7, 10, "B", "cut")]))
    assert stacked.text().strings() == ["AB now"]


def test_a_span_that_cuts_a_placeholder_takes_all_of_it():
    stacked = Views(Texts.from_strings(["write to ann@example.com now"]))
    stacked.edit("pii", Edits.from_spans([(0, 9, 24, "<EMAIL>", "email")]))
    assert stacked.text().strings() == ["write to <EMAIL> now"]
    stacked.edit("cut", Edits.from_spans([(0, 5, 12, "", "cut")]))
    assert stacked.text().strings() == ["write now"]


def test_rows_are_selected_and_renumbered():
    edits = Edits.from_spans([(0, 1, 2, "", "a"), (2, 0, 1, "x", "b"), (5, 0, 3, "", "c")])
    chosen = views.select_rows(edits, np.array([2, 3, 5]))
    assert chosen.rows.tolist() == [0, 2]
    assert list(chosen.rules) == ["b", "c"]
