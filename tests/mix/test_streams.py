"""Document streams of other trainers: golden bytes, and what a format cannot hold."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusforge.errors import UsageError
from corpusforge.mix.streams import STREAM_FORMATS, token_type, write_stream

END = 2
DOCUMENTS = [[5, 6, 7, END], [END], [8, END]]
NAMES = ["aa", "bb", "cc"]


def written(kind: str, folder: Path, documents: list[list[int]], vocabulary: int = 1000) -> dict[str, bytes]:
    offsets = np.concatenate([[0], np.cumsum([len(item) for item in documents], dtype=np.int64)]).astype(
        np.int64
    )
    ids = np.array([value for item in documents for value in item], np.uint32)
    names = NAMES if len(documents) == len(NAMES) else [str(at) for at in range(len(documents))]
    files = write_stream(kind, str(folder), "00007", (ids, offsets), vocabulary, names, "web", "tok")
    assert [item.samples for item in files] == [len(documents), *[0] * (len(files) - 1)]
    found = {item.name: (folder / item.name).read_bytes() for item in files}
    assert all(len(found[item.name]) == item.bytes for item in files)
    return found


def test_datatrove(tmp_path):
    found = written("datatrove", tmp_path, DOCUMENTS)
    assert found == {
        "00007.ds": bytes.fromhex("0500 0600 0700 0200 0200 0800 0200"),
        "00007.ds.index": bytes.fromhex("0400000000000000 0500000000000000 0700000000000000"),
        "00007.ds.metadata": b"tok|2\n7\n7",
    }


def test_llmc_begins_documents_with_the_end_token(tmp_path):
    found = written("llmc", tmp_path, DOCUMENTS)["00007.bin"]
    assert found[:1024] == bytes.fromhex("88d83401 01000000 07000000") + bytes(1012)
    assert found[1024:] == bytes.fromhex("0200 0500 0600 0700 0200 0200 0800")
    large = written("llmc", tmp_path, DOCUMENTS, 70_000)["00007.bin"]
    assert np.frombuffer(large[:12], "<i4").tolist() == [20240801, 7, 7]
    assert np.frombuffer(large[1024:], "<u4").tolist() == [2, 5, 6, 7, 2, 2, 8]


def test_nanogpt_is_nothing_but_ids(tmp_path):
    assert written("nanogpt", tmp_path, DOCUMENTS) == {
        "00007.bin": bytes.fromhex("0500 0600 0700 0200 0200 0800 0200")
    }
    with pytest.raises(UsageError, match="two bytes, which do not hold 65537 tokens"):
        written("nanogpt", tmp_path, DOCUMENTS, 65_537)


def test_olmo_has_the_bounds_of_documents_beside_it(tmp_path):
    found = written("olmo", tmp_path, DOCUMENTS)
    assert found["00007.npy"] == bytes.fromhex("0500 0600 0700 0200 0200 0800 0200")
    assert gzip.decompress(found["00007.csv.gz"]) == b"0,4,aa,web\n4,5,bb,web\n5,7,cc,web\n"
    mapped = np.memmap(tmp_path / "00007.npy", np.uint16, "r")
    assert mapped.tolist() == [5, 6, 7, 2, 2, 8, 2]


documents = st.lists(st.lists(st.integers(3, 999), max_size=6).map(lambda item: [*item, END]), max_size=8)


@given(documents)
def test_all_formats_hold_the_same_documents(tmp_path_factory, given_documents):
    folder = tmp_path_factory.mktemp("streams")
    flat = [value for item in given_documents for value in item]
    for kind in STREAM_FORMATS:
        data = written(kind, folder, given_documents)
        first = data[next(iter(data))]
        ids = np.frombuffer(first[1024:] if kind == "llmc" else first, "<u2").tolist()
        if kind == "llmc":
            flat_llmc = [value for item in given_documents for value in [END, *item[:-1]]]
            assert ids == flat_llmc
        else:
            assert ids == flat


def test_ids_outside_the_vocabulary_are_refused(tmp_path):
    with pytest.raises(ValueError, match="outside the vocabulary of 8"):
        written("olmo", tmp_path, DOCUMENTS, 8)
    assert list(tmp_path.iterdir()) == []
    assert token_type(65_536).itemsize == 2
    assert token_type(65_537).itemsize == 4
