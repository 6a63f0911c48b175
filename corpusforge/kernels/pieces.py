"""What is left of texts when runs of bytes are cut out with a margin, and short pieces with them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corpusforge.kernels.array_types import INT64, READ_INT64, READ_UINT8, UINT8
from corpusforge.kernels.loading import kernel, types

Bytes = npt.NDArray[np.uint8]
Int64 = npt.NDArray[np.int64]


@kernel(
    types.Tuple((INT64, INT64, INT64, INT64, INT64, UINT8))(
        READ_UINT8, READ_INT64, READ_INT64, READ_INT64, READ_INT64, types.int64, types.int64
    )
)
def cut_pieces(
    data: Bytes,
    offsets: Int64,
    run_offsets: Int64,
    run_starts: Int64,
    run_ends: Int64,
    margin: int,
    least: int,
) -> tuple[Int64, Int64, Int64, Int64, Int64, Bytes]:
    """Cut runs of bytes out of texts, with `margin` characters on both sides, and then the pieces that are left short.

    `data` uint8, `offsets` int64[n + 1]: texts in UTF-8; `run_offsets` int64[n + 1] indexes `run_starts` and `run_ends`
    int64, ascending and apart inside a text. Pieces of fewer than `least` characters are cut too. Returns pieces
    before that int64[n] and after it int64[n] (1 and 1 for texts without runs), and what is cut: rows, starts and ends
    int64[c], and uint8[c] that is 1 between two pieces that are left.
    """
    texts = len(offsets) - 1
    pieces, left = np.ones(texts, np.int64), np.ones(texts, np.int64)
    room = 2 * len(run_starts) + texts
    rows, starts, ends = np.empty(room, np.int64), np.empty(room, np.int64), np.empty(room, np.int64)
    between = np.zeros(room, np.uint8)
    count = 0
    for row in range(texts):
        if run_offsets[row] == run_offsets[row + 1]:
            continue
        low, high = offsets[row], offsets[row + 1]
        pieces[row] = left[row] = 0
        # The text from `cut` on is cut up to where a piece that is kept begins.
        cut = begin = low
        for run in range(run_offsets[row], run_offsets[row + 1] + 1):
            if run == run_offsets[row + 1]:
                end = behind = high
            else:
                end, behind = run_starts[run], run_ends[run]
                for _ in range(margin):
                    if end > begin:
                        end -= 1
                        while end > begin and data[end] & 0xC0 == 0x80:
                            end -= 1
                    if behind < high:
                        behind += 1
                        while behind < high and data[behind] & 0xC0 == 0x80:
                            behind += 1
            if end > begin:
                characters = 0
                for at in range(begin, end):
                    characters += data[at] & 0xC0 != 0x80
                pieces[row] += 1
                if characters >= least:
                    if begin > cut:
                        rows[count], starts[count], ends[count] = row, cut, begin
                        between[count] = left[row] > 0
                        count += 1
                    left[row] += 1
                    cut = end
            begin = max(begin, behind)
        if high > cut:
            rows[count], starts[count], ends[count] = row, cut, high
            count += 1
    return (
        pieces,
        left,
        rows[:count].copy(),
        starts[:count].copy(),
        ends[:count].copy(),
        between[:count].copy(),
    )
