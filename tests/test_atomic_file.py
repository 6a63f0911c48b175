from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from corpusforge.atomic_file import AtomicFile, write_atomically


def test_a_file_appears_only_at_commit(tmp_path: Path) -> None:
    with AtomicFile(tmp_path / "a.bin") as file:
        file.write(b"one")
        file.write(b"two")
        assert not (tmp_path / "a.bin").exists()
        written = file.commit(2)
    assert (tmp_path / "a.bin").read_bytes() == b"onetwo"
    assert (written.name, written.bytes, written.samples) == ("a.bin", 6, 2)
    assert written.sha256 == hashlib.sha256(b"onetwo").hexdigest()


def fail_after_writing(path: Path) -> None:
    with AtomicFile(path) as file:
        file.write(b"one")
        raise RuntimeError


def test_an_error_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError):
        fail_after_writing(tmp_path / "a.bin")
    assert list(tmp_path.iterdir()) == []


def test_write_atomically_replaces(tmp_path: Path) -> None:
    write_atomically(tmp_path / "a", b"old")
    write_atomically(tmp_path / "a", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_bytes() == b"new"
