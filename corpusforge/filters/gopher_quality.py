"""Gopher's quality rules (Rae et al. 2021, "Scaling Language Models", appendix A.1.1, "Quality filtering").

What the paper leaves open, and what stands here:

- A word is what stands between white space. `words` and the word lengths leave out words made of punctuation
  and symbols only; the three ratios per word count all words.
- Lines are those that hold a word, trimmed.
- Stop words must stand as written (`fold_case` also takes "The" and "THE"). `stop_words` counts how many of
  the list occur at all, `stop_word_occurrences` how often.
- Mean and median word length are two signals, with rules of their own: peers differ in which they compare.

`definitions` takes the measurements as another project does; see "Variants of rule sets" in the documentation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from corpusforge.filters import as_datatrove, as_dolma
from corpusforge.filters.definitions import DefinedStep
from corpusforge.filters.nonblank_lines import NonblankLines, selected_offsets
from corpusforge.kernels.text_statistics import (
    count_hashes_and_ellipses,
    count_members,
    ends_with_any,
    patterns_of,
    starts_with_any,
    sum_by_span,
    twice_median,
)
from corpusforge.kernels.words import HAS_LETTER, ONLY_SYMBOLS, count_characters
from corpusforge.step import RATIO, LiveRows, Measured, Rule, Signal, StepParameters, fixed_ratio
from corpusforge.texts import Texts

Int64 = npt.NDArray[np.int64]


class Parameters(StepParameters):
    """Thresholds (None: rule off) and, below them, what changes the measurements."""

    rules: str = "gopher_quality@paper"
    min_words: int | None = None
    max_words: int | None = None
    min_mean_word_length: float | None = None
    max_mean_word_length: float | None = None
    min_median_word_length: float | None = None
    max_median_word_length: float | None = None
    max_hash_ratio: float | None = None
    max_ellipsis_ratio: float | None = None
    max_bullet_line_ratio: float | None = None
    max_ellipsis_line_ratio: float | None = None
    min_alphabetic_word_ratio: float | None = None
    min_stop_words: int | None = None
    min_stop_word_occurrences: int | None = None

    max_symbol_word_ratio: float | None = None

    definitions: Literal["plain", "datatrove", "dolma"] = "plain"
    """Measurement: whose definitions of words, lines and ratios; datatrove's need spaCy."""
    bullets: list[str] = Field(["•", "-", "*"])
    """Measurement: what a line begins with to count as a bullet point."""
    stop_words: list[str] = Field(["the", "be", "to", "of", "and", "that", "have", "with"])
    """Measurement: the list of stop words."""
    fold_case: bool = False
    """Measurement: stop words also count capitalized and in upper case. (Plain)"""


