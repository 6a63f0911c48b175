"""Entries of a model file's dictionary, and finding them again."""

from __future__ import annotations

import struct

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from corpusforge.kernels.fasttext_dictionary import hash_entries, scan_entries
from corpusforge.kernels.fasttext_sums import find_entry

spelling = st.binary(max_size=12).map(lambda name: name.replace(b"\0", b""))
entries = st.lists(st.tuples(spelling, st.integers(-(2**63), 2**63 - 1), st.integers(0, 255)), max_size=12)


@given(entries, st.binary(max_size=5), st.integers(0, 20))
@settings(deadline=None)
def test_scan(rows: list[tuple[bytes, int, int]], before: bytes, cut: int) -> None:
    content = before + b"".join(name + b"\0" + struct.pack("<qB", count, kind) for name, count, kind in rows)
    data = np.frombuffer(content, np.uint8)
    starts, ends, counts, kinds, behind = scan_entries(data, len(before), len(rows))
    assert [content[start:end] for start, end in zip(starts, ends)] == [name for name, _, _ in rows]
    assert counts.tolist() == [count for _, count, _ in rows]
    assert kinds.tolist() == [kind for _, _, kind in rows]
    assert behind == len(content)
    short = data[: max(len(content) - 1 - cut, len(before))]
    if rows:
        assert scan_entries(short, len(before), len(rows))[4] == -1


@given(st.lists(spelling, max_size=12), st.lists(spelling, max_size=6))
@settings(deadline=None)
def test_find(names: list[bytes], others: list[bytes]) -> None:
    joined = np.frombuffer(b"".join(names), np.uint8)
    offsets = np.cumsum([0, *map(len, names)]).astype(np.int64)
    table = hash_entries(joined, offsets, 32)
    for name in [*names, *others]:
        expected = names.index(name) if name in names else -1
        assert find_entry(np.frombuffer(name, np.uint8), 0, len(name), joined, offsets, table) == expected
