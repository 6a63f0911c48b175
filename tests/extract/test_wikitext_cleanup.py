"""What is mended line by line."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from corpusforge.extract.wikitext_cleanup import HEADING, Verbatim, _tidy_line, tidy, without_empty_sections


def slow_tidy_line(line: str) -> str:
    """Every rule on every line."""
    line = "\t".join(re.sub(r"[ \t\u00a0]+", " ", cell).strip() for cell in line.split("\t")).strip()
    line = re.sub(r"  +", " ", re.sub(r"\(\s*[,;:]?\s*\)|\[\s*\]", "", line))
    line = re.sub(r"\((?:\s*[,;:、，])+\s*", "(", line)
    return re.sub(r" +([,.;:!?)])", r"\1", line).strip(" ")


@given(st.text(st.sampled_from("ab ()[],;:、.!?\t\u00a0\u3000-_"), max_size=30))
def test_rules_that_are_left_out_would_change_nothing(line: str) -> None:
    assert _tidy_line(line) == slow_tidy_line(line)


marked = st.text(st.sampled_from("\ue000\ue001\ue00101269٣²-_ a\n\t()"), max_size=40)


@given(marked)
def test_pieces_come_back_once_in_any_text(text: str) -> None:
    verbatim = Verbatim()
    marks = [verbatim.hold(piece) for piece in ("<A>", "<B>")]
    for restored in (
        verbatim.restore(text),
        verbatim.restore(tidy(text + marks[1] + text + marks[0] + text)),
    ):
        assert restored.count("<A>") <= 1
        assert restored.count("<B>") <= 1
        assert not set("\ue000\ue001") & set(restored)


def test_marks_of_nothing_go() -> None:
    verbatim = Verbatim()
    mark = verbatim.hold("x")
    assert verbatim.restore(f"{mark} {mark} \ue0017\ue001 \ue001{'9' * 5000}\ue001.") == f"x   {'9' * 5000}."


@given(st.lists(marked.map(lambda line: line.replace("\n", "")), max_size=8))
def test_sections_take_any_lines(lines: list[str]) -> None:
    kept = without_empty_sections(lines)
    assert len(kept) <= len(lines)
    assert not any(HEADING in line for line in kept)


def test_a_mark_without_a_level_is_no_heading() -> None:
    lines = [HEADING, f"{HEADING}x", f"{HEADING}9", f"{HEADING}2 A", "b", f"{HEADING}2 C"]
    assert without_empty_sections(lines) == ["", "x", "9", "A", "b"]
