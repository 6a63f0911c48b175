"""A page's text as blocks, in the same pass that measures the page: no tree is built.

The pass follows the stack of open elements (`corpusforge.kernels.html_scan`). What a browser would show as one
paragraph, line of a list or row of a table is one block; white space is collapsed and character references are
decoded on the way. Elements and blocks are rows of two tables, see their columns.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
import numpy.typing as npt
from numba import types

from corpusforge.kernels.html_elements import (
    CANONICAL,
    CLASSES,
    FORMATTING,
    HASHES,
    LINK,
    PLAINTEXT,
    RAW,
    SCRIPT,
    VOID,
)
from corpusforge.kernels.html_entities import character_reference
from corpusforge.kernels.html_hints import DATED, TAG_MASKS, attributes_mask, words_mask
from corpusforge.kernels.html_scan import (
    ALIEN,
    CAPACITY,
    DEEPEST,
    NODES,
    NUMBER,
    OPTIONS,
    STACK_COLUMNS,
    STEPS,
    TOP,
    PageShape,
    close_element,
    known_name,
    open_element,
)
from corpusforge.kernels.html_tokens import (
    hash_name,
    is_letter,
    name_hash,
    read_tag,
    skip_declaration,
    skip_raw,
)

# Columns of the table of elements: the parent's row (-1: none), the tag's code, hints, nesting, inherited properties,
# nesting of lists, number of items so far.
PARENT, TAG, MASK, DEPTH, INHERITED, LISTS, ITEMS = 0, 1, 2, 3, 4, 5, 6
ELEMENT_COLUMNS = 7

# Columns of the table of blocks: range in the text, the element it stands in, code points, those within links (white
# space aside), words (white space between them), punctuation that ends clauses, digits, upper-case letters, the item's
# bullet (0: none, -1: a bullet, else a number), 1 if its white space is kept, line breaks inside, elements opened since
# the block before, links.
(
    BEGIN,
    END,
    ELEMENT,
    CHARACTERS,
    LINKED,
    WORDS,
    CLAUSES,
    DIGITS,
    UPPER,
    BULLET,
    PREFORMATTED,
    LINES,
    OPENED,
    LINKS,
) = range(14)
BLOCK_COLUMNS = 14

# Inherited properties.
SKIPPED, PREFORMATTED_TEXT = 1, 2

# Tag codes.
(
    OTHER,
    PARAGRAPH,
    DIVISION,
    ITEM,
    CELL_TAG,
    HEADING_1,
    HEADING_2,
    HEADING_3,
    HEADING_4,
    QUOTE,
    PRE,
    CAPTION,
    SECTION,
    ARTICLE,
    TERM,
    LIST,
    ORDERED,
    TABLE,
    ROW,
    LANDMARK,
    LABEL,
) = range(21)

_CODES = {
    PARAGRAPH: "p",
    DIVISION: "div center",
    ITEM: "li",
    CELL_TAG: "td th",
    HEADING_1: "h1",
    HEADING_2: "h2",
    HEADING_3: "h3",
    HEADING_4: "h4 h5 h6",
    QUOTE: "blockquote",
    PRE: "pre listing xmp",
    CAPTION: "figcaption caption",
    SECTION: "section",
    ARTICLE: "article main",
    TERM: "dt dd",
    LIST: "ul menu dl dir",
    ORDERED: "ol",
    TABLE: "table tbody thead tfoot",
    ROW: "tr",
    LANDMARK: "nav aside footer header form address figure details dialog fieldset hgroup search",
    LABEL: "summary legend option button select label optgroup",
}
_BREAKING = (
    "p div center li td th h1 h2 h3 h4 h5 h6 blockquote pre listing xmp figcaption caption section article main dt dd "
    "ul menu dl dir ol table tbody thead tfoot tr nav aside footer header form address figure details dialog fieldset "
    "hgroup search summary hr option button select body textarea iframe object noscript marquee plaintext"
)
_SKIPPING = "noscript svg template select object video audio canvas button noframes noembed map datalist"

_BREAKS = 1
_SKIPS = 2
_KEEPS_SPACE = 4
_IS_CELL = 8
_IS_BREAK = 16
_META = 32
_ROOT = 64
_TIME = 128


def _by_name(groups: dict[int, str], combine: bool) -> npt.NDArray[np.int64]:
    table: dict[int, int] = {}
    for value, names in groups.items():
        for name in names.split():
            key = name_hash(name)
            table[key] = table.get(key, 0) | value if combine else value
    return np.array([table.get(int(value), 0) for value in HASHES], np.int64)


_TAG_CODES = _by_name(_CODES, False)
_BEHAVIOUR = _by_name(
    {
        _BREAKS: _BREAKING,
        _SKIPS: _SKIPPING,
        _KEEPS_SPACE: "pre listing xmp",
        _IS_CELL: "td th",
        _IS_BREAK: "br",
        _META: "meta",
        _ROOT: "html",
        _TIME: "time",
    },
    True,
)


def _classes_of_bytes() -> npt.NDArray[np.uint8]:
    """1 white space, 2 ends a clause, 4 digit, 8 upper case, 16 needs a closer look."""
    table = np.zeros(256, np.uint8)
    table[:32] = 16
    for byte in b" \t\n\r\x0b\x0c":
        table[byte] = 1
    for byte in b".,;:!?":
        table[byte] = 2
    table[48:58] = 4
    table[65:91] = 8
    for byte in (38, 0x7F, 0xC2, 0xE3, 0xEF):
        table[byte] = 16
    return table


_BYTE_CLASS = _classes_of_bytes()

# Marks: what else is told of a page.
TITLE, META_DATE, LINKED_DATA, TIME_TAG, ROOT_TAG = 1, 2, 3, 4, 5
_MARKS = 48

# Numbers of the walk's state.
(
    _OUT,
    _BEGUN,
    _PENDING,
    _BLOCKS,
    _ELEMENTS,
    _LINK,
    _LINK_HEIGHT,
    _BULLET,
    _MARK,
    _COUNT,
    _LAST_ELEMENTS,
    _ITEM,
) = range(12)
# What stands between the last character and the next: nothing, a space, a line break, a tab.
_NOTHING, _SPACE, _LINE, _TAB = 0, 1, 2, 3

_BYTES = types.Array(types.uint8, 1, "C", readonly=True)
_BUFFER = types.Array(types.uint8, 1, "C")
_ROWS = types.Array(types.int64, 2, "C")
_STATE = types.Array(types.int64, 1, "C")
_I = types.int64


@numba.njit(types.void(_STATE, _ROWS, _STATE), cache=True, nogil=True)
def _flush(walk: npt.NDArray[np.int64], blocks: npt.NDArray[np.int64], block: npt.NDArray[np.int64]) -> None:
    """End the block, if it holds anything."""
    if walk[_OUT] > walk[_BEGUN] and walk[_BLOCKS] < len(blocks):
        row = blocks[walk[_BLOCKS]]
        row[:] = block
        row[BEGIN] = walk[_BEGUN]
        row[END] = walk[_OUT]
        row[BULLET] = walk[_BULLET]
        row[OPENED] = walk[_ELEMENTS] - walk[_LAST_ELEMENTS]
        walk[_LAST_ELEMENTS] = walk[_ELEMENTS]
        walk[_BULLET] = 0
        walk[_BLOCKS] += 1
        block[:] = 0
    walk[_BEGUN] = walk[_OUT]
    walk[_PENDING] = _NOTHING


@numba.njit(types.void(_BUFFER, _STATE, _STATE, _I, _I), cache=True, nogil=True, inline="always")
def _before_character(
    out: npt.NDArray[np.uint8],
    walk: npt.NDArray[np.int64],
    block: npt.NDArray[np.int64],
    element: int,
    kind: int,
) -> None:
    """Write what stands between the last character and this one."""
    if walk[_OUT] == walk[_BEGUN]:
        block[ELEMENT] = element
        block[PREFORMATTED] = kind
    elif walk[_PENDING]:
        out[walk[_OUT]] = 32 if walk[_PENDING] == _SPACE else (10 if walk[_PENDING] == _LINE else 9)
        walk[_OUT] += 1
        block[WORDS] += 1
        block[CHARACTERS] += 1
        block[LINES] += walk[_PENDING] == _LINE
    walk[_PENDING] = _NOTHING


@numba.njit(types.void(_BUFFER, _STATE, _I), cache=True, nogil=True)
def _write_code_point(out: npt.NDArray[np.uint8], walk: npt.NDArray[np.int64], value: int) -> None:
    k = walk[_OUT]
    if value < 0x80:
        out[k] = value
        k += 1
    elif value < 0x800:
        out[k] = 0xC0 | value >> 6
        out[k + 1] = 0x80 | value & 63
        k += 2
    elif value < 0x10000:
        out[k] = 0xE0 | value >> 12
        out[k + 1] = 0x80 | value >> 6 & 63
        out[k + 2] = 0x80 | value & 63
        k += 3
    else:
        out[k] = 0xF0 | value >> 18
        out[k + 1] = 0x80 | value >> 12 & 63
        out[k + 2] = 0x80 | value >> 6 & 63
        out[k + 3] = 0x80 | value & 63
        k += 4
    walk[_OUT] = k


@numba.njit(_I(_BYTES, _I, _BUFFER, _STATE, _STATE, _I, _I), cache=True, nogil=True)
def _special(
    data: npt.NDArray[np.uint8],
    i: int,
    out: npt.NDArray[np.uint8],
    walk: npt.NDArray[np.int64],
    block: npt.NDArray[np.int64],
    element: int,
    kind: int,
) -> int:
    """Write a character that needs a closer look: a reference, a no-break space, punctuation of Chinese."""
    byte = data[i]
    second = 0
    if byte == 38:
        first, second, after = character_reference(data, i)
    elif byte == 0xC2 and i + 1 < len(data) and (data[i + 1] <= 0xA0 or data[i + 1] == 0xAD):
        first, after = np.int64(data[i + 1]), i + 2
    elif byte < 0x80:
        first, after = np.int64(0x7F), i + 1
    else:
        # The lead byte of a character; its others follow.
        if i + 2 < len(data) and (
            (byte == 0xE3 and data[i + 1] == 0x80 and (data[i + 2] == 0x81 or data[i + 2] == 0x82))
            or (
                byte == 0xEF
                and data[i + 1] == 0xBC
                and (data[i + 2] == 0x8C or data[i + 2] == 0x81 or data[i + 2] == 0x9F)
            )
        ):
            block[CLAUSES] += 1
        _before_character(out, walk, block, element, kind)
        out[walk[_OUT]] = byte
        walk[_OUT] += 1
        block[CHARACTERS] += 1
        block[LINKED] += walk[_LINK]
        return i + 1
    after = int(after)
    if first == 0xAD or first == 0x7F or (0x80 <= first < 0xA0 and first != 0x85):
        return after  # a soft hyphen shows only where a line breaks, control characters never
    if first == 0xA0 or first == 0x85 or first <= 32:
        if kind:
            _before_character(out, walk, block, element, kind)
            out[walk[_OUT]] = 10 if first == 10 else 32
            walk[_OUT] += 1
            block[CHARACTERS] += 1
        elif walk[_OUT] > walk[_BEGUN]:
            walk[_PENDING] = max(walk[_PENDING], _SPACE)
        return after
    _before_character(out, walk, block, element, kind)
    _write_code_point(out, walk, first)
    if second:
        _write_code_point(out, walk, second)
    block[CHARACTERS] += 1
    block[LINKED] += walk[_LINK]
    return after


@numba.njit(types.void(_BYTES, _I, _I, _BUFFER, _STATE, _STATE, _I), cache=True, nogil=True)
def _text(
    data: npt.NDArray[np.uint8],
    start: int,
    end: int,
    out: npt.NDArray[np.uint8],
    walk: npt.NDArray[np.int64],
    block: npt.NDArray[np.int64],
    element: int,
) -> None:
    """Write the text `data[start:end]`, white space collapsed."""
    i = start
    while i < end:
        byte = data[i]
        kind = _BYTE_CLASS[byte]
        if kind == 1:
            if walk[_OUT] > walk[_BEGUN] and walk[_PENDING] == _NOTHING:
                walk[_PENDING] = _SPACE
            i += 1
            continue
        if kind == 16:
            i = _special(data, i, out, walk, block, element, 0)
            continue
        _before_character(out, walk, block, element, 0)
        k = walk[_OUT]
        characters = 0
        clauses = 0
        digits = 0
        upper = 0
        while True:
            out[k] = byte
            k += 1
            characters += (byte & 0xC0) != 0x80
            clauses += kind == 2
            digits += kind == 4
            upper += kind == 8
            i += 1
            if i >= end:
                break
            byte = data[i]
            kind = _BYTE_CLASS[byte]
            if kind & 17:
                break
        walk[_OUT] = k
        block[CHARACTERS] += characters
        block[CLAUSES] += clauses
        block[DIGITS] += digits
        block[UPPER] += upper
        if walk[_LINK]:
            block[LINKED] += characters


@numba.njit(types.void(_BYTES, _I, _I, _BUFFER, _STATE, _STATE, _I), cache=True, nogil=True)
def _preformatted(
    data: npt.NDArray[np.uint8],
    start: int,
    end: int,
    out: npt.NDArray[np.uint8],
    walk: npt.NDArray[np.int64],
    block: npt.NDArray[np.int64],
    element: int,
) -> None:
    """Write the text `data[start:end]` with its white space; line ends become line feeds."""
    i = start
    while i < end:
        byte = data[i]
        if byte == 38:
            i = _special(data, i, out, walk, block, element, 1)
            continue
        i += 1
        if byte == 13:
            if i < end and data[i] == 10:
                continue
            byte = np.uint8(10)
        if walk[_OUT] == walk[_BEGUN] and byte == 10:
            continue
        _before_character(out, walk, block, element, 1)
        out[walk[_OUT]] = byte
        walk[_OUT] += 1
        block[CHARACTERS] += (byte & 0xC0) != 0x80
        block[WORDS] += byte == 32
        block[LINES] += byte == 10
        block[LINKED] += walk[_LINK]


@numba.njit(_I(_ROWS, _ROWS, _STATE, _STATE, _I, _I, _I), cache=True, nogil=True)
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
        if walk[_ELEMENTS] >= len(elements):
            stack[height, NUMBER] = len(elements) - 1
            continue
        number = walk[_ELEMENTS]
        walk[_ELEMENTS] += 1
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
                row[TAG] = _TAG_CODES[known]
                row[MASK] |= TAG_MASKS[known]
                if _BEHAVIOUR[known] & _SKIPS:
                    row[INHERITED] |= SKIPPED
                if _BEHAVIOUR[known] & _KEEPS_SPACE:
                    row[INHERITED] |= PREFORMATTED_TEXT
                if row[TAG] == LIST or row[TAG] == ORDERED:
                    row[LISTS] += 1
    return int(stack[state[TOP] - 1, NUMBER]) if state[TOP] > 0 else -1


@numba.njit(types.void(_ROWS, _STATE, _I, _I, _I), cache=True, nogil=True)
def _mark(marks: npt.NDArray[np.int64], walk: npt.NDArray[np.int64], kind: int, begin: int, end: int) -> None:
    if walk[_MARK] < len(marks):
        marks[walk[_MARK], 0] = kind
        marks[walk[_MARK], 1] = begin
        marks[walk[_MARK], 2] = end
        walk[_MARK] += 1


@numba.njit(types.boolean(_BYTES, _I, _I), cache=True, nogil=True)
def _is_linked_data(data: npt.NDArray[np.uint8], start: int, end: int) -> bool:
    """Tell whether "ld+json" stands in a tag."""
    for i in range(start, end - 6):
        if data[i] == 108 and data[i + 1] == 100 and data[i + 2] == 43 and data[i + 3] == 106:
            return True
    return False


@numba.njit(
    types.Tuple((_BUFFER, _ROWS, _ROWS, _ROWS, types.UniTuple(_I, 5)))(_BYTES, _I, _I, _I),
    cache=True,
    nogil=True,
)
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
    stack = np.empty((CAPACITY, STACK_COLUMNS), np.int64)
    active = np.empty((CAPACITY, 3), np.int64)
    state = np.zeros(7, np.int64)
    out = np.empty(n + n // 4 + 64, np.uint8)
    blocks = np.empty((tags + 2, BLOCK_COLUMNS), np.int64)
    elements = np.empty((min(3 * tags, max_nodes) + 8, ELEMENT_COLUMNS), np.int64)
    marks = np.empty((_MARKS, 3), np.int64)
    walk = np.zeros(12, np.int64)
    block = np.zeros(BLOCK_COLUMNS, np.int64)
    most = 0
    i = 0
    element = -1
    inherited = 0
    while i < n and state[DEEPEST] <= max_depth and state[NODES] <= max_nodes and state[STEPS] <= max_steps:
        begin = i
        while i < n:
            if data[i] == 60 and i + 1 < n:
                after = data[i + 1]
                if is_letter(after) or after == 47 or after == 33 or after == 63:
                    break
            i += 1
        if i > begin and not inherited & SKIPPED:
            if inherited & PREFORMATTED_TEXT:
                _preformatted(data, begin, i, out, walk, block, element)
            else:
                _text(data, begin, i, out, walk, block, element)
        if i >= n:
            break
        following = data[i + 1]
        is_end = following == 47
        begin = i + 2 if is_end else i + 1
        if begin >= n or not is_letter(data[begin]):
            alien = state[TOP] > 0 and stack[state[TOP] - 1, ALIEN] != 0
            i = skip_declaration(data, i, alien)
            continue
        name_end, tag_end, attributes, self_closing, whole = read_tag(data, begin)
        most = max(most, attributes)
        if tag_end < 0:
            break
        i = tag_end
        name = hash_name(data, begin, name_end)
        known = known_name(name)
        kind = CLASSES[known] if known >= 0 else 0
        behaviour = _BEHAVIOUR[known] if known >= 0 else 0
        same = np.int64(CANONICAL[known]) if known >= 0 else np.int64(name)
        if behaviour & _BREAKS and not behaviour & _IS_CELL and not inherited & SKIPPED:
            _flush(walk, blocks, block)
        if is_end:
            before = state[TOP]
            close_element(stack, active, state, same, np.int64(name), kind)
            if kind & LINK:
                walk[_LINK] = 0
            if state[TOP] != before:
                element = stack[state[TOP] - 1, NUMBER] if state[TOP] > 0 else -1
                inherited = elements[element, INHERITED] if element >= 0 else 0
                if state[TOP] < walk[_LINK_HEIGHT]:
                    walk[_LINK] = 0
            continue
        alien = state[TOP] > 0 and stack[state[TOP] - 1, ALIEN] != 0
        if not alien and kind & (RAW | PLAINTEXT):
            open_element(stack, active, state, same, np.int64(name), kind | VOID, whole, False)
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
        open_element(stack, active, state, same, np.int64(name), kind, whole, self_closing != 0)
        if kind & FORMATTING:
            if kind & LINK:
                walk[_LINK] = 1
                walk[_LINK_HEIGHT] = state[TOP]
                block[LINKS] += 1
            element = stack[state[TOP] - 1, NUMBER] if state[TOP] > 0 else -1
            inherited = elements[element, INHERITED] if element >= 0 else 0
            continue
        mask = 0
        if attributes and not alien and not kind & VOID:
            mask = attributes_mask(data, name_end, i - 1)
        if state[TOP] > 0:
            element = _register(stack, elements, state, walk, known, mask, 0)
            inherited = elements[element, INHERITED]
        if state[TOP] < walk[_LINK_HEIGHT]:
            walk[_LINK] = 0
        if behaviour & _IS_BREAK:
            if inherited & PREFORMATTED_TEXT:
                if walk[_OUT] > walk[_BEGUN]:
                    out[walk[_OUT]] = 10
                    walk[_OUT] += 1
            elif walk[_PENDING] == _LINE:
                _flush(walk, blocks, block)
            elif walk[_OUT] > walk[_BEGUN]:
                walk[_PENDING] = _LINE
        elif behaviour & _IS_CELL and not inherited & SKIPPED:
            if walk[_OUT] > walk[_BEGUN]:
                walk[_PENDING] = _TAB
        elif behaviour & _META:
            if words_mask(data, name_end, i - 1) & DATED:
                _mark(marks, walk, META_DATE, begin, i)
        elif behaviour & _ROOT:
            _mark(marks, walk, ROOT_TAG, begin, i)
        elif behaviour & _TIME and attributes:
            _mark(marks, walk, TIME_TAG, begin, i)
        if known >= 0 and _TAG_CODES[known] == ITEM and element >= 0:
            parent = elements[element, PARENT]
            walk[_BULLET] = -1
            if parent >= 0 and elements[parent, TAG] == ORDERED:
                elements[parent, ITEMS] += 1
                walk[_BULLET] = elements[parent, ITEMS]
    _flush(walk, blocks, block)
    shape = (state[NODES] + 3, state[DEEPEST] + 3, most, state[STEPS], state[OPTIONS])
    return (
        out[: walk[_OUT]],
        blocks[: walk[_BLOCKS]],
        elements[: walk[_ELEMENTS]],
        marks[: walk[_MARK]],
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
