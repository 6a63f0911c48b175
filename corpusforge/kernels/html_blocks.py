"""A page's text as blocks, in the same pass that measures the page: no tree is built.

The pass follows the stack of open elements (`corpusforge.kernels.html_scan`). What a browser would show as one
paragraph, line of a list or row of a table is one block; white space is collapsed and character references are
decoded on the way. Elements and blocks are rows of two tables, see their columns.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from corpusforge.kernels.html_elements import (
    CANONICAL,
    CLASSES,
    FORMATTING,
    LINK,
    PLAINTEXT,
    RAW,
    SCRIPT,
    SELF_SCOPED,
    VOID,
)
from corpusforge.kernels.html_hints import DATED, TAG_MASKS, read_attributes, words_mask
from corpusforge.kernels.html_layout import (
    BEGUN,
    BEHAVIOUR,
    BLOCK_COLUMNS,
    BLOCK_COUNT,
    BREAKS,
    DEPTH,
    ELEMENT_COLUMNS,
    ELEMENT_COUNT,
    IN_LINK,
    INHERITED,
    IS_BREAK,
    IS_CELL,
    IS_ROOT,
    ITEM,
    ITEMS,
    KEEPS_SPACE,
    LINE_BREAK,
    LINK_HEIGHT,
    LINKED_DATA,
    LINKS,
    LIST,
    LISTS,
    MARK_COUNT,
    MASK,
    META_DATE,
    MOST_MARKS,
    NEXT_BULLET,
    ORDERED,
    OUT,
    PARENT,
    PENDING,
    PREFORMATTED_TEXT,
    ROOT_TAG,
    SKIPPED,
    SKIPS,
    TAB,
    TAG,
    TAG_CODES,
    TELLS_META,
    TELLS_TIME,
    TIME_TAG,
    TITLE,
    WALK_NUMBERS,
)
from corpusforge.kernels.html_scan import (
    ALIEN,
    AT_ONCE,
    CAPACITY,
    DEEPEST,
    NODES,
    NUMBER,
    OPTIONS,
    STACK_COLUMNS,
    STATE_NUMBERS,
    STEPS,
    TOP,
    PageShape,
    close_element,
    known_name,
    open_element,
)
from corpusforge.kernels.html_search import find_byte
from corpusforge.kernels.html_text import end_block, write_preformatted, write_text
from corpusforge.kernels.html_tokens import hash_tag, is_letter, read_name, skip_declaration, skip_raw
from corpusforge.kernels.loading import kernel, types

_BYTES = types.Array(types.uint8, 1, "C", readonly=True)
_BUFFER = types.Array(types.uint8, 1, "C")
_ROWS = types.Array(types.int64, 2, "C")
_STATE = types.Array(types.int64, 1, "C")
_I = types.int64


@kernel(_I(_ROWS, _ROWS, _STATE, _STATE, _I, _I, _I), _nrt=False)
def _register(
    stack: npt.NDArray[np.int64],
    elements: npt.NDArray[np.int64],
    state: npt.NDArray[np.int64],
    walk: npt.NDArray[np.int64],
    known: int,
    mask: int,
    skips: int,
) -> int:
    """Give rows to the elements that a start tag put on the stack; tells the row of the topmost."""
    first = state[TOP]
    while first > 0 and stack[first - 1, NUMBER] < 0:
        first -= 1
    for height in range(first, state[TOP]):
        if walk[ELEMENT_COUNT] >= len(elements):
            stack[height, NUMBER] = len(elements) - 1
            continue
        number = walk[ELEMENT_COUNT]
        walk[ELEMENT_COUNT] += 1
        stack[height, NUMBER] = number
        row = elements[number]
        parent = stack[height - 1, NUMBER] if height > 0 else -1
        row[PARENT] = parent
        row[DEPTH] = height
        row[TAG] = 0
        row[MASK] = 0
        row[ITEMS] = 0
        row[INHERITED] = elements[parent, INHERITED] if parent >= 0 else 0
        row[LISTS] = elements[parent, LISTS] if parent >= 0 else 0
        if height == state[TOP] - 1:
            row[MASK] = mask
            row[INHERITED] |= skips
            if known >= 0:
                row[TAG] = TAG_CODES[known]
                row[MASK] |= TAG_MASKS[known]
                if BEHAVIOUR[known] & SKIPS:
                    row[INHERITED] |= SKIPPED
                if BEHAVIOUR[known] & KEEPS_SPACE:
                    row[INHERITED] |= PREFORMATTED_TEXT
                if row[TAG] == LIST or row[TAG] == ORDERED:
                    row[LISTS] += 1
    return int(stack[state[TOP] - 1, NUMBER]) if state[TOP] > 0 else -1


@kernel(types.void(_ROWS, _STATE, _I, _I, _I), _nrt=False)
def _mark(marks: npt.NDArray[np.int64], walk: npt.NDArray[np.int64], kind: int, begin: int, end: int) -> None:
    if walk[MARK_COUNT] < len(marks):
        marks[walk[MARK_COUNT], 0] = kind
        marks[walk[MARK_COUNT], 1] = begin
        marks[walk[MARK_COUNT], 2] = end
        walk[MARK_COUNT] += 1


@kernel(types.boolean(_BYTES, _I, _I), _nrt=False)
def _is_linked_data(data: npt.NDArray[np.uint8], start: int, end: int) -> bool:
    """Tell whether "ld+json" stands in a tag."""
    for i in range(start, end - 6):
        if data[i] == 108 and data[i + 1] == 100 and data[i + 2] == 43 and data[i + 3] == 106:
            return True
    return False


@kernel(
    _I(_BYTES, types.UniTuple(_I, 3), _ROWS, _ROWS, _STATE, _BUFFER, _ROWS, _ROWS, _ROWS, _STATE, _STATE),
    _nrt=False,
)
def _follow(
    data: npt.NDArray[np.uint8],
    limits: tuple[int, int, int],
    stack: npt.NDArray[np.int64],
    active: npt.NDArray[np.int64],
    state: npt.NDArray[np.int64],
    out: npt.NDArray[np.uint8],
    blocks: npt.NDArray[np.int64],
    elements: npt.NDArray[np.int64],
    marks: npt.NDArray[np.int64],
    walk: npt.NDArray[np.int64],
    block: npt.NDArray[np.int64],
) -> int:
    """Follow the page until the end or until a limit is passed; tells the most attributes of one tag."""
    n = len(data)
    max_depth, max_nodes, max_steps = limits
    most = 0
    i = 0
    element = -1
    inherited = 0
    while i < n and state[DEEPEST] <= max_depth and state[NODES] <= max_nodes and state[STEPS] <= max_steps:
        begin = i
        i = find_byte(data, 60, i, n)
        while i < n:
            if i + 1 < n:
                after = data[i + 1]
                if is_letter(after) or after == 47 or after == 33 or after == 63:
                    break
            i = find_byte(data, 60, i + 1, n)
        if i > begin and not inherited & SKIPPED:
            if inherited & PREFORMATTED_TEXT:
                write_preformatted(data, begin, i, out, walk, block, element)
            else:
                write_text(data, begin, i, out, walk, block, element)
        if i >= n:
            break
        following = data[i + 1]
        is_end = following == 47
        begin = i + 2 if is_end else i + 1
        if begin >= n or not is_letter(data[begin]):
            alien = state[TOP] > 0 and stack[state[TOP] - 1, ALIEN] != 0
            i = skip_declaration(data, i, alien)
            continue
        name_end, name = read_name(data, begin)
        known = known_name(name)
        kind = CLASSES[known] if known >= 0 else 0
        alien = state[TOP] > 0 and stack[state[TOP] - 1, ALIEN] != 0
        hints = not (is_end or alien or kind & (VOID | FORMATTING | RAW | PLAINTEXT))
        tag_end, attributes, self_closing, mask = read_attributes(data, name_end, hints)
        most = max(most, attributes)
        if tag_end < 0:
            break
        i = tag_end
        behaviour = BEHAVIOUR[known] if known >= 0 else 0
        same = np.int64(CANONICAL[known]) if known >= 0 else np.int64(name)
        if behaviour & BREAKS and not behaviour & IS_CELL and not inherited & SKIPPED:
            end_block(walk, blocks, block)
        if is_end:
            before = state[TOP]
            close_element(stack, active, state, same, np.int64(name), kind)
            if kind & LINK:
                walk[IN_LINK] = 0
            if state[TOP] != before:
                element = stack[state[TOP] - 1, NUMBER] if state[TOP] > 0 else -1
                inherited = elements[element, INHERITED] if element >= 0 else 0
                if state[TOP] < walk[LINK_HEIGHT]:
                    walk[IN_LINK] = 0
            continue
        if not alien and kind & (RAW | PLAINTEXT):
            open_element(stack, active, state, same, np.int64(name), kind | VOID, 0, False)
            if kind & SCRIPT and attributes and _is_linked_data(data, name_end, i):
                begin_raw = i
                i = skip_raw(data, i, begin, name_end, True)
                _mark(marks, walk, LINKED_DATA, begin_raw, i)
                continue
            begin_raw = i
            i = n if kind & PLAINTEXT else skip_raw(data, i, begin, name_end, kind & SCRIPT != 0)
            if data[begin] | 32 == 116 and name_end - begin == 5:
                _mark(marks, walk, TITLE, begin_raw, i)
            element = stack[state[TOP] - 1, NUMBER] if state[TOP] > 0 else -1
            inherited = elements[element, INHERITED] if element >= 0 else 0
            continue
        whole = hash_tag(data, begin, i - 1) if kind & FORMATTING and not kind & SELF_SCOPED else same
        open_element(stack, active, state, same, np.int64(name), kind, whole, self_closing != 0)
        if kind & FORMATTING:
            if kind & LINK:
                walk[IN_LINK] = 1
                walk[LINK_HEIGHT] = state[TOP]
                block[LINKS] += 1
            element = stack[state[TOP] - 1, NUMBER] if state[TOP] > 0 else -1
            inherited = elements[element, INHERITED] if element >= 0 else 0
            continue
        if state[TOP] > 0:
            element = _register(stack, elements, state, walk, known, mask, 0)
            inherited = elements[element, INHERITED]
        if state[TOP] < walk[LINK_HEIGHT]:
            walk[IN_LINK] = 0
        if behaviour & IS_BREAK:
            if inherited & PREFORMATTED_TEXT:
                if walk[OUT] > walk[BEGUN]:
                    out[walk[OUT]] = 10
                    walk[OUT] += 1
            elif walk[PENDING] == LINE_BREAK:
                end_block(walk, blocks, block)
            elif walk[OUT] > walk[BEGUN]:
                walk[PENDING] = LINE_BREAK
        elif behaviour & IS_CELL and not inherited & SKIPPED:
            if walk[OUT] > walk[BEGUN]:
                walk[PENDING] = TAB
        elif behaviour & TELLS_META:
            if words_mask(data, name_end, i - 1) & DATED:
                _mark(marks, walk, META_DATE, begin, i)
        elif behaviour & IS_ROOT:
            _mark(marks, walk, ROOT_TAG, begin, i)
        elif behaviour & TELLS_TIME and attributes:
            _mark(marks, walk, TIME_TAG, begin, i)
        if known >= 0 and TAG_CODES[known] == ITEM and element >= 0:
            parent = elements[element, PARENT]
            walk[NEXT_BULLET] = -1
            if parent >= 0 and elements[parent, TAG] == ORDERED:
                elements[parent, ITEMS] += 1
                walk[NEXT_BULLET] = elements[parent, ITEMS]
    end_block(walk, blocks, block)
    return most


@kernel(types.Tuple((_BUFFER, _ROWS, _ROWS, _ROWS, types.UniTuple(_I, 5)))(_BYTES, _I, _I, _I))
def _walk(
    data: npt.NDArray[np.uint8], max_depth: int, max_nodes: int, max_steps: int
) -> tuple[
    npt.NDArray[np.uint8],
    npt.NDArray[np.int64],
    npt.NDArray[np.int64],
    npt.NDArray[np.int64],
    tuple[int, int, int, int, int],
]:
    n = len(data)
    tags = 0
    for k in range(n):
        tags += data[k] == 60
    stack = np.empty((min(max_depth + AT_ONCE, CAPACITY), STACK_COLUMNS), np.int64)
    active = np.empty((len(stack), 3), np.int64)
    state = np.zeros(STATE_NUMBERS, np.int64)
    out = np.empty(n + n // 4 + 64, np.uint8)
    blocks = np.empty((tags + 2, BLOCK_COLUMNS), np.int64)
    elements = np.empty((min(3 * tags, max_nodes) + 8, ELEMENT_COLUMNS), np.int64)
    marks = np.empty((MOST_MARKS, 3), np.int64)
    walk = np.zeros(WALK_NUMBERS, np.int64)
    block = np.zeros(BLOCK_COLUMNS, np.int64)
    limits = max_depth, max_nodes, max_steps
    most = _follow(data, limits, stack, active, state, out, blocks, elements, marks, walk, block)
    shape = (state[NODES] + 3, state[DEEPEST] + 3, most, state[STEPS], state[OPTIONS])
    return (
        out[: walk[OUT]],
        blocks[: walk[BLOCK_COUNT]],
        elements[: walk[ELEMENT_COUNT]],
        marks[: walk[MARK_COUNT]],
        shape,
    )


class Walked(NamedTuple):
    """A page in blocks.

    `text` uint8[t]: UTF-8 of all blocks, one after another. `blocks` int64[b, BLOCK_COLUMNS]; `elements`
    int64[e, ELEMENT_COLUMNS], parents before children; `marks` int64[m, 3]: kind, begin and end in the page's bytes of
    title, dated meta elements, linked data, time elements and the root's tag.
    """

    text: npt.NDArray[np.uint8]
    blocks: npt.NDArray[np.int64]
    elements: npt.NDArray[np.int64]
    marks: npt.NDArray[np.int64]
    shape: PageShape


def walk_html(data: npt.NDArray[np.uint8], max_depth: int, max_nodes: int, max_path_steps: int) -> Walked:
    """Walk over the bytes uint8[n] of a page in UTF-8; stops where one of the limits is passed."""
    text, blocks, elements, marks, shape = _walk(
        data, min(max_depth, CAPACITY - 1), max_nodes, max_path_steps
    )
    return Walked(text, blocks, elements, marks, PageShape(*(int(value) for value in shape)))
