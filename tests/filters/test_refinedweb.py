"""RefinedWeb's line-wise corrections."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusforge.edits import Edits
from corpusforge.filters.refinedweb import RefinedWeb
from corpusforge.recipe import make_step
from corpusforge.step import RATIO, LiveRows, MapStep, Measured
from corpusforge.texts import Texts
from corpusforge.views import Views

GOOD = "This line says something that a reader wants."


def step() -> MapStep:
    made = make_step("refinedweb")
    assert isinstance(made, RefinedWeb)
    return made


def cleaned(texts: list[str]) -> tuple[list[str], Measured]:
    columns = Texts.from_strings(texts)
    measured = step().measure(LiveRows(columns, {}))
    views = Views(columns)
    views.edit("refinedweb", measured.edits or Edits.empty())
    return views.text().strings(), measured


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("SUBSCRIBE TO OUR newsletter", "capitals"),
        ("20240117", "digits"),
        ("3 likes", "counter"),
        ("1,204 Comments", "counter"),
        ("12.5K views", "counter"),
        ("Menu", "few_words"),
    ],
)
def test_lines_that_go(line: str, rule: str) -> None:
    for text in (f"{line}\n{GOOD}", f"{GOOD}\n{line}", f"{GOOD}\n{line}\n{line}\n{GOOD}"):
        found, measured = cleaned([text])
        assert found[0] == "\n".join([GOOD] * text.count(GOOD))
        assert measured.edits is not None
        assert set(measured.edits.rules) == {rule}


@pytest.mark.parametrize(
    "line",
    [
        "NASA said it.",
        "3 people like it",
        "20240117 was a day",
        "He has 3 likes",
        "Two words",
        "3 likes and a half",
    ],
)
def test_lines_that_stay(line: str) -> None:
    assert cleaned([line])[0] == [line]


@pytest.mark.parametrize(
    ("line", "left"),
    [
        ("Sign-in to comment", "to comment"),
        ("The article begins Read more...", "The article begins"),
        ("The article begins read more …", "The article begins"),
        ("You have 3 items in cart now", "You have 3 now"),
        ("Please Sign-in to comment", "Please Sign-in to comment"),
        ("Read more... about the history of it", "Read more... about the history of it"),
        ("one two three four five six seven eight nine ten Read more...",) * 2,
    ],
)
def test_buttons(line: str, left: str) -> None:
    found, measured = cleaned([f"{GOOD}\n{line}\n{GOOD}"])
    assert found == [f"{GOOD}\n{left}\n{GOOD}"]
    assert list(measured.signals["removed_buttons"]) == [int(line != left)]


def test_the_share_of_words_decides(dropped_by: Callable[..., list[set[str]]]) -> None:
    nineteen = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen b c d e f"
    assert len(nineteen.split()) == 19
    found = dropped_by(RefinedWeb, "refinedweb@dclm", [f"{nineteen}\nMenu", f"{nineteen[:-2]}\nMenu", ""])
    assert found == [set(), {"max_removed_word_ratio"}, set()]
    _, measured = cleaned([f"{nineteen}\nMenu"])
    assert list(measured.signals["removed_word_ratio"]) == [RATIO // 20]
    assert list(measured.signals["removed_lines"]) == [1]


LINES = st.sampled_from(
    ["", "  ", GOOD, "Menu", "3 likes", "SHOUT IT", " trimmed line ", "42", "zwei Wörter"]
)


@given(st.lists(st.lists(LINES, max_size=6), max_size=4))
def test_what_is_left_is_the_lines_that_stay(documents: list[list[str]]) -> None:
    texts = ["\n".join(lines) for lines in documents]
    stay = {"", "  ", GOOD, " trimmed line ", "zwei Wörter"}
    expected = ["\n".join(line for line in text.split("\n") if line in stay) for text in texts]
    together, measured = cleaned(texts)
    assert together == expected
    for index, text in enumerate(texts):
        alone, single = cleaned([text])
        assert alone == [expected[index]]
        assert single.signals["removed_word_ratio"][0] == measured.signals["removed_word_ratio"][index]


@pytest.mark.parametrize("unit", ["a", " ", "\n", "3 likes\n", "Read more... ", "A\n"])
def test_a_hostile_document_ends(unit: str) -> None:
    text = unit * (1_000_000 // len(unit))
    found, measured = cleaned([text])
    assert len(found[0]) <= len(text)
    assert 0 <= measured.signals["removed_word_ratio"][0] <= RATIO
