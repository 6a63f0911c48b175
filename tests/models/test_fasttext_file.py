"""Model files: what is read, and that damage is an error and never more."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from models.fasttext_twin import SOFTMAX, small_model

from corpusforge.kernels.fasttext_sums import PRUNED, WORDS
from corpusforge.models.fasttext_file import read_fasttext_file


@pytest.mark.parametrize("pruned", [False, True])
def test_reads_what_was_written(tmp_path: Path, pruned: bool) -> None:
    twin = small_model(8, pruned=pruned, dimension=7)
    (tmp_path / "model").write_bytes(twin.file())
    model = read_fasttext_file(tmp_path / "model")
    assert model.labels == tuple(twin.labels)
    assert model.settings[WORDS] == len(twin.words)
    assert model.settings[PRUNED] == pruned
    spelled = [
        model.names[start:end].tobytes()
        for start, end in zip(model.name_offsets[:-1], model.name_offsets[1:])
    ]
    assert spelled == twin.words + [f"__label__{label}".encode() for label in twin.labels]
    order = np.arange(len(twin.matrix))
    if twin.pruned is not None:
        order[len(twin.words) :] = len(twin.words) + np.array([row for _, row in sorted(twin.pruned.items())])
    np.testing.assert_allclose(model.matrix, twin.matrix[order], rtol=1e-6)
    np.testing.assert_array_equal(model.weights, twin.output.T)


def test_lid176(shared_data: Path) -> None:
    model = read_fasttext_file(shared_data / "models" / "lid.176.ftz")
    assert len(model.labels) == 176
    assert model.labels[:3] == ("en", "ru", "de")
    assert model.matrix.shape == (50_000, 16)
    assert model.settings.tolist() == [7235, 2, 4, 2_000_000, 1, 1]


@given(cut=st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_cut_short(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    content = small_model(9, pruned=True).file()
    path = tmp_path_factory.mktemp("cut") / "model"
    path.write_bytes(content[: cut % len(content)])
    with pytest.raises(ValueError, match=r"."):
        read_fasttext_file(path)


@given(place=st.integers(0, 400), value=st.integers(-(2**31), 2**31 - 1), pruned=st.booleans())
@settings(max_examples=150, deadline=None)
def test_damaged(tmp_path_factory: pytest.TempPathFactory, place: int, value: int, pruned: bool) -> None:
    content = bytearray(small_model(10, pruned=pruned, layer=SOFTMAX).file())
    content[place : place + 4] = struct.pack("<i", value)
    path = tmp_path_factory.mktemp("damaged") / "model"
    path.write_bytes(content)
    try:
        model = read_fasttext_file(path)
    except ValueError:
        return
    assert len(model.matrix) >= model.settings[WORDS]
    assert model.weights.shape == (model.matrix.shape[1], len(model.labels))


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (0, 1, "begin"),
        (4, 13, "begin"),
        (8, 0, "out of range"),
        (32, 9, "supervised"),
        (36, 1, "supervised"),
        (64, 7, "dictionary"),
    ],
)
def test_says_what_is_wrong(tmp_path: Path, place: int, value: int, message: str) -> None:
    content = bytearray(small_model(10).file())
    content[place : place + 4] = struct.pack("<i", value)
    (tmp_path / "model").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_fasttext_file(tmp_path / "model")
