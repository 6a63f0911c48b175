"""C4's cleaning (Raffel et al. 2020, section 2.2; `c4_utils.py` of TensorFlow Datasets).

Lines are trimmed, lose their citation marks, and go when one of the line rules says so, in the reference's
order: a word too long, no terminal punctuation, too few words, "javascript", a policy phrase. What remains is
joined by line feeds. The page rules count lorem ipsum, curly brackets and bad words in the lines that the
reference would still look at there (`page_rules_read: lines`), or in the whole page, as the paper words it
(`page`).

Sentences are those of `corpusforge.kernels.sentences` (the reference asks NLTK). Only ASCII case is folded.

`definitions: datatrove` counts the words of a line with its citation marks, and sentences as spaCy's sentencizer
ends them; see "Variants of rule sets" in the documentation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field

from corpusforge.edits import Edits
from corpusforge.filters import bad_words, spacy_words
from corpusforge.filters.definitions import DefinedStep
from corpusforge.kernels.citations import find_citations
from corpusforge.kernels.edits import apply_edits
from corpusforge.kernels.phrases import Phrases, count_phrases
from corpusforge.kernels.sentences import count_sentences
from corpusforge.kernels.text_statistics import ends_with_any, line_words, patterns_of, sum_by_span
from corpusforge.kernels.words import count_characters, split_words
from corpusforge.step import LiveRows, Measured, Rule, Signal, StepParameters
from corpusforge.texts import Texts

Bool = npt.NDArray[np.bool_]
Int64 = npt.NDArray[np.int64]

POLICY_PHRASES = (
    "terms of use",
    "privacy policy",
    "cookie policy",
    "uses cookies",
    "use of cookies",
    "use cookies",
)
_PHRASES = Phrases.of(["lorem ipsum"], ["javascript"], ["{"], POLICY_PHRASES)
_ELLIPSIS = patterns_of(["..."])

EDIT_RULES = (
    "kept",
    "trim",
    "citation",
    "max_word_characters",
    "terminal_punctuation",
    "min_words_per_line",
    "javascript",
    "policy",
)
"""Names of edits; the first stands for lines that stay."""
_TRIM, _CITATION, _LONG_WORD, _TERMINAL, _FEW_WORDS, _SCRIPT, _PHRASE = range(1, 8)


class Parameters(StepParameters):
    """Rules for lines and pages (None or False: rule off) and, below them, what changes the measurements."""

    rules: str = "c4@tfds"
    max_word_characters: int | None = None
    """Drops lines with a longer word."""
    require_terminal_punctuation: bool = False
    """Drops lines that do not end with a terminal mark, or that end with "..."."""
    min_words_per_line: int | None = None
    drop_javascript_lines: bool = False
    drop_policy_lines: bool = False
    remove_citations: bool = False
    min_sentences: int | None = None
    """Drops pages with fewer sentences in the lines that stay."""
    max_characters: int | None = None
    """Drops longer pages, before cleaning."""
    max_lorem_ipsum: int | None = None
    max_curly_brackets: int | None = None
    max_bad_words: int | None = None

    definitions: Literal["plain", "datatrove"] = "plain"
    """Measurement: whose words of a line and sentences; datatrove's need spaCy."""
    terminal_marks: list[str] = Field([".", "?", "!", '"'])
    """Measurement: what a line may end with."""
    page_rules_read: Literal["lines", "page"] = "lines"
    """Measurement: where lorem ipsum, curly brackets and bad words are looked for."""
    bad_words: str | None = None
    """Measurement: a file of phrases, or a folder with a file per language code (LDNOOBW's layout)."""


