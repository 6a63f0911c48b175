"""The n-gram estimator against the formulas written out with dictionaries, against KenLM, and by hand."""

from __future__ import annotations

import io
import math
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpusforge.models.arpa import read_arpa, write_arpa
from corpusforge.models.kneser_ney import (
    FALLBACK_DISCOUNTS,
    NEVER,
    NgramModel,
    estimate,
    find_discounts,
)
from corpusforge.models.ngram_counts import BEGIN, END, FIRST_WORD, UNKNOWN, count_ngrams

Ngram = tuple[int, ...]
Sentences = list[list[int]]


def number_words(sentences: list[list[str]]) -> tuple[np.ndarray, np.ndarray, list[str]]:
    words = sorted({word for sentence in sentences for word in sentence})
    ids = {word: index + FIRST_WORD for index, word in enumerate(words)}
    tokens = np.array([ids[word] for sentence in sentences for word in sentence], np.int64)
    offsets = np.cumsum([0] + [len(sentence) for sentence in sentences])
    return tokens, offsets.astype(np.int64), words


class Twin:
    """Interpolated modified Kneser-Ney straight from the formulas, one n-gram at a time."""

    def __init__(self, sentences: Sentences, order: int, prune: list[int]) -> None:
        framed = [[BEGIN, *sentence, END] for sentence in sentences]
        self.order = min(order, max(len(sentence) for sentence in framed))
        self.raw = [
            Counter(tuple(s[i : i + n]) for s in framed for i in range(len(s) - n + 1))
            for n in range(1, self.order + 1)
        ]
        self.prune = prune + prune[-1:] * (self.order - len(prune))
        self.words = {word for sentence in framed for word in sentence} | {UNKNOWN}
        self.discounts = [self.discount_table(n) for n in range(1, self.order + 1)]

    def kept(self, ngram: Ngram) -> bool:
        return self.raw[len(ngram) - 1][ngram] > self.prune[len(ngram) - 1]

    def count(self, ngram: Ngram) -> int:
        """The adjusted count."""
        if ngram == (BEGIN,):
            return 0
        if len(ngram) == self.order or ngram[0] == BEGIN:
            return self.raw[len(ngram) - 1][ngram]
        return len({longer[0] for longer in self.raw[len(ngram)] if longer[1:] == ngram})

    def discount_table(self, n: int) -> dict[int, float]:
        t = Counter(self.count(ngram) for ngram in self.raw[n - 1])
        table = dict(zip((1, 2, 3), FALLBACK_DISCOUNTS))
        if t[1] and t[2] and t[3]:
            y = t[1] / (t[1] + 2 * t[2])
            closed = {k: k - (k + 1) * y * t[k + 1] / t[k] for k in (1, 2, 3)}
            if all(value > 0 for value in closed.values()):
                table = closed
        return table

    def discount(self, ngram: Ngram) -> float:
        count = self.count(ngram)
        return self.discounts[len(ngram) - 1][min(count, 3)] if count else 0.0

    def backoff(self, context: Ngram) -> float:
        """The weight of the lower order after a context (1 where nothing follows it)."""
        followers = [ngram for ngram in self.raw[len(context)] if ngram[:-1] == context]
        total = sum(self.count(ngram) for ngram in followers)
        if not total:
            return 1.0
        used = sum(self.count(ngram) - self.discount(ngram) for ngram in followers if self.kept(ngram))
        return 1 - used / total

    def probability(self, ngram: Ngram) -> float:
        if ngram == (BEGIN,):
            return 0.0
        if not ngram:
            return 1 / (len(self.words) - 1)
        followers = [other for other in self.raw[len(ngram) - 1] if other[:-1] == ngram[:-1]]
        total = sum(self.count(other) for other in followers)
        own = 0.0
        if total and ngram in followers and self.kept(ngram):
            own = (self.count(ngram) - self.discount(ngram)) / total
        lower = self.probability(ngram[1:]) if len(ngram) > 1 else 1 / (len(self.words) - 1)
        return own + self.backoff(ngram[:-1]) * lower


def table_of(model: NgramModel) -> dict[Ngram, tuple[float, float]]:
    """All kept n-grams: (log10 probability, log10 back-off)."""
    result: dict[Ngram, tuple[float, float]] = {}
    names: list[Ngram] = [()]
    for order in model.orders:
        names = [(*names[p], int(w)) for p, w in zip(order.prefix, order.last)]
        for row, name in enumerate(names):
            if order.kept[row]:
                result[name] = (float(order.log10_probability[row]), float(order.log10_backoff[row]))
    return result


def by_backoff(table: dict[Ngram, tuple[float, float]], context: Ngram, word: int) -> float:
    weight = 0.0
    while (*context, word) not in table:
        weight += table.get(context, (0.0, 0.0))[1]
        context = context[1:]
    return weight + table[(*context, word)][0]


