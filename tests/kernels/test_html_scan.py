"""The scan against the tree that the parser really builds."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from resiliparse.parse.html import HTMLTree
from resiliparse.parse.html.node import NodeType

from corpusforge.extract.charset import decode
from corpusforge.kernels.html_scan import CAPACITY, PageShape, scan_html
from corpusforge.sources.http import parse_response
from corpusforge.sources.warc import RawRecord, read_records

BASE = 3
"""What every page has: html, head, body in a row at most."""

NAMES = (
    "div p b i font a span table tr td th tbody caption ul li dl dd dt h1 h2 select option optgroup "
    "button form svg g math mi desc foreignObject title style script textarea template object nobr em "
    "ruby rt rp section article br img input hr iframe noscript center pre frameset colgroup col body "
    "html head foo x-y address tt marquee applet"
)
TAGS = st.builds(
    "<{}{}>".format, st.sampled_from(NAMES.split()), st.sampled_from(["", " a=1", " size=2", ' t="x>y"', "/"])
)
OTHERS = st.sampled_from(
    ["<!-- c -->", "<![CDATA[ <p> ]]>", "<?x <p> ?>", "</ <p>", "<!--", "-->", "<", "<!-->"]
)
SOUP = st.lists(
    TAGS | st.builds("</{}>".format, st.sampled_from(NAMES.split())) | st.just("x") | OTHERS, max_size=80
)


def scan(page: str, max_depth: int = CAPACITY - 1) -> PageShape:
    return scan_html(np.frombuffer(page.encode(), np.uint8), max_depth)


def actual(page: str) -> tuple[int, int]:
    """Elements and greatest depth of the tree that Resiliparse builds."""
    nodes = deepest = 0
    stack = [(HTMLTree.parse(page).document, 0)]
    while stack:
        node, depth = stack.pop()
        for child in node.child_nodes if node is not None else ():
            if child.type == NodeType.ELEMENT:
                nodes += 1
                deepest = max(deepest, depth + 1)
                stack.append((child, depth + 1))
    return nodes, deepest


@given(SOUP)
@settings(max_examples=400, deadline=None)
def test_no_deeper_tree_than_the_scan_says(parts: list[str]) -> None:
    page = "".join(parts)
    shape = scan(page)
    nodes, depth = actual(page)
    assert depth <= shape.depth + 2
    assert nodes <= shape.nodes + 12


@pytest.mark.parametrize(
    ("page", "nodes", "depth"),
    [
        ("", 0, 0),
        ("<div>" * 10, 10, 10),
        ("<p>a<p>b<p>c", 3, 1),
        ("<div></div>" * 10, 10, 1),
        ("<ul><li>a<li>b<ul><li>c</ul></ul>", 5, 4),
        ("<table><tr><td>a<td>b<tr><td>c</table>", 6, 4),
        ("<b>" * 50, 50, 3),
        ("<a href=1>x" * 50, 50, 1),
        ("<style><div></style><textarea><p></textarea><!-- <b> -->", 2, 1),
        ("<select><option>a<option>b</select>", 3, 2),
        ("<svg><g><g/><path/></g></svg>", 4, 3),
        ("<div><b></div></b>", 2, 2),
        ("text & text < text", 0, 0),
    ],
)
def test_shapes(page: str, nodes: int, depth: int) -> None:
    shape = scan(page)
    assert (shape.nodes - BASE, shape.depth - BASE) == (nodes, depth)


def test_formatting_elements_that_are_repeated_are_counted() -> None:
    page = "".join(f"<font size={number}><p>x" for number in range(200))
    shape = scan(page)
    nodes, depth = actual(page)
    assert nodes > 20_000
    assert nodes <= shape.nodes + BASE < 2 * nodes
    assert depth <= shape.depth < 2 * depth


def test_attributes_and_path_steps() -> None:
    assert scan("<p " + "a=1 " * 1234 + ">").attributes == 1234
    assert scan("<p " + "a=1 " * 1234).attributes == 1234
    assert scan("<div>" * 100).path_steps == 100 * 101 // 2


@pytest.mark.parametrize(
    "tag", ["<div>", "<b><p>", "<table><tr><td>", "<svg><g>", "<ul><li>", "</p>", "<font a=%d><p>"]
)
def test_deep_pages_are_given_up_early(tag: str) -> None:
    page = "".join(tag % number for number in range(10**6)) if "%" in tag else tag * 10**6
    started = time.process_time()
    shape = scan(page, 1000)
    assert shape.depth > 1000 or tag in ("<b><p>", "</p>")
    assert time.process_time() - started < 5


def test_real_pages(shared_data: Path) -> None:
    """On real pages the scan tells the tree nearly exactly."""
    path = shared_data / "commoncrawl" / "aeb-50.warc.gz"
    with path.open("rb") as stream:
        pages = [
            decode(parse_response(record.content).body).text
            for record in read_records(stream, path.name, 1 << 26)
            if isinstance(record, RawRecord) and record.headers["warc-type"] == "response"
        ]
    differences = []
    for page in pages[:12]:
        shape = scan(page)
        nodes, depth = actual(page)
        assert depth <= shape.depth <= 2 * depth + BASE
        differences.append(abs(shape.nodes - nodes) / nodes)
    assert len(pages) == 50
    assert sorted(differences)[6] < 0.05
    assert max(differences) < 0.1
