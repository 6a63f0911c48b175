"""Exact deduplication by the text or by the normalized URL."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
import pyarrow as pa

from corpusforge.dedup.decisions import FirstSurvives, apply_decisions, decision_spec
from corpusforge.dedup.groups import Columns, batch_of
from corpusforge.dedup.keepers import FirstOfKey
from corpusforge.dedup.normalize import Normalization, normalized, normalized_spans
from corpusforge.dedup.priority import PRIORITY, PRIORITY_FIELDS, binary_halves, priority_columns
from corpusforge.dedup.sampling import SampledEmitter
from corpusforge.dedup.scopes import DumpParameters, dump_scopes
from corpusforge.kernels.mixing import mix64_array
from corpusforge.operations import ExchangeSpec
from corpusforge.step import LiveRows, MapStep, Measured, Rule, Signal
from corpusforge.texts import Texts

if TYPE_CHECKING:
    from corpusforge.plan import PlanBuilder

KEY = ("key", "key_low")
"""A 128-bit key as two uint64 columns."""


class ExactParameters(DumpParameters):
    """Parameters of `exact_dedup`."""

    key: Literal["text", "url"] = "text"
    """What must be equal: the text, or the document's `url_key`."""
    normalization: Normalization = "none"
    """Of the text before it is hashed: see `corpusforge.dedup.normalize`."""
    scope: Literal["dump", "global"] = "global"
    """`dump`: documents of different dumps are never compared."""
    duplicate: bool | None = True
    """True drops duplicates; null only measures them."""


def text_keys(texts: Texts, normalization: Normalization) -> pa.Array:
    """Hash each normalized text with BLAKE2b, binary(16)[n]; null where nothing is left of a text.

    A cryptographic hash, as pages are hostile and the hash alone decides.
    """
    keys = []
    for value in _values(texts, normalization):
        digest = hashlib.blake2b(value, digest_size=16, person=b"corpusforge-dup")
        keys.append(digest.digest() if len(value) else None)
    return pa.array(keys, pa.binary(16))


def _values(texts: Texts, normalization: Normalization) -> Iterator[bytes | memoryview]:
    """The normalized texts, one by one."""
    if normalization in ("none", "whitespace"):
        spans = normalized_spans(texts.data, texts.offsets[:-1], texts.offsets[1:], normalization)
        view = memoryview(spans[0].data)
        yield from (view[start:end] for start, end in zip(spans[1].tolist(), spans[2].tolist()))
    else:
        # Whole texts are seldom ASCII, and beyond it the kernel leaves these normalizations to Python.
        yield from (normalized(texts.bytes_of(index), normalization) for index in range(len(texts)))


class KeyEmitter(SampledEmitter):
    """Sends (128-bit key, priority, address) of each document that has a key."""

    def __init__(self, parameters: ExactParameters, name: str) -> None:
        self.parameters = parameters
        schema = pa.schema(
            [
                *(pa.field(part, pa.uint64()) for part in KEY),
                *PRIORITY_FIELDS,
                pa.field("address", pa.int64()),
            ]
        )
        self.output = ExchangeSpec(name, schema, (*KEY, *PRIORITY, "address"), bytes_per_row=64)

    def emit(self, rows: LiveRows) -> pa.RecordBatch:
        """One row per document; none for documents whose text or URL is missing."""
        if self.parameters.key == "url":
            keys = rows.column("url_key")
        else:
            keys = text_keys(rows.texts, self.parameters.normalization)
        high, low = binary_halves(keys)
        if self.parameters.scope == "dump":
            # Keys and scopes are hashes of 128 bits: equal keys of different dumps become unrelated ones.
            scope_high, scope_low = dump_scopes(rows, self.parameters).halves()
            high, low = high ^ scope_high, low ^ scope_low
        # A url_key is a hash already, but made elsewhere; mixing costs nothing and keeps partitions even.
        columns: Columns = {"key": mix64_array(high), "key_low": low, "address": rows.addresses}
        columns |= priority_columns(rows, self.parameters)
        valid = np.asarray(keys.is_valid())
        self._sample.add_holders(columns["key"][valid], columns["address"][valid])
        return batch_of(self.output.schema, columns, valid)


class ExactDedup(MapStep):
    """Drops all but the preferred one of documents that are equal."""

    name: ClassVar[str] = "exact_dedup"
    summary: ClassVar[str] = "drops documents whose (normalized) text or URL is that of a preferred one"
    Parameters = ExactParameters
    reads = "none"
    signals = (
        Signal("duplicate", description="1 when a preferred document is equal, else 0"),
        Signal("copies", description="documents that are dropped for this one"),
    )
    rules = (Rule("duplicate", "duplicate", "is_true"),)

    def compile(self, builder: PlanBuilder) -> None:
        """Keys to their partition, decisions back to the shards."""
        keys, decisions = f"{self.instance}.keys", f"{self.instance}.decisions"
        builder.exchange(KeyEmitter(self.parameters, keys))
        kept = FirstOfKey(KEY, (*KEY, "p0", "p3", "p4", "address"))
        builder.reduce(keys, FirstSurvives(KEY, decision_spec(decisions)), kept)
        builder.join(decisions)
        builder.map(self)

    def measure(self, rows: LiveRows) -> Measured:
        """Read the decisions."""
        measured, _ = apply_decisions(rows, f"{self.instance}.decisions")
        return measured
