"""English words as spaCy's rules split them, which is what datatrove counts.

spaCy (Honnibal et al., https://spacy.io) splits each run of characters between white space by itself, so its
tokenizer is asked once for each distinct run and the answers are kept; words of letters alone that are no special
case of its own (contractions, abbreviations) are not asked about. Runs longer than `LONGEST` characters count as
one word: the tokenizer takes affixes off one by one, which is quadratic.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from corpusforge.errors import MissingExtraError
from corpusforge.filters import spacy_marks
from corpusforge.kernels.hash64 import hash_string
from corpusforge.lean_imports import absent
from corpusforge.texts import Texts

Int64 = npt.NDArray[np.int64]

LONGEST = 1000
KEPT = 200_000
"""Distinct runs whose split is remembered; then all are forgotten at once."""
ASKED = 5000
"""Runs that spaCy is shown at a time."""

HAS_LETTER, ONLY_SYMBOLS, ENDS_SENTENCE, IS_PUNCTUATION = 1, 2, 4, 8

_Split = tuple[tuple[int, int, int, int], ...]
"""Words of a run: (bytes, characters, kinds, hash) each; they fill the run, in order."""


@dataclass(frozen=True)
class SpacyWords:
    """Words of n texts; text i has the words ``offsets[i]:offsets[i + 1]`` (int64[n + 1]).

    `starts`, `ends` int64[w] byte positions in `Texts.data`; `characters` int32[w]; `hashes` uint64[w] of the words'
    bytes; `kinds` uint8[w], a bit set of `HAS_LETTER` (one of Unicode's letters), `ONLY_SYMBOLS` (nothing but what
    datatrove calls punctuation), `ENDS_SENTENCE` (a mark of spaCy's sentencizer), `IS_PUNCTUATION` (Unicode's P).
    """

    offsets: Int64
    starts: Int64
    ends: Int64
    characters: npt.NDArray[np.int32]
    hashes: npt.NDArray[np.uint64]
    kinds: npt.NDArray[np.uint8]


class Splitter:
    """spaCy's English tokenizer with a memory. Raises `MissingExtraError` where spaCy is not installed."""

    def __init__(self, step: str) -> None:
        try:
            with absent("torch", "transformers"):
                import spacy

                language: Any = spacy.blank("en")
        except ImportError as error:
            raise MissingExtraError(step, "pii") from error
        self._language = language
        self._tokenizer = language.tokenizer
        self._special = frozenset(self._tokenizer.rules)
        self._known: dict[int, _Split] = {}

    def split(self, texts: Texts) -> SpacyWords:
        """Split all texts."""
        runs = texts.words
        distinct, places, which = np.unique(runs.hashes, return_index=True, return_inverse=True)
        splits = self._splits(texts, distinct.tolist(), runs.starts[places], runs.ends[places])
        sizes = np.array([len(split) for split in splits], np.int64)
        flat = np.array([word for split in splits for word in split], np.uint64).reshape(-1, 4)
        first = np.cumsum(sizes) - sizes
        counts = sizes[which]
        before = np.zeros(len(counts) + 1, np.int64)
        np.cumsum(counts, out=before[1:])
        taken = np.repeat(first[which] - before[:-1], counts) + np.arange(before[-1])
        chosen = flat[taken]
        lengths = chosen[:, 0].astype(np.int64)
        behind = np.cumsum(lengths)
        run_behind = np.append(0, behind)[before[:-1]]
        ends = np.repeat(runs.starts - run_behind, counts) + behind
        return _without_blanks(
            SpacyWords(
                offsets=before[runs.document_offsets],
                starts=ends - lengths,
                ends=ends,
                characters=chosen[:, 1].astype(np.int32),
                hashes=np.ascontiguousarray(chosen[:, 3]),
                kinds=chosen[:, 2].astype(np.uint8),
            )
        )

    def _splits(self, texts: Texts, hashes: Sequence[int], starts: Int64, ends: Int64) -> list[_Split]:
        known = self._known
        if len(known) + len(hashes) > KEPT:
            known.clear()
        asked: dict[int, str] = {}
        for key, start, end in zip(hashes, starts.tolist(), ends.tolist()):
            if key not in known:
                run = texts.data[start:end].tobytes().decode("utf-8", "replace")
                if len(run) > LONGEST or (run.isalpha() and run not in self._special):
                    known[key] = (_word(run, False),)
                else:
                    asked[key] = run
        keys = list(asked)
        for begin in range(0, len(keys), ASKED):
            some = keys[begin : begin + ASKED]
            known.update(zip(some, self._ask([asked[key] for key in some])))
        return [known[key] for key in hashes]

    def _ask(self, runs: Sequence[str]) -> list[_Split]:
        """Let spaCy split runs, all together; one by one where it stumbles over one of them."""
        text = " ".join(runs)
        zone = self._language.memory_zone() if hasattr(self._language, "memory_zone") else nullcontext()
        with zone:
            try:
                tokens = [(token.idx, token.text, bool(token.is_punct)) for token in self._tokenizer(text)]
            except Exception:
                # It raises on words that are names of its own symbols ("IS_ALPHA"): such a run is one word.
                if len(runs) == 1:
                    return [(_word(runs[0], False),)]
                return [split for run in runs for split in self._ask([run])]
        splits: list[_Split] = []
        at = begin = 0
        for run in runs:
            words = []
            while at < len(tokens) and tokens[at][0] < begin + len(run):
                words.append(_word(tokens[at][1], tokens[at][2]))
                at += 1
            splits.append(tuple(words))
            begin += len(run) + 1
        return splits


