from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpusforge.mix.mds import MdsWriter, read_index
from corpusforge.mix.packing import Mode, pack
from corpusforge.mix.rows import build_rows, packed_columns, tokens_from_arrays, write_rows


def documents(lengths: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Token ids that tell the document and the place: document * 1000 + place."""
    ids = [document * 1000 + place for document, length in enumerate(lengths) for place in range(length)]
    return np.array(ids, np.uint32), np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


@given(
    st.lists(st.integers(0, 90), max_size=40),
    st.integers(1, 50),
    st.sampled_from(["best_fit", "concatenate"]),
    st.integers(1, 7),
)
@settings(max_examples=150, deadline=None)
def test_rows_hold_all_tokens_in_any_slices(lengths: list[int], capacity: int, mode: Mode, step: int) -> None:
    ids, offsets = documents(lengths)
    packing = pack(np.diff(offsets), capacity, mode)
    source = tokens_from_arrays(ids, offsets)
    seen: list[int] = []
    for first in range(0, packing.rows, step):
        rows = build_rows(packing, first, min(first + step, packing.rows), source, padding=999_999)
        for row, tokens in enumerate(rows.tokens):
            bounds = rows.boundaries(row).tolist()
            owners = rows.documents[rows.offsets[row] : rows.offsets[row + 1]].tolist()
            assert bounds[0] == 0
            assert bounds[-1] == rows.used[row]
            assert (tokens[bounds[-1] :] == 999_999).all()
            for begin, end, owner in zip(bounds[:-1], bounds[1:], owners, strict=True):
                piece = tokens[begin:end]
                assert (piece // 1000 == owner).all()
                assert (np.diff(piece.astype(np.int64)) == 1).all()
                seen += piece.tolist()
    assert sorted(seen) == ids.tolist()


def test_a_source_that_gives_too_little_is_refused() -> None:
    packing = pack(np.array([5]), 8)
    with pytest.raises(ValueError, match="gave 2 tokens where 5"):
        build_rows(packing, 0, 1, lambda document, start, length: np.zeros(2, np.uint32), 0)
    with pytest.raises(ValueError, match="outside a packing"):
        build_rows(packing, 0, 2, tokens_from_arrays(*documents([5])), 0)
    with pytest.raises(ValueError, match="no tokens 3 to 6"):
        tokens_from_arrays(*documents([5, 5]))(0, 3, 3)


def test_rows_go_to_shards(tmp_path: Path) -> None:
    ids, offsets = documents([3, 2, 4])
    rows = build_rows(pack(np.diff(offsets), 5), 0, 2, tokens_from_arrays(ids, offsets), 7)
    writer = MdsWriter(tmp_path, packed_columns("uint16", {"source": "str"}))
    write_rows(writer, rows, {"source": ["a", "b"]})
    writer.finish()
    (shard,) = read_index(tmp_path)
    samples = [shard.sample(index) for index in range(2)]
    assert [sample["tokens"].tolist() for sample in samples] == [
        [2000, 2001, 2002, 2003, 7],
        [0, 1, 2, 1000, 1001],
    ]
    assert [sample["boundaries"].tolist() for sample in samples] == [[0, 4], [0, 3, 5]]
    assert [sample["source"] for sample in samples] == ["a", "b"]
