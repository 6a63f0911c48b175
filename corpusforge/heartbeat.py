"""The heartbeat: which document a worker is busy with, and since when, for the watchdog to read.

Work units (bytes, nodes, depth) decide what is refused, the same on every machine. The watchdog is the last
resort against what they do not foresee: a worker that is stuck on one document longer than the limit is
killed from outside, the kill is recorded (`corpusforge.kills`), and the shard runs again without that document.
"""

from __future__ import annotations

import mmap
import struct
import time
from dataclasses import dataclass
from pathlib import Path

_SIZE = 4096
_HEADER = struct.Struct("<dHHH")
"""Since when (0: idle), then the lengths of source, step and locator, which follow."""


@dataclass(frozen=True)
class Busy:
    """A worker at work: `since` (system-wide monotonic seconds) on a document of `source`, inside `step`."""

    source: str
    step: str
    locator: str
    since: float

    @property
    def seconds(self) -> float:
        """How long until now."""
        return time.monotonic() - self.since


class Heartbeat:
    """Does nothing: what steps get where nobody watches."""

    source: str = ""
    """Source of the shard at work, set by who runs it."""
    step: str = ""
    """Instance name of the step at work, set by who runs it; empty where no single document can be left out."""

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
        source, step = self.source.encode("utf-8")[:256], self.step.encode("utf-8")[:256]
        name = locator.encode("utf-8", "surrogateescape")[: _SIZE - _HEADER.size - len(source) - len(step)]
        body = source + step + name
        self.done()  # so that a reader never sees this name with the time of the one before
        self._map[_HEADER.size : _HEADER.size + len(body)] = body
        self._map[: _HEADER.size] = _HEADER.pack(time.monotonic(), len(source), len(step), len(name))

    def done(self) -> None:  # noqa: D102
        self._map[: _HEADER.size] = _HEADER.pack(0.0, 0, 0, 0)


def create(path: Path) -> None:
    """Create the file that a worker writes and the watchdog reads."""
    path.write_bytes(bytes(_SIZE))


def busy_with(path: Path) -> Busy | None:
    """Tell what the worker behind `path` is (or, once it is dead, was) busy with; None between documents."""
    raw = path.read_bytes()
    since, *lengths = _HEADER.unpack_from(raw)
    if since == 0.0:
        return None
    place, parts = _HEADER.size, []
    for length in lengths:
        parts.append(raw[place : place + length].decode("utf-8", "surrogateescape"))
        place += length
    return Busy(parts[0], parts[1], parts[2], since)
