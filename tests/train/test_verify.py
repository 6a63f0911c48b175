from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `train` (torch) is not installed")

from toys import LENGTH, VOCABULARY, toy_model, toy_rows, toy_training  # noqa: E402

from corpusforge.mix.mds import MdsWriter  # noqa: E402
from corpusforge.mix.megatron import MegatronWriter  # noqa: E402
from corpusforge.mix.rows import packed_columns  # noqa: E402
from corpusforge.train.checkpoint import Checkpoints  # noqa: E402
from corpusforge.train.loop import TrainSettings, train  # noqa: E402
from corpusforge.train.verify import ListedFile, Verification, listed_files, manifest_beside, verify  # noqa: E402


def packed_run(run: Path) -> Path:
    """A run directory with two folders of packed rows; gives the second one's shard."""
    rows = toy_rows(60)
    for folder in ("00000", "00001"):
        target = run / "shards" / "packed" / folder
        target.mkdir(parents=True)
        writer = MdsWriter(target, packed_columns("int32", {"source": "str"}))
        for index in range(len(rows)):
            row = rows.row(index)
            columns = {"boundaries": row.boundaries, "source": row.columns["source"]}
            writer.write({"tokens": row.tokens, **columns})
        writer.finish()
    (run / "shards" / "manifest.json").write_text(json.dumps({"tokenizer": {"vocabulary_size": VOCABULARY}}))
    return run / "shards" / "packed" / "00001" / "shard.00000.mds"


def flip(path: Path) -> None:
    """Another token in the middle of the last row: a token that the vocabulary has."""
    data = bytearray(path.read_bytes())
    place = len(data) - 4 * (LENGTH + 1) - 40
    data[place] ^= 1
    path.write_bytes(bytes(data))


def settings(run: Path, output: Path | None, steps: int = 6) -> TrainSettings:
    torch.set_num_threads(1)
    return TrainSettings(run, toy_model(), toy_training(steps), output=output, device="cpu", measure=False)


def test_a_flipped_byte_ends_training_before_it_is_in_a_checkpoint(tmp_path: Path) -> None:
    shard = packed_run(tmp_path / "run")
    whole = shard.read_bytes()
    flip(shard)
    with pytest.raises(ValueError, match=r"00001/shard\.00000\.mds is damaged: its sha256"):
        train(settings(tmp_path / "run", tmp_path / "model"))
    assert Checkpoints(tmp_path / "model" / "checkpoints", 0).steps() == [0]
    with pytest.raises(ValueError, match="is damaged"):
        train(settings(tmp_path / "run", None))
    shard.write_bytes(whole)
    again = settings(tmp_path / "run", tmp_path / "model")
    result = train(TrainSettings(**{**vars(again), "resume": True}))
    assert result.steps == 6
    start = json.loads((tmp_path / "model" / "log.jsonl").read_text().splitlines()[0])
    assert start["files_hashed"] == 2


def test_nothing_is_hashed_when_nothing_is_asked_for(tmp_path: Path) -> None:
    flip(packed_run(tmp_path / "run"))
    asked = settings(tmp_path / "run", None, steps=2)
    assert train(TrainSettings(**{**vars(asked), "verify": ()})).steps == 2


def test_pairs_are_looked_up_in_the_manifest(tmp_path: Path) -> None:
    documents = tmp_path / "shards" / "documents"
    documents.mkdir(parents=True)
    with MegatronWriter(documents, "some", 100) as writer:
        writer.write(np.arange(60, dtype=np.uint16), np.array([0, 20, 60]))
        written = writer.finish()
    names = ("shards/documents/some_00000.bin", "shards/documents/some_00000.idx")
    entries = {name: {"sha256": one.sha256} for name, one in zip(names, written, strict=True)}
    assert listed_files(tmp_path) == ()
    (tmp_path / "shards" / "manifest.json").write_text(json.dumps({"files": entries}))
    for path in (tmp_path, tmp_path / "shards", documents):
        found = listed_files(path)
        assert [one.path.suffix for one in found] == [".idx", ".bin"]
        for one in found:
            verify(one)
    for damaged in (None, 3, {names[1]: "0"}, {names[1]: {}}, {names[1]: []}):
        (tmp_path / "shards" / "manifest.json").write_text(json.dumps({"files": damaged}))
        with pytest.raises(ValueError, match=r"manifest\.json is no manifest"):
            listed_files(tmp_path)
    (tmp_path / "shards" / "manifest.json").write_text(json.dumps({"files": entries}))
    flip_at = documents / "some_00000.bin"
    flip_at.write_bytes(b"\x07" + flip_at.read_bytes()[1:])
    verification = Verification(listed_files(tmp_path))
    try:
        with pytest.raises(ValueError, match=r"some_00000\.bin is damaged"):
            verification.finish()
        verification.finish()
        verification.look()
    finally:
        verification.close()


def test_arrays_and_folders_without_hashes_have_no_listed_files(tmp_path: Path) -> None:
    np.save(tmp_path / "rows.npy", np.zeros((4, 5), np.uint16))
    assert listed_files(tmp_path) == ()
    index = {"version": 2, "shards": [{"raw_data": {"basename": "a.mds", "bytes": 1, "hashes": {}}}]}
    (tmp_path / "index.json").write_text(json.dumps(index))
    assert listed_files(tmp_path) == ()
    index["shards"] = [{"raw_data": {"basename": "a.mds", "hashes": {"xxh64": "0", "sha1": "1"}}}]
    (tmp_path / "index.json").write_text(json.dumps(index))
    assert listed_files(tmp_path) == (ListedFile(tmp_path / "a.mds", "sha1", "1"),)
    (tmp_path / "index.json").write_text('{"shards": 3}')
    with pytest.raises(ValueError, match=r"index\.json is no index"):
        listed_files(tmp_path)


def test_a_file_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"gone\.mds cannot be read"):
        verify(ListedFile(tmp_path / "gone.mds", "sha256", "0"))
    verify(ListedFile(Path(__file__), "sha256", "0"), lambda: True)


def test_manifests_that_cannot_be_read_are_none(tmp_path: Path) -> None:
    for text in ("[1]", "no json"):
        (tmp_path / "manifest.json").write_text(text)
        assert manifest_beside(tmp_path) == (tmp_path, {})
    (tmp_path / "manifest.json").write_text('{"seed": 1}')
    assert manifest_beside(tmp_path / "packed") == (tmp_path, {"seed": 1})
