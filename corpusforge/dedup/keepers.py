"""What deduplicating steps keep for later runs: the rows that documents of a later dump have to meet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corpusforge.dedup.groups import GroupHeads, columns_of
from corpusforge.operations import Keeper

Bool = npt.NDArray[np.bool_]


def _rows(batch: pa.RecordBatch, mask: Bool) -> pa.RecordBatch:
    return batch.filter(pa.array(mask))


class FirstOfKey(Keeper):
    """The owner of each key that no earlier run has: one row a key, whatever the number of copies."""

    def __init__(self, key: Sequence[str], columns: Sequence[str]) -> None:
        """`columns`: what is stored; the key's come first, `p0` must be among them."""
        self.key = tuple(key)
        self.columns = tuple(columns)
        self._groups = GroupHeads(self.key, ())

    def start(self) -> None:
        """Forget the last partition."""
        self._groups = GroupHeads(self.key, ())

    def choose(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Rows that open a group."""
        columns = columns_of(batch, (*self.key, "address"))
        opens, _ = self._groups.heads(columns)
        return _rows(batch, opens & (columns["address"] >= 0))


class FirstTwoOfKey(Keeper):
    """Of each key that no earlier run has the first row, and the second where there is one.

    So a later run sees which keys stood in one place only, and in which document.
    """

    def start(self) -> None:
        """Forget the last partition."""
        self._groups = GroupHeads(("key",), ("address",))
        self._opened = False

    def choose(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Rows that open a group, and those behind one that does."""
        columns = columns_of(batch, ("key", "address"))
        opens, heads = self._groups.heads(columns)
        second = np.concatenate([[self._opened], opens[:-1]]) & ~opens if len(opens) else opens
        self._opened = bool(opens[-1]) if len(opens) else self._opened
        return _rows(batch, (opens | second) & (heads["address"] >= 0))


class LeaderKeeper(Keeper):
    """The leaders of each bucket of band keys: the first rows with different fingerprints, up to a number.

    With these a later run finds the bucket as it was (see `corpusforge.kernels.leaders`). Memory: one batch and the
    fingerprints of one bucket's leaders.
    """

    def __init__(self, max_leaders: int) -> None:
        self.max_leaders = max_leaders
        self._key = -1
        self._known = np.zeros(0, np.uint64)

    def start(self) -> None:
        """Forget the last partition."""
        self._key = -1
        self._known = np.zeros(0, np.uint64)

    def choose(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Rows that become leaders."""
        columns = columns_of(batch, ("key", "address", "fingerprint"))
        key, fingerprint = columns["key"], columns["fingerprint"]
        count = len(key)
        if count == 0:
            return batch
        changes = key[1:] != key[:-1]
        bucket = np.concatenate([[0], np.cumsum(changes)])
        if int(key[0]) != self._key:
            self._known = np.zeros(0, np.uint64)
        # The sort is stable: the first of equal rows stays the first.
        order = np.lexsort((fingerprint, bucket))
        new = np.ones(count, np.bool_)
        new[1:] = (bucket[order][1:] != bucket[order][:-1]) | (
            fingerprint[order][1:] != fingerprint[order][:-1]
        )
        leads = np.zeros(count, np.bool_)
        leads[order[new]] = True
        leads[bucket == 0] &= ~np.isin(fingerprint[bucket == 0], self._known)
        place = np.cumsum(leads)
        first = np.concatenate([[0], np.flatnonzero(changes) + 1])
        before: npt.NDArray[np.int64] = np.asarray(place - leads, np.int64)[first]
        before[0] -= len(self._known)
        leads &= place - before[bucket] <= self.max_leaders
        last = bucket == bucket[-1]
        carried = self._known if bucket[-1] == 0 else np.zeros(0, np.uint64)
        self._key, self._known = int(key[-1]), np.concatenate([carried, fingerprint[last & leads]])
        return _rows(batch, leads & (columns["address"] >= 0))


class StateKeeper(Keeper):
    """What a round knows of documents that have a preferred similar one: undecided, or dropped and for whom.

    One row a document; `undecided` and `dropped` are the kinds of such rows, which come before all others of a key.
    """

    def __init__(self, kinds: Sequence[int]) -> None:
        self.kinds = tuple(kinds)
        self._groups = GroupHeads(("key",), ())

    def start(self) -> None:
        """Forget the last partition."""
        self._groups = GroupHeads(("key",), ())

    def choose(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Rows that open a group with what is known of its document."""
        columns = columns_of(batch, ("key", "kind", "member"))
        opens, _ = self._groups.heads(columns)
        known = np.isin(columns["kind"], np.array(self.kinds, np.int64))
        return _rows(batch, opens & known & (columns["member"] >= 0))


class OpenKeeper(Keeper):
    """The edges that the rounds left to the last pass, all of them under key 0."""

    def choose(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Rows of key 0."""
        columns: dict[str, Any] = columns_of(batch, ("key", "member"))
        return _rows(batch, (columns["key"] == 0) & (columns["member"] >= 0))
