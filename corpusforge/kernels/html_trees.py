"""Boosted decision trees over whole numbers, and the text of the blocks that are kept.

Friedman, "Greedy function approximation: a gradient boosting machine" (Annals of Statistics 2001). Thresholds and
leaves are whole numbers, so a sum does not depend on its order or on the machine.
"""

from __future__ import annotations

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
_NODES = types.Array(types.int32, 2, "C", readonly=True)
_ROOTS = types.Array(types.int32, 1, "C", readonly=True)
_SCORES = types.Array(types.int64, 1, "C")
_BYTES = types.Array(types.uint8, 1, "C", readonly=True)
_BUFFER = types.Array(types.uint8, 1, "C")
_ROWS = types.Array(types.int64, 2, "C", readonly=True)
_KEPT = types.Array(types.boolean, 1, "C", readonly=True)
_I = types.int64

# Columns of a node: feature (-1: a leaf), threshold, left child (value <= threshold) or the leaf's value, right child.
FEATURE, THRESHOLD, LEFT, RIGHT = 0, 1, 2, 3


@kernel(_SCORES(_TABLE, _NODES, _ROOTS, _I, _I))
def score_trees(
    table: npt.NDArray[np.int32],
    nodes: npt.NDArray[np.int32],
    roots: npt.NDArray[np.int32],
    looked: int,
    hopeless: int,
) -> npt.NDArray[np.int64]:
    """Sum of the leaves, int64[b], that the rows of `table` int32[b, f] reach.

    `nodes` int32[n, 4]: feature (-1: a leaf), threshold, left child or value, right child; `roots` int32[t]. Rows
    whose sum is below `hopeless` after `looked` trees keep that sum: most blocks of a page are plainly boilerplate.
    """
    scores = np.zeros(len(table), np.int64)
    for k in range(len(table)):
        for t in range(len(roots)):
            if t == looked and scores[k] < hopeless:
                break
            node = roots[t]
            while nodes[node, FEATURE] >= 0:
                goes_left = table[k, nodes[node, FEATURE]] <= nodes[node, THRESHOLD]
                node = nodes[node, LEFT] if goes_left else nodes[node, RIGHT]
            scores[k] += nodes[node, LEFT]
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
