"""Windows over streams, and members of compressed files."""

from __future__ import annotations

import gzip
import io
import re
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from corpusforge.sources.containers import (
    GzipContainer,
    Lz4Container,
    Member,
    MemberError,
    PlainContainer,
    Window,
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


@given(
    st.binary(max_size=400),
    st.lists(st.tuples(st.sampled_from(["peek", "take", "drop"]), st.integers(0, 90))),
)
def test_a_window_is_a_view_of_the_stream(data: bytes, moves: list[tuple[str, int]]) -> None:
    stream = io.BytesIO(data)
    window = Window(lambda size: stream.read(7))
    position = 0
    for move, size in moves:
        if move == "drop":
            position += window.drop(size)
            assert position <= len(data)
        else:
            piece = getattr(window, move)(size)
            assert piece == data[position : position + size]
            position += len(piece) if move == "take" else 0
        assert window.position == position


def test_a_window_goes_back_to_its_mark() -> None:
    stream = io.BytesIO(b"0123456789")
    window = Window(lambda size: stream.read(3))
    window.take(4)
    window.mark()
    window.take(4)
    assert window.start == 4
    window.position = 4
    assert window.take(99) == b"456789"


@pytest.mark.parametrize("before", [0, 1, (1 << 20) - 3, 1 << 20, (3 << 20) - 2])
def test_patterns_are_found_wherever_they_stand(before: int) -> None:
    stream = io.BytesIO(b"x" * before + b"needle" + b"y" * 10)
    window = Window(stream.read)
    assert window.seek_pattern(re.compile(b"needle"), 6)
    assert window.position == before
    assert window.take(6) == b"needle"
    assert not window.seek_pattern(re.compile(b"needle"), 6)
    assert window.position == before + 16


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
