"""Files that exist complete or not at all, and what is noted about them."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType


@dataclass(frozen=True)
class WrittenFile:
    """A committed file: name below the output directory, size, SHA-256 in hex, samples (0: an index)."""

    name: str
    bytes: int
    sha256: str
    samples: int


class AtomicFile:
    """A file that appears under its name only at `commit`, after fsync; otherwise nothing is left behind.

    `write` takes bytes in order; size and SHA-256 are kept along the way. Leaving the context without a
    commit removes the temporary file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        self._temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        self._digest = hashlib.sha256()
        self._file = self._temporary.open("wb")
        self._committed = False

    def __enter__(self) -> AtomicFile:
        return self

    def write(self, data: bytes | memoryview) -> None:
        """Append bytes."""
        self._file.write(data)
        self._digest.update(data)
        self.size += len(data)

    def commit(self, samples: int) -> WrittenFile:
        """Make the file durable and give it its name."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._temporary.replace(self.path)
        directory = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
        self._committed = True
        return WrittenFile(self.path.name, self.size, self._digest.hexdigest(), samples)

    def discard(self) -> None:
        """Remove what was written, unless it was committed."""
        if not self._committed:
            self._file.close()
            self._temporary.unlink(missing_ok=True)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.discard()


def write_atomically(path: Path, data: bytes, samples: int = 0) -> WrittenFile:
    """Write a whole file at once, complete or not at all."""
    with AtomicFile(path) as file:
        file.write(data)
        return file.commit(samples)
