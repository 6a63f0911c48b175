"""Deduplication of lines or paragraphs: each stays in one document, its other copies are removed as edits.

One row per distinct unit and document goes to the unit's partition; its owner is the least by (priority, id,
place in the text), and only what is owned elsewhere is sent back. A shard's copies are not merged before they
are sent, as each of these documents has to learn of the owner.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field

from corpusforge.dedup.groups import Columns, GroupHeads, batch_of, columns_of, joined_columns
from corpusforge.dedup.normalize import Normalization
from corpusforge.dedup.priority import (
    PRIORITY,
    PRIORITY_FIELDS,
    PriorityParameters,
    binary_halves,
    priority_columns,
)
from corpusforge.dedup.units import Unit, UnitKind, domain_of, units
from corpusforge.edits import Edits
from corpusforge.operations import Emitter, ExchangeSpec, Reducer
from corpusforge.step import LiveRows, MapStep, Measured, Rule, Signal

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


class LineParameters(PriorityParameters):
    """Parameters of `line_dedup`."""

    rules: str | None = None
    """Settings by name (``filters/dedup.yaml``); null: the defaults below."""
    unit: UnitKind = "line"
    """`paragraph`: what stands between blank lines."""
    scope: Literal["domain", "global"] = "domain"
    """Where a unit may stand once: per host (without a URL: per source), or in the whole corpus."""
    normalization: Normalization = "whitespace"
    """Before units are compared: see `corpusforge.dedup.normalize`."""
    min_words: Annotated[int, Field(ge=1)] = 1
    """Units of fewer words (between white space) are left alone."""
    min_characters: Annotated[int, Field(ge=1)] = 1
    """Units of fewer characters are left alone."""
    min_remaining_words: int | None = 50
    """Documents that lost units are dropped when fewer words are left; 50 is the least number of words of a
    document in Gopher (Rae et al., Scaling Language Models, 2021, appendix A.1.1). Null: never."""


def document_units(rows: LiveRows, parameters: LineParameters) -> list[list[Unit]]:
    """Find the units that take part in deduplication, per document."""
    if parameters.scope == "global":
        scopes = [b"global"] * len(rows)
    else:
        urls, sources = rows.column("url").to_pylist(), rows.column("source").to_pylist()
        scopes = [domain_of(url, source or "") for url, source in zip(urls, sources)]
    return [
        units(
            rows.texts.bytes_of(index),
            scope,
            parameters.unit,
            parameters.normalization,
            parameters.min_words,
            parameters.min_characters,
        )
        for index, scope in enumerate(scopes)
    ]


class UnitEmitter(Emitter):
    """Sends (key, priority, address) of each distinct unit of each document."""

    def __init__(self, parameters: LineParameters, name: str) -> None:
        self.parameters = parameters
        order = ("key", "key_low", *PRIORITY[:4], "address")
        self.output = ExchangeSpec(name, UNIT_SCHEMA, order, bytes_per_row=56)

    def emit(self, rows: LiveRows) -> pa.RecordBatch:
        """One row per document and distinct unit."""
        distinct = [
            list(dict.fromkeys(unit.key for unit in found)) for found in document_units(rows, self.parameters)
        ]
        keys = pa.array([key for found in distinct for key in found], pa.binary(16))
        place = np.repeat(np.arange(len(rows)), [len(found) for found in distinct])
        high, low = binary_halves(keys)
        columns: Columns = {"key": high, "key_low": low, "address": rows.addresses[place]}
        priority = priority_columns(rows, self.parameters)
        columns |= {name: priority[name][place] for name in PRIORITY[:4]}
        return batch_of(UNIT_SCHEMA, columns)


class OwnerReducer(Reducer):
    """Tells every document but the owner that a unit is owned elsewhere. Memory per unit: its key."""

    def __init__(self, output: ExchangeSpec) -> None:
        self.outputs = (output,)
        self._distinct = 0
        self._owned_elsewhere = 0

    def reduce(self, batches: Iterator[pa.RecordBatch]) -> Iterator[tuple[str, pa.RecordBatch]]:
        """Yield (address, key) of the units to remove."""
        self._distinct = self._owned_elsewhere = 0
        groups = GroupHeads(("key", "key_low"), ())
        for batch in batches:
            columns = columns_of(batch, OWNED_SCHEMA.names)
            opens, _ = groups.heads(columns)
            self._distinct += int(opens.sum())
            self._owned_elsewhere += int((~opens).sum())
            if not opens.all():
                yield self.outputs[0].name, batch_of(OWNED_SCHEMA, columns, ~opens)

    def statistics(self) -> dict[str, int]:
        """Count distinct units, and pairs of a document and a unit that it loses."""
        return {"distinct": self._distinct, "owned_elsewhere": self._owned_elsewhere}


class LineDedup(MapStep):
    """Removes lines or paragraphs that a preferred document, or an earlier place in the same one, has too."""

    name: ClassVar[str] = "line_dedup"
    summary: ClassVar[str] = (
        "removes lines or paragraphs that stand elsewhere too; drops documents left too small"
    )
    Parameters = LineParameters
    edits = True
    signals = (
        Signal("removed_units", description="lines or paragraphs removed"),
        Signal("removed_bytes", description="bytes removed, separators included"),
        Signal(
            "remaining_words", description="words left (between white space); null when nothing was removed"
        ),
    )
    rules = (Rule("min_remaining_words", "remaining_words", "below"),)

    def compile(self, builder: PlanBuilder) -> None:
        """Units to their partition, those owned elsewhere back to the shards."""
        keys, owned = f"{self.instance}.units", f"{self.instance}.owned"
        spec = ExchangeSpec(
            owned, OWNED_SCHEMA, tuple(OWNED_SCHEMA.names), partition_by="shard", bytes_per_row=24
        )
        builder.exchange(UnitEmitter(self.parameters, keys))
        builder.reduce(keys, OwnerReducer(spec))
        builder.join(owned)
        builder.map(self)

    def measure(self, rows: LiveRows) -> Measured:
        """Remove what is owned elsewhere, and repeats within the document."""
        owned = _owned_keys(joined_columns(rows, f"{self.instance}.owned", OWNED_SCHEMA), len(rows))
        spans: list[tuple[int, int, int]] = []
        removed_units = np.zeros(len(rows), np.int64)
        removed_bytes = np.zeros(len(rows), np.int64)
        remaining: list[int | None] = [None] * len(rows)
        for row, found in enumerate(document_units(rows, self.parameters)):
            seen = owned[row]
            removed = []
            for unit in found:
                if unit.key in seen:
                    removed.append((unit.start, unit.end))
                else:
                    seen.add(unit.key)
            if not removed:
                continue
            text = rows.texts.bytes_of(row)
            merged = _merged(removed)
            spans += [(row, start, end) for start, end in merged]
            removed_units[row] = len(removed)
            removed_bytes[row] = sum(end - start for start, end in merged)
            remaining[row] = _words_outside(text, merged)
        signals: dict[str, Any] = {
            "removed_units": removed_units,
            "removed_bytes": removed_bytes,
            "remaining_words": pa.array(remaining, pa.int64()),
        }
        return Measured(signals=signals, edits=_removals(spans, self.parameters.unit))


def _owned_keys(columns: Columns, count: int) -> list[set[bytes]]:
    """Keys owned elsewhere, per live row."""
    raw = np.stack([columns["key"], columns["key_low"]], axis=1).astype(">u8").tobytes()
    owned: list[set[bytes]] = [set() for _ in range(count)]
    for place, row in enumerate(columns["row"].tolist()):
        owned[row].add(raw[16 * place : 16 * place + 16])
    return owned


def _merged(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Join spans that touch; `spans` rise."""
    merged = [spans[0]]
    for start, end in spans[1:]:
        if start == merged[-1][1]:
            merged[-1] = (merged[-1][0], end)
        else:
            merged.append((start, end))
    return merged


def _words_outside(text: bytes, spans: list[tuple[int, int]]) -> int:
    """Count words between white space (Unicode's) outside the spans."""
    starts = [0, *(end for _, end in spans)]
    ends = [*(start for start, _ in spans), len(text)]
    kept = b"".join(text[start:end] for start, end in zip(starts, ends))
    return len(kept.decode("utf-8", "replace").split())


def _removals(spans: list[tuple[int, int, int]], rule: str) -> Edits:
    positions = np.array(spans, np.int64).reshape(-1, 3)
    rows, starts, ends = (np.ascontiguousarray(positions[:, place]) for place in range(3))
    return Edits(rows, starts, ends, [""] * len(spans), [rule] * len(spans))
