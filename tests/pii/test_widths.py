from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from corpusforge.pii.widths import plain_widths


@given(st.text())
def test_places_stay(text: str) -> None:
    plain = plain_widths(text)
    assert len(plain) == len(text)
    assert all(one == other for one, other in zip(text, plain) if one.isascii())


def test_full_width_characters_are_those_of_compatibility_forms() -> None:
    wide = "".join(map(chr, range(0xFF01, 0xFF5F)))
    assert plain_widths(wide) == unicodedata.normalize("NFKC", wide)
    assert plain_widths("\u200f+972\u200e 5\u30fc2\u3000") == " +972  5-2 "
