"""The merges against a slow, obvious twin on strings."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from corpusforge.texts import Texts
from corpusforge.tokenize.merges import merge_table
from corpusforge.tokenize.model_file import BYTE, NORMAL, UNKNOWN, ModelFile

PIECES = ["▁", "a", "b", "c", "é", "ab", "bc", "aa", "aaaa", "▁a", "▁ab", "abc", "éa", "xa", "cab", "▁abcab"]
SCORES = [-1, -2, -3, -4, -5, -6, -6, -7, -8, -9, -6, -10, -3, -11, -4, -20]


def model(byte_fallback: bool, scores: list[int] = SCORES) -> ModelFile:
    pieces = [("<unk>", UNKNOWN)]
    if byte_fallback:
        pieces += [(f"<0x{byte:02X}>", BYTE) for byte in range(256)]
    every_score = [0.0] * len(pieces) + [float(score) for score in scores]
    return ModelFile(
        tuple(pieces + [(piece, NORMAL) for piece in PIECES]),
        is_bpe=True,
        byte_fallback=byte_fallback,
        spaces_as_suffix=False,
        normalizes=False,
        dummy_prefix=True,
        scores=tuple(every_score),
        rewrites=False,
    )


def slow_encode(text: str, file: ModelFile) -> list[int] | None:
    ids = {piece: number for number, (piece, _) in enumerate(file.pieces)}
    symbols = list(text.replace(" ", "▁"))
    while True:
        pairs = [
            (-file.scores[ids[left + right]], place)
            for place, (left, right) in enumerate(zip(symbols, symbols[1:]))
            if left + right in PIECES
        ]
        if not pairs:
            break
        _, place = min(pairs)
        symbols[place : place + 2] = [symbols[place] + symbols[place + 1]]
    found: list[int] = []
    for symbol in symbols:
        if symbol in ids:
            found.append(ids[symbol])
        elif file.byte_fallback:
            found += [ids[f"<0x{byte:02X}>"] for byte in symbol.encode()]
        else:
            return None
    return found


texts = st.lists(
    st.text("aaabbbcccéx 🙂", max_size=12) | st.text("abcé ", min_size=60, max_size=200), max_size=5
)


@given(
    texts,
    st.booleans(),
    st.booleans(),
    st.lists(st.integers(-3, 0), min_size=len(PIECES), max_size=len(PIECES)),
)
@settings(max_examples=300)
def test_merges_equal_their_twin(
    strings: list[str], fallback: bool, prefixed: bool, scores: list[int]
) -> None:
    file = model(fallback, scores)
    table = merge_table(file)
    assert table is not None
    view = Texts.from_strings(strings)
    first = 0 if prefixed else len(strings)
    ids, offsets, encoded = table.encode(view.data, view.offsets[:-1], view.offsets[1:], first)
    for number, string in enumerate(strings):
        expected = slow_encode((" " if prefixed else "") + string, file)
        assert encoded[number] == (expected is not None)
        assert ids[offsets[number] : offsets[number + 1]].tolist() == (expected or [])


def test_bytes_that_are_no_text_are_left_to_the_caller() -> None:
    table = merge_table(model(byte_fallback=True))
    assert table is not None
    for broken in (b"a\xff", b"a\x80b", b"\xe2\x96", b"\xf7\xbf\xbf\xbf"):
        data = np.frombuffer(broken, np.uint8)
        ids, offsets, encoded = table.encode(data, np.array([0]), np.array([len(data)]), 1)
        assert (ids.tolist(), offsets.tolist(), encoded.tolist()) == ([], [0, 0], [False])


def test_long_chunks_take_little_more_than_their_length() -> None:
    table = merge_table(model(byte_fallback=True))
    assert table is not None
    data = np.frombuffer(b"a" * 300_000, np.uint8)
    ids, _, _ = table.encode(data, np.array([0]), np.array([len(data)]), 1)
    assert len(ids) == 75_000
