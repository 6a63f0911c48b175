"""Compressed containers as chains of members, read in bounded memory and left again after damage.

A *member* is what can be decompressed on its own: a gzip member (RFC 1952), a Zstandard frame (RFC 8878), an
LZ4 frame (LZ4 frame format 1.6), or a whole file that is not compressed. Web archives put one record in each,
so a damaged member costs one record: `Container.recover` searches the next one that looks like a record.
"""

from __future__ import annotations

import gzip
import io
import re
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import zstandard
from fastwarc.stream_io import GzipReader, Lz4Reader

from corpusforge.sources.window import BLOCK, FEED, PIECE, Window

KEPT = 16 << 20
"""Compressed bytes that are remembered of a member for the search after damage."""
AT_ONCE = 1 << 20
"""Most bytes of a gzip member, compressed or not, that is decompressed at once."""
MAXIMUM_WINDOW = 1 << 27
"""Largest Zstandard window that is accepted, in bytes (the limit of the `zstd` command without `--long`)."""
_BEHIND = gzip.compress(b".", mtime=0)
"""A member to be found behind another one."""

LooksLikeRecord = Callable[[bytes], bool]


class MemberError(Exception):
    """A member cannot be decompressed to its end. `truncated`: the file ends inside of it."""

    def __init__(self, message: str, truncated: bool = False) -> None:
        super().__init__(message)
        self.truncated = truncated


class Member(ABC):
    """The decompressed bytes of one member. `offset` is where it begins in the file."""

    def __init__(self, offset: int) -> None:
        self.offset = offset
        self._pushed_back = b""

    def read(self, limit: int) -> bytes:
        """Give the next bytes, at most `PIECE` or `AT_ONCE`; none at the verified end. Raises `MemberError`."""
        if self._pushed_back:
            piece, self._pushed_back = self._pushed_back, b""
            return piece
        return self._next(PIECE)

    def head(self, size: int) -> bytes:
        """Look at the first bytes, at least `size` where the member has them. Raises `MemberError`."""
        while len(self._pushed_back) < size and (piece := self._next(PIECE)):
            self._pushed_back += piece
        return self._pushed_back

    @abstractmethod
    def _next(self, limit: int) -> bytes: ...


class PlainMember(Member):
    """The file itself."""

    def __init__(self, window: Window) -> None:
        super().__init__(window.position)
        self._window = window

    def _next(self, limit: int) -> bytes:
        piece = self._window.take(limit)
        self._window.mark()
        return piece


class GzipMember(Member):
    """One gzip member; zlib verifies its CRC and length.

    A small one that seems to end where the next begins is decompressed at once by zlib-rs, in half the time. It counts
    as read only where its data end where the next begins, and length and CRC are those that stand there; zlib reads all
    others, and tells what is wrong.
    """

    magic = b"\x1f\x8b\x08"

    def __init__(self, window: Window) -> None:
        super().__init__(window.position)
        self._window = window
        self._inflater: Any = None
        self._whole = False
        self._pending = b""

    def _at_once(self) -> bytes:
        """All of a sound member, and move behind it; nothing where it is not known to be one."""
        window = self._window
        size = window.find(self.magic, AT_ONCE, len(self.magic))
        if size < 0:
            ahead = window.fill(AT_ONCE)
            size = window.find(self.magic, AT_ONCE, len(self.magic))
            size = ahead if size < 0 and ahead < AT_ONCE else size  # the last one ends where the file does
        data = window.peek(size) if size > 0 else b""
        length = int.from_bytes(data[-4:], "little")
        if not 0 < length <= AT_ONCE:
            return b""
        try:
            reader = GzipReader(io.BytesIO(data + _BEHIND))
            plain = bytes(reader.read(length))
            # Only where the data of a member end does the next one begin.
            ends = len(plain) == length and bytes(reader.read(1)) == b"."
        except OSError:
            return b""
        if not ends or zlib.crc32(plain).to_bytes(4, "little") != data[-8:-4]:
            return b""
        window.position += size
        return plain

    def _next(self, limit: int) -> bytes:
        if self._whole:
            return b""
        if self._inflater is None:
            if plain := self._at_once():
                self._whole = True
                return plain
            self._inflater = zlib.decompressobj(31)
        inflater = self._inflater
        while not inflater.eof:
            data = self._pending or self._window.take(FEED)
            try:
                piece: bytes = inflater.decompress(data, limit)
            except zlib.error as error:
                raise MemberError(str(error)) from error
            self._pending = inflater.unconsumed_tail
            self._window.position -= len(inflater.unused_data)  # bytes behind the member's end
            if piece:
                return piece
            if not data:
                raise MemberError("the file ends inside a gzip member", truncated=True)
        return b""


