"""Applying edits to a column of texts, and finding where a position of the edited text came from."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corpusforge.kernels.array_types import INT64, READ_INT64, READ_UINT8, UINT8
from corpusforge.kernels.loading import kernel, types

Bytes = npt.NDArray[np.uint8]
Int64 = npt.NDArray[np.int64]


def apply_edits(
    data: Bytes,
    offsets: Int64,
    rows: Int64,
    starts: Int64,
    ends: Int64,
    replacement_data: Bytes,
    replacement_offsets: Int64,
) -> tuple[Bytes, Int64]:
    """Copy n texts with m spans replaced, in one pass.

    `data` uint8, `offsets` int64[n + 1]: the texts. `rows`, `starts`, `ends` int64[m]: spans in byte
    positions relative to the start of their text, sorted by (row, start), not overlapping; an empty span
    inserts. Span k
    becomes ``replacement_data[replacement_offsets[k]:replacement_offsets[k + 1]]`` (int64[m + 1]).

    Returns the new `data` uint8 and `offsets` int64[n + 1], which start at 0. Raises `ValueError` when the
    arrays differ in length, or when a span lies outside its text, is reversed, overlaps the one before or is
    out of order.
    """
    if not len(rows) == len(starts) == len(ends) == len(replacement_offsets) - 1:
        raise ValueError("rows, starts, ends and replacements differ in length")
    bad = _first_bad_span(offsets, rows, starts, ends)
    if bad >= 0:
        raise ValueError(
            f"edit {bad} (row {rows[bad]}, {starts[bad]}..{ends[bad]}) is out of bounds or out of order"
        )
    sizes = np.diff(offsets)
    np.add.at(sizes, rows, np.diff(replacement_offsets) - (ends - starts))
    new_offsets = np.zeros(len(offsets), np.int64)
    np.cumsum(sizes, out=new_offsets[1:])
    new_data = np.empty(int(new_offsets[-1]), np.uint8)
    _copy_edited(
        data, offsets, rows, starts, ends, replacement_data, replacement_offsets, new_data, new_offsets
    )
    return new_data, new_offsets


def to_source_starts(
    rows: Int64, starts: Int64, ends: Int64, replacement_offsets: Int64, query_rows: Int64, positions: Int64
) -> Int64:
    """Map starts of spans in the edited text to byte positions in the text before the edits.

    The edits are given as to `apply_edits`; `query_rows` and `positions` int64[q] are sorted by (row,
    position). Where text was removed exactly at a position, the answer is the place *after* it; a position
    strictly inside a replacement gives the start of the replaced span. Returns int64[q]; raises `ValueError`
    when the queries are not sorted.
    """
    _check_queries(query_rows, positions)
    return np.asarray(_source_starts(rows, starts, ends, replacement_offsets, query_rows, positions))


def to_source_ends(
    rows: Int64, starts: Int64, ends: Int64, replacement_offsets: Int64, query_rows: Int64, positions: Int64
) -> Int64:
    """Map ends of spans in the edited text to byte positions in the text before the edits.

    As `to_source_starts`, but where text was removed exactly at a position, the answer is the place *before*
    it; a position strictly inside a replacement gives the end of the replaced span. So the image of a span
    that is not empty covers whole replacements, and no removed text at its borders. For an empty span
    (an insertion) use this function for both of its ends: `to_source_starts` may give a later place.
    """
    _check_queries(query_rows, positions)
    return np.asarray(_source_ends(rows, starts, ends, replacement_offsets, query_rows, positions))


def _check_queries(rows: Int64, positions: Int64) -> None:
    if len(rows) != len(positions):
        raise ValueError("rows and positions differ in length")
    backwards = (rows[1:] < rows[:-1]) | ((rows[1:] == rows[:-1]) & (positions[1:] < positions[:-1]))
    if backwards.any():
        raise ValueError("positions are not sorted by (row, position)")


@kernel(types.int64(READ_INT64, READ_INT64, READ_INT64, READ_INT64))
def _first_bad_span(offsets: Int64, rows: Int64, starts: Int64, ends: Int64) -> int:
    """Index of the first span that `apply_edits` must refuse, or -1."""
    for k in range(len(rows)):
        row = rows[k]
        if row < 0 or row >= len(offsets) - 1:
            return k
        if starts[k] < 0 or ends[k] < starts[k] or ends[k] > offsets[row + 1] - offsets[row]:
            return k
        if k > 0 and (row < rows[k - 1] or (row == rows[k - 1] and starts[k] < ends[k - 1])):
            return k
    return -1


@kernel(types.void(READ_UINT8, types.int64, types.int64, UINT8, types.int64))
def _copy(source: Bytes, start: int, end: int, target: Bytes, at: int) -> None:
    if end > start:
        target[at : at + end - start] = source[start:end]


@kernel(
    types.void(
        READ_UINT8, READ_INT64, READ_INT64, READ_INT64, READ_INT64, READ_UINT8, READ_INT64, UINT8, READ_INT64
    )
)
def _copy_edited(
    data: Bytes,
    offsets: Int64,
    rows: Int64,
    starts: Int64,
    ends: Int64,
    replacement_data: Bytes,
    replacement_offsets: Int64,
    new_data: Bytes,
    new_offsets: Int64,
) -> None:
    edit = 0
    for row in range(len(offsets) - 1):
        at = new_offsets[row]
        begin = offsets[row]
        done = begin
        while edit < len(rows) and rows[edit] == row:
            start = begin + starts[edit]
            _copy(data, done, start, new_data, at)
            at += start - done
            first, last = replacement_offsets[edit], replacement_offsets[edit + 1]
            _copy(replacement_data, first, last, new_data, at)
            at += last - first
            done = begin + ends[edit]
            edit += 1
        _copy(data, done, offsets[row + 1], new_data, at)


_MAP_SIGNATURE = INT64(READ_INT64, READ_INT64, READ_INT64, READ_INT64, READ_INT64, READ_INT64)


@kernel(_MAP_SIGNATURE)
def _source_starts(
    rows: Int64, starts: Int64, ends: Int64, replacement_offsets: Int64, query_rows: Int64, positions: Int64
) -> Int64:
    mapped = np.empty(len(positions), np.int64)
    edit = 0
    row = np.int64(-1)
    moved = 0  # new position minus source position behind the edits passed so far in this row
    for query in range(len(positions)):
        if query_rows[query] != row:
            row = query_rows[query]
            moved = 0
            while edit < len(rows) and rows[edit] < row:
                edit += 1
        position = positions[query]
        while edit < len(rows) and rows[edit] == row:
            size = replacement_offsets[edit + 1] - replacement_offsets[edit]
            if starts[edit] + moved + size > position:
                break
            moved += size - (ends[edit] - starts[edit])
            edit += 1
        if edit < len(rows) and rows[edit] == row and starts[edit] + moved <= position:
            mapped[query] = starts[edit]
        else:
            mapped[query] = position - moved
    return mapped


@kernel(_MAP_SIGNATURE)
def _source_ends(
    rows: Int64, starts: Int64, ends: Int64, replacement_offsets: Int64, query_rows: Int64, positions: Int64
) -> Int64:
    mapped = np.empty(len(positions), np.int64)
    edit = 0
    row = np.int64(-1)
    moved = 0
    passed = 0  # source end of the last edit passed in this row
    for query in range(len(positions)):
        if query_rows[query] != row:
            row = query_rows[query]
            moved = 0
            passed = 0
            while edit < len(rows) and rows[edit] < row:
                edit += 1
        position = positions[query]
        while edit < len(rows) and rows[edit] == row and starts[edit] + moved < position:
            size = replacement_offsets[edit + 1] - replacement_offsets[edit]
            moved += size - (ends[edit] - starts[edit])
            passed = ends[edit]
            edit += 1
        mapped[query] = max(passed, position - moved)
    return mapped
