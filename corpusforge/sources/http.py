"""HTTP responses as crawlers store them: status line, fields, codings of transfer and content (RFC 9110, 9112).

Archives often declare encodings that were already removed; a body that plainly is not encoded passes.
Decompression is bounded: a few bytes that would unfold to gigabytes cost one error.
"""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import zstandard
from fastwarc.stream_io import BrotliReader

from corpusforge.sources.containers import MAXIMUM_WINDOW
from corpusforge.sources.warc import header_end, parse_fields

MAXIMUM_CODINGS = 4
"""Most content codings on top of each other."""
_MEDIA_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]{1,80}/[a-z0-9!#$&^_.+-]{1,80}")
GZIP, ZLIB, RAW = 31, 15, -15
"""Window bits that tell zlib what to expect."""
_PIECE = 1 << 16
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_ZSTD_FEED = 256  # four bytes may unfold to a block of 128 KiB
_STATUS_LINE = re.compile(rb"(?:HTTP/\d{1,2}(?:\.\d{1,2})?|ICY)[ \t]+(\d{3})(?:[ \t][^\n]*)?\r?\n")
_CHUNK_LINE = re.compile(rb"[ \t]*([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\n]{0,4096})?\r?\n")


class PayloadError(Exception):
    """A response cannot be decoded; `kind` is the short name that is counted."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class _IncompleteError(Exception):
    """The data ends inside a stream; `decoded` is what came before."""

    def __init__(self, decoded: bytes) -> None:
        super().__init__("the data ends early")
        self.decoded = decoded


@dataclass(frozen=True, slots=True)
class Response:
    """A response: status code, fields with lower-case names, body as stored."""

    status: int
    fields: Mapping[str, str]
    body: bytes


def parse_response(content: bytes) -> Response:
    """Split a stored response. Raises `PayloadError("bad_http_header")` where it has no sound header."""
    status = _STATUS_LINE.match(content)
    if status is None:
        raise PayloadError("bad_http_header", f"no status line in {content[:60]!r}")
    if content[status.end() : status.end() + 2] == b"\r\n":
        return Response(int(status[1]), {}, content[status.end() + 2 :])
    end = header_end(content, 1 << 20)
    if end < 0:
        raise PayloadError("bad_http_header", "the header does not end")
    return Response(int(status[1]), parse_fields(content[status.end() : end]), content[end:])


def decode_body(response: Response, limit: int, incomplete_is_fine: bool = False) -> bytes:
    """Remove the transfer and content codings that are declared; `limit` bounds every stage in bytes.

    Raises `PayloadError` of kind "payload_too_large", "bad_transfer_encoding" or "bad_content_encoding".
    `incomplete_is_fine`: the record is known to be cut, so what can be decoded is given.
    """
    body = response.body
    if "chunked" in response.fields.get("transfer-encoding", "").lower():
        body = _whole(remove_chunks, body, limit, incomplete_is_fine, "bad_transfer_encoding")
    codings = [name.strip().lower() for name in response.fields.get("content-encoding", "").split(",")]
    decoders = [DECODERS[name] for name in codings if name in DECODERS]
    if len(decoders) > MAXIMUM_CODINGS:
        raise PayloadError("bad_content_encoding", f"{len(decoders)} content codings on top of each other")
    for decoder in reversed(decoders):
        body = _whole(decoder, body, limit, incomplete_is_fine, "bad_content_encoding")
    if len(body) > limit:
        raise PayloadError("payload_too_large", f"a payload of {len(body)} bytes, more than {limit}")
    return body


def _whole(
    decoder: Callable[[bytes, int], bytes], body: bytes, limit: int, incomplete_is_fine: bool, kind: str
) -> bytes:
    try:
        return decoder(body, limit)
    except _IncompleteError as error:
        if incomplete_is_fine:
            return error.decoded
        raise PayloadError(kind, str(error)) from error
    except ValueError as error:
        raise PayloadError(kind, str(error)) from error


def remove_chunks(body: bytes, limit: int) -> bytes:
    """Join the chunks of RFC 9112, section 7.1; a body without chunks passes. Raises `ValueError`."""
    pieces: list[bytes] = []
    position = 0
    while True:
        line = _CHUNK_LINE.match(body, position)
        if line is None:
            if position == 0:
                return body
            if position >= len(body):
                raise _IncompleteError(b"".join(pieces))
            raise ValueError(f"no chunk begins with {body[position : position + 20]!r}")
        size = int(line[1], 16)
        if size == 0:
            return b"".join(pieces)
        position = line.end()
        pieces.append(body[position : position + size])
        position += size
        if position > len(body):
            raise _IncompleteError(b"".join(pieces))
        position += 2 if body[position : position + 2] == b"\r\n" else body[position : position + 1] == b"\n"


def _inflate(body: bytes, limit: int, window_bits: int) -> bytes:
    """Decompress with zlib; of gzip all members, up to what is none."""
    pieces = _Pieces(limit)
    while True:
        inflater = zlib.decompressobj(window_bits)
        while not inflater.eof:
            try:
                piece = inflater.decompress(body, limit + 1 - pieces.size)
            except zlib.error as error:
                raise ValueError(str(error)) from error
            pieces.add(piece)
            body = inflater.unconsumed_tail
            if not piece and not body:
                break
        if not inflater.eof:
            raise _IncompleteError(pieces.join())
        body = inflater.unused_data
        if window_bits != GZIP or not body.startswith(b"\x1f\x8b"):
            return pieces.join()


def decode_gzip(body: bytes, limit: int) -> bytes:
    """Decompress gzip members; bytes that are not gzip pass. Raises `ValueError`."""
    return _inflate(body, limit, GZIP) if body.startswith(b"\x1f\x8b") else body


def decode_deflate(body: bytes, limit: int) -> bytes:
    """Decompress zlib data (RFC 1950), or raw deflate (RFC 1951) as some servers send it; text passes."""
    if len(body) >= 2 and body[0] & 15 == 8 and int.from_bytes(body[:2], "big") % 31 == 0:
        try:
            return _inflate(body, limit, ZLIB)
        except ValueError:
            return _inflate(body, limit, RAW)
    try:
        return _inflate(body, limit, RAW)
    except (ValueError, _IncompleteError):
        if is_text(body):
            return body
        raise


def decode_brotli(body: bytes, limit: int) -> bytes:
    """Decompress Brotli (RFC 7932), which has no magic number; text passes. Raises `ValueError`.

    A cut stream is an error even where that is fine elsewhere: the reader gives nothing of it.
    """
    if not body:
        return b""
    reader = BrotliReader(io.BytesIO(body))
    pieces = _Pieces(limit)
    try:
        while piece := reader.read(_PIECE):
            pieces.add(piece)
    except OSError as error:
        if not pieces.size and is_text(body):
            return body
        raise ValueError(str(error)) from error
    return pieces.join()


def decode_zstd(body: bytes, limit: int) -> bytes:
    """Decompress Zstandard frames; bytes that are not Zstandard pass. Raises `ValueError`."""
    if not body.startswith(_ZSTD_MAGIC):
        return body
    pieces = _Pieces(limit)
    while body.startswith(_ZSTD_MAGIC):
        frame = zstandard.ZstdDecompressor(max_window_size=MAXIMUM_WINDOW).decompressobj()
        for start in range(0, len(body), _ZSTD_FEED):
            try:
                pieces.add(frame.decompress(body[start : start + _ZSTD_FEED]))
            except zstandard.ZstdError as error:
                raise ValueError(str(error)) from error
            if frame.eof:
                body = frame.unused_data + body[start + _ZSTD_FEED :]
                break
        if not frame.eof:
            raise _IncompleteError(pieces.join())
    return pieces.join()


class _Pieces:
    """Pieces of a body, at most `limit` bytes of them."""

    def __init__(self, limit: int) -> None:
        self._pieces: list[bytes] = []
        self._limit = limit
        self.size = 0

    def add(self, piece: bytes) -> None:
        """Add a piece. Raises `PayloadError` beyond the limit."""
        self._pieces.append(piece)
        self.size += len(piece)
        if self.size > self._limit:
            raise PayloadError("payload_too_large", f"unfolds to more than {self._limit} bytes")

    def join(self) -> bytes:
        """Join the pieces."""
        return b"".join(self._pieces)


DECODERS: Mapping[str, Callable[[bytes, int], bytes]] = {
    "gzip": decode_gzip,
    "x-gzip": decode_gzip,
    "deflate": decode_deflate,
    "br": decode_brotli,
    "zstd": decode_zstd,
}
"""Content codings of the IANA registry that are removed; unknown ones pass, as browsers let them."""


def is_text(body: bytes) -> bool:
    """Tell whether bytes look like text: no control characters but white space in the first 512."""
    controls = sum(byte < 32 and byte not in b"\t\n\f\r\x1b" for byte in body[:512])
    return controls == 0


def split_media_type(value: str) -> tuple[str, str | None]:
    """Split a Content-Type into the media type in lower case and the charset parameter, if any."""
    media_type, _, parameters = value.partition(";")
    charset = re.search(r"(?i)(?:^|[;\s])charset\s*=\s*[\"']?\s*([^\s\"';,]{1,64})", parameters)
    media_type = media_type.split(",")[0].strip().lower()
    return (
        media_type if re.fullmatch(r"[a-z0-9!#$&^_.+-]{1,80}/[a-z0-9!#$&^_.+-]{1,80}", media_type) else ""
    ), (charset[1] if charset else None)
