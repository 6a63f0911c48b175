"""Arrays that may be larger than memory: they lie in files without names, which vanish with the arrays.

A file is opened, mapped and has no name from the beginning, so nothing is left behind, however a process ends. Pages
that were read or written are the system's to drop: what a process holds for certain is a block at a time.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

BLOCK = 1 << 22
"""Elements that are handled at once."""


class Scratch:
    """Makes arrays: in files of `folder`, or in memory where there is none. `block`: elements handled at once."""

    def __init__(self, folder: Path | None = None, block: int = BLOCK) -> None:
        self.folder = folder
        self.block = block

    def zeros(self, count: int, kind: Any) -> npt.NDArray[Any]:
        """An array of `count` elements, all 0."""
        if self.folder is None or count == 0:
            return np.zeros(count, kind)
        with self.file() as file:
            # Reserved, for a mapped file without room on the disk would end the process.
            os.posix_fallocate(file.fileno(), 0, count * np.dtype(kind).itemsize)
            return mapped(file, count, kind)

    def appending(self, kind: Any) -> Appending:
        """An array that grows at its end."""
        return Appending(self, kind)

    def stored(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The same values, where this scratch keeps them."""
        if self.folder is None:
            return values
        part = self.appending(values.dtype)
        part.add(values)
        return part.done()

    def file(self) -> IO[bytes]:
        """A file without a name. Raises `OSError` where the folder takes none."""
        return tempfile.TemporaryFile(dir=self.folder)

    def spans(self, count: int) -> Iterator[tuple[int, int]]:
        """Bounds of the blocks of `count` elements."""
        for start in range(0, count, self.block):
            yield start, min(start + self.block, count)


class Appending:
    """An array in the making: parts are added at its end, `done` gives it."""

    def __init__(self, scratch: Scratch, kind: Any) -> None:
        self._kind = np.dtype(kind)
        self._parts: list[npt.NDArray[Any]] = []
        self._file = scratch.file() if scratch.folder is not None else None
        self.count = 0

    def add(self, values: npt.NDArray[Any]) -> None:
        """Append values."""
        self.count += len(values)
        part = np.ascontiguousarray(values, self._kind)
        if self._file is None:
            self._parts.append(part)
        else:
            self._file.write(part.data)

    def done(self) -> npt.NDArray[Any]:
        """The array; nothing can be added any more."""
        if self._file is None:
            whole = np.concatenate([np.zeros(0, self._kind), *self._parts])
            self._parts = []
            return whole
        with self._file as file:
            file.flush()
            return mapped(file, self.count, self._kind)


def mapped(file: IO[bytes], count: int, kind: Any) -> npt.NDArray[Any]:
    """The elements of a file as an array that can be written to; it outlives the open file."""
    if count == 0:
        return np.zeros(0, kind)
    return np.asarray(np.memmap(file, dtype=kind, mode="r+", shape=(count,)))


IN_MEMORY = Scratch()
"""Plain arrays, for texts of some hundred megabytes."""
