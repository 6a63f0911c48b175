"""Bytes of a web page to text: which encoding, and how well it fitted.

The order is that of the HTML standard ("encoding sniffing algorithm"): byte order mark, transport (the HTTP
header), a meta element near the start, then detection. Labels are those of the WHATWG Encoding standard. Three
departures, for servers often declare what is not so: a page that is valid UTF-8 beyond ASCII is UTF-8 whatever
single-byte encoding is declared; it is so too where a double-byte encoding (GBK, Shift_JIS, EUC, Big5) is declared,
once it holds more than such an encoding would give by accident; and a declared UTF-8 that fits less than half of
what is not ASCII is not believed.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from resiliparse.parse.encoding import detect_encoding, map_encoding_to_html5

from corpusforge.kernels.html_utf8 import is_sound_utf8

PRESCAN = 1 << 14
"""Bytes in which a meta element is searched. Browsers look at 1024 first, and start again for a later one."""
DETECTED = 1 << 17
"""Bytes that detection looks at."""

_BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xfe\xff", "utf-16-be"), (b"\xff\xfe", "utf-16-le"))
_OWN_LABELS = {
    "x-mac-cyrillic": "mac-cyrillic",
    "x-mac-ukrainian": "mac-cyrillic",
    "x-user-defined": "cp1252",
}
_WIDER = {
    # Python's codecs that come nearest to the tables of the Encoding standard, which are supersets.
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "big5": "big5hkscs",
    "iso8859-11": "cp874",
}
_WIDE_CODECS = frozenset(
    {"gb18030", "cp932", "cp949", "big5hkscs", "euc_jp", "iso2022_jp", "utf-16-le", "utf-16-be"}
)
_DOUBLE_BYTE_CODECS = frozenset({"gb18030", "cp932", "cp949", "big5hkscs", "euc_jp"})
_BEYOND_ACCIDENT = 8
"""Characters beyond ASCII from which valid UTF-8 is no accident of a double-byte encoding. Of GB 2312's 3755 common
characters a fifth are valid UTF-8 alone, of the other encodings' fewer."""
_REPLACEMENT = b"\xef\xbf\xbd"
"""U+FFFD in UTF-8."""
_META = re.compile(rb"<meta[\t\n\x0c\r /]", re.IGNORECASE)
_TAG = re.compile(rb"</?[A-Za-z][^\t\n\x0c\r >]*")
_ATTRIBUTE = re.compile(
    rb"[\t\n\x0c\r /]*(?P<name>=?[^\t\n\x0c\r />=]*)[\t\n\x0c\r ]*"
    rb"(?:=[\t\n\x0c\r ]*(?:\"(?P<double>[^\"]*)\"|'(?P<single>[^']*)'|(?P<bare>[^\t\n\x0c\r >\"'][^\t\n\x0c\r >]*)))?"
)
_CONTENT_CHARSET = re.compile(
    r"charset[\t\n\x0c\r ]*=[\t\n\x0c\r ]*(?:\"([^\"]*)\"|'([^']*)'|([^\t\n\x0c\r ;\"']+))", re.IGNORECASE
)

_ANY_CHARSET = re.compile(rb"charset[\t\n\x0c\r ]*=[\t\n\x0c\r ]*[\"']?[\t\n\x0c\r ]*([a-z0-9_:.()-]+)")


@dataclass(frozen=True, slots=True)
class Decoded:
    """Text of a page, the Python codec that made it, and how many U+FFFD it holds."""

    text: str
    encoding: str
    replacement_characters: int


def codec_of(label: str) -> str | None:
    """Python codec for a label of the Encoding standard, or None for an unknown label."""
    label = label.strip("\t\n\x0c\r ").lower()
    if not label or len(label) > 64 or not label.isascii():
        return None
    return _codec_of(label)


@lru_cache(1024)
def _codec_of(label: str) -> str | None:
    known = _OWN_LABELS.get(label) or map_encoding_to_html5(label, False)
    return _WIDER.get(known, known) if known else None


def names_wide_codec(label: str) -> bool:
    """Whether a label is that of a multi-byte encoding other than UTF-8."""
    return codec_of(label) in _WIDE_CODECS


def decode(payload: bytes, charset: str | None = None, is_html: bool = True) -> Decoded:
    """Decode a page that the transport declared as `charset`. Never raises; what does not fit becomes U+FFFD."""
    for mark, encoding in _BOMS:
        if payload.startswith(mark):
            return _decode_as(payload[len(mark) :], encoding)
    tried: set[str] = set()
    first: Decoded | None = None
    for encoding in _candidates(payload, charset, is_html):
        if encoding in tried:
            continue
        tried.add(encoding)
        if encoding != "utf-8" and _is_utf8_after_all(payload, encoding):
            encoding = "utf-8"
        decoded = _decode_as(payload, encoding)
        # A U+FFFD that the page itself holds is sound.
        replaced = decoded.replacement_characters - payload.count(_REPLACEMENT)
        if encoding != "utf-8" or not replaced or 2 * replaced <= _not_ascii(decoded.text):
            return decoded
        first = first or decoded
    fallback = _decode_as(payload, "cp1252")
    return (
        fallback if first is None or fallback.replacement_characters < first.replacement_characters else first
    )


