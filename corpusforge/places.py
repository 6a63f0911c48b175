"""Run directories in stores, for what reads them with the methods of `pathlib.Path`."""

from __future__ import annotations

import io
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, cast

from corpusforge import objects, retries, storage


def place(location: str) -> Path:
    """A path of this machine, or a `StoredPath` for a URL: reports take either."""
    return cast(Path, StoredPath(location)) if storage.is_remote(location) else Path(location)


def readable(path: Any) -> Any:
    """What Arrow opens: a path of this machine as it is, of a `StoredPath` a stream of its object."""
    return path.open("rb") if isinstance(path, StoredPath) else path


class StoredPath:
    """An object or folder of a store with those methods of `pathlib.Path` that reading a run directory takes.

    What is below a folder is asked of the store each time; objects are read by ranges.
    """

    def __init__(self, location: str) -> None:
        self._location = location.rstrip("/")

    def __truediv__(self, name: str) -> StoredPath:
        return StoredPath(storage.join(self._location, name))

    def __str__(self) -> str:
        return self._location

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StoredPath) and self._location == other._location

    def __hash__(self) -> int:
        return hash(self._location)

    def __lt__(self, other: StoredPath) -> bool:
        return self._location < other._location

    @property
    def name(self) -> str:
        """The last part."""
        return self._location.rpartition("/")[2]

    @property
    def parent(self) -> StoredPath:
        """The folder that it lies in."""
        return StoredPath(self._location.rpartition("/")[0])

    def exists(self) -> bool:
        """Whether an object or folder of that name is there."""
        return storage.exists(self._location)

    def is_file(self) -> bool:
        """Whether an object of that name is there."""
        return self._kind() == "file"

    def is_dir(self) -> bool:
        """Whether there are objects below that name."""
        return self._kind() == "directory"

    def _kind(self) -> str:
        try:
            return str(objects.info(self._location)["type"])
        except FileNotFoundError:
            return ""

    def iterdir(self) -> Iterator[StoredPath]:
        """What lies directly below, in order of names; nothing where there is no folder."""
        client, path = objects.filesystem(self._location, patient=True)

        def attempt() -> list[str]:
            try:
                return [str(entry["name"]) for entry in client.ls(path, detail=True)]
            except FileNotFoundError:
                return []

        names = {name.rstrip("/").rpartition("/")[2] for name in retries.run("list", self._location, attempt)}
        yield from (self / name for name in sorted(names - {"", self.name}))

    def glob(self, pattern: str) -> Iterator[StoredPath]:
        """What lies directly below and has a name that fits the pattern."""
        return (path for path in self.iterdir() if fnmatchcase(path.name, pattern))

    def open(self, mode: str = "r", encoding: str | None = None, errors: str | None = None) -> Any:
        """Open for reading: "r" for text, "rb" for bytes."""
        if mode not in ("r", "rb"):
            raise ValueError(f"{self._location} can be read only, not opened with {mode!r}")
        stream = storage.open_read(self._location)
        return stream if mode == "rb" else io.TextIOWrapper(stream, encoding or "utf-8", errors)

    def read_bytes(self) -> bytes:
        """The whole object."""
        return storage.read_bytes(self._location)

    def read_text(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """The whole object as text."""
        return self.read_bytes().decode(encoding, errors)

    def write_text(self, text: str, encoding: str = "utf-8") -> None:
        """Replace the object as a whole."""
        storage.commit_bytes(self._location, text.encode(encoding))
