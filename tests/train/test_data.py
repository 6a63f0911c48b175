from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `train` (torch) is not installed")

from toys import LENGTH, VOCABULARY, toy_rows  # noqa: E402

from corpusforge.errors import UsageError  # noqa: E402
from corpusforge.mix.loader import PackedRows  # noqa: E402
from corpusforge.mix.mds import MdsWriter  # noqa: E402
from corpusforge.mix.megatron import MegatronWriter  # noqa: E402
from corpusforge.mix.rows import packed_columns  # noqa: E402
from corpusforge.train.data import Batches, Prefetcher, TokenRows, open_rows, row_length  # noqa: E402


def test_a_batch_is_the_loaders_rows_with_their_documents() -> None:
    rows = toy_rows()
    batch = Batches(rows, 8, 5, VOCABULARY).batch(3)
    assert batch.rows.tolist() == rows.order(3, 8, 5).tolist()
    for place, index in enumerate(batch.rows):
        row = rows.row(int(index))
        assert batch.tokens[place].tolist() == row.tokens.tolist()
        expected = np.full(LENGTH + 1, -1)
        for number, (begin, end) in enumerate(zip(row.boundaries, row.boundaries[1:])):
            expected[begin:end] = number
        assert batch.documents[place].tolist() == expected.tolist()
    assert batch.predicted == int((batch.documents[:, 1:] >= 0).sum())


def test_parts_of_a_batch_are_the_batch() -> None:
    batches = Batches(toy_rows(), 8, 0, VOCABULARY)
    whole = batches.batch(1)
    parts = [batches.batch(1, slice(begin, begin + 4)) for begin in (0, 4)]
    assert np.array_equal(np.concatenate([part.tokens for part in parts]), whole.tokens)
    assert np.array_equal(np.concatenate([part.documents for part in parts]), whole.documents)


def test_fingerprints_tell_tokens_and_boundaries_apart() -> None:
    tokens = np.zeros((4, 5), np.uint32)
    other = tokens.copy()
    other[3, 4] = 1
    cut = [np.array([0, 2, 5], np.int32)] * 4
    prints = {
        TokenRows(tokens).fingerprint,
        TokenRows(other).fingerprint,
        TokenRows(tokens, cut).fingerprint,
        TokenRows(tokens.reshape(5, 4)).fingerprint,
    }
    assert len(prints) == 4
    assert TokenRows(tokens.astype(np.uint16)).fingerprint == TokenRows(tokens).fingerprint


@pytest.mark.parametrize("array", [np.zeros(4, np.uint32), np.zeros((4, 1), np.uint32), np.zeros((4, 5))])
def test_arrays_that_are_no_rows_are_refused(array: np.ndarray) -> None:
    with pytest.raises(ValueError, match="token rows"):
        TokenRows(array)
    with pytest.raises(ValueError, match="boundaries for"):
        TokenRows(np.zeros((2, 5), np.uint32), [np.array([0, 5], np.int32)])


def test_tokens_outside_the_vocabulary_are_refused() -> None:
    for value in (VOCABULARY, -1):
        rows = TokenRows(np.full((3, 5), value, np.int32))
        with pytest.raises(ValueError, match="outside the vocabulary"):
            Batches(rows, 2, 0, VOCABULARY).batch(0)


def write_mds(folder: Path, rows: TokenRows) -> None:
    folder.mkdir(parents=True)
    writer = MdsWriter(folder, packed_columns("int32", {"source": "str"}))
    for index in range(len(rows)):
        row = rows.row(index)
        writer.write({"tokens": row.tokens, "boundaries": row.boundaries, "source": row.columns["source"]})
    writer.finish()


def test_a_run_directory_its_shards_and_one_folder_are_opened(tmp_path: Path) -> None:
    rows = toy_rows(20)
    for folder in ("00000", "00001"):
        write_mds(tmp_path / "shards" / "packed" / folder, rows)
    for path, count in (
        (tmp_path, 40),
        (tmp_path / "shards", 40),
        (tmp_path / "shards" / "packed" / "00001", 20),
    ):
        opened = open_rows(path)
        assert isinstance(opened, PackedRows)
        assert len(opened) == count
        assert row_length(opened) == LENGTH
    assert open_rows(tmp_path).row(23).columns == {"source": "odd"}


def test_document_streams_need_a_length(tmp_path: Path) -> None:
    lengths = np.arange(1, 31)
    ids = np.concatenate([np.arange(length) for length in lengths]).astype(np.uint16)
    with MegatronWriter(tmp_path, "some", 100) as writer:
        writer.write(ids, np.append(0, np.cumsum(lengths)))
        writer.finish()
    with pytest.raises(UsageError, match="--context"):
        open_rows(tmp_path)
    opened = open_rows(tmp_path, 9)
    assert (len(opened), row_length(opened)) == (46, 9)


def test_arrays_of_rows_are_opened(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.arange(20, dtype=np.uint16).reshape(4, 5))
    np.save(tmp_path / "b.npy", np.arange(10, dtype=np.uint16).reshape(2, 5))
    opened = open_rows(tmp_path)
    assert (len(opened), row_length(opened)) == (6, 4)
    assert opened.row(5).tokens.tolist() == [5, 6, 7, 8, 9]
    np.save(tmp_path / "c.npy", np.zeros((2, 6), np.uint16))
    with pytest.raises(ValueError, match="one length"):
        open_rows(tmp_path)
    (tmp_path / "c.npy").write_bytes(b"no array")
    with pytest.raises(ValueError, match=r"c\.npy"):
        open_rows(tmp_path)


def test_an_empty_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing to train on"):
        open_rows(tmp_path)
    with pytest.raises(UsageError, match="not a single row"):
        row_length(TokenRows(np.zeros((0, 5), np.uint32)))


def test_reading_ahead_changes_nothing() -> None:
    batches = Batches(toy_rows(), 8, 0, VOCABULARY)
    prefetcher = Prefetcher(batches, slice(0, 4))
    try:
        for number in (0, 1, 2, 7, 8, 3, 4):
            assert np.array_equal(prefetcher.take(number).tokens, batches.batch(number, slice(0, 4)).tokens)
        assert prefetcher.waited > 0
    finally:
        prefetcher.close()


def test_what_a_batch_holds_is_told_by_document() -> None:
    rows = toy_rows()
    described = Batches(rows, 8, 0, VOCABULARY).describe(2)
    assert [entry["row"] for entry in described] == rows.order(2, 8, 0).tolist()
    first = described[0]
    assert first["columns"]["source"] in ("even", "odd")
    assert [document[:2] for document in first["documents"]][:2] == [[0, 5], [5, 9]]
    assert len({document[2] for entry in described for document in entry["documents"]}) > 8
