"""Measurements of code against slow twins."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusforge.kernels.code import PYTHON, SLASHES, count_comments, count_visible, measure_lines
from corpusforge.texts import Texts

TEXTS = st.lists(
    st.text(st.characters(exclude_categories=["Cs", "Cn"], max_codepoint=0x2FFF))
    | st.text("ab \n1é-", max_size=30),
    max_size=4,
)


def lines_of(text: str) -> list[str]:
    return text.removesuffix("\n").split("\n") if text else []


@given(TEXTS)
def test_lines(strings):
    texts = Texts.from_strings(strings)
    characters, alphanumeric, lines, longest = measure_lines(texts.data, texts.offsets)
    for row, text in enumerate(strings):
        assert characters[row] == len(text)
        assert lines[row] == len(lines_of(text))
        assert longest[row] == max(map(len, lines_of(text)), default=0)
    plain = [text.encode("ascii", "ignore").decode() for text in strings]
    texts = Texts.from_strings(plain)
    found = measure_lines(texts.data, texts.offsets)[1]
    assert found.tolist() == [sum(character.isalnum() for character in text) for text in plain]
    assert alphanumeric.sum() >= found.sum()


@pytest.mark.parametrize(
    ("html", "visible"),
    [
        ("<p>ab  \n cd</p>", "ab cd"),
        ("<script>if (a < b) x('</p>')</script>é", "é"),
        ("<STYLE>a{}</STYLE>x", "x"),
        ("<!-- <b>no</b> --->y", "y"),
        ("<a href='x'", ""),
        ("<!-- never closed", ""),
        ("a < b", "a "),
        ("", ""),
    ],
)
def test_visible_text(html, visible):
    texts = Texts.from_strings([html, html])
    found = count_visible(texts.data, texts.offsets, np.array([1, 0], np.uint8))
    assert found.tolist() == [len(visible), 0]


@pytest.mark.parametrize(
    ("style", "text", "comments"),
    [
        (SLASHES, "a(); // b\nc();", "// b"),
        (SLASHES, 'x = "// no"; /* yes\n */ y', "/* yes\n */"),
        (SLASHES, "x = `a\n// no`; // d", "// d"),
        (SLASHES, "x = 'it\\'s // no' // e", "// e"),
        (SLASHES, "/* open", "/* open"),
        (SLASHES, "don't\n// f", "// f"),
        (PYTHON, "x = '# no'  # yes", "# yes"),
        (PYTHON, 'def f():\n    """Doc # in."""\n    return """no"""', '"""Doc # in."""'),
        (PYTHON, "'''open", "'''open"),
        (PYTHON, "x = ''  # g", "# g"),
        (0, "# nothing", ""),
    ],
)
def test_comments(style, text, comments):
    texts = Texts.from_strings([text])
    assert count_comments(texts.data, texts.offsets, np.array([style], np.uint8)).tolist() == [len(comments)]


@given(
    st.lists(st.text("/*#'\"`\\ \na<!->", max_size=40), min_size=1, max_size=5),
    st.sampled_from([SLASHES, PYTHON]),
)
def test_texts_do_not_look_into_each_other(strings, style):
    together = Texts.from_strings(strings)
    marks = np.full(len(strings), style, np.uint8)
    comments = count_comments(together.data, together.offsets, marks)
    visible = count_visible(together.data, together.offsets, marks)
    for row, text in enumerate(strings):
        alone = Texts.from_strings([text])
        assert count_comments(alone.data, alone.offsets, marks[:1])[0] == comments[row]
        assert 0 <= comments[row] <= len(text)
        assert count_visible(alone.data, alone.offsets, marks[:1])[0] == visible[row]