def _word(text: str, is_punctuation: bool) -> tuple[int, int, int, int]:
    kinds = HAS_LETTER if any(map(str.isalpha, text)) else 0
    if not set(text) - spacy_marks.SYMBOLS:
        kinds |= ONLY_SYMBOLS
    if text in spacy_marks.SENTENCE_ENDS:
        kinds |= ENDS_SENTENCE
    if is_punctuation:
        kinds |= IS_PUNCTUATION
    return len(text.encode("utf-8")), len(text), kinds if text.strip() else _BLANK, hash_string(text)


_BLANK = 128
"""Kind of a word of nothing but white space: information separators, which Unicode does not call so."""


def _without_blanks(words: SpacyWords) -> SpacyWords:
    kept = words.kinds != _BLANK
    if kept.all():
        return words
    before = np.zeros(len(kept) + 1, np.int64)
    np.cumsum(kept, out=before[1:])
    return SpacyWords(
        before[words.offsets],
        words.starts[kept],
        words.ends[kept],
        words.characters[kept],
        words.hashes[kept],
        words.kinds[kept],
    )


def count_sentences(words: SpacyWords, data: npt.NDArray[np.uint8]) -> Int64:
    """Sentences per text as spaCy's sentencizer ends them, int64[n]; a text without words has one.

    `data`: that of the texts. A sentence ends behind a mark that ends one, and the marks and punctuation that follow;
    white space other than one space is a word of its own there, and no punctuation.
    """
    if not len(words.starts):
        return np.ones(len(words.offsets) - 1, np.int64)
    ends = (words.kinds & ENDS_SENTENCE) != 0
    gaps = words.starts[1:] - words.ends[:-1]
    plain = ~ends & ((words.kinds & IS_PUNCTUATION) == 0)
    plain[1:] |= (gaps > 1) | ((gaps == 1) & (data[words.starts[1:] - 1] != ord(" ")))
    # A sentence begins at a plain word once a mark stood since the plain word before it.
    marks = np.zeros(len(ends) + 1, np.int64)
    np.cumsum(ends, out=marks[1:])
    places = np.flatnonzero(plain)
    documents = np.searchsorted(words.offsets, places, "right") - 1
    since = words.offsets[documents]
    since[1:] = np.maximum(since[1:], places[:-1])
    opened = marks[places] > marks[since]
    return np.asarray(1 + np.bincount(documents[opened], minlength=len(words.offsets) - 1), np.int64)


@cache
def splitter(step: str) -> Splitter:
    """The process's splitter."""
    return Splitter(step)
