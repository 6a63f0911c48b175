"""Packing documents into rows of `sequence_length` + 1 tokens, as an index: no token moves here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from corpusforge.kernels.pack import MAXIMUM_CAPACITY, best_fit, cut_long, cut_stream

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
Mode = Literal["best_fit", "concatenate"]

WINDOW = 10_000
"""Pieces sorted together. Rows stay open across windows, so a small window costs little."""


@dataclass(frozen=True)
class Packing:
    """Which part of which document lies where: s segments, sorted by row, in a row in document order.

    `row` int64[s] in [0, rows); `document` int64[s] indexes the lengths that were packed; `start` int64[s]
    and `length` int32[s] are in tokens of the document. `capacity` is tokens per row.
    """

    row: Int64
    document: Int64
    start: Int64
    length: Int32
    rows: int
    capacity: int

    def __len__(self) -> int:
        return len(self.row)

    @property
    def tokens(self) -> int:
        """Tokens of documents in all rows."""
        return int(self.length.sum(dtype=np.int64))

    @property
    def padding(self) -> int:
        """Tokens of padding in all rows."""
        return self.rows * self.capacity - self.tokens

    @property
    def documents_cut(self) -> int:
        """Documents that lie in more than one segment."""
        return int(np.count_nonzero(np.bincount(self.document) > 1)) if len(self) else 0

    def statistics(self) -> dict[str, int]:
        """Integers for the ledger; utilisation is tokens / (tokens + padding)."""
        return {
            "rows": self.rows,
            "segments": len(self),
            "tokens": self.tokens,
            "padding": self.padding,
            "documents_cut": self.documents_cut,
        }


def pack(lengths: Int64, capacity: int, mode: Mode = "best_fit", window: int = WINDOW) -> Packing:
    """Pack documents of `lengths` int64[n] tokens, in the given order, into rows of `capacity` tokens.

    "best_fit": a document that fits a row is never cut; longer ones become full rows and a remainder; rows
    are padded. "concatenate": documents end to end, cut every `capacity` tokens; only the last row is padded.
    Each token of each document lies in exactly one segment; empty documents have none. For rows of
    `sequence_length` predicted tokens the capacity is `sequence_length` + 1.

    Raises `ValueError` for a negative length, a capacity outside [1, 2^24) or a window below 1.
    """
    lengths = np.ascontiguousarray(lengths, np.int64)
    if not 1 <= capacity <= MAXIMUM_CAPACITY:
        raise ValueError(f"a row holds 1 to {MAXIMUM_CAPACITY} tokens, not {capacity}")
    if window < 1:
        raise ValueError(f"the window must hold at least one piece, not {window}")
    if lengths.size and int(lengths.min()) < 0:
        raise ValueError("a document has a negative length")
    if mode == "concatenate":
        document, start, length = cut_stream(lengths, capacity)
        row = (np.cumsum(length, dtype=np.int64) - 1) // capacity
        return Packing(row, document, start, length, int(row[-1]) + 1 if len(row) else 0, capacity)
    if mode != "best_fit":
        raise ValueError(f"unknown packing mode {mode!r}")
    document, start, length = cut_long(lengths, capacity)
    row = best_fit(length, capacity, window)
    order = np.argsort(row, kind="stable")
    rows = int(row.max()) + 1 if len(row) else 0
    return Packing(row[order], document[order], start[order], length[order], rows, capacity)
