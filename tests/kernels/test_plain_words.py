from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from corpusforge.kernels.plain_words import copy_plain_words

MAPPING = np.arange(256, dtype=np.uint8)
MAPPING[ord("A")] = ord("a")


@given(st.lists(st.binary(max_size=6) | st.text("Ab!~ é\x7f", max_size=6).map(str.encode), max_size=8))
def test_plain_words_are_copied_and_others_left_out(words: list[bytes]) -> None:
    data = np.frombuffer(b"".join(words), np.uint8)
    edges = np.cumsum([0, *map(len, words)]).astype(np.int64)
    copied, offsets, plain = copy_plain_words(data, edges[:-1], edges[1:], MAPPING)
    for number, word in enumerate(words):
        assert plain[number] == (word != b"" and all(0x21 <= byte <= 0x7E for byte in word))
        expected = word.replace(b"A", b"a") if plain[number] else b""
        assert copied[offsets[number] : offsets[number + 1]].tobytes() == expected
    assert len(copied) == offsets[-1]
