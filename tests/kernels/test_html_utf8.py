"""Sound UTF-8 against Python's decoder."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from corpusforge.kernels.html_utf8 import is_sound_utf8


def is_sound(data: bytes) -> bool:
    return bool(is_sound_utf8(np.frombuffer(data, np.uint8)))


PIECES = st.one_of(
    st.text(max_size=3).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.binary(max_size=3),
    st.integers(0, 70).map(lambda length: b"a" * length),
    st.sampled_from(
        [b"\xef\xbf\xbd", b"\xef\xbf\xbe", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc0\x80", b"\xe0\x80\x80"]
    ),
)


@given(st.lists(PIECES, max_size=8).map(b"".join))
@example(b"a" * 63 + "é".encode())
@example(b"a" * 63 + b"\xc3")
def test_equals_decoding(data: bytes) -> None:
    assert is_sound(data) == ("\ufffd" not in data.decode("utf-8", "replace"))


@pytest.mark.parametrize("first", range(0x80, 0x100))
def test_every_pair_of_bytes_after_which_all_could_follow(first: int) -> None:
    for second in range(0x100):
        for rest in (b"", b"\x80", b"\xbf\xbf", b"\xbd"):
            data = bytes([first, second]) + rest
            assert is_sound(data) == ("\ufffd" not in data.decode("utf-8", "replace"))
