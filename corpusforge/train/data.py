"""What a step trains on: rows out of a run, of shards, of arrays; a pure function of (data, seed, step)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt

from corpusforge.errors import UsageError
from corpusforge.mix.loader import DocumentStream, PackedRows, Row, RowReader
from corpusforge.mix.mds import INDEX_NAME

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
UInt32 = npt.NDArray[np.uint32]

PREFETCHED = 2
"""Batches read ahead: one being taken, one in reserve."""


@dataclass(frozen=True)
class Batch:
    """Rows of one step.

    `tokens` uint32[B, T + 1]; `documents` int32[B, T + 1] numbers the documents of a row from 0 and is -1 for
    padding; `rows` int64[B] says which rows these are.
    """

    tokens: UInt32
    documents: Int32
    rows: Int64

    @property
    def predicted(self) -> int:
        """Tokens that are predicted: padding is not."""
        return int((self.documents[:, 1:] >= 0).sum())


class TokenRows(RowReader):
    """Rows of tokens in memory, or mapped from files: `tokens` uint16, uint32 or int32 [N, T + 1]."""

    def __init__(
        self,
        tokens: npt.NDArray[Any],
        boundaries: Sequence[Int32] | None = None,
        columns: Sequence[dict[str, Any]] | None = None,
    ) -> None:
        """Take an array. `boundaries` and `columns`, if given, are one per row, as in `Row`.

        Raises `ValueError` for an array of another shape or kind, and for another number of boundaries or columns.
        """
        if tokens.ndim != 2 or tokens.shape[1] < 2 or tokens.dtype.kind not in "iu":
            raise ValueError(f"token rows are integers [N, T + 1], not {tokens.dtype} {tokens.shape}")
        for name, given in (("boundaries", boundaries), ("columns", columns)):
            if given is not None and len(given) != len(tokens):
                raise ValueError(f"{len(given)} {name} for {len(tokens)} rows")
        self._tokens, self._boundaries, self._columns = tokens, boundaries, columns
        digest = hashlib.sha256(f"token rows {tokens.shape[1]}\0".encode())
        for begin in range(0, len(tokens), 1024):
            digest.update(np.ascontiguousarray(tokens[begin : begin + 1024], "<u4").tobytes())
        for row in boundaries or ():
            digest.update(len(row).to_bytes(8, "little") + np.ascontiguousarray(row, "<i4").tobytes())
        self.fingerprint = digest.hexdigest()

    def __len__(self) -> int:
        return len(self._tokens)

    def row(self, index: int) -> Row:
        """Read one row. Raises `IndexError` outside [0, len)."""
        if not 0 <= index < len(self):
            raise IndexError(f"row {index} of {len(self)}")
        tokens = self._tokens[index]
        whole = np.array([0, len(tokens)], np.int32)
        boundaries = whole if self._boundaries is None else self._boundaries[index]
        return Row(tokens, boundaries, {} if self._columns is None else self._columns[index])


def open_rows(path: Path, context: int | None = None) -> RowReader:
    """Rows of a run directory, its `shards`, a folder of MDS, of Megatron pairs, or of ``*.npy`` [N, T + 1].

    Document streams need a `context` (their rows have one token more). Raises `UsageError` where none of these
    is found, and `ValueError` for damaged files.
    """
    folders = mds_folders(path)
    if folders:
        return PackedRows(folders)
    pairs = megatron_pairs(path)
    if pairs:
        if context is None:
            raise UsageError(
                f"{pairs[0].parent} holds document streams: their rows need a length (--context)"
            )
        return DocumentStream([pair.with_suffix("") for pair in pairs], context + 1)
    arrays = sorted(path.glob("*.npy"))
    if arrays:
        return TokenRows(_stacked(arrays))
    raise UsageError(
        f"{path} holds nothing to train on: a run directory with shards, a folder with MDS shards "
        f"({INDEX_NAME}), Megatron pairs (.idx and .bin), or rows of tokens (.npy)"
    )


def mds_folders(path: Path) -> list[Path]:
    """Folders of MDS shards of a run directory, its `shards`, or a folder with such, in order."""
    for folder in (path / "shards" / "packed", path / "packed", path):
        indexes = sorted(folder.glob(f"*/{INDEX_NAME}")) or sorted(folder.glob(INDEX_NAME))
        if indexes:
            return [index.parent for index in indexes]
    return []


def megatron_pairs(path: Path) -> list[Path]:
    """The ``.idx`` files of Megatron pairs of a run directory, its `shards`, or a folder with such, in order."""
    for folder in (path / "shards" / "documents", path / "documents", path):
        pairs = sorted(folder.glob("*.idx"))
        if pairs:
            return pairs
    return []


def _stacked(paths: Sequence[Path]) -> npt.NDArray[Any]:
    arrays = []
    for path in paths:
        try:
            arrays.append(np.load(path, mmap_mode="r", allow_pickle=False))
        except (ValueError, EOFError) as error:
            raise ValueError(f"{path}: no array that can be read ({error})") from error
    shapes = {array.shape[1:] for array in arrays} | {array.dtype.kind for array in arrays}
    if len(shapes) != 2 or arrays[0].ndim != 2:
        raise ValueError(f"{paths[0].parent}: its arrays are not all rows [N, T + 1] of one length")
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)


def row_length(reader: RowReader) -> int:
    """T of rows [T + 1]. Raises `UsageError` when there are no rows."""
    if not len(reader):
        raise UsageError("there is not a single row to train on")
    return len(reader.row(0).tokens) - 1


class Batches:
    """Batch after batch of `size` rows: `batch(step)` depends on (fingerprint, seed, size, step) alone."""

    def __init__(self, reader: RowReader, size: int, seed: int, vocabulary_size: int) -> None:
        self.reader, self.size, self.seed = reader, size, seed
        self.vocabulary_size = vocabulary_size
        self.length = row_length(reader) + 1

    def batch(self, step: int, part: slice = slice(None)) -> Batch:
        """Rows of a step, or a part of them. Raises `ValueError` for rows that do not fit the model."""
        rows = self.reader.order(step, self.size, self.seed)[part]
        tokens = np.empty((len(rows), self.length), np.uint32)
        documents = np.full((len(rows), self.length), -1, np.int32)
        for place, index in enumerate(rows):
            row = self.reader.row(int(index))
            if len(row.tokens) != self.length:
                raise ValueError(f"row {index} has {len(row.tokens)} tokens, the first one has {self.length}")
            tokens[place] = row.tokens
            used = int(row.boundaries[-1])
            starts = np.zeros(used, np.int32)
            starts[row.boundaries[1:-1]] = 1
            documents[place, :used] = np.cumsum(starts)
        largest = int(tokens.max(initial=0))
        if largest >= self.vocabulary_size:
            raise ValueError(
                f"token {largest} in step {step} lies outside the vocabulary of {self.vocabulary_size}"
            )
        return Batch(tokens, documents, rows)

    def describe(self, step: int) -> list[dict[str, Any]]:
        """What a step's rows hold: row, columns, and start, end and digest of each document (or part of one).

        The digest is the first 16 hex digits of SHA-256 over the tokens as uint32, little-endian.
        """
        described = []
        for index in self.reader.order(step, self.size, self.seed):
            row = self.reader.row(int(index))
            documents = [
                [int(begin), int(end), _digest(row.tokens[begin:end])]
                for begin, end in zip(row.boundaries, row.boundaries[1:])
            ]
            described.append({"row": int(index), "columns": row.columns, "documents": documents})
        return described


def _digest(tokens: npt.NDArray[Any]) -> str:
    return hashlib.sha256(np.ascontiguousarray(tokens, "<u4").tobytes()).hexdigest()[:16]


class Prefetcher:
    """Reads batches ahead in a thread; `waited` counts the seconds for which training stood still.

    Which batches come next is a guess: one that is asked for out of turn is read then.
    """

    def __init__(self, batches: Batches, part: slice) -> None:
        self._batches, self._part = batches, part
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="batches")
        self._pending: dict[int, Future[Batch]] = {}
        self.waited = 0.0

    def take(self, number: int) -> Batch:
        """Batch `number`; those after it are begun. Raises what reading it raised."""
        begin = perf_counter()
        for other in [other for other in self._pending if not number <= other <= number + PREFETCHED]:
            self._pending.pop(other).cancel()
        for wanted in range(number, number + PREFETCHED):
            if wanted not in self._pending:
                self._pending[wanted] = self._pool.submit(self._batches.batch, wanted, self._part)
        batch = self._pending.pop(number).result()
        self.waited += perf_counter() - begin
        return batch

    def close(self) -> None:
        """Stop reading."""
        self._pool.shutdown(wait=True, cancel_futures=True)
