"""Paragraphs: what stands between blank lines, which hold nothing but spaces, tabs and carriage returns."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corpusforge.kernels.array_types import INT64, READ_INT64, READ_UINT8
from corpusforge.kernels.loading import kernel, types

Bytes = npt.NDArray[np.uint8]
Int64 = npt.NDArray[np.int64]

_LINE_FEED = 10


def split_paragraphs(data: Bytes, offsets: Int64) -> tuple[Int64, Int64, Int64, Int64]:
    r"""Find the paragraphs of n texts; they and their separators cover the text, and an empty text has one.

    A separator is a line feed and one or several blank lines behind it (``\n(?:[ \t\r]*\n)+``). Returns
    `document_offsets` int64[n + 1], `starts`, `ends` (of the content) and `stops` (of the separator) int64[p],
    byte positions in `data`.
    """
    room = len(offsets) - 1 + int(np.count_nonzero(data[offsets[0] : offsets[-1]] == _LINE_FEED))
    document_offsets = np.zeros(len(offsets), np.int64)
    columns = np.empty((3, room), np.int64)
    count = _split_paragraphs(data, offsets, document_offsets, columns[0], columns[1], columns[2])
    return document_offsets, columns[0, :count], columns[1, :count], columns[2, :count]


@kernel(types.int64(READ_UINT8, READ_INT64, INT64, INT64, INT64, INT64))
def _split_paragraphs(
    data: Bytes, offsets: Int64, document_offsets: Int64, starts: Int64, ends: Int64, stops: Int64
) -> int:
    count = 0
    for document in range(len(offsets) - 1):
        start = offsets[document]
        end = offsets[document + 1]
        at = start
        while at < end:
            if data[at] != _LINE_FEED:
                at += 1
                continue
            stop = at
            ahead = at + 1
            while ahead < end and (
                data[ahead] == 0x20 or data[ahead] == 0x09 or data[ahead] == 0x0D or data[ahead] == _LINE_FEED
            ):
                if data[ahead] == _LINE_FEED:
                    stop = ahead + 1
                ahead += 1
            if stop == at:
                at = ahead
                continue
            starts[count] = start
            ends[count] = at
            stops[count] = stop
            count += 1
            start = at = stop
        starts[count] = start
        ends[count] = end
        stops[count] = end
        count += 1
        document_offsets[document + 1] = count
    return count
