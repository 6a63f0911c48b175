"""Decontamination: finds word n-grams of evaluation items in documents, drops these or removes the matches.

Method: Brown et al., Language Models are Few-Shot Learners (arXiv:2005.14165), appendix C: 13-grams of
lower-cased words; items of fewer words count as a whole, down to 8 words. The rule sets name the rules of
GPT-3, PaLM, Llama 2 and Llama 3, and where this departs from them.

N-grams are compared by 64-bit hashes and matches are not verified against the text: with m n-grams in the index
and w words of documents about m * w / 2^64 matches are expected by chance. A million n-grams and a trillion
words give 0.05.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field, model_validator

from corpusforge.dedup.evaluation import TextItems, evaluation_digest, evaluation_files
from corpusforge.dedup.ngram_index import BuildIndex, Ngram, NgramIndex, index_files
from corpusforge.document import canonical_json
from corpusforge.edits import Edits
from corpusforge.kernels.contamination import exact_stretches, item_shares, merge_runs, skipgram_stretches
from corpusforge.kernels.pieces import cut_pieces
from corpusforge.kernels.words import split_terms
from corpusforge.operations import Folder
from corpusforge.step import RATIO, LiveRows, MapStep, Measured, Rule, RunContext, Signal, StepParameters

if TYPE_CHECKING:
    from corpusforge.plan import PlanBuilder

Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]

NAMES = 16
"""Items that a document names."""

PLACES_FOLLOWED = 64
"""Places of one n-gram in items that a match with differing words is followed to."""

PAIRS_FOLLOWED = 1 << 20
"""Pairs of a match and a place that are followed in one document."""

_BETWEEN_PIECES = "\n\n"


class DecontaminateParameters(StepParameters):
    """Parameters of `decontaminate`."""

    rules: str | None = None
    """Section of ``filters/decontaminate.yaml`` that gives the values below; None keeps their defaults."""
    against: str | dict[str, str] | None = None
    """File, folder or glob of evaluation texts (.txt, .jsonl, .csv, .parquet, .zip, the first three also .gz and
    .zst), or such a place by the name of a set: a name that begins with that of a known set (hellaswag) says which
    fields make an item. None measures nothing."""
    ngram: Ngram = 13
    """Words of an n-gram; `fifth_percentile` chooses 8 to 13 for each set by the lengths of its items."""
    min_words: int = Field(8, ge=1)
    """Items of fewer words are ignored; items of fewer than `ngram` match as a whole."""
    fields: list[str] | None = None
    """Top-level fields of rows to compare; None takes those of the set's layout, or all strings."""
    text_items: TextItems = "paragraph"
    """What one item of a .txt file is."""
    differing_words: int = Field(0, ge=0, le=64)
    """Words of a match that may differ: it begins with `ngram` equal words and has to be longer than that."""
    max_documents: int | None = Field(None, ge=1)
    """N-grams that stand in more documents than this are ignored (common phrases); None ignores none."""
    share_of: Literal["ngrams", "words"] = "ngrams"
    """What `item_share` counts of an item: its n-grams, or its words that are part of a match."""
    action: Literal["document", "span", "pieces"] = "document"
    """Drop documents by the rules; or remove the matched words; or cut matches and `margin` out and keep the pieces
    that are long enough as paragraphs of the same document."""
    margin: int = Field(200, ge=0)
    """Characters that `pieces` cuts on each side of a match."""
    min_piece: int = Field(200, ge=0)
    """Pieces of fewer characters are cut too."""
    max_matched_ngrams: int | None = 0
    """Drop a document with more matches than this; always None with the actions `span` and `pieces`."""
    contaminated_share: float | None = Field(None, ge=0, le=1)
    """Drop a document that holds at least this share of one item."""
    max_pieces: int | None = None
    """With `pieces`: drop a document that matches cut into more pieces than this, short ones counted."""
    min_kept_pieces: int | None = None
    """With `pieces`: drop a document of which fewer pieces than this are left."""

    @model_validator(mode="before")
    @classmethod
    def _only_documents_drop_by_matches(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("action") in ("span", "pieces"):
            if values.get("max_matched_ngrams") is not None:
                raise ValueError(
                    f"max_matched_ngrams has no meaning with action: {values['action']}, which drops nothing by it"
                )
            return {**values, "max_matched_ngrams": None}
        return values

    @model_validator(mode="after")
    def _fits(self) -> DecontaminateParameters:
        if isinstance(self.ngram, int) and self.ngram < 1:
            raise ValueError("ngram is at least 1")
        if self.action != "pieces" and (self.max_pieces is not None or self.min_kept_pieces is not None):
            raise ValueError(f"max_pieces and min_kept_pieces have no meaning with action: {self.action}")
        if self.differing_words and (self.ngram == "fifth_percentile" or self.share_of == "ngrams"):
            raise ValueError("differing_words needs a number as ngram, and share_of: words")
        return self


class Decontaminate(MapStep):
    """Matches documents with evaluation items by word n-grams."""

    name = "decontaminate"
    summary = "drop documents, or remove spans, that share 13 words in a row with evaluation texts"
    edits = True
    version = 2
    Parameters = DecontaminateParameters
    signals: ClassVar[Sequence[Signal]] = (
        Signal("matched_ngrams", description="places of the document where an evaluation n-gram stands"),
        Signal("matched_items", description="evaluation items that share an n-gram with the document"),
        Signal("matched_words", description="words of the document that are part of a match"),
        Signal("item_share", scale=RATIO, description="greatest share of one item that the document holds"),
        Signal("pieces", description="pieces that matches cut the document into; null without `pieces`"),
        Signal("kept_pieces", description="pieces that are long enough to be kept; null without `pieces`"),
        Signal(
            "items", scale=0, type=pa.string(), description=f"JSON list of at most {NAMES} of these items"
        ),
    )
    rules: ClassVar[Sequence[Rule]] = (
        Rule("max_matched_ngrams", "matched_ngrams", "above"),
        Rule("contaminated_share", "item_share", "at_least"),
        Rule("max_pieces", "pieces", "above"),
        Rule("min_kept_pieces", "kept_pieces", "below"),
    )

    _index: NgramIndex | None = None
    _common: Bool | None = None

    def check(self) -> None:
        """Raise `UsageError` when the evaluation texts are not there."""
        if self.parameters.against is not None:
            evaluation_files(self.parameters.against)

    def fingerprint(self) -> dict[str, str]:
        """Hash of the evaluation files."""
        against = self.parameters.against
        return {} if against is None else {"against": evaluation_digest(against)}

    def compile(self, builder: PlanBuilder) -> None:
        """Build the index in a task of its own, count documents if asked to, then join the next stage."""
        parameters: DecontaminateParameters = self.parameters
        if parameters.against is not None:
            fields = None if parameters.fields is None else tuple(parameters.fields)
            task = BuildIndex(
                parameters.against, parameters.ngram, parameters.min_words, fields, parameters.text_items
            )
            builder.single(f"{self.instance}.index", task)
            if parameters.max_documents is not None:
                builder.fold(f"{self.instance}.common", CommonNgrams(self.instance, parameters.max_documents))
        builder.map(self)

    def open(self, context: RunContext) -> None:
        """Open the index that the single task wrote."""
        if self.parameters.against is None or self._index is not None:
            return
        self._index = NgramIndex(index_files(context, f"{self.instance}.index"))
        if self.parameters.max_documents is not None:
            self._common = np.zeros(len(self._index.hashes), np.bool_)
            self._common[context.values[f"{self.instance}.common"]] = True

    @property
    def index_size(self) -> int:
        """Distinct n-grams of the index that is open; 0 without one."""
        return 0 if self._index is None else len(self._index.hashes)

    def measure(self, rows: LiveRows) -> Measured:
        """Count matches; with the actions `span` and `pieces` also give the edits that remove them."""
        parameters: DecontaminateParameters = self.parameters
        signals: dict[str, Int64 | pa.Array] = {
            signal.name: pa.nulls(len(rows), signal.type) for signal in self.signals
        }
        if parameters.against is None:
            return Measured(signals=signals)
        if self._index is None:
            raise RuntimeError("decontaminate was not opened")
        texts = rows.texts
        document_offsets, terms, starts, ends = split_terms(texts.data, texts.offsets)
        ngrams = self._index.find(document_offsets, terms)
        if self._common is not None:
            rare = ~self._common[ngrams[3]]
            ngrams = (ngrams[0][rare], ngrams[1][rare], ngrams[2][rare], ngrams[3][rare])
        found = matches_in(
            self._index,
            ngrams,
            document_offsets,
            terms,
            parameters.differing_words,
            parameters.share_of == "words",
        )
        signals.update(found.signals(self._index.names))
        first_bytes, last_bytes = starts[found.run_firsts], ends[found.run_lasts - 1]
        if parameters.action == "document":
            return Measured(signals=signals)
        if parameters.action == "span":
            between = np.zeros(len(first_bytes), np.uint8)
            run_rows = np.repeat(np.arange(len(rows)), np.diff(found.run_offsets))
            return Measured(
                signals=signals, edits=_edits(run_rows, first_bytes, last_bytes, between, texts.offsets)
            )
        pieces, kept, *cut = cut_pieces(
            texts.data,
            texts.offsets,
            found.run_offsets,
            first_bytes,
            last_bytes,
            parameters.margin,
            parameters.min_piece,
        )
        signals["pieces"], signals["kept_pieces"] = pieces, kept
        return Measured(signals=signals, edits=_edits(cut[0], cut[1], cut[2], cut[3], texts.offsets))

    def __getstate__(self) -> dict[str, object]:
        """The index stays in its process: a step travels without it."""
        return {**self.__dict__, "_index": None, "_common": None}


def _edits(rows: Int64, starts: Int64, ends: Int64, between: npt.NDArray[np.uint8], offsets: Int64) -> Edits:
    """Edits that remove stretches of bytes [start, end) of all texts; a paragraph's end where pieces meet."""
    replacements = [_BETWEEN_PIECES if joins else "" for joins in between.tolist()]
    base = offsets[rows]
    return Edits(rows, starts - base, ends - base, replacements, ["contaminated"] * len(rows))


class Matches:
    """What n documents share with evaluation items.

    `ngrams`, `items`, `words`, `share` int64[n] are the signals of those names (`share` in units of 1 / `RATIO`).
    `run_offsets` int64[n + 1] indexes `run_firsts` and `run_lasts`, the maximal runs of matched words, as indices
    of the words of all documents. `item_rows`, `item_starts` and `item_ends` int64[s] are the stretches of items
    that documents hold, as `corpusforge.kernels.contamination.exact_stretches` gives them.
    """

    def __init__(
        self, index: NgramIndex, documents: int, ngrams: Int64, runs: tuple[Int64, ...],
        stretches: tuple[Int64, ...], by_words: bool,
    ) -> None:  # fmt: skip
        self.ngrams = ngrams
        self.run_offsets, self.run_firsts, self.run_lasts, self.words = runs
        self.item_rows, self.item_starts, self.item_ends = stretches
        self.items, self.share, self._offsets, self._numbers = item_shares(
            *stretches, index.item_widths, index.item_words, documents, by_words, NAMES
        )

    def listed(self, row: int) -> list[int]:
        """Numbers of the first items that a document meets, at most `NAMES`."""
        return [int(number) for number in self._numbers[self._offsets[row] : self._offsets[row + 1]]]

    def signals(self, names: Sequence[str]) -> Mapping[str, Int64 | pa.Array]:
        """The signals of the step by name; `names` of items by number."""
        listed: list[str | None] = [None] * len(self.items)
        for row in np.flatnonzero(self.items).tolist():
            listed[row] = canonical_json([names[number] for number in self.listed(row)])
        return {
            "matched_ngrams": self.ngrams,
            "matched_items": self.items,
            "matched_words": self.words,
            "item_share": self.share,
            "items": pa.array(listed, pa.string()),
        }


Found = tuple[Int64, Int64, Int64, Int64]
"""Rows, first words, numbers of words and entries, as `NgramIndex.find` gives them."""


def matches_in(
    index: NgramIndex,
    found: Found,
    document_offsets: Int64,
    terms: npt.NDArray[np.uint64],
    differing_words: int = 0,
    by_words: bool = False,
) -> Matches:
    """What n documents share with the items of an index, from the n-grams that were found in them.

    `document_offsets` int64[n + 1] indexes `terms` uint64, the words of the documents.
    """
    documents = len(document_offsets) - 1
    rows, firsts, widths, entries = found
    if differing_words:
        (ngram,) = set(index.ngrams) or {0}
        stretches = skipgram_stretches(
            rows, firsts, entries, document_offsets, terms, index.firsts, index.places, index.word_offsets,
            index.words, ngram, differing_words, PLACES_FOLLOWED, PAIRS_FOLLOWED,
        )  # fmt: skip
        rows, firsts, lasts = stretches[:3]
        new = np.ones(len(rows), np.bool_)
        new[1:] = (rows[1:] != rows[:-1]) | (firsts[1:] != firsts[:-1])
        ngrams = np.bincount(rows[new], minlength=documents).astype(np.int64)
        of_items = stretches[3:]
    else:
        of_items = exact_stretches(rows, entries, index.firsts, index.places, index.item_widths)
        lasts = firsts + widths
        ngrams = np.bincount(rows, minlength=documents).astype(np.int64)
    runs = merge_runs(rows, firsts, lasts, documents)
    return Matches(index, documents, ngrams, runs, of_items, by_words)


class CommonNgrams(Folder):
    """Finds the n-grams of an index that stand in more than `most` documents: gives their entries, ascending."""

    def __init__(self, instance: str, most: int) -> None:
        self._name = f"{instance}.index"
        self._most = most
        self._index: NgramIndex | None = None

    def open(self, context: RunContext) -> None:
        """Open the index that the single task wrote."""
        if self._index is None:
            self._index = NgramIndex(index_files(context, self._name))

    def partial(self, rows: LiveRows) -> Mapping[str, int]:
        """Documents of a batch by the number of an entry that they hold."""
        if self._index is None:
            raise RuntimeError("the count of documents was not opened")
        document_offsets, terms, _, _ = split_terms(rows.texts.data, rows.texts.offsets)
        numbers, _, _, entries = self._index.find(document_offsets, terms)
        pairs = np.unique(np.stack([numbers, entries]), axis=1)
        found, counts = np.unique(pairs[1], return_counts=True)
        return {str(entry): count for entry, count in zip(found.tolist(), counts.tolist())}

    def finish(self, totals: Mapping[str, int]) -> list[int]:
        """Entries in too many documents."""
        return sorted(int(entry) for entry, count in totals.items() if count > self._most)

    def __getstate__(self) -> dict[str, object]:
        """The index stays in its process."""
        return {**self.__dict__, "_index": None}
