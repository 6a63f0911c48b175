"""A stream of bytes with look-ahead and a way back: what searching for the next sound record needs."""

from __future__ import annotations

import re
from collections.abc import Callable

BLOCK = 1 << 20
"""Bytes asked of the file at once."""
FEED = 1 << 15
"""Compressed bytes handed to zlib at once: small, for zlib copies what follows the member's end."""
PIECE = 1 << 18
"""Most bytes that one `Member.read` returns."""


class Window:
    """A stream of bytes with look-ahead, and with a way back to a mark.

    `position` is the offset of the next byte, counted from the stream's start.
    """

    def __init__(self, read: Callable[[int], bytes], keep: int | None = None) -> None:
        self.read = read
        self._keep = keep
        self._buffer = bytearray()
        self._start = 0
        self.position = 0

    @property
    def start(self) -> int:
        """Offset of the oldest byte that `position` may go back to."""
        return self._start

    def available(self) -> int:
        """Count the bytes from `position` on that are in memory."""
        return self._start + len(self._buffer) - self.position

    def fill(self, size: int) -> int:
        """Read until `size` bytes lie ahead or the stream ends; give the number of bytes that lie ahead."""
        while (ahead := self.available()) < size:
            piece = self.read(max(size - ahead, FEED))
            if not piece:
                return ahead
            self._buffer += piece
        if self._keep is not None and self.position - self._start > 2 * self._keep:
            self._forget(self.position - self._keep)
        return self.available()

    def peek(self, size: int) -> bytes:
        """Copy the next bytes, at most `size`, without moving."""
        self.fill(size)
        begin = self.position - self._start
        with memoryview(self._buffer) as buffer:  # a slice of the buffer itself would be one copy more
            return bytes(buffer[begin : begin + size])

    def take(self, size: int) -> bytes:
        """Copy the next bytes, at most `size`, and move behind them."""
        taken = self.peek(size)
        self.position += len(taken)
        return taken

    def drop(self, size: int) -> int:
        """Move over `size` bytes without keeping them; give how many there were."""
        dropped = 0
        while dropped < size and (step := min(size - dropped, self.fill(min(size - dropped, PIECE)))):
            self.position += step
            dropped += step
            self.mark()
        return dropped

    def mark(self) -> None:
        """Forget all bytes before `position`."""
        self._forget(self.position)

    def _forget(self, until: int) -> None:
        del self._buffer[: until - self._start]
        self._start = until

    def find(self, needle: bytes, size: int, skipped: int = 0) -> int:
        """Tell the distance to `needle` within the `size` bytes ahead that are in memory, or -1.

        `skipped`: bytes ahead at which it is not looked for.
        """
        begin = self.position - self._start
        found = self._buffer.find(needle, begin + skipped, begin + size)
        return found - begin if found >= 0 else -1

    def seek_pattern(self, pattern: re.Pattern[bytes], overlap: int) -> bool:
        """Move to the next match of `pattern` (at most `overlap` bytes long), else to the end."""
        # Forgets what it passes.
        while ahead := self.fill(BLOCK):
            begin = self.position - self._start
            match = pattern.search(self._buffer, begin)
            # A match at the very end of what is in memory may look different with more bytes.
            if match and (match.end() < len(self._buffer) or ahead < BLOCK):
                self.position = self._start + match.start()
                return True
            self.position += ahead if ahead < BLOCK else max(1, ahead - overlap)
            self.mark()
        return False
