"""The heartbeat: which document a worker is busy with, and since when, for the watchdog to read.

Work units (bytes, nodes, depth) decide what is refused, the same on every machine. The watchdog is the last
resort against what they do not foresee: a worker that is stuck on one document longer than the limit is
killed from outside, the kill is recorded, and the shard runs again without that document.
"""

from __future__ import annotations

import mmap
import struct
import time
from pathlib import Path

_SIZE = 4096
_HEADER = struct.Struct("<dI")


class Heartbeat:
    """Does nothing: what steps get where nobody watches."""

    def begin(self, locator: str) -> None:
        """Note that work on the document at `locator` starts now."""

    def done(self) -> None:
        """Note that no document is being worked on."""


class SharedHeartbeat(Heartbeat):
    """Writes to a small memory-mapped file; a begin costs about a microsecond and no system call but the clock."""

    def __init__(self, path: Path) -> None:
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), _SIZE)

    def begin(self, locator: str) -> None:  # noqa: D102
        name = locator.encode("utf-8", "surrogateescape")[: _SIZE - _HEADER.size]
        self._map[_HEADER.size : _HEADER.size + len(name)] = name
        self._map[: _HEADER.size] = _HEADER.pack(time.monotonic(), len(name))

    def done(self) -> None:  # noqa: D102
        self._map[: _HEADER.size] = _HEADER.pack(0.0, 0)


def create(path: Path) -> None:
    """Create the file that a worker writes and the watchdog reads."""
    path.write_bytes(bytes(_SIZE))


def busy_with(path: Path) -> tuple[str, float] | None:
    """Tell (locator, seconds busy) of the worker behind `path`, or None when it is between documents."""
    raw = path.read_bytes()
    since, length = _HEADER.unpack_from(raw)
    if since == 0.0:
        return None
    locator = raw[_HEADER.size : _HEADER.size + length].decode("utf-8", "surrogateescape")
    return locator, time.monotonic() - since
