"""Files of shards: complete or not at all, and what is noted about them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from corpusforge import storage


@dataclass(frozen=True)
class WrittenFile:
    """A committed file: name below the output directory, size, SHA-256 in hex, samples (0: an index)."""

    name: str
    bytes: int
    sha256: str
    samples: int


class AtomicFile:
    """A file that appears under its name only at `commit` (`corpusforge.storage`); otherwise nothing is left.

    `path` is one of this machine or a URL in a store. `write` takes bytes in order; size and SHA-256 are kept
    along the way. Leaving the context without a commit forgets what was written.
    """

    def __init__(self, path: Path | str) -> None:
        self._name = str(path).rpartition("/")[2]
        self._file = storage.PendingFile(str(path))

    def __enter__(self) -> AtomicFile:
        return self

    @property
    def size(self) -> int:
        """Bytes written so far."""
        return self._file.bytes_written

    def write(self, data: bytes | memoryview) -> None:
        """Append bytes."""
        self._file.write(data)

    def commit(self, samples: int) -> WrittenFile:
        """Make the file durable and give it its name."""
        self._file.commit()
        return WrittenFile(self._name, self.size, self._file.sha256, samples)

    def discard(self) -> None:
        """Forget what was written, unless it was committed."""
        self._file.discard()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.discard()


def write_atomically(path: Path | str, data: bytes, samples: int = 0) -> WrittenFile:
    """Write a whole file at once, complete or not at all."""
    with AtomicFile(path) as file:
        file.write(data)
        return file.commit(samples)
