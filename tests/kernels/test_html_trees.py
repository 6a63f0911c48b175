"""Trees against a plain walk in Python, and blocks joined to text."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusforge.kernels.html_blocks import walk_html
from corpusforge.kernels.html_trees import join_blocks, make_forest, score_trees

NODES = np.array(
    [
        [0, 5, 1, 2],
        [-1, 0, 100, 0],
        [1, -3, 3, 4],
        [-1, 0, -7, 0],
        [-1, 0, 20, 0],
        [1, 0, 6, 7],
        [-1, 0, 1, 0],
        [-1, 0, 2, 0],
    ],
    np.int32,
)
ROOTS = np.array([0, 5], np.int32)
FOREST = make_forest(NODES, ROOTS)


@given(st.lists(st.tuples(st.integers(-10, 10), st.integers(-10, 10)), max_size=150))
def test_scores_equal_a_plain_walk(rows: list[tuple[int, int]]) -> None:
    table = np.array(rows, np.int32).reshape(-1, 2)
    expected = [(100 if a <= 5 else (-7 if b <= -3 else 20)) + (1 if b <= 0 else 2) for a, b in rows]
    assert score_trees(table, FOREST, 0, -100).tolist() == expected
    first = [100 if a <= 5 else (-7 if b <= -3 else 20) for a, b in rows]
    stopped = [one if one < 20 else both for one, both in zip(first, expected)]
    assert score_trees(table, FOREST, 1, 20).tolist() == stopped


@st.composite
def trees(draw: st.DrawFn) -> tuple[list[list[int]], list[int]]:
    """Nodes and roots of up to four trees over three features, up to five questions deep."""
    nodes: list[list[int]] = []

    def grow(depth: int) -> int:
        number = len(nodes)
        nodes.append([-1, 0, draw(st.integers(-(10**6), 10**6)), 0])
        if depth and len(nodes) < 40 and draw(st.booleans()):
            question = [draw(st.integers(0, 2)), draw(st.integers(-9, 9))]
            nodes[number] = [*question, grow(depth - 1), grow(depth - 1)]
        return number

    return nodes, [grow(4) for _ in range(draw(st.integers(0, 4)))]


@given(trees(), st.integers(0, 2**32), st.integers(0, 5), st.integers(-(10**6), 10**6))
def test_forests_equal_a_plain_walk(
    grown: tuple[list[list[int]], list[int]], seed: int, looked: int, hopeless: int
) -> None:
    nodes, roots = grown
    table = np.random.default_rng(seed).integers(-10, 11, (70, 3)).astype(np.int32)
    expected = []
    for row in table.tolist():
        total = 0
        for number, root in enumerate(roots):
            if number == looked and total < hopeless:
                break
            node = nodes[root]
            while node[0] >= 0:
                node = nodes[node[2] if row[node[0]] <= node[1] else node[3]]
            total += node[2]
        expected.append(total)
    forest = make_forest(np.array(nodes, np.int32).reshape(-1, 4), np.array(roots, np.int32))
    assert score_trees(table, forest, looked, hopeless).tolist() == expected


def test_forests_that_do_not_fit() -> None:
    chain = [row for k in range(31) for row in ([0, k, 2 * k + 1, 2 * k + 2], [-1, 0, k, 0])]
    root = np.zeros(1, np.int32)
    assert make_forest(np.array([*chain[:-2], [-1, 0, 9, 0]], np.int32), root).leaves.shape == (1, 31)
    with pytest.raises(ValueError, match="32 leaves"):
        make_forest(np.array([*chain, [-1, 0, 9, 0]], np.int32), root)
    with pytest.raises(ValueError, match="32 bits"):
        make_forest(np.array([[-1, 0, 1 << 30, 0]], np.int32), np.zeros(2, np.int32))


def joined(page: str, kept: list[bool] | None = None, bullets: bool = True) -> str:
    walked = walk_html(np.frombuffer(page.encode(), np.uint8), 1000, 10**6, 10**8)
    keep = np.ones(len(walked.blocks), np.bool_) if kept is None else np.array(kept)
    return bytes(join_blocks(walked.text, walked.blocks, walked.elements, keep, bullets)).decode()


def test_paragraphs_lists_and_rows() -> None:
    assert joined("<p>a<p>b") == "a\n\nb"
    assert joined("<p>a<ol><li>b<li>c<ul><li>d</ul></ol><p>e") == "a\n\n1. b\n2. c\n  - d\n\ne"
    assert joined("<ol>" + "<li>x" * 12 + "</ol>").endswith("\n12. x")
    assert joined("<ul><li>b<li>c</ul>", bullets=False) == "b\nc"
    assert joined("<table><tr><td>1<td>2<tr><td>3</table>x") == "1\t2\n3\n\nx"
    assert joined("<pre>a\n\n\n</pre><p>b") == "a\n\nb"
    assert joined("<p>a<p>b<p>c", [True, False, True]) == "a\n\nc"
    assert joined("<p>a", [False]) == ""
    assert joined("") == ""


def test_deep_lists_stay_within_the_margin() -> None:
    assert joined("<ul>" * 30 + "<li>x").startswith(" " * 14 + "- x")
