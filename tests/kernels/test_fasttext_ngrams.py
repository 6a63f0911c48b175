"""Buckets of character n-grams, beside fastText's rules written out."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from models.fasttext_twin import fnv

from corpusforge.kernels.fasttext_ngrams import (
    LIKELY_ITEMS,
    fold,
    hash_block,
    keep_kept,
    mark_likely,
    ones,
    reciprocal,
    select_from_block,
    select_from_word,
)

word = st.one_of(
    st.text(max_size=12), st.text(alphabet="ab", max_size=12), st.sampled_from(["<", ">", "é<", "中文"])
)


@given(divisor=st.integers(1, 2**31 - 1), value=st.integers(0, 2**32 - 1))
@settings(deadline=None)
def test_quotients_by_multiplication(divisor: int, value: int) -> None:
    factor, shift = (int(number) for number in reciprocal(divisor))
    assert value * factor < 2**64
    assert (value * factor) >> shift in (value // divisor, value // divisor + 1)


@given(divisor=st.sampled_from([1, 2, 3, 50, 2_000_000, 2**31 - 1]), times=st.integers(0, 2**32))
@settings(deadline=None)
def test_quotients_of_multiples(divisor: int, times: int) -> None:
    factor, shift = (int(number) for number in reciprocal(divisor))
    for value in (times * divisor % 2**32, max(times * divisor % 2**32 - 1, 0)):
        assert (value * factor) >> shift in (value // divisor, value // divisor + 1)


def expected(text: str, shortest: int, longest: int, buckets: int, kept: set[int] | None) -> list[int]:
    """Buckets by their definition, in fastText's order."""
    found = []
    for first in range(len(text)):
        for length in range(max(shortest, 1), longest + 1):
            end = first + length
            if end > len(text) or (length == 1 and (first == 0 or end == len(text))):
                continue
            bucket = fnv(text[first:end].encode()) % buckets
            if kept is None or bucket in kept:
                found.append(bucket)
    return found


def bits(kept: set[int], buckets: int) -> np.ndarray:
    values = np.zeros((buckets + 63) // 64, np.uint64)
    for bucket in kept:
        values[bucket >> 6] |= np.uint64(1 << (bucket & 63))
    return values


@given(
    words=st.lists(word, min_size=1, max_size=6),
    lengths=st.sampled_from([(1, 1), (1, 4), (2, 4), (3, 6)]),
    buckets=st.sampled_from([1, 3, 100, 2_000_000, 2**31 - 1]),
    is_pruned=st.booleans(),
)
@settings(deadline=None)
def test_buckets_of_words(words: list[str], lengths: tuple[int, int], buckets: int, is_pruned: bool) -> None:
    shortest, longest = lengths
    marked = [f"<{text}>" for text in words]
    kept: set[int] | None = None
    if is_pruned and buckets < 10**7:
        kept = {bucket for text in marked for bucket in expected(text, 1, longest, buckets, None)[::2]}
    kept_bits = bits(kept, buckets) if kept is not None else np.zeros(0, np.uint64)
    # The characters of words stand in a block whose size is a multiple of 64, one word behind the other.
    joined = "".join(marked)
    filled = len(joined)
    size = (filled + 63) // 64 * 64
    characters = [int.from_bytes(one.encode(), "little") for one in joined]
    units = np.array([*characters, *[0x78] * (size + longest - filled)], np.uint32)
    plain = next((place for place, unit in enumerate(characters) if unit > 0x7F), filled)
    lengths_of = longest - shortest + 1
    block = np.zeros((lengths_of, size), np.int32)
    states = np.zeros(size, np.uint32)
    hash_block(units, size, plain, shortest, longest, buckets, states, block)
    lasts = np.zeros(size // 64 + 1, np.uint64)
    for last in np.cumsum([len(text) for text in marked]) - 1:
        lasts[last >> 6] |= np.uint64(1 << int(last & 63))
    marks = np.full((lengths_of, size // 64), 7, np.uint64)
    mark_likely(block, size, shortest, longest, fold(kept_bits), lasts, marks)
    found, owners = np.zeros((2, lengths_of * size + 1), np.int32)
    count = select_from_block(block, marks, filled, lasts, found, owners)
    count = keep_kept(found, owners, count, kept_bits)
    in_block = list(zip(owners[:count].tolist(), found[:count].tolist()))
    right = [
        (number, bucket)
        for length in range(shortest, longest + 1)
        for number, text in enumerate(marked)
        for bucket in expected(text, length, length, buckets, kept)
    ]
    assert in_block == right
    for text in marked:
        array = np.frombuffer(text.encode(), np.uint8)
        out = np.full(len(array) * longest + 2, -7, np.int32)
        count = select_from_word(array, shortest, longest, buckets, kept_bits, out, 1)
        assert out[1:count].tolist() == expected(text, shortest, longest, buckets, kept)
        assert out[0] == -7


@given(
    kept=st.sets(st.integers(0, 2_000_000 - 1), max_size=30), others=st.sets(st.integers(0, 2_000_000 - 1))
)
@settings(deadline=None)
def test_a_small_set_misses_none(kept: set[int], others: set[int]) -> None:
    likely = fold(bits(kept, 2_000_000))
    for bucket in kept | others:
        is_likely = int(likely[(bucket >> 6) % LIKELY_ITEMS]) >> (bucket & 63) & 1
        assert is_likely == any((bucket - one) % (64 * LIKELY_ITEMS) == 0 for one in kept)
    assert (fold(np.zeros(0, np.uint64)) == ~np.uint64(0)).all()


@given(st.integers(0, 2**64 - 1))
@settings(deadline=None)
def test_ones(value: int) -> None:
    assert ones(np.uint64(value)) == value.bit_count()
