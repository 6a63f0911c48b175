"""Storage: files that appear whole or not at all, and inputs listed the same wherever they lie."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from corpusforge import storage
from corpusforge.errors import UsageError


def test_a_commit_appears_at_its_end_with_its_hash(tmp_path):
    path = tmp_path / "deep" / "er" / "file"
    with storage.commit(str(path)) as file:
        file.write(b"one ")
        file.write(memoryview(b"two"))
        assert not path.exists()
        assert file.tell() == 7
    assert path.read_bytes() == b"one two"
    assert file.sha256 == hashlib.sha256(b"one two").hexdigest()
    assert [item.name for item in path.parent.iterdir()] == ["file"]


def test_a_failed_commit_leaves_what_was_there(tmp_path):
    path = tmp_path / "file"
    storage.commit_bytes(str(path), b"before")

    def fail() -> None:
        with storage.commit(str(path)) as file:
            file.write(b"half")
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        fail()
    assert path.read_bytes() == b"before"
    assert [item.name for item in tmp_path.iterdir()] == ["file"]


def test_two_attempts_at_once_do_not_meet(tmp_path):
    path = tmp_path / "file"
    with storage.commit(str(path)) as first:
        first.write(b"same")
        with storage.commit(str(path)) as second:
            second.write(b"same")
        assert path.read_bytes() == b"same"
    assert path.read_bytes() == b"same"


def test_what_interrupted_commits_left_is_removed_and_nothing_else(tmp_path):
    folder = tmp_path / "stages" / "a"
    folder.mkdir(parents=True)
    for name in (".00000.json.12.ab.tmp", "00000.json", ".lock"):
        (folder / name).write_bytes(b"")
    storage.remove_temporary(str(tmp_path))
    assert sorted(item.name for item in folder.iterdir()) == [".lock", "00000.json"]


def test_files_are_asked_for_by_name_and_size(tmp_path):
    location = str(tmp_path / "file")
    assert not storage.exists(location)
    assert not storage.holds(location, 0)
    storage.commit_bytes(location, b"abc")
    assert storage.holds(location, 3)
    assert not storage.holds(location, 2)
    assert storage.read_bytes(f"file://{location}") == b"abc"
    storage.remove_tree(str(tmp_path / "not there"))


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    root = tmp_path / "inputs"
    for name in ("b/2.warc.gz", "a/1.warc.gz", "a/10.warc.gz", "a/notes.txt", "a/[odd].warc.gz"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x" * len(name))
    return root


def names(pattern: str) -> list[str]:
    return [path for path, _, _ in storage.list_input(pattern, (".warc.gz",))]


def test_folders_globs_and_files_give_sorted_paths_below_their_root(inputs):
    assert names(str(inputs)) == ["a/1.warc.gz", "a/10.warc.gz", "a/[odd].warc.gz", "b/2.warc.gz"]
    assert names(f"{inputs}/*/1*.warc.gz") == ["a/1.warc.gz", "a/10.warc.gz"]
    assert names(f"{inputs}/**/*.txt") == ["a/notes.txt"], "a pattern says itself what it wants"
    assert names(f"{inputs}/a/1.warc.gz") == ["1.warc.gz"]
    assert names(f"{inputs}/a/[odd].warc.gz") == ["[odd].warc.gz"], "a file of that very name wins"
    assert storage.list_input(str(inputs / "b"), (".warc.gz",)) == [
        ("2.warc.gz", str(inputs / "b/2.warc.gz"), 11)
    ]


def test_names_do_not_change_when_the_files_move(inputs, tmp_path):
    before = [(path, size) for path, _, size in storage.list_input(str(inputs), ())]
    inputs.rename(tmp_path / "elsewhere")
    assert [(path, size) for path, _, size in storage.list_input(str(tmp_path / "elsewhere"), ())] == before


def test_relative_patterns(inputs, monkeypatch):
    monkeypatch.chdir(inputs)
    assert names("*/2.warc.gz") == ["b/2.warc.gz"]
    assert names("b") == ["2.warc.gz"]


def test_nothing_found_and_names_that_no_file_of_ours_can_hold(inputs):
    with pytest.raises(UsageError, match=r"matches no file \(wanted endings: \.warc\.gz\)"):
        names(f"{inputs}/nothing*")
    Path(os.fsdecode(os.fsencode(inputs) + b"/\xff.warc.gz")).write_bytes(b"")
    with pytest.raises(UsageError, match="not UTF-8"):
        names(str(inputs))


def test_a_store_of_objects_behind_the_same_functions():
    location = "memory://corpusforge-test/folder/1.warc.gz"
    storage.commit_bytes(location, b"abc")
    try:
        assert storage.exists(location)
        assert storage.read_bytes(location) == b"abc"
        assert storage.holds(location, 3)
        assert not storage.holds(location + ".none", 3)
        listed = storage.list_input("memory://corpusforge-test", (".warc.gz",))
        assert [(path, size) for path, _, size in listed] == [("folder/1.warc.gz", 3)]
        assert storage.read_bytes(listed[0][1]) == b"abc"
        globbed = storage.list_input("memory://corpusforge-test/*/*.gz", ())
        assert [path for path, _, _ in globbed] == ["folder/1.warc.gz"]
    finally:
        storage.remove_tree("memory://corpusforge-test")
    assert not storage.exists(location)
