"""MADLAD-400's questionable sentences (Kudugunta et al. 2023, arXiv:2309.04662, section 2.3).

A document goes when a fifth of its sentences or more are questionable, or when it has fewer than five. Of the
paper's five reasons four are here; the first one, a sentence in another language than its document, is what the
signal `language.mixed` measures by lines. Definitions follow Ai2's code, which made Dolma 3 with rules two and five
(https://github.com/allenai/datamap-rs, ``Madlad400SentenceFilter``; read):

2. list case: more than half of the words begin with a capital, in a sentence of twelve words or more;
3. abnormal length: fewer than 20 or more than 500 characters;
4. technical characters: more than a fifth of the characters are digits or ``{}+/()>``;
5. cursed: the sentence holds a substring, or a match of a regular expression, of a list. The paper's list is not
   shipped: `cursed` names a file of yours.

A sentence is what stands between runs of ``.``, ``!``, ``?`` with white space behind them. Lengths are in
characters, where that code counts bytes; a word is a run of letters, digits and marks.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from corpusforge.errors import UsageError
from corpusforge.kernels.questionable_sentences import (
    CAPITALIZED,
    CHARACTERS,
    TECHNICAL,
    WORDS,
    split_sentences,
)
from corpusforge.kernels.text_statistics import sum_by_span
from corpusforge.local_copies import local_path
from corpusforge.model_store import sha256_of
from corpusforge.step import (
    RATIO,
    LiveRows,
    MapStep,
    Measured,
    Rule,
    RunContext,
    Signal,
    StepParameters,
    fixed_point,
    fixed_ratio,
)

Bool = npt.NDArray[np.bool_]
Int64 = npt.NDArray[np.int64]

LIST_CASE, LENGTH, TECHNICAL_CHARACTERS, CURSED = 2, 3, 4, 5
"""The paper's numbers of the rules."""

LONGEST_SEARCHED = 2000
"""Bytes of a sentence, from its start, that are searched for cursed strings."""

_REGULAR_EXPRESSION = "re:"


class Parameters(StepParameters):
    """Thresholds (None: rule off) and, below them, what changes the measurements."""

    rules: str = "madlad400@paper"
    min_sentences: int | None = None
    questionable_ratio_below: float | None = None
    """Drops documents with at least this share of questionable sentences."""

    sentence_rules: list[int] = Field([LIST_CASE, LENGTH, TECHNICAL_CHARACTERS, CURSED])
    """Measurement: which rules make a sentence questionable, by the paper's numbers: 2, 3, 4, 5."""
    min_list_words: int = 12
    """Measurement: sentences with fewer words are no list."""
    max_capitalized_ratio: float = 0.5
    """Measurement: a larger share of capitalized words makes a list."""
    min_characters: int = 20
    """Measurement: shorter sentences are questionable."""
    max_characters: int = 500
    """Measurement: longer sentences are questionable."""
    max_technical_ratio: float = 0.2
    """Measurement: a larger share of technical characters is questionable."""
    cursed: str | None = None
    """Measurement: a file of cursed substrings, one a line as it stands; behind `re:` a regular expression."""