def flatten(sentences: Sentences) -> tuple[np.ndarray, np.ndarray, Sentences]:
    """Renumber words without gaps and give arrays."""
    seen = sorted({word for sentence in sentences for word in sentence})
    ids = {word: index + FIRST_WORD for index, word in enumerate(seen)}
    renumbered = [[ids[word] for word in sentence] for sentence in sentences]
    tokens = np.array([word for sentence in renumbered for word in sentence], np.int64)
    offsets = np.cumsum([0] + [len(sentence) for sentence in renumbered]).astype(np.int64)
    return tokens, offsets, renumbered


corpora = st.lists(st.lists(st.integers(0, 4), max_size=9), min_size=1, max_size=8).filter(any)
pruning = st.sampled_from([[0], [0, 0, 1], [0, 1], [0, 0, 0, 2]])


@settings(deadline=None, max_examples=60)
@given(corpora, st.integers(1, 6), pruning)
def test_equals_the_formulas(sentences: Sentences, order: int, prune: list[int]) -> None:
    tokens, offsets, renumbered = flatten(sentences)
    prune = prune[:order]
    table = table_of(estimate(tokens, offsets, order, prune))
    twin = Twin(renumbered, order, prune)
    expected = {ngram for counts in twin.raw for ngram in counts if twin.kept(ngram)} | {(UNKNOWN,)}
    assert set(table) == expected
    for ngram, (probability, backoff) in table.items():
        wanted = twin.probability(ngram)
        assert probability == pytest.approx(math.log10(wanted) if wanted else NEVER, abs=1e-9)
        if len(ngram) < twin.order:
            assert backoff == pytest.approx(math.log10(twin.backoff(ngram)), abs=1e-9)


@settings(deadline=None, max_examples=60)
@given(corpora, st.integers(1, 6), pruning)
def test_every_context_sums_to_one(sentences: Sentences, order: int, prune: list[int]) -> None:
    tokens, offsets, _ = flatten(sentences)
    table = table_of(estimate(tokens, offsets, order, prune[:order]))
    predicted = [ngram[0] for ngram in table if len(ngram) == 1 and ngram[0] != BEGIN]
    contexts = {ngram for ngram in table if len(ngram) < order} | {(), (FIRST_WORD, END, FIRST_WORD)}
    for context in contexts:
        total = sum(10 ** by_backoff(table, context, word) for word in predicted)
        assert total == pytest.approx(1, abs=1e-6)


def test_by_hand() -> None:
    # Sentences "a b" and "a". Words before a: <s>; before b: a; before </s>: a and b. So the adjusted
    # unigrams are a 1, b 1, </s> 2, of 4; the fallback discounts are .5, 1, 1.5 and free (.5 + .5 + 1) / 4.
    a, b = FIRST_WORD, FIRST_WORD + 1
    model = estimate(np.array([a, b, a]), np.array([0, 2, 3]), 2)
    assert [order.discounts.fallback for order in model.orders] == [True, True]
    linear = {ngram: 10 ** value[0] for ngram, value in table_of(model).items()}
    assert linear.pop((BEGIN,)) == pytest.approx(0)
    assert linear == pytest.approx(
        {
            (UNKNOWN,): 0.5 / 4,
            (END,): (2 - 1) / 4 + 0.5 / 4,
            (a,): (1 - 0.5) / 4 + 0.5 / 4,
            (b,): (1 - 0.5) / 4 + 0.5 / 4,
            (BEGIN, a): (2 - 1) / 2 + 0.5 * 0.25,
            (a, END): (1 - 0.5) / 2 + 0.5 * 0.375,
            (a, b): (1 - 0.5) / 2 + 0.5 * 0.25,
            (b, END): (1 - 0.5) / 1 + 0.5 * 0.375,
        }
    )


def test_counts() -> None:
    a, b = FIRST_WORD, FIRST_WORD + 1
    unigrams, bigrams, trigrams = count_ngrams(np.array([a, b, a, b]), np.array([0, 2, 4]), 3)
    assert unigrams.raw.tolist() == [0, 2, 2, 2, 2]
    assert unigrams.adjusted.tolist() == [0, 0, 1, 1, 1]
    assert list(zip(bigrams.prefix.tolist(), bigrams.last.tolist())) == [(BEGIN, a), (a, b), (b, END)]
    assert bigrams.raw.tolist() == [2, 2, 2]
    assert bigrams.adjusted.tolist() == [2, 1, 1]
    assert trigrams.adjusted.tolist() == [2, 2]
    assert trigrams.suffix.tolist() == [1, 2]


def test_discounts_of_chen_and_goodman() -> None:
    # n1 = 8, n2 = 4, n3 = 2, n4 = 1: Y = 8 / 16; D1 = 1 - 2Y/2, D2 = 2 - 3Y/2, D3+ = 3 - 4Y/2.
    found = find_discounts(np.array([1] * 8 + [2] * 4 + [3] * 2 + [4] + [9] * 5))
    assert (found.one, found.two, found.three, found.fallback) == (0.5, 1.25, 2.0, False)
    assert found.of(np.array([0, 1, 2, 3, 50])).tolist() == [0, 0.5, 1.25, 2.0, 2.0]


