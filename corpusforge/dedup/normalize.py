"""What counts as equal when texts and lines are compared by their hash."""

from __future__ import annotations

import re
from typing import Literal

from corpusforge.models.normalization import PUNCTUATION

Normalization = Literal["none", "whitespace", "lower_alnum", "strip_lower", "ccnet"]

_NOT_ALPHANUMERIC = re.compile(r"[\W_]+")

_DIGIT = re.compile(r"\d")
# CCNet's table of punctuation has no ASCII marks: those count.
_CCNET_REMOVED = re.compile("[\x00-\x1f\x7f-\x9f" + re.escape("".join(PUNCTUATION)) + "]")

_ASCII_LOWER = bytes(range(256)).lower()
_ASCII_REMOVED = bytes(byte for byte in range(128) if not chr(byte).isalnum())


def normalized(text: bytes, normalization: Normalization) -> bytes:
    """Normalize UTF-8 bytes; those that are not UTF-8 count as U+FFFD.

    `none` leaves them, `whitespace` makes one space of every run of white space and strips the ends,
    `lower_alnum` lower-cases and removes everything but letters, digits and numbers. `strip_lower` strips the ends
    and lower-cases, as the public code of C4 does. `ccnet` does that too, writes 0 for every digit, and removes
    control characters and the punctuation of the table of CCNet (Wenzek et al., 2020), which has no ASCII marks.
    """
    if normalization == "none":
        return text
    if normalization == "lower_alnum" and text.isascii():
        # The same result as below, several times as fast.
        return text.translate(_ASCII_LOWER, _ASCII_REMOVED)
    string = text.decode("utf-8", "replace")
    if normalization == "strip_lower":
        return string.strip().lower().encode("utf-8")
    if normalization == "ccnet":
        return _CCNET_REMOVED.sub("", _DIGIT.sub("0", string.strip().lower())).encode("utf-8")
    if normalization == "whitespace":
        return " ".join(string.split()).encode("utf-8")
    return _NOT_ALPHANUMERIC.sub("", string.lower()).encode("utf-8")
