"""What counts as equal when texts and lines are compared by their hash."""

from __future__ import annotations

import re
from typing import Literal

Normalization = Literal["none", "whitespace", "lower_alnum"]

_NOT_ALPHANUMERIC = re.compile(r"[\W_]+")

_ASCII_LOWER = bytes(range(256)).lower()
_ASCII_REMOVED = bytes(byte for byte in range(128) if not chr(byte).isalnum())


def normalized(text: bytes, normalization: Normalization) -> bytes:
    """Normalize UTF-8 bytes; those that are not UTF-8 count as U+FFFD.

    `none` leaves them, `whitespace` makes one space of every run of white space and strips the ends,
    `lower_alnum` lower-cases and removes everything but letters, digits and numbers.
    """
    if normalization == "none":
        return text
    if normalization == "lower_alnum" and text.isascii():
        # The same result as below, several times as fast.
        return text.translate(_ASCII_LOWER, _ASCII_REMOVED)
    string = text.decode("utf-8", "replace")
    if normalization == "whitespace":
        return " ".join(string.split()).encode("utf-8")
    return _NOT_ALPHANUMERIC.sub("", string.lower()).encode("utf-8")
