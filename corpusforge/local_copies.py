"""Local copies of stored files, for libraries that open a path of this machine: models, lists, trained tokenizers.

A copy lies in the user's cache folder under a name made of its address, size and version (the store's entity tag
or generation), so all processes of a machine share it, and another version is another copy. It is whole or not
there: it is written under a temporary name, compared with the size (and the digest, where one is known), renamed.
The folder can be removed whenever nothing runs.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from corpusforge import objects, storage
from corpusforge.errors import StorageError, UsageError
from corpusforge.redaction import redacted


def copies_folder() -> Path:
    """Where copies lie: `CORPUSFORGE_COPIES`, else ``corpusforge/copies`` in the user's cache folder."""
    named = os.environ.get("CORPUSFORGE_COPIES")
    if named:
        return Path(named).expanduser()
    cache = os.environ.get("XDG_CACHE_HOME")
    base = Path(cache) if cache and Path(cache).is_absolute() else Path.home() / ".cache"
    return base / "corpusforge" / "copies"


def local_path(location: str) -> Path:
    """A file or folder of this machine: the path itself, or a copy of the stored file of that URL.

    A copy is looked for once per process. A URL where nothing is, or a folder, gives the path of nothing: who opens
    it says what was missing. Raises `StorageError` or `OSError` when the store does not give it.
    """
    if not storage.is_remote(location):
        return Path(location.removeprefix("file://")).expanduser()
    return _copied(location)


def local_folder(location: str, names: Sequence[str]) -> Path:
    """Like `local_path`, and of a stored folder a local one with the files below it that `names` accepts.

    `names`: shell patterns of last parts of paths. Raises `UsageError` when there is neither file nor folder.
    """
    if not storage.is_remote(location):
        return Path(location.removeprefix("file://")).expanduser()
    return _copied_folder(location, tuple(names))


@lru_cache(maxsize=1024)
def _copied(location: str) -> Path:
    try:
        details = objects.info(location)
    except FileNotFoundError:
        return copies_folder() / "missing" / _last_part(location)
    if details["type"] != "file":
        return copies_folder() / "missing" / _last_part(location)
    version = objects.version_of(details) or f"process {os.getpid()} {os.urandom(8).hex()}"
    target = copies_folder() / _key(location, str(details["size"]), version) / _last_part(location)
    return _fetched(location, target, details["size"], None)


@lru_cache(maxsize=256)
def _copied_folder(location: str, names: tuple[str, ...]) -> Path:
    listed = [
        (path, url, details)
        for path, url, details in sorted(objects.list_objects(location, ()), key=lambda item: item[0])
        if any(Path(path).match(name) for name in names) or url.rstrip("/") == location.rstrip("/")
    ]
    if not listed:
        raise UsageError(f"{redacted(location)} holds none of {', '.join(names)}")
    if len(listed) == 1 and listed[0][1].rstrip("/") == location.rstrip("/"):
        return local_path(location)
    versions = [f"{path} {details['size']} {objects.version_of(details)}" for path, _, details in listed]
    if not all(objects.version_of(details) for _, _, details in listed):
        versions.append(f"process {os.getpid()} {os.urandom(8).hex()}")
    folder = copies_folder() / _key(location, *versions) / (_last_part(location) or "folder")
    for path, url, details in listed:
        if ".." in Path(path).parts or Path(path).is_absolute():
            raise UsageError(f"{redacted(location)} holds {path!r}, which is no path below it")
        _fetched(url, folder / path, details["size"], None)
    return folder


class CommittedFiles(Mapping[str, Path]):
    """Files that tasks committed, by name; one that lies in a store is copied when it is asked for.

    `files`: name to location, size and SHA-256, as a manifest has them.
    """

    def __init__(self, files: Mapping[str, tuple[str, int, str]]) -> None:
        self._files = dict(files)

    def __getitem__(self, name: str) -> Path:
        location, size, sha256 = self._files[name]
        if not storage.is_remote(location):
            return Path(location)
        return _fetched(location, copies_folder() / sha256 / _last_part(location), size, sha256)

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)


def _last_part(location: str) -> str:
    return location.partition("?")[0].rstrip("/").rpartition("/")[2]


def _key(*parts: str) -> str:
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogateescape")
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.hexdigest()


def _fetched(location: str, target: Path, size: int | None, sha256: str | None) -> Path:
    """The target, copied first where it is not there yet."""
    if target.is_file() and size in (None, target.stat().st_size):
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"no room for a copy of {redacted(location)}: {error.filename}: {error.strerror}; "
            "name another folder with CORPUSFORGE_COPIES"
        ) from error
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".tmp")
    try:
        digest = hashlib.sha256()
        with os.fdopen(handle, "wb") as copy, storage.open_read(location) as stream:
            while block := stream.read(1 << 20):
                copy.write(block)
                digest.update(block)
            written = copy.tell()
        if size not in (None, written):
            raise StorageError(f"{redacted(location)}: {written} of {size} bytes came")
        if sha256 not in (None, digest.hexdigest()):
            raise StorageError(
                f"{redacted(location)}: its bytes are not those that were committed ({sha256})"
            )
        Path(temporary).replace(target)
    finally:
        Path(temporary).unlink(missing_ok=True)
    return target