@dataclass
class _Lines:
    """The l lines of a batch on their way through the rules."""

    data: npt.NDArray[np.uint8]
    starts: Int64
    ends: Int64
    """Line i after trimming and without citation marks is ``data[starts[i]:ends[i]]``."""
    word_counts: Int64
    """Its words."""
    removed: tuple[Int64, Int64, Int64, Int64]
    """What trimming and citation marks take away: line, start, end (in the texts' data), rule."""
    fates: npt.NDArray[np.uint8] = field(init=False)
    """Index in `EDIT_RULES`."""

    def __post_init__(self) -> None:
        self.fates = np.zeros(len(self.starts), np.uint8)

    @property
    def kept(self) -> Bool:
        return np.asarray(self.fates == 0)

    def drop(self, condition: Bool, fate: int) -> None:
        """Give the lines that are still kept and meet the condition their fate."""
        self.fates[condition & self.kept] = fate


class C4(DefinedStep):
    """Removes lines by C4's rules and measures what its page rules compare."""

    name = "c4"
    summary = "C4's cleaning: line rules, citations, lorem ipsum, curly brackets, sentences, bad words"
    Parameters = Parameters
    edits = True
    signals: ClassVar[Sequence[Signal]] = (
        Signal("characters", description="characters before cleaning"),
        Signal("sentences", description="sentences in the lines that stay"),
        Signal("lorem_ipsum", description='occurrences of "lorem ipsum"'),
        Signal("curly_brackets", description="opening curly brackets"),
        Signal("bad_words", description="phrases of the list of bad words; null without a list"),
        Signal("kept_lines", description="lines that stay"),
        Signal("removed_lines", description="lines that go"),
    )
    rules: ClassVar[Sequence[Rule]] = (
        Rule("max_characters", "characters", "above"),
        Rule("max_lorem_ipsum", "lorem_ipsum", "above"),
        Rule("max_curly_brackets", "curly_brackets", "above"),
        Rule("max_bad_words", "bad_words", "above"),
        Rule("min_sentences", "sentences", "below"),
    )

    defined: ClassVar[Mapping[str, Sequence[str]]] = {
        "datatrove": tuple(signal.name for signal in signals),
    }

    def fingerprint(self) -> dict[str, str]:
        """Hashes of the lists of bad words."""
        return {} if self.parameters.bad_words is None else bad_words.fingerprints(self.parameters.bad_words)

    def check(self) -> None:
        """Raise `UsageError` when the lists of bad words or spaCy are missing."""
        super().check()
        if self.parameters.bad_words is not None:
            bad_words.load(self.parameters.bad_words)

    @cached_property
    def _lists(self) -> Mapping[str, Phrases]:
        return bad_words.load(self.parameters.bad_words)

    def measure(self, rows: LiveRows) -> Measured:
        """Decide every line, count for the page rules, and return the removals as edits."""
        texts = rows.texts
        offsets = texts.lines.document_offsets
        lines = self._clean(texts)
        self._drop_by_form(texts, lines)
        lorem_ipsum, curly_brackets = self._drop_by_phrases(lines)
        kept = lines.kept
        sentences = np.zeros(len(kept), np.int64)
        sentences[kept] = self._sentences(lines.data, lines.starts[kept], lines.ends[kept])
        characters = count_characters(texts.data, texts.offsets[:-1], texts.offsets[1:])
        return Measured(
            signals=self.named(
                {
                    "characters": characters.astype(np.int64),
                    "sentences": sum_by_span(sentences, offsets),
                    "lorem_ipsum": sum_by_span(lorem_ipsum, offsets),
                    "curly_brackets": sum_by_span(curly_brackets, offsets),
                    "bad_words": self._bad_words(rows, lines),
                    "kept_lines": sum_by_span(kept, offsets),
                    "removed_lines": sum_by_span(~kept, offsets),
                }
            ),
            edits=_edits(texts, lines),
        )

    def _sentences(self, data: npt.NDArray[np.uint8], starts: Int64, ends: Int64) -> Int64:
        """Sentences of lines, int64[m]."""
        if self.parameters.definitions == "plain":
            return count_sentences(data, starts, ends).astype(np.int64)
        nothing = np.zeros(0, np.uint8)
        copied = np.concatenate([nothing, *(data[start:end] for start, end in zip(starts, ends))])
        offsets = np.zeros(len(starts) + 1, np.int64)
        np.cumsum(ends - starts, out=offsets[1:])
        words = spacy_words.splitter(self.name).split(Texts(copied, offsets))
        return spacy_words.count_sentences(words, copied)

    def _clean(self, texts: Texts) -> _Lines:
        """Trim lines and take out citation marks."""
        view, words = texts.lines, texts.words
        first = line_words(view.ends, words.starts)
        filled = first[1:] > first[:-1]
        starts, ends = view.starts.copy(), view.starts.copy()  # a blank line is trimmed to nothing
        starts[filled] = words.starts[first[:-1][filled]]
        ends[filled] = words.ends[first[1:][filled] - 1]
        every = np.arange(len(starts))
        removed = [(every, view.starts, starts, _TRIM), (every, ends, view.ends, _TRIM)]
        lines = _Lines(texts.data, starts, ends, np.diff(first), _sorted_spans(removed))
        if self.parameters.remove_citations:
            citations = find_citations(texts.data, starts, ends)
            if len(citations[0]):
                lines.removed = _sorted_spans([*removed, (*citations, _CITATION)])
                _cut(lines, *citations, recount=self.parameters.definitions == "plain")
        return lines

    def _drop_by_form(self, texts: Texts, lines: _Lines) -> None:
        """Apply the rules on word length, line end and number of words."""
        limit = self.parameters.max_word_characters
        if limit is not None:
            words = texts.words
            long = np.flatnonzero(words.ends - words.starts > limit)  # in bytes: few words to look at
            long = long[count_characters(texts.data, words.starts[long], words.ends[long]) > limit]
            holders = np.searchsorted(texts.lines.ends, words.starts[long], "right")
            lines.drop(np.isin(np.arange(len(lines.starts)), holders), _LONG_WORD)
        if self.parameters.require_terminal_punctuation:
            spans = lines.data, lines.starts, lines.ends
            terminated = ends_with_any(*spans, patterns_of(self.parameters.terminal_marks))
            lines.drop(~terminated | ends_with_any(*spans, _ELLIPSIS), _TERMINAL)
        if self.parameters.min_words_per_line is not None:
            lines.drop(lines.word_counts < self.parameters.min_words_per_line, _FEW_WORDS)

    def _drop_by_phrases(self, lines: _Lines) -> tuple[Int64, Int64]:
        """Apply the rules on phrases; count lorem ipsum and curly brackets per line."""
        where = self._page(lines)
        counts = np.zeros((len(where), _PHRASES.group_count), np.int64)
        counts[where] = count_phrases(lines.data, lines.starts[where], lines.ends[where], _PHRASES)
        lorem_ipsum, javascript, curly_brackets, policy = counts.T
        if self.parameters.drop_javascript_lines:
            lines.drop(javascript > 0, _SCRIPT)
        curly_brackets = curly_brackets * self._page(lines)
        if self.parameters.drop_policy_lines:
            lines.drop(policy > 0, _PHRASE)
        return lorem_ipsum, curly_brackets

    def _page(self, lines: _Lines) -> Bool:
        """The lines that the page rules look at."""
        return np.ones_like(lines.kept) if self.parameters.page_rules_read == "page" else lines.kept

    def _bad_words(self, rows: LiveRows, lines: _Lines) -> pa.Array:
        """Count bad words per document; null where there is no list for it."""
        if self.parameters.bad_words is None:
            return pa.nulls(len(rows), pa.int64())
        lists = self._lists
        offsets = rows.texts.lines.document_offsets
        numbers = bad_words.list_numbers(lists, rows.column("lang").to_pylist())
        where = self._page(lines)
        counts = np.zeros(len(where), np.int64)
        counts[where] = bad_words.count_bad_words(
            lists, numbers[_documents(offsets)[where]], lines.data, lines.starts[where], lines.ends[where]
        )
        return pa.array(sum_by_span(counts, offsets), mask=numbers < 0)


