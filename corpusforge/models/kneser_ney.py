"""Interpolated modified Kneser-Ney estimation of n-gram models, in numpy, a block of n-grams at a time.

Sources: Chen and Goodman, "An Empirical Study of Smoothing Techniques for Language Modeling" (1999), section
3 and equation 26 for the discounts; Heafield et al., "Scalable Modified Kneser-Ney Language Model Estimation"
(ACL 2013), section 3 for adjusted counts, the treatment of the sentence start, interpolation of unigrams with
the uniform distribution, and pruning by raw counts.

KenLM's lmplz gives the same n-grams, and probabilities within 4e-5 in log10 on a text of 25,000 words: in its
counts of counts the last n-gram of each order but the highest stands with its raw in place of its adjusted
count (``lm/builder/adjust_counts.cc``, KenLM 0.3.0), which moves the discounts by one n-gram. Here they
follow the formula.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from corpusforge.models.ngram_counts import BEGIN, Counts, count_ngrams
from corpusforge.models.scratch import IN_MEMORY, Scratch

Int64 = npt.NDArray[np.int64]
Float64 = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]

MAXIMUM_ORDER = 6
"""The longest n-grams that KenLM's Python wheels are compiled for."""

FALLBACK_DISCOUNTS = (0.5, 1.0, 1.5)
"""Discounts where the counts of counts define none; the values of lmplz's ``--discount_fallback``."""

NEVER = -99.0
"""log10 of probability 0 by the custom of ARPA files: ``<s>`` is never predicted."""


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


def estimate(
    tokens: Int64, offsets: Int64, order: int, prune: Sequence[int] = (), scratch: Scratch = IN_MEMORY
) -> NgramModel:
    """Estimate a model of the given order from m sentences.

    `tokens` int64[n] and `offsets` int64[m + 1] as in `count_ngrams`. `prune[n - 1]` removes n-grams that occur at most
    so often (the last value holds for longer n-grams); their mass goes to the back-off. Where no sentence is long
    enough for n-grams of the order (with its start and end), the model has the longest order that there is. `scratch`
    says where the arrays lie; the model does not depend on it.

    Raises `ValueError` for an order outside 1..6, an empty text, ids out of range or with gaps, thresholds
    that fall with the order, or a threshold for unigrams.
    """
    if not 1 <= order <= MAXIMUM_ORDER:
        raise ValueError(f"order {order} is not in 1..{MAXIMUM_ORDER}")
    thresholds = _thresholds(prune, order)
    tables = count_ngrams(tokens, offsets, order, scratch)
    orders: list[Order] = []
    lower: Float64 = np.zeros(0)
    for index, table in enumerate(tables):
        discounts = find_discounts(table.adjusted, scratch)
        if index == 0:
            lower = _unigram_probability(table, discounts)
            kept = np.ones(len(lower), np.bool_)
        else:
            kept, lower = _interpolated(
                table, discounts, thresholds[index], lower, orders[-1].log10_backoff, scratch
            )
        logarithm, backoff = (scratch.zeros(len(lower), np.float64) for _ in range(2))
        for start, stop in scratch.spans(len(lower)):
            part = np.full(stop - start, NEVER)
            np.log10(lower[start:stop], out=part, where=lower[start:stop] > 0)
            logarithm[start:stop] = part
        orders.append(Order(table.prefix, table.last, logarithm, backoff, kept, discounts))
    return NgramModel(tuple(orders))


def find_discounts(adjusted: Int64, scratch: Scratch = IN_MEMORY) -> Discounts:
    """Closed-form discounts of one order from the counts of its adjusted counts 1..4.

    When one of the counts of counts 1..3 is 0, or a discount is not above 0, all three are
    `FALLBACK_DISCOUNTS`: tiny or repeated texts have no others.
    """
    seen = np.zeros(5, np.int64)
    for start, stop in scratch.spans(len(adjusted)):
        part = adjusted[start:stop]
        seen += np.bincount(part[part <= 4], minlength=5)
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


def _unigram_probability(table: Counts, discounts: Discounts) -> Float64:
    """Unigrams interpolated with the uniform distribution over all words, ``</s>`` and ``<unk>``."""
    total = int(table.adjusted.sum())
    taken = discounts.of(table.adjusted)
    uniform = float(taken.sum()) / total / (len(table.adjusted) - 1)
    probability = (table.adjusted - taken) / total + uniform
    probability[BEGIN] = 0.0
    return probability


def _interpolated(
    table: Counts,
    discounts: Discounts,
    threshold: int,
    lower: Float64,
    log10_backoff: Float64,
    scratch: Scratch,
) -> tuple[Bool, Float64]:
    """Which n-grams are kept, bool[m], and their probabilities float64[m]; sets the back-off weights of shorter ones.

    `lower` float64[k] are the probabilities of the order below, `log10_backoff` float64[k] its weights: what
    discounting and pruning free after each context, log10 1 where nothing follows.
    """
    kept, probability = scratch.appending(np.bool_), scratch.appending(np.float64)
    for start, stop in _whole_contexts(table.prefix, scratch):
        adjusted, keeps = table.adjusted[start:stop], table.raw[start:stop] > threshold
        first = int(table.prefix[start])
        context = table.prefix[start:stop] - first
        taken = discounts.of(adjusted)
        total = np.bincount(context, adjusted)
        mass = np.bincount(context, np.where(keeps, taken, adjusted.astype(np.float64)))
        gamma: Float64 = np.ones(len(total))
        np.divide(mass, total, out=gamma, where=total > 0)
        log10_backoff[first : first + len(gamma)] = np.log10(gamma)
        kept.add(keeps)
        shorter = _looked_up(lower, table.suffix[start:stop])
        probability.add((adjusted - taken) / total[context] + gamma[context] * shorter)
    return kept.done(), probability.done()


def _whole_contexts(prefix: Int64, scratch: Scratch) -> Iterator[tuple[int, int]]:
    """Bounds of blocks that end where a context ends: what is added up for one never spans two blocks."""
    start = 0
    while start < len(prefix):
        stop = min(start + scratch.block, len(prefix))
        stop = int(np.searchsorted(prefix, prefix[stop - 1], "right"))
        yield start, stop
        start = stop


def _looked_up(values: Float64, rows: Int64) -> Float64:
    """``values[rows]``, read in rising order, as `values` may lie in a file."""
    order = np.argsort(rows, kind="stable")
    found = np.empty(len(rows))
    found[order] = values[rows[order]]
    return found
