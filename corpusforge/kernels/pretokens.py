r"""Pre-tokens of byte-level BPE models: what their published regular expressions match, without an engine for them.

Two families (`\p{L}` letters, `\p{N}` numbers, alternatives tried in this order):

- GPT-2 (``encoder.py`` of openai/gpt-2): contractions ``'s|'t|'re|'ve|'m|'ll|'d``; letters, numbers or other
  characters, each with one space before them; white space but for its last character, which goes to what follows.
- cl100k (``tiktoken_ext/openai_public.py``), Llama 3, Qwen 2: contractions in either case; letters with any one
  character before them that is no letter, number or line end; numbers in groups; other characters with one space
  before and line ends behind them; white space up to its last line end; other white space as above. cl100k takes white
  space at the end of a text as one, line ends or not; the others do not.

Letters and numbers are those of Unicode 16, as in the regular expressions of tiktoken 0.14 and tokenizers 0.23: the
project's table, which is older, and what has come since.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corpusforge.kernels import unicode_table
from corpusforge.kernels.array_types import READ_INT64, READ_UINT8
from corpusforge.kernels.loading import kernel, types
from corpusforge.kernels.unicode_table import decode

Bytes = npt.NDArray[np.uint8]
Int64 = npt.NDArray[np.int64]

LETTER, NUMBER, SPACE, LINE, OTHER = 1, 2, 4, 8, 16
"""Classes of characters; `LINE` are carriage return and line feed, `SPACE` all other white space."""

ADDED_LETTERS = (
    "1c89*2 a7cb*3 a7da*3 105c0*34 10d4a*1c 10d6f*17 10ec2*3 1123f*2 11380*a 1138b*1 1138e*1 11390*26 113b7*1 113d1*1 "
    "113d3*1 11bc0*21 11f02*1 11f04*d 11f12*22 1342f*1 13441*6 13460*f9b 16100*1e 16d40*2d 18cff*1 1b132*1 1b155*1 "
    "1df25*6 1e030*3e 1e4d0*1c 1e5d0*1e 1e5f0*1 2b739*1 2ebf0*26e 31350*1060"
)
"""Letters of Unicode 15 to 16: first code point*length, hexadecimal (UnicodeData.txt)."""
ADDED_NUMBERS = (
    "10d40*a 116d0*14 11bf0*a 11f50*a 16130*a 16d70*a 1ccf0*a 1d2c0*14 1e4f0*a 1e5f1*a"  # as above
)

_APOSTROPHE = 0x27
_SPACE = 0x20
_UNLIMITED = 1 << 62
_LINES = (0x0D, 0x0A)


def _classes() -> Bytes:
    table = unicode_table.CLASSES
    classes = np.full(len(table), OTHER, np.uint8)
    classes[(table & unicode_table.LETTER) > 0] = LETTER
    classes[(table & (unicode_table.DIGIT | unicode_table.NUMBER)) > 0] = NUMBER
    classes[(table & unicode_table.SPACE) > 0] = SPACE
    classes[list(_LINES)] = LINE
    for runs, kind in ((ADDED_LETTERS, LETTER), (ADDED_NUMBERS, NUMBER)):
        for run in runs.split():
            first, length = (int(part, 16) for part in run.split("*"))
            classes[first : first + length] = kind
    classes.flags.writeable = False
    return classes


PRETOKEN_CLASSES: Bytes = _classes()
"""uint8[0x110000]: the class of every code point."""


@kernel(types.UniTuple(types.int64, 2)(READ_UINT8, types.int64, types.int64, READ_UINT8))
def _class_at(data: Bytes, at: int, end: int, classes: Bytes) -> tuple[int, int]:
    """Class and bytes of the character at `at`; no character (0, 0) at the end."""
    if at >= end:
        return 0, 0
    byte = data[at]
    if byte < 0x80:
        return int(classes[byte]), 1
    code_point, size = decode(data, at, end)
    return int(classes[code_point]), int(size)


@kernel(types.int64(READ_UINT8, types.int64, types.int64, READ_UINT8, types.int64, types.int64))
def _run_end(data: Bytes, at: int, end: int, classes: Bytes, kind: int, most: int) -> int:
    """End of at most `most` characters of one class from `at` on."""
    while most > 0:
        here, size = _class_at(data, at, end, classes)
        if here != kind:
            break
        at += size
        most -= 1
    return at


@kernel(types.int64(READ_UINT8, types.int64, types.int64, types.boolean))
def _contraction_end(data: Bytes, at: int, end: int, any_case: bool) -> int:
    """End of 's, 't, 're, 've, 'm, 'll or 'd at `at`, where an apostrophe stands; `at` without one."""
    if at + 1 >= end:
        return at
    first = np.int64(data[at + 1])
    second = np.int64(data[at + 2]) if at + 2 < end else np.int64(0)
    if any_case:
        # U+017F, the long s, is an s in either case.
        if first == 0xC5 and second == 0xBF:
            return at + 3
        if 0x41 <= first <= 0x5A:
            first |= 0x20
        if 0x41 <= second <= 0x5A:
            second |= 0x20
    if first == 0x73 or first == 0x74 or first == 0x6D or first == 0x64:
        return at + 2
    if second == 0x65 and (first == 0x72 or first == 0x76):
        return at + 3
    if first == 0x6C and second == 0x6C:
        return at + 3
    return at


