"""Reading the driver's output while the job writes it.

Dataproc writes a job's output as a series of objects, ``PREFIX.000000000`` and so on. An object may still grow
while it is the last one; it is finished once its successor exists.
"""

from __future__ import annotations

import codecs

import fsspec

BLOCK = 4 << 20
"""Bytes read at a time."""


class DriverOutput:
    """What a job has printed since the last look. Keeps its place: object, byte, and half a character."""

    def __init__(self, prefix: str) -> None:
        self._filesystem, self._path = fsspec.core.url_to_fs(prefix)
        self._object = 0
        self._position = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def read(self) -> str:
        """New text since the last call; "" when there is none. Raises what the store raises."""
        self._filesystem.invalidate_cache()
        parts = []
        while True:
            # The successor is looked for first: what it ends is complete when it is read below.
            finished = self._filesystem.exists(self._name(self._object + 1))
            parts.append(self._read_object())
            if not finished:
                break
            self._object += 1
            self._position = 0
        return "".join(parts)

    def _name(self, number: int) -> str:
        return f"{self._path}.{number:09d}"

    def _read_object(self) -> str:
        name = self._name(self._object)
        if not self._filesystem.exists(name):
            return ""
        size = int(self._filesystem.info(name)["size"])
        parts = []
        while self._position < size:
            end = min(size, self._position + BLOCK)
            data = self._filesystem.cat_file(name, start=self._position, end=end)
            if not data:
                break
            parts.append(self._decoder.decode(data))
            self._position += len(data)
        return "".join(parts)
