from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from corpusforge.kernels.hash64 import SEED, hash_string


def twin(data: bytes) -> int:
    """FNV-1a and fmix64 in Python's integers."""
    mask = (1 << 64) - 1
    state = int(SEED)
    for byte in data:
        state = (state ^ byte) * 0x100000001B3 & mask
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        state ^= state >> 33
        state = state * factor & mask
    return state ^ state >> 33


@given(st.text(max_size=30))
def test_matches_the_twin(text: str) -> None:
    assert hash_string(text) == twin(text.encode())


def test_pinned() -> None:
    """Hashes are stored in tables of earlier runs: they may never change."""
    assert hash_string("") == 0xEFD01F60BA992926
    assert hash_string("the") == twin(b"the")
