r"""Lines: what stands between line feeds. Only "\n" ends a line, so that a line's end is one known byte."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corpusforge.kernels.array_types import INT64, READ_INT64, READ_UINT8
from corpusforge.kernels.fasttext_ngrams import ones
from corpusforge.kernels.loading import kernel, types
from corpusforge.kernels.vectors import line_feed_bits_64

Bytes = npt.NDArray[np.uint8]
Int64 = npt.NDArray[np.int64]

_LINE_FEED = 10
_BLOCK = 64
_ONE = np.uint64(1)


def split_lines(data: Bytes, offsets: Int64) -> tuple[Int64, Int64, Int64]:
    r"""Find the lines of n texts; a text with k line feeds has k + 1 lines, an empty text one empty line.

    `data` uint8, `offsets` int64[n + 1]. Returns `document_offsets` int64[n + 1], `starts` and `ends`
    int64[l]: byte positions in `data`, without the line feed. A carriage return stays part of its line.
    """
    document_offsets, starts, ends = _split_lines(data, offsets)
    return document_offsets, starts, ends


@kernel(types.UniTuple(INT64, 3)(READ_UINT8, READ_INT64))
def _split_lines(data: Bytes, offsets: Int64) -> tuple[Int64, Int64, Int64]:
    documents = len(offsets) - 1
    lines = np.int64(documents)
    block = offsets[0]
    while block + _BLOCK <= offsets[documents]:
        lines += np.int64(ones(line_feed_bits_64(data, np.uint64(block))))
        block += _BLOCK
    for at in range(block, offsets[documents]):
        lines += data[at] == _LINE_FEED
    document_offsets = np.zeros(documents + 1, np.int64)
    starts = np.empty(lines, np.int64)
    ends = np.empty(lines, np.int64)
    count = 0
    for document in range(documents):
        start = offsets[document]
        block = start
        while block + _BLOCK <= offsets[document + 1]:
            bits = line_feed_bits_64(data, np.uint64(block))
            while bits:
                first = bits & (~bits + _ONE)
                ends[count] = block + np.int64(ones(first - _ONE))
                starts[count] = start
                start = ends[count] + 1
                count += 1
                bits ^= first
            block += _BLOCK
        for at in range(block, offsets[document + 1]):
            if data[at] == _LINE_FEED:
                starts[count] = start
                ends[count] = at
                count += 1
                start = at + 1
        starts[count] = start
        ends[count] = offsets[document + 1]
        count += 1
        document_offsets[document + 1] = count
    return document_offsets, starts, ends