def _cut(lines: _Lines, holders: Int64, starts: Int64, ends: Int64, recount: bool) -> None:
    """Give the lines that hold citation marks a copy without them, behind the texts' own data."""
    chosen = np.unique(holders)
    offsets = np.zeros(len(chosen) + 1, np.int64)
    np.cumsum(lines.ends[chosen] - lines.starts[chosen], out=offsets[1:])
    copied = np.concatenate(
        [lines.data[start:end] for start, end in zip(lines.starts[chosen], lines.ends[chosen])]
    )
    rows = np.searchsorted(chosen, holders)
    begin = lines.starts[holders]
    nothing = np.zeros(0, np.uint8), np.zeros(len(holders) + 1, np.int64)
    cleaned, offsets = apply_edits(copied, offsets, rows, starts - begin, ends - begin, *nothing)
    if recount:
        lines.word_counts[chosen] = np.diff(split_words(cleaned, offsets)[0])
    lines.starts[chosen] = len(lines.data) + offsets[:-1]
    lines.ends[chosen] = len(lines.data) + offsets[1:]
    lines.data = np.concatenate([lines.data, cleaned])


def _documents(offsets: Int64) -> Int64:
    """Document of each item, int64[m], from the items' offsets per document."""
    return np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))


def _sorted_spans(
    spans: Sequence[tuple[Int64, Int64, Int64, int]],
) -> tuple[Int64, Int64, Int64, Int64]:
    """Join (line, starts, ends, rule), leave empty spans out, sort by start."""
    lines, starts, ends = (np.concatenate([group[part] for group in spans]) for part in range(3))
    rules = np.concatenate([np.full(len(group[0]), group[3], np.int64) for group in spans])
    filled = np.flatnonzero(ends > starts)
    order = filled[np.argsort(starts[filled], kind="stable")]
    return lines[order], starts[order], ends[order], rules[order]


