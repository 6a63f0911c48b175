"""Keys of words, beside the words."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from corpusforge.kernels.word_keys import KEY_BYTES, hash_key, key_of


@given(
    words=st.lists(st.binary(max_size=40).map(lambda word: word.replace(b"\0", b"")), min_size=2, max_size=6)
)
@settings(deadline=None)
def test_keys_tell_words_apart(words: list[bytes]) -> None:
    array = np.frombuffer(b"".join(words), np.uint8)
    end = 0
    keys = {}
    for word in words:
        start, end = end, end + len(word)
        key = tuple(int(part) for part in key_of(array, start, end))
        assert b"".join(part.to_bytes(8, "little") for part in key).rstrip(b"\0") == word[:KEY_BYTES]
        keys[key] = hash_key(*key)
    assert len(keys) == len({word[:KEY_BYTES] for word in words})


def test_hashes_spread() -> None:
    keys = [int.from_bytes(f"w{number}".encode(), "little") for number in range(4096)]
    sets = {(int(hash_key(key, 0, 0, 0)) >> 32) & 0xFFFF for key in keys}
    # 4,096 balls in 65,536 boxes fill 3,970 on average.
    assert len(sets) > 3900
