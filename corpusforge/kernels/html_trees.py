"""Boosted decision trees over whole numbers, and the text of the blocks that are kept.

Friedman, "Greedy function approximation: a gradient boosting machine" (Annals of Statistics 2001). Thresholds and
leaves are whole numbers, so a sum does not depend on its order or on the machine.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from corpusforge.kernels.html_layout import (
    BEGIN,
    BULLET,
    CELL_TAG,
    ELEMENT,
    END,
    HEADING_1,
    HEADING_4,
    LISTS,
    PARENT,
    TAG,
)
from corpusforge.kernels.loading import kernel, types

_TABLE = types.Array(types.int32, 2, "C", readonly=True)
_NUMBERS = types.Array(types.int64, 1, "C", readonly=True)
_QUESTIONS = types.Array(types.int32, 3, "C", readonly=True)
_LEAVES = types.Array(types.int32, 2, "C", readonly=True)
_TILE = types.Array(types.int32, 2, "C")
_SUMS = types.Array(types.int32, 1, "C")
_SCORES = types.Array(types.int64, 1, "C")
_BYTES = types.Array(types.uint8, 1, "C", readonly=True)
_BUFFER = types.Array(types.uint8, 1, "C")
_ROWS = types.Array(types.int64, 2, "C", readonly=True)
_KEPT = types.Array(types.boolean, 1, "C", readonly=True)
_I = types.int64

# Columns of a node: feature (-1: a leaf), threshold, left child (value <= threshold) or the leaf's value, right child.
FEATURE, THRESHOLD, LEFT, RIGHT = 0, 1, 2, 3

_ROWS_AT_ONCE = 64
"""Rows that go through a tree together: their features fit the cache, and each question is one loop over them."""
_MOST_LEAVES = 31


class Forest(NamedTuple):
    """Trees as sets of questions, after Lucchese et al., "QuickScorer" (SIGIR 2015).

    `columns` int64[u]: the features that are asked for. `questions` int32[t, q, 3]: place in `columns`, threshold, and
    the leaves that can still be reached where a value is above the threshold, a bit for each from the left. The leaf
    that a row reaches is the leftmost that all its answers leave over: whatever their order, so there are no branches.
    `leaves` int32[t, q + 1]: their values. Trees with fewer questions than others have some that leave every leaf.
    """

    columns: npt.NDArray[np.int64]
    questions: npt.NDArray[np.int32]
    leaves: npt.NDArray[np.int32]


def make_forest(nodes: npt.NDArray[np.int32], roots: npt.NDArray[np.int32]) -> Forest:
    """Make a forest of trees whose `nodes` int32[n, 4] have the columns above; `roots` int32[t].

    Raises `ValueError` for a tree with more than 31 leaves, and where the leaves may add up to more than 32 bits.
    """
    columns = np.unique(nodes[nodes[:, FEATURE] >= 0, FEATURE]).astype(np.int64)
    rows = nodes.tolist()
    trees = [_questions(rows, root) for root in roots.tolist()]
    most = max((len(leaves) for _, leaves in trees), default=1)
    if most > _MOST_LEAVES:
        raise ValueError(f"a tree of {most} leaves, more than {_MOST_LEAVES}")
    questions = np.full((len(trees), most - 1, 3), -1, np.int32)
    questions[:, :, 0] = 0
    values = np.zeros((len(trees), most), np.int32)
    for t, (asked, leaves) in enumerate(trees):
        for q, (feature, threshold, left_over) in enumerate(asked):
            questions[t, q] = np.searchsorted(columns, feature), threshold, left_over
        values[t, : len(leaves)] = leaves
    if np.abs(values.astype(np.int64)).max(axis=1, initial=0).sum() >= 1 << 31:
        raise ValueError("the leaves of these trees may add up to more than 32 bits")
    return Forest(columns, questions, values)


def _questions(nodes: list[list[int]], root: int) -> tuple[list[tuple[int, int, int]], list[int]]:
    """A tree's questions (feature, threshold, leaves left over above it) and its leaves from left to right."""
    asked: list[tuple[int, int, int]] = []
    leaves: list[int] = []
    # Nodes to go to, and (with the number of leaves on its left) nodes whose left side has been seen.
    pending: list[tuple[int, int]] = [(root, -1)]
    while pending:
        node, first = pending.pop()
        feature, threshold, left, right = nodes[node]
        if feature < 0:
            leaves.append(left)
        elif first < 0:
            pending += [(node, len(leaves)), (left, -1)]
        else:
            asked.append((feature, threshold, ~((1 << len(leaves)) - (1 << first))))
            pending.append((right, -1))
    return asked, leaves


@kernel(types.void(_TABLE, _NUMBERS, _I, _I, _NUMBERS, _TILE))
def _fill_tile(
    table: npt.NDArray[np.int32],
    rows: npt.NDArray[np.int64],
    begin: int,
    end: int,
    columns: npt.NDArray[np.int64],
    tile: npt.NDArray[np.int32],
) -> None:
    """Turn the rows `rows[begin:end]` of the table into columns of the tile."""
    for u in range(len(columns)):
        for k in range(begin, end):
            tile[u, k - begin] = table[np.uint64(rows[k]), np.uint64(columns[u])]


