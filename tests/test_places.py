"""Places: a run directory in a store answers as one on a local disk does."""

from __future__ import annotations

from pathlib import Path

import pytest

from corpusforge import storage
from corpusforge.places import StoredPath, place

NAMES = ("recipe.yaml", "stages/00-read/00000.json", "stages/00-read/stage.json", "documents/00000.parquet")


@pytest.fixture(params=["memory://corpusforge-places/run", "local"])
def run(request, tmp_path):
    root = str(tmp_path / "run") if request.param == "local" else request.param
    for name in NAMES:
        storage.commit_bytes(f"{root}/{name}", f"line of {name}\nü\n".encode())
    yield place(root)
    storage.remove_tree(root)


def test_it_answers_like_a_path(run):
    assert (run / "recipe.yaml").exists()
    assert (run / "recipe.yaml").is_file()
    assert not (run / "recipe.yaml").is_dir()
    assert (run / "stages").is_dir()
    assert not (run / "dropped").exists()
    assert not (run / "dropped").is_dir()
    assert not (run / "dropped").is_file()
    assert sorted(path.name for path in run.iterdir()) == ["documents", "recipe.yaml", "stages"]
    folder = run / "stages" / "00-read"
    assert [path.name for path in sorted(folder.glob("*.json"))] == ["00000.json", "stage.json"]
    assert [path.name for path in (run / "documents").glob("*.jsonl")] == []
    assert list((run / "dropped").glob("*")) == []
    assert folder.name == "00-read"
    assert folder.parent == run / "stages"
    assert str(folder) == f"{run}/stages/00-read"


def test_it_is_read_like_a_path(run):
    file = run / "stages" / "00-read" / "stage.json"
    assert file.read_bytes() == "line of stages/00-read/stage.json\nü\n".encode()
    assert file.read_text(encoding="utf-8").endswith("ü\n")
    with file.open(encoding="utf-8", errors="replace") as lines:
        assert [line.strip() for line in lines] == ["line of stages/00-read/stage.json", "ü"]
    with file.open("rb") as stream:
        assert stream.read(4) == b"line"
    (run / "report.html").write_text("ä", encoding="utf-8")
    assert (run / "report.html").read_bytes() == "ä".encode()
    with pytest.raises(FileNotFoundError):
        (run / "none").read_bytes()


def test_what_is_local_stays_a_path_and_what_is_stored_is_only_read(tmp_path):
    assert place(str(tmp_path)) == Path(tmp_path)
    stored = place("memory://corpusforge-places/run/")
    assert stored == StoredPath("memory://corpusforge-places/run")
    assert len({stored, StoredPath("memory://corpusforge-places/run")}) == 1
    with pytest.raises(ValueError, match="read only"):
        stored.open("w")
