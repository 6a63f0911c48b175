"""What is known of blocks that look alike: their elements, and the elements around these, have equal tags and hints.

Publishers' templates give all paragraphs of an article, all comments and all teasers the same tags and classes, so a
block is judged better with those like it (tag paths: Wu, Li, Hu and Wang, "Web news extraction via path ratios", CIKM
2013). On pages that hold several articles it counts in which of them a block stands.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corpusforge.kernels.html_hints import bit
from corpusforge.kernels.html_layout import CHARACTERS, ELEMENT, LINKED, MASK, PARENT, TAG
from corpusforge.kernels.loading import kernel, types

GROUPS: tuple[str, ...] = (
    "alike blocks",
    "alike share",
    "alike linked",
    "alike length",
    "alike of most",
    "alike paragraphs",
    "alike before",
    "article outermost",
    "article nearest",
    "articles",
)
"""Names of the columns."""

_ARTICLE = bit("<article>")
_GOOD_LENGTH = 80
_BASIS = np.uint64(0xCBF29CE484222325)
_PRIME = np.uint64(0x100000001B3)

_ROWS = types.Array(types.int64, 2, "C", readonly=True)
_TABLE = types.Array(types.int32, 2, "C")
_OWN_ROWS = types.Array(types.int64, 2, "C")
_NUMBERS = types.Array(types.int64, 1, "C")
_I = types.int64


@kernel(_NUMBERS(_ROWS, _ROWS))
def _groups(blocks: npt.NDArray[np.int64], elements: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Number of each block's group, int64[b], by tag and hints of its element and of the one around that."""
    count = len(blocks)
    keys = np.empty(count, np.uint64)
    for k in range(count):
        key = _BASIS
        element = blocks[k, ELEMENT]
        for _ in range(2):
            if element >= 0:
                key = (key ^ np.uint64(elements[element, TAG] + 1)) * _PRIME
                key = (key ^ np.uint64(elements[element, MASK])) * _PRIME
                key ^= key >> np.uint64(29)
                element = elements[element, PARENT]
        keys[k] = key
    order = np.argsort(keys, kind="mergesort")
    groups = np.empty(count, np.int64)
    number = -1
    for place in range(count):
        if place == 0 or keys[order[place]] != keys[order[place - 1]]:
            number += 1
        groups[order[place]] = number
    return groups


@kernel(_OWN_ROWS(_ROWS, _NUMBERS))
def _sums(blocks: npt.NDArray[np.int64], groups: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Sums int64[g, 5] over groups: blocks, code points, those in links, those of paragraphs; and the first block."""
    sums = np.zeros((len(blocks), 5), np.int64)
    for k in range(len(blocks) - 1, -1, -1):
        length = blocks[k, CHARACTERS]
        linked = blocks[k, LINKED]
        row = sums[groups[k]]
        row[0] += 1
        row[1] += length
        row[2] += linked
        if length >= _GOOD_LENGTH and linked * 3 < length:
            row[3] += length - linked
        row[4] = k
    return sums


@kernel(types.void(_ROWS, _ROWS, _TABLE, _I))
def _articles(
    blocks: npt.NDArray[np.int64], elements: npt.NDArray[np.int64], table: npt.NDArray[np.int32], column: int
) -> None:
    """Fill three columns: the numbers of the outermost and the nearest article around a block (from 1), and of all."""
    nearest = np.zeros(len(elements), np.int64)
    outermost = np.zeros(len(elements), np.int64)
    count = 0
    for k in range(len(elements)):
        parent = elements[k, PARENT]
        if parent >= 0:
            nearest[k] = nearest[parent]
            outermost[k] = outermost[parent]
        if elements[k, MASK] & _ARTICLE:
            count += 1
            nearest[k] = count
            if not outermost[k]:
                outermost[k] = count
    for k in range(len(blocks)):
        element = blocks[k, ELEMENT]
        if element >= 0:
            table[k, column] = outermost[element]
            table[k, column + 1] = nearest[element]
        table[k, column + 2] = count


@kernel(types.void(_ROWS, _ROWS, _TABLE, _I))
def group_features(
    blocks: npt.NDArray[np.int64], elements: npt.NDArray[np.int64], table: npt.NDArray[np.int32], column: int
) -> None:
    """Fill the columns of `GROUPS` from `column` on in the table int32[b, f] of zeros; shares are in thousandths.

    `blocks` and `elements`: see `corpusforge.kernels.html_blocks.Walked`.
    """
    groups = _groups(blocks, elements)
    sums = _sums(blocks, groups)
    whole = max(blocks[:, CHARACTERS].sum(), 1)
    most = max(sums[:, 3].max(), 1) if len(sums) else 1
    for k in range(len(blocks)):
        number, length, linked, paragraphs, first = sums[groups[k]]
        f = table[k]
        f[column] = number
        f[column + 1] = length * 1000 // whole
        f[column + 2] = linked * 1000 // length
        f[column + 3] = length // number
        f[column + 4] = paragraphs * 1000 // most
        f[column + 5] = paragraphs * 1000 // length
        f[column + 6] = k - first
    _articles(blocks, elements, table, column + 7)
