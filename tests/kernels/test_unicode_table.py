"""The generated table against `unicodedata`, and the decoder against Python's."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusforge.kernels import unicode_table as table
from corpusforge.kernels.make_unicode_table import main

same_version = pytest.mark.skipif(
    unicodedata.unidata_version != table.UNICODE_VERSION, reason="this Python has another Unicode version"
)


def flags(character: str) -> int:
    return int(table.CLASSES[ord(character)])


@same_version
def test_generator_gives_the_committed_file(tmp_path: Path) -> None:
    main(tmp_path / "unicode_data.py")
    committed = Path(table.__file__).with_name("unicode_data.py")
    assert (tmp_path / "unicode_data.py").read_bytes() == committed.read_bytes()


@same_version
def test_word_bit_is_pythons_word_class_and_marks() -> None:
    everything = [chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000]
    word = {c for c in everything if flags(c) & table.WORD and not flags(c) & table.MARK}
    assert word == {c for c in everything if re.match(r"\w", c) and unicodedata.category(c)[0] != "M"}


def test_known_characters() -> None:
    assert flags("a") == table.LETTER | table.WORD
    assert flags("Ä") == table.LETTER | table.UPPER | table.WORD
    assert flags("7") == table.DIGIT | table.WORD
    assert flags("²") == table.NUMBER | table.WORD
    assert flags("_") == table.PUNCTUATION | table.WORD
    assert flags("€") == table.SYMBOL
    assert flags("…") == table.PUNCTUATION
    assert flags("\u0301") == table.MARK | table.WORD
    assert flags("\u200b") == 0
    for character in "中々〇ひカｶไລខက":
        assert flags(character) & table.UNSPACED, character
    for character in "aä한א๑。":
        assert not flags(character) & table.UNSPACED, character


def test_white_space() -> None:
    """PropList.txt, Unicode 14: 25 characters; U+001C..U+001F are white space for Python only."""
    spaces = {chr(c) for c in np.flatnonzero(table.CLASSES & table.SPACE)}
    assert len(spaces) == 25
    assert {"\t", "\r", " ", "\x85", "\xa0", "\u2000", "\u2029", "\u202f", "\u3000"} <= spaces
    assert not spaces & {"\x1c", "\x1f", "\u200b", "\ufeff"}
    assert all(character.isspace() for character in spaces)


@pytest.mark.parametrize(
    ("upper", "lower"), ["Aa", "Zz", "Ää", "Σσ", "İi", "ẞß", "Ꭰꭰ", "aa", "中中", "\U00010400\U00010428"]
)
def test_lower_case(upper: str, lower: str) -> None:
    shifted = (ord(upper) + int(table.LOWER_SHIFT[ord(upper)])) % table.CODE_POINTS
    assert chr(shifted) == lower


@given(st.text(max_size=20))
def test_decode_gives_back_the_text(text: str) -> None:
    data = np.frombuffer(text.encode(), np.uint8)
    at, found = 0, []
    while at < len(data):
        code_point, size = table.decode(data, at, len(data))
        found.append(chr(code_point))
        at += size
    assert "".join(found) == text


@given(st.binary(max_size=12))
def test_decode_never_leaves_the_text(raw: bytes) -> None:
    data = np.frombuffer(raw, np.uint8)
    at = 0
    while at < len(data):
        code_point, size = table.decode(data, at, len(data))
        assert 0 <= code_point < table.CODE_POINTS
        assert 1 <= size <= len(data) - at
        at += size