class Madlad400(MapStep):
    """Measures the share of questionable sentences, and each reason's share."""

    name = "madlad400"
    summary = "MADLAD-400's questionable sentences: lists, odd lengths, technical characters, cursed strings"
    Parameters = Parameters
    signals: ClassVar[Sequence[Signal]] = (
        Signal("sentences", description="sentences that are not blank"),
        Signal("questionable_ratio", RATIO, description="share of sentences that a rule finds questionable"),
        Signal("list_case_ratio", RATIO, description="share of sentences in list case"),
        Signal(
            "abnormal_length_ratio", RATIO, description="share of sentences that are too short or too long"
        ),
        Signal("technical_ratio", RATIO, description="share of sentences of technical characters"),
        Signal("cursed_ratio", RATIO, description="share of sentences that hold a cursed string"),
    )
    rules: ClassVar[Sequence[Rule]] = (
        Rule("min_sentences", "sentences", "below"),
        Rule("questionable_ratio_below", "questionable_ratio", "at_least"),
    )

    def check(self) -> None:
        """Raise for an unknown rule, and for a list that is missing or holds no regular expression where it says so."""
        unknown = set(self.parameters.sentence_rules) - {LIST_CASE, LENGTH, TECHNICAL_CHARACTERS, CURSED}
        if unknown:
            raise UsageError(
                f"step {self.instance!r}: sentence_rules are 2, 3, 4 and 5, not {sorted(unknown)}"
            )
        self._patterns()

    def fingerprint(self) -> dict[str, str]:
        """Hash of the list."""
        if self.parameters.cursed is None:
            return {}
        self._patterns()
        return {"cursed": sha256_of(local_path(self.parameters.cursed))}

    def open(self, context: RunContext) -> None:
        """Read the list."""
        self.check()

    def measure(self, rows: LiveRows) -> Measured:
        """Measure the live rows."""
        parameters: Parameters = self.parameters
        data = rows.texts.data
        offsets, starts, ends, counts = split_sentences(data, rows.texts.offsets)
        characters, words = counts[:, CHARACTERS], counts[:, WORDS]
        most_capitals = fixed_point(parameters.max_capitalized_ratio, RATIO) or 0
        most_technical = fixed_point(parameters.max_technical_ratio, RATIO) or 0
        is_list = fixed_ratio(counts[:, CAPITALIZED], words) > most_capitals
        reasons: dict[int, Bool] = {
            LIST_CASE: is_list & (words >= parameters.min_list_words),
            LENGTH: (characters < parameters.min_characters) | (characters > parameters.max_characters),
            TECHNICAL_CHARACTERS: fixed_ratio(counts[:, TECHNICAL], characters) > most_technical,
            CURSED: self._cursed(data, starts, ends),
        }
        questionable = np.zeros(len(starts), np.bool_)
        for rule in parameters.sentence_rules:
            questionable |= reasons[rule]
        sentences = np.diff(offsets)

        def share(found: Bool) -> Int64:
            return fixed_ratio(sum_by_span(found, offsets), sentences)

        return Measured(
            signals={
                "sentences": sentences,
                "questionable_ratio": share(questionable),
                "list_case_ratio": share(reasons[LIST_CASE]),
                "abnormal_length_ratio": share(reasons[LENGTH]),
                "technical_ratio": share(reasons[TECHNICAL_CHARACTERS]),
                "cursed_ratio": share(reasons[CURSED]),
            }
        )

    def _cursed(self, data: npt.NDArray[np.uint8], starts: Int64, ends: Int64) -> Bool:
        pattern = self._patterns()
        if pattern is None:
            return np.zeros(len(starts), np.bool_)
        stops = np.minimum(ends, starts + LONGEST_SEARCHED)
        found = (
            pattern.search(data[start:stop].tobytes().decode("utf-8", "replace")) is not None
            for start, stop in zip(starts.tolist(), stops.tolist())
        )
        return np.fromiter(found, np.bool_, len(starts))

    def _patterns(self) -> re.Pattern[str] | None:
        if self.parameters.cursed is None:
            return None
        path = local_path(self.parameters.cursed)
        if not path.is_file():
            raise UsageError(
                f"step {self.instance!r}: there is no list of cursed strings {self.parameters.cursed!r}"
            )
        return _read(path, sha256_of(path))


@lru_cache(maxsize=4)
def _read(path: Path, sha256: str) -> re.Pattern[str] | None:
    """Make one regular expression of a list; None of an empty one. Raises `UsageError`."""
    parts = []
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8: {error}") from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        if not line.startswith(_REGULAR_EXPRESSION):
            parts.append(re.escape(line))
            continue
        try:
            parts.append(f"(?:{re.compile(line.removeprefix(_REGULAR_EXPRESSION)).pattern})")
        except re.error as error:
            raise UsageError(f"{path}, line {number}: {error}") from error
    return re.compile("|".join(parts)) if parts else None
