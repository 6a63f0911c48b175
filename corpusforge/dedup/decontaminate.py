"""Decontamination: finds word n-grams of evaluation texts in documents, drops these or removes the matches.

Method: Brown et al., Language Models are Few-Shot Learners (arXiv:2005.14165), appendix C: 13-grams of
lower-cased words; items of fewer words count as a whole, down to 8 words.

N-grams are compared by 64-bit hashes and matches are not verified against the text: with m n-grams in the index
and w words of documents about m * w / 2^64 matches are expected by chance. A million n-grams and a trillion
words give 0.05.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field, model_validator

from corpusforge.dedup.evaluation import (
    BuildIndex,
    TextItems,
    evaluation_digest,
    evaluation_files,
)
from corpusforge.document import canonical_json
from corpusforge.edits import Edits
from corpusforge.kernels.window_hash import find_windows
from corpusforge.kernels.words import split_terms
from corpusforge.step import LiveRows, MapStep, Measured, Rule, RunContext, Signal, StepParameters

if TYPE_CHECKING:
    from corpusforge.plan import PlanBuilder

Int64 = npt.NDArray[np.int64]
UInt64 = npt.NDArray[np.uint64]

_NAMES = 16
_LARGEST_FILTER = 29


class DecontaminateParameters(StepParameters):
    """Parameters of `decontaminate`."""

    against: str | None = None
    """File, folder or glob of evaluation texts (.txt, .jsonl, both also .gz); None measures nothing."""
    ngram: int = Field(13, ge=1)
    """Words of an n-gram."""
    min_words: int = Field(8, ge=1)
    """Items of fewer words are ignored; items of fewer than `ngram` match as a whole."""
    fields: list[str] | None = None
    """Top-level fields of JSON items to compare; None takes all strings."""
    text_items: TextItems = "paragraph"
    """What one item of a .txt file is."""
    action: Literal["document", "span"] = "document"
    """Drop the document (by `max_matched_ngrams`), or remove the matched words and keep it."""
    max_matched_ngrams: int | None = 0
    """Drop a document with more matches than this; always None with the action `span`."""

    @model_validator(mode="before")
    @classmethod
    def _span_drops_nothing(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("action") == "span":
            if values.get("max_matched_ngrams") is not None:
                raise ValueError("max_matched_ngrams has no meaning with action: span, which drops nothing")
            return {**values, "max_matched_ngrams": None}
        return values


class NgramIndex:
    """The index in memory: sorted n-gram hashes with item numbers, behind a table of their leading bits.

    `pairs` uint64[2, m] as `BuildIndex` writes them.
    """

    def __init__(self, pairs: UInt64) -> None:
        self._hashes, self._first = np.unique(pairs[0], return_index=True)
        self._last = np.append(self._first[1:], pairs.shape[1])
        self._items = pairs[1].astype(np.int64)
        bits = min(_LARGEST_FILTER, max(10, len(self._hashes).bit_length() + 5))
        self._shift = np.uint64(64 - bits)
        marked = np.zeros(1 << bits, np.bool_)
        marked[(self._hashes >> self._shift).astype(np.int64)] = True
        self._filter = np.packbits(marked, bitorder="little")

    def find(self, document_offsets: Int64, terms: UInt64, width: int) -> tuple[Int64, Int64, Int64]:
        """Windows of `width` words that are in the index, in order, three int64[k].

        They are rows, first words (indices of `terms`) and entries of the index.
        """
        rows, firsts, hashes = find_windows(document_offsets, terms, width, self._filter, self._shift)
        if not len(rows):
            return rows, firsts, rows
        entries = np.minimum(np.searchsorted(self._hashes, hashes), len(self._hashes) - 1)
        real = self._hashes[entries] == hashes
        return rows[real], firsts[real], entries[real].astype(np.int64)

    def items_of(self, entry: int) -> Int64:
        """Numbers of the items that hold the n-gram of that entry, ascending."""
        return np.asarray(self._items[self._first[entry] : self._last[entry]])


class Decontaminate(MapStep):
    """Matches documents with evaluation texts by word n-grams."""

    name = "decontaminate"
    summary = "drop documents, or remove spans, that share 13 words in a row with evaluation texts"
    edits = True
    Parameters = DecontaminateParameters
    signals: ClassVar[Sequence[Signal]] = (
        Signal("matched_ngrams", description="places of the document where an evaluation n-gram stands"),
        Signal("matched_items", description="evaluation items that share an n-gram with the document"),
        Signal("matched_words", description="words of the document that are part of a match"),
        Signal(
            "items", scale=0, type=pa.string(), description=f"JSON list of at most {_NAMES} of these items"
        ),
    )
    rules: ClassVar[Sequence[Rule]] = (Rule("max_matched_ngrams", "matched_ngrams", "above"),)

    _index: NgramIndex | None = None
    _names: Sequence[str] = ()
    _widths: Sequence[int] = ()

    def check(self) -> None:
        """Raise `UsageError` when the evaluation texts are not there."""
        if self.parameters.against is not None:
            evaluation_files(self.parameters.against)

    def fingerprint(self) -> dict[str, str]:
        """Hash of the evaluation files."""
        against = self.parameters.against
        return {} if against is None else {"against": evaluation_digest(against)}

    def compile(self, builder: PlanBuilder) -> None:
        """Build the index in a task of its own, then join the next stage."""
        parameters: DecontaminateParameters = self.parameters
        if parameters.against is not None:
            fields = None if parameters.fields is None else tuple(parameters.fields)
            task = BuildIndex(
                parameters.against, parameters.ngram, parameters.min_words, fields, parameters.text_items
            )
            builder.single(f"{self.instance}.index", task)
        builder.map(self)

    def open(self, context: RunContext) -> None:
        """Load the index that the single task wrote."""
        if self.parameters.against is None or self._index is not None:
            return
        facts = json.loads(context.files[f"{self.instance}.index/items.json"].read_text(encoding="utf-8"))
        self._names, self._widths = facts["items"], facts["widths"]
        self._index = NgramIndex(np.load(context.files[f"{self.instance}.index/ngrams.npy"]))

    def measure(self, rows: LiveRows) -> Measured:
        """Count matches; with the action `span` also give the edits that remove them."""
        if self.parameters.against is None:
            nothing = pa.nulls(len(rows), pa.int64())
            names = ("matched_ngrams", "matched_items", "matched_words")
            return Measured(
                signals={**dict.fromkeys(names, nothing), "items": pa.nulls(len(rows), pa.string())}
            )
        if self._index is None:
            raise RuntimeError("decontaminate was not opened")
        texts = rows.texts
        document_offsets, terms, starts, ends = split_terms(texts.data, texts.offsets)
        matches = _Matches(len(rows))
        for width in self._widths:
            matches.add(self._index, document_offsets, terms, width)
        runs = [matches.runs(row) for row in range(len(rows))]
        signals: dict[str, Int64 | pa.Array] = {
            "matched_ngrams": matches.ngrams,
            "matched_items": np.array([len(items) for items in matches.items], np.int64),
            "matched_words": np.array([sum(end - start for start, end in run) for run in runs], np.int64),
            "items": pa.array([self._listed(items) for items in matches.items], pa.string()),
        }
        if self.parameters.action == "document":
            return Measured(signals=signals)
        spans = [
            (
                row,
                int(starts[first] - texts.offsets[row]),
                int(ends[last - 1] - texts.offsets[row]),
                "",
                "contaminated",
            )
            for row, run in enumerate(runs)
            for first, last in run
        ]
        return Measured(signals=signals, edits=Edits.from_spans(spans))

    def _listed(self, items: set[int]) -> str | None:
        """Names of the first matched items as JSON, None without any."""
        return canonical_json([self._names[item] for item in sorted(items)[:_NAMES]]) if items else None

    def __getstate__(self) -> dict[str, object]:
        """The index stays in its process: a step travels without it."""
        return {**self.__dict__, "_index": None}


class _Matches:
    """Matches of n texts, collected over the widths of n-grams."""

    def __init__(self, rows: int) -> None:
        self.ngrams = np.zeros(rows, np.int64)
        self.items: list[set[int]] = [set() for _ in range(rows)]
        self._windows: list[list[tuple[int, int]]] = [[] for _ in range(rows)]

    def add(self, index: NgramIndex, document_offsets: Int64, terms: UInt64, width: int) -> None:
        """Match all windows of `width` words. Texts of fewer words have none."""
        rows, firsts, entries = index.find(document_offsets, terms, width)
        for row, first, entry in zip(rows.tolist(), firsts.tolist(), entries.tolist()):
            self.ngrams[row] += 1
            self.items[row].update(index.items_of(entry).tolist())
            self._windows[row].append((first, first + width))

    def runs(self, row: int) -> list[tuple[int, int]]:
        """Maximal runs of matched words [first, last) of a text, in order."""
        runs: list[tuple[int, int]] = []
        for first, last in sorted(self._windows[row]):
            if runs and first <= runs[-1][1]:
                runs[-1] = (runs[-1][0], max(runs[-1][1], last))
            else:
                runs.append((first, last))
        return runs
