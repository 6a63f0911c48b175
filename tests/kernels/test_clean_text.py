from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from corpusforge.extract.charset import decode_to_utf8
from corpusforge.extract.html import clean_text
from corpusforge.kernels.clean_text import clean_texts
from corpusforge.texts import Texts

PIECES = ["a", "word ", " ", "\t", "\n", "\n\n\n", "\r", "\r\n", "\x0b", "\x0c", "\x85", "\u00a0", "\0", "\x1b", "\x1f",
          "\x7f", "\x9f", "é", "\u07ff", "\u0800", "\ud7ff", "\ue000", "\U0001f600", "\U0010ffff", "~{", "~",
          "\ufffd", "\ufeff", "a line of more than sixteen letters"]  # fmt: skip
TEXTS = st.lists(st.lists(st.sampled_from(PIECES), max_size=24).map("".join), max_size=8)


def cleaned(payloads: list[bytes]) -> tuple[list[str], list[int], list[bool]]:
    texts = Texts.from_arrow(pa.array(payloads, pa.large_binary()))
    data, offsets, characters, done = clean_texts(texts.data, texts.offsets)
    return Texts(data, offsets).strings(), characters.tolist(), done.tolist()


@given(TEXTS)
def test_is_clean_text_of_every_row_that_is_done(rows: list[str]) -> None:
    for row, text, characters, done in zip(rows, *cleaned([row.encode() for row in rows])):
        marked = row.startswith("\ufeff") or "\ufffd" in row
        escaped = row.isascii() and any(mark in row for mark in ("\0", "\x1b", "~{"))
        assert done == (not marked and not escaped)
        assert text == (clean_text(row) if done else "")
        assert characters == len(text)


@given(st.lists(st.one_of(st.binary(max_size=24), TEXTS.map("".join).map(str.encode)), max_size=8))
def test_what_is_done_is_what_decoding_gives(payloads: list[bytes]) -> None:
    for payload, text, done in zip(payloads, *cleaned(payloads)[::2]):
        decoded, replaced = decode_to_utf8(payload, None, False)
        if done:
            assert (decoded, replaced) == (payload, 0)
            assert text == clean_text(decoded.decode())


@given(st.binary(min_size=1, max_size=4))
def test_sound_is_what_python_decodes(payload: bytes) -> None:
    payload = b"\xc3\xa9" + payload
    try:
        sound = "\ufffd" not in payload.decode()
    except UnicodeDecodeError:
        sound = False
    assert cleaned([payload])[2] == [sound]


def test_every_second_byte_of_every_lead() -> None:
    payloads = [
        bytes([lead, second, third, 0x80][:size])
        for size in (2, 3, 4)
        for lead in range(0xC0, 0x100)
        for second in (0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0)
        for third in (0x7F, 0x80, 0xBF)
    ]
    sound = []
    for payload in payloads:
        try:
            sound.append("\ufffd" not in payload.decode() and not payload.startswith(b"\xef\xbb\xbf"))
        except UnicodeDecodeError:
            sound.append(False)
    assert cleaned(payloads)[2] == sound


def test_rows_are_taken_from_the_middle_of_a_buffer() -> None:
    texts = Texts.from_strings(["first", " second\n", "third"])
    data, offsets, characters, done = clean_texts(texts.data, np.ascontiguousarray(texts.offsets[1:]))
    assert Texts(data, offsets).strings() == ["second", "third"]
    assert characters.tolist() == [6, 5]
    assert done.all()
