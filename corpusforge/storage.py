"""Where bytes live: local paths and any fsspec URL behind the same few functions.

A file exists complete or not at all. On a local disk a commit is write, fsync, rename; on an object store it
is the put that closes the upload. Nothing here relies on listing being up to date: what exists is asked by name.
"""

from __future__ import annotations

import glob
import hashlib
import io
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import fsspec

from corpusforge.errors import UsageError


def is_remote(location: str) -> bool:
    """Whether a location is a URL of some store rather than a path of this machine."""
    return "://" in location and not location.startswith("file://")


def _local(location: str) -> Path:
    return Path(location.removeprefix("file://"))


def join(location: str, *parts: str) -> str:
    """Join path parts below a location."""
    return "/".join([location.rstrip("/"), *parts])


def open_read(location: str) -> BinaryIO:
    """Open for streaming reads. Raises `OSError` where there is nothing."""
    if is_remote(location):
        return cast(BinaryIO, fsspec.open(location, "rb").open())
    return _local(location).open("rb")


def read_bytes(location: str) -> bytes:
    """Read a whole (small) file."""
    with open_read(location) as stream:
        return stream.read()


def exists(location: str) -> bool:
    """Whether a file or folder of that name exists now."""
    if is_remote(location):
        filesystem, path = fsspec.core.url_to_fs(location)
        return bool(filesystem.exists(path))
    return _local(location).exists()


def size(location: str) -> int:
    """Bytes of a file."""
    if is_remote(location):
        filesystem, path = fsspec.core.url_to_fs(location)
        return int(filesystem.size(path))
    return _local(location).stat().st_size


def holds(location: str, bytes_expected: int) -> bool:
    """Whether a file of that size is there."""
    try:
        return size(location) == bytes_expected
    except FileNotFoundError:
        return False


def modified(location: str) -> int:
    """When a local file was last modified, in nanoseconds since 1970."""
    return _local(location).stat().st_mtime_ns


class HashingFile(io.RawIOBase):
    """A write-only file that counts and hashes (SHA-256) what passes through."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw
        self._digest = hashlib.sha256()
        self.bytes_written = 0

    def writable(self) -> bool:
        """Always."""
        return True

    def write(self, data: Any) -> int:
        """Write all of `data`."""
        view = memoryview(data).cast("B")
        self._raw.write(view)
        self._digest.update(view)
        self.bytes_written += len(view)
        return len(view)

    def tell(self) -> int:
        """Bytes written so far."""
        return self.bytes_written

    @property
    def sha256(self) -> str:
        """Hexadecimal digest of what was written."""
        return self._digest.hexdigest()


@contextmanager
def commit(location: str) -> Iterator[HashingFile]:
    """Write a file that appears complete under its name when the block ends without an exception.

    Two attempts at the same task write under different temporary names; the last rename wins, and both wrote
    the same bytes.
    """
    if is_remote(location):
        with fsspec.open(location, "wb") as raw:
            yield HashingFile(raw)
        return
    path = _local(location)
    make_folder(path.parent)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}.tmp")
    try:
        with temporary.open("wb") as raw:
            yield HashingFile(raw)
            raw.flush()
            os.fsync(raw.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    _sync_folder(path.parent)


def commit_bytes(location: str, data: bytes) -> str:
    """Commit a small file; gives its SHA-256."""
    with commit(location) as file:
        file.write(data)
    return file.sha256


def remove_temporary(location: str) -> None:
    """Remove what interrupted commits left below a local folder. Only for who holds the folder's lock."""
    if is_remote(location):
        return
    for path in _local(location).rglob(".*.tmp"):
        path.unlink(missing_ok=True)


def make_folder(folder: Path) -> None:
    """Make a local folder and those above it, each of them durable like the files that will lie there."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_tree(location: str) -> None:
    """Remove a folder and all below it; nothing happens when it is not there."""
    if is_remote(location):
        filesystem, path = fsspec.core.url_to_fs(location)
        if filesystem.exists(path):
            filesystem.rm(path, recursive=True)
        return
    if _local(location).exists():
        shutil.rmtree(_local(location))


def list_input(pattern: str, suffixes: tuple[str, ...]) -> list[tuple[str, str, int]]:
    """Expand a path, folder or glob to (path below the root, location, bytes), sorted by path.

    The root is the longest part of the pattern without a wildcard, so the path does not change when the same
    files are mounted elsewhere. A folder is searched recursively for names with one of `suffixes`.

    Raises `UsageError` when nothing matches.
    """
    found = _list_remote(pattern, suffixes) if is_remote(pattern) else _list_local(pattern, suffixes)
    if not found:
        raise UsageError(
            f"input {pattern!r} matches no file (wanted endings: {', '.join(suffixes) or 'any'})"
        )
    for path, _, _ in found:
        if not path.isascii() and path != path.encode("utf-8", "replace").decode("utf-8"):
            raise UsageError(f"input {pattern!r}: the name {path!r} is not UTF-8; rename the file")
    return sorted(found)


def _list_local(pattern: str, suffixes: tuple[str, ...]) -> list[tuple[str, str, int]]:
    path = _local(pattern)
    if path.is_file():
        return [(path.name, str(path.resolve()), path.stat().st_size)]
    if path.is_dir():
        root, names = path, [str(item) for item in path.rglob("*")]
    else:
        fixed = list(_before_wildcard(path.parts))
        root = Path(*fixed) if fixed else Path()
        names = glob.glob(str(path), recursive=True)
    files = (Path(name) for name in names)
    return [
        (item.relative_to(root).as_posix(), str(item.resolve()), item.stat().st_size)
        for item in files
        if item.is_file() and (not path.is_dir() or item.name.endswith(suffixes or ("",)))
    ]


def _before_wildcard(parts: tuple[str, ...]) -> Iterator[str]:
    for part in parts:
        if glob.has_magic(part):
            return
        yield part


def _list_remote(pattern: str, suffixes: tuple[str, ...]) -> list[tuple[str, str, int]]:
    filesystem, path = fsspec.core.url_to_fs(pattern)
    if glob.has_magic(path):
        root = "/".join(_before_wildcard(tuple(path.split("/"))))
        details = filesystem.glob(path, detail=True)
    elif filesystem.isfile(path):
        root, details = path.rsplit("/", 1)[0], {path: filesystem.info(path)}
    else:
        root = path.rstrip("/")
        everything = filesystem.find(path, detail=True)
        details = {name: info for name, info in everything.items() if name.endswith(suffixes or ("",))}
    return [
        (name[len(root) :].lstrip("/"), str(filesystem.unstrip_protocol(name)), int(info["size"]))
        for name, info in details.items()
        if info["type"] == "file"
    ]
