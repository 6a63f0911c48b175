"""What the report says of duplicates as a whole: the largest clusters, and who has what in common with whom.

Collected from the tables of decisions while their reduce tasks write them, partition by partition, in memory that
depends on the numbers of sources and dumps and not on the documents.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corpusforge.operations import shard_of
from corpusforge.sources.base import Shard

Int64 = npt.NDArray[np.int64]

LARGEST = 10
"""Clusters that the report shows."""

MEMBERS = 3
"""Dropped documents shown of each."""

SURVIVOR, MEMBER = "survivor", "address"
"""Columns of a table of decisions; the rows of one survivor stand together."""

EARLIER = "earlier run"
"""Where survivors of earlier runs belong: their addresses are negative."""

_CRAWL = re.compile(r"CC-MAIN-\d{4}-\d+")
_PAIRS_PER_TASK = 4096


def labels_of(shards: Sequence[Shard]) -> dict[str, list[str]]:
    """Source and dump of every shard: ``{"sources": [...], "dumps": [...]}``.

    The dump is the crawl that its files' paths name, where they name one only, else the number of its generation.
    """
    dumps = []
    for shard in shards:
        crawls = {found.group() for file in shard.files if (found := _CRAWL.search(file.path))}
        named = crawls.pop() if len(crawls) == 1 else f"generation {shard.generation}"
        dumps.append(f"{shard.source} {named}")
    return {"sources": [shard.source for shard in shards], "dumps": dumps}


class PairCounts:
    """Counts rows by source, and by dump, of what goes and of what stays in its place."""

    def __init__(self, shards: Sequence[Shard]) -> None:
        labels = labels_of(shards)
        # A dump is of one source, so that pairs of dumps are all that has to be counted.
        self._names, first, codes = np.unique(
            [*labels["dumps"], EARLIER], return_index=True, return_inverse=True
        )
        self._codes = codes.astype(np.int64).reshape(-1)
        self._sources = [[*labels["sources"], EARLIER][at] for at in first.tolist()]
        self._pairs: dict[int, int] = {}

    def add(self, survivors: Int64, members: Int64) -> None:
        """Take rows by their two addresses, int64[n] each; negative ones are of earlier runs."""
        width = len(self._names)
        goes, stays = self._codes_of(members), self._codes_of(survivors)
        for key, count in zip(*_counted(goes * width + stays, width * width)):
            self._pairs[key] = self._pairs.get(key, 0) + count

    def _codes_of(self, addresses: Int64) -> Int64:
        # The last label stands for every address that is not of this run.
        return self._codes[np.maximum(shard_of(addresses), -1)]

    def to_json(self) -> dict[str, Any]:
        """``{"sources": [[of what goes, of what stays, rows], ...], "dumps": the same}``, most rows first."""
        found = {}
        for kind, names in (("sources", self._sources), ("dumps", self._names.tolist())):
            totals: dict[tuple[str, str], int] = {}
            for key, count in self._pairs.items():
                pair = names[key // len(names)], names[key % len(names)]
                totals[pair] = totals.get(pair, 0) + count
            found[kind] = _most_first(totals)[:_PAIRS_PER_TASK]
        return found


class ClusterFacts:
    """Largest clusters and pairs of sources and dumps, of one partition's table of decisions."""

    def __init__(self, shards: Sequence[Shard]) -> None:
        self._pairs = PairCounts(shards)
        self._largest: list[tuple[int, int, list[int]]] = []
        self._open: tuple[int, int, list[int]] | None = None
        """Survivor, members so far, and the first of them."""

    def add(self, batch: pa.RecordBatch) -> None:
        """Take the next rows of a table; tables without survivors are passed over."""
        if SURVIVOR not in batch.schema.names or MEMBER not in batch.schema.names or batch.num_rows == 0:
            return
        survivors = batch.column(SURVIVOR).to_numpy(zero_copy_only=False)
        members = batch.column(MEMBER).to_numpy(zero_copy_only=False)
        self._pairs.add(survivors, members)
        starts = np.flatnonzero(np.concatenate([[True], survivors[1:] != survivors[:-1]]))
        sizes = np.diff(np.append(starts, len(survivors)))
        first = 0
        if self._open is not None and self._open[0] == survivors[0]:
            survivor, count, shown = self._open
            shown = [*shown, *members[: min(int(sizes[0]), MEMBERS - len(shown))].tolist()]
            self._open = (survivor, count + int(sizes[0]), shown)
            first = 1
        if first == len(starts):
            return
        # All groups but the last end here; of these, only the largest can matter.
        ended = np.arange(first, len(starts) - 1)
        for at in ended[np.argsort(-sizes[ended], kind="stable")][:LARGEST].tolist():
            self._end((int(survivors[starts[at]]), int(sizes[at]), _shown(members, starts[at], sizes[at])))
        self._end(self._open)
        self._open = (int(survivors[-1]), int(sizes[-1]), _shown(members, starts[-1], sizes[-1]))

    def _end(self, cluster: tuple[int, int, list[int]] | None) -> None:
        if cluster is not None:
            self._largest = sorted([*self._largest, cluster], key=_order)[:LARGEST]

    def to_json(self) -> dict[str, Any] | None:
        """``{"largest": [[survivor, dropped, [address, ...]], ...], "sources": [[dropped, kept, documents], ...],
        "dumps": the same}``; None when there was no table of decisions.
        """
        self._end(self._open)
        self._open = None
        if not self._largest:
            return None
        return {"largest": [list(cluster) for cluster in self._largest], **self._pairs.to_json()}


def _counted(values: Int64, limit: int) -> tuple[list[int], list[int]]:
    """The distinct values, each from 0 to below `limit`, in order, and how often each stands there."""
    if limit <= len(values):
        counts = np.bincount(values)
        keys = np.flatnonzero(counts)
        return keys.tolist(), counts[keys].tolist()
    keys, counts = np.unique(values, return_counts=True)
    return keys.tolist(), counts.tolist()


def _shown(members: Int64, start: int, size: int) -> list[int]:
    return [int(member) for member in members[start : start + min(int(size), MEMBERS)]]


def _order(cluster: tuple[int, int, list[int]]) -> tuple[int, int]:
    return -cluster[1], cluster[0]


def merge(parts: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Merge what `ClusterFacts.to_json` gave for all partitions of a step; their order does not matter."""
    clusters: dict[int, tuple[int, list[int]]] = {}
    parts = list(parts)
    for part in parts:
        for survivor, dropped, shown in part["largest"]:
            # The members of one survivor may stand in two partitions: those decided by the last pass in the first.
            count, before = clusters.get(survivor, (0, []))
            clusters[survivor] = (count + dropped, sorted([*before, *shown])[:MEMBERS])
    largest = sorted(((survivor, *rest) for survivor, rest in clusters.items()), key=_order)[:LARGEST]
    return {"largest": [list(cluster) for cluster in largest], **merge_pairs(parts)}


def merge_pairs(parts: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Merge what `PairCounts.to_json` gave for all partitions of a step; their order does not matter."""
    pairs: dict[str, dict[tuple[str, str], int]] = {"sources": {}, "dumps": {}}
    for part in parts:
        for kind, totals in pairs.items():
            for dropped, kept, count in part[kind]:
                totals[dropped, kept] = totals.get((dropped, kept), 0) + count
    return {kind: _most_first(totals) for kind, totals in pairs.items()}


def _most_first(totals: Mapping[tuple[str, str], int]) -> list[list[Any]]:
    return [[*names, count] for names, count in sorted(totals.items(), key=lambda item: (-item[1], item[0]))]
