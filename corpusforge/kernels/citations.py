"""Wikipedia's marks in running text: ``[12]``, ``[]``, ``[edit]``, ``[citation needed]``."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corpusforge.kernels.array_types import INT64, READ_INT64, READ_UINT8
from corpusforge.kernels.loading import kernel, types

Bytes = npt.NDArray[np.uint8]
Int64 = npt.NDArray[np.int64]

_EDIT = np.frombuffer(b"[edit]", np.uint8)
_CITATION_NEEDED = np.frombuffer(b"[citation needed]", np.uint8)
_OPEN, _CLOSE = 0x5B, 0x5D


def find_citations(data: Bytes, starts: Int64, ends: Int64) -> tuple[Int64, Int64, Int64]:
    """Find citation marks in m spans of text.

    Returns `spans` (which span), `starts` and `ends` (byte positions in `data`), int64[c] each, in order. A
    mark is a pair of brackets around ASCII digits or nothing, or one of the two words above in lower case (C4:
    `c4_utils.py` of TensorFlow Datasets).
    """
    spans, found_starts, found_ends = _find_citations(data, starts, ends, _EDIT, _CITATION_NEEDED)
    return spans, found_starts, found_ends


@kernel(types.boolean(READ_UINT8, types.int64, types.int64, READ_UINT8))
def _stands_at(data: Bytes, at: int, end: int, mark: Bytes) -> bool:
    if at + len(mark) > end:
        return False
    same = 0
    while same < len(mark) and data[at + same] == mark[same]:
        same += 1
    return same == len(mark)


@kernel(types.int64(READ_UINT8, types.int64, types.int64, READ_UINT8, READ_UINT8))
def _citation_end(data: Bytes, at: int, end: int, edit: Bytes, needed: Bytes) -> int:
    """End of the citation mark that begins at `at`, where a bracket opens, or -1."""
    position = at + 1
    while position < end and 48 <= data[position] <= 57:
        position += 1
    if position < end and data[position] == _CLOSE:
        return position + 1
    if _stands_at(data, at, end, edit):
        return at + len(edit)
    if _stands_at(data, at, end, needed):
        return at + len(needed)
    return -1


@kernel(types.UniTuple(INT64, 3)(READ_UINT8, READ_INT64, READ_INT64, READ_UINT8, READ_UINT8))
def _find_citations(
    data: Bytes, starts: Int64, ends: Int64, edit: Bytes, needed: Bytes
) -> tuple[Int64, Int64, Int64]:
    bound = 0
    for span in range(len(starts)):
        for at in range(starts[span], ends[span]):
            bound += data[at] == _OPEN
    spans = np.empty(bound, np.int64)
    found_starts = np.empty(bound, np.int64)
    found_ends = np.empty(bound, np.int64)
    count = 0
    for span in range(len(starts) if bound else 0):
        at = starts[span]
        while at < ends[span]:
            stop = _citation_end(data, at, ends[span], edit, needed) if data[at] == _OPEN else -1
            if stop > 0:
                spans[count] = span
                found_starts[count] = at
                found_ends[count] = stop
                count += 1
            at = max(stop, at + 1)
    return spans[:count], found_starts[:count], found_ends[:count]
