"""Counts of n-grams of all orders, of texts that may be larger than memory.

An n-gram is one integer: its rank among the n-grams of its order. The key (rank of its first n - 1 words) *
vocabulary + last word sorts n-grams in lexicographic order of word ids. Each block of positions in the text is sorted
and counted on its own; then the blocks' distinct keys are merged, a range of keys at a time, and each position gets the
rank of the n-gram that starts there, which makes the keys of the next order. Every file is read and written from
front to back, or in rising order.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from corpusforge.models.scratch import IN_MEMORY, Scratch

Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]

UNKNOWN, BEGIN, END = 0, 1, 2
"""Word ids of ``<unk>``, ``<s>`` and ``</s>``; words of the text have ids from `FIRST_WORD`."""
FIRST_WORD = 3


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
class _Run:
    """Distinct n-grams: `keys` int64[m], rising; the rank of the last n - 1 words, and how often each was seen."""

    keys: Int64
    suffix: Int64
    raw: Int64


def count_ngrams(tokens: Int64, offsets: Int64, order: int, scratch: Scratch = IN_MEMORY) -> list[Counts]:
    """Count the n-grams of orders 1..order inside sentences, each framed by ``<s>`` and ``</s>``.

    `tokens` int64[n] are word ids >= `FIRST_WORD` without gaps (each id up to the largest occurs); `offsets`
    int64[m + 1] bound the sentences in `tokens`. The adjusted count of an n-gram of the highest order, and of one that
    starts with ``<s>``, is how often it occurs; of any other, how many different words stand before it. The unigram
    ``<s>`` counts 0: it is never predicted. `scratch` says where the arrays lie; the counts do not depend on it.

    Raises `ValueError` for an empty text and ids out of range or with gaps.
    """
    stream = _frame(tokens, offsets, scratch)
    vocabulary = 1 + max(int(stream[start:stop].max()) for start, stop in scratch.spans(len(stream)))
    raw = np.zeros(vocabulary, np.int64)
    for start, stop in scratch.spans(len(stream)):
        raw += np.bincount(stream[start:stop], minlength=vocabulary)
    if (raw[FIRST_WORD:] == 0).any():
        raise ValueError("word ids have gaps: number the words that occur without leaving any out")
    none = np.zeros(vocabulary, np.int64)
    found: list[tuple[Int64, Int64, Int64, Int64]] = [(none, np.arange(vocabulary), none, raw)]
    codes = stream
    for length in range(2, order + 1):
        runs = [
            _counted(keys, suffix, scratch)
            for keys, suffix, _ in _blocks(stream, codes, length, vocabulary, scratch)
            if len(keys)
        ]
        if not runs:
            break
        run = _merged(runs, scratch)
        del runs
        if length < order:
            codes = _ranked(stream, codes, length, vocabulary, run.keys, scratch)
        prefix, last = (scratch.appending(np.int64) for _ in range(2))
        for start, stop in scratch.spans(len(run.keys)):
            prefix.add(run.keys[start:stop] // vocabulary)
            last.add(run.keys[start:stop] % vocabulary)
        found.append((prefix.done(), last.done(), run.suffix, run.raw))
    return _adjust(found, scratch)


def _frame(tokens: Int64, offsets: Int64, scratch: Scratch) -> Int64:
    """Frame sentences: the words with ``<s>`` and ``</s>``."""
    tokens = np.asarray(tokens, np.int64)
    offsets = np.asarray(offsets, np.int64)
    if not len(tokens):
        raise ValueError("no words to estimate a language model from")
    if min(int(tokens[start:stop].min()) for start, stop in scratch.spans(len(tokens))) < FIRST_WORD:
        raise ValueError(f"word ids start at {FIRST_WORD}")
    if offsets[0] != 0 or offsets[-1] != len(tokens) or (np.diff(offsets) < 0).any():
        raise ValueError("sentence offsets do not bound the words")
    stream = scratch.appending(np.int64)
    first = 0
    while first < len(offsets) - 1:
        # Whole sentences, one at least.
        last = int(np.searchsorted(offsets, offsets[first] + scratch.block, "right")) - 1
        last = max(first + 1, min(last, first + scratch.block))
        stream.add(
            _framed(tokens[offsets[first] : offsets[last]], offsets[first : last + 1] - offsets[first])
        )
        first = last
    return stream.done()


def _framed(tokens: Int64, offsets: Int64) -> Int64:
    sizes = np.diff(offsets)
    sentences = np.arange(len(sizes), dtype=np.int64)
    stream = np.zeros(len(tokens) + 2 * len(sizes), np.int64)
    stream[offsets[:-1] + 2 * sentences] = BEGIN
    stream[offsets[1:] + 2 * sentences + 1] = END
    stream[stream == 0] = tokens
    return stream


def _blocks(
    stream: Int64, codes: Int64, length: int, vocabulary: int, scratch: Scratch
) -> Iterator[tuple[Int64, Int64, Bool]]:
    """Keys int64[k] and ranks of the last words int64[k] of the n-grams that start in a block; where, bool[block].

    `codes`: the rank of the shorter n-gram that starts at each position, -1 where its sentence ends before.
    """
    for start, stop in scratch.spans(len(stream) - length + 1):
        prefix, suffix = codes[start:stop], codes[start + 1 : stop + 1]
        inside = (prefix >= 0) & (suffix >= 0)
        if length == 2:
            inside &= stream[start:stop] != END
        last = stream[start + length - 1 : stop + length - 1]
        yield prefix[inside] * vocabulary + last[inside], suffix[inside], inside


def _counted(keys: Int64, suffix: Int64, scratch: Scratch) -> _Run:
    distinct, first, counts = np.unique(keys, return_index=True, return_counts=True)
    return _Run(
        scratch.stored(distinct), scratch.stored(suffix[first]), scratch.stored(counts.astype(np.int64))
    )


def _merged(runs: list[_Run], scratch: Scratch) -> _Run:
    """One run of all, a range of keys at a time; ranges hold a block's worth of rows."""
    if len(runs) == 1:
        return runs[0]
    step = max(scratch.block // (2 * len(runs)), 1)
    samples = np.sort(np.concatenate([run.keys[::step] for run in runs]))
    bounds = np.unique(samples[len(runs) :: len(runs)])
    places = [[0, *np.searchsorted(run.keys, bounds).tolist(), len(run.keys)] for run in runs]
    keys, suffix, raw = (scratch.appending(np.int64) for _ in range(3))
    for at in range(len(bounds) + 1):
        parts = [(run, slice(place[at], place[at + 1])) for run, place in zip(runs, places)]
        together = np.concatenate([run.keys[part] for run, part in parts])
        order = np.argsort(together, kind="stable")
        together = together[order]
        if not len(together):
            continue
        opens = np.flatnonzero(np.concatenate([[True], together[1:] != together[:-1]]))
        keys.add(together[opens])
        suffix.add(np.concatenate([run.suffix[part] for run, part in parts])[order[opens]])
        raw.add(np.add.reduceat(np.concatenate([run.raw[part] for run, part in parts])[order], opens))
    return _Run(keys.done(), suffix.done(), raw.done())


def _ranked(
    stream: Int64, codes: Int64, length: int, vocabulary: int, keys: Int64, scratch: Scratch
) -> Int64:
    """The rank among `keys` of the n-gram that starts at each position, -1 where its sentence ends before."""
    ranks = scratch.appending(np.int64)
    for own, _, inside in _blocks(stream, codes, length, vocabulary, scratch):
        distinct, inverse = np.unique(own, return_inverse=True)
        part = np.full(len(inside), -1, np.int64)
        # Looked up in rising order: the table is read from front to back.
        part[inside] = np.searchsorted(keys, distinct)[inverse]
        ranks.add(part)
    ranks.add(np.full(len(stream) - ranks.count, -1, np.int64))
    return ranks.done()


def _adjust(found: list[tuple[Int64, Int64, Int64, Int64]], scratch: Scratch) -> list[Counts]:
    """Add adjusted counts to the (prefix, last, suffix, raw) of each order."""
    tables: list[Counts] = []
    # N-grams that start with <s> stand together.
    begin = np.array([BEGIN, BEGIN + 1])
    for index, (prefix, last, suffix, raw) in enumerate(found):
        if index:
            begin = np.searchsorted(prefix, begin)
        adjusted = raw.copy() if index == 0 else raw
        if index + 1 < len(found):
            adjusted = scratch.zeros(len(raw), np.int64)
            longer = found[index + 1][2]
            for start, stop in scratch.spans(len(longer)):
                rows, counts = np.unique(longer[start:stop], return_counts=True)
                adjusted[rows] += counts
            adjusted[begin[0] : begin[1]] = raw[begin[0] : begin[1]]
        if index == 0:
            adjusted[BEGIN] = 0
        tables.append(Counts(prefix, last, suffix, raw, adjusted))
    return tables
