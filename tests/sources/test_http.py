"""HTTP responses: header, chunks, content codings, bombs."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from corpusforge.sources.http import (
    PayloadError,
    Response,
    decode_body,
    parse_response,
    remove_chunks,
    split_media_type,
)

PAGE = b"<html><body>" + b"<p>some text of a page</p>" * 50
LIMIT = 1 << 20


def raw_deflate(data: bytes) -> bytes:
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    return compressor.compress(data) + compressor.flush()


CODERS = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstandard.ZstdCompressor().compress,
}


def decode(coding: str, body: bytes, limit: int = LIMIT, incomplete_is_fine: bool = False) -> bytes:
    return decode_body(Response(200, {"content-encoding": coding}, body), limit, incomplete_is_fine)


@pytest.mark.parametrize("coding", CODERS)
def test_content_codings(coding: str) -> None:
    assert decode(coding, CODERS[coding](PAGE)) == PAGE
    assert decode(coding.upper(), CODERS[coding](PAGE)) == PAGE


def test_raw_deflate_and_several_gzip_members() -> None:
    assert decode("deflate", raw_deflate(PAGE)) == PAGE
    assert decode("gzip", gzip.compress(PAGE) + gzip.compress(b"more")) == PAGE + b"more"
    assert decode("gzip", gzip.compress(PAGE) + b"\0\0\0") == PAGE
    assert decode("deflate, gzip", gzip.compress(zlib.compress(PAGE))) == PAGE


@pytest.mark.parametrize("coding", [*CODERS, "identity", "none", "utf-8", ""])
def test_a_declared_coding_that_was_already_removed(coding: str) -> None:
    assert decode(coding, PAGE) == PAGE
    assert decode(coding, b"") == b""


@pytest.mark.parametrize("coding", CODERS)
def test_a_cut_stream(coding: str) -> None:
    text = bytes(range(32, 127)) * 4000
    body = CODERS[coding](zlib.compress(text, 9) * 40)
    with pytest.raises(PayloadError) as caught:
        decode(coding, body[: len(body) // 2])
    assert caught.value.kind == "bad_content_encoding"
    if coding == "br":
        return  # nothing of a cut Brotli stream is given
    part = decode(coding, body[: len(body) // 2], incomplete_is_fine=True)
    assert (zlib.compress(text, 9) * 40).startswith(part)


@pytest.mark.parametrize("coding", CODERS)
def test_bombs_cost_one_error(coding: str) -> None:
    bomb = CODERS[coding](bytes(12 << 20))
    tracemalloc.start()
    with pytest.raises(PayloadError) as caught:
        decode(coding, bomb)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert caught.value.kind == "payload_too_large"
    assert peak < 8 << 20


def test_bombs_in_bombs() -> None:
    bomb = gzip.compress(gzip.compress(bytes(50 << 20)))
    with pytest.raises(PayloadError, match="unfolds"):
        decode("gzip, gzip", bomb)
    with pytest.raises(PayloadError, match="on top of each other"):
        decode("gzip," * 5 + "gzip", bomb)


def test_exactly_the_limit_passes() -> None:
    assert len(decode("gzip", gzip.compress(bytes(LIMIT)))) == LIMIT
    with pytest.raises(PayloadError):
        decode("gzip", gzip.compress(bytes(LIMIT + 1)))
    with pytest.raises(PayloadError):
        decode("", bytes(LIMIT + 1))


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_broken_streams_are_errors(coding: str) -> None:
    body = bytearray(CODERS[coding](bytes(range(256)) * 50))
    body[len(body) // 2] ^= 0xFF
    body[6] ^= 0xFF
    with pytest.raises(PayloadError) as caught:
        decode(coding, bytes(body[:-3]) + b"\x01\x02\x03")
    assert caught.value.kind == "bad_content_encoding"


def test_chunks() -> None:
    assert remove_chunks(b"5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n", LIMIT) == b"hello world"
    assert remove_chunks(b"5\nhello\n0\n\n", LIMIT) == b"hello"
    assert remove_chunks(b"<html>no chunks", LIMIT) == b"<html>no chunks"
    chunked = Response(200, {"transfer-encoding": "chunked", "content-encoding": "gzip"}, b"")
    body = gzip.compress(PAGE)
    pieces = b"".join(
        b"%x\r\n%s\r\n" % (len(body[i : i + 7]), body[i : i + 7]) for i in range(0, len(body), 7)
    )
    assert decode_body(Response(200, chunked.fields, pieces + b"0\r\n\r\n"), LIMIT) == PAGE


@pytest.mark.parametrize("body", [b"5\r\nhel", b"5\r\nhello\r\n", b"5\r\nhello\r\nXX\r\n"])
def test_broken_chunks(body: bytes) -> None:
    response = Response(200, {"transfer-encoding": "chunked"}, body)
    with pytest.raises(PayloadError) as caught:
        decode_body(response, LIMIT)
    assert caught.value.kind == "bad_transfer_encoding"


def test_broken_chunks_of_a_record_that_is_known_to_be_cut() -> None:
    response = Response(200, {"transfer-encoding": "chunked"}, b"5\r\nhello\r\n9\r\n wor")
    assert decode_body(response, LIMIT, incomplete_is_fine=True) == b"hello wor"


def test_headers() -> None:
    response = parse_response(
        b'HTTP/1.1 404 Not Found\r\nContent-Type: Text/HTML; Charset="X"\r\n\r\nbody\r\n\r\n'
    )
    assert (response.status, response.body) == (404, b"body\r\n\r\n")
    assert split_media_type(response.fields["content-type"]) == ("text/html", "X")
    assert parse_response(b"HTTP/2 200\n\nx").body == b"x"
    assert parse_response(b"HTTP/1.1 200 OK\r\n\r\nx") == Response(200, {}, b"x")


@pytest.mark.parametrize(
    "content", [b"", b"<html>", b"HTTP/1.1 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nA: b\r\n", b"\xff" * 99]
)
def test_no_response(content: bytes) -> None:
    with pytest.raises(PayloadError) as caught:
        parse_response(content)
    assert caught.value.kind == "bad_http_header"


def test_media_types() -> None:
    assert split_media_type("text/html;charset=utf-8") == ("text/html", "utf-8")
    assert split_media_type("text/html; foo=bar; charset = 'koi8-r' ;x") == ("text/html", "koi8-r")
    assert split_media_type("text/html,text/html; charset=a") == ("text/html", "a")
    assert split_media_type("<script>") == ("", None)
    assert split_media_type("text/html; xcharset=a") == ("text/html", None)


@given(st.binary(max_size=400), st.sampled_from([*CODERS, "gzip, br", "x"]), st.booleans(), st.booleans())
def test_only_payload_errors(body: bytes, coding: str, chunked: bool, incomplete_is_fine: bool) -> None:
    fields = {"content-encoding": coding, **({"transfer-encoding": "chunked"} if chunked else {})}
    decoded, kind = b"", "bad_content_encoding"
    try:
        decoded = decode_body(Response(200, fields, body), LIMIT, incomplete_is_fine)
    except PayloadError as error:
        kind = error.kind
    assert len(decoded) <= LIMIT
    assert kind in {"payload_too_large", "bad_transfer_encoding", "bad_content_encoding"}
