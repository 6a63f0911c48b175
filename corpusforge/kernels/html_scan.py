"""A page's shape before it is parsed: how many nodes, how deep, how many attributes.

The kernel follows the tokenizer and the stack of open elements of the HTML standard (sections 13.2.5 and 13.2.6)
closely enough to tell what a conforming parser would build, but builds nothing. Where it departs, it means to err
towards deeper trees, so that a page within the limits is a page that the parser can digest.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from corpusforge.kernels.html_elements import (
    BARRIER,
    BREAKOUT,
    BUTTON,
    CANONICAL,
    CELL,
    CLASSES,
    CLOSES_PARAGRAPH,
    ENDS,
    FOREIGN,
    FOREIGN_ONLY,
    FORM,
    FORMATTING,
    HASHES,
    HEADING,
    INTEGRATION,
    ITEM,
    LINK,
    LIST,
    LOOSE,
    MARKER,
    MATH_INTEGRATION,
    MATHEMATICAL,
    NEVER,
    OPTION,
    PARAGRAPH,
    PLAINTEXT,
    RAW,
    ROW,
    SCRIPT,
    SECTION,
    SELF_SCOPED,
    SPECIAL,
    TABLE,
    TEMPLATE,
    VOID,
    signed,
)
from corpusforge.kernels.html_hints import read_attributes
from corpusforge.kernels.html_search import find_byte
from corpusforge.kernels.html_tokens import hash_tag, is_letter, read_name, skip_declaration, skip_raw
from corpusforge.kernels.loading import kernel, types

_TR, _TBODY, _P, _LI = signed("tr"), signed("tbody"), signed("p"), signed("li")

CAPACITY = 1 << 13
"""Greatest `max_depth` that can be asked for."""
AT_ONCE = 8
"""More than one tag can put on the stack: a cell comes with a row and a section of its table."""

# Columns of the stack of open elements: name (one for all that close each other), class, 1 in SVG and 2 in MathML,
# formatting elements below, the name itself, a number that whoever follows the scan gives the element (-1: none yet).
NAME, KIND, ALIEN, BELOW, EXACT, NUMBER = 0, 1, 2, 3, 4, 5
STACK_COLUMNS = 6
# Columns of the list of active formatting elements: name, hash of the whole tag, height of the stack when it opened.
WHOLE, HEIGHT = 1, 2
# Numbers of the scan's state.
TOP, ACTIVE, REPEAT, NODES, DEEPEST, STEPS, OPTIONS, MARKERS, PARAGRAPHS = range(9)
STATE_NUMBERS = 9

_BYTES = types.Array(types.uint8, 1, "C", readonly=True)
_TABLE = types.Array(types.int64, 2, "C")
_STATE = types.Array(types.int64, 1, "C")
_I = types.int64


class PageShape(NamedTuple):
    """What a parser would build at most, all int.

    `nodes`: elements, with the formatting elements that the parser repeats. `depth`: deepest nesting.
    `attributes`: most attributes of one tag. `path_steps`: the sum of the depths of all elements.
    `options`: option elements.
    """

    nodes: int
    depth: int
    attributes: int
    path_steps: int
    options: int


def _places() -> npt.NDArray[np.int16]:
    """Number of each known name where its hash, or the first free place behind, puts it; else -1."""
    places = np.full(_PLACES, -1, np.int16)
    for number, value in enumerate(HASHES.tolist()):
        place = value % _PLACES
        while places[place] >= 0:
            place = (place + 1) % _PLACES
        places[place] = number
    return places


_PLACES = 1024
_NUMBERS = _places()


@kernel(_I(types.uint64), _nrt=False)
def known_name(name: np.uint64) -> int:
    """Number of a known name, or -1."""
    place = name % np.uint64(_PLACES)
    while _NUMBERS[place] >= 0 and HASHES[_NUMBERS[place]] != name:
        place = (place + np.uint64(1)) % np.uint64(_PLACES)
    return int(_NUMBERS[place])


@kernel(types.void(_TABLE, _STATE, _I), _nrt=False)
def _pop_to(stack: npt.NDArray[np.int64], state: npt.NDArray[np.int64], height: int) -> None:
    """Cut the stack of open elements to `height`."""
    while state[TOP] > height:
        state[TOP] -= 1
        if not stack[state[TOP], ALIEN]:
            if stack[state[TOP], KIND] & MARKER:
                state[MARKERS] -= 1
                state[ACTIVE] = min(state[ACTIVE], stack[state[TOP], BELOW])
            state[PARAGRAPHS] -= stack[state[TOP], NAME] == _P
        # Formatting elements that stood above are opened again by what follows (13.2.4.3).
        state[REPEAT] = 1


@kernel(_I(_TABLE, _STATE, _I, _I), _nrt=False)
def _find_name(stack: npt.NDArray[np.int64], state: npt.NDArray[np.int64], name: int, stop: int) -> int:
    """Height of the topmost HTML element of that name above any of a class in `stop`; -1 where there is none."""
    for k in range(state[TOP] - 1, -1, -1):
        if stack[k, NAME] == name and not stack[k, ALIEN]:
            return k
        if stack[k, KIND] & stop:
            return -1
    return -1


@kernel(_I(_TABLE, _STATE, _I), _nrt=False)
def _find_kind(stack: npt.NDArray[np.int64], state: npt.NDArray[np.int64], kind: int) -> int:
    """Height of the topmost HTML element of a class in `kind`; -1 where there is none."""
    for k in range(state[TOP] - 1, -1, -1):
        if stack[k, KIND] & kind and not stack[k, ALIEN]:
            return k
    return -1


@kernel(types.void(_TABLE, _STATE, _I, _I, _I, _I), _nrt=False)
def _push(
    stack: npt.NDArray[np.int64], state: npt.NDArray[np.int64], name: int, exact: int, kind: int, alien: int
) -> None:
    if state[TOP] < len(stack):
        stack[state[TOP], NAME] = name
        stack[state[TOP], KIND] = kind
        stack[state[TOP], ALIEN] = alien
        stack[state[TOP], EXACT] = exact
        stack[state[TOP], BELOW] = state[ACTIVE]
        stack[state[TOP], NUMBER] = -1
        state[TOP] += 1
        if not alien:
            state[MARKERS] += kind & MARKER != 0
            state[PARAGRAPHS] += name == _P


@kernel(_I(_TABLE, _STATE), _nrt=False)
def _last_marker(stack: npt.NDArray[np.int64], state: npt.NDArray[np.int64]) -> int:
    """Length of the list of active formatting elements at its last marker."""
    if state[MARKERS] == 0:
        return 0
    marker = _find_kind(stack, state, MARKER)
    return int(min(state[ACTIVE], stack[marker, BELOW])) if marker >= 0 else 0


@kernel(types.void(_TABLE, _STATE, _I), _nrt=False)
def _forget(active: npt.NDArray[np.int64], state: npt.NDArray[np.int64], index: int) -> None:
    """Take one entry out of the list of active formatting elements."""
    for k in range(index, state[ACTIVE] - 1):
        for column in range(3):
            active[k, column] = active[k + 1, column]
    state[ACTIVE] -= 1


@kernel(types.void(_TABLE, _TABLE, _STATE, _I, _I, _I), _nrt=False)
def _open_formatting(
    stack: npt.NDArray[np.int64],
    active: npt.NDArray[np.int64],
    state: npt.NDArray[np.int64],
    name: int,
    kind: int,
    whole: int,
) -> None:
    """Enter a formatting element: `a` and `nobr` close their like, and of equal tags only three stay (13.2.4.3)."""
    equal = 0
    first_equal = -1
    for k in range(state[ACTIVE] - 1, _last_marker(stack, state) - 1, -1):
        if kind & SELF_SCOPED and active[k, NAME] == name:
            _forget(active, state, k)
            break
        if active[k, WHOLE] == whole:
            equal += 1
            first_equal = k
    if equal >= 3:
        _forget(active, state, first_equal)
    if state[ACTIVE] < len(active):
        active[state[ACTIVE], NAME] = name
        active[state[ACTIVE], WHOLE] = whole
        active[state[ACTIVE], HEIGHT] = state[TOP]
        state[ACTIVE] += 1


@kernel(types.void(_TABLE, _TABLE, _STATE, _I), _nrt=False)
def _close_formatting(
    stack: npt.NDArray[np.int64], active: npt.NDArray[np.int64], state: npt.NDArray[np.int64], name: int
) -> None:
    """Leave a formatting element unless something bars the way to it (the adoption agency, 13.2.6.4.7)."""
    for k in range(state[ACTIVE] - 1, _last_marker(stack, state) - 1, -1):
        if active[k, NAME] == name:
            for height in range(state[TOP] - 1, active[k, HEIGHT] - 1, -1):
                if stack[height, KIND] & BARRIER and not stack[height, ALIEN]:
                    return
            _forget(active, state, k)
            return


@kernel(types.void(_TABLE, _STATE, _I, _I), _nrt=False)
def _open_in_table(stack: npt.NDArray[np.int64], state: npt.NDArray[np.int64], name: int, kind: int) -> None:
    """Enter a cell, row, caption or such; outside of a table the tag is ignored."""
    table = _find_kind(stack, state, TABLE | TEMPLATE)
    if table < 0:
        return
    if stack[table, KIND] & TEMPLATE:
        _push(stack, state, name, name, kind, 0)
        return
    height = table + 1
    if not kind & SECTION:
        # A row stands in a section of the table, a cell in a row.
        if height < state[TOP] and stack[height, KIND] & SECTION:
            height += 1
        if height < state[TOP] and stack[height, NAME] == _TR and kind & CELL:
            height += 1
    _pop_to(stack, state, height)
    if height == table + 1 and not kind & SECTION:
        _push(stack, state, _TBODY, _TBODY, ROW | SECTION | SPECIAL, 0)
    if kind & CELL and not kind & SECTION and stack[state[TOP] - 1, NAME] != _TR:
        _push(stack, state, _TR, _TR, ROW | SPECIAL, 0)
    _push(stack, state, name, name, kind, 0)


@kernel(types.void(_TABLE, _TABLE, _STATE, _I, _I), _nrt=False)
def _make_room(
    stack: npt.NDArray[np.int64],
    active: npt.NDArray[np.int64],
    state: npt.NDArray[np.int64],
    name: int,
    kind: int,
) -> None:
    """Close what the start tag of an HTML element closes."""
    if kind & CLOSES_PARAGRAPH and state[PARAGRAPHS]:
        paragraph = _find_name(stack, state, _P, BARRIER | BUTTON)
        if paragraph >= 0:
            _pop_to(stack, state, paragraph)
    top = state[TOP] - 1
    is_current = state[ACTIVE] == 0 or active[state[ACTIVE] - 1, HEIGHT] <= top
    if top >= 0 and is_current and not stack[top, ALIEN]:
        same_option = kind & OPTION != 0 and stack[top, NAME] == name
        if same_option or (kind & HEADING and stack[top, KIND] & HEADING):
            _pop_to(stack, state, top)
    if kind & ITEM:
        for k in range(state[TOP] - 1, -1, -1):
            if stack[k, NAME] == name and not stack[k, ALIEN]:
                _pop_to(stack, state, k)
                break
            if stack[k, KIND] & SPECIAL and not stack[k, KIND] & LOOSE:
                break
    elif kind & BUTTON:
        button = _find_name(stack, state, name, BARRIER)
        if button >= 0:
            _pop_to(stack, state, button)


@kernel(types.void(_TABLE, _STATE), _nrt=False)
def _leave_foreign(stack: npt.NDArray[np.int64], state: npt.NDArray[np.int64]) -> None:
    """Close SVG and MathML elements up to one of HTML or to an integration point (13.2.6.5)."""
    while state[TOP] > 0 and stack[state[TOP] - 1, ALIEN]:
        _pop_to(stack, state, state[TOP] - 1)


@kernel(types.void(_TABLE, _TABLE, _STATE, _I, _I, _I, _I, types.boolean), _nrt=False)
def open_element(
    stack: npt.NDArray[np.int64],
    active: npt.NDArray[np.int64],
    state: npt.NDArray[np.int64],
    name: int,
    exact: int,
    kind: int,
    whole: int,
    self_closing: bool,
) -> None:
    """Follow a start tag."""
    state[NODES] += 1
    state[OPTIONS] += kind & OPTION != 0
    if state[REPEAT]:
        state[NODES] += state[ACTIVE] - _last_marker(stack, state)
        state[REPEAT] = 0
    if kind & BREAKOUT:
        _leave_foreign(stack, state)
    alien = stack[state[TOP] - 1, ALIEN] if state[TOP] > 0 else 0
    before = state[TOP] + state[ACTIVE]
    if kind & FORMATTING and not (alien and kind & LINK):
        _open_formatting(stack, active, state, name, kind, whole)
    if alien or kind & FOREIGN:
        integrates = kind & (INTEGRATION if alien == 1 else MATH_INTEGRATION) if alien else 0
        inside = alien if alien else (2 if kind & MATHEMATICAL else 1)
        if not self_closing:
            _push(stack, state, name, exact, kind, 0 if integrates else inside)
    elif kind & (CELL | ROW):
        _open_in_table(stack, state, name, kind)
    elif not kind & (NEVER | FORMATTING):
        kind = 0 if kind & FOREIGN_ONLY else kind
        _make_room(stack, active, state, name, kind)
        if not kind & VOID:
            _push(stack, state, name, exact, kind, 0)
    depth = max(state[TOP] + state[ACTIVE], before + 1 if kind & VOID or self_closing else 0)
    state[STEPS] += depth
    state[DEEPEST] = max(state[DEEPEST], depth)


@kernel(types.void(_TABLE, _TABLE, _STATE, _I, _I, _I), _nrt=False)
def close_element(
    stack: npt.NDArray[np.int64],
    active: npt.NDArray[np.int64],
    state: npt.NDArray[np.int64],
    name: int,
    exact: int,
    kind: int,
) -> None:
    """Follow an end tag."""
    if kind & PARAGRAPH:
        _leave_foreign(stack, state)
    for k in range(state[TOP] - 1, -1, -1):
        if not stack[k, ALIEN]:
            break
        if stack[k, EXACT] == exact:
            _pop_to(stack, state, k)
            return
    if kind & FORMATTING:
        _close_formatting(stack, active, state, name)
        return
    if kind & (NEVER | VOID):
        return
    stop = SPECIAL
    if kind & (TABLE | CELL | ROW):
        stop = TEMPLATE if kind & TABLE else TABLE | TEMPLATE
    elif kind & ENDS:
        stop = BARRIER
        if kind & PARAGRAPH:
            stop = BARRIER | BUTTON
        elif kind & ITEM and exact == _LI:
            stop = BARRIER | LIST
    found = _find_name(stack, state, name, stop)
    if found < 0 or (stack[found, EXACT] != exact and not kind & HEADING):
        return
    # A form is taken from the stack, but what stands in it stays there.
    if not kind & FORM or found == state[TOP] - 1:
        _pop_to(stack, state, found)


@kernel(_I(_BYTES, _I, _TABLE, _TABLE, _STATE), _nrt=False)
def _follow(
    data: npt.NDArray[np.uint8],
    max_depth: int,
    stack: npt.NDArray[np.int64],
    active: npt.NDArray[np.int64],
    state: npt.NDArray[np.int64],
) -> int:
    """Follow the tags until the end or until the depth is over `max_depth`; tells the most attributes of one."""
    n = len(data)
    most = 0
    i = 0
    while state[DEEPEST] <= max_depth:
        i = find_byte(data, 60, i, n)
        if i + 1 >= n:
            break
        following = data[i + 1]
        is_end = following == 47
        begin = i + 2 if is_end else i + 1
        if begin >= n or not is_letter(data[begin]):
            if following == 33 or following == 63 or is_end:
                alien = state[TOP] > 0 and stack[state[TOP] - 1, ALIEN] != 0
                i = skip_declaration(data, i, alien)
            else:
                i += 1
            continue
        name_end, name = read_name(data, begin)
        i, attributes, self_closing, _ = read_attributes(data, name_end, False)
        most = max(most, attributes)
        if i < 0:
            break
        known = known_name(name)
        kind = CLASSES[known] if known >= 0 else 0
        same = np.int64(CANONICAL[known]) if known >= 0 else np.int64(name)
        if is_end:
            close_element(stack, active, state, same, np.int64(name), kind)
            continue
        alien = state[TOP] > 0 and stack[state[TOP] - 1, ALIEN] != 0
        raw = not alien and kind & (RAW | PLAINTEXT) != 0
        if raw:
            open_element(stack, active, state, same, np.int64(name), kind | VOID, 0, False)
            i = n if kind & PLAINTEXT else skip_raw(data, i, begin, name_end, kind & SCRIPT != 0)
            continue
        whole = hash_tag(data, begin, i - 1) if kind & FORMATTING and not kind & SELF_SCOPED else same
        open_element(stack, active, state, same, np.int64(name), kind, whole, self_closing != 0)
    return most


@kernel(types.UniTuple(_I, 5)(_BYTES, _I))
def _scan(data: npt.NDArray[np.uint8], max_depth: int) -> tuple[int, int, int, int, int]:
    stack = np.empty((min(max_depth + AT_ONCE, CAPACITY), STACK_COLUMNS), np.int64)
    active = np.empty((len(stack), 3), np.int64)
    state = np.zeros(STATE_NUMBERS, np.int64)
    most = _follow(data, max_depth, stack, active, state)
    # html, head and body stand in every tree, and an end tag without its start can make one more element.
    return state[NODES] + 3, state[DEEPEST] + 3, most, state[STEPS], state[OPTIONS]


def scan_html(data: npt.NDArray[np.uint8], max_depth: int = CAPACITY - 1) -> PageShape:
    """Scan the bytes uint8[n] of a page; stops where it is deeper than `max_depth` (at most `CAPACITY` - 1)."""
    return PageShape(*(int(value) for value in _scan(data, min(max_depth, CAPACITY - 1))))
