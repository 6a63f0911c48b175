from __future__ import annotations

import io
import random
import struct
import tracemalloc

import pytest
import zstandard

from corpusforge.sources.base import Damaged, Record, SourceFile
from corpusforge.sources.c4 import C4, Parameters
from corpusforge.sources.decompress import FRAME_PIECE, bounded_lines, decompressed

DRAW = random.Random(0)
LINES = b"".join(b'{"text": "%d"}\n' % DRAW.getrandbits(200) for _ in range(2000))
FRAME = zstandard.ZstdCompressor().compress(LINES)
SKIPPABLE = struct.pack("<II", 0x184D2A5E, 5) + b"seeks"


@pytest.mark.parametrize(
    ("data", "plain"),
    [
        (FRAME, LINES),
        (FRAME + FRAME, LINES + LINES),
        (FRAME + SKIPPABLE, LINES),
        (FRAME + SKIPPABLE + FRAME, LINES + LINES),
        (FRAME + zstandard.ZstdCompressor().compress(b""), LINES),
        (LINES, LINES),
        (b"", b""),
    ],
)
def test_frames_in_a_row_are_one_stream(data: bytes, plain: bytes) -> None:
    assert decompressed(io.BytesIO(data)).read() == plain


@pytest.mark.parametrize("cut", [5, 100, len(FRAME) // 2, len(FRAME) - 1, 2 * len(FRAME) - 1])
def test_a_frame_that_was_cut_off_is_an_error_and_not_a_short_file(cut: int) -> None:
    """What can be read comes first, as the beginning of the whole."""
    lines: list[bytes | None] = []

    def read() -> None:
        stream = decompressed(io.BytesIO((FRAME + FRAME)[:cut]))
        lines.extend(line.data for line in bounded_lines(stream, 1000))

    with pytest.raises(EOFError, match="cut off"):
        read()
    whole = (LINES + LINES).splitlines()
    assert lines == whole[: len(lines)]
    assert len(lines) >= (2000 if cut > len(FRAME) else 0)


def test_what_is_behind_a_frame_and_is_none_is_an_error() -> None:
    stream = decompressed(io.BytesIO(FRAME + b"garbage!"))
    with pytest.raises(zstandard.ZstdError):
        stream.read()


def test_a_small_file_that_makes_much_is_read_in_pieces() -> None:
    """A quarter of a GiB of zeros: in memory is what one piece of the compressed bytes makes, and not all."""
    packed = zstandard.ZstdCompressor().compress(bytes(1 << 28))
    assert len(packed) > 2 * FRAME_PIECE
    tracemalloc.start()
    try:
        stream = decompressed(io.BytesIO(packed))
        assert stream.read(1 << 20) == bytes(1 << 20)
        assert tracemalloc.get_traced_memory()[1] < 1 << 27
    finally:
        tracemalloc.stop()


def test_a_source_tells_of_a_file_that_was_cut_off() -> None:
    data = FRAME[: len(FRAME) // 2]
    found = list(C4(Parameters()).records(SourceFile("x", "x.json.zst", len(data)), io.BytesIO(data)))
    assert len([one for one in found if isinstance(one, Record)]) < 2000
    assert isinstance(found[-1], Damaged)
    assert found[-1].kind == "damaged_stream"
