"""Spans to cut when sentences go: lines keep their shape, and a line that loses everything goes with its end."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corpusforge.kernels.array_types import INT64, READ_INT64
from corpusforge.kernels.loading import kernel, types

Int64 = npt.NDArray[np.int64]

_READ_BOOL = types.Array(types.boolean, 1, "C", readonly=True)


def cut_sentences(
    line_offsets: Int64,
    line_starts: Int64,
    line_ends: Int64,
    line_stops: Int64,
    starts: Int64,
    ends: Int64,
    gone: npt.NDArray[np.bool_],
) -> tuple[Int64, Int64, Int64]:
    """Give the spans to cut: lines int64[c], starts and ends int64[c], in order, not touching inside a line.

    Line i stands at ``line_starts[i]:line_ends[i]``, with its line feed it ends at ``line_stops[i]``; it has the
    sentences ``line_offsets[i]:line_offsets[i + 1]``, which stand at ``starts[j]:ends[j]``, and those with `gone`
    bool[s] go. A line whose sentences all go is cut with its line feed, sentences at a line's end with the white
    space before them, all others with that behind them.
    """
    room = len(starts)
    columns = np.empty((3, room), np.int64)
    count = _cut_sentences(
        line_offsets,
        line_starts,
        line_ends,
        line_stops,
        starts,
        ends,
        gone,
        columns[0],
        columns[1],
        columns[2],
    )
    return columns[0, :count], columns[1, :count], columns[2, :count]


@kernel(types.int64(*[READ_INT64] * 6, _READ_BOOL, INT64, INT64, INT64))
def _cut_sentences(
    line_offsets: Int64,
    line_starts: Int64,
    line_ends: Int64,
    line_stops: Int64,
    starts: Int64,
    ends: Int64,
    gone: npt.NDArray[np.bool_],
    cut_lines: Int64,
    cut_starts: Int64,
    cut_ends: Int64,
) -> int:
    count = 0
    for line in range(len(line_starts)):
        first = line_offsets[line]
        last = line_offsets[line + 1]
        at = first
        while at < last:
            if not gone[at]:
                at += 1
                continue
            begin = at
            while at < last and gone[at]:
                at += 1
            cut_lines[count] = line
            if begin == first and at == last:
                cut_starts[count] = line_starts[line]
                cut_ends[count] = line_stops[line]
            elif at == last:
                cut_starts[count] = ends[begin - 1]
                cut_ends[count] = line_ends[line]
            else:
                cut_starts[count] = starts[begin]
                cut_ends[count] = starts[at]
            count += 1
    return count
