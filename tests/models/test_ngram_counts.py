"""Counts of n-grams out of memory: the same for blocks of any size and arrays in files, and as a dictionary counts."""

from __future__ import annotations

import io
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corpusforge.models.arpa import write_arpa
from corpusforge.models.kneser_ney import estimate
from corpusforge.models.ngram_counts import BEGIN, END, FIRST_WORD, count_ngrams
from corpusforge.models.scratch import Scratch

Ngram = tuple[int, ...]


def flatten(sentences: list[list[int]]) -> tuple[np.ndarray, np.ndarray, list[list[int]]]:
    """Number words without gaps; gives words, bounds of sentences, and the sentences."""
    seen = sorted({word for sentence in sentences for word in sentence})
    ids = {word: index + FIRST_WORD for index, word in enumerate(seen)}
    numbered = [[ids[word] for word in sentence] for sentence in sentences]
    tokens = np.array([word for sentence in numbered for word in sentence], np.int64)
    return tokens, np.cumsum([0, *map(len, numbered)]).astype(np.int64), numbered


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.lists(st.integers(0, 3), max_size=9), min_size=1, max_size=9).filter(any),
    st.integers(1, 6),
    st.integers(1, 7),
    st.booleans(),
)
def test_equals_a_dictionary(
    tmp_path: Path, sentences: list[list[int]], order: int, block: int, files: bool
) -> None:
    tokens, offsets, numbered = flatten(sentences)
    framed = [[BEGIN, *sentence, END] for sentence in numbered]
    tables = count_ngrams(tokens, offsets, order, Scratch(tmp_path if files else None, block))
    names: list[Ngram] = [()]
    for length, table in enumerate(tables, 1):
        expected = Counter(
            tuple(one[at : at + length]) for one in framed for at in range(len(one) - length + 1)
        )
        longer = Counter(
            tuple(one[at : at + length + 1]) for one in framed for at in range(len(one) - length)
        )
        before = names
        names = [(*before[prefix], last) for prefix, last in zip(table.prefix.tolist(), table.last.tolist())]
        assert names == sorted(names)
        found = {name: raw for name, raw in zip(names, table.raw.tolist()) if raw}
        assert found == expected
        if length > 1:
            assert [before[row] for row in table.suffix.tolist()] == [name[1:] for name in names]
        for name, adjusted in zip(names, table.adjusted.tolist()):
            words_before = len({one[0] for one in longer if one[1:] == name})
            whole = length == len(tables) or name[:1] == (BEGIN,)
            assert adjusted == (0 if name == (BEGIN,) else expected[name] if whole else words_before)
    assert len(tables) == min(order, max(map(len, framed)))


@pytest.mark.parametrize("prune", [[0], [0, 0, 1, 2]])
def test_a_model_does_not_depend_on_blocks_and_files(tmp_path: Path, prune: list[int]) -> None:
    source = np.random.default_rng(7)
    tokens = np.concatenate([np.arange(60), np.minimum(source.geometric(0.15, 4000), 59)]) + FIRST_WORD
    offsets = np.array([0, 900, 900, 2500, len(tokens)])
    words = [f"w{number}" for number in range(60)]
    written = []
    for scratch in (Scratch(), Scratch(tmp_path), Scratch(tmp_path, 1000), Scratch(None, 37)):
        stream = io.BytesIO()
        write_arpa(estimate(tokens, offsets, 5, prune, scratch), words, stream)
        written.append(stream.getvalue())
    assert len(set(written)) == 1
    assert list(tmp_path.iterdir()) == []
