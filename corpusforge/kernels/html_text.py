"""Text of a page into blocks: white space collapsed or kept, character references decoded, features counted."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corpusforge.kernels.html_entities import character_reference
from corpusforge.kernels.html_layout import (
    BEGIN,
    BEGUN,
    BLOCK_COLUMNS,
    BLOCK_COUNT,
    BULLET,
    BYTE_CLASS,
    CHARACTERS,
    CLAUSES,
    DIGITS,
    ELEMENT,
    ELEMENT_COUNT,
    ELEMENTS_BEFORE,
    END,
    IN_LINK,
    LINE_BREAK,
    LINES,
    LINKED,
    NEXT_BULLET,
    NOTHING,
    OPENED,
    OUT,
    PENDING,
    PREFORMATTED,
    SPACE,
    UPPER,
    WORDS,
)
from corpusforge.kernels.loading import kernel, types

_BYTES = types.Array(types.uint8, 1, "C", readonly=True)
_BUFFER = types.Array(types.uint8, 1, "C")
_ROWS = types.Array(types.int64, 2, "C")
_STATE = types.Array(types.int64, 1, "C")
_I = types.int64


_WHITE, _CLOSER_LOOK = -1, -2
_PIECE = (1 << 15) - 1
"""Bytes of text whose counts fit 16 bits each, and the highest the 15 that leave the sum positive."""
_LOW = 0xFFFF


def _counts_of_bytes() -> npt.NDArray[np.int64]:
    """What a byte of text adds to counts side by side: code points, then clauses, digits, and capitals from bit 48."""
    table = np.array([int(byte & 0xC0 != 0x80) for byte in range(256)], np.int64)
    for place, of_class in ((16, 2), (32, 4), (48, 8)):
        table += np.where(np.equal(BYTE_CLASS, of_class), 1 << place, 0)
    table[BYTE_CLASS == 1] = _WHITE
    table[BYTE_CLASS == 16] = _CLOSER_LOOK
    return table


_COUNTED = _counts_of_bytes()


@kernel(types.void(_STATE, _ROWS, _STATE), _nrt=False)
def end_block(
    walk: npt.NDArray[np.int64], blocks: npt.NDArray[np.int64], block: npt.NDArray[np.int64]
) -> None:
    """End the block, if it holds anything."""
    if walk[OUT] > walk[BEGUN] and walk[BLOCK_COUNT] < len(blocks):
        row = blocks[walk[BLOCK_COUNT]]
        for column in range(BLOCK_COLUMNS):
            row[column] = block[column]
            block[column] = 0
        row[BEGIN] = walk[BEGUN]
        row[END] = walk[OUT]
        row[BULLET] = walk[NEXT_BULLET]
        row[OPENED] = walk[ELEMENT_COUNT] - walk[ELEMENTS_BEFORE]
        walk[ELEMENTS_BEFORE] = walk[ELEMENT_COUNT]
        walk[NEXT_BULLET] = 0
        walk[BLOCK_COUNT] += 1
    walk[BEGUN] = walk[OUT]
    walk[PENDING] = NOTHING


@kernel(types.void(_BUFFER, _STATE, _STATE, _I, _I), inline="always", _nrt=False)
def _before_character(
    out: npt.NDArray[np.uint8],
    walk: npt.NDArray[np.int64],
    block: npt.NDArray[np.int64],
    element: int,
    kind: int,
) -> None:
    """Write what stands between the last character and this one."""
    if walk[OUT] == walk[BEGUN]:
        block[ELEMENT] = element
        block[PREFORMATTED] = kind
    elif walk[PENDING]:
        out[walk[OUT]] = 32 if walk[PENDING] == SPACE else (10 if walk[PENDING] == LINE_BREAK else 9)
        walk[OUT] += 1
        block[WORDS] += 1
        block[CHARACTERS] += 1
        block[LINES] += walk[PENDING] == LINE_BREAK
    walk[PENDING] = NOTHING


@kernel(types.void(_BUFFER, _STATE, _I), _nrt=False)
def _write_code_point(out: npt.NDArray[np.uint8], walk: npt.NDArray[np.int64], value: int) -> None:
    k = walk[OUT]
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
    walk[OUT] = k


@kernel(_I(_BYTES, _I, _BUFFER, _STATE, _STATE, _I, _I), _nrt=False)
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
        out[walk[OUT]] = byte
        walk[OUT] += 1
        block[CHARACTERS] += 1
        block[LINKED] += walk[IN_LINK]
        return i + 1
    after = int(after)
    if first == 0xAD or first == 0x7F or (0x80 <= first < 0xA0 and first != 0x85):
        return after  # a soft hyphen shows only where a line breaks, control characters never
    if first == 0xA0 or first == 0x85 or first <= 32:
        if kind:
            _before_character(out, walk, block, element, kind)
            out[walk[OUT]] = 10 if first == 10 else 32
            walk[OUT] += 1
            block[CHARACTERS] += 1
        elif walk[OUT] > walk[BEGUN]:
            walk[PENDING] = max(walk[PENDING], SPACE)
        return after
    _before_character(out, walk, block, element, kind)
    _write_code_point(out, walk, first)
    if second:
        _write_code_point(out, walk, second)
    block[CHARACTERS] += 1
    block[LINKED] += walk[IN_LINK]
    return after


@kernel(types.void(_BYTES, _I, _I, _BUFFER, _STATE, _STATE, _I), _nrt=False)
def write_text(
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
    k = walk[OUT]
    begun = walk[BEGUN]
    pending = walk[PENDING]
    linking = walk[IN_LINK]
    while i < end:
        piece_end = min(end, i + _PIECE)
        sums = 0
        separators = 0
        while i < piece_end:
            counted = _COUNTED[data[i]]
            if counted == _WHITE:
                if k > begun and pending == NOTHING:
                    pending = SPACE
                while counted == _WHITE:
                    i += 1
                    if i >= piece_end:
                        break
                    counted = _COUNTED[data[np.uint64(i)]]
                continue
            if counted == _CLOSER_LOOK:
                walk[OUT] = k
                walk[PENDING] = pending
                i = _special(data, i, out, walk, block, element, 0)
                k = walk[OUT]
                pending = walk[PENDING]
                continue
            if k == begun:
                block[ELEMENT] = element
                block[PREFORMATTED] = 0
            elif pending:
                out[k] = 32 if pending == SPACE else (10 if pending == LINE_BREAK else 9)
                k += 1
                separators += 1
                block[LINES] += pending == LINE_BREAK
            pending = NOTHING
            while counted >= 0:
                out[np.uint64(k)] = data[np.uint64(i)]
                sums += counted
                k += 1
                i += 1
                if i >= piece_end:
                    break
                counted = _COUNTED[data[np.uint64(i)]]
        characters = sums & _LOW
        block[CHARACTERS] += characters + separators
        block[WORDS] += separators
        block[CLAUSES] += sums >> 16 & _LOW
        block[DIGITS] += sums >> 32 & _LOW
        block[UPPER] += sums >> 48
        if linking:
            block[LINKED] += characters
    walk[OUT] = k
    walk[PENDING] = pending


@kernel(types.void(_BYTES, _I, _I, _BUFFER, _STATE, _STATE, _I), _nrt=False)
def write_preformatted(
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
        if walk[OUT] == walk[BEGUN] and byte == 10:
            continue
        _before_character(out, walk, block, element, 1)
        out[walk[OUT]] = byte
        walk[OUT] += 1
        block[CHARACTERS] += (byte & 0xC0) != 0x80
        block[WORDS] += byte == 32
        block[LINES] += byte == 10
        block[LINKED] += walk[IN_LINK]
