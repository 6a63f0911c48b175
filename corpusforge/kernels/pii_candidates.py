"""Byte scans that find where personal data could stand: cheap, generous, and blind to meaning.

A candidate is a span of bytes that a recognizer should look at. Every scan is linear, works inside one
document, and stops a candidate at a bounded size, so no input makes it slow.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corpusforge.kernels.array_types import READ_INT64, READ_UINT8
from corpusforge.kernels.loading import kernel, types

Bytes = npt.NDArray[np.uint8]
Int64 = npt.NDArray[np.int64]

EMAIL = 0
"""An at sign (ASCII or full-width) with the characters around it that are no white space."""
NUMBER = 1
"""At least 7 digits with telephone punctuation between them: telephone, card and social security numbers."""
IPV4 = 2
"""A run of digits and dots in which at least 3 dots stand between two digits."""
IPV6 = 3
"""A run of hexadecimal digits, colons and dots with "::" or at least 6 colons, and a digit."""
IBAN = 4
"""Two letters and two digits, continued to at least 15 letters and digits of the first letter's case in all;
between capitals single blanks and hyphens may stand."""
CRYPTO = 5
"""A run of 26 to 128 ASCII letters and digits."""
CLASSES = 6
"""Number of candidate classes; those of `corpusforge.kernels.pii_marks` come after these."""

EMAIL_REACH = 320
"""Bytes on either side of an at sign: more than a local part (64) or domain (255; RFC 5321, 4.5.3.1)."""
NUMBER_DIGITS = 7
"""Fewest digits of a number: a local telephone number without its area."""
NUMBER_REACH = 1024
_SEPARATORS = 4
_IBAN_LENGTH = 15
_IBAN_LONGEST = 34
_CRYPTO_SHORTEST = 26
_CRYPTO_LONGEST = 128

_SPAN_ARRAYS = (types.int64[::1], types.int64[::1], types.int64[::1])


@kernel(types.boolean(types.uint8))
def _is_alphanumeric(byte: int) -> bool:
    return 48 <= byte <= 57 or 65 <= byte <= 90 or 97 <= byte <= 122


@kernel(types.boolean(types.uint8))
def _is_hexadecimal(byte: int) -> bool:
    return 48 <= byte <= 57 or 65 <= byte <= 70 or 97 <= byte <= 102


@kernel(types.boolean(types.uint8, types.uint8))
def _is_letter(byte: int, small: int) -> bool:
    """A small letter for `small` 32, a capital for 0."""
    return 65 + small <= byte <= 90 + small


@kernel(types.int64(READ_UINT8, types.int64, types.int64))
def _digit_width(data: Bytes, at: int, end: int) -> int:
    """Bytes of the decimal digit at `at`: ASCII 1, Arabic-Indic 2, full-width 3; 0 for anything else."""
    byte = data[at]
    if 48 <= byte <= 57:
        return 1
    if byte < 0xD9:
        return 0
    second = data[at + 1] if at + 1 < end else 0
    if (byte == 0xD9 and 0xA0 <= second <= 0xA9) or (byte == 0xDB and 0xB0 <= second <= 0xB9):
        return 2
    if at + 2 < end and byte == 0xEF and second == 0xBC and 0x90 <= data[at + 2] <= 0x99:
        return 3
    return 0


@kernel(types.int64(READ_UINT8, types.int64, types.int64))
def _separator_width(data: Bytes, at: int, end: int) -> int:
    """Bytes of the punctuation at `at` that may stand inside a telephone number; 0 for anything else.

    Space - . / ( ) [ ] ~ + x, no-break space, soft hyphen, U+200B to U+200F, U+2010 to U+2015, U+202F, U+2060, U+2212,
    U+3000, U+30FC, and the full-width forms U+FF08, U+FF09, U+FF0B, U+FF0D to U+FF0F.
    """
    byte = data[at]
    if byte < 0x80:
        plain = byte == 32 or byte == 45 or byte == 46 or byte == 47 or byte == 40 or byte == 41
        return 1 if plain or byte == 91 or byte == 93 or byte == 126 or byte == 43 or byte == 120 else 0
    if byte == 0xC2 and at + 1 < end and (data[at + 1] == 0xA0 or data[at + 1] == 0xAD):
        return 2
    if at + 2 >= end:
        return 0
    second, third = data[at + 1], data[at + 2]
    if byte == 0xE2:
        if second == 0x80 and (0x8B <= third <= 0x95 or third == 0xAF):
            return 3
        return 3 if (second == 0x81 and third == 0xA0) or (second == 0x88 and third == 0x92) else 0
    if byte == 0xE3:
        return 3 if (second == 0x80 and third == 0x80) or (second == 0x83 and third == 0xBC) else 0
    wide = third == 0x88 or third == 0x89 or third == 0x8B or 0x8D <= third <= 0x8F
    return 3 if byte == 0xEF and second == 0xBC and wide else 0


@kernel(types.UniTuple(types.int64, 2)(READ_UINT8, types.int64, types.int64, types.int64))
def _next_email(data: Bytes, at: int, start: int, end: int) -> tuple[int, int]:
    """First candidate whose at sign stands at `at` or later; (end, end) when there is none."""
    while (
        at < end
        and data[at] != 64
        and not (data[at] == 0xEF and at + 2 < end and data[at + 1] == 0xBC and data[at + 2] == 0xA0)
    ):
        at += 1
    if at >= end:
        return end, end
    first, last = at, at + 1
    while first > start and at - first < EMAIL_REACH and data[first - 1] > 32:
        first -= 1
    while last < end and last - at <= EMAIL_REACH and data[last] > 32:
        last += 1
    return first, last


@kernel(types.UniTuple(types.int64, 2)(READ_UINT8, types.int64, types.int64))
def _next_number(data: Bytes, at: int, end: int) -> tuple[int, int]:
    """First run of digits and punctuation, from digit to digit; newlines and long gaps end a run."""
    while at < end:
        # Nearly every byte is no digit: ASCII digits, or the lead bytes of those that `_digit_width` knows.
        while at < end and not 48 <= data[at] <= 57 and data[at] < 0xD9:
            at += 1
        if at == end:
            break
        if _digit_width(data, at, end) == 0:
            at += 1
            continue
        first, last, digits, separators = at, at, 0, 0
        while at < end and at - first < NUMBER_REACH:
            width = _digit_width(data, at, end)
            if width > 0:
                digits += 1
                separators = 0
                at += width
                last = at
                continue
            width = _separator_width(data, at, end)
            separators += 1
            if width == 0 or separators > _SEPARATORS:
                break
            at += width
        if digits >= NUMBER_DIGITS:
            return first, last
    return end, end


@kernel(types.UniTuple(types.int64, 2)(READ_UINT8, types.int64, types.int64))
def _next_ipv4(data: Bytes, at: int, end: int) -> tuple[int, int]:
    while at < end:
        if not 48 <= data[at] <= 57:
            at += 1
            continue
        first, dots = at, 0
        while at < end and (48 <= data[at] <= 57 or data[at] == 46):
            inner = data[at] == 46 and data[at - 1] != 46 and at + 1 < end and 48 <= data[at + 1] <= 57
            dots += inner
            at += 1
        if dots >= 3:
            return first, at
    return end, end


@kernel(types.UniTuple(types.int64, 2)(READ_UINT8, types.int64, types.int64, types.int64))
def _next_ipv6(data: Bytes, at: int, start: int, end: int) -> tuple[int, int]:
    while at < end:
        # Most bytes are no colon: look for one, then walk back to where its run begins.
        if data[at] != 58:
            at += 1
            continue
        first = at
        while first > start and at - first < 4 and _is_hexadecimal(data[first - 1]):
            first -= 1
        colons, digits, double = 0, 0, False
        for place in range(first, at):
            digits += 48 <= data[place] <= 57
        while at < end and (_is_hexadecimal(data[at]) or data[at] == 58 or data[at] == 46):
            if data[at] == 58:
                colons += 1
                double = double or (at > first and data[at - 1] == 58)
            digits += 48 <= data[at] <= 57
            at += 1
        if digits > 0 and (double or colons >= 6):
            return first, at
    return end, end


@kernel(types.UniTuple(types.int64, 2)(READ_UINT8, types.int64, types.int64, types.int64))
def _next_iban(data: Bytes, at: int, start: int, end: int) -> tuple[int, int]:
    while at + 4 <= end:
        # The third and fourth byte are digits in few places only; where the fourth is none, none begins behind either.
        if not 48 <= data[at + 3] <= 57:
            at += 2
            continue
        small = np.uint8(data[at] & 32)
        digits = 48 <= data[at + 2] <= 57
        letters = _is_letter(data[at], small) and _is_letter(data[at + 1], small)
        if not (digits and letters and (at == start or not _is_alphanumeric(data[at - 1]))):
            at += 1
            continue
        last, count = at + 4, 4
        while last < end and count < _IBAN_LONGEST:
            blank = small == 0 and (data[last] == 32 or data[last] == 45) and last + 1 < end
            step = 2 if blank else 1
            byte = data[last + step - 1]
            if not (48 <= byte <= 57 or _is_letter(byte, small)):
                break
            last += step
            count += 1
        if count >= _IBAN_LENGTH:
            return at, last
        at += 4
    return end, end


@kernel(types.UniTuple(types.int64, 2)(READ_UINT8, types.int64, types.int64))
def _next_crypto(data: Bytes, at: int, end: int) -> tuple[int, int]:
    while at + _CRYPTO_SHORTEST <= end:
        # A run of 26 that begins at or after `at` and before the next probe must cover the probe.
        probe = at + _CRYPTO_SHORTEST - 1
        if not _is_alphanumeric(data[probe]):
            at = probe + 1
            continue
        first, last = probe, probe + 1
        while first > at and _is_alphanumeric(data[first - 1]):
            first -= 1
        while last < end and _is_alphanumeric(data[last]):
            last += 1
        if _CRYPTO_SHORTEST <= last - first <= _CRYPTO_LONGEST:
            return first, last
        at = last + 1
    return end, end


@kernel(types.UniTuple(types.int64, 2)(types.int64, READ_UINT8, types.int64, types.int64, types.int64))
def _next_candidate(kind: int, data: Bytes, at: int, start: int, end: int) -> tuple[int, int]:
    """The next candidate of a class in document bytes [start, end), looking from `at` on."""
    if kind == EMAIL:
        first, last = _next_email(data, at, start, end)
    elif kind == NUMBER:
        first, last = _next_number(data, at, end)
    elif kind == IPV4:
        first, last = _next_ipv4(data, at, end)
    elif kind == IPV6:
        first, last = _next_ipv6(data, at, start, end)
    elif kind == IBAN:
        first, last = _next_iban(data, at, start, end)
    else:
        first, last = _next_crypto(data, at, end)
    return first, last


@kernel(types.int64[::1](types.int64[::1]))
def _grown(array: Int64) -> Int64:
    larger = np.empty(2 * len(array), np.int64)
    larger[: len(array)] = array
    return larger


@kernel(types.Tuple(_SPAN_ARRAYS)(READ_UINT8, READ_INT64, types.int64))
def find_candidates(data: Bytes, offsets: Int64, kind: int) -> tuple[Int64, Int64, Int64]:
    """Candidates of one class (`EMAIL` to `CRYPTO`) in n texts, in order of position.

    `data` uint8, `offsets` int64[n + 1] as in `Texts`. Returns `rows`, `starts`, `ends`, all int64[m]; starts
    and ends are positions in `data`. E-mail candidates may overlap, those of the other classes do not.
    """
    room = 64
    rows, starts, ends = np.empty(room, np.int64), np.empty(room, np.int64), np.empty(room, np.int64)
    count = 0
    for row in range(len(offsets) - 1):
        start, end = offsets[row], offsets[row + 1]
        at = start
        while at < end:
            first, last = _next_candidate(kind, data, at, start, end)
            if first >= end:
                break
            if count == room:
                rows, starts, ends = _grown(rows), _grown(starts), _grown(ends)
                room *= 2
            rows[count], starts[count], ends[count] = row, first, last
            count += 1
            at = last
    return rows[:count].copy(), starts[:count].copy(), ends[:count].copy()
