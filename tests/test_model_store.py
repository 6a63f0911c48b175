"""The model store: where it is, what it finds, and that it never holds half a file."""

from __future__ import annotations

import hashlib
import io
import os
from pathlib import Path

import pytest

from corpusforge import local_copies, storage
from corpusforge import model_store as store
from corpusforge.errors import MissingModelError, UsageError
from corpusforge.model_catalog import CATALOG


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CORPUSFORGE_MODELS", str(tmp_path / "store"))
    return tmp_path / "store"


def test_folder_by_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert store.models_folder() == tmp_path / "store"
    monkeypatch.delenv("CORPUSFORGE_MODELS")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert store.models_folder() == tmp_path / "cache" / "corpusforge" / "models"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert store.models_folder() == tmp_path / ".cache" / "corpusforge" / "models"


def test_missing_model_names_the_command() -> None:
    with pytest.raises(MissingModelError, match=r"corpusforge models get lid\.176"):
        store.find("lid.176")


def test_unknown_name() -> None:
    with pytest.raises(MissingModelError, match=r"lid\.177"):
        store.find("lid.177")


def test_finds_by_path(tmp_path: Path) -> None:
    (tmp_path / "own.ftz").write_bytes(b"x")
    assert store.find(str(tmp_path / "own.ftz")) == tmp_path / "own.ftz"


def test_install_and_find(shared_data: Path, folder: Path) -> None:
    with (shared_data / "models" / "lid.176.ftz").open("rb") as stream:
        path = store.install("lid.176", stream)
    assert path == store.find("lid.176") == folder / "lid.176.ftz"
    assert path.read_bytes() == (shared_data / "models" / "lid.176.ftz").read_bytes()
    assert os.listdir(folder) == ["lid.176.ftz"]  # noqa: PTH208
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(MissingModelError, match="damaged"):
        store.find("lid.176")


def test_a_store_behind_a_url(shared_data: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    url = f"memory://models-{os.getpid()}"
    monkeypatch.setenv("CORPUSFORGE_MODELS", url)
    monkeypatch.setenv("CORPUSFORGE_COPIES", str(tmp_path / "copies"))
    with pytest.raises(MissingModelError, match=rf"lid\.176' is not at {url}/lid\.176\.ftz"):
        store.find("lid.176")
    with pytest.raises(MissingModelError, match="no perplexity model"):
        store.language_models("store")
    with pytest.raises(UsageError, match=f"the model store is {url}"):
        store.language_model_folder("en")
    local_copies._copied.cache_clear()  # another process would not know that it was missing
    with (shared_data / "models" / "lid.176.ftz").open("rb") as stream:
        assert str(store.install("lid.176", stream)) == f"{url}/lid.176.ftz"
    copy = store.find("lid.176")
    assert copy.is_relative_to(tmp_path / "copies")
    assert copy.read_bytes() == (shared_data / "models" / "lid.176.ftz").read_bytes()
    for name in ("en.sp.model", "en.arpa"):
        storage.commit_bytes(f"{url}/lm/en/{name}", name.encode())
    found = store.language_models("store")["en"]
    assert (found.pieces.read_bytes(), found.ngrams.read_bytes()) == (b"en.sp.model", b"en.arpa")


@pytest.mark.parametrize("content", [b"", b"something else", bytes(2_000_000)])
def test_install_refuses_other_bytes(folder: Path, content: bytes) -> None:
    with pytest.raises(UsageError, match="this is not lid"):
        store.install("lid.176", io.BytesIO(content))
    assert not folder.exists()


def test_install_refuses_unknown_names() -> None:
    with pytest.raises(UsageError, match="known: lid"):
        store.install("other", io.BytesIO(b""))


def test_write_whole_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store.write_whole(tmp_path / "file", b"old")

    def fail(self: Path, target: Path) -> None:
        raise OSError("no")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="no"):
        store.write_whole(tmp_path / "file", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_bytes() == b"old"


def test_sha256_follows_the_content(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for content in (b"one", b"three"):
        path.write_bytes(content)
        assert store.sha256_of(path) == hashlib.sha256(content).hexdigest()


def test_catalog_matches_the_real_file(shared_data: Path) -> None:
    known = CATALOG["lid.176"]
    path = shared_data / "models" / known.file_name
    assert path.stat().st_size == known.size
    assert store.sha256_of(path) == known.sha256


def test_language_models_in_both_layouts(tmp_path: Path) -> None:
    for name in ("en.sp.model", "en.arpa", "fr.sp.model", "fr.arpa.bin", "xx.sp.model", "de/de.sp.model"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "de" / "de.arpa").touch()
    (tmp_path / "de" / "it.sp.model").touch()
    (tmp_path / "de" / "it.arpa").touch()
    found = store.language_models(str(tmp_path))
    assert list(found) == ["de", "en", "fr"]
    assert found["fr"].ngrams.name == "fr.arpa.bin"
    assert found["de"].pieces == tmp_path / "de" / "de.sp.model"


def test_language_models_of_the_store(folder: Path) -> None:
    with pytest.raises(MissingModelError, match=r"train-lm --text FILE --language en --install"):
        store.language_models("store")
    home = store.language_model_folder("de")
    home.mkdir(parents=True)
    (home / "de.sp.model").touch()
    (home / "de.arpa").touch()
    assert list(store.language_models("store")) == ["de"]


@pytest.mark.parametrize("language", ["", "..", "a/b", "e" * 40, "-en", "e n"])
def test_language_codes(language: str) -> None:
    with pytest.raises(UsageError, match="no language code"):
        store.language_model_folder(language)
