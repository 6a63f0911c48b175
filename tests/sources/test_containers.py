"""Windows over streams, and members of compressed files."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import pytest
import zstandard

from corpusforge.sources.containers import (
    GzipContainer,
    Lz4Container,
    Member,
    MemberError,
    PlainContainer,
    ZstdContainer,
    open_container,
)


def drain(member: Member) -> bytes:
    pieces = []
    while piece := member.read(1 << 16):
        pieces.append(piece)
    return b"".join(pieces)


def members(data: bytes, name: str = "") -> list[bytes]:
    container = open_container(io.BytesIO(data), name)
    found = []
    while (member := container.next_member()) is not None:
        found.append(drain(member))
    return found


def test_kinds_of_files() -> None:
    for head, name, kind in (
        (gzip.compress(b"x"), "", GzipContainer),
        (b"\x28\xb5\x2f\xfdrest", "a.gz", ZstdContainer),
        (b"\x04\x22\x4d\x18rest", "", Lz4Container),
        (b"WARC/1.0\r\n", "a.warc.gz", PlainContainer),
        (b"filedesc://x", "a.arc.gz", PlainContainer),
        (b"\0damaged", "a.warc.gz", GzipContainer),
        (b"\0damaged", "a.warc.ZST", ZstdContainer),
        (b"\0damaged", "a.warc", PlainContainer),
        (b"", "a.warc.gz", PlainContainer),
    ):
        assert type(open_container(io.BytesIO(head), name)) is kind


def test_members_one_by_one() -> None:
    data = [b"a" * 10, b"", b"b" * 3_000_000]
    assert members(b"".join(map(gzip.compress, data))) == data
    compressor = zstandard.ZstdCompressor(write_checksum=True, write_content_size=False)
    assert members(b"".join(map(compressor.compress, data))) == data


def test_golden_frames(shared_data: Path) -> None:
    """The Zstandard project's own files that every decoder must read."""
    paths = sorted((shared_data / "hostile").glob("zstd-decompression-*.zst"))
    assert len(paths) == 4
    for path in paths:
        data = path.read_bytes()
        expected = zstandard.ZstdDecompressor().decompressobj().decompress(data)
        assert members(data) == [expected]


@pytest.mark.parametrize("cut", [5, 9, 40, 4000])
def test_cut_frames(cut: int) -> None:
    data = zstandard.ZstdCompressor(write_checksum=True).compress(bytes(range(256)) * 500)
    with pytest.raises(MemberError) as caught:
        members(data[: len(data) - min(cut, len(data) - 5)])
    assert caught.value.truncated


def test_windows_of_frames_are_bounded() -> None:
    parameters = zstandard.ZstdCompressionParameters.from_level(3, window_log=28)
    compressor = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    with pytest.raises(MemberError):
        members(compressor.compress(b"x" * 1000) + compressor.flush())