def _edits(texts: Texts, lines: _Lines) -> Edits:
    """Removals of the lines that go, and trimming and citations in those that stay.

    A line takes the line feed before it along, or, when no line before it stays, the one behind it: what
    remains is joined by single line feeds. Neighbouring lines that go by one rule make one edit.
    """
    view = texts.lines
    kept = lines.kept
    documents = _documents(view.document_offsets)
    before: Int64 = np.cumsum(kept) - kept
    follows: Bool = before > before[view.document_offsets[:-1]][documents]
    last = np.zeros(len(kept), np.bool_)
    last[view.document_offsets[1:] - 1] = True
    gone = np.flatnonzero(~kept)
    starts = view.starts[gone] - follows[gone]
    ends = view.ends[gone] + (~follows & ~last)[gone]
    inside = kept[lines.removed[0]]
    line, start, end, rule = (column[inside] for column in lines.removed)
    spans = _merged(
        documents[np.concatenate([gone, line])],
        np.concatenate([starts, start]),
        np.concatenate([ends, end]),
        np.concatenate([lines.fates[gone].astype(np.int64), rule]),
    )
    begin = texts.offsets[spans[0]]
    names = [EDIT_RULES[index] for index in spans[3].tolist()]
    return Edits(spans[0], spans[1] - begin, spans[2] - begin, [""] * len(names), names)


def _merged(rows: Int64, starts: Int64, ends: Int64, rules: Int64) -> tuple[Int64, Int64, Int64, Int64]:
    """Sort spans by start, leave empty ones out, and join neighbours of one row and rule.

    A page of a million blank lines so makes one edit.
    """
    filled = np.flatnonzero(ends > starts)
    order = filled[np.argsort(starts[filled], kind="stable")]
    rows, starts, ends, rules = rows[order], starts[order], ends[order], rules[order]
    joins = (rows[1:] == rows[:-1]) & (rules[1:] == rules[:-1]) & (starts[1:] == ends[:-1])
    first, last = np.ones(len(rows), np.bool_), np.ones(len(rows), np.bool_)
    first[1:], last[:-1] = ~joins, ~joins
    return rows[first], starts[first], ends[last], rules[first]