@kernel(types.int64(READ_UINT8, types.int64, types.int64, READ_UINT8, types.boolean, types.boolean))
def _space_end(data: Bytes, at: int, end: int, classes: Bytes, lines_apart: bool, whole_tail: bool) -> int:
    """End of the white space at `at`."""
    place = previous = at
    line_end = -1
    while True:
        here, size = _class_at(data, place, end, classes)
        if here != SPACE and here != LINE:
            break
        previous = place
        place += size
        if here == LINE:
            line_end = place
    if whole_tail and place == end:
        return place
    if lines_apart and line_end >= 0:
        return line_end
    if place == end or previous == at:
        return place
    return previous


@kernel(
    types.int64(READ_UINT8, types.int64, types.int64, READ_UINT8, types.boolean, types.int64, types.boolean)
)
def _pretoken_end(
    data: Bytes, at: int, end: int, classes: Bytes, joins: bool, digits: int, whole_tail: bool
) -> int:
    """End of the pre-token at `at` < end; see `split_pretokens`."""
    stop: int = at
    if data[at] == _APOSTROPHE:
        stop = _contraction_end(data, at, end, joins)
        if stop > at:
            return stop
    kind, size = _class_at(data, at, end, classes)
    following, _ = _class_at(data, at + size, end, classes)
    if kind == LETTER or (joins and kind != NUMBER and kind != LINE and following == LETTER):
        stop = _run_end(data, at + size, end, classes, LETTER, _UNLIMITED)
        return stop
    start = at
    if data[at] == _SPACE and (following == OTHER or (not joins and following in (LETTER, NUMBER))):
        start = at + 1
        kind = following
    if kind == LETTER:
        stop = _run_end(data, start, end, classes, LETTER, _UNLIMITED)
    elif kind == NUMBER:
        stop = _run_end(data, start, end, classes, NUMBER, digits)
    elif kind == OTHER:
        stop = _run_end(data, start, end, classes, OTHER, _UNLIMITED)
        if joins:
            stop = _run_end(data, stop, end, classes, LINE, _UNLIMITED)
    else:
        stop = _space_end(data, at, end, classes, joins, whole_tail)
    return stop


@kernel(
    types.Tuple((types.int64[::1], types.int64[::1]))(
        READ_UINT8, READ_INT64, READ_UINT8, types.boolean, types.int64, types.boolean
    )
)
def split_pretokens(
    data: Bytes, offsets: Int64, classes: Bytes, joins: bool, digits: int, whole_tail: bool
) -> tuple[Int64, Int64]:
    """Find the pre-tokens of n texts: (index int64[n + 1], starts int64[c + 1]).

    Text i has the pre-tokens ``index[i]:index[i + 1]``; number k begins at byte ``starts[k]`` of `data` and ends where
    the next one begins. Empty texts have none. The texts must lie end to end, as `offsets` says. `classes` is
    `PRETOKEN_CLASSES`; `joins` chooses the second family, with at most `digits` numbers together, and `whole_tail`
    cl100k's white space at the end of a text. Bytes that are no UTF-8 are other characters, one by one.
    """
    index = np.empty(len(offsets), np.int64)
    # As many as there are bytes: what is not written to takes no memory.
    starts = np.empty(offsets[len(offsets) - 1] - offsets[0] + 1, np.int64)
    count = np.int64(0)
    for text in range(len(offsets) - 1):
        index[text] = count
        at, end = offsets[text], offsets[text + 1]
        while at < end:
            starts[count] = at
            count += 1
            at = _pretoken_end(data, at, end, classes, joins, digits, whole_tail)
    index[len(offsets) - 1] = count
    starts[count] = offsets[len(offsets) - 1]
    return index, starts[: count + 1].copy()
