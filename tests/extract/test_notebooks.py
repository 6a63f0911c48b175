"""Notebooks of both formats, and what is none."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusforge.extract.notebooks import NotebookError, notebook_to_text

CELLS = [
    {"cell_type": "markdown", "source": ["# Title\n", "\n", "text\n"]},
    {
        "cell_type": "code",
        "source": ["x = 1\n", "print(x)"],
        "outputs": [{"data": {"image/png": "A" * 1000}}],
    },
    {"cell_type": "code", "source": "s = '```'"},
    {"cell_type": "code", "source": "  "},
    {"cell_type": "raw", "source": "raw"},
    "no cell",
]


def test_markdown_and_code_in_order_without_outputs():
    notebook = {"cells": CELLS, "metadata": {"kernelspec": {"language": "julia"}}, "nbformat": 4}
    text, language = notebook_to_text(json.dumps(notebook))
    assert language == "julia"
    assert text == (
        "# Title\n\ntext\n\n```julia\nx = 1\nprint(x)\n```\n\n````julia\ns = '```'\n````\n\nraw\n"
    )


def test_format_3():
    cells = [{"cell_type": "heading", "level": 2, "source": "A"}, {"cell_type": "code", "input": "1"}]
    text, language = notebook_to_text(json.dumps({"worksheets": [{"cells": cells}]}))
    assert (text, language) == ("## A\n\n```python\n1\n```\n", "python")


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{}", b'{"cells": 1}', b"[" * 100_000, b"\xff", b'{"cells":' + b'{"a":' * 50_000]
)
def test_what_is_no_notebook(data):
    with pytest.raises(NotebookError):
        notebook_to_text(data)


JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["cells", "source", "cell_type", "metadata", "kernelspec", "language", "level"]),
            inner,
            max_size=4,
        )
    ),
)


@given(JSON)
def test_any_json_is_text_or_an_error(value):
    try:
        text, language = notebook_to_text(json.dumps(value))
    except NotebookError:
        return
    assert isinstance(text, str)
    assert language
