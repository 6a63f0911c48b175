"""Character references in HTML text (HTML standard, sections 13.2.5.72 to 13.2.5.80)."""

from __future__ import annotations

from html.entities import html5

import numpy as np
import numpy.typing as npt

from corpusforge.kernels.html_tokens import OFFSET_BASIS, PRIME, name_hash
from corpusforge.kernels.loading import kernel, types

_BYTES = types.Array(types.uint8, 1, "C", readonly=True)
_I = types.int64

_LONGEST = max(len(name) for name in html5)
_LONGEST_BARE = max(len(name) for name in html5 if not name.endswith(";"))
_REPLACEMENT = 0xFFFD


def _named() -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
    """Hashes of the names without semicolon, sorted; first and second code point, and 1 if it may lack one."""
    rows: dict[int, tuple[int, int, int]] = {}
    for name, text in html5.items():
        bare = name.rstrip(";")
        second = ord(text[1]) if len(text) > 1 else 0
        rows[name_hash(bare)] = (ord(text[0]), second, int(bare in html5))
    hashes: list[int] = sorted(rows)
    return np.array(hashes, np.uint64), np.array([rows[value] for value in hashes], np.int64)


_HASHES, _VALUES = _named()
_WINDOWS = np.array([ord(bytes([byte]).decode("cp1252", "replace")) for byte in range(0x80, 0xA0)], np.int64)
_WINDOWS = np.where(_WINDOWS == _REPLACEMENT, np.arange(0x80, 0xA0), _WINDOWS)
"""What a reference to a C1 control character means."""


@kernel(types.boolean(_I), inline="always", _nrt=False)
def _is_alphanumeric(byte: int) -> bool:
    return 48 <= byte <= 57 or 97 <= (byte | 32) <= 122


@kernel(types.UniTuple(_I, 3)(_BYTES, _I), _nrt=False)
def _numeric(data: npt.NDArray[np.uint8], position: int) -> tuple[int, int, int]:
    """Decode "&#…"; see `character_reference`."""
    n = len(data)
    i = position + 2
    base = 10
    if i < n and data[i] | 32 == 120:
        base = 16
        i += 1
    begin = i
    value = 0
    while i < n:
        digit = int(data[i])
        if 48 <= digit <= 57:
            digit -= 48
        elif base == 16 and 97 <= (digit | 32) <= 102:
            digit = (digit | 32) - 87
        else:
            break
        value = min(value * base + digit, 0x110000)
        i += 1
    if i == begin:
        return 38, 0, position + 1
    if i < n and data[i] == 59:
        i += 1
    if value == 0 or value > 0x10FFFF or 0xD800 <= value <= 0xDFFF:
        value = _REPLACEMENT
    elif 0x80 <= value < 0xA0:
        value = int(_WINDOWS[value - 0x80])
    return int(value), 0, int(i)


@kernel(types.UniTuple(_I, 3)(_BYTES, _I), _nrt=False)
def character_reference(data: npt.NDArray[np.uint8], position: int) -> tuple[int, int, int]:
    """Decode what begins with the "&" at `position`.

    Gives one or two code points (0: none) and where the text goes on. What is no reference is an ampersand.
    """
    n = len(data)
    if position + 1 < n and data[position + 1] == 35:
        value, second, after = _numeric(data, position)
        return int(value), int(second), int(after)
    whole = np.uint64(OFFSET_BASIS)
    bare = -1
    bare_end = 0
    i = position + 1
    while i < n and i - position < _LONGEST and _is_alphanumeric(data[i]):
        whole = (whole ^ np.uint64(data[i])) * np.uint64(PRIME)
        i += 1
        if i - position - 1 <= _LONGEST_BARE:
            k = int(np.searchsorted(_HASHES, whole))
            if k < len(_HASHES) and _HASHES[k] == whole and _VALUES[k, 2]:
                bare = k
                bare_end = i
    if i < n and data[i] == 59:
        k = int(np.searchsorted(_HASHES, whole))
        if k < len(_HASHES) and _HASHES[k] == whole:
            return int(_VALUES[k, 0]), int(_VALUES[k, 1]), i + 1
    if bare >= 0:
        return int(_VALUES[bare, 0]), int(_VALUES[bare, 1]), bare_end
    return 38, 0, position + 1
