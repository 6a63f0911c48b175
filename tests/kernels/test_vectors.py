"""Vector instructions beside the loops that they stand for."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from corpusforge.kernels.array_types import READ_UINT8
from corpusforge.kernels.fasttext_ngrams import add_byte, reciprocal
from corpusforge.kernels.loading import kernel, types
from corpusforge.kernels.vectors import (
    add_16,
    add_bytes_16,
    add_characters_16,
    add_rows_16,
    copy_32,
    line_feed_bits_64,
    remainders_16,
    space_bits_64,
    widen_32,
)
from corpusforge.kernels.word_table import is_space

_UINT32 = types.Array(types.uint32, 1, "C")
_ROWS = types.Array(types.uint64, 2, "C")
_NUMBERS = types.Array(types.int32, 2, "C")
_MATRIX = types.Array(types.float32, 2, "C")
_N = types.uint64


@kernel(_N(READ_UINT8, _N))
def bits(data: np.ndarray, start: int) -> int:
    return space_bits_64(data, start)


@kernel(_N(READ_UINT8, _N))
def line_feeds(data: np.ndarray, start: int) -> int:
    return line_feed_bits_64(data, start)


@kernel(types.void(READ_UINT8, _N, _N, _ROWS, _N))
def copy(data: np.ndarray, start: int, size: int, target: np.ndarray, row: int) -> None:
    copy_32(data, start, size, target, row)


@kernel(types.void(READ_UINT8, _N, _UINT32, _N))
def widen(data: np.ndarray, start: int, target: np.ndarray, at: int) -> None:
    widen_32(data, start, target, at)


@kernel(types.void(_MATRIX, _N, _MATRIX, _N, _N))
def add(target: np.ndarray, row: int, source: np.ndarray, other: int, column: int) -> None:
    add_16(target, row, source, other, column)


@kernel(types.void(_MATRIX, _N, _MATRIX, types.int64[::1], _N, _N, _N))
def add_rows(
    target: np.ndarray,
    row: int,
    source: np.ndarray,
    others: np.ndarray,
    first: int,
    behind: int,
    column: int,
) -> None:
    add_rows_16(target, row, source, others, first, behind, column)


@kernel(types.void(_UINT32, _N, _UINT32, _N, types.boolean))
def extend(units: np.ndarray, at: int, states: np.ndarray, place: int, are_bytes: bool) -> None:
    if are_bytes:
        add_bytes_16(units, at, states, place)
    else:
        add_characters_16(units, at, states, place)


@kernel(types.void(_UINT32, _N, _N, _N, _N, _NUMBERS, _N, _N))
def divide(
    states: np.ndarray,
    place: int,
    divisor: int,
    factor: int,
    shift: int,
    found: np.ndarray,
    row: int,
    at: int,
) -> None:
    remainders_16(states, place, divisor, factor, shift, found, row, at)


block = st.lists(
    st.one_of(st.sampled_from([0, 8, 9, 10, 13, 14, 31, 32, 33, 0x20 | 0x80]), st.integers(0, 255)),
    min_size=96,
    max_size=96,
).map(lambda values: np.array(values, np.uint8))


@given(data=block, start=st.integers(0, 32))
@settings(deadline=None, max_examples=50)
def test_spaces(data: np.ndarray, start: int) -> None:
    right = sum(int(is_space(byte)) << place for place, byte in enumerate(data[start : start + 64]))
    assert bits(data, start) == right


def test_every_byte() -> None:
    for byte in range(256):
        found = bits(np.full(64, byte, np.uint8), 0)
        assert found == (2**64 - 1 if is_space(byte) else 0)


@given(data=block, start=st.integers(0, 64), size=st.integers(0, 32))
@settings(deadline=None, max_examples=50)
def test_copies(data: np.ndarray, start: int, size: int) -> None:
    target = np.full((3, 8), 7, np.uint64)
    copy(data, start, size, target, 1)
    assert target[1, :4].tobytes() == data[start : start + size].tobytes().ljust(32, b"\0")
    target[1, :4] = 7
    assert (target == 7).all()
    wide = np.full(40, 7, np.uint32)
    widen(data, start, wide, 3)
    assert wide.tolist() == [7] * 3 + data[start : start + 32].tolist() + [7] * 5


def test_line_feeds() -> None:
    data = np.random.default_rng(3).integers(9, 12, 100).astype(np.uint8)
    for start in (0, 1, 36):
        expected = sum(int(byte == 10) << place for place, byte in enumerate(data[start : start + 64]))
        assert line_feeds(data, start) == expected


def test_sums() -> None:
    random = np.random.default_rng(1)
    target, source = random.normal(size=(2, 3, 40)).astype(np.float32)
    expected = target.copy()
    expected[2, 8:24] += source[1, 8:24]
    add(target, 2, source, 1, 8)
    assert target.tolist() == expected.tolist()


@given(rows=st.lists(st.integers(0, 4), max_size=20), first=st.integers(0, 20), seed=st.integers(0, 100))
@settings(deadline=None, max_examples=50)
def test_sums_of_rows(rows: list[int], first: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    target, source = random.normal(size=(2, 5, 40)).astype(np.float32)
    # What stands in the high halves does not count.
    others = np.array(rows, np.int64) | (random.integers(0, 1 << 31, len(rows)) << 32)
    first = min(first, len(rows))
    expected = target.copy()
    for other in rows[first:]:
        expected[2, 8:24] += source[other, 8:24]
    add_rows(target, 2, source, others, first, len(rows), 8)
    assert target.tolist() == expected.tolist()


@given(
    text=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=20, max_size=20)
)
@settings(deadline=None, max_examples=50)
def test_hashes(text: str) -> None:
    units = np.array([int.from_bytes(one.encode(), "little") for one in text], np.uint32)
    for are_bytes in (True, False):
        states = np.arange(20, dtype=np.uint32) * np.uint32(0x9E3779B1)
        expected = states.tolist()
        used = units & 0x7F if are_bytes else units
        for place, unit in enumerate(used[1:17].tolist()):
            for byte in [unit] if are_bytes else text[place + 1].encode():
                expected[place + 2] = int(add_byte(expected[place + 2], byte))
        extend(used, 1, states, 2, are_bytes)
        assert states.tolist() == expected


@given(
    divisor=st.one_of(st.integers(1, 2**31 - 1), st.integers(0, 30).map(lambda bit: 1 << bit)),
    seed=st.integers(0, 99),
)
@settings(deadline=None, max_examples=50)
def test_remainders(divisor: int, seed: int) -> None:
    states = np.random.default_rng(seed).integers(0, 2**32, 20).astype(np.uint32)
    states[1:4] = 0, 2**32 - 1, (2**32 - 1) // divisor * divisor
    found = np.full((3, 20), -7, np.int32)
    divide(states, 1, divisor, *reciprocal(divisor), found, 2, 3)
    assert found[2, 3:19].tolist() == (states[1:17].astype(np.int64) % divisor).tolist()
    found[2, 3:19] = -7
    assert (found == -7).all()
