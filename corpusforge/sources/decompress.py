"""Compressed files as plain streams, and lines of bounded length out of them."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

import zstandard

from corpusforge.sources.containers import MAXIMUM_WINDOW

PIECE = 1 << 16
"""Bytes read at once while the rest of an overlong line is passed over."""

FRAME_PIECE = 1 << 11
"""Compressed bytes that are handed to Zstandard at once; they make 64 MiB at the very most."""

DECOMPRESSION_ERRORS = (EOFError, gzip.BadGzipFile, zlib.error, lzma.LZMAError, zstandard.ZstdError)
"""What reading a damaged compressed stream raises, besides `OSError` with the text of bz2."""


def decompressed(stream: BinaryIO) -> BinaryIO:
    """Decompress a stream that is gzip, Zstandard, bzip2 or xz by its first bytes, or give it as it is.

    Several members or frames in a row are read as one. Memory does not grow with the file.
    """
    buffered = (
        stream if isinstance(stream, io.BufferedReader) else io.BufferedReader(cast(io.RawIOBase, stream))
    )
    magic = buffered.peek(6)[:6]
    if magic.startswith(b"\x1f\x8b"):
        return cast(BinaryIO, gzip.GzipFile(fileobj=buffered))
    if magic.startswith(b"\x28\xb5\x2f\xfd"):
        return cast(BinaryIO, io.BufferedReader(ZstdFrames(buffered)))
    if magic.startswith(b"BZh"):
        return cast(BinaryIO, bz2.BZ2File(buffered))
    if magic.startswith(b"\xfd7zXZ"):
        return cast(BinaryIO, lzma.LZMAFile(buffered))
    return cast(BinaryIO, buffered)


class ZstdFrames(io.RawIOBase):
    """Zstandard frames in a row as one stream of bytes; one that was cut off is an `EOFError`.

    The library's own reader ends at a cut without a word. Of the compressed bytes so few are read at once that what
    they hold stays small: a block of four bytes can make 128 KiB.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._decompressor = zstandard.ZstdDecompressor(max_window_size=MAXIMUM_WINDOW)
        self._frame: Any = None
        self._compressed = b""
        self._plain = memoryview(b"")

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill `buffer` as far as one piece goes; 0 at the end. Raises `EOFError` and `zstandard.ZstdError`."""
        view = memoryview(buffer).cast("B")
        while not self._plain:
            data = self._compressed or self._stream.read(FRAME_PIECE)
            self._compressed = b""
            if not data:
                if self._frame is not None:
                    raise EOFError("a Zstandard frame is cut off")
                return 0
            frame = self._frame or self._decompressor.decompressobj()
            self._frame = frame
            self._plain = memoryview(frame.decompress(data))
            if frame.eof:
                self._frame, self._compressed = None, frame.unused_data
        size = min(len(view), len(self._plain))
        view[:size] = self._plain[:size]
        self._plain = self._plain[size:]
        return size

    def close(self) -> None:
        """Close the compressed stream, too."""
        self._stream.close()
        super().close()


@dataclass(frozen=True, slots=True)
class Line:
    """A line without its line feed. `data` is None when it was longer than the limit; `size` counts its bytes."""

    number: int
    data: bytes | None
    size: int


def bounded_lines(stream: BinaryIO, limit: int) -> Iterator[Line]:
    """Iterate lines; of one that is longer than `limit` bytes at most that much is in memory at a time."""
    number = 0
    while line := stream.readline(limit + 1):
        size = len(line)
        if size > limit and not line.endswith(b"\n"):
            while rest := stream.readline(PIECE):
                size += len(rest)
                if rest.endswith(b"\n"):
                    break
            yield Line(number, None, size)
        else:
            yield Line(number, line.removesuffix(b"\n"), size)
        number += 1
