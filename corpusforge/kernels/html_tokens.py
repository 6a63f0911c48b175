"""The parts of HTML's tokenizer that tell tags from what only looks like them (HTML standard, section 13.2.5)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corpusforge.kernels.html_search import find_byte
from corpusforge.kernels.loading import kernel, types

OFFSET_BASIS, PRIME = 0xCBF29CE484222325, 0x100000001B3
"""FNV-1a, 64 bit."""

_BYTES = types.Array(types.uint8, 1, "C", readonly=True)
_I = types.int64
_U = types.uint64


def name_hash(name: str) -> int:
    """FNV-1a of a lower-case name, as the kernels compute it."""
    value = OFFSET_BASIS
    for byte in name.encode():
        value = (value ^ byte) * PRIME & (2**64 - 1)
    return value


def _ends(text: bytes) -> npt.NDArray[np.bool_]:
    table = np.zeros(256, np.bool_)
    table[list(text)] = True
    return table


ENDS_NAME = _ends(b" \n\t\r\f/>")
"""Bytes that end the name of a tag."""


@kernel(types.boolean(_I), inline="always", _nrt=False)
def is_space(byte: int) -> bool:
    """Tell whether a byte is ASCII white space of HTML."""
    return byte == 32 or byte == 10 or byte == 9 or byte == 13 or byte == 12


@kernel(types.boolean(_I), inline="always", _nrt=False)
def is_letter(byte: int) -> bool:
    """Tell whether a byte is an ASCII letter."""
    return 97 <= (byte | 32) <= 122


@kernel(types.Tuple((_I, _U))(_BYTES, _I), _nrt=False)
def read_name(data: npt.NDArray[np.uint8], position: int) -> tuple[int, np.uint64]:
    """Read the name of a tag that begins at `position`: where it ends, and FNV-1a of it in lower case."""
    n = len(data)
    value = np.uint64(OFFSET_BASIS)
    i = position
    while i < n and not ENDS_NAME[data[i]]:
        byte = np.uint64(data[i])
        if 65 <= byte <= 90:
            byte = byte | np.uint64(32)
        value = (value ^ byte) * np.uint64(PRIME)
        i += 1
    return i, value


@kernel(_I(_BYTES, _I, _I), _nrt=False)
def hash_tag(data: npt.NDArray[np.uint8], begin: int, end: int) -> int:
    """FNV-1a of `data[begin:end]` as it stands, as a signed number."""
    value = np.uint64(OFFSET_BASIS)
    for k in range(begin, end):
        value = (value ^ np.uint64(data[k])) * np.uint64(PRIME)
    return int(np.int64(value))


@kernel(types.boolean(_BYTES, _I), inline="always", _nrt=False)
def is_comment(data: npt.NDArray[np.uint8], position: int) -> bool:
    """Tell whether the "<" at `position` begins "<!--"; three more bytes must be there."""
    return bool(data[position + 1] == 33 and data[position + 2] == 45 and data[position + 3] == 45)


@kernel(types.boolean(_BYTES, _I, _BYTES, _I, _I), _nrt=False)
def name_at(
    data: npt.NDArray[np.uint8], position: int, names: npt.NDArray[np.uint8], start: int, end: int
) -> bool:
    """Tell whether the letters `names[start:end]` (any case) stand at `position`, and the name ends there."""
    length = end - start
    if position + length >= len(data):
        return False
    for k in range(length):
        a = data[position + k]
        b = names[start + k]
        if a != b and not (is_letter(a) and (a | 32) == (b | 32)):
            return False
    after = data[position + length]
    return bool(is_space(after) or after == 47 or after == 62)


@kernel(_I(_BYTES, _I, _I, _I, types.boolean), _nrt=False)
def skip_raw(data: npt.NDArray[np.uint8], position: int, start: int, end: int, is_script: bool) -> int:
    """Find the end tag of the raw text element named `data[start:end]`; gives its "<", or the end of the data."""
    n = len(data)
    escaped = 0  # 1: in "<!--" of a script, 2: in a script of it (13.2.5.17 and following)
    i = position
    while i < n:
        if not escaped:
            i = find_byte(data, 60, i, n)
        elif data[i] == 45 and i + 2 < n and data[i + 1] == 45 and data[i + 2] == 62:
            escaped = 0
        if i + 1 < n and data[i] == 60:
            if data[i + 1] == 47 and name_at(data, i + 2, data, start, end):
                if escaped != 2:
                    return i
                escaped = 1
            elif is_script and escaped == 1 and name_at(data, i + 1, data, start, end):
                escaped = 2
            elif is_script and escaped == 0 and i + 3 < n and is_comment(data, i):
                escaped = 1
                i += 1  # "<!-->" ends at once: its hyphens may serve twice
        i += 1
    return n


@kernel(_I(_BYTES, _I), _nrt=False)
def skip_comment(data: npt.NDArray[np.uint8], position: int) -> int:
    """Find the end of a comment; `position` is behind its "<!--"."""
    n = len(data)
    if position < n and data[position] == 62:
        return position + 1
    if position + 1 < n and data[position] == 45 and data[position + 1] == 62:
        return position + 2
    end = find_byte(data, 62, position, n)
    while end < n:
        if end - 2 >= position and data[end - 1] == 45 and data[end - 2] == 45:
            return int(end + 1)
        if end - 3 >= position and data[end - 1] == 33 and data[end - 2] == 45 and data[end - 3] == 45:
            return int(end + 1)
        end = find_byte(data, 62, end + 1, n)
    return n


@kernel(_I(_BYTES, _I, types.boolean), _nrt=False)
def skip_declaration(data: npt.NDArray[np.uint8], position: int, is_foreign: bool) -> int:
    """Find the end of "<!…", "<?…" or "</" without a name; `position` is that of "<"."""
    n = len(data)
    if data[position + 1] == 33:
        if position + 3 < n and is_comment(data, position):
            return int(skip_comment(data, position + 4))
        if is_foreign and position + 8 < n and data[position + 2] == 91 and data[position + 8] == 91:
            for i in range(position + 9, n - 2):
                if data[i] == 93 and data[i + 1] == 93 and data[i + 2] == 62:
                    return i + 3
            return n
    return int(min(find_byte(data, 62, position + 2, n) + 1, n))
