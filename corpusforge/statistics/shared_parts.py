"""Who shares lines, n-grams or passages with whom, by source and by dump.

Counted while reduce tasks decide who owns what, partition by partition, in memory that depends on the numbers of
sources and dumps only. A part counts once for each document that has it, wherever and however often it stands there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from corpusforge.operations import COMPARED, LOST
from corpusforge.sources.base import Shard
from corpusforge.statistics.clusters import PairCounts, merge_pairs


class PartFacts:
    """Parts of documents of this run that documents of the same or another source own."""

    def __init__(self, shards: Sequence[Shard], kind: str) -> None:
        """`kind` is what the report calls the parts, in the plural."""
        self._kind = kind
        self._shards = shards
        self._facts: dict[str, PairCounts] = {}

    def add(self, name: str, batch: pa.RecordBatch) -> None:
        """Take the next rows given as `LOST` or `COMPARED`; documents of earlier runs lose nothing."""
        address = batch.column("address").to_numpy(zero_copy_only=False)
        # What is compared counts as a pair of its source and itself: the number of all its parts.
        survivor = batch.column("survivor" if name == LOST else "address").to_numpy(zero_copy_only=False)
        own = address >= 0
        if not own.all():
            address, survivor = address[own], survivor[own]
        if len(address) and not self._facts:
            # Only now, as most reduce tasks have no parts, and shards may be many.
            self._facts = {one: PairCounts(self._shards) for one in (LOST, COMPARED)}
        if len(address):
            self._facts[name].add(survivor, address)

    def to_json(self) -> dict[str, Any] | None:
        """``{"kind", "lost", "compared"}``, the latter as `PairCounts.to_json`; None when there was nothing."""
        if not self._facts:
            return None
        return {"kind": self._kind, **{name: facts.to_json() for name, facts in self._facts.items()}}


def merge_parts(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Merge what `PartFacts.to_json` gave for all partitions of a step; their order does not matter.

    Gives ``{"kind", "sources": [[of what goes, of what stays, parts], ...], "dumps": the same, "compared":
    {"sources": {name: parts}, "dumps": {…}}}``, or None without any.
    """
    if not parts:
        return None
    compared = merge_pairs([part[COMPARED] for part in parts])
    return {
        "kind": parts[0]["kind"],
        **merge_pairs([part[LOST] for part in parts]),
        "compared": {kind: {name: count for name, _, count in rows} for kind, rows in compared.items()},
    }
