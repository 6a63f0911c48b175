"""C4's cleaning against a slow twin that follows the reference line by line, and texts around each threshold."""

from __future__ import annotations

import pickle
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corpusforge.errors import UsageError
from corpusforge.filters.c4 import C4, POLICY_PHRASES, Parameters
from corpusforge.kernels.sentences import count_sentences
from corpusforge.rulesets import thresholds
from corpusforge.step import Measured
from corpusforge.texts import Texts

SECTION = "c4@tfds"
PIECES = [
    *(
        "one two three four five.",
        "word",
        "Enough words stand in here!",
        "end...",
        'He said "no."',
        "[1]",
        "[edit]",
    ),
    *(
        " ",
        "\t",
        "\n",
        "\n\n",
        "{",
        "JavaScript",
        "Lorem IPSUM",
        "use cookies",
        "é" * 1001,
        "x" * 1001,
        "。",
        "?",
    ),
]
TEXTS = st.lists(
    st.one_of(
        st.lists(st.sampled_from(PIECES), max_size=12).map(" ".join),
        st.lists(st.sampled_from(PIECES), max_size=12).map("".join),
        st.sampled_from(["", "\n", "\n\n\n", " \n "]),
        st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=30),
    ),
    max_size=4,
)


def sentences(line: str) -> int:
    texts = Texts.from_strings([line])
    return int(count_sentences(texts.data, texts.offsets[:-1], texts.offsets[1:])[0])


def twin(text: str, parameters: Parameters) -> tuple[str, dict[str, int]]:
    """(cleaned text, signals)."""
    kept: list[str] = []
    lorem_ipsum = curly_brackets = 0
    every = text.split("\n")
    for raw in every:
        line = raw.strip()
        too_long = any(len(word) > (parameters.max_word_characters or 10**9) for word in line.split())
        if parameters.remove_citations:
            line = re.sub(r"\[[0-9]*\]|\[edit\]|\[citation needed\]", "", line)
        whole = parameters.page_rules_read == "page"
        lower = re.sub("[A-Z]", lambda m: m.group().lower(), line)
        if whole:
            lorem_ipsum += lower.count("lorem ipsum")
            curly_brackets += lower.count("{")
        if too_long:
            continue
        if parameters.require_terminal_punctuation and (
            not line.endswith((".", "?", "!", '"')) or line.endswith("...")
        ):
            continue
        if len(line.split()) < (parameters.min_words_per_line or 0):
            continue
        lorem_ipsum += 0 if whole else lower.count("lorem ipsum")
        if parameters.drop_javascript_lines and "javascript" in lower:
            continue
        curly_brackets += 0 if whole else lower.count("{")
        if parameters.drop_policy_lines and any(phrase in lower for phrase in POLICY_PHRASES):
            continue
        kept.append(line)
    return "\n".join(kept), {
        "characters": len(text),
        "sentences": sum(map(sentences, kept)),
        "lorem_ipsum": lorem_ipsum,
        "curly_brackets": curly_brackets,
        "kept_lines": len(kept),
        "removed_lines": len(every) - len(kept),
    }


def edited(strings: list[str], measured: Measured) -> list[str]:
    """Apply a step's edits the slow way, checking their order."""
    assert measured.edits is not None
    raw = [bytearray(string.encode()) for string in strings]
    spans = list(
        zip(measured.edits.rows.tolist(), measured.edits.starts.tolist(), measured.edits.ends.tolist())
    )
    assert spans == sorted(spans)
    assert all(start < end for _, start, end in spans)
    assert all(a[0] != b[0] or a[2] <= b[1] for a, b in zip(spans, spans[1:]))
    assert set(measured.edits.replacements) <= {""}
    for row, start, end in reversed(spans):
        del raw[row][start:end]
    return [bytes(item).decode() for item in raw]


def step(section: str = SECTION, **overrides: Any) -> C4:
    return C4(Parameters(**{"rules": section} | thresholds(section, "c4") | overrides))


@pytest.mark.parametrize("section", ["c4@tfds", "c4@no_terminal", "off", "page"])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=TEXTS)
def test_matches_the_twin(measure: Callable[..., Measured], section: str, texts: list[str]) -> None:
    built = {"off": C4(), "page": step(page_rules_read="page")}.get(section) or step(section)
    measured = measure(built, texts)
    expected = [twin(text, built.parameters) for text in texts]
    assert edited(texts, measured) == [text for text, _ in expected]
    for row, (_, signals) in enumerate(expected):
        assert {name: int(measured.signals[name][row]) for name in signals} == signals
    assert measured.signals["bad_words"].null_count == len(texts)


GOOD = "This line is long enough to stay."


@pytest.mark.parametrize(
    ("rule", "line", "stays"),
    [
        ("", GOOD, True),
        ("", "Is this one long enough?", True),
        ("", 'They said "this is enough"', True),
        ("terminal_punctuation", "This one has no end", False),
        ("terminal_punctuation", "This one just trails off...", False),
        ("min_words_per_line", "Five words stand right here.", True),
        ("min_words_per_line", "Only four words here.", False),
        ("max_word_characters", f"This line is long {'x' * 999}.", True),
        ("max_word_characters", f"This line is long {'x' * 1000}.", False),
        ("javascript", "Please enable JavaScript in your browser.", False),
        ("policy", "We make use of Cookies on this page.", False),
        ("terminal_punctuation", "A mark behind the stop. [1] ", False),
        ("", "A mark [12] [edit] within the line.[3]", True),
    ],
)
def test_line_rules(measure: Callable[..., Measured], rule: str, line: str, stays: bool) -> None:
    text = f"{GOOD}\n{line}\n{GOOD}"
    measured = measure(step(), [text])
    assert measured.edits is not None
    assert measured.signals["kept_lines"].tolist() == [3 if stays else 2]
    assert set(measured.edits.rules) - {"trim", "citation"} == (set() if stays else {rule})


