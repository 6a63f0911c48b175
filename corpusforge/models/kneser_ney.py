"""Interpolated modified Kneser-Ney estimation of n-gram models, in memory, in numpy.

Sources: Chen and Goodman, "An Empirical Study of Smoothing Techniques for Language Modeling" (1999), section
3 and equation 26 for the discounts; Heafield et al., "Scalable Modified Kneser-Ney Language Model Estimation"
(ACL 2013), section 3 for adjusted counts, the treatment of the sentence start, interpolation of unigrams with
the uniform distribution, and pruning by raw counts.

KenLM's lmplz gives the same n-grams, and probabilities within 4e-5 in log10 on a text of 25,000 words: in its
counts of counts the last n-gram of each order but the highest stands with its raw in place of its adjusted
count (``lm/builder/adjust_counts.cc``, KenLM 0.3.0), which moves the discounts by one n-gram. Here they
follow the formula.

An n-gram is one integer: its rank among the n-grams of its order. The key (rank of its first n - 1 words) *
vocabulary + last word sorts n-grams in lexicographic order of word ids, and one sort per order counts them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Int64 = npt.NDArray[np.int64]
Float64 = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]

UNKNOWN, BEGIN, END = 0, 1, 2
"""Word ids of ``<unk>``, ``<s>`` and ``</s>``; words of the text have ids from `FIRST_WORD`."""
FIRST_WORD = 3

MAXIMUM_ORDER = 6
"""The longest n-grams that KenLM's Python wheels are compiled for."""

FALLBACK_DISCOUNTS = (0.5, 1.0, 1.5)
"""Discounts where the counts of counts define none; the values of lmplz's ``--discount_fallback``."""

NEVER = -99.0
"""log10 of probability 0 by the custom of ARPA files: ``<s>`` is never predicted."""


@dataclass(frozen=True)
class Counts:
    """The m distinct n-grams of one order, in lexicographic order of their word ids.

    `prefix` int64[m] is the row of the first n - 1 words in the order below (0 for unigrams), `last` int64[m]
    the last word, `suffix` int64[m] the row of the last n - 1 words in the order below, `raw` int64[m] how
    often it occurs, `adjusted` int64[m] the count that Kneser-Ney smooths.
    """

    prefix: Int64
    last: Int64
    suffix: Int64
    raw: Int64
    adjusted: Int64


@dataclass(frozen=True)
class Discounts:
    """What is taken off adjusted counts of 1, 2, and 3 or more; `fallback`: not found from the data."""

    one: float
    two: float
    three: float
    fallback: bool

    def of(self, counts: Int64) -> Float64:
        """Discounts float64[m] of counts int64[m]; 0 for a count of 0."""
        table = np.array([0.0, self.one, self.two, self.three])
        return table[np.minimum(counts, 3)]


@dataclass(frozen=True)
class Order:
    """The estimated n-grams of one order, rows as in `Counts`.

    `log10_probability` float64[m] of the last word after the words before it, `log10_backoff` float64[m] of
    the whole n-gram as a context (0 in the highest order), `kept` bool[m]: false where pruned.
    """

    prefix: Int64
    last: Int64
    log10_probability: Float64
    log10_backoff: Float64
    kept: Bool
    discounts: Discounts


@dataclass(frozen=True)
class NgramModel:
    """`orders[n - 1]` holds the n-grams; the rows of unigrams are the word ids."""

    orders: Sequence[Order]

    @property
    def order(self) -> int:
        """Length of the longest n-grams."""
        return len(self.orders)


def estimate(tokens: Int64, offsets: Int64, order: int, prune: Sequence[int] = ()) -> NgramModel:
    """Estimate a model of the given order from m sentences.

    `tokens` int64[n] are word ids >= `FIRST_WORD` without gaps (each id up to the largest occurs); `offsets`
    int64[m + 1] bound the sentences in `tokens`. `prune[n - 1]` removes n-grams that occur at most so often
    (the last value holds for longer n-grams); their mass goes to the back-off. Where no sentence is long
    enough for n-grams of the order (with its start and end), the model has the longest order that there is.

    Raises `ValueError` for an order outside 1..6, an empty text, ids out of range or with gaps, thresholds
    that fall with the order, or a threshold for unigrams.
    """
    if not 1 <= order <= MAXIMUM_ORDER:
        raise ValueError(f"order {order} is not in 1..{MAXIMUM_ORDER}")
    thresholds = _thresholds(prune, order)
    tables = count_ngrams(tokens, offsets, order)
    orders: list[Order] = []
    lower: Float64 = np.zeros(0)
    for index, table in enumerate(tables):
        discounts = find_discounts(table.adjusted)
        kept = np.ones(len(table.raw), np.bool_) if index == 0 else table.raw > thresholds[index]
        if index == 0:
            probability = _unigram_probability(table, discounts)
        else:
            gamma, total = _context_mass(table, discounts, kept, len(lower))
            orders[-1].log10_backoff[:] = np.log10(gamma)
            above = (table.adjusted - discounts.of(table.adjusted)) / total[table.prefix]
            probability = above + gamma[table.prefix] * lower[table.suffix]
        logarithm = np.full(len(probability), NEVER)
        np.log10(probability, out=logarithm, where=probability > 0)
        backoff = np.zeros(len(probability))
        orders.append(Order(table.prefix, table.last, logarithm, backoff, kept, discounts))
        lower = probability
    return NgramModel(tuple(orders))