def decode_to_utf8(payload: bytes, charset: str | None = None, is_html: bool = True) -> tuple[bytes, int]:
    """Give what `decode` gives as UTF-8, and how many U+FFFD it holds; sound UTF-8 passes as it is."""
    if _names_no_wide_codec(payload, charset, is_html) and _is_sound(payload, is_html):
        return payload, 0
    decoded = decode(payload, charset, is_html)
    return decoded.text.encode("utf-8"), decoded.replacement_characters


def _is_sound(payload: bytes, is_html: bool) -> bool:
    """Tell whether a payload is UTF-8 without a U+FFFD; pages have loaded kernels anyway, other texts need not."""
    if is_html:
        return bool(is_sound_utf8(np.frombuffer(payload, np.uint8)))
    return "\ufffd" not in payload.decode("utf-8", "replace")


def _names_no_wide_codec(payload: bytes, charset: str | None, is_html: bool) -> bool:
    """Tell whether a payload that is sound UTF-8 is UTF-8, whichever of its declarations counts.

    A single-byte encoding gives way to sound UTF-8; a byte order mark or a label of another multi-byte encoding
    calls for a closer look.
    """
    if payload.startswith((b"\xef\xbb\xbf", b"\xfe\xff", b"\xff\xfe")):
        return False
    if charset and names_wide_codec(charset):
        return False
    if is_html:
        head = payload[:PRESCAN].lower()
        if any(codec_of(label.decode("latin-1")) in _WIDE_CODECS for label in _ANY_CHARSET.findall(head)):
            return False
    if payload.isascii():
        # What detection may take for UTF-16, ISO-2022-JP or HZ.
        return not (b"\0" in payload or b"\x1b" in payload or b"~{" in payload)
    return True


def _candidates(payload: bytes, charset: str | None, is_html: bool) -> Iterator[str]:
    declared = codec_of(charset) if charset else None
    if declared:
        yield declared
    meta = meta_charset(payload) if is_html else None
    if meta:
        yield meta
    if _is_utf8(payload):
        yield "utf-8"
    detected = detect_encoding(payload, max_len=DETECTED, html5_compatible=False)
    if detected and detected.lower() != "ascii":
        yield codec_of(detected) or _python_codec(detected)


def _python_codec(name: str) -> str:
    """Python's own name for what detection found and no web page may declare (IBM855); UTF-8 if it has none."""
    try:
        return codecs.lookup(name).name
    except LookupError:
        return "utf-8"


def _decode_as(payload: bytes, encoding: str) -> Decoded:
    text = payload.decode(encoding, "replace")
    if not text.isascii():
        # A codec that lets lone surrogates pass would give text that is no UTF-8.
        text = (
            text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
            if _has_surrogates(text)
            else text
        )
    return Decoded(text.removeprefix("\ufeff"), codecs.lookup(encoding).name, text.count("\ufffd"))


def _has_surrogates(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False


def _is_utf8(payload: bytes) -> bool:
    if payload.isascii():
        return False
    try:
        payload.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _is_utf8_after_all(payload: bytes, declared: str) -> bool:
    """Tell whether a payload is UTF-8 although another codec is declared."""
    if declared in _DOUBLE_BYTE_CODECS:
        return _is_utf8(payload) and _not_ascii(payload.decode("utf-8")) >= _BEYOND_ACCIDENT
    return declared not in _WIDE_CODECS and _is_utf8(payload)


def _not_ascii(text: str) -> int:
    """Count the characters that are not ASCII."""
    return len(text) - len(text.encode("ascii", "ignore")) if not text.isascii() else 0


def meta_charset(payload: bytes) -> str | None:
    """Python codec that a meta element declares in the first bytes (HTML standard, "prescan a byte stream")."""
    head = payload[:PRESCAN]
    position = 0
    while (position := head.find(b"<", position)) >= 0:
        if head.startswith(b"<!--", position):
            end = head.find(b"-->", position + 2)
            position = end + 3 if end >= 0 else len(head)
        elif _META.match(head, position):
            attributes, position = _attributes(head, position + len(b"<meta"))
            found = _declared(attributes)
            if found:
                return found
        elif name := _TAG.match(head, position):
            _, position = _attributes(head, name.end())
        elif head[position + 1 : position + 2] in (b"!", b"/", b"?"):
            end = head.find(b">", position)
            position = end if end >= 0 else len(head)
        else:
            position += 1
    return None


def _attributes(head: bytes, position: int) -> tuple[list[tuple[str, str]], int]:
    """Read a tag's attributes as names in lower case and values; tells where they end.

    An attribute that reaches the end of `head` may be cut and does not count.
    """
    attributes = []
    while (match := _ATTRIBUTE.match(head, position)) and match["name"] and match.end() < len(head):
        value = next((group for group in match.group("double", "single", "bare") if group is not None), b"")
        attributes.append((match["name"].decode("latin-1").lower(), value.decode("latin-1")))
        position = match.end()
    return attributes, position


def _declared(attributes: list[tuple[str, str]]) -> str | None:
    """Python codec that a meta element with these attributes declares; of equal names the first counts."""
    values = dict(reversed(attributes))
    if "charset" in values:
        label = values["charset"]
    elif values.get("http-equiv", "").lower() == "content-type":
        match = _CONTENT_CHARSET.search(values.get("content", ""))
        label = next(group for group in match.groups() if group is not None) if match else ""
    else:
        return None
    codec = codec_of(label)
    return "utf-8" if codec in ("utf-16-le", "utf-16-be") else codec
