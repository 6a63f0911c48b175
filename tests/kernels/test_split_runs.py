"""Splits of runs, compared with a twin over strings."""

from __future__ import annotations

import string
import unicodedata

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from corpusforge.kernels import split_runs
from corpusforge.kernels.hash64 import hash_string
from corpusforge.kernels.split_runs import BLANK, ENDS_SENTENCE, HAS_LETTER, IS_PUNCTUATION, ONLY_SYMBOLS
from corpusforge.texts import Texts

SYMBOLS, ENDS = frozenset(",.!(=中"), frozenset(".!")
CLASSES = split_runs.character_classes(SYMBOLS, ENDS)
SPECIAL = ("cannot", "Mr.", "etc")
KNOWN = {"(so)": ["(", "so", ")"], "don't": ["do", "n't"], "\x1c": [], "naïve-日本": ["naïve", "-", "日本"]}
RUNS = st.lists(
    st.sampled_from(
        [
            *SPECIAL,
            *KNOWN,
            "etc.",
            "cannot,",
            "Mr",
            "word",
            "Word.",
            "naïve",
            "naïf,",
            "né.",
            "日.",
            "A.",
            ",",
            "x1",
            "a.b",
        ]
    )
    | st.text("abZé日.,1(", min_size=1, max_size=6),
    max_size=30,
)


def kinds_of(word: str) -> int:
    if not word.strip():
        return BLANK
    kinds = HAS_LETTER if any(map(str.isalpha, word)) else 0
    kinds |= 0 if set(word) - SYMBOLS else ONLY_SYMBOLS
    kinds |= ENDS_SENTENCE if word in ENDS else 0
    punctuation = all(unicodedata.category(character).startswith("P") for character in word)
    return kinds | (IS_PUNCTUATION if punctuation else 0)


def words_of(run: str) -> list[str] | None:
    """The words of a run, None where nobody knows."""
    if run not in SPECIAL:
        if run.isalpha():
            return [run]
        letters, mark = run[:-1], run[-1]
        if (
            mark in ".,"
            and letters.isalpha()
            and letters[-1] in string.ascii_lowercase
            and letters not in SPECIAL
        ):
            return [letters, mark]
    return KNOWN.get(run)


def hashes_of(words: list[str]) -> np.ndarray:
    return np.array([hash_string(word) for word in words], np.uint64)


@given(RUNS)
def test_words_of_runs(runs: list[str]) -> None:
    texts = Texts.from_strings([" ".join(runs)])
    assert len(texts.words.starts) == len(runs)
    marks = np.zeros(128, np.uint8)
    marks[[ord("."), ord(",")]] = 1
    keys, values = np.zeros(16, np.uint64), np.zeros(16, np.int64)
    split_runs.remember(keys, values, hashes_of(list(KNOWN)), np.arange(len(KNOWN)))
    view = texts.words
    places = split_runs.find_splits(
        texts.data,
        view.starts,
        view.ends,
        view.hashes,
        CLASSES,
        marks,
        split_runs.hash_set(hashes_of(list(SPECIAL))),
        keys,
        values,
    )
    expected = [words_of(run) for run in runs]
    assert (places == split_runs.UNKNOWN).tolist() == [words is None for words in expected]

    rows = np.flatnonzero(places != split_runs.UNKNOWN)
    known = [word for words in KNOWN.values() for word in words]
    sizes = np.array([len(word.encode()) for word in known], np.int32)
    begins = np.array(
        [run.encode().index(word.encode()) for run, words in KNOWN.items() for word in words], np.int32
    )
    found = split_runs.write_words(
        texts.data, view.starts[rows], view.ends[rows], view.hashes[rows], places[rows],
        np.array([kinds_of(chr(code)) for code in range(128)], np.uint8),
        np.cumsum([0, *map(len, KNOWN.values())]), begins, sizes, np.array(list(map(len, known)), np.int32),
        hashes_of(known), np.array(list(map(kinds_of, known)), np.uint8),
    )  # fmt: skip
    offsets, starts, ends, characters, hashes, kinds = found
    written = [texts.data[start:end].tobytes().decode() for start, end in zip(starts, ends)]
    answers = [words for words in expected if words is not None]
    assert [written[begin:end] for begin, end in zip(offsets, offsets[1:])] == answers
    assert characters.tolist() == [len(word) for word in written]
    assert hashes.tolist() == hashes_of(written).tolist()
    assert kinds.tolist() == [kinds_of(word) for word in written]


@given(
    st.lists(
        st.text(st.sampled_from("aZé日.,!(=1 \x1c\u2028\u00a0«\U0001f600"), min_size=1, max_size=5),
        max_size=10,
    )
)
def test_descriptions(words: list[str]) -> None:
    data = np.frombuffer("".join(words).encode(), np.uint8)
    ends = np.cumsum([len(word.encode()) for word in words]).astype(np.int64)
    starts = np.append(0, ends)[:-1].astype(np.int64)
    characters, hashes, kinds = split_runs.describe_words(data, starts, ends, CLASSES)
    assert characters.tolist() == [len(word) for word in words]
    assert hashes.tolist() == hashes_of(words).tolist()
    assert kinds.tolist() == [kinds_of(word) for word in words]
