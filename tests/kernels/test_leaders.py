from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from corpusforge.kernels.leaders import LeaderState, leader_pairs


def plain_pairs(rows: list[tuple[int, int]], limit: int) -> tuple[list[tuple[int, int, int]], int]:
    pairs, overflow = [], 0
    for key in sorted({key for key, _ in rows}):
        leaders: list[tuple[int, int]] = []
        for address, (of_key, fingerprint) in enumerate(rows):
            if of_key != key:
                continue
            equal = [place for place, (_, known) in enumerate(leaders) if known == fingerprint]
            for place in equal or range(len(leaders)):
                pairs.append((leaders[place][0], address, place))
            if not equal:
                if len(leaders) < limit:
                    leaders.append((address, fingerprint))
                else:
                    overflow += 1
    return pairs, overflow


@settings(max_examples=200, deadline=None)
@given(
    rows=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4)), max_size=40),
    limit=st.integers(1, 5),
    size=st.integers(1, 40),
)
def test_pairs_against_a_plain_twin_in_any_batches(
    rows: list[tuple[int, int]], limit: int, size: int
) -> None:
    rows = sorted(rows, key=lambda row: row[0])
    state = LeaderState(limit)
    found = []
    for start in range(0, len(rows), size):
        part = rows[start : start + size]
        leaders, members, ranks = leader_pairs(
            state,
            np.array([key for key, _ in part], np.uint64),
            np.arange(start, start + len(part), dtype=np.int64),
            np.array([fingerprint for _, fingerprint in part], np.uint64),
        )
        found += list(zip(leaders.tolist(), members.tolist(), ranks.tolist()))
    pairs, overflow = plain_pairs(rows, limit)
    assert found == pairs
    assert state.overflow == overflow


def test_many_pairs_outgrow_the_first_buffer() -> None:
    count = 300
    leaders, members, _ = leader_pairs(
        LeaderState(64), np.zeros(count, np.uint64), np.arange(count), np.arange(count).astype(np.uint64)
    )
    assert len(leaders) == 64 * 63 // 2 + (count - 64) * 64
    assert (leaders < members).all()
