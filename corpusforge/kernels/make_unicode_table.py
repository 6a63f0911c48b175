"""Write `unicode_data.py` from Python's `unicodedata`: ``python -m corpusforge.kernels.make_unicode_table``.

Run once per Unicode version and commit the result, so that classes do not depend on the Python at hand.
"""

from __future__ import annotations

import sys
import textwrap
import unicodedata
from itertools import groupby
from pathlib import Path

CODE_POINTS = 0x110000

LETTER, DIGIT, NUMBER, MARK, PUNCTUATION, SYMBOL, SPACE, UPPER, UNSPACED, WORD = (
    1 << bit for bit in range(10)
)
"""Bits of a class, as documented in `corpusforge.kernels.unicode_table`."""

WHITE_SPACE = {0x20, 0x85, 0xA0, 0x1680, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000}
WHITE_SPACE |= {*range(0x09, 0x0E), *range(0x2000, 0x200B)}
"""The White_Space property of PropList.txt, which `unicodedata` does not know."""

UNSPACED_NAMES = (
    "CJK UNIFIED IDEOGRAPH",
    "CJK COMPATIBILITY IDEOGRAPH",
    "IDEOGRAPHIC ITERATION MARK",
    "VERTICAL IDEOGRAPHIC ITERATION MARK",
    "IDEOGRAPHIC NUMBER ZERO",
    "HANGZHOU NUMERAL",
    "HIRAGANA",
    "HENTAIGANA",
    "KATAKANA",
    "HALFWIDTH KATAKANA",
    "THAI ",
    "LAO ",
    "KHMER ",
    "MYANMAR ",
)
"""Beginnings of the names of Han, Hiragana, Katakana, Thai, Lao, Khmer and Myanmar characters."""


def flags_of(code_point: int) -> int:
    """Class bits of one code point."""
    character = chr(code_point)
    category = unicodedata.category(character)
    major = category[0]
    flags = {"L": LETTER, "M": MARK, "P": PUNCTUATION, "S": SYMBOL}.get(major, 0)
    if major == "N":
        flags |= DIGIT if category == "Nd" else NUMBER
    if code_point in WHITE_SPACE:
        flags |= SPACE
    if category == "Lu":
        flags |= UPPER
    if flags & (LETTER | MARK | NUMBER) and unicodedata.name(character, "").startswith(UNSPACED_NAMES):
        flags |= UNSPACED
    if flags & (LETTER | MARK | DIGIT | NUMBER) or character == "_":
        flags |= WORD
    return flags


def lower_of(code_point: int) -> int:
    """Simple (one to one) lower-case mapping."""
    if code_point == 0x130:  # the only character whose full mapping is longer; UnicodeData.txt maps it to "i"
        return 0x69
    return ord(chr(code_point).lower())


def _runs(values: list[int]) -> str:
    runs = (f"{value:x}*{sum(1 for _ in group):x}" for value, group in groupby(values))
    return "\n".join(textwrap.wrap(" ".join(runs), 108))


def main(target: Path) -> None:
    """Write the table to `target`."""
    classes = _runs([flags_of(code_point) for code_point in range(CODE_POINTS)])
    lower = _runs([(lower_of(code_point) - code_point) % CODE_POINTS for code_point in range(CODE_POINTS)])
    target.write_text(
        f'"""Unicode {unicodedata.unidata_version}, written by `make_unicode_table.py`; do not edit.\n\n'
        f'Runs over all code points, in hexadecimal: value*length.\n"""\n\n'
        f'UNICODE_VERSION = "{unicodedata.unidata_version}"\n\n'
        f'CLASS_RUNS = """\n{classes}\n"""\n\n'
        f'LOWER_RUNS = """\n{lower}\n"""\n"""What to add to a code point, modulo 0x110000."""\n',
        "ascii",
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("unicode_data.py"))
