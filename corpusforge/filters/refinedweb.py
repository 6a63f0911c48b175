"""RefinedWeb's line-wise corrections (Penedo et al. 2023, "The RefinedWeb Dataset for Falcon LLM", appendix G.2).

What is left of a page's navigation, counters and buttons behind extraction goes line by line; a document that would
lose too many of its words that way goes as a whole. Rules and numbers are those of DCLM's reproduction
(https://github.com/mlfoundations/dclm, `refinedweb.yaml`); the names of counters are from memory of it.

Lines are those that hold a word, trimmed, in this order of rules: mostly capitals, nothing but digits, a counter ("3
likes"), too few words. In short lines that stay, "Sign-in" at the beginning, "Read more..." at the end and "items in
cart" go. Blank lines stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from corpusforge.edits import Edits
from corpusforge.filters.nonblank_lines import NonblankLines
from corpusforge.kernels.text_statistics import sum_by_span
from corpusforge.kernels.unicode_table import DIGIT, UPPER
from corpusforge.kernels.words import count_characters, count_classes
from corpusforge.step import (
    RATIO,
    LiveRows,
    MapStep,
    Measured,
    Rule,
    Signal,
    StepParameters,
    fixed_point,
    fixed_ratio,
)
from corpusforge.texts import Texts

Bool = npt.NDArray[np.bool_]
Int64 = npt.NDArray[np.int64]

EDIT_RULES = ("kept", "capitals", "digits", "counter", "few_words", "button")
"""Names of edits; the first stands for lines that stay."""
_CAPITALS, _DIGITS, _COUNTER, _FEW_WORDS, _BUTTON = range(1, 6)

_COUNTED = (
    "likes?|shares?|comments?|retweets?|reposts?|quotes?|bookmarks?|upvotes?|downvotes?|downloads?|views?"
    "|followers?"
)
_COUNTER_LINE = re.compile(rf"\W*\d[\d.,]*\s*[kmb]?\s+(?:{_COUNTED})\W*", re.IGNORECASE)
_BUTTONS = re.compile(r"^sign-in\b|\bread more\s*(?:\.\.\.|…)$|\bitems in cart\b", re.IGNORECASE)
_LONGEST_COUNTER = 60
"""Bytes of a counter's line at most: longer ones are not looked at."""


class Parameters(StepParameters):
    """Thresholds (None or False: rule off) and, below them, what changes the measurements."""

    rules: str = "refinedweb@dclm"
    max_removed_word_ratio: float | None = None
    """Drops documents that lose a larger share of their words."""

    max_uppercase_ratio: float | None = None
    """Measurement: lines with a larger share of capitals go."""
    drop_digit_lines: bool = False
    """Measurement: lines of nothing but digits go."""
    drop_counter_lines: bool = False
    """Measurement: lines such as "3 likes" go."""
    min_words_per_line: int | None = None
    """Measurement: lines with fewer words go."""
    max_button_words: int | None = None
    """Measurement: buttons go from lines of at most so many words."""


