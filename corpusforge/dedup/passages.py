"""Passages of words as windows and anchors: what documents send to learn what else they stand in.

A window is a run of `words` words. Its anchor is the run of about half as many words in it whose hash is least, so
equal windows have equal anchors (winnowing). A first exchange finds the anchors that stand in two places; only
windows with such an anchor are sent in the second one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corpusforge.dedup.groups import Columns, GroupHeads, batch_of, columns_of, joined_columns, lost_parts
from corpusforge.dedup.priority import PRIORITY, PRIORITY_FIELDS, priority_columns
from corpusforge.dedup.sampling import SampledEmitter
from corpusforge.kernels.winnow import window_hashes, window_minima
from corpusforge.operations import Emitter, ExchangeSpec, Reducer
from corpusforge.step import LiveRows
from corpusforge.texts import Texts

if TYPE_CHECKING:
    from corpusforge.dedup.substring import SubstringParameters

Int64 = npt.NDArray[np.int64]
UInt64 = npt.NDArray[np.uint64]

_ANCHOR_SALT = 0x6A09E667F3BCC908
_HIGH_SALT = 0xBB67AE8584CAA73B
_LOW_SALT = 0x3C6EF372FE94F82B

ANCHOR_SCHEMA = pa.schema([pa.field("key", pa.uint64()), pa.field("address", pa.int64())])
MATCHED_SCHEMA = pa.schema([pa.field("address", pa.int64()), pa.field("key", pa.uint64())])
WINDOW_SCHEMA = pa.schema(
    [
        pa.field("key", pa.uint64()),
        pa.field("key_low", pa.uint64()),
        *PRIORITY_FIELDS[:4],
        pa.field("address", pa.int64()),
        pa.field("repeats", pa.int64()),
    ]
)
OWNED_SCHEMA = pa.schema(
    [
        pa.field("address", pa.int64()),
        pa.field("key", pa.uint64()),
        pa.field("key_low", pa.uint64()),
        pa.field("elsewhere", pa.int64()),
    ]
)


def anchor_spec(name: str) -> ExchangeSpec:
    """Anchors of documents: about two in every 27 words for windows of 50."""
    return ExchangeSpec(name, ANCHOR_SCHEMA, ("key", "address"), bytes_per_row=16)


def matched_spec(name: str) -> ExchangeSpec:
    """Anchors of a document that stand in another place too."""
    return ExchangeSpec(name, MATCHED_SCHEMA, ("address", "key"), partition_by="shard", bytes_per_row=16)


def window_spec(name: str) -> ExchangeSpec:
    """Windows with a matched anchor, each once per document, sorted by priority."""
    order = ("key", "key_low", *PRIORITY[:4], "address")
    return ExchangeSpec(name, WINDOW_SCHEMA, order, bytes_per_row=64)


def owned_spec(name: str) -> ExchangeSpec:
    """Windows of a document that another one owns (`elsewhere` 1), or that it owns and repeats (0)."""
    return ExchangeSpec(name, OWNED_SCHEMA, tuple(OWNED_SCHEMA.names), partition_by="shard", bytes_per_row=32)


def anchor_words(words: int) -> int:
    """Words of an anchor in windows of `words`: 25 for 50, so that of 26 places in a window one is taken."""
    return (words + 1) // 2


def anchors(texts: Texts, words: int) -> tuple[Int64, Int64, UInt64]:
    """For every window its anchor: document offsets int64[n + 1] of windows, places int64[m], hashes uint64[m].

    Places tell two occurrences of one anchor apart; they have no other meaning.
    """
    view = texts.words
    width = anchor_words(words)
    offsets, hashes = window_hashes(view.document_offsets, view.hashes, width, np.uint64(_ANCHOR_SALT))
    window_offsets, places = window_minima(offsets, hashes, words - width + 1)
    return window_offsets, places, hashes[places]


def windows(texts: Texts, words: int) -> tuple[Int64, UInt64, UInt64]:
    """Hashes of all windows of 128 bits as two halves: document offsets int64[n + 1], uint64[m], uint64[m].

    Both halves stand on the words' own hashes of 64 bits.
    """
    view = texts.words
    offsets, high = window_hashes(view.document_offsets, view.hashes, words, np.uint64(_HIGH_SALT))
    _, low = window_hashes(view.document_offsets, view.hashes, words, np.uint64(_LOW_SALT))
    return offsets, high, low


class AnchorEmitter(SampledEmitter):
    """Sends (anchor, address): once for each anchor of a document, twice when it stands there in two places."""

    def __init__(self, parameters: SubstringParameters, name: str) -> None:
        self.parameters = parameters
        self.output = anchor_spec(name)

    def emit(self, rows: LiveRows) -> pa.RecordBatch:
        """At most two rows per document and distinct anchor."""
        offsets, places, hashes = anchors(rows.texts, self.parameters.words)
        owner = np.repeat(np.arange(len(rows)), np.diff(offsets))
        # Neighbouring windows mostly share an anchor: places rise within a document, so repeats are neighbours.
        new = np.ones(len(places), np.bool_)
        new[1:] = places[1:] != places[:-1]
        owner, hashes = owner[new], hashes[new]
        order = np.lexsort((hashes, owner))
        owner, hashes = owner[order], hashes[order]
        same = np.zeros(len(owner), np.bool_)
        same[1:] = (owner[1:] == owner[:-1]) & (hashes[1:] == hashes[:-1])
        third = same.copy()
        third[1:] &= same[:-1]
        columns: Columns = {"key": hashes, "address": rows.addresses[owner]}
        self._sample.add_holders(columns["key"], columns["address"])
        return batch_of(ANCHOR_SCHEMA, columns, ~third)


class MatchReducer(Reducer):
    """Tells documents which of their anchors stand in two places. Memory: one row besides the batch."""

    def __init__(self, output: ExchangeSpec) -> None:
        self.outputs = (output,)
        self._anchors = 0
        self._matched = 0

    def reduce(self, batches: Iterator[pa.RecordBatch]) -> Iterator[tuple[str, pa.RecordBatch]]:
        """Yield (address, anchor), each pair once."""
        self._anchors = self._matched = 0
        key, address = np.zeros(0, np.uint64), np.zeros(0, np.int64)
        in_group, told = False, False
        for batch in batches:
            columns = columns_of(batch, ANCHOR_SCHEMA.names)
            key = np.concatenate([key, columns["key"]])
            address = np.concatenate([address, columns["address"]])
            if len(key) > 1:
                # The last row waits for the one behind it, which may be of the next batch.
                yield self._matches(key, address, in_group, told)
                in_group = bool(key[-1] == key[-2])
                told = in_group and bool(address[-1] == address[-2])
                key, address = key[-1:], address[-1:]
        if len(key):
            ends = (np.append(key, ~key[-1]), np.append(address, -1))
            yield self._matches(*ends, in_group, told)

    def _matches(self, key: UInt64, address: Int64, in_group: bool, told: bool) -> tuple[str, pa.RecordBatch]:
        """Judge all rows but the last; `in_group` and `told` speak of the first one and the row before it."""
        same = key[1:] == key[:-1]
        before = np.concatenate([[in_group], same[:-1]])
        again = np.concatenate([[told], same[:-1] & (address[1:-1] == address[:-2])])
        matched = (same | before) & ~again
        # Documents of earlier runs stay as they are: nothing is told to them.
        new = address[:-1] >= 0
        matched &= new
        self._anchors += int(new.sum())
        self._matched += int(matched.sum())
        columns: Columns = {"address": address[:-1], "key": key[:-1]}
        return self.outputs[0].name, batch_of(MATCHED_SCHEMA, columns, matched)

    def statistics(self) -> dict[str, int]:
        """Count anchors, and pairs of a document and an anchor that stands in another place too."""
        return {"anchors": self._anchors, "matched": self._matched}


class WindowEmitter(Emitter):
    """Sends the windows of documents whose anchor is matched."""

    def __init__(self, parameters: SubstringParameters, matched: str, name: str) -> None:
        self.parameters = parameters
        self.matched = matched
        self.output = window_spec(name)

    def emit(self, rows: LiveRows) -> pa.RecordBatch:
        """One row per document and distinct window; `repeats` is 1 when it stands there twice."""
        joined = joined_columns(rows, self.matched, MATCHED_SCHEMA)
        documents = np.unique(joined["row"]).astype(np.int64)
        texts = rows.texts.take(documents)
        offsets, _, anchor = anchors(texts, self.parameters.words)
        _, high, low = windows(texts, self.parameters.words)
        parts = []
        for number, document in enumerate(documents.tolist()):
            first, last = int(offsets[number]), int(offsets[number + 1])
            here = np.isin(anchor[first:last], joined["key"][joined["row"] == document])
            parts.append(_distinct(high[first:last][here], low[first:last][here]))
        place = np.repeat(documents, [len(part[0]) for part in parts])
        columns: Columns = {
            "key": _joined_parts([part[0] for part in parts], np.uint64),
            "key_low": _joined_parts([part[1] for part in parts], np.uint64),
            "repeats": _joined_parts([part[2] for part in parts], np.int64),
            "address": rows.addresses[place],
        }
        priority = priority_columns(rows, self.parameters)
        columns |= {name: priority[name][place] for name in PRIORITY[:4]}
        return batch_of(WINDOW_SCHEMA, columns)


def _joined_parts(parts: list[npt.NDArray[np.generic]], kind: type[np.generic]) -> npt.NDArray[np.generic]:
    return np.concatenate(parts) if parts else np.zeros(0, kind)


def _distinct(high: UInt64, low: UInt64) -> tuple[UInt64, UInt64, Int64]:
    """Each pair once, sorted, with 1 where there were several."""
    order = np.lexsort((low, high))
    high, low = high[order], low[order]
    new = np.ones(len(high), np.bool_)
    new[1:] = (high[1:] != high[:-1]) | (low[1:] != low[:-1])
    first = np.flatnonzero(new)
    counts = np.diff(np.append(first, len(high)))
    return high[first], low[first], (counts > 1).astype(np.int64)


class WindowReducer(Reducer):
    """Tells documents which windows the preferred document of each owns. Memory per window: its key."""

    def __init__(self, output: ExchangeSpec, parts: str = "windows") -> None:
        self.outputs = (output,)
        self.parts = parts
        self._windows = 0
        self._owned_elsewhere = 0

    def reduce(self, batches: Iterator[pa.RecordBatch]) -> Iterator[tuple[str, pa.RecordBatch]]:
        """Yield the rows of `OWNED_SCHEMA`, and for the report windows owned elsewhere."""
        self._windows = self._owned_elsewhere = 0
        groups = GroupHeads(("key", "key_low"), ("address",))
        for batch in batches:
            columns = columns_of(batch, ("address", "key", "key_low", "repeats"))
            opens, heads = groups.heads(columns)
            columns["elsewhere"] = (~opens).astype(np.int64)
            new = columns["address"] >= 0
            self._windows += int(opens.sum())
            self._owned_elsewhere += int((~opens & new).sum())
            told = new & (~opens | (columns["repeats"] == 1))
            yield self.outputs[0].name, batch_of(OWNED_SCHEMA, columns, told)
            yield lost_parts(columns, heads, ~opens & new)

    def statistics(self) -> dict[str, int]:
        """Count distinct windows that were sent, and pairs of a document and a window owned elsewhere."""
        return {"windows": self._windows, "owned_elsewhere": self._owned_elsewhere}
