"""FineWeb's own rules (Penedo et al. 2024, "The FineWeb Datasets", section 3.6; datatrove's FineWeb filter).

Lines are those that hold a word, trimmed; their characters are code points, with the spaces between words.
Words stand between white space. Lines are equal when their words are, and a duplicate is an occurrence after
the first.

`definitions` takes the measurements as datatrove does; see "Variants of rule sets" in the documentation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from corpusforge.filters import as_datatrove, spacy_marks
from corpusforge.filters.definitions import DefinedStep
from corpusforge.filters.nonblank_lines import NonblankLines
from corpusforge.kernels.repetition import find_repeats
from corpusforge.kernels.text_statistics import ends_with_any, patterns_of, sum_by_span
from corpusforge.kernels.words import count_characters
from corpusforge.step import RATIO, LiveRows, Measured, Rule, Signal, StepParameters, fixed_ratio
from corpusforge.texts import Texts

Int64 = npt.NDArray[np.int64]


class Parameters(StepParameters):
    """Thresholds (None: rule off) and, below them, what changes the measurements."""

    rules: str = "fineweb@plain"
    min_terminal_line_ratio: float | None = None
    max_short_line_ratio: float | None = None
    max_duplicate_line_character_ratio: float | None = None
    max_line_feed_ratio: float | None = None

    terminal_line_ratio_above: float | None = None
    """As `min_terminal_line_ratio`, but a document that equals the threshold goes too, as in the paper."""
    short_line_ratio_below: float | None = None
    """As `max_short_line_ratio`, but a document that equals the threshold goes too, as in the paper."""
    duplicate_line_character_ratio_below: float | None = None
    """As `max_duplicate_line_character_ratio`, but a document that equals it goes too, as in the paper."""

    definitions: Literal["plain", "datatrove"] = "plain"
    """Measurement: whose definitions of words and lines; datatrove's need spaCy."""
    terminal_marks: list[str] | Literal["all_scripts"] = Field([".", "!", "?", "'", '"'])
    """Measurement: what a line ends with to count as terminated; `all_scripts`: the 159 marks of datatrove 0.10."""
    short_line_characters: int = 30
    """Measurement: a line is short up to this length."""


class FineWeb(DefinedStep):
    """Measures terminated, short and duplicate lines, and line feeds per word."""

    name = "fineweb"
    summary = "FineWeb's rules: terminal punctuation, short lines, duplicate lines, lists"
    Parameters = Parameters
    signals: ClassVar[Sequence[Signal]] = (
        Signal("terminal_line_ratio", RATIO, description="share of lines that end with a terminal mark"),
        Signal("short_line_ratio", RATIO, description="share of short lines"),
        Signal("duplicate_line_character_ratio", RATIO, description="share of characters in duplicate lines"),
        Signal("line_feed_ratio", RATIO, description="line feeds per word"),
    )
    rules: ClassVar[Sequence[Rule]] = (
        Rule("min_terminal_line_ratio", "terminal_line_ratio", "below"),
        Rule("max_short_line_ratio", "short_line_ratio", "above"),
        Rule("max_duplicate_line_character_ratio", "duplicate_line_character_ratio", "above"),
        Rule("max_line_feed_ratio", "line_feed_ratio", "above"),
        Rule("terminal_line_ratio_above", "terminal_line_ratio", "at_most"),
        Rule("short_line_ratio_below", "short_line_ratio", "at_least"),
        Rule("duplicate_line_character_ratio_below", "duplicate_line_character_ratio", "at_least"),
    )

    defined: ClassVar[Mapping[str, Sequence[str]]] = {"datatrove": tuple(signal.name for signal in signals)}

    def measure(self, rows: LiveRows) -> Measured:
        """Measure the live rows."""
        marks = self.parameters.terminal_marks
        if marks == "all_scripts":
            marks = sorted(spacy_marks.TERMINAL)
        if self.parameters.definitions == "datatrove":
            short = self.parameters.short_line_characters
            return Measured(signals=self.named(as_datatrove.fineweb(rows.texts, self.name, marks, short)))
        return Measured(signals=self._plain(rows.texts, marks))

    def _plain(self, texts: Texts, marks: Sequence[str]) -> dict[str, Int64]:
        lines = NonblankLines.of(texts)
        counts = np.diff(lines.offsets)
        terminated = ends_with_any(texts.data, lines.starts, lines.ends, patterns_of(marks))
        lengths = count_characters(texts.data, lines.starts, lines.ends)
        short = lengths <= self.parameters.short_line_characters
        repeats = find_repeats(lines.hashes, lines.offsets, False)
        line_feeds = np.diff(texts.lines.document_offsets) - 1
        return {
            "terminal_line_ratio": fixed_ratio(sum_by_span(terminated, lines.offsets), counts),
            "short_line_ratio": fixed_ratio(sum_by_span(short, lines.offsets), counts),
            "duplicate_line_character_ratio": fixed_ratio(
                sum_by_span(lengths * repeats, lines.offsets), sum_by_span(lengths, lines.offsets)
            ),
            "line_feed_ratio": fixed_ratio(line_feeds, np.diff(texts.words.document_offsets)),
        }
