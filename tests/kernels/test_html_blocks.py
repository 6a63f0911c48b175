"""Pages in blocks: against the parser's own tree, and what each kind of markup becomes."""

from __future__ import annotations

import html
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from resiliparse.parse.html import HTMLTree

from corpusforge.kernels import html_layout
from corpusforge.kernels.html_blocks import Walked, walk_html
from corpusforge.kernels.html_scan import scan_html


def walk(page: str) -> Walked:
    return walk_html(np.frombuffer(page.encode(), np.uint8), 1000, 10**6, 10**8)


def texts(page: str) -> list[str]:
    walked = walk(page)
    data = bytes(walked.text)
    return [data[begin:end].decode() for begin, end in walked.blocks[:, :2].tolist()]


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ("<p>one <b>bold</b> word<p>two", ["one bold word", "two"]),
        ("<p> a \n\t b&nbsp; c </p>", ["a b c"]),
        ("a<br>b<br><br>c", ["a\nb", "c"]),
        ("<table><tr><td>1<td>2<tr><td>3<td>4</table>", ["1\t2", "3\t4"]),
        ("<ul><li>x<li>y</ul>z", ["x", "y", "z"]),
        ("<pre>\n  a\r\n   b &lt;\n</pre>", ["  a\n   b <\n"]),
        ("a<script>var x = '<p>no</p>';</script>b<style>p{}</style>", ["ab"]),
        ("<title>T</title><noscript>no</noscript><p>yes<!-- <p>no -->", ["yes"]),
        ("<select><option>no</select><button>no</button><p>yes", ["yes"]),
        ("<svg><text>no</text></svg>yes", ["yes"]),
        ("1 < 2 &amp; 3 <> 4", ["1 < 2 & 3 <> 4"]),
        ("soft&shy;hyphen", ["softhyphen"]),
        ("<a href=x>in <span>side</span></a> out", ["in side out"]),
        ("", []),
        ("<p><p><p>", []),
    ],
)
def test_what_markup_becomes(page: str, expected: list[str]) -> None:
    assert texts(page) == expected


def test_columns_of_a_block() -> None:
    walked = walk('<body><ol><li>Eins.<li><a href="x">Zwölf, 12</a> B</ol>')
    first, second = walked.blocks
    assert first[html_layout.BULLET] == 1
    assert second[html_layout.BULLET] == 2
    assert second[html_layout.CHARACTERS] == 11
    assert second[html_layout.LINKED] == 8  # white space is not counted
    assert second[html_layout.WORDS] == 2
    assert second[html_layout.CLAUSES] == 1
    assert second[html_layout.DIGITS] == 2
    assert second[html_layout.UPPER] == 2
    assert second[html_layout.LINKS] == 1
    element = walked.elements[second[html_layout.ELEMENT]]
    assert element[html_layout.TAG] == html_layout.ITEM
    assert walked.elements[element[html_layout.PARENT], html_layout.TAG] == html_layout.ORDERED


def test_marks() -> None:
    page = "<html lang=de><title>A &amp; B</title><meta name=date content=2020><time datetime=x>y</time>"
    page += '<script type="application/ld+json">{}</script>'
    kinds = {kind: page.encode()[begin:end] for kind, begin, end in walk(page).marks.tolist()}
    assert kinds[html_layout.TITLE] == b"A &amp; B"
    assert kinds[html_layout.LINKED_DATA] == b"{}"
    assert set(kinds) == {1, 2, 3, 4, 5}


_TAGS = [
    "div", "p", "b", "a", "i", "ul", "li", "ol", "table", "tr", "td", "h1", "h2", "pre", "span", "br", "img", "section",
    "script", "svg", "title", "noscript", "blockquote",
]  # fmt: skip
_PART = st.one_of(
    st.sampled_from([f"<{tag}>" for tag in _TAGS] + [f"</{tag}>" for tag in _TAGS]),
    st.sampled_from(
        ["text ", " ", "\n", "é", "&amp;", "&", "<", "<!-- c -->", "<a href='x'>", "<p class=nav id=x>"]
    ),
)


@given(st.lists(_PART, max_size=40))
def test_the_shape_is_that_of_the_scan(parts: list[str]) -> None:
    data = np.frombuffer("".join(parts).encode(), np.uint8)
    walked = walk_html(data, 1000, 10**6, 10**8)
    assert walked.shape == scan_html(data)
    parents = walked.elements[:, html_layout.PARENT]
    assert (parents < np.arange(len(parents))).all()
    assert (walked.blocks[:, html_layout.ELEMENT] < len(parents)).all()
    assert (walked.blocks[1:, html_layout.BEGIN] == walked.blocks[:-1, html_layout.END]).all()
    assert len(bytes(walked.text).decode().encode()) == len(walked.text)


_SAFE = ["div", "p", "b", "i", "ul", "li", "section", "blockquote", "em", "span"]


@given(
    st.lists(
        st.one_of(
            st.sampled_from([f"<{tag}>" for tag in _SAFE] + [f"</{tag}>" for tag in _SAFE]),
            st.text(
                st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zs", "Zl", "Zp"]), max_size=5
            ).map(html.escape),
        ),
        max_size=30,
    )
)
def test_the_text_is_that_of_the_parser(parts: list[str]) -> None:
    page = "<body>" + "".join(parts)
    expected = HTMLTree.parse(page).body.text
    joined = "".join(texts(page))
    assert re.sub(r"\s", "", joined) == re.sub(r"[\s\u00ad]", "", expected)


@given(st.binary(max_size=300))
def test_any_bytes_end(data: bytes) -> None:
    page = np.frombuffer(data.decode("utf-8", "replace").encode(), np.uint8)
    walked = walk_html(page, 1000, 10**6, 10**8)
    assert len(bytes(walked.text).decode().encode()) == len(walked.text)


def test_hostile_pages_are_given_up_at_the_limits() -> None:
    assert walk_html(np.frombuffer(b"<div>" * 100_000, np.uint8), 1000, 10**6, 10**8).shape.depth > 1000
    many = np.frombuffer(b"<x></x>" * 10_000, np.uint8)
    walked = walk_html(many, 1000, 5000, 10**8)
    assert 5000 < walked.shape.nodes < 5010
    assert walk_html(many, 1000, 10**6, 500).shape.path_steps < 510
    entities = np.frombuffer(b"&nGt;&nLt;" * 5000, np.uint8)
    assert len(walk_html(entities, 1000, 10**6, 10**8).text) == 60_000
