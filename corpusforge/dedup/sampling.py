"""A small sample of documents in which near-duplicates stand together: what error rates are measured on.

A sample by chance would hold next to no pair of duplicates once the corpus is large. This one takes the documents
of least `content_ranks`: two documents of similarity J are ranked alike with probability J, whatever the corpus's size,
and the ranks are drawn by a hash of their own, so it does not depend on the bands whether a pair is in the sample.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from corpusforge.kernels.all_pairs import content_ranks
from corpusforge.kernels.mixing import mix64_array
from corpusforge.operations import Emitter
from corpusforge.step import RunContext

Int64 = npt.NDArray[np.int64]
UInt64 = npt.NDArray[np.uint64]

SAMPLED_DOCUMENTS = 2000
"""Documents of the whole run that error rates are measured on, at most."""

SAMPLED_HOLDERS = 400
"""The same for steps that compare parts of documents, which are drawn by the parts."""

SAME_RANK = 4
"""Documents of equal rank that a sample holds at most: an empty page that stands a million times is no sample."""

_SALT = np.uint64(0x73616D706C650001)
_PART_SALT = 0x73616D706C650002
_NO_SHINGLES = 2**64 - 1


class ContentSample:
    """The documents of least rank in a shard, given batch by batch in the shard's order; `limit` of them at most."""

    def __init__(self, limit: int | None = None) -> None:
        self._limit = SAMPLED_DOCUMENTS if limit is None else limit
        self._ranks, self._addresses = np.zeros(0, np.uint64), np.zeros(0, np.int64)

    def add(self, offsets: Int64, shingles: UInt64, addresses: Int64, least: int = 1) -> None:
        """Take the documents of a batch: their shingle hashes, and where they stand.

        Those with fewer than `least` hashes, or none, are left out.
        """
        ranks = content_ranks(offsets, shingles, _SALT)
        enough = np.flatnonzero(np.diff(offsets) >= least)
        self._take(ranks[enough], addresses[enough])

    def add_holders(self, keys: UInt64, addresses: Int64) -> None:
        """Take parts of a batch's documents: their keys (hashes), uint64[m], and where the documents stand, ascending.

        A document's rank is that of its least part, so a document is left out only when it holds no part as low as
        the sample reaches: of such a part all documents are there (of equal ones the first few).
        """
        if len(keys) == 0:
            return
        ranks = mix64_array(keys, _PART_SALT) >> np.uint64(1)
        first = np.flatnonzero(np.concatenate([[True], addresses[1:] != addresses[:-1]]))
        self._take(np.minimum.reduceat(ranks, first), addresses[first])

    def _take(self, ranks: UInt64, addresses: Int64) -> None:
        if len(self._ranks) == self._limit:
            lower = ranks <= self._ranks[-1]
            ranks, addresses = ranks[lower], addresses[lower]
        if len(ranks) == 0:
            return
        ranks = np.concatenate([self._ranks, ranks])
        addresses = np.concatenate([self._addresses, addresses])
        order = np.lexsort((addresses, ranks))
        ranks, addresses = ranks[order], addresses[order]
        # As many rows before one of the same rank: it is left out.
        fitting = ranks != np.uint64(_NO_SHINGLES)
        fitting[SAME_RANK:] &= ranks[SAME_RANK:] != ranks[:-SAME_RANK]
        self._ranks = ranks[fitting][: self._limit]
        self._addresses = addresses[fitting][: self._limit]

    def to_json(self, shards: int) -> dict[str, Any]:
        """``{"rows": [[rank, address], ...], "whole": bool}`` in order of rank, for a run of so many shards.

        A shard of many tells of eight times its share only; `whole` says that no document was left out.
        """
        limit = min(self._limit, 8 * -(-self._limit // shards) + 64)
        rows = zip(self._ranks[:limit].tolist(), self._addresses[:limit].tolist())
        return {"rows": [list(row) for row in rows], "whole": len(self._ranks) < limit}


def limited(rows: Iterable[tuple[int, int]]) -> Iterable[tuple[int, int]]:
    """Leave out what has no shingles, and of the rows of one rank all but the first few; rows come in order."""
    for rank, group in itertools.groupby(rows, key=lambda row: row[0]):
        if rank != _NO_SHINGLES:
            yield from itertools.islice(group, SAME_RANK)


class SampledEmitter(Emitter):
    """An emitter of parts of documents that tells of some documents, for the report to measure error rates on."""

    def open(self, context: RunContext) -> None:
        """Begin the sample of a task."""
        self._sample = ContentSample(SAMPLED_HOLDERS)

    def sampled(self, shards: int) -> dict[str, Any]:
        """Documents that error rates may be measured on."""
        return self._sample.to_json(shards)


class RunSample:
    """The documents of least rank among all shards' samples, added one by one; their order does not matter.

    Documents above the last rank that some shard was able to tell are left out, so the sample holds every document
    (of equal ones the first few) up to a rank.
    """

    def __init__(self) -> None:
        self._held: list[tuple[int, int]] = []
        self._bound = _NO_SHINGLES

    def add(self, sample: Mapping[str, Any]) -> None:
        """Take what `ContentSample.to_json` gave for a shard."""
        told = [(rank, address) for rank, address in sample["rows"]]
        if told and not sample["whole"]:
            self._bound = min(self._bound, told[-1][0])
        if len(self._held) == SAMPLED_DOCUMENTS:
            told = [row for row in told if row < self._held[-1]]
        if told:
            together = limited(heapq.merge(self._held, told))
            self._held = list(itertools.islice(together, SAMPLED_DOCUMENTS))

    def addresses(self) -> list[int]:
        """Where the sampled documents stand, by rank."""
        return [address for rank, address in self._held if rank <= self._bound]

    @property
    def crowded(self) -> bool:
        """True when documents of one rank may have been left out: some rank has as many as are taken."""
        return any(
            len(list(group)) >= SAME_RANK for _, group in itertools.groupby(self._held, lambda row: row[0])
        )
