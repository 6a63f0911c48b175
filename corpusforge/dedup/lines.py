"""Deduplication of lines, paragraphs or runs of sentences: each stays in one document, other copies are removed.

One row per distinct key and document goes to the key's partition; its owner is the least by (priority, id,
place in the text), and only what is owned elsewhere is sent back. A shard's copies are not merged before they
are sent, as each of these documents has to learn of the owner.

Compared are single units, or with `span` all runs of so many units in a row: a unit goes when a run that covers it is
owned elsewhere (C4's three-sentence spans: Raffel et al., Exploring the Limits of Transfer Learning with a Unified
Text-to-Text Transformer, 2020, section 2.2). Owners are named once, before anything is removed: a run may lose units to
the owner of another run that overlaps it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

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
from corpusforge.dedup.normalize import Normalization
from corpusforge.dedup.priority import PRIORITY, PRIORITY_FIELDS, priority_columns
from corpusforge.dedup.sampling import SampledEmitter
from corpusforge.dedup.scopes import DumpParameters, Scopes, domain_scopes, dump_scopes
from corpusforge.dedup.units import (
    Pieces,
    Runs,
    UnitKind,
    cuts,
    distinct_runs,
    gone_units,
    pieces_of,
    runs_of,
)
from corpusforge.edits import Edits
from corpusforge.kernels.edits import apply_edits
from corpusforge.kernels.sentences import count_sentences
from corpusforge.kernels.unit_values import count_spaced_words
from corpusforge.operations import ExchangeSpec, Reducer
from corpusforge.step import LiveRows, MapStep, Measured, Rule, Signal, StepParameters
from corpusforge.texts import Texts

if TYPE_CHECKING:
    from corpusforge.plan import PlanBuilder

Int64 = npt.NDArray[np.int64]

UNIT_SCHEMA = pa.schema(
    [
        pa.field("key", pa.uint64()),
        pa.field("key_low", pa.uint64()),
        *PRIORITY_FIELDS[:4],
        pa.field("address", pa.int64()),
    ]
)
OWNED_SCHEMA = pa.schema(
    [pa.field("address", pa.int64()), pa.field("key", pa.uint64()), pa.field("key_low", pa.uint64())]
)


class LineParameters(DumpParameters):
    """Parameters of `line_dedup`."""

    rules: str | None = None
    """Settings by name (``filters/dedup.yaml``); null: the defaults below."""
    unit: UnitKind = "line"
    """`paragraph`: what stands between blank lines. `sentence`: as the step `c4` counts them, line by line."""
    span: Annotated[int, Field(ge=1, le=100)] = 1
    """Units in a row that are compared as one; units in every run that is owned elsewhere are removed. Documents with
    fewer units are left alone."""
    scope: Literal["domain", "dump", "global"] = "domain"
    """Where a unit may stand once: per host (without a URL: per source), per dump, or in the whole corpus."""
    normalization: Normalization = "whitespace"
    """Before units are compared: see `corpusforge.dedup.normalize`."""
    min_words: Annotated[int, Field(ge=1)] = 1
    """Units of fewer words (between white space) are left alone, and runs pass over them."""
    min_characters: Annotated[int, Field(ge=1)] = 1
    """Units of fewer characters are left alone, and runs pass over them."""
    min_remaining_words: int | None = 50
    """Documents that lost units are dropped when fewer words are left; 50 is the least number of words of a
    document in Gopher (Rae et al., Scaling Language Models, 2021, appendix A.1.1). Null: never."""
    min_remaining_sentences: int | None = None
    """Documents that lost units are dropped when fewer sentences are left; C4 asks for 3 again. Null: never, and
    sentences are not counted."""


def document_runs(rows: LiveRows, parameters: LineParameters) -> tuple[Pieces, Runs]:
    """Find all units of each document, and what takes part in deduplication."""
    if parameters.scope == "global":
        scopes = Scopes.named([b"global"] * len(rows))
    elif parameters.scope == "dump":
        scopes = dump_scopes(rows, parameters)
    else:
        scopes = domain_scopes(rows)
    pieces = pieces_of(rows.texts, parameters.unit)
    least = parameters.min_words, parameters.min_characters
    return pieces, runs_of(rows.texts, pieces, scopes, parameters.normalization, *least, parameters.span)


class UnitEmitter(SampledEmitter):
    """Sends (key, priority, address) of each distinct unit of each document."""

    def __init__(self, parameters: LineParameters, name: str) -> None:
        self.parameters = parameters
        order = ("key", "key_low", *PRIORITY[:4], "address")
        self.output = ExchangeSpec(name, UNIT_SCHEMA, order, bytes_per_row=56)

    def emit(self, rows: LiveRows) -> pa.RecordBatch:
        """One row per document and distinct key."""
        _, runs = document_runs(rows, self.parameters)
        chosen = distinct_runs(runs)
        place = runs.rows[chosen]
        columns: Columns = {
            "key": runs.high[chosen],
            "key_low": runs.low[chosen],
            "address": rows.addresses[place],
        }
        priority = priority_columns(rows, self.parameters)
        columns |= {name: priority[name][place] for name in PRIORITY[:4]}
        self._sample.add_holders(columns["key"], columns["address"])
        return batch_of(UNIT_SCHEMA, columns)


class OwnerReducer(Reducer):
    """Tells every document but the owner that a unit is owned elsewhere. Memory per unit: its key."""

    def __init__(self, output: ExchangeSpec, parts: str = "lines") -> None:
        self.outputs = (output,)
        self.parts = parts
        self._distinct = 0
        self._owned_elsewhere = 0

    def reduce(self, batches: Iterator[pa.RecordBatch]) -> Iterator[tuple[str, pa.RecordBatch]]:
        """Yield (address, key) of the units to remove, and for the report what there is and who owns what goes."""
        self._distinct = self._owned_elsewhere = 0
        groups = GroupHeads(("key", "key_low"), ("address",))
        for batch in batches:
            columns = columns_of(batch, OWNED_SCHEMA.names)
            opens, heads = groups.heads(columns)
            self._distinct += int(opens.sum())
            self._owned_elsewhere += int((~opens).sum())
            if not opens.all():
                yield self.outputs[0].name, batch_of(OWNED_SCHEMA, columns, ~opens)
                yield lost_parts(columns, heads, ~opens)
            yield compared_parts(columns)

    def statistics(self) -> dict[str, int]:
        """Count distinct units, and pairs of a document and a unit that it loses."""
        return {"distinct": self._distinct, "owned_elsewhere": self._owned_elsewhere}


class LineDedup(MapStep):
    """Removes units that a preferred document, or an earlier place in the same one, has too."""

    name: ClassVar[str] = "line_dedup"
    summary: ClassVar[str] = (
        "removes lines, paragraphs or sentences that stand elsewhere too; drops documents left too small"
    )
    Parameters = LineParameters
    edits = True
    signals = (
        Signal("removed_units", description="units removed"),
        Signal("removed_bytes", description="bytes removed, separators included"),
        Signal(
            "remaining_words", description="words left (between white space); null when nothing was removed"
        ),
        Signal(
            "remaining_sentences",
            description="sentences left, as the step `c4` counts them; null when nothing was removed; only with "
            "`min_remaining_sentences`",
        ),
    )
    rules = (
        Rule("min_remaining_words", "remaining_words", "below"),
        Rule("min_remaining_sentences", "remaining_sentences", "below"),
    )

    def __init__(self, parameters: StepParameters | None = None, instance: str | None = None) -> None:
        super().__init__(parameters, instance)
        if self.parameters.min_remaining_sentences is None:
            # What is not measured has no column: both lists are the instance's.
            self.__dict__["signals"] = type(self).signals[:-1]
            self.__dict__["rules"] = type(self).rules[:-1]

    def compile(self, builder: PlanBuilder) -> None:
        """Units to their partition, those owned elsewhere back to the shards."""
        keys, owned = f"{self.instance}.units", f"{self.instance}.owned"
        spec = ExchangeSpec(
            owned, OWNED_SCHEMA, tuple(OWNED_SCHEMA.names), partition_by="shard", bytes_per_row=24
        )
        builder.exchange(UnitEmitter(self.parameters, keys))
        unit, span = f"{self.parameters.unit}s", self.parameters.span
        reducer = OwnerReducer(spec, unit if span == 1 else f"runs of {span} {unit}")
        builder.reduce(keys, reducer, FirstOfKey(("key", "key_low"), ("key", "key_low", "p0")))
        builder.join(owned)
        builder.map(self)

    def measure(self, rows: LiveRows) -> Measured:
        """Remove what is owned elsewhere, and repeats within the document."""
        told = joined_columns(rows, f"{self.instance}.owned", OWNED_SCHEMA)
        pieces, runs = document_runs(rows, self.parameters)
        place = told["row"].astype(np.int64)
        gone = gone_units(runs, place, told["key"], told["key_low"], len(pieces.starts))
        spans = cuts(rows.texts, self.parameters.unit, pieces, gone)
        removed_units = np.bincount(pieces.owners[gone], minlength=len(rows)).astype(np.int64)
        removed_bytes = np.zeros(len(rows), np.int64)
        np.add.at(removed_bytes, spans[0], spans[2] - spans[1])
        changed = np.flatnonzero(removed_units)
        left = _texts_left(rows.texts, changed, spans)
        signals: dict[str, Any] = {
            "removed_units": removed_units,
            "removed_bytes": removed_bytes,
            "remaining_words": _scattered(
                len(rows), changed, count_spaced_words(left.data, left.offsets[:-1], left.offsets[1:], False)
            ),
        }
        if self.parameters.min_remaining_sentences is not None:
            lines = left.lines
            totals = np.zeros(len(lines.starts) + 1, np.int64)
            np.cumsum(count_sentences(left.data, lines.starts, lines.ends), out=totals[1:])
            signals["remaining_sentences"] = _scattered(
                len(rows), changed, np.diff(totals[lines.document_offsets])
            )
        count = len(spans[0])
        return Measured(signals=signals, edits=Edits(*spans, [""] * count, [self.parameters.unit] * count))


def _texts_left(texts: Texts, changed: Int64, spans: tuple[Int64, Int64, Int64]) -> Texts:
    """The `changed` texts without the spans, all of which are theirs."""
    chosen = texts.take(changed)
    rows = np.searchsorted(changed, spans[0])
    nothing = np.zeros(0, np.uint8), np.zeros(len(rows) + 1, np.int64)
    return Texts(*apply_edits(chosen.data, chosen.offsets, rows, spans[1], spans[2], *nothing))


def _scattered(count: int, places: Int64, values: Int64) -> pa.Array:
    """`values` at `places` among `count`, null elsewhere."""
    whole = np.zeros(count, np.int64)
    whole[places] = values
    missing = np.ones(count, np.bool_)
    missing[places] = False
    return pa.array(whole, mask=missing)