def test_a_removed_line_takes_one_line_feed_along(measure: Callable[..., Measured]) -> None:
    texts = [f"{GOOD}\n\n\n{GOOD}\n", f"\nno\n{GOOD}", f"{GOOD}\nno", "no\nno\n", ""]
    measured = measure(step(), texts)
    assert edited(texts, measured) == [f"{GOOD}\n{GOOD}", GOOD, GOOD, "", ""]


def test_neighbours_make_one_edit(measure: Callable[..., Measured]) -> None:
    edits = measure(step(), ["\n" * 1000 + "no\nno\n" + "few words.\n", "\n"]).edits
    assert edits is not None
    found = list(zip(edits.rows.tolist(), edits.starts.tolist(), edits.ends.tolist(), edits.rules))
    rules = "terminal_punctuation", "min_words_per_line"
    assert found == [(0, 0, 1006, rules[0]), (0, 1006, 1017, rules[1]), (1, 0, 1, rules[0])]


@pytest.mark.parametrize(
    ("rule", "kept", "dropped"),
    [
        ("max_characters", GOOD + "é" * (190_000 - len(GOOD)), GOOD + "é" * (190_001 - len(GOOD))),
        ("min_sentences", "\n".join([GOOD] * 3), f"{GOOD}\n{GOOD}\nNot one. Not two. Not three. No"),
        ("max_lorem_ipsum", f"{GOOD}\nLorem ipsum", f"{GOOD}\nThis text is Lorem Ipsum dolor."),
        ("max_curly_brackets", f"{GOOD}\nif (x) {{", f"{GOOD}\nThere is a {{ in this line."),
        ("max_curly_brackets", "Your javascript has a { in here.", "Your java has a { in here."),
    ],
)
def test_page_rules(dropped_by: Callable[..., list[set[str]]], rule: str, kept: str, dropped: str) -> None:
    inside, outside = dropped_by(C4, SECTION, [kept, dropped])
    assert rule not in inside
    assert rule in outside


def test_page_rules_over_the_whole_page(dropped_by: Callable[..., list[set[str]]]) -> None:
    found = dropped_by(C4, SECTION, [f"{GOOD}\nLorem ipsum {{"], page_rules_read="page")
    assert found == [{"max_lorem_ipsum", "max_curly_brackets", "min_sentences"}]


def test_five_sentences_without_terminal_rule(dropped_by: Callable[..., list[set[str]]]) -> None:
    three_words = ["Three words here"] * 5
    found = dropped_by(
        C4, "c4@no_terminal", ["\n".join(three_words), "\n".join(three_words[:4]), "Two words\n" * 9]
    )
    assert found == [set(), {"min_sentences"}, {"min_sentences"}]


def test_one_list_of_bad_words(dropped_by: Callable[..., list[set[str]]], tmp_path: Path) -> None:
    (tmp_path / "list").write_text("heck\nwhat the\n\n", "utf-8")
    texts = [
        f"{GOOD}\n{line}"
        for line in ("Oh heck this is it.", "Oh checks and hecks are it.", "So what  the it is.")
    ]
    found = dropped_by(C4, SECTION, texts, bad_words=str(tmp_path / "list"), min_sentences=None)
    assert found == [{"max_bad_words"}, set(), set()]


def test_lists_by_language(measure: Callable[..., Measured], tmp_path: Path) -> None:
    (tmp_path / "en").write_text("heck\n", "utf-8")
    (tmp_path / "fr.txt").write_text("zut\n", "utf-8")
    (tmp_path / "README.md").write_text("not a list", "utf-8")
    built = step(bad_words=str(tmp_path))
    built.check()
    line = "Oh heck and zut and heck again."
    measured = measure(built, [line] * 4, ["en", "fr", "de", None])
    assert measured.signals["bad_words"].to_pylist() == [2, 1, None, None]
    before = built.fingerprint()
    assert set(before) == {"bad_words/en", "bad_words/fr"}
    (tmp_path / "en").write_text("darn\n", "utf-8")
    assert built.fingerprint()["bad_words/en"] != before["bad_words/en"]


def test_missing_and_broken_lists_are_usage_errors(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "latin").write_bytes(b"caf\xe9\n")
    for name in ("missing", "empty", "latin"):
        with pytest.raises(UsageError, match="bad_words"):
            step(bad_words=str(tmp_path / name)).check()


def test_results_do_not_depend_on_the_batch(measure: Callable[..., Measured]) -> None:
    texts = [" ".join(PIECES), "\n".join(PIECES), "", "\n".join(PIECES[::-1])]
    together = edited(texts, measure(step(), texts))
    assert together == [edited([text], measure(step(), [text]))[0] for text in texts]


def test_pickles() -> None:
    assert pickle.loads(pickle.dumps(step())).parameters == step().parameters


@pytest.mark.parametrize(
    "unit", ["a", "a ", "\n", "[1]\n", "a. ", "{", "use cookies ", "[", "A line of enough words.\n"]
)
def test_a_hostile_document_costs_linear_time(measure: Callable[..., Measured], unit: str) -> None:
    text = unit * (1_000_000 // len(unit))
    started = time.process_time()
    measure(step(), [text])
    assert time.process_time() - started < 4