def count_ngrams(tokens: Int64, offsets: Int64, order: int) -> list[Counts]:
    """Count the n-grams of orders 1..order inside sentences, each framed by ``<s>`` and ``</s>``.

    The adjusted count of an n-gram of the highest order, and of one that starts with ``<s>``, is how often it
    occurs; of any other, how many different words stand before it. The unigram ``<s>`` counts 0: it is never
    predicted. Raises `ValueError` as `estimate`.
    """
    stream, ends = _frame(tokens, offsets)
    vocabulary = int(stream.max()) + 1
    raw = np.bincount(stream, minlength=vocabulary)
    if (raw[FIRST_WORD:] == 0).any():
        raise ValueError("word ids have gaps: number the words that occur without leaving any out")
    unigrams = np.arange(vocabulary, dtype=np.int64)
    none = np.zeros(vocabulary, np.int64)
    found: list[tuple[Int64, Int64, Int64, Int64]] = [(none, unigrams, none, raw)]
    positions = np.arange(len(stream), dtype=np.int64)
    codes = stream.copy()
    for length in range(2, order + 1):
        positions = positions[ends[positions] - positions >= length]
        if not len(positions):
            break
        keys = codes[positions] * vocabulary + stream[positions + length - 1]
        distinct, first, inverse, counts = np.unique(
            keys, return_index=True, return_inverse=True, return_counts=True
        )
        suffix = codes[positions[first] + 1]
        found.append((distinct // vocabulary, distinct % vocabulary, suffix, counts.astype(np.int64)))
        codes = np.zeros(len(stream), np.int64)
        codes[positions] = inverse
    return _adjust(found)


def find_discounts(adjusted: Int64) -> Discounts:
    """Closed-form discounts of one order from the counts of its adjusted counts 1..4.

    When one of the counts of counts 1..3 is 0, or a discount is not above 0, all three are
    `FALLBACK_DISCOUNTS`: tiny or repeated texts have no others.
    """
    seen = np.bincount(adjusted[adjusted <= 4], minlength=5)
    once, twice, thrice, four = (int(seen[k]) for k in (1, 2, 3, 4))
    if once and twice and thrice:
        share = once / (once + 2 * twice)
        one = 1 - 2 * share * twice / once
        two = 2 - 3 * share * thrice / twice
        three = 3 - 4 * share * four / thrice
        if min(one, two, three) > 0:
            return Discounts(one, two, three, False)
    return Discounts(*FALLBACK_DISCOUNTS, True)


def _thresholds(prune: Sequence[int], order: int) -> list[int]:
    """Pruning thresholds of orders 1..order, the last one given repeated."""
    given = list(prune) or [0]
    if given[0] != 0:
        raise ValueError("unigrams are never pruned: the first threshold must be 0")
    if len(given) > order or given != sorted(given):
        raise ValueError(f"pruning thresholds {given} must not fall, at most one for each of {order} orders")
    return given + given[-1:] * (order - len(given))


def _frame(tokens: Int64, offsets: Int64) -> tuple[Int64, Int64]:
    """Frame sentences: the words with ``<s>`` and ``</s>``, and for each where its sentence ends."""
    tokens = np.asarray(tokens, np.int64)
    offsets = np.asarray(offsets, np.int64)
    if not len(tokens):
        raise ValueError("no words to estimate a language model from")
    if int(tokens.min()) < FIRST_WORD:
        raise ValueError(f"word ids start at {FIRST_WORD}")
    sizes = np.diff(offsets)
    if offsets[0] != 0 or offsets[-1] != len(tokens) or (sizes < 0).any():
        raise ValueError("sentence offsets do not bound the words")
    sentences = np.arange(len(sizes), dtype=np.int64)
    stream = np.zeros(len(tokens) + 2 * len(sizes), np.int64)
    stream[offsets[:-1] + 2 * sentences] = BEGIN
    stop = offsets[1:] + 2 * sentences + 2
    stream[stop - 1] = END
    stream[stream == 0] = tokens
    return stream, np.repeat(stop, sizes + 2)


def _adjust(found: list[tuple[Int64, Int64, Int64, Int64]]) -> list[Counts]:
    """Add adjusted counts to the (prefix, last, suffix, raw) of each order."""
    tables: list[Counts] = []
    from_begin: Bool = np.zeros(0, np.bool_)
    for index, (prefix, last, suffix, raw) in enumerate(found):
        from_begin = last == BEGIN if index == 0 else from_begin[prefix]
        adjusted = raw.copy()
        if index + 1 < len(found):
            before = np.bincount(found[index + 1][2], minlength=len(raw))
            adjusted = np.where(from_begin, raw, before)
        if index == 0:
            adjusted[BEGIN] = 0
        tables.append(Counts(prefix, last, suffix, raw, adjusted))
    return tables


def _unigram_probability(table: Counts, discounts: Discounts) -> Float64:
    """Unigrams interpolated with the uniform distribution over all words, ``</s>`` and ``<unk>``."""
    total = int(table.adjusted.sum())
    taken = discounts.of(table.adjusted)
    uniform = float(taken.sum()) / total / (len(table.adjusted) - 1)
    probability = (table.adjusted - taken) / total + uniform
    probability[BEGIN] = 0.0
    return probability


def _context_mass(table: Counts, discounts: Discounts, kept: Bool, contexts: int) -> tuple[Float64, Float64]:
    """Back-off weight and total of adjusted counts, float64[contexts], of every n-gram of the order below.

    The weight is what discounting and pruning free; it is 1 for an n-gram that nothing follows.
    """
    adjusted = table.adjusted.astype(np.float64)
    freed = np.where(kept, discounts.of(table.adjusted), adjusted)
    total = np.bincount(table.prefix, adjusted, contexts).astype(np.float64)
    mass = np.bincount(table.prefix, freed, contexts).astype(np.float64)
    gamma: Float64 = np.ones(contexts)
    np.divide(mass, total, out=gamma, where=total > 0)
    return gamma, total
