"""Pairs within buckets: each row with the first few rows of its bucket, in one pass and constant memory."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corpusforge.kernels.array_types import INT64, READ_INT64, READ_UINT64, UINT64
from corpusforge.kernels.loading import kernel, types

Int64 = npt.NDArray[np.int64]
UInt64 = npt.NDArray[np.uint64]


class LeaderState:
    """What is remembered of the bucket at hand between two calls: its key and up to `limit` leaders."""

    def __init__(self, limit: int) -> None:
        self.addresses = np.zeros(limit, np.int64)
        self.fingerprints = np.zeros(limit, np.uint64)
        self.key = np.zeros(1, np.uint64)
        self.counts = np.zeros(2, np.int64)
        """Leaders of the bucket at hand (-1: no bucket yet) and rows that found the leaders complete."""
        self.counts[0] = -1

    @property
    def overflow(self) -> int:
        """Rows that could not become leaders, over all buckets."""
        return int(self.counts[1])


def leader_pairs(
    state: LeaderState, keys: UInt64, addresses: Int64, fingerprints: UInt64
) -> tuple[Int64, Int64, Int64]:
    """Pair the next rows of a stream sorted by key with their buckets' leaders.

    A row with a leader's fingerprint is paired with that leader alone and becomes no leader. Any other row is
    paired with all leaders and becomes one while there is room. Returns the pairs' leaders and members
    (addresses) and the leaders' places in their buckets, int64 each.
    """
    leaders, members, ranks = _leader_pairs(
        keys, addresses, fingerprints, state.addresses, state.fingerprints, state.key, state.counts
    )
    return leaders, members, ranks


@kernel(
    types.UniTuple(types.int64[::1], 3)(READ_UINT64, READ_INT64, READ_UINT64, INT64, UINT64, UINT64, INT64)
)
def _leader_pairs(
    keys: UInt64,
    addresses: Int64,
    fingerprints: UInt64,
    leader_addresses: Int64,
    leader_fingerprints: UInt64,
    key: UInt64,
    counts: Int64,
) -> tuple[Int64, Int64, Int64]:
    room = 1024
    leaders, members, ranks = np.empty(room, np.int64), np.empty(room, np.int64), np.empty(room, np.int64)
    filled = 0
    for row in range(len(keys)):
        if counts[0] < 0 or keys[row] != key[0]:
            key[0] = keys[row]
            counts[0] = 0
        first, last = 0, counts[0]
        for place in range(counts[0]):
            if leader_fingerprints[place] == fingerprints[row]:
                first, last = place, place + 1
                break
        equal = last - first == 1 and leader_fingerprints[first] == fingerprints[row]
        if filled + last - first > room:
            room = 2 * room + last - first
            grown = np.empty((3, room), np.int64)
            grown[0, :filled], grown[1, :filled] = leaders[:filled], members[:filled]
            grown[2, :filled] = ranks[:filled]
            leaders, members, ranks = grown[0], grown[1], grown[2]
        for place in range(first, last):
            leaders[filled] = leader_addresses[place]
            members[filled] = addresses[row]
            ranks[filled] = place
            filled += 1
        if equal:
            continue
        if counts[0] == len(leader_addresses):
            counts[1] += 1
            continue
        leader_addresses[counts[0]] = addresses[row]
        leader_fingerprints[counts[0]] = fingerprints[row]
        counts[0] += 1
    return leaders[:filled].copy(), members[:filled].copy(), ranks[:filled].copy()
