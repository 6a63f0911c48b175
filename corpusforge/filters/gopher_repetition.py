"""Gopher's repetition rules (Rae et al. 2021, "Scaling Language Models", appendix A.1.1 and table A1).

What the paper leaves open, and what stands here:

- Characters are code points that are not white space, above and below the fraction bar.
- Words stand between white space; lines are those that hold a word; a paragraph is a run of lines without a
  blank one. Lines and paragraphs are equal when their words are.
- A duplicate is an occurrence after the first; `count_first_occurrences` counts the first ones too, where
  peers differ.
- Top n-grams (2 to 4) are counted without overlap and only when they occur twice; duplicate n-grams (5 to 10)
  count the words they cover, each once.

`definitions` takes the measurements as another project does; see "Variants of rule sets" in the documentation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt

from corpusforge.filters import as_datatrove, as_dolma
from corpusforge.filters.definitions import DefinedStep
from corpusforge.filters.nonblank_lines import NonblankLines, selected_offsets
from corpusforge.kernels.repetition import (
    DUPLICATE_SIZES,
    TOP_SIZES,
    find_repeats,
    hash_sequences,
    repeated_n_gram_characters,
)
from corpusforge.kernels.text_statistics import sum_by_span
from corpusforge.kernels.words import count_characters
from corpusforge.step import RATIO, LiveRows, Measured, Rule, Signal, StepParameters, fixed_ratio
from corpusforge.texts import Texts

Int64 = npt.NDArray[np.int64]
UInt64 = npt.NDArray[np.uint64]

_N_GRAMS = [f"top_{n}_gram_character_ratio" for n in TOP_SIZES]
_N_GRAMS += [f"duplicate_{n}_gram_character_ratio" for n in DUPLICATE_SIZES]


class Parameters(StepParameters):
    """Thresholds (None: rule off) and, below them, what changes the measurements."""

    rules: str = "gopher_repetition@paper"
    max_duplicate_line_ratio: float | None = None
    max_duplicate_paragraph_ratio: float | None = None
    max_duplicate_line_character_ratio: float | None = None
    max_duplicate_paragraph_character_ratio: float | None = None
    max_top_2_gram_character_ratio: float | None = None
    max_top_3_gram_character_ratio: float | None = None
    max_top_4_gram_character_ratio: float | None = None
    max_duplicate_5_gram_character_ratio: float | None = None
    max_duplicate_6_gram_character_ratio: float | None = None
    max_duplicate_7_gram_character_ratio: float | None = None
    max_duplicate_8_gram_character_ratio: float | None = None
    max_duplicate_9_gram_character_ratio: float | None = None
    max_duplicate_10_gram_character_ratio: float | None = None

    definitions: Literal["plain", "datatrove", "dolma"] = "plain"
    """Measurement: whose definitions of words, lines and duplicates; datatrove's need spaCy."""
    count_first_occurrences: bool = False
    """Measurement: count every copy of what occurs twice, not only the later ones. (Plain)"""


class GopherRepetition(DefinedStep):
    """Measures repeated lines, paragraphs and n-grams."""

    name = "gopher_repetition"
    summary = "Gopher's repetition rules: duplicate lines, paragraphs and n-grams"
    Parameters = Parameters
    signals: ClassVar[Sequence[Signal]] = (
        Signal("duplicate_line_ratio", RATIO, description="share of lines that are duplicates"),
        Signal("duplicate_paragraph_ratio", RATIO, description="share of paragraphs that are duplicates"),
        Signal("duplicate_line_character_ratio", RATIO, description="share of characters in duplicate lines"),
        Signal(
            "duplicate_paragraph_character_ratio",
            RATIO,
            description="share of characters in duplicate paragraphs",
        ),
        *(Signal(name, RATIO, description="share of characters in such n-grams") for name in _N_GRAMS),
    )
    rules: ClassVar[Sequence[Rule]] = (
        Rule("max_duplicate_line_ratio", "duplicate_line_ratio", "above"),
        Rule("max_duplicate_paragraph_ratio", "duplicate_paragraph_ratio", "above"),
        Rule("max_duplicate_line_character_ratio", "duplicate_line_character_ratio", "above"),
        Rule("max_duplicate_paragraph_character_ratio", "duplicate_paragraph_character_ratio", "above"),
        *(Rule(f"max_{name}", name, "above") for name in _N_GRAMS),
    )

    defined: ClassVar[Mapping[str, Sequence[str]]] = {
        "datatrove": tuple(signal.name for signal in signals),
        "dolma": tuple(signal.name for signal in signals if "paragraph" not in signal.name),
    }

    def measure(self, rows: LiveRows) -> Measured:
        """Measure the live rows."""
        definitions = self.parameters.definitions
        if definitions == "plain":
            return Measured(signals=self._plain(rows.texts))
        names = self.defined[definitions]
        if definitions == "datatrove":
            found = as_datatrove.gopher_repetition(rows.texts, self.name)
        else:
            found = as_dolma.gopher_repetition(rows.texts)
        return Measured(signals=self.named(dict(zip(names, found, strict=True))))

    def _plain(self, texts: Texts) -> dict[str, Int64]:
        words = texts.words
        lines = NonblankLines.of(texts)
        lengths = count_characters(texts.data, words.starts, words.ends)
        characters = sum_by_span(lengths, words.document_offsets)
        paragraph_lines = np.append(np.flatnonzero(lines.opens), len(lines.opens))
        signals = self._duplicates(
            "line", lines.hashes, sum_by_span(lengths, lines.words), lines.offsets, characters
        )
        signals |= self._duplicates(
            "paragraph",
            hash_sequences(lines.hashes, paragraph_lines),
            sum_by_span(lengths, lines.words[paragraph_lines]),
            selected_offsets(lines.opens, lines.offsets),
            characters,
        )
        covered = repeated_n_gram_characters(
            words.hashes, lengths, words.document_offsets, self.parameters.count_first_occurrences
        )
        for column, name in enumerate(_N_GRAMS):
            signals[name] = fixed_ratio(covered[:, column], characters)
        return signals

    def _duplicates(
        self, kind: str, hashes: UInt64, lengths: Int64, offsets: Int64, characters: Int64
    ) -> dict[str, Int64]:
        repeats = find_repeats(hashes, offsets, self.parameters.count_first_occurrences)
        return {
            f"duplicate_{kind}_ratio": fixed_ratio(sum_by_span(repeats, offsets), np.diff(offsets)),
            f"duplicate_{kind}_character_ratio": fixed_ratio(
                sum_by_span(lengths * repeats, offsets), characters
            ),
        }
