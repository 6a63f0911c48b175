"""Lines or paragraphs most of whose word n-grams stand in preferred documents: Bloom-filter deduplication, made exact.

DCLM (Li et al., DataComp-LM, 2024, appendix on deduplication) streams documents past one Bloom filter: of each
paragraph the n-grams of 13 words are looked up, a paragraph is removed when more than 80 % of them were seen, those of
kept paragraphs are entered, and a document goes when more than 80 % of all its n-grams were seen (the tool bff in the
mode old-both). What was seen depends there on the order in which threads meet documents, and on the filter's false
positives.

Here an n-gram is seen in a unit when it stands in a preferred document, or in an earlier unit of the same one. So the
result depends on nothing but the documents and their order of priority, and there are no false positives (keys have 64
bits). One difference remains: an n-gram of a unit that is itself removed counts as seen for later documents, where bff
enters only those of kept ones; as such a unit's n-grams were seen before by four fifths, that is the rest of them.

Every n-gram is a row of 48 bytes in an exchange: of 17 MB of manuals, books and news 68 MB moved, four bytes per byte
of text, where `substring_dedup` moves a third of one.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field

from corpusforge.dedup.groups import (
    Columns,
    GroupHeads,
    batch_of,
    columns_of,
    compared_parts,
    joined_columns,
    lost_parts,
)
from corpusforge.dedup.keepers import FirstOfKey
from corpusforge.dedup.priority import PRIORITY, PRIORITY_FIELDS, priority_columns
from corpusforge.dedup.sampling import SampledEmitter
from corpusforge.dedup.scopes import DumpParameters, dump_scopes
from corpusforge.dedup.units import Pieces, cuts, pieces_of
from corpusforge.edits import Edits
from corpusforge.kernels.shingles import shingle_hashes
from corpusforge.kernels.words import split_terms
from corpusforge.operations import ExchangeSpec, Reducer
from corpusforge.step import RATIO, LiveRows, MapStep, Measured, Rule, Signal, fixed_ratio

if TYPE_CHECKING:
    from corpusforge.plan import PlanBuilder

Bool = npt.NDArray[np.bool_]
Int64 = npt.NDArray[np.int64]
UInt64 = npt.NDArray[np.uint64]

NGRAM_SCHEMA = pa.schema(
    [pa.field("key", pa.uint64()), *PRIORITY_FIELDS[:4], pa.field("address", pa.int64())]
)
SEEN_SCHEMA = pa.schema([pa.field("address", pa.int64()), pa.field("key", pa.uint64())])


class NgramParameters(DumpParameters):
    """Parameters of `ngram_dedup`."""

    rules: str | None = None
    """Settings by name (``filters/dedup.yaml``); null: the defaults below."""
    unit: Literal["line", "paragraph"] = "line"
    """What is removed, and what n-grams never reach across; `paragraph`: what stands between blank lines."""
    ngram: Annotated[int, Field(ge=1, le=100)] = 13
    """Words of an n-gram: runs of letters, digits and marks."""
    min_ngram: Annotated[int, Field(ge=1, le=100)] = 13
    """Units of fewer words than an n-gram, but at least so many, are one n-gram; others are left alone."""
    lowercase: bool = False
    """Words are compared in lower case."""
    scope: Literal["dump", "global"] = "global"
    """`dump`: documents of different dumps are never compared."""
    max_unit_share: Annotated[float, Field(ge=0, le=1)] = 0.8
    """Units of whose n-grams more were seen are removed."""
    max_seen_share: float | None = 0.8
    """Documents of whose n-grams more were seen are dropped. Null: never."""
    min_remaining_words: int | None = 1
    """Documents that lost units are dropped when fewer words (between white space) are left. Null: never."""


def document_ngrams(rows: LiveRows, parameters: NgramParameters) -> tuple[Pieces, Int64, UInt64]:
    """All units, and of each of their n-grams the unit int64[m] and the key uint64[m], in order."""
    texts = rows.texts
    pieces = pieces_of(texts, parameters.unit)
    _, terms, starts, _ = split_terms(texts.data, texts.offsets, parameters.lowercase)
    # No word reaches over the end of a unit, as a line feed is none of a word's characters.
    offsets = np.append(np.searchsorted(starts, pieces.starts), len(starts)).astype(np.int64)
    places, keys = shingle_hashes(offsets, terms, parameters.ngram)
    units = np.repeat(np.arange(len(pieces.starts)), np.diff(places))
    enough = np.diff(offsets)[units] >= min(parameters.min_ngram, parameters.ngram)
    units, keys = units[enough], keys[enough]
    if parameters.scope == "dump":
        high, _ = dump_scopes(rows, parameters).halves()
        keys = keys ^ high[pieces.owners[units]]
    return pieces, units, keys


class NgramEmitter(SampledEmitter):
    """Sends (key, priority, address) of each distinct n-gram of each document."""

    def __init__(self, parameters: NgramParameters, name: str) -> None:
        self.parameters = parameters
        self.output = ExchangeSpec(name, NGRAM_SCHEMA, ("key", *PRIORITY[:4], "address"), bytes_per_row=48)

    def emit(self, rows: LiveRows) -> pa.RecordBatch:
        """One row per document and distinct n-gram."""
        pieces, units, keys = document_ngrams(rows, self.parameters)
        owners = pieces.owners[units]
        order = np.lexsort((keys, owners))
        owners, keys = owners[order], keys[order]
        first = np.ones(len(keys), np.bool_)
        first[1:] = (owners[1:] != owners[:-1]) | (keys[1:] != keys[:-1])
        place = owners[first]
        columns: Columns = {"key": keys[first], "address": rows.addresses[place]}
        priority = priority_columns(rows, self.parameters)
        columns |= {name: priority[name][place] for name in PRIORITY[:4]}
        self._sample.add_holders(columns["key"], columns["address"])
        return batch_of(NGRAM_SCHEMA, columns)


class SeenReducer(Reducer):
    """Tells every document but the preferred one that it shares an n-gram. Memory per n-gram: its key."""

    parts = "n-grams"

    def __init__(self, output: ExchangeSpec) -> None:
        self.outputs = (output,)
        self._distinct = 0
        self._seen = 0

    def reduce(self, batches: Iterator[pa.RecordBatch]) -> Iterator[tuple[str, pa.RecordBatch]]:
        """Yield (address, key) of the n-grams that stand in a preferred document; for the report, who has which."""
        self._distinct = self._seen = 0
        groups = GroupHeads(("key",), ("address",))
        for batch in batches:
            columns = columns_of(batch, SEEN_SCHEMA.names)
            opens, heads = groups.heads(columns)
            self._distinct += int(opens.sum())
            self._seen += int((~opens).sum())
            if not opens.all():
                yield self.outputs[0].name, batch_of(SEEN_SCHEMA, columns, ~opens)
                yield lost_parts(columns, heads, ~opens)
            yield compared_parts(columns)

    def statistics(self) -> dict[str, int]:
        """Count distinct n-grams, and pairs of a document and an n-gram of a preferred one."""
        return {"distinct": self._distinct, "seen": self._seen}


class NgramDedup(MapStep):
    """Removes lines or paragraphs, and drops documents, most of whose n-grams stand in preferred documents."""

    name: ClassVar[str] = "ngram_dedup"
    summary: ClassVar[str] = (
        "removes lines or paragraphs most of whose word n-grams stand elsewhere too; drops documents likewise"
    )
    Parameters = NgramParameters
    edits = True
    signals = (
        Signal(
            "seen_share", RATIO, description="n-grams seen of all n-grams of the document, before removal"
        ),
        Signal("removed_units", description="units removed"),
        Signal("removed_bytes", description="bytes removed, separators included"),
        Signal(
            "remaining_words", description="words left (between white space); null when nothing was removed"
        ),
    )
    rules = (
        Rule("max_seen_share", "seen_share", "above"),
        Rule("min_remaining_words", "remaining_words", "below"),
    )

    def compile(self, builder: PlanBuilder) -> None:
        """N-grams to their partition, those seen elsewhere back to the shards."""
        keys, seen = f"{self.instance}.ngrams", f"{self.instance}.seen"
        spec = ExchangeSpec(
            seen, SEEN_SCHEMA, tuple(SEEN_SCHEMA.names), partition_by="shard", bytes_per_row=16
        )
        builder.exchange(NgramEmitter(self.parameters, keys))
        builder.reduce(keys, SeenReducer(spec), FirstOfKey(("key",), ("key", "p0")))
        builder.join(seen)
        builder.map(self)

    def measure(self, rows: LiveRows) -> Measured:
        """Count what was seen, remove units."""
        parameters: NgramParameters = self.parameters
        told = joined_columns(rows, f"{self.instance}.seen", SEEN_SCHEMA)
        pieces, units, keys = document_ngrams(rows, parameters)
        owners = pieces.owners
        seen = seen_ngrams(owners[units], units, keys, told["row"].astype(np.int64), told["key"])
        total = np.bincount(units, minlength=len(owners)).astype(np.int64)
        met = np.bincount(units[seen], minlength=len(owners)).astype(np.int64)
        limit = int(Decimal(str(parameters.max_unit_share)) * RATIO)
        gone = fixed_ratio(met, total) > limit
        spans = cuts(rows.texts, parameters.unit, pieces, gone)
        removed_bytes = np.zeros(len(rows), np.int64)
        np.add.at(removed_bytes, spans[0], spans[2] - spans[1])
        removed_units = _per_document(owners, gone.astype(np.int64), len(rows))
        words = rows.texts.words
        unit_of_word = np.searchsorted(pieces.starts, words.starts, "right") - 1
        kept = np.bincount(owners[unit_of_word[~gone[unit_of_word]]], minlength=len(rows)).astype(np.int64)
        count = len(spans[0])
        return Measured(
            signals={
                "seen_share": fixed_ratio(
                    _per_document(owners, met, len(rows)), _per_document(owners, total, len(rows))
                ),
                "removed_units": removed_units,
                "removed_bytes": removed_bytes,
                "remaining_words": pa.array(kept, mask=removed_units == 0),
            },
            edits=Edits(*spans, [""] * count, [parameters.unit] * count),
        )


def seen_ngrams(owners: Int64, units: Int64, keys: UInt64, told_rows: Int64, told_keys: UInt64) -> Bool:
    """Which n-grams were seen, bool[m].

    n-gram i of document ``owners[i]`` stands in its unit ``units[i]``; document ``told_rows[j]`` was told that a
    preferred one has ``told_keys[j]``.
    """
    told = len(told_rows)
    rows = np.concatenate([told_rows, owners])
    every_key = np.concatenate([told_keys, keys])
    place = np.concatenate([np.full(told, -1, np.int64), units])
    order = np.lexsort((place, every_key, rows))
    rows, every_key, place = rows[order], every_key[order], place[order]
    opens = np.ones(len(order), np.bool_)
    opens[1:] = (rows[1:] != rows[:-1]) | (every_key[1:] != every_key[:-1])
    head = np.maximum.accumulate(np.where(opens, np.arange(len(order)), 0))
    seen = np.zeros(len(order), np.bool_)
    seen[order] = place > place[head]
    return seen[told:]


def _per_document(owners: Int64, values: Int64, count: int) -> Int64:
    """Sums of the units' values, int64[count]."""
    sums = np.zeros(count, np.int64)
    np.add.at(sums, owners, values)
    return sums