class FrameBytes(io.RawIOBase):
    """The compressed bytes of one frame as a file of its own: walks the blocks without decompressing them."""

    def __init__(self, window: Window, pieces: Iterator[int]) -> None:
        super().__init__()
        self._window = window
        self._pieces = pieces
        self._left = 0
        self._told = 0
        self.error: MemberError | None = None

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Give at most `size` bytes; none at the frame's end. Raises `MemberError`."""
        if self.error is not None:
            raise self.error
        while self._left == 0:
            try:
                following = next(self._pieces, None)
            except MemberError as error:
                self.error = error
                raise
            if following is None:
                return b""
            self._left = following
        piece = self._window.take(min(self._left, FEED if size is None or size < 0 else size))
        if not piece:
            self.error = MemberError("the file ends inside a frame", truncated=True)
            raise self.error
        self._left -= len(piece)
        self._told += len(piece)
        return piece

    def tell(self) -> int:
        """Tell how many bytes were read."""
        return self._told


def _exactly(window: Window, size: int) -> bytes:
    data = window.peek(size)
    if len(data) < size:
        raise MemberError("the file ends inside a frame", truncated=True)
    return data


def zstd_pieces(window: Window) -> Iterator[int]:
    """Sizes of the parts of the Zstandard frame at `window` (RFC 8878, section 3.1.1)."""
    descriptor = _exactly(window, 5)[4]
    single_segment = descriptor >> 5 & 1
    content_size = (1 if single_segment else 0, 2, 4, 8)[descriptor >> 6]
    yield 5 + (1 - single_segment) + (0, 1, 2, 4)[descriptor & 3] + content_size
    last = 0
    while not last:
        header = int.from_bytes(_exactly(window, 3), "little")
        last, kind, size = header & 1, header >> 1 & 3, header >> 3
        if kind == 3:
            raise MemberError("reserved block type in a Zstandard frame")
        yield 3 + (1 if kind == 1 else size)
    if descriptor >> 2 & 1:
        yield 4


def lz4_pieces(window: Window) -> Iterator[int]:
    """Sizes of the parts of the LZ4 frame at `window` (LZ4 frame format, version 1.6)."""
    flags = _exactly(window, 5)[4]
    if flags >> 6 != 1:
        raise MemberError("unknown version of an LZ4 frame")
    yield 7 + (8 if flags >> 3 & 1 else 0) + (4 if flags & 1 else 0)
    block_checksum = 4 if flags >> 4 & 1 else 0
    while size := int.from_bytes(_exactly(window, 4), "little") & 0x7FFFFFFF:
        if size > 4 << 20:
            raise MemberError("a block of an LZ4 frame is larger than the format allows")
        yield 4 + size + block_checksum
    yield 4 + (4 if flags >> 2 & 1 else 0)


class FrameMember(Member):
    """One Zstandard or LZ4 frame, decompressed by a reader that pulls."""

    def __init__(self, window: Window, pieces: Iterator[int], decoder: Callable[[FrameBytes], Any]) -> None:
        super().__init__(window.position)
        self._frame = FrameBytes(window, pieces)
        self._decoder = decoder
        self._reader: Any = None

    def _next(self, limit: int) -> bytes:
        try:
            if self._reader is None:
                self._reader = self._decoder(self._frame)
            piece = self._reader.read(limit)
            while not piece and self._frame.read(FEED):
                pass
            return bytes(piece)
        except (OSError, ValueError, zstandard.ZstdError, MemberError) as error:
            raise self._frame.error or MemberError(str(error)) from error


class Container(ABC):
    """A file as a chain of members. `magic` begins each of them."""

    magic: bytes = b""

    def __init__(self, window: Window) -> None:
        self.window = window
        self._ahead: Member | None = None

    @property
    def consumed(self) -> int:
        """Bytes of the file that were used so far (look-ahead of the decompressor included)."""
        return self.window.position if self._ahead is None else self._ahead.offset

    def next_member(self) -> Member | None:
        """Open the member at the current position; None at the end of the file. Raises `MemberError`."""
        if self._ahead is not None:
            member, self._ahead = self._ahead, None
            return member
        self._skip()
        self.window.mark()
        if not self.window.fill(1):
            return None
        return self._open()

    def _skip(self) -> None:  # noqa: B027
        """Move over what may stand between members."""

    def continuation(self, looks_like_record: LooksLikeRecord) -> Member | None:
        """Give the next member if the record in hand goes on in it: it begins with no record itself."""
        member = self.next_member()
        if member is not None and looks_like_record(member.head(FEED)):
            self._ahead = member
            return None
        return member

    def recover(self, damaged: int, looks_like_record: LooksLikeRecord) -> int:
        """Move to the first good member behind offset `damaged`, or to the file's end; give the offset."""
        self._ahead = None
        window = self.window
        window.position = max(damaged + 1, window.start)
        pattern = re.compile(re.escape(self.magic), re.DOTALL)
        while window.seek_pattern(pattern, len(self.magic)):
            offset = window.position
            window.mark()
            try:
                good = looks_like_record(self._open().head(1))
            except MemberError:
                good = False
            window.position = max(offset if good else offset + 1, window.start)
            if good and window.position == offset:
                return offset
        return window.position

    @abstractmethod
    def _open(self) -> Member: ...


