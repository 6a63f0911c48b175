"""Pages that a pipeline should drop or survive: menus, filler, symbols, repetition, nesting, wrong types."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from typing import Any

from corpusforge.sample.draw import Draw
from corpusforge.sample.english import ENGLISH
from corpusforge.sample.text import Writer

NESTING = 3_000
"""Depth of the deeply nested page."""
LONG_LINE = 300_000
"""Characters of the one word on the page with the very long line."""

_LOREM = (
    "Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor incididunt ut labore et "
    "dolore "
    "magna aliqua. Ut enim ad minim veniam, quis nostrud exercitation ullamco laboris nisi ut aliquip ex ea "
    "commodo."
)
_JAPANESE = (
    "この町の古い橋は、川の近くにあります。",
    "毎朝、先生は学校へ歩いて行きます。",
    "図書館には古い本がたくさんあります。",
    "昨日の雨で、庭の花がきれいに咲きました。",
    "祖母は台所で新しい料理を作りました。",
    "駅の前の市場は、日曜日にとてもにぎやかです。",
    "私たちは山のふもとの小さな村を訪れました。",
    "その写真は百年前に撮られたものです。",
    "船長は静かな港で手紙を書きました。",
    "子供たちは博物館の時計を見て驚きました。",
)
_SYMBOLS = (
    *("★", "☆", "♥", "►", "◄", "■", "□", "###", "...", "~~~", "===", "***"),
    *("@@@", "$$$", "%%%", "&&&", "|||", "<<<", ">>>", "+++", "(((", ")))"),
)


def _html(title: str, body: str) -> bytes:
    head = f'<head><meta charset="utf-8"><title>{title}</title></head>'
    return f"<!DOCTYPE html><html>{head}<body>{body}</body></html>".encode()


def _fields(kind: str, text: str, body: bytes, language: str | None = None, **more: Any) -> dict[str, Any]:
    return {"kind": kind, "language": language, "text": text, "body": body, **more}


def _boilerplate(draw: Draw) -> dict[str, Any]:
    """A page of menus and notices; in turn with filler text or a notice about JavaScript and code braces."""
    labels = list(ENGLISH.labels.values())
    menu = "".join(f"<li><a href='#{n}'>{label}</a></li>" for n, label in enumerate(draw.shuffled(labels)))
    variant = draw.below(3)
    if variant == 0:
        body = f"<ul>{menu}</ul><div>{' '.join(draw.shuffled(labels))}</div>"
    elif variant == 1:
        body = f"<ul>{menu}</ul><p>{_LOREM}</p><p>{_LOREM}</p>"
    else:
        body = (
            f"<ul>{menu}</ul><p>Please enable JavaScript to view this page.</p>"
            "<p>function show(id) { return document.getElementById(id); }</p>"
        )
    return _fields("boilerplate", "", _html("Site map", body), "en")


def _short(draw: Draw) -> dict[str, Any]:
    text = draw.choice(("Page moved.", "Coming soon", "Under construction!", "It works."))
    return _fields("short", text, _html("Untitled", f"<p>{text}</p>"), "en")


def _symbols(draw: Draw) -> dict[str, Any]:
    lines = [" ".join(draw.choice(_SYMBOLS) for _ in range(30)) for _ in range(25)]
    return _fields(
        "symbols",
        "\n".join(lines),
        _html("***", "".join(f"<p>{x}</p>" for x in lines)).replace(b"<<<", b"&lt;"),
    )


def _repeated_lines(draw: Draw) -> dict[str, Any]:
    writer = Writer(ENGLISH, draw)
    line = writer.sentence()
    lines = [line if number % 6 else writer.sentence() for number in range(40)]
    return _fields(
        "repeated_lines", "\n".join(lines), _html("Guest book", "".join(f"<p>{x}</p>" for x in lines)), "en"
    )


def _not_found(draw: Draw) -> dict[str, Any]:
    text = "Not Found. The requested URL was not found on this server."
    return _fields(
        "not_found", text, _html("404 Not Found", f"<h1>Not Found</h1><p>{text}</p>"), "en", status=404
    )


def _redirect(draw: Draw) -> dict[str, Any]:
    target = f"https://www.example.com/moved/{draw.below(10_000)}"
    return _fields("redirect", "", b"", None, status=301, headers={"Location": target})


def _image(draw: Draw) -> dict[str, Any]:
    """A valid PNG of 8 x 8 grey pixels: signature, IHDR, IDAT, IEND (PNG specification, section 5)."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + name + data + zlib.crc32(name + data).to_bytes(4, "big")

    rows = b"".join(b"\0" + bytes(draw.below(256) for _ in range(8)) for _ in range(8))
    header = (8).to_bytes(4, "big") * 2 + bytes((8, 0, 0, 0, 0))
    data = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )
    return _fields("image", "", data, content_type="image/png", charset=None)


def _deeply_nested(draw: Draw) -> dict[str, Any]:
    text = Writer(ENGLISH, draw).paragraph(6)
    body = "<div>" * NESTING + f"<p>{text}</p>" + "</div>" * NESTING
    return _fields("deeply_nested", text, _html("Nested", body), "en")


def _long_line(draw: Draw) -> dict[str, Any]:
    """One word of hexadecimal digits that never ends, after a sentence."""
    text = Writer(ENGLISH, draw).sentence()
    word = "".join(f"{draw.bits():016x}" for _ in range(LONG_LINE // 16))
    return _fields("long_line", f"{text}\n{word}", _html("Dump", f"<p>{text}</p><p>{word}</p>"), "en")


def _shift_jis(draw: Draw) -> dict[str, Any]:
    """Japanese in Shift JIS, declared in the header."""
    paragraphs = ["".join(draw.shuffled(_JAPANESE)) for _ in range(4)]
    markup = "".join(f"<p>{paragraph}</p>" for paragraph in paragraphs)
    head = f'<head><meta charset="Shift_JIS"><title>{_JAPANESE[0]}</title></head>'
    page = f'<html lang="ja">{head}<body>{markup}</body></html>'
    return _fields("charset", "\n".join(paragraphs), page.encode("shift_jis"), "ja", charset="Shift_JIS")


ODD_PAGES: Mapping[str, Callable[[Draw], dict[str, Any]]] = {
    "boilerplate": _boilerplate,
    "short": _short,
    "symbols": _symbols,
    "repeated_lines": _repeated_lines,
    "not_found": _not_found,
    "redirect": _redirect,
    "image": _image,
    "deeply_nested": _deeply_nested,
    "long_line": _long_line,
    "shift_jis": _shift_jis,
}
"""Kind of the schedule to a maker of `Page` fields."""
