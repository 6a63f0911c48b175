"""Byte scans for secrets and identifiers: marks that stand near them, as candidates for recognizers.

Like `corpusforge.kernels.pii_candidates`: linear, inside one document, every candidate of bounded size.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corpusforge.kernels.array_types import READ_INT64, READ_UINT8
from corpusforge.kernels.loading import kernel, types
from corpusforge.kernels.pii_candidates import _grown, _is_alphanumeric, _is_hexadecimal

Bytes = npt.NDArray[np.uint8]
Int64 = npt.NDArray[np.int64]

MAC = 6
"""Six pairs of hexadecimal digits with five equal separators, colons or hyphens."""
CREDENTIALS = 7
"""From "://" to an at sign, without white space or a slash between them."""
ASSIGNMENT = 8
"""An equals sign or colon after the last letters of a word that names a secret (`key`, `token`, …)."""
KEY_BLOCK = 9
"""A PEM block from its first line to its last, whatever it holds."""
TOKEN = 10
"""A run of 20 to 4096 letters, digits, underscores and hyphens that has a letter and a digit."""
IDENTIFIER = 11
"""A run of 8 to 16 letters and digits that has a letter and at least 4 digits (India's PAN has no more)."""
GROUPED = 12
"""Groups of capitals and digits with single blanks, points or hyphens between: 8 of them, a letter and 4 digits."""

CREDENTIALS_REACH = 256
KEY_BLOCK_REACH = 16_384
"""Bytes of a PEM block: an RSA key of 16,384 bits takes about 12,800."""
ASSIGNMENT_BEFORE = 64
ASSIGNMENT_AFTER = 256
TOKEN_SHORTEST = 20
TOKEN_LONGEST = 4096
_IDENTIFIER_SHORTEST = 8
_IDENTIFIER_LONGEST = 16
_IDENTIFIER_DIGITS = 4
GROUPED_BEFORE = 16
GROUPED_AFTER = 32
"""Bytes of groups before and from the first digit on: more than a national number has."""

_SPAN = types.UniTuple(types.int64, 2)
_SPAN_ARRAYS = (types.int64[::1], types.int64[::1], types.int64[::1])


def _code(text: str) -> int:
    """Three ASCII characters as one number, the first one the most significant."""
    first, second, third = text.encode("ascii")
    return first << 16 | second << 8 | third


_SECRET_ENDS = tuple(_code(end) for end in ("key", "ret", "ken", "ord", "swd", "pwd", "ass", "uth", "ial"))
"""Last letters of key, secret, token, password, passwd, pwd, pass, auth, credential."""


@kernel(_SPAN(READ_UINT8, types.int64, types.int64))
def _next_mac(data: Bytes, at: int, end: int) -> tuple[int, int]:
    """First place where six pairs begin; what stands around them is not looked at."""
    at += 2
    while at + 15 <= end:
        separator = data[at]
        if separator != 58 and separator != 45:
            at += 1
            continue
        first, right = at - 2, True
        for place in range(17):
            byte = data[first + place]
            right = byte == separator if place % 3 == 2 else _is_hexadecimal(byte)
            if not right:
                break
        if right:
            return first, first + 17
        at += 1
    return end, end


@kernel(_SPAN(READ_UINT8, types.int64, types.int64, types.int64))
def _next_credentials(data: Bytes, at: int, start: int, end: int) -> tuple[int, int]:
    while at + 3 <= end:
        if data[at] != 58 or data[at + 1] != 47 or data[at + 2] != 47:
            at += 1
            continue
        first, last = at, at + 3
        while first > start and at - first < 16 and _is_alphanumeric(data[first - 1]):
            first -= 1
        while last < end and last - at <= CREDENTIALS_REACH:
            byte = data[last]
            if byte <= 32 or byte == 47 or byte == 64:
                break
            last += 1
        if last < end and data[last] == 64:
            return first, last + 1
        at += 3
    return end, end


@kernel(types.boolean(READ_UINT8, types.int64, types.int64))
def _names_secret(data: Bytes, at: int, start: int) -> bool:
    """Tell whether the word before `at` ends as one of `_SECRET_ENDS`, with quotes and blanks between."""
    skipped = 0
    while at > start and skipped < 3 and not _is_alphanumeric(data[at - 1]):
        byte = data[at - 1]
        if byte != 32 and byte != 34 and byte != 39:
            return False
        at -= 1
        skipped += 1
    if at - start < 3:
        return False
    # Setting bit 5 makes ASCII capitals small; digits keep their bytes.
    code = np.int64(data[at - 3] | 32) << 16 | np.int64(data[at - 2] | 32) << 8
    code |= np.int64(data[at - 1] | 32)
    return code in _SECRET_ENDS


@kernel(_SPAN(READ_UINT8, types.int64, types.int64, types.int64))
def _next_assignment(data: Bytes, at: int, start: int, end: int) -> tuple[int, int]:
    """First candidate whose sign is at `at` or later: the name before it and the rest of its line."""
    while at < end:
        if (data[at] != 61 and data[at] != 58) or not _names_secret(data, at, start):
            at += 1
            continue
        first, last = at, at + 1
        while first > start and at - first < ASSIGNMENT_BEFORE and data[first - 1] != 10:
            first -= 1
        while last < end and last - at <= ASSIGNMENT_AFTER and data[last] != 10:
            last += 1
        return first, last
    return end, end


@kernel(types.boolean(READ_UINT8, types.int64, types.int64))
def _dashes(data: Bytes, at: int, end: int) -> bool:
    """Five hyphens at `at`."""
    if at + 5 > end:
        return False
    hyphens = 0
    while hyphens < 5 and data[at + hyphens] == 45:
        hyphens += 1
    return hyphens == 5


@kernel(_SPAN(READ_UINT8, types.int64, types.int64))
def _next_key_block(data: Bytes, at: int, end: int) -> tuple[int, int]:
    """First "-----BEGIN", to the end of the line of "-----END", or as far as a block may reach."""
    while at + 10 <= end:
        if data[at + 4] != 45:
            at += 5
            continue
        if data[at + 5] != 66 or data[at + 6] != 69 or data[at + 7] != 71 or not _dashes(data, at, end):
            at += 1
            continue
        first, last = at, at + 10
        highest = min(end, first + KEY_BLOCK_REACH)
        while last + 8 <= highest:
            ends = data[last + 5] == 69 and data[last + 6] == 78 and data[last + 7] == 68
            if ends and _dashes(data, last, end):
                break
            last += 1
        last = min(last + 8, highest)
        while last < highest and data[last] != 10:
            last += 1
        return first, last
    return end, end


@kernel(types.boolean(types.uint8))
def _is_token_byte(byte: int) -> bool:
    return _is_alphanumeric(byte) or byte == 95 or byte == 45


@kernel(_SPAN(READ_UINT8, types.int64, types.int64, types.boolean, types.int64, types.int64, types.int64))
def _next_run(
    data: Bytes, at: int, end: int, punctuated: bool, shortest: int, longest: int, fewest: int
) -> tuple[int, int]:
    """First run of letters and digits (`punctuated`: of token bytes) with a letter and `fewest` digits."""
    while at + shortest <= end:
        # Nearly all runs are words: look for a digit, then for the run around it.
        probe = at
        while probe < end and not 48 <= data[probe] <= 57:
            probe += 1
        if probe == end:
            break
        first, last = probe, probe + 1
        while first > at and (
            _is_token_byte(data[first - 1]) if punctuated else _is_alphanumeric(data[first - 1])
        ):
            first -= 1
        while last < end and (_is_token_byte(data[last]) if punctuated else _is_alphanumeric(data[last])):
            last += 1
        if shortest <= last - first <= longest:
            digits, letters = 0, 0
            for place in range(first, last):
                digit = 48 <= data[place] <= 57
                digits += digit
                letters += not digit and data[place] != 95 and data[place] != 45
            if digits >= fewest and letters > 0:
                return first, last
        at = last + 1
    return end, end


@kernel(types.boolean(types.uint8))
def _is_group_byte(byte: int) -> bool:
    return 48 <= byte <= 57 or 65 <= byte <= 90


@kernel(types.boolean(types.uint8))
def _is_gap(byte: int) -> bool:
    return byte == 32 or byte == 45 or byte == 46


@kernel(_SPAN(READ_UINT8, types.int64, types.int64))
def _next_grouped(data: Bytes, at: int, end: int) -> tuple[int, int]:
    """First run around a digit in which every gap stands between two capitals or digits."""
    begin = at
    while at < end:
        if not 48 <= data[at] <= 57:
            at += 1
            continue
        first, last = at, at + 1
        low, high = max(begin, at - GROUPED_BEFORE), min(end, at + GROUPED_AFTER)
        while first > low and (
            _is_group_byte(data[first - 1])
            or (_is_gap(data[first - 1]) and first - 2 >= low and _is_group_byte(data[first - 2]))
        ):
            first -= 1
        while last < high and (
            _is_group_byte(data[last])
            or (_is_gap(data[last]) and last + 1 < high and _is_group_byte(data[last + 1]))
        ):
            last += 1
        digits, letters, gaps = 0, 0, 0
        for place in range(first, last):
            digits += 48 <= data[place] <= 57
            letters += 65 <= data[place] <= 90
            gaps += _is_gap(data[place])
        enough = digits >= _IDENTIFIER_DIGITS and digits + letters >= _IDENTIFIER_SHORTEST
        if enough and letters > 0 and gaps > 0:
            return first, last
        at = last
    return end, end


@kernel(_SPAN(types.int64, READ_UINT8, types.int64, types.int64, types.int64))
def _next_mark(kind: int, data: Bytes, at: int, start: int, end: int) -> tuple[int, int]:
    """The next candidate of a class in document bytes [start, end), looking from `at` on."""
    if kind == MAC:
        first, last = _next_mac(data, at, end)
    elif kind == CREDENTIALS:
        first, last = _next_credentials(data, at, start, end)
    elif kind == ASSIGNMENT:
        first, last = _next_assignment(data, at, start, end)
    elif kind == KEY_BLOCK:
        first, last = _next_key_block(data, at, end)
    elif kind == TOKEN:
        first, last = _next_run(data, at, end, True, TOKEN_SHORTEST, TOKEN_LONGEST, 1)
    elif kind == GROUPED:
        first, last = _next_grouped(data, at, end)
    else:
        shortest, longest = _IDENTIFIER_SHORTEST, _IDENTIFIER_LONGEST
        first, last = _next_run(data, at, end, False, shortest, longest, _IDENTIFIER_DIGITS)
    return first, last


@kernel(types.Tuple(_SPAN_ARRAYS)(READ_UINT8, READ_INT64, types.int64))
def find_marks(data: Bytes, offsets: Int64, kind: int) -> tuple[Int64, Int64, Int64]:
    """Candidates of one class (`MAC` to `GROUPED`) in n texts, in order of position.

    `data` uint8, `offsets` int64[n + 1] as in `Texts`. Returns `rows`, `starts`, `ends`, all int64[m]; starts
    and ends are positions in `data`. Candidates of `ASSIGNMENT` and `CREDENTIALS` may overlap.
    """
    room = 64
    rows, starts, ends = np.empty(room, np.int64), np.empty(room, np.int64), np.empty(room, np.int64)
    count = 0
    for row in range(len(offsets) - 1):
        start, end = offsets[row], offsets[row + 1]
        at = start
        while at < end:
            first, last = _next_mark(kind, data, at, start, end)
            if first >= end:
                break
            if count == room:
                rows, starts, ends = _grown(rows), _grown(starts), _grown(ends)
                room *= 2
            rows[count], starts[count], ends[count] = row, first, last
            count += 1
            at = last
    return rows[:count].copy(), starts[:count].copy(), ends[:count].copy()