@kernel(types.void(_TILE, _QUESTIONS, _LEAVES, _I, _I, _SUMS))
def _add_trees(
    tile: npt.NDArray[np.int32],
    questions: npt.NDArray[np.int32],
    leaves: npt.NDArray[np.int32],
    first: int,
    last: int,
    sums: npt.NDArray[np.int32],
) -> None:
    """Add to the sums of the tile's rows what the trees from `first` up to `last` say."""
    reached = np.empty(_ROWS_AT_ONCE, np.int32)
    values = np.empty(_ROWS_AT_ONCE, np.int32)
    for t in range(first, last):
        reached[:] = -1
        for q in range(questions.shape[1]):
            feature = tile[np.uint32(questions[t, q, 0])]
            threshold = questions[t, q, 1]
            left_over = questions[t, q, 2]
            for k in range(_ROWS_AT_ONCE):
                reached[k] &= left_over if feature[k] > threshold else np.int32(-1)
        values[:] = leaves[t, leaves.shape[1] - 1]
        for leaf in range(leaves.shape[1] - 2, -1, -1):
            value = leaves[t, leaf]
            bit = np.int32(1 << leaf)
            for k in range(_ROWS_AT_ONCE):
                values[k] = value if reached[k] & bit else values[k]
        for k in range(_ROWS_AT_ONCE):
            sums[k] += values[k]


@kernel(_SCORES(_TABLE, _NUMBERS, _QUESTIONS, _LEAVES, _I, _I))
def _score(
    table: npt.NDArray[np.int32],
    columns: npt.NDArray[np.int64],
    questions: npt.NDArray[np.int32],
    leaves: npt.NDArray[np.int32],
    looked: int,
    hopeless: int,
) -> npt.NDArray[np.int64]:
    scores = np.zeros(len(table), np.int64)
    tile = np.zeros((len(columns), _ROWS_AT_ONCE), np.int32)
    sums = np.empty(_ROWS_AT_ONCE, np.int32)
    rows = np.arange(len(table))
    count = len(rows)
    first = 0
    for last in (min(looked, len(leaves)), len(leaves)):
        for begin in range(0, count, _ROWS_AT_ONCE):
            end = min(begin + _ROWS_AT_ONCE, count)
            _fill_tile(table, rows, begin, end, columns, tile)
            sums[:] = 0
            _add_trees(tile, questions, leaves, first, last, sums)
            for k in range(begin, end):
                scores[rows[k]] += sums[k - begin]
        first = last
        count = 0
        for k in range(len(table)):
            if scores[k] >= hopeless:
                rows[count] = k
                count += 1
    return scores


def score_trees(
    table: npt.NDArray[np.int32], forest: Forest, looked: int, hopeless: int
) -> npt.NDArray[np.int64]:
    """Sum of the leaves, int64[b], that the rows of `table` int32[b, f] reach.

    Rows whose sum is below `hopeless` after `looked` trees keep that sum: most blocks of a page are plainly
    boilerplate.
    """
    scores: npt.NDArray[np.int64] = _score(table, *forest, looked, hopeless)
    return scores


@kernel(_I(_ROWS, _I), inline="always")
def _tag_of(elements: npt.NDArray[np.int64], element: int) -> int:
    while element >= 0:
        if elements[element, TAG]:
            return int(elements[element, TAG])
        element = elements[element, PARENT]
    return 0


@kernel(_I(_BUFFER, _I, _I))
def _write_number(out: npt.NDArray[np.uint8], at: int, number: int) -> int:
    digits = 1
    rest = number
    while rest >= 10:
        rest //= 10
        digits += 1
    for k in range(digits - 1, -1, -1):
        out[at + k] = 48 + number % 10
        number //= 10
    return at + digits


@kernel(_BUFFER(_BYTES, _ROWS, _ROWS, _KEPT, types.boolean))
def join_blocks(
    text: npt.NDArray[np.uint8],
    blocks: npt.NDArray[np.int64],
    elements: npt.NDArray[np.int64],
    kept: npt.NDArray[np.bool_],
    bullets: bool,
) -> npt.NDArray[np.uint8]:
    """Text uint8[t] of the blocks that bool[b] keeps.

    Items of lists and rows of tables are lines, two spaces further in for each list within a list; all else stands
    between blank lines.
    """
    size = 0
    for k in range(len(blocks)):
        if kept[k]:
            size += blocks[k, END] - blocks[k, BEGIN] + 48
    out = np.empty(size, np.uint8)
    at = 0
    before = -1
    for k in range(len(blocks)):
        if not kept[k]:
            continue
        element = blocks[k, ELEMENT]
        tag = _tag_of(elements, element)
        lists = min(elements[element, LISTS], 8) if element >= 0 else 0
        line = 1 if lists else (2 if tag == CELL_TAG else 0)
        if before >= 0:
            out[at] = 10
            at += 1
            if line == 0 or line != before or HEADING_1 <= tag <= HEADING_4:
                out[at] = 10
                at += 1
        before = line
        if bullets and lists:
            for _ in range(lists - 1):
                out[at] = out[at + 1] = 32
                at += 2
            if blocks[k, BULLET] > 0:
                at = _write_number(out, at, blocks[k, BULLET])
                out[at] = 46
                out[at + 1] = 32
                at += 2
            elif blocks[k, BULLET] < 0:
                out[at] = 45
                out[at + 1] = 32
                at += 2
        end = blocks[k, END]
        while text[end - 1] == 10 or text[end - 1] == 32:  # preformatted text may end with them
            if end - 1 == blocks[k, BEGIN]:
                break
            end -= 1
        for i in range(blocks[k, BEGIN], end):
            out[at] = text[i]
            at += 1
    return out[:at]
