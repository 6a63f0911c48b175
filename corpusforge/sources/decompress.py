"""Compressed files as plain streams, and lines of bounded length out of them."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, cast

import zstandard

from corpusforge.sources.containers import MAXIMUM_WINDOW

PIECE = 1 << 16
"""Bytes read at once while the rest of an overlong line is passed over."""

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
        decompressor = zstandard.ZstdDecompressor(max_window_size=MAXIMUM_WINDOW)
        reader = decompressor.stream_reader(buffered, read_across_frames=True)
        return cast(BinaryIO, io.BufferedReader(reader))
    if magic.startswith(b"BZh"):
        return cast(BinaryIO, bz2.BZ2File(buffered))
    if magic.startswith(b"\xfd7zXZ"):
        return cast(BinaryIO, lzma.LZMAFile(buffered))
    return cast(BinaryIO, buffered)


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
