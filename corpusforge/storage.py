"""Where bytes live: local paths and any fsspec URL behind the same few functions.

A file exists complete or not at all. On a local disk a commit is write, fsync, rename; on an object store it
is one put (or the completion of a put in parts) of what lies whole in a temporary file here, and a comparison of
what the store then holds. Nothing here relies on listing being up to date: what exists is asked by name.
"""

from __future__ import annotations

import glob
import hashlib
import io
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from corpusforge import objects
from corpusforge.errors import UsageError
from corpusforge.object_reader import open_object
from corpusforge.redaction import redacted

HELD_BYTES = 1 << 20
"""What a file on its way to a store holds in memory; more goes to an unnamed temporary file."""

READ_BUFFER = 1 << 16
"""Bytes read at once of a local file: lines of JSON are often longer than Python's default of 8192."""


def is_remote(location: str) -> bool:
    """Whether a location is a URL of some store rather than a path of this machine."""
    return "://" in location and not location.startswith("file://")


def _local(location: str) -> Path:
    return Path(location.removeprefix("file://"))


def join(location: str, *parts: str) -> str:
    """Join path parts below a location."""
    return "/".join([location.rstrip("/"), *parts])


def check_output(location: str) -> None:
    """Raise `UsageError` for a place that the processes of a run cannot write to together."""
    protocol = objects.protocol_of(location) if is_remote(location) else "file"
    if protocol == "memory":
        raise UsageError(
            f"{location}: memory:// lies in one process, a run has several; use a folder or a store"
        )
    if protocol in ("http", "https", "data", "zip", "tar"):
        raise UsageError(f"{redacted(location)}: {protocol}:// cannot be written to")
    if is_remote(location):
        try:
            objects.filesystem(location)
        except (ImportError, ValueError) as error:
            raise UsageError(f"{redacted(location)}: {error}") from error


def open_read(location: str, size: int | None = None) -> BinaryIO:
    """Open for reading and seeking. Raises `OSError` where there is nothing.

    Of a store, ranges are read and tried again; what is read there later raises `StorageError` and no `OSError`.
    `size`: bytes of the file, or up to where it is read, when that is known: then a store is not asked for it.
    """
    if is_remote(location):
        return open_object(location, size)
    return _local(location).open("rb", READ_BUFFER)


def read_bytes(location: str) -> bytes:
    """Read a whole (small) file."""
    with open_read(location) as stream:
        return stream.read()


def exists(location: str) -> bool:
    """Whether a file or folder of that name exists now. Raises `StorageError` when a store does not say."""
    return objects.exists(location) if is_remote(location) else _local(location).exists()


def size(location: str) -> int:
    """Bytes of a file."""
    return int(objects.info(location)["size"]) if is_remote(location) else _local(location).stat().st_size


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


class PendingFile(HashingFile):
    """A file being written that appears complete under its name at `commit`, and never before.

    Two attempts at the same task write under different temporary names (of a store: to a temporary file here, and
    one put at the end); the last one wins, and both wrote the same bytes. As a context it is committed at the end
    of a block without an exception, and discarded by any exception.
    """

    def __init__(self, location: str) -> None:
        self._location = location
        self._temporary: Path | None = None
        self.pending = True
        """Neither committed nor discarded yet."""
        if is_remote(location):
            self._md5 = hashlib.md5(usedforsecurity=False)
            super().__init__(tempfile.SpooledTemporaryFile(HELD_BYTES))  # noqa: SIM115 - closed with this file
            return
        path = _local(location)
        make_folder(path.parent)
        self._temporary = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}.tmp")
        super().__init__(self._temporary.open("wb"))

    def write(self, data: Any) -> int:
        """Write all of `data`."""
        if self._temporary is None:
            self._md5.update(data)
        return super().write(data)

    def commit(self) -> None:
        """Make the file durable and give it its name. Raises `StorageError` when a store does not take it."""
        try:
            if self._temporary is None:
                objects.put(self._location, self._raw, self.bytes_written, self._md5.hexdigest())
                self._raw.close()
            else:
                self._raw.flush()
                os.fsync(self._raw.fileno())
                self._raw.close()
                self._temporary.replace(_local(self._location))
                _sync_folder(self._temporary.parent)
            self.pending = False
        finally:
            self.discard()

    def discard(self) -> None:
        """Forget what was written, unless it was committed."""
        if self.pending:
            self.pending = False
            self._raw.close()
            if self._temporary is not None:
                self._temporary.unlink(missing_ok=True)


@contextmanager
def commit(location: str) -> Iterator[PendingFile]:
    """Write a file that appears complete under its name when the block ends without an exception."""
    file = PendingFile(location)
    try:
        yield file
    except BaseException:
        file.discard()
        raise
    file.commit()


def commit_bytes(location: str, data: bytes) -> str:
    """Commit a small file; gives its SHA-256."""
    with commit(location) as file:
        file.write(data)
    return file.sha256


def append(location: str, data: bytes) -> None:
    """Add to a log that people read. Only for its one writer: a store has the object written anew.

    On a local disk the last line may be torn by a crash.
    """
    if is_remote(location):
        known = read_bytes(location) if exists(location) else b""
        commit_bytes(location, known + data)
        return
    path = _local(location)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        file.write(data)


def remove_temporary(location: str) -> None:
    """Remove what interrupted commits left below a local folder. Only for who holds the folder's lock."""
    if is_remote(location):
        return
    for path in _local(location).rglob(".*.tmp"):
        path.unlink(missing_ok=True)


def prepare_folder(location: str) -> None:
    """Make a folder where stores have folders: on a local disk."""
    if not is_remote(location):
        make_folder(_local(location))


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
        objects.remove_tree(location)
    elif _local(location).exists():
        shutil.rmtree(_local(location))


def files_below(location: str) -> list[tuple[str, str, int]]:
    """All files below a folder as (path in it, location, bytes), sorted; none where there is no folder.

    For cleaning up: of a store this is a listing.
    """
    if is_remote(location):
        listed = objects.list_objects(location.rstrip("/"), ())
        return sorted((path, where, int(facts["size"] or 0)) for path, where, facts in listed)
    root = _local(location)
    files = (path for path in root.rglob("*") if path.is_file()) if root.is_dir() else iter(())
    return sorted((path.relative_to(root).as_posix(), str(path), path.stat().st_size) for path in files)


def remove_files(locations: list[str]) -> None:
    """Remove files, many at once where a store can; those that are gone already are no error."""
    if locations and is_remote(locations[0]):
        objects.remove_objects(locations)
        return
    for location in locations:
        _local(location).unlink(missing_ok=True)


def list_input(pattern: str, suffixes: tuple[str, ...]) -> list[tuple[str, str, int]]:
    """Expand a path, folder or glob to (path below the root, location, bytes), sorted by path.

    The root is the longest part of the pattern without a wildcard, so the path does not change when the same
    files are mounted elsewhere. A folder is searched recursively for names with one of `suffixes`.

    Raises `UsageError` when nothing matches.
    """
    if is_remote(pattern):
        listed = objects.list_objects(pattern, suffixes)
        found = [(path, location, int(facts["size"] or 0)) for path, location, facts in listed]
    else:
        found = _list_local(pattern, suffixes)
    if not found:
        wanted = ", ".join(suffixes) or "any"
        raise UsageError(f"input {redacted(pattern)!r} matches no file (wanted endings: {wanted})")
    for path, _, _ in found:
        if not path.isascii() and path != path.encode("utf-8", "replace").decode("utf-8"):
            raise UsageError(f"input {redacted(pattern)!r}: the name {path!r} is not UTF-8; rename the file")
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