class RefinedWeb(MapStep):
    """Removes lines and buttons, and measures the share of words that went with them."""

    name = "refinedweb"
    summary = "RefinedWeb's line-wise corrections: capitals, numbers, counters, buttons"
    Parameters = Parameters
    edits = True
    signals: ClassVar[Sequence[Signal]] = (
        Signal("removed_word_ratio", RATIO, description="share of words in removed lines and buttons"),
        Signal("removed_lines", description="lines that go"),
        Signal("removed_buttons", description="buttons that go from lines that stay"),
    )
    rules: ClassVar[Sequence[Rule]] = (Rule("max_removed_word_ratio", "removed_word_ratio", "above"),)

    def measure(self, rows: LiveRows) -> Measured:
        """Decide every line, and return the removals as edits."""
        texts = rows.texts
        lines = NonblankLines.of(texts)
        words = np.diff(lines.words)
        fates = self._fates(texts, lines, words)
        gone = fates > 0
        buttons = list(self._buttons(texts, lines, words, gone))
        documents = np.repeat(np.arange(len(texts)), np.diff(lines.offsets))
        removed = sum_by_span(words * gone, lines.offsets)
        found = np.zeros(len(texts), np.int64)
        for line, start, end in buttons:
            found[documents[line]] += 1
            removed[documents[line]] += len(texts.data[start:end].tobytes().split())
        return Measured(
            signals={
                "removed_word_ratio": fixed_ratio(removed, np.diff(texts.words.document_offsets)),
                "removed_lines": sum_by_span(gone, lines.offsets),
                "removed_buttons": found,
            },
            edits=_edits(texts, lines, fates, documents, buttons),
        )

    def _fates(self, texts: Texts, lines: NonblankLines, words: Int64) -> npt.NDArray[np.uint8]:
        """Index in `EDIT_RULES` of each line, uint8[m]."""
        parameters: Parameters = self.parameters
        fates = np.zeros(len(words), np.uint8)

        def drop(condition: Bool, fate: int) -> None:
            fates[condition & (fates == 0)] = fate

        spans = texts.data, lines.starts, lines.ends
        characters = count_characters(*spans).astype(np.int64)
        most_capitals = fixed_point(parameters.max_uppercase_ratio, RATIO)
        if most_capitals is not None:
            capitals = count_classes(*spans, UPPER).astype(np.int64)
            drop(fixed_ratio(capitals, characters) > most_capitals, _CAPITALS)
        if parameters.drop_digit_lines:
            drop(count_classes(*spans, DIGIT) == characters, _DIGITS)
        if parameters.drop_counter_lines:
            near = np.flatnonzero(
                (lines.ends - lines.starts <= _LONGEST_COUNTER) & (words <= 4) & (fates == 0)
            )
            counters = [
                index for index in near.tolist() if _COUNTER_LINE.fullmatch(_line(texts, lines, index))
            ]
            drop(np.isin(np.arange(len(words)), counters), _COUNTER)
        if parameters.min_words_per_line is not None:
            drop(words < parameters.min_words_per_line, _FEW_WORDS)
        return fates

    def _buttons(
        self, texts: Texts, lines: NonblankLines, words: Int64, gone: Bool
    ) -> Iterator[tuple[int, int, int]]:
        """Buttons in short lines that stay: line, start and end in the texts' data."""
        limit = self.parameters.max_button_words
        if limit is None:
            return
        for index in np.flatnonzero((words <= limit) & ~gone).tolist():
            line = _line(texts, lines, index)
            for match in _BUTTONS.finditer(line):
                before, behind = line[: match.start()], line[match.end() :]
                # White space between a button and the rest of the line goes with it.
                before, behind = (before.rstrip(), behind) if before else (before, behind.lstrip())
                start = int(lines.starts[index]) + len(before.encode("utf-8"))
                yield index, start, int(lines.ends[index]) - len(behind.encode("utf-8"))


def _line(texts: Texts, lines: NonblankLines, index: int) -> str:
    return texts.data[lines.starts[index] : lines.ends[index]].tobytes().decode("utf-8", "replace")


def _edits(
    texts: Texts,
    lines: NonblankLines,
    fates: npt.NDArray[np.uint8],
    documents: Int64,
    buttons: Sequence[tuple[int, int, int]],
) -> Edits:
    """Lines that go, each with the line feed before it, or behind it where no line before it stays; and buttons."""
    view = texts.lines
    owners = np.repeat(np.arange(len(texts)), np.diff(view.document_offsets))
    whole = np.searchsorted(
        view.ends, lines.ends, "left"
    )  # the line of the text that each line with a word is
    stays = np.ones(len(view.starts), np.bool_)
    stays[whole[fates > 0]] = False
    before: Int64 = np.cumsum(stays) - stays
    follows: Bool = before > before[view.document_offsets[:-1]][owners]
    last = np.zeros(len(stays), np.bool_)
    last[view.document_offsets[1:] - 1] = True
    gone = whole[fates > 0]
    starts = view.starts[gone] - follows[gone]
    ends = view.ends[gone] + (~follows & ~last)[gone]
    rules = [EDIT_RULES[fate] for fate in fates[fates > 0].tolist()]
    spans = list(zip(owners[gone].tolist(), starts.tolist(), ends.tolist(), rules))
    spans += [(int(documents[line]), start, end, EDIT_RULES[_BUTTON]) for line, start, end in buttons]
    begins = texts.offsets.tolist()
    return Edits.from_spans(
        [
            (row, start - begins[row], end - begins[row], "", rule)
            for row, start, end, rule in spans
            if end > start
        ]
    )
