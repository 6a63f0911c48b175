from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpusforge.atomic_file import WrittenFile
from corpusforge.mix.megatron import MegatronReader, MegatronWriter


def write(
    directory: Path,
    documents: list[list[int]],
    batch: int = 100,
    limit: int | None = None,
    vocabulary: int = 100,
) -> list[WrittenFile]:
    with MegatronWriter(directory, "tokens", vocabulary, limit) as writer:
        for first in range(0, len(documents), batch):
            part = documents[first : first + batch]
            ids = np.array([token for document in part for token in document], np.uint32)
            offsets = np.concatenate([[0], np.cumsum([len(document) for document in part])]).astype(np.int64)
            writer.write(ids, offsets)
        return writer.finish()


def test_golden_bytes(tmp_path: Path) -> None:
    files = write(tmp_path, [[5, 6, 2], [7, 2]])
    assert [file.name for file in files] == ["tokens_00000.bin", "tokens_00000.idx"]
    assert (tmp_path / "tokens_00000.bin").read_bytes() == bytes.fromhex("0500 0600 0200 0700 0200")
    assert (tmp_path / "tokens_00000.idx").read_bytes() == (
        b"MMIDIDX\0\0"
        + bytes.fromhex("0100000000000000 08 0200000000000000 0300000000000000")
        + struct.pack("<2i", 3, 2)
        + struct.pack("<2q", 0, 6)
        + struct.pack("<3q", 0, 1, 2)
    )
    assert files[0].samples == 2


def test_larger_vocabularies_are_int32(tmp_path: Path) -> None:
    write(tmp_path, [[70_000, 2]], vocabulary=100_000)
    assert (tmp_path / "tokens_00000.bin").read_bytes() == struct.pack("<2i", 70_000, 2)
    assert (tmp_path / "tokens_00000.idx").read_bytes()[17] == 4
    # The limit is Megatron's own, not 65,536.
    write(tmp_path, [[1]], vocabulary=65_499)
    assert (tmp_path / "tokens_00000.idx").read_bytes()[17] == 8
    write(tmp_path, [[1]], vocabulary=65_500)
    assert (tmp_path / "tokens_00000.idx").read_bytes()[17] == 4


documents_strategy = st.lists(st.lists(st.integers(0, 99), min_size=1, max_size=12), max_size=30)


@given(documents_strategy, st.integers(1, 10), st.one_of(st.none(), st.integers(1, 60)))
@settings(max_examples=40, deadline=None)
def test_documents_come_back(
    tmp_path_factory: pytest.TempPathFactory, documents: list[list[int]], batch: int, limit: int | None
) -> None:
    directory, other = tmp_path_factory.mktemp("a"), tmp_path_factory.mktemp("b")
    files = write(directory, documents, batch, limit)
    # Batches leave no trace.
    assert write(other, documents, 7, limit) == files
    found = []
    for file in files[::2]:
        reader = MegatronReader(directory / file.name.removesuffix(".bin"))
        assert len(reader) == file.samples
        assert limit is None or file.bytes <= limit or len(reader) == 1
        found += [reader.document(index).tolist() for index in range(len(reader))]
    assert found == documents


def test_an_error_leaves_no_unfinished_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="outside the vocabulary"):
        write(tmp_path, [[1], [100]], batch=1)
    with pytest.raises(ValueError, match="without tokens"):
        write(tmp_path, [[1], []], batch=1)
    assert list(tmp_path.iterdir()) == []


def test_damage_is_noticed(tmp_path: Path) -> None:
    write(tmp_path, [[5, 6, 2], [7, 2]])
    prefix = tmp_path / "tokens_00000"
    index, data = tmp_path / "tokens_00000.idx", tmp_path / "tokens_00000.bin"
    good = index.read_bytes()
    for damaged, message in (
        (good[:20], "too short"),
        (b"X" + good[1:], "not a Megatron index"),
        (good[:-1], "asks for"),
        (good[:18] + b"\xff" * 8 + good[26:], "asks for"),
        (good[:34] + struct.pack("<i", 9) + good[38:], "points elsewhere"),
        (good[:34] + struct.pack("<i", -1) + good[38:], "points elsewhere"),
        (good[:-8] + struct.pack("<q", 5), "do not cover"),
        (good[:-16] + struct.pack("<q", 5) + good[-8:], "do not rise"),
    ):
        index.write_bytes(damaged)
        with pytest.raises(ValueError, match=message):
            MegatronReader(prefix)
    index.write_bytes(good)
    data.write_bytes(data.read_bytes()[:-1])
    with pytest.raises(ValueError, match="points elsewhere"):
        MegatronReader(prefix)


def test_documents_of_several_sequences(tmp_path: Path) -> None:
    write(tmp_path, [[5, 6, 2], [7, 2]])
    index = tmp_path / "tokens_00000.idx"
    good = index.read_bytes()
    # One document of both sequences, and the int8 modes that multimodal data has.
    head = good[:26] + struct.pack("<Q", 2) + good[34:-24]
    index.write_bytes(head + struct.pack("<2q", 0, 2) + b"\0\0")
    reader = MegatronReader(tmp_path / "tokens_00000")
    assert [reader.document(0).tolist()] == [[5, 6, 2, 7, 2]]
