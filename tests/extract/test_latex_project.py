r"""Which file is the paper, and what ``\input`` may bring in."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusforge.extract.latex_project import decode_sources, join_files, main_file, resolve
from corpusforge.extract.latex_scan import LatexLimitError

WHOLE = "\\documentclass{article}\\begin{document}x\\end{document}"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"a.tex": "words", "b.tex": WHOLE}, "b.tex"),
        ({"a.tex": WHOLE, "ms.tex": WHOLE}, "ms.tex"),
        ({"a.tex": WHOLE + "longer", "b.tex": WHOLE}, "a.tex"),
        ({"a.tex": WHOLE, "b.tex": WHOLE}, "a.tex"),
        ({"part.tex": WHOLE + "longer", "b.tex": "\\input{part}" + WHOLE}, "b.tex"),
        ({"style.cls": WHOLE, "b": WHOLE}, "b"),
        ({"class.tex": "\\documentclass{x}", "b.tex": "\\input class\\begin{document}"}, "b.tex"),
        ({"a.tex": "%\\documentclass{x}\\begin{document}"}, None),
        ({"plain.tex": "words \\bye"}, "plain.tex"),
        ({"readme": "words"}, None),
        ({}, None),
    ],
)
def test_the_main_file(files, expected):
    assert main_file(files) == expected


@pytest.mark.parametrize(
    ("wanted", "own", "expected"),
    [
        ("a", "main.tex", "a.tex"),
        ("./a.tex", "main.tex", "a.tex"),
        ('"a"', "main.tex", "a.tex"),
        ("b", "sub/main.tex", "sub/b.tex"),
        ("sub/b", "main.tex", "sub/b.tex"),
        ("../a", "sub/main.tex", None),
        ("/a", "main.tex", None),
        ("/etc/passwd", "main.tex", None),
        ("none", "main.tex", None),
        ("", "main.tex", None),
    ],
)
def test_names_are_looked_up_in_the_project_only(wanted, own, expected):
    assert resolve(wanted, own, {"a.tex": 1, "sub/b.tex": 1}) == expected


def test_files_are_put_where_they_are_brought_in():
    files = {
        "main.tex": "A\\input{b}C %\\input{no}\n\\include{sub/d}\\input missing.tex\nE",
        "b.tex": "B\\endinput gone",
        "sub/d.tex": "D\\input{e}",
        "sub/e.tex": "E",
    }
    assert "".join(join_files(files, "main.tex", 1000).split()) == "ABCDEE"


def test_a_file_inside_itself_is_cut():
    assert join_files({"a": "x\\input{a}y"}, "a", 100) == "xy"
    assert "".join(join_files({"a": "x\\input{b}y", "b": "z\\input{a}w"}, "a", 100).split()) == "xzwy"


def test_bombs_of_inputs_are_refused():
    doubling = {f"f{n}": f"\\input{{f{n + 1}}}" * 2 for n in range(14)} | {"f14": "x"}
    with pytest.raises(LatexLimitError) as caught:
        join_files(doubling, "f0", 1 << 20)
    assert caught.value.kind == "too_many_inputs"
    with pytest.raises(LatexLimitError) as caught:
        join_files({"a": "\\input{b}" * 100, "b": "x" * 100}, "a", 1000)
    assert caught.value.kind == "project_too_large"
    deep = {f"f{n}": f"\\input{{f{n + 1}}}" for n in range(50)}
    with pytest.raises(LatexLimitError) as caught:
        join_files(deep, "f0", 1 << 20)
    assert caught.value.kind == "too_many_inputs"


def test_encodings():
    word = "Žižek, naïve"
    assert decode_sources({"a": "naïve".encode("latin-1")}) == {"a": "naïve"}
    assert decode_sources({"a": word.encode()}) == {"a": word}
    declared = b"\\usepackage[latin2]{inputenc}"
    assert decode_sources({"a": declared, "b": "Žižek".encode("iso8859-2")})["b"] == "Žižek"
    assert decode_sources({"a": b"a\r\nb\rc\x00"}) == {"a": "a\nb\nc"}


NAMES = st.sampled_from(["a", "b", "a.tex", "sub/a.tex"])
PIECES = st.sampled_from(
    ["\\input{a}", "\\input b", "\\include{sub/a}", "\\begin{document}", "%", "\n", "x", "{", "}"]
)


@given(st.dictionaries(NAMES, st.lists(PIECES, max_size=12).map("".join), min_size=1))
def test_never_raises_but_for_limits(files):
    main = main_file(files)
    if main is not None:
        with contextlib.suppress(LatexLimitError):
            assert len(join_files(files, main, 2000)) < 10_000
