"""The parts of HTML's tokenizer that tell tags from what only looks like them (HTML standard, section 13.2.5)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

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


@kernel(types.boolean(_I), inline="always")
def is_space(byte: int) -> bool:
    """Tell whether a byte is ASCII white space of HTML."""
    return byte == 32 or byte == 10 or byte == 9 or byte == 13 or byte == 12


@kernel(types.boolean(_I), inline="always")
def is_letter(byte: int) -> bool:
    """Tell whether a byte is an ASCII letter."""
    return 97 <= (byte | 32) <= 122


@kernel(types.UniTuple(_I, 5)(_BYTES, _I))
def read_tag(data: npt.NDArray[np.uint8], position: int) -> tuple[int, int, int, int, int]:
    """Read a tag whose name begins at `position`: end of the name, end of the tag, attributes, self-closing, hash.

    The hash covers all of the tag's bytes as they stand. A tag without an end reaches the end of the data and counts
    as -1 in the second place.
    """
    n = len(data)
    i = position
    while i < n and not (is_space(data[i]) or data[i] == 47 or data[i] == 62):
        i += 1
    name_end = i
    attributes = 0
    self_closing = 0
    while True:
        while i < n and (is_space(data[i]) or data[i] == 47):
            self_closing = 1 if data[i] == 47 else 0
            i += 1
        if i >= n:
            return name_end, -1, attributes, 0, 0
        if data[i] == 62:
            break
        attributes += 1
        self_closing = 0
        i += 1  # an attribute's name may begin with "="
        while i < n and not (is_space(data[i]) or data[i] == 47 or data[i] == 62 or data[i] == 61):
            i += 1
        after = i
        while after < n and is_space(data[after]):
            after += 1
        if after >= n or data[after] != 61:
            continue
        i = after + 1
        while i < n and is_space(data[i]):
            i += 1
        if i < n and (data[i] == 34 or data[i] == 39):
            quote = data[i]
            i += 1
            while i < n and data[i] != quote:
                i += 1
            i += 1
        else:
            while i < n and not (is_space(data[i]) or data[i] == 62):
                i += 1
    value = np.uint64(OFFSET_BASIS)
    for k in range(position, i):
        value = (value ^ np.uint64(data[k])) * np.uint64(PRIME)
    return name_end, i + 1, attributes, self_closing, int(np.int64(value))


@kernel(types.boolean(_BYTES, _I), inline="always")
def is_comment(data: npt.NDArray[np.uint8], position: int) -> bool:
    """Tell whether the "<" at `position` begins "<!--"; three more bytes must be there."""
    return bool(data[position + 1] == 33 and data[position + 2] == 45 and data[position + 3] == 45)


@kernel(_U(_BYTES, _I, _I))
def hash_name(data: npt.NDArray[np.uint8], start: int, end: int) -> np.uint64:
    """FNV-1a, uint64, of a name in lower case."""
    value = np.uint64(OFFSET_BASIS)
    for k in range(start, end):
        byte = np.uint64(data[k])
        if 65 <= byte <= 90:
            byte = byte | np.uint64(32)
        value = (value ^ byte) * np.uint64(PRIME)
    return value


@kernel(types.boolean(_BYTES, _I, _BYTES, _I, _I))
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


@kernel(_I(_BYTES, _I, _I, _I, types.boolean))
def skip_raw(data: npt.NDArray[np.uint8], position: int, start: int, end: int, is_script: bool) -> int:
    """Find the end tag of the raw text element named `data[start:end]`; gives its "<", or the end of the data."""
    n = len(data)
    escaped = 0  # 1: in "<!--" of a script, 2: in a script of it (13.2.5.17 and following)
    i = position
    while i < n:
        if is_script and escaped and data[i] == 45 and i + 2 < n and data[i + 1] == 45 and data[i + 2] == 62:
            escaped = 0
        if data[i] == 60 and i + 1 < n:
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


@kernel(_I(_BYTES, _I))
def skip_comment(data: npt.NDArray[np.uint8], position: int) -> int:
    """Find the end of a comment; `position` is behind its "<!--"."""
    n = len(data)
    if position < n and data[position] == 62:
        return position + 1
    if position + 1 < n and data[position] == 45 and data[position + 1] == 62:
        return position + 2
    for i in range(position, n - 2):
        if data[i] == 45 and data[i + 1] == 45:
            if data[i + 2] == 62:
                return i + 3
            if data[i + 2] == 33 and i + 3 < n and data[i + 3] == 62:
                return i + 4
    return n


@kernel(_I(_BYTES, _I, types.boolean))
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
    for i in range(position + 2, n):
        if data[i] == 62:
            return i + 1
    return n
