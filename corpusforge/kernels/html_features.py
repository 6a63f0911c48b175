"""What is known of each block of a page: its text, its neighbours, the elements around it, its place in the page.

The features go back to Kohlschütter et al., "Boilerplate Detection using Shallow Text Features" (WSDM 2010: length,
link density, neighbours), to Readability (the element that gathers most paragraphs) and to Vogels et al., "Web2Text"
(ECIR 2018: common ancestors). All are whole numbers; shares are in thousandths.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corpusforge.kernels.html_groups import GROUPS, group_features
from corpusforge.kernels.html_hints import HINTS, words_mask
from corpusforge.kernels.html_layout import (
    BEGIN,
    BULLET,
    CHARACTERS,
    CLAUSES,
    DEPTH,
    DIGITS,
    ELEMENT,
    END,
    HEADING_1,
    LINES,
    LINKED,
    LINKS,
    LISTS,
    MASK,
    OPENED,
    PARENT,
    PREFORMATTED,
    TAG,
    UPPER,
    WORDS,
)
from corpusforge.kernels.html_tokens import OFFSET_BASIS, PRIME
from corpusforge.kernels.loading import kernel, types

_HINTS = len(HINTS)
_FAR = 99
"""Distance to what is not there."""
_GOOD_LENGTH = 80
"""Code points from which a block may be a paragraph."""
_TITLE = 300
"""Bytes of the title in which a block's text is searched: the search is quadratic."""

OWN = (
    "characters",
    "words",
    "linked",
    "clauses",
    "clause density",
    "digits",
    "upper case",
    "word length",
    "tag",
    "lists",
    "bullet",
    "lines",
    "opened",
    "links",
    "last byte",
    "characters before",
    "blocks before",
    "depth",
    "repeated",
    "first byte",
    "page characters",
    "page blocks",
    "page linked",
    "in title",
    "blocks since heading",
    "characters since heading",
    "preformatted",
    "text near",
    "text around",
    "linked near",
    "linked around",
)
NEIGHBOUR = ("characters", "linked", "tag", "clauses", "common ancestor")
CONTAINER = ("characters", "linked", "paragraphs", "blocks")
MAIN = ("inside", "levels", "share", "before", "after", "place", "linked", "paragraphs")
_CONTAINERS = 4
_GROUPS = len(GROUPS)

FEATURES: tuple[str, ...] = (
    *OWN,
    *(f"neighbour {side} {name}" for side in (-3, -2, -1, 1, 2, 3) for name in NEIGHBOUR),
    *(f"container {level} {name}" for level in range(_CONTAINERS) for name in CONTAINER),
    *(f"main {name}" for name in MAIN),
    *GROUPS,
    *(f"text hints {hint}" for hint in HINTS),
    *(f"levels to {hint}" for hint in HINTS),
    *(f"share of {hint}" for hint in HINTS),
)
"""Names of the columns of the table of features."""

_BITS_IN_ORDER = np.uint64(0x022FDD63CC95386D)
"""A de Bruijn sequence: its 64 runs of six bits are all different (Leiserson, Prokop and Randall, 1998)."""


def _places_of_bits() -> npt.NDArray[np.int64]:
    """Which single bit, multiplied by the sequence above, leaves what in the highest six."""
    bits = np.uint64(1) << np.arange(64, dtype=np.uint64)
    return np.argsort(bits * _BITS_IN_ORDER >> np.uint64(58))


_PLACE_OF_BIT = _places_of_bits()

# Sums over what stands in an element.
_TEXT, _LINK, _GOOD, _BLOCKS, _FIRST, _LAST, _SCORE = 0, 1, 2, 3, 4, 5, 6

_BYTES = types.Array(types.uint8, 1, "C", readonly=True)
_ROWS = types.Array(types.int64, 2, "C", readonly=True)
_OWN_ROWS = types.Array(types.int64, 2, "C")
_TABLE = types.Array(types.int32, 2, "C")
_NUMBERS = types.Array(types.int64, 1, "C", readonly=True)
_OWN_NUMBERS = types.Array(types.int64, 1, "C")
_I = types.int64


@kernel(_I(_I, _I), inline="always", _nrt=False)
def _thousandths(part: int, whole: int) -> int:
    return part * 1000 // max(whole, 1)


