"""Full-width characters and marks of direction, which stand in and around numbers of some scripts, made plain."""

from __future__ import annotations

import re

_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
"""U+FF01 to U+FF5E are the ASCII characters in full width (Unicode, block Halfwidth and Fullwidth Forms)."""
_BLANK = dict.fromkeys((0x3000, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)), 0x20)
_PLAIN = {**_FULL_WIDTH, **_BLANK, 0x30FC: 0x2D}
_ANY = re.compile("[" + "".join(map(chr, sorted(_PLAIN))) + "]")


def plain_widths(text: str) -> str:
    """The text with ASCII for full-width characters, blanks for marks of direction, a hyphen for U+30FC.

    As many characters as before: what stands at a place in the result stands there in the text too.
    """
    return text.translate(_PLAIN) if not text.isascii() and _ANY.search(text) else text