class GopherQuality(DefinedStep):
    """Measures word counts, word lengths, symbols, bullets, ellipses and stop words."""

    name = "gopher_quality"
    summary = "Gopher's quality rules: length, word length, symbols, bullets, ellipses, stop words"
    Parameters = Parameters
    signals: ClassVar[Sequence[Signal]] = (
        Signal("words", description="words that are not symbols only"),
        Signal("mean_word_length", RATIO, description="characters per word that is not symbols only"),
        Signal("median_word_length", RATIO, description="median of the same lengths"),
        Signal("hash_ratio", RATIO, description="number signs per word"),
        Signal("ellipsis_ratio", RATIO, description="ellipses per word"),
        Signal(
            "symbol_word_ratio", RATIO, description="share of words that hold a number sign or an ellipsis"
        ),
        Signal("bullet_line_ratio", RATIO, description="share of lines that begin with a bullet"),
        Signal("ellipsis_line_ratio", RATIO, description="share of lines that end with an ellipsis"),
        Signal("alphabetic_word_ratio", RATIO, description="share of words that hold a letter"),
        Signal("stop_words", description="different stop words"),
        Signal("stop_word_occurrences", description="occurrences of stop words"),
    )
    rules: ClassVar[Sequence[Rule]] = (
        Rule("min_words", "words", "below"),
        Rule("max_words", "words", "above"),
        Rule("min_mean_word_length", "mean_word_length", "below"),
        Rule("max_mean_word_length", "mean_word_length", "above"),
        Rule("min_median_word_length", "median_word_length", "below"),
        Rule("max_median_word_length", "median_word_length", "above"),
        Rule("max_hash_ratio", "hash_ratio", "above"),
        Rule("max_ellipsis_ratio", "ellipsis_ratio", "above"),
        Rule("max_symbol_word_ratio", "symbol_word_ratio", "above"),
        Rule("max_bullet_line_ratio", "bullet_line_ratio", "above"),
        Rule("max_ellipsis_line_ratio", "ellipsis_line_ratio", "above"),
        Rule("min_alphabetic_word_ratio", "alphabetic_word_ratio", "below"),
        Rule("min_stop_words", "stop_words", "below"),
        Rule("min_stop_word_occurrences", "stop_word_occurrences", "below"),
    )

    defined: ClassVar[Mapping[str, Sequence[str]]] = {
        "datatrove": (
            "words",
            "mean_word_length",
            "hash_ratio",
            "ellipsis_ratio",
            "bullet_line_ratio",
            "ellipsis_line_ratio",
            "alphabetic_word_ratio",
            "stop_words",
        ),
        "dolma": (
            "words",
            "median_word_length",
            "symbol_word_ratio",
            "bullet_line_ratio",
            "ellipsis_line_ratio",
            "alphabetic_word_ratio",
            "stop_word_occurrences",
        ),
    }
    elsewhere = ("symbol_word_ratio",)

    def measure(self, rows: LiveRows) -> Measured:
        """Measure the live rows."""
        texts, parameters = rows.texts, self.parameters
        if parameters.definitions == "datatrove":
            found = as_datatrove.gopher_quality(texts, self.name, parameters.bullets, parameters.stop_words)
        elif parameters.definitions == "dolma":
            found = as_dolma.gopher_quality(texts, parameters.bullets, parameters.stop_words)
        else:
            found = self._words(texts) | self._marks(texts) | self._lines(texts) | self._stop_words(texts)
        return Measured(signals=self.named(found))

    def _words(self, texts: Texts) -> dict[str, Int64]:
        words = texts.words
        proper = (words.kinds & ONLY_SYMBOLS) == 0
        lengths = count_characters(texts.data, words.starts, words.ends)[proper]
        offsets = selected_offsets(proper, words.document_offsets)
        counts = np.diff(offsets)
        alphabetic = sum_by_span((words.kinds & HAS_LETTER) != 0, words.document_offsets)
        return {
            "words": counts,
            "mean_word_length": fixed_ratio(sum_by_span(lengths, offsets), counts),
            "median_word_length": twice_median(lengths, offsets) * RATIO // 2,
            "alphabetic_word_ratio": fixed_ratio(alphabetic, np.diff(words.document_offsets)),
        }

    def _marks(self, texts: Texts) -> dict[str, Int64]:
        words = np.diff(texts.words.document_offsets)
        hash_signs, ellipses = count_hashes_and_ellipses(texts.data, texts.offsets)
        return {"hash_ratio": fixed_ratio(hash_signs, words), "ellipsis_ratio": fixed_ratio(ellipses, words)}

    def _lines(self, texts: Texts) -> dict[str, Int64]:
        lines = NonblankLines.of(texts)
        counts = np.diff(lines.offsets)
        spans = texts.data, lines.starts, lines.ends
        bullets = starts_with_any(*spans, patterns_of(self.parameters.bullets))
        ellipses = ends_with_any(*spans, patterns_of(["...", "…"]))
        return {
            "bullet_line_ratio": fixed_ratio(sum_by_span(bullets, lines.offsets), counts),
            "ellipsis_line_ratio": fixed_ratio(sum_by_span(ellipses, lines.offsets), counts),
        }

    def _stop_words(self, texts: Texts) -> dict[str, Int64]:
        spellings = [
            [word, word.capitalize(), word.upper()] if self.parameters.fold_case else [word]
            for word in self.parameters.stop_words
        ]
        distinct, occurrences = count_members(texts.words.hashes, texts.words.document_offsets, spellings)
        return {"stop_words": distinct, "stop_word_occurrences": occurrences}
