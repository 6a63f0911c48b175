"""Whole numbers that a dump writes as text."""

from __future__ import annotations

import re

_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")


def whole_number(text: str) -> int:
    """The number that a text is, spaces around it aside: ASCII digits, at most 18, so that it fits 64 bits.

    Raises `ValueError` for all else. `int` takes digits of any script, underscores and numbers of any length, and
    `str.isdigit` is true of superscripts, which `int` refuses.
    """
    text = text.strip()
    if _WHOLE.fullmatch(text) is None:
        raise ValueError(f"no whole number: {text[:40]!r}")
    return int(text)