@pytest.mark.parametrize("adjusted", [[1] * 9, [1, 2, 2, 5], [1, 2] + [3] * 40, []])
def test_fallback_discounts(adjusted: list[int]) -> None:
    found = find_discounts(np.array(adjusted, np.int64))
    assert (found.one, found.two, found.three) == FALLBACK_DISCOUNTS
    assert found.fallback


def test_order_falls_to_the_longest_sentence() -> None:
    model = estimate(np.array([FIRST_WORD]), np.array([0, 1]), 5)
    assert model.order == 3
    assert [int(order.kept.sum()) for order in model.orders] == [4, 2, 1]


def test_order_of_sentences_does_not_matter() -> None:
    sentences = [["a", "b", "c"], ["c", "a"], ["b", "b", "a"], ["a", "b", "a"]]
    written = []
    for arrangement in (sentences, sentences[::-1]):
        tokens, offsets, words = number_words(arrangement)
        stream = io.BytesIO()
        write_arpa(estimate(tokens, offsets, 4), words, stream)
        written.append(stream.getvalue())
    assert written[0] == written[1]


@pytest.mark.parametrize(
    ("tokens", "offsets", "order", "prune", "message"),
    [
        ([], [0], 3, [], "no words"),
        ([], [0, 0], 3, [], "no words"),
        ([3], [0, 1], 0, [], "order 0"),
        ([3], [0, 1], 7, [], "order 7"),
        ([2], [0, 1], 2, [], "start at 3"),
        ([3, 5], [0, 2], 2, [], "gaps"),
        ([3, 4], [0, 1], 2, [], "offsets"),
        ([3], [0, 1], 3, [1], "unigrams"),
        ([3], [0, 1], 3, [0, 2, 1], "must not fall"),
        ([3], [0, 1], 2, [0, 0, 1], "at most one"),
    ],
)
def test_refuses(tokens: list[int], offsets: list[int], order: int, prune: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        estimate(np.array(tokens, np.int64), np.array(offsets, np.int64), order, prune)


def english(shared_data: Path) -> list[list[str]]:
    lines = (shared_data / "models" / "cs336-corpus.en").read_text(encoding="utf-8").split("\n")
    return [line.split() for line in lines if line.strip()]


@pytest.mark.parametrize("prune", [[0], [0, 0, 1]])
def test_kenlm_scores_what_is_written(shared_data: Path, tmp_path: Path, prune: list[int]) -> None:
    kenlm = pytest.importorskip("kenlm")
    sentences = english(shared_data)
    tokens, offsets, words = number_words(sentences[:800])
    path = tmp_path / "five.arpa"
    with path.open("wb") as stream:
        write_arpa(estimate(tokens, offsets, 5, prune), words, stream)
    config = kenlm.Config()
    config.show_progress = False
    theirs = kenlm.Model(str(path), config)
    ours = read_arpa(path)
    assert theirs.order == ours.order == 5
    # The sentences after 800 are unseen and hold unknown words.
    for sentence in [*sentences[:100], *sentences[800:], [], ["nowhere-to-be-found"]]:
        assert theirs.score(" ".join(sentence)) == pytest.approx(
            ours.score(sentence), abs=1e-5 * (len(sentence) + 1)
        )


@pytest.mark.skipif(shutil.which("lmplz") is None, reason="KenLM's lmplz is not on PATH")
@pytest.mark.parametrize(("order", "prune"), [(1, [0]), (3, [0]), (5, [0]), (5, [0, 0, 1])])
def test_agrees_with_lmplz(shared_data: Path, tmp_path: Path, order: int, prune: list[int]) -> None:
    sentences = english(shared_data)
    text = "".join(" ".join(sentence) + "\n" for sentence in sentences).encode()
    command = ["lmplz", "-o", str(order), "-S", "200M", "-T", str(tmp_path), "--discount_fallback"]
    command += ["--prune", *map(str, prune)]
    done = subprocess.run(command, input=text, capture_output=True, check=True)
    (tmp_path / "theirs.arpa").write_bytes(done.stdout)
    tokens, offsets, words = number_words(sentences)
    with (tmp_path / "ours.arpa").open("wb") as stream:
        write_arpa(estimate(tokens, offsets, order, prune), words, stream)
    ours = read_arpa(tmp_path / "ours.arpa").ngrams
    theirs = read_arpa(tmp_path / "theirs.arpa").ngrams
    assert ours.keys() == theirs.keys()
    for ngram, (probability, backoff) in theirs.items():
        if ngram != ("<s>",):  # lmplz writes log10 0 where we write -99: it is never predicted
            assert ours[ngram][0] == pytest.approx(probability, abs=4e-5)
        assert ours[ngram][1] == pytest.approx(backoff, abs=4e-5)
