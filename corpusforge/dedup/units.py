"""Lines and paragraphs of a text as units that are hashed, compared and removed."""

from __future__ import annotations

import hashlib
import re
from typing import Literal, NamedTuple

from corpusforge.dedup.normalize import Normalization, normalized

UnitKind = Literal["line", "paragraph"]

_LINE_END = re.compile(rb"\n")
# A blank line or several; horizontal white space on them is theirs.
_PARAGRAPH_END = re.compile(rb"\n(?:[ \t\r]*\n)+")


class Unit(NamedTuple):
    """A unit that may be removed: bytes `start` to `end` of the text, its separator included.

    `key` is the 128-bit hash of its normalized content in its scope.
    """

    start: int
    end: int
    key: bytes


def unit_spans(text: bytes, kind: UnitKind) -> list[tuple[int, int, int]]:
    """Give (start, end of the content, end of the separator) of all units; they cover the text."""
    spans = []
    start = 0
    for match in (_LINE_END if kind == "line" else _PARAGRAPH_END).finditer(text):
        spans.append((start, match.start(), match.end()))
        start = match.end()
    spans.append((start, len(text), len(text)))
    return spans


def units(
    text: bytes,
    scope: bytes,
    kind: UnitKind,
    normalization: Normalization,
    min_words: int,
    min_characters: int,
) -> list[Unit]:
    """Find the units of a text that take part in deduplication.

    Those with fewer than `min_words` words (between white space) or `min_characters` characters, or with
    nothing left by the normalization, do not. Units of different `scope` never have the same key.
    """
    scope_digest = hashlib.blake2b(scope, digest_size=16).digest()
    scoped = hashlib.blake2b(scope_digest, digest_size=16, person=b"corpusforge-unit")
    found = []
    for start, content_end, end in unit_spans(text, kind):
        content = text[start:content_end]
        value = normalized(content, normalization)
        if not value:
            continue
        if min_words > 1 and len(content.split(None, min_words)) < min_words:
            continue
        if min_characters > 1 and len(content) < 4 * min_characters and _characters(content) < min_characters:
            continue
        digest = scoped.copy()
        digest.update(value)
        found.append(Unit(start, end, digest.digest()))
    return found


def _characters(content: bytes) -> int:
    return len(content.decode("utf-8", "replace"))


def domain_of(url: str | None, source: str) -> bytes:
    """Give the scope `domain` of a document: its URL's host in lower case without ``www.``, or its source.

    Cut by hand: hostile URLs are no error here, and one host always gives one scope.
    """
    _, found, rest = (url or "").partition("://")
    host = re.split(r"[/?#\\]", rest, maxsplit=1)[0].rpartition("@")[2].lower()
    if not host.startswith("["):
        host = host.partition(":")[0]
    host = host.rstrip(".").removeprefix("www.")
    if not found or not host:
        return b"source:" + source.encode("utf-8", "surrogatepass")
    return b"host:" + host.encode("utf-8", "surrogatepass")
