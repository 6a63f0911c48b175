"""English words as spaCy's rules split them, which is what datatrove counts.

spaCy (Honnibal et al., https://spacy.io) splits each run of characters between white space by itself, so its
tokenizer is asked once for each distinct run and the answers are kept; about words of letters alone, with a comma or
full stop behind them or not, it is asked only where they are special cases of its own (contractions, abbreviations).
Runs longer than `LONGEST` characters count as one word: the tokenizer takes affixes off one by one, which is quadratic.
Where spaCy sees an emoticon in marks with a space between ("= (") it may miss one that overlaps ("(=="); not so here.
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
from corpusforge.kernels import split_runs
from corpusforge.kernels.hash64 import hash_string
from corpusforge.kernels.split_runs import (
    BLANK,
    ENDS_SENTENCE,
    HAS_LETTER,
    IS_PUNCTUATION,
    ONLY_SYMBOLS,
    UNKNOWN,
)
from corpusforge.lean_imports import absent
from corpusforge.texts import Texts

__all__ = ["HAS_LETTER", "ONLY_SYMBOLS", "SpacyWords", "Splitter", "count_sentences", "splitter"]

Bytes = npt.NDArray[np.uint8]
Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
UInt64 = npt.NDArray[np.uint64]

LONGEST = 1000
KEPT = 200_000
"""Distinct runs whose split is remembered; then all are forgotten at once."""
ASKED = 5000
"""Runs that spaCy is shown at a time."""
MARKS = ",.;:?!"
"""Marks that spaCy takes off a lower-case letter as words of their own."""


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
    characters: Int32
    hashes: UInt64
    kinds: Bytes


@dataclass(frozen=True)
class _Splits:
    """Words of runs: run p has the words ``firsts[p]:firsts[p + 1]`` (int64[p + 1]).

    `begins` int32[w] counts bytes from where the run begins, `sizes` int32[w] are the words' bytes.
    """

    firsts: Int64
    begins: Int32
    sizes: Int32
    characters: Int32
    hashes: UInt64
    kinds: Bytes

    @classmethod
    def none(cls) -> _Splits:
        """No runs."""
        empty = np.zeros(0, np.int32)
        hashes, kinds = np.zeros(0, np.uint64), np.zeros(0, np.uint8)
        return cls(np.zeros(1, np.int64), empty, empty, empty, hashes, kinds)

    def and_also(self, others: Sequence[_Splits]) -> _Splits:
        """These runs, and the others behind them."""
        parts = [self, *others]
        sizes = np.concatenate([np.diff(part.firsts) for part in parts])
        return _Splits(
            np.append(0, np.cumsum(sizes)),
            np.concatenate([part.begins for part in parts]),
            np.concatenate([part.sizes for part in parts]),
            np.concatenate([part.characters for part in parts]),
            np.concatenate([part.hashes for part in parts]),
            np.concatenate([part.kinds for part in parts]),
        )


class Splitter:
    """spaCy's English tokenizer with a memory. Raises `MissingExtraError` where spaCy is not installed."""

    def __init__(self, step: str) -> None:
        try:
            self._tokenizer = _english_tokenizer()
        except ImportError as error:
            raise MissingExtraError(step, "pii") from error
        special = sorted({hash_string(text) for text in self._tokenizer.rules})
        self._special = split_runs.hash_set(np.array(special, np.uint64))
        self._classes = split_runs.character_classes(spacy_marks.SYMBOLS, spacy_marks.SENTENCE_ENDS)
        self._is_mark = np.zeros(128, np.uint8)
        self._is_mark[[ord(mark) for mark in MARKS]] = 1
        ascii_data, each = np.arange(128, dtype=np.uint8), np.arange(128)
        self._mark_kinds = split_runs.describe_words(ascii_data, each, each + 1, self._classes)[2]
        self._forget(0)

    def __len__(self) -> int:
        """Runs whose split is remembered."""
        return len(self._known.firsts) - 1

    def _forget(self, expected: int) -> None:
        """Begin anew, with room for `KEPT` runs and for those that are expected."""
        self._known = _Splits.none()
        room = 1 << int(2 * max(KEPT, expected)).bit_length()
        self._keys, self._places = np.zeros(room, np.uint64), np.zeros(room, np.int64)

    def split(self, texts: Texts) -> SpacyWords:
        """Split all texts."""
        runs = texts.words
        places = self._find(texts)
        unknown = np.flatnonzero(places == UNKNOWN)
        if len(unknown):
            distinct = np.unique(runs.hashes[unknown])
            if len(self) + len(distinct) > KEPT:
                self._forget(len(runs.starts))
                places = self._find(texts)
                unknown = np.flatnonzero(places == UNKNOWN)
            self._learn(texts, unknown)
            places = self._find(texts)
        known = self._known
        offsets, *words = split_runs.write_words(
            texts.data,
            runs.starts,
            runs.ends,
            runs.hashes,
            places,
            self._mark_kinds,
            known.firsts,
            known.begins,
            known.sizes,
            known.characters,
            known.hashes,
            known.kinds,
        )
        return SpacyWords(offsets[runs.document_offsets], *words)

    def _find(self, texts: Texts) -> Int64:
        """Place of each run's split."""
        runs = texts.words
        found = split_runs.find_splits(
            texts.data,
            runs.starts,
            runs.ends,
            runs.hashes,
            self._classes,
            self._is_mark,
            self._special,
            self._keys,
            self._places,
        )
        return np.asarray(found)

    def _learn(self, texts: Texts, unknown: Int64) -> None:
        """Have spaCy split runs of the texts, each distinct one once, and remember how."""
        runs = texts.words
        hashes, chosen = np.unique(runs.hashes[unknown], return_index=True)
        chosen = unknown[chosen]
        spans = zip(runs.starts[chosen].tolist(), runs.ends[chosen].tolist())
        strings = [texts.data[start:end].tobytes().decode("utf-8", "replace") for start, end in spans]
        learned = [self._ask(strings[begin : begin + ASKED]) for begin in range(0, len(strings), ASKED)]
        split_runs.remember(self._keys, self._places, hashes, np.arange(len(hashes)) + len(self))
        self._known = self._known.and_also(learned)

    def _ask(self, runs: Sequence[str]) -> _Splits:
        """Let spaCy split runs, all together; halves of them where it stumbles over one."""
        asked = [run for run in runs if len(run) <= LONGEST]
        if len(runs) == 1 and not asked:
            return self._described(runs[0], np.zeros(1, np.int64), np.array([len(runs[0])]), runs)
        if len(asked) == len(runs):
            # Of single spaces spaCy makes no words, so that it would see its emoticons across them: ": )".
            text = "\n".join(runs)
            # spaCy 3.8 forgets at the end of a zone what it learnt of words in it.
            vocabulary = self._tokenizer.vocab
            with vocabulary.memory_zone() if hasattr(vocabulary, "memory_zone") else nullcontext():
                try:
                    tokens = self._tokenizer(text).to_array(["IDX", "LENGTH"]).astype(np.int64)
                    return self._described(text, tokens[:, 0], tokens.sum(axis=1), runs)
                except Exception:
                    # It raises on words that are names of its own symbols ("IS_ALPHA"): such a run is one word.
                    if len(runs) == 1:
                        return self._described(text, np.zeros(1, np.int64), np.array([len(text)]), runs)
        middle = len(runs) // 2
        return self._ask(runs[:middle]).and_also([self._ask(runs[middle:])])

    def _described(self, text: str, starts: Int64, ends: Int64, runs: Sequence[str]) -> _Splits:
        """Splits of runs out of the words of a text, int64[w] in characters, that holds them on a line each."""
        data = np.frombuffer(text.encode("utf-8"), np.uint8)
        at_byte = np.append(np.flatnonzero((data & 0xC0) != 0x80), len(data))
        begins = np.cumsum([0, *(len(run) + 1 for run in runs)])
        of_run = np.searchsorted(begins, starts, "right") - 1
        described = split_runs.describe_words(data, at_byte[starts], at_byte[ends], self._classes)
        # Line feeds, and information separators, which part no runs and are white space to spaCy.
        kept = described[2] != BLANK
        firsts = np.append(0, np.cumsum(np.bincount(of_run[kept], minlength=len(runs))))
        starts, ends, of_run = starts[kept], ends[kept], of_run[kept]
        return _Splits(
            firsts,
            (at_byte[starts] - at_byte[begins[of_run]]).astype(np.int32),
            (at_byte[ends] - at_byte[starts]).astype(np.int32),
            described[0][kept],
            described[1][kept],
            described[2][kept],
        )


def _english_tokenizer() -> Any:
    """The tokenizer of `spacy.blank("en")`, without the rest of the pipeline, which takes longer to make.

    Its vocabulary has no attributes: shape, norm and the like would be worked out for every new word.
    """
    with absent("torch", "transformers"):
        from spacy import util
        from spacy.lang.en import English
        from spacy.tokenizer import Tokenizer  # type: ignore[import-not-found] # compiled
        from spacy.vocab import Vocab
    rules: Any = English.Defaults
    return Tokenizer(
        Vocab(),
        rules=rules.tokenizer_exceptions,
        prefix_search=util.compile_prefix_regex(rules.prefixes).search,
        suffix_search=util.compile_suffix_regex(rules.suffixes).search,
        infix_finditer=util.compile_infix_regex(rules.infixes).finditer,
        token_match=rules.token_match,
        url_match=rules.url_match,
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
