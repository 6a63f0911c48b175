"""The loader: rows of tokens in an order that is a pure function of (data, seed, step).

There is no iterator state: what a step reads follows from the step's number, so a run resumed anywhere, with
any number of workers or micro-batches, reads what the unbroken run would have read. Only numpy is needed.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from corpusforge.mix.mds import INDEX_NAME, read_index
from corpusforge.mix.megatron import MegatronReader
from corpusforge.mix.order import order_key, permute

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Row:
    """One row: `tokens` [capacity] integers and `boundaries` int32[k + 1].

    Boundaries are the places where documents start, and the end of the last one; what follows is padding.
    `columns` holds what else the shard says about the row (its source, …).
    """

    tokens: npt.NDArray[Any]
    boundaries: Int32
    columns: dict[str, Any]


class RowReader(ABC):
    """Rows by number, and the order in which training takes them."""

    fingerprint: str
    """SHA-256 in hex of the indexes: two readers with equal fingerprints hold equal rows in equal order."""

    @abstractmethod
    def __len__(self) -> int:
        """Count the rows."""

    @abstractmethod
    def row(self, index: int) -> Row:
        """Read one row."""

    def order(self, step: int, batch: int, seed: int | None = 0) -> Int64:
        """Rows int64[batch] of a step: a pure function of (fingerprint, seed, step, batch).

        Each epoch is a permutation of all rows of its own; a batch may cross from one epoch to the next. With
        the seed None the rows come as they are stored. Raises `ValueError` when there is nothing to read.
        """
        size = len(self)
        if size == 0 or step < 0 or batch < 1:
            raise ValueError(f"no order for step {step} with batches of {batch} of {size} rows")
        positions = step * batch + np.arange(batch, dtype=np.int64)
        places, epochs = positions % size, positions // size
        if seed is None:
            return places
        result = np.empty(batch, np.int64)
        for epoch in range(int(epochs[0]), int(epochs[-1]) + 1):
            inside = epochs == epoch
            result[inside] = permute(places[inside], size, order_key(seed, self.fingerprint, epoch))
        return result

    def batch(self, step: int, batch: int, seed: int | None = 0) -> list[Row]:
        """Read the rows of a step."""
        return [self.row(int(index)) for index in self.order(step, batch, seed)]


def _directories(given: Path | Sequence[Path]) -> list[Path]:
    return [given] if isinstance(given, Path) else list(given)


class PackedRows(RowReader):
    """Packed rows in MDS directories, one after the other (columns `tokens` and, if there, `boundaries`)."""

    def __init__(self, directories: Path | Sequence[Path], verify: bool = False) -> None:
        """Open the shards. `verify` reads all and compares hashes.

        Raises `ValueError` for damaged shards and `FileNotFoundError` where an index is missing.
        """
        digest = hashlib.sha256()
        self._shards = []
        for directory in _directories(directories):
            digest.update(hashlib.sha256((directory / INDEX_NAME).read_bytes()).digest())
            self._shards += read_index(directory, verify)
        self.fingerprint = digest.hexdigest()
        counts = np.array([0] + [shard.samples for shard in self._shards], np.int64)
        self._firsts: Int64 = np.cumsum(counts)

    def __len__(self) -> int:
        return int(self._firsts[-1])

    def row(self, index: int) -> Row:
        """Read one row. Raises `IndexError` outside [0, len) and `ValueError` where it is damaged."""
        if not 0 <= index < len(self):
            raise IndexError(f"row {index} of {len(self)}")
        shard = int(np.searchsorted(self._firsts, index, "right")) - 1
        columns = self._shards[shard].sample(index - int(self._firsts[shard]))
        tokens = columns.pop("tokens")
        boundaries = columns.pop("boundaries", None)
        if boundaries is None:
            boundaries = np.array([0, len(tokens)], np.int32)
        _check_boundaries(boundaries, len(tokens), index)
        return Row(tokens, boundaries, columns)


def _check_boundaries(boundaries: Int32, capacity: int, index: int) -> None:
    rising = len(boundaries) >= 2 and bool((np.diff(boundaries) > 0).all())
    if not rising or int(boundaries[0]) != 0 or int(boundaries[-1]) > capacity:
        raise ValueError(f"row {index}: its document boundaries do not rise from 0 to at most {capacity}")


class DocumentStream(RowReader):
    """Documents in Megatron pairs, read as rows of `capacity` tokens laid end to end.

    Each pair is a stream of its own: rows do not cross from one to the next, and the tokens behind its last
    whole row (`unread`) are not read. Rows do not overlap; for `sequence_length` predictions the capacity is
    `sequence_length` + 1.
    """

    def __init__(self, prefixes: Path | Sequence[Path], capacity: int) -> None:
        """Open the pairs. Raises `ValueError` for damaged ones and where documents do not lie end to end."""
        if capacity < 1:
            raise ValueError(f"a row needs at least one token, not {capacity}")
        digest = hashlib.sha256(f"capacity {capacity}".encode())
        self.capacity = capacity
        self.unread = 0
        self._readers: list[MegatronReader] = []
        self._ends: list[Int64] = []
        firsts = [0]
        for prefix in _directories(prefixes):
            reader = MegatronReader(prefix)
            ends = np.cumsum(reader.lengths, dtype=np.int64)
            total = int(ends[-1]) if len(ends) else 0
            starts = (ends - reader.lengths) * reader.tokens.itemsize
            if not np.array_equal(starts, reader.offsets) or total != len(reader.tokens):
                raise ValueError(f"{prefix}: the documents do not lie end to end")
            digest.update(hashlib.sha256(prefix.with_name(prefix.name + ".idx").read_bytes()).digest())
            self._readers.append(reader)
            self._ends.append(ends)
            self.unread += total % capacity
            firsts.append(firsts[-1] + total // capacity)
        self.fingerprint = digest.hexdigest()
        self._firsts: Int64 = np.array(firsts, np.int64)

    def __len__(self) -> int:
        return int(self._firsts[-1])

    def row(self, index: int) -> Row:
        """Read one row. Raises `IndexError` outside [0, len)."""
        if not 0 <= index < len(self):
            raise IndexError(f"row {index} of {len(self)}")
        pair = int(np.searchsorted(self._firsts, index, "right")) - 1
        begin = (index - int(self._firsts[pair])) * self.capacity
        end = begin + self.capacity
        ends = self._ends[pair]
        inside = ends[np.searchsorted(ends, begin, "right") : np.searchsorted(ends, end)] - begin
        boundaries = np.concatenate([[0], inside, [self.capacity]]).astype(np.int32)
        return Row(self._readers[pair].tokens[begin:end], np.unique(boundaries), {})