class PlainContainer(Container):
    """A file that is not compressed: one member."""

    def _open(self) -> Member:
        return PlainMember(self.window)


class GzipContainer(Container):
    """Gzip members one after the other."""

    magic = GzipMember.magic

    def _open(self) -> Member:
        if self.window.peek(3) != self.magic:
            raise MemberError("no gzip member where one should begin")
        return GzipMember(self.window)


class _FrameContainer(Container):
    def _skip(self) -> None:
        """Move over skippable frames (RFC 8878, section 3.1.2; the same in LZ4)."""
        while is_skippable(head := self.window.peek(8)) and len(head) == 8:
            size = 8 + int.from_bytes(head[4:], "little")
            if size > KEPT or self.window.fill(size) < size:
                return  # damage that looks like one must not cost the rest of the file
            self.window.drop(size)


class ZstdContainer(_FrameContainer):
    """Zstandard frames one after the other.

    A dictionary in a first skippable frame (0x184D2A5D, "WARC compressed with Zstandard", IIPC) is used.
    """

    magic = b"\x28\xb5\x2f\xfd"

    def __init__(self, window: Window) -> None:
        super().__init__(window)
        dictionary = self._dictionary()
        self._decompressor = zstandard.ZstdDecompressor(dict_data=dictionary, max_window_size=MAXIMUM_WINDOW)

    def _dictionary(self) -> zstandard.ZstdCompressionDict | None:
        head = self.window.peek(8)
        if head[:4] != b"\x5d\x2a\x4d\x18":
            return None
        size = int.from_bytes(head[4:], "little")
        if size > KEPT:
            return None
        self.window.take(8)
        data = self.window.take(size)
        if data[:4] == self.magic:
            try:
                with zstandard.ZstdDecompressor(max_window_size=MAXIMUM_WINDOW).stream_reader(data) as reader:
                    data = reader.read(KEPT)
            except zstandard.ZstdError:
                return None
        return zstandard.ZstdCompressionDict(data) if data else None

    def _open(self) -> Member:
        if self.window.peek(4) != self.magic:
            raise MemberError("no Zstandard frame where one should begin")
        return FrameMember(self.window, zstd_pieces(self.window), self._reader)

    def _reader(self, frame: FrameBytes) -> Any:
        return self._decompressor.stream_reader(
            frame,  # type: ignore[arg-type]
            read_size=FEED,
            read_across_frames=False,
        )


class Lz4Container(_FrameContainer):
    """LZ4 frames one after the other."""

    magic = b"\x04\x22\x4d\x18"

    def _open(self) -> Member:
        if self.window.peek(4) != self.magic:
            raise MemberError("no LZ4 frame where one should begin")
        return FrameMember(self.window, lz4_pieces(self.window), Lz4Reader)


_Packed = GzipContainer | ZstdContainer | Lz4Container


def is_skippable(head: bytes) -> bool:
    """Tell whether a skippable frame of Zstandard or LZ4 begins with these bytes."""
    return len(head) >= 4 and head[1:4] == b"\x2a\x4d\x18" and 0x50 <= head[0] <= 0x5F


def open_container(stream: BinaryIO, name: str = "") -> Container:
    """Tell a file's compression by its first bytes, or by its name where these are damaged."""
    window = Window(lambda size: stream.read(max(size, BLOCK)), keep=KEPT)
    head = window.peek(4)
    by_magic: dict[bytes, type[_Packed]] = {kind.magic: kind for kind in (ZstdContainer, Lz4Container)}
    by_name: dict[str, type[_Packed]] = {".gz": GzipContainer, ".zst": ZstdContainer, ".lz4": Lz4Container}
    ending = name[name.rfind(".") :].lower() if "." in name else ""
    named = by_name.get(ending)
    told = GzipContainer if head[:3] == GzipContainer.magic else by_magic.get(head)
    if told is None and is_skippable(head):
        told = Lz4Container if named is Lz4Container else ZstdContainer
    if told is not None and (named in (None, told) or not _is_rather(named, told, window.peek(BLOCK))):
        return told(window)
    readable = re.match(rb"\s*(?:WARC/|[a-z][a-z0-9+.-]{0,20}:|$)", window.peek(32)) is not None
    if named is not None and not readable:
        return named(window)
    return PlainContainer(window) if told is None else told(window)


def _is_rather(named: type[_Packed] | None, told: type[_Packed], data: bytes) -> bool:
    """Tell whether a file that begins with `data` holds no member of the kind `told` there, but one of kind `named`."""
    try:
        member = told(_window(data)).next_member()
        if member is not None and member.head(1):
            return False
    except MemberError:
        pass  # the first bytes are damaged, or the name is wrong
    return named is not None and named(_window(data)).recover(-1, bool) < len(data)


def _window(data: bytes) -> Window:
    return Window(io.BytesIO(data).read, keep=KEPT)
