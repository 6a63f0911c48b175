"""Sums of new words beside their rows added one by one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from models.fasttext_twin import Twin, small_model

from corpusforge.kernels.fasttext_dictionary import hash_entries
from corpusforge.kernels.fasttext_words import (
    GROUP,
    HASH,
    ROWS,
    SPAN,
    START,
    find_name,
    index_names,
    make_room,
    sum_new_words,
)
from corpusforge.kernels.word_keys import hash_key, key_of

word = st.one_of(
    st.sampled_from([b"the", "für".encode(), "中文".encode(), b"__label__en", b"__label__zz", b"x" * 33]),
    st.binary(min_size=1, max_size=40).map(lambda data: bytes(max(byte & 0x7F, 0x21) for byte in data)),
    st.text(alphabet="abé中", min_size=1, max_size=30).map(str.encode),
).filter(lambda found: found != b"</s>")


def dictionary(names: list[bytes]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    joined = np.frombuffer(b"".join(names), np.uint8)
    offsets = np.cumsum([0, *map(len, names)]).astype(np.int64)
    return joined, offsets, index_names(joined, offsets, hash_entries(joined, offsets, 64), 64)


@given(names=st.lists(word, max_size=12), others=st.lists(word, max_size=6))
@settings(deadline=None)
def test_names_are_found(names: list[bytes], others: list[bytes]) -> None:
    model = dictionary(names)
    for name in [*names, *others]:
        data = np.frombuffer(name, np.uint8)
        hashed = np.uint64(hash_key(*key_of(data, 0, len(name))))
        expected = names.index(name) if name in names else -1
        assert find_name(data, 0, len(name), hashed, *model) == expected


@pytest.mark.parametrize(
    "settings_of", [{}, {"shortest": 1, "longest": 3}, {"shortest": 3, "longest": 6}, {"longest": 0}]
)
@given(words=st.lists(word, min_size=1, max_size=20))
@settings(deadline=None, max_examples=40)
def test_sums(settings_of: dict[str, int], words: list[bytes]) -> None:
    twin: Twin = small_model(1, **settings_of)
    names = [*twin.words, *(f"__label__{label}".encode() for label in twin.labels)]
    joined, offsets, index = dictionary(names)
    data = np.frombuffer(b"".join(words), np.uint8)
    group = np.zeros((GROUP, SPAN + 1), np.uint64)
    at = 0
    for place, one in enumerate(words):
        key = key_of(data, at, at + len(one))
        group[place, :START] = [*key, hash_key(*key)]
        group[place, START : START + 2] = at, at + len(one)
        assert group[place, HASH] == hash_key(*key)
        at += len(one)
    nothing = np.zeros(0, np.uint64), np.zeros(0, np.int32)
    numbers = np.array([len(twin.words), twin.shortest, twin.longest, twin.buckets, 0, 1], np.int64)
    room = make_room(twin.shortest, twin.longest, twin.matrix.shape[1], nothing[0])
    new = np.arange(GROUP, dtype=np.int32)
    arguments = (data, numbers, joined, offsets, index, *nothing, twin.matrix, room)
    sum_new_words(group, new, len(words), *arguments)
    for place, one in enumerate(words):
        # The dictionary lacks the end of a sentence, so that it adds no row.
        rows = twin.rows(one)
        assert room[0][place, ROWS] == len(rows)
        values = twin.matrix[rows].astype(np.float64)
        # 32-bit floats, whose rounding grows with what is added up.
        assert (abs(room[1][place] - values.sum(axis=0)) <= 1e-5 * (abs(values).sum(axis=0) + 1)).all()
