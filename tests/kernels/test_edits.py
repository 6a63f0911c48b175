"""Edits against slow twins that work on lists of bytes."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusforge.kernels.edits import apply_edits, to_source_ends, to_source_starts

Span = tuple[int, int, bytes]


def columns(texts: list[bytes]) -> tuple[np.ndarray, np.ndarray]:
    data = np.frombuffer(b"".join(texts), np.uint8)
    return data, np.cumsum([0, *map(len, texts)]).astype(np.int64)


def edit_arrays(edits: list[list[Span]]) -> tuple[np.ndarray, ...]:
    flat = [(row, *span) for row, spans in enumerate(edits) for span in spans]
    rows, starts, ends = (np.array([item[i] for item in flat], np.int64) for i in range(3))
    return rows, starts, ends, *columns([item[3] for item in flat])


def twin_apply(text: bytes, spans: list[Span]) -> bytes:
    for start, end, replacement in reversed(spans):
        text = text[:start] + replacement + text[end:]
    return text


def twin_origins(text: bytes, spans: list[Span]) -> list[tuple[int, int]]:
    """For every byte of the edited text: the (start, end) of the source span it stands for."""
    origins: list[tuple[int, int]] = []
    done = 0
    for start, end, replacement in spans:
        origins += [(i, i + 1) for i in range(done, start)]
        origins += [(start, end)] * len(replacement)
        done = end
    return origins + [(i, i + 1) for i in range(done, len(text))]


@st.composite
def edited_texts(draw: st.DrawFn) -> tuple[list[bytes], list[list[Span]]]:
    texts = draw(st.lists(st.binary(max_size=12), max_size=4))
    edits = []
    for text in texts:
        cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=6)))
        pairs = zip(cuts[::2], cuts[1::2])
        edits.append([(start, end, draw(st.binary(max_size=3))) for start, end in pairs])
    return texts, edits


@given(edited_texts())
def test_apply_matches_the_twin(case: tuple[list[bytes], list[list[Span]]]) -> None:
    texts, edits = case
    data, offsets = apply_edits(*columns(texts), *edit_arrays(edits))
    found = [data[a:b].tobytes() for a, b in pairwise(offsets)]
    assert found == [twin_apply(text, spans) for text, spans in zip(texts, edits)]


@given(edited_texts())
def test_source_positions_match_the_twin(case: tuple[list[bytes], list[list[Span]]]) -> None:
    """The start of byte p of the edited text is where p came from; the end behind p is where p ended."""
    texts, edits = case
    rows, starts, ends, _, replacement_offsets = edit_arrays(edits)
    origins = [twin_origins(text, spans) for text, spans in zip(texts, edits)]
    query_rows = np.array([row for row, found in enumerate(origins) for _ in found], np.int64)
    first = np.array([p for found in origins for p in range(len(found))], np.int64)
    mapped = to_source_starts(rows, starts, ends, replacement_offsets, query_rows, first)
    assert mapped.tolist() == [origin[0] for found in origins for origin in found]
    mapped = to_source_ends(rows, starts, ends, replacement_offsets, query_rows, first + 1)
    assert mapped.tolist() == [origin[1] for found in origins for origin in found]


def test_borders_and_insides() -> None:
    # "abcdef": remove "cd" -> "abef"; replace "cd" by "XYZ" -> "abXYZef"; insert "XYZ" at 2 -> "abXYZcdef"
    def both(start: int, end: int, size: int, position: int) -> tuple[int, int]:
        edit = [np.array([v], np.int64) for v in (0, start, end)] + [np.array([0, size], np.int64)]
        query = np.zeros(1, np.int64), np.array([position], np.int64)
        return int(to_source_starts(*edit, *query)[0]), int(to_source_ends(*edit, *query)[0])

    assert [both(2, 4, 0, p) for p in (0, 1, 2, 3, 4)] == [(0, 0), (1, 1), (4, 2), (5, 5), (6, 6)]
    assert [both(2, 4, 3, p) for p in (1, 2, 3, 4, 5, 6)] == [(1, 1), (2, 2), (2, 4), (2, 4), (4, 4), (5, 5)]
    assert [both(2, 2, 3, p) for p in (2, 3, 4, 5, 6)] == [(2, 2), (2, 2), (2, 2), (2, 2), (3, 3)]
    assert both(0, 6, 0, 0) == (6, 0)


def test_offsets_need_not_start_at_zero() -> None:
    data = np.frombuffer(b"??abcdef", np.uint8)
    offsets = np.array([2, 5, 8], np.int64)
    spans = (np.array([1]), np.array([0]), np.array([1]))
    new, new_offsets = apply_edits(data, offsets, *spans, np.zeros(0, np.uint8), np.zeros(2, np.int64))
    assert (new.tobytes(), new_offsets.tolist()) == (b"abcef", [0, 3, 5])


@pytest.mark.parametrize(
    "spans",
    [
        [(0, 2, 1)],
        [(0, -1, 1)],
        [(0, 0, 4)],
        [(1, 0, 0)],
        [(-1, 0, 0)],
        [(0, 0, 2), (0, 1, 3)],
        [(0, 2, 3), (0, 0, 1)],
        [(0, 0, 2), (0, 0, 0)],
    ],
)
def test_bad_spans_are_refused(spans: list[tuple[int, int, int]]) -> None:
    rows, starts, ends = (np.array(column, np.int64) for column in zip(*spans))
    with pytest.raises(ValueError, match="out of"):
        apply_edits(
            *columns([b"abc"]), rows, starts, ends, np.zeros(0, np.uint8), np.zeros(len(spans) + 1, np.int64)
        )


def test_unsorted_queries_are_refused() -> None:
    none = np.zeros(0, np.int64)
    for function in (to_source_starts, to_source_ends):
        with pytest.raises(ValueError, match="sorted"):
            function(none, none, none, np.zeros(1, np.int64), np.zeros(2, np.int64), np.array([2, 1]))