@kernel(_OWN_ROWS(_ROWS, _ROWS))
def _sums(blocks: npt.NDArray[np.int64], elements: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Sums over the blocks within each element; the last row is the page's."""
    count = len(elements)
    sums = np.zeros((count + 1, 7), np.int64)
    sums[:, _FIRST] = len(blocks)
    sums[:, _LAST] = -1
    for k in range(len(blocks)):
        row = blocks[k]
        element = row[ELEMENT] if row[ELEMENT] >= 0 else count
        plain = row[CHARACTERS] - row[LINKED]
        good = plain if row[CHARACTERS] >= _GOOD_LENGTH and row[LINKED] * 3 < row[CHARACTERS] else 0
        sums[element, _TEXT] += row[CHARACTERS]
        sums[element, _LINK] += row[LINKED]
        sums[element, _GOOD] += good
        sums[element, _BLOCKS] += 1
        sums[element, _FIRST] = min(sums[element, _FIRST], k)
        sums[element, _LAST] = max(sums[element, _LAST], k)
        # Readability: a paragraph counts for its parent, half for the parent's parent, a quarter for the next.
        level = 4
        while good and element >= 0 and element < count and level:
            sums[element, _SCORE] += good * level
            element = elements[element, PARENT]
            level //= 2
    for k in range(count - 1, -1, -1):
        parent = elements[k, PARENT] if elements[k, PARENT] >= 0 else count
        for column in range(4):
            sums[parent, column] += sums[k, column]
        sums[parent, _FIRST] = min(sums[parent, _FIRST], sums[k, _FIRST])
        sums[parent, _LAST] = max(sums[parent, _LAST], sums[k, _LAST])
    return sums


@kernel(_I(_ROWS, _ROWS), _nrt=False)
def _main(elements: npt.NDArray[np.int64], sums: npt.NDArray[np.int64]) -> int:
    """Row of the element that gathers most paragraphs; the page's row where there is none."""
    best = len(elements)
    most = 0
    for k in range(len(elements)):
        score = sums[k, _SCORE] * (1000 - _thousandths(sums[k, _LINK], sums[k, _TEXT]))
        if score > most:
            most = score
            best = k
    return best


@kernel(_I(_ROWS, _I, _I), _nrt=False)
def _common_levels(elements: npt.NDArray[np.int64], a: int, b: int) -> int:
    """Levels from the element `a` up to the first that holds `b` too."""
    levels = 0
    while a != b and a >= 0:
        if b >= 0 and elements[b, DEPTH] >= elements[a, DEPTH]:
            b = elements[b, PARENT]
        else:
            a = elements[a, PARENT]
            levels += 1
    return min(levels, _FAR)


@kernel(_I(_ROWS, _I), inline="always", _nrt=False)
def _tag_of(elements: npt.NDArray[np.int64], element: int) -> int:
    """Code of the nearest tag that has one."""
    while element >= 0:
        if elements[element, TAG]:
            return int(elements[element, TAG])
        element = elements[element, PARENT]
    return 0


@kernel(types.boolean(_BYTES, _I, _I, _BYTES), _nrt=False)
def _is_within(text: npt.NDArray[np.uint8], begin: int, end: int, title: npt.NDArray[np.uint8]) -> bool:
    """Tell whether `text[begin:end]` stands in `title`."""
    length = end - begin
    for start in range(len(title) - length + 1):
        k = 0
        while k < length and title[start + k] == text[begin + k]:
            k += 1
        if k == length:
            return True
    return False


@kernel(types.uint64(_BYTES, _I, _I), _nrt=False)
def _hash_range(text: npt.NDArray[np.uint8], begin: int, end: int) -> np.uint64:
    """Hash of `text[begin:end]`: FNV-1a, but over eight bytes at a time."""
    value = np.uint64(OFFSET_BASIS)
    i = np.uint64(begin)
    while i + np.uint64(8) <= np.uint64(end):
        eight = np.uint64(0)
        for k in range(8):
            eight |= np.uint64(text[i + np.uint64(k)]) << np.uint64(8 * k)
        value = (value ^ eight) * np.uint64(PRIME)
        value ^= value >> np.uint64(32)
        i += np.uint64(8)
    while i < np.uint64(end):
        value = (value ^ np.uint64(text[i])) * np.uint64(PRIME)
        i += np.uint64(1)
    return value


@kernel(_OWN_NUMBERS(_BYTES, _ROWS))
def _repeated(text: npt.NDArray[np.uint8], blocks: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """How many blocks of the page have the text of each, int64[b]."""
    count = len(blocks)
    hashes = np.empty(count, np.uint64)
    for k in range(count):
        hashes[k] = _hash_range(text, blocks[k, BEGIN], blocks[k, END])
    order = np.argsort(hashes, kind="mergesort")
    repeated = np.empty(count, np.int64)
    first = 0
    while first < count:
        last = first
        while last < count and hashes[order[last]] == hashes[order[first]]:
            last += 1
        for place in range(first, last):
            repeated[order[place]] = last - first
        first = last
    return repeated


@kernel(types.void(_BYTES, _ROWS, _ROWS, _ROWS, _BYTES, _NUMBERS, _TABLE), _nrt=False)
def _own(
    text: npt.NDArray[np.uint8],
    blocks: npt.NDArray[np.int64],
    elements: npt.NDArray[np.int64],
    sums: npt.NDArray[np.int64],
    title: npt.NDArray[np.uint8],
    repeated: npt.NDArray[np.int64],
    table: npt.NDArray[np.int32],
) -> None:
    """Fill the columns `OWN`; `repeated` int64[b]: see `_repeated`."""
    page = sums[len(elements)]
    count = len(blocks)
    before = 0
    heading_block = -_FAR
    heading_at = 0
    for k in range(count):
        row = blocks[k]
        length = row[CHARACTERS]
        tag = _tag_of(elements, row[ELEMENT])
        f = table[k]
        f[0] = length
        f[1] = row[WORDS] + 1
        f[2] = _thousandths(row[LINKED], length)
        f[3] = row[CLAUSES]
        f[4] = _thousandths(row[CLAUSES], length)
        f[5] = _thousandths(row[DIGITS], length)
        f[6] = _thousandths(row[UPPER], length)
        f[7] = 10 * length // (row[WORDS] + 1)
        f[8] = tag
        f[9] = elements[row[ELEMENT], LISTS] if row[ELEMENT] >= 0 else 0
        f[10] = row[BULLET]
        f[11] = row[LINES]
        f[12] = row[OPENED]
        f[13] = row[LINKS]
        f[14] = text[row[END] - 1]
        f[15] = _thousandths(before, page[_TEXT])
        f[16] = _thousandths(k, count)
        f[17] = elements[row[ELEMENT], DEPTH] if row[ELEMENT] >= 0 else 0
        f[18] = repeated[k]
        f[19] = text[row[BEGIN]]
        f[20] = page[_TEXT]
        f[21] = count
        f[22] = _thousandths(page[_LINK], page[_TEXT])
        size = row[END] - row[BEGIN]
        f[23] = length >= 8 and size <= 400 and _is_within(text, row[BEGIN], row[END], title)
        if tag == HEADING_1:
            heading_block = k
            heading_at = before
        f[24] = k - heading_block
        f[25] = before - heading_at if heading_block >= 0 else -1
        f[26] = row[PREFORMATTED]
        before += length
        for width, column in ((2, 27), (6, 28)):
            characters = 0
            linked = 0
            for j in range(max(0, k - width), min(count, k + width + 1)):
                characters += blocks[j, CHARACTERS]
                linked += blocks[j, LINKED]
            f[column] = characters - linked
            f[column + 2] = _thousandths(linked, characters)


@kernel(types.void(_ROWS, _ROWS, _ROWS, _TABLE), _nrt=False)
def _around(
    blocks: npt.NDArray[np.int64],
    elements: npt.NDArray[np.int64],
    sums: npt.NDArray[np.int64],
    table: npt.NDArray[np.int32],
) -> None:
    """Fill the columns of neighbours, containers and the main element."""
    count = len(blocks)
    main = _main(elements, sums)
    whole = sums[len(elements), _TEXT]
    passed = 0
    for k in range(count):
        f = table[k]
        column = 31
        element = blocks[k, ELEMENT]
        for offset in (-3, -2, -1, 1, 2, 3):
            j = k + offset
            if 0 <= j < count:
                f[column] = table[j, 0]
                f[column + 1] = table[j, 2]
                f[column + 2] = table[j, 8]
                f[column + 3] = table[j, 3]
                f[column + 4] = _common_levels(elements, element, blocks[j, ELEMENT])
            else:
                f[column] = -1
                f[column + 1] = -1
                f[column + 2] = -1
                f[column + 3] = -1
                f[column + 4] = _FAR
            column += 5
        e = element
        for _level in range(_CONTAINERS):
            # Containers that hold nothing but this one's blocks tell nothing new.
            s = sums[e if e >= 0 else len(elements)]
            f[column] = s[_TEXT]
            f[column + 1] = _thousandths(s[_LINK], s[_TEXT])
            f[column + 2] = _thousandths(s[_GOOD], s[_TEXT])
            f[column + 3] = s[_BLOCKS]
            column += 4
            while e >= 0 and sums[e, _BLOCKS] == s[_BLOCKS]:
                e = elements[e, PARENT]
        m = sums[main]
        inside = m[_FIRST] <= k <= m[_LAST]
        f[column] = inside
        f[column + 1] = _common_levels(elements, element, main if main < len(elements) else -1)
        f[column + 2] = _thousandths(m[_TEXT], whole)
        f[column + 3] = m[_FIRST] - k
        f[column + 4] = k - m[_LAST]
        f[column + 5] = _thousandths(passed, m[_TEXT])
        f[column + 6] = _thousandths(m[_LINK], m[_TEXT])
        f[column + 7] = m[_GOOD]
        if inside:
            passed += blocks[k, CHARACTERS]


@kernel(types.void(_BYTES, _ROWS, _ROWS, _ROWS, _TABLE, _I), _nrt=False)
def _hints(
    text: npt.NDArray[np.uint8],
    blocks: npt.NDArray[np.int64],
    elements: npt.NDArray[np.int64],
    sums: npt.NDArray[np.int64],
    table: npt.NDArray[np.int32],
    column: int,
) -> None:
    """Fill the columns of hints: in the text of short blocks, and how near and how large elements with them are."""
    whole = sums[len(elements), _TEXT]
    for k in range(len(blocks)):
        f = table[k]
        if blocks[k, END] - blocks[k, BEGIN] <= 300:
            mask = words_mask(text, blocks[k, BEGIN], blocks[k, END])
            for hint in range(_HINTS):
                f[column + hint] = mask >> hint & 1
        for hint in range(_HINTS):
            f[column + _HINTS + hint] = _FAR
        element = blocks[k, ELEMENT]
        if k > 0 and element == blocks[k - 1, ELEMENT]:
            before = table[k - 1]
            for place in range(column + _HINTS, column + 3 * _HINTS):
                f[place] = before[place]
            continue
        seen = 0
        share = 0
        levels = 0
        while element >= 0:
            fresh = elements[element, MASK] & ~seen
            seen |= fresh
            if fresh:
                share = _thousandths(sums[element, _TEXT], whole)
            while fresh:
                hint = _PLACE_OF_BIT[np.uint64(fresh & -fresh) * _BITS_IN_ORDER >> np.uint64(58)]
                f[column + _HINTS + hint] = min(levels, _FAR - 1)
                f[column + 2 * _HINTS + hint] = share
                fresh &= fresh - 1
            element = elements[element, PARENT]
            levels += 1


@kernel(_TABLE(_BYTES, _ROWS, _ROWS, _BYTES, _I))
def _features(
    text: npt.NDArray[np.uint8],
    blocks: npt.NDArray[np.int64],
    elements: npt.NDArray[np.int64],
    title: npt.NDArray[np.uint8],
    columns: int,
) -> npt.NDArray[np.int32]:
    table = np.zeros((len(blocks), columns), np.int32)
    sums = _sums(blocks, elements)
    _own(text, blocks, elements, sums, title, _repeated(text, blocks), table)
    _around(blocks, elements, sums, table)
    group_features(blocks, elements, table, columns - 3 * _HINTS - _GROUPS)
    _hints(text, blocks, elements, sums, table, columns - 3 * _HINTS)
    return table


def block_features(
    text: npt.NDArray[np.uint8],
    blocks: npt.NDArray[np.int64],
    elements: npt.NDArray[np.int64],
    title: npt.NDArray[np.uint8],
) -> npt.NDArray[np.int32]:
    """Features int32[b, len(FEATURES)] of a page in blocks; see `corpusforge.kernels.html_blocks.Walked`.

    `title` uint8[t] holds the page's title.
    """
    table: npt.NDArray[np.int32] = _features(text, blocks, elements, title[:_TITLE], len(FEATURES))
    return table
