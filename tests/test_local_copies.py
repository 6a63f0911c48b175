"""Local copies: whole files of this machine for what lies in a store, once per version."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from object_stores import Store, s3_store

from corpusforge import local_copies, retries, storage
from corpusforge import model_store as models
from corpusforge.errors import MissingModelError, StorageError, UsageError
from corpusforge.filters import bad_words
from corpusforge.filters.url import list_files
from corpusforge.local_copies import CommittedFiles, local_folder, local_path


@pytest.fixture(scope="module")
def emulator():
    with s3_store() as opened:
        yield opened


@pytest.fixture
def store(emulator, tmp_path, monkeypatch) -> Store:
    monkeypatch.setenv("CORPUSFORGE_COPIES", str(tmp_path / "copies"))
    monkeypatch.setattr(retries, "sleep", lambda seconds: None)
    new_process()
    emulator.forget()
    return emulator


def new_process() -> None:
    """Forget what this process knows of copies."""
    local_copies._copied.cache_clear()
    local_copies._copied_folder.cache_clear()


def test_paths_of_this_machine_are_themselves(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert local_path("~/model") == tmp_path / "model"
    assert local_path(f"file://{tmp_path}/model") == tmp_path / "model"
    assert local_folder(str(tmp_path), ("*",)) == tmp_path


def test_a_file_is_fetched_once_per_version(store):
    place = f"{store.bucket()}/models/lid.bin"
    storage.commit_bytes(place, b"one")
    first = local_path(place)
    assert (first.name, first.read_bytes()) == ("lid.bin", b"one")
    store.forget()
    assert local_path(place) == first
    assert store.seen == [], "a process looks once"
    new_process()
    assert local_path(place) == first
    assert [one.method for one in store.seen] == ["HEAD"], "the next one finds the copy"
    storage.commit_bytes(place, b"two")
    new_process()
    second = local_path(place)
    assert (first.read_bytes(), second.read_bytes()) == (b"one", b"two")
    assert [path.name for path in first.parent.iterdir()] == ["lid.bin"]


def test_a_copy_that_was_not_whole_is_fetched_again(store):
    place = f"{store.bucket()}/lid.bin"
    storage.commit_bytes(place, b"a model")
    local_path(place).write_bytes(b"a mo")
    new_process()
    assert local_path(place).read_bytes() == b"a model"


def test_what_cannot_be_fetched_leaves_nothing(store, tmp_path):
    place = f"{store.bucket()}/lid.bin"
    storage.commit_bytes(place, b"a model")
    store.spoil("status", "GET lid.bin", times=99)
    with pytest.raises(StorageError, match=r"lid\.bin"):
        local_path(place)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    store.forget()
    assert local_path(place).read_bytes() == b"a model"


def test_a_missing_model_is_named_by_its_address(store):
    place = f"{store.bucket()}/none.bin"
    with pytest.raises(MissingModelError, match=place):
        models.find(place)


def test_models_and_lists_may_lie_in_a_store(store):
    bucket = store.bucket()
    for name in ("lm/en.sp.model", "lm/de/de.sp.model", "lm/de/de.arpa", "lm/en.arpa.bin", "lm/notes.txt"):
        storage.commit_bytes(f"{bucket}/{name}", name.encode())
    found = models.language_models(f"{bucket}/lm")
    assert list(found) == ["de", "en"]
    assert found["en"].ngrams.read_bytes() == b"lm/en.arpa.bin"
    assert not list(found["en"].pieces.parent.glob("notes*")), "only what is needed is copied"

    storage.commit_bytes(f"{bucket}/lists/adult/domains", b"bad.example\n")
    storage.commit_bytes(f"{bucket}/lists/ads/urls", b"ads.example/x\n")
    storage.commit_bytes(f"{bucket}/one.txt", b"worse.example\n")
    files = list_files([f"{bucket}/lists", f"{bucket}/one.txt"], None)
    assert [(file.parent.name, file.name) for file in files[:2]] == [("ads", "urls"), ("adult", "domains")]
    assert files[2].read_bytes() == b"worse.example\n"
    assert [file.parent.name for file in list_files([f"{bucket}/lists"], ["ads"])] == ["ads"]

    storage.commit_bytes(f"{bucket}/words/en", b"shoot\n")
    assert list(bad_words.load(f"{bucket}/words")) == ["en"]
    assert list(bad_words.fingerprints(f"{bucket}/one.txt")) == ["bad_words/"]
    with pytest.raises(UsageError, match="holds none of"):
        bad_words.load(f"{bucket}/nothing")


def test_committed_files_are_fetched_when_they_are_asked_for_and_compared(store, tmp_path):
    bucket = store.bucket()
    digest = storage.commit_bytes(f"{bucket}/stages/00000.tokenizer.model", b"pieces")
    (tmp_path / "here").write_bytes(b"local")
    files = CommittedFiles(
        {
            "t/tokenizer.model": (f"{bucket}/stages/00000.tokenizer.model", 6, digest),
            "t/other": (f"{bucket}/stages/00000.tokenizer.model", 6, hashlib.sha256(b"other!").hexdigest()),
            "t/here": (str(tmp_path / "here"), 5, ""),
        }
    )
    store.forget()
    assert sorted(files) == ["t/here", "t/other", "t/tokenizer.model"]
    assert files["t/here"] == Path(tmp_path / "here")
    assert files.get("t/none") is None
    assert store.seen == []
    assert files["t/tokenizer.model"].read_bytes() == b"pieces"
    with pytest.raises(StorageError, match="not those that were committed"):
        files["t/other"]


def test_no_room_for_copies_is_said(store, tmp_path, monkeypatch):
    place = f"{store.bucket()}/lid.bin"
    storage.commit_bytes(place, b"a model")
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("CORPUSFORGE_COPIES", str(tmp_path / "file"))
    with pytest.raises(UsageError, match="CORPUSFORGE_COPIES"):
        local_path(place)
