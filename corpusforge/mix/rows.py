"""From an index to tokens: rows of fixed length with the boundaries of the documents in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from corpusforge.mix.mds import MdsWriter
from corpusforge.mix.packing import Packing

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
UInt32 = npt.NDArray[np.uint32]
Tokens = npt.NDArray[np.uint16] | npt.NDArray[np.uint32]

TokenSource = Callable[[int, int, int], Tokens]
"""(document, start, length) to that part of the document's tokens, [length]."""


@dataclass(frozen=True)
class Rows:
    """r packed rows: `tokens` uint32[r, capacity], padded at the end.

    Row i holds the segments ``offsets[i]:offsets[i + 1]`` (int64[r + 1]) of `starts` int32[s], their first
    token's place in the row, and `documents` int64[s]. `used` int32[r] is the number of tokens before the
    padding.
    """

    tokens: UInt32
    offsets: Int64
    starts: Int32
    documents: Int64
    used: Int32

    def boundaries(self, row: int) -> Int32:
        """int32[k + 1] of a row with k segments: their starts, then the end of the last one.

        These are cumulative lengths as attention kernels take them; what lies behind the last is padding.
        """
        starts = self.starts[self.offsets[row] : self.offsets[row + 1]]
        return np.append(starts, self.used[row]).astype(np.int32)


def build_rows(packing: Packing, first: int, last: int, source: TokenSource, padding: int) -> Rows:
    """Fill rows `first` to `last` - 1 of a packing with tokens from `source`, the rest with the id `padding`.

    Raises `ValueError` when the rows lie outside the packing or `source` gives another number of tokens than
    it was asked for.
    """
    if not 0 <= first <= last <= packing.rows:
        raise ValueError(f"rows {first} to {last} lie outside a packing of {packing.rows}")
    begin, end = np.searchsorted(packing.row, [first, last])
    row = packing.row[begin:end] - first
    documents, lengths = packing.document[begin:end], packing.length[begin:end]
    offsets = np.searchsorted(row, np.arange(last - first + 1)).astype(np.int64)
    ends = np.cumsum(lengths, dtype=np.int64)
    ends_of_rows = np.concatenate([np.zeros(1, np.int64), ends])[offsets]
    starts = (ends - lengths - ends_of_rows[row]).astype(np.int32)
    tokens = np.full((last - first, packing.capacity), padding, np.uint32)
    for segment in range(len(row)):
        document, length = int(documents[segment]), int(lengths[segment])
        piece = source(document, int(packing.start[begin + segment]), length)
        if len(piece) != length:
            raise ValueError(f"document {document} gave {len(piece)} tokens where {length} were expected")
        place = int(starts[segment])
        tokens[row[segment], place : place + length] = piece
    used = np.diff(ends_of_rows).astype(np.int32)
    return Rows(tokens, offsets, starts, documents, used)


def tokens_from_arrays(ids: Tokens, offsets: Int64) -> TokenSource:
    """Make a token source of documents in one array: document i is ``ids[offsets[i]:offsets[i + 1]]``."""

    def source(document: int, start: int, length: int) -> Tokens:
        begin = int(offsets[document]) + start
        if begin + length > offsets[document + 1]:
            raise ValueError(f"document {document} has no tokens {start} to {start + length}")
        return ids[begin : begin + length]

    return source


def packed_columns(token_type: str = "int32", extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """MDS columns of packed rows: `tokens`, `boundaries`, and any `extra` ones (name to MDS encoding).

    int32 is what llm-foundry's text data set expects of `tokens`; "uint16" halves the size of small
    vocabularies.
    """
    return {"tokens": f"ndarray:{token_type}", "boundaries": "ndarray:int32", **(extra or {})}


def write_rows(writer: MdsWriter, rows: Rows, extra: Mapping[str, Sequence[Any]] | None = None) -> None:
    """Append rows to a writer made with `packed_columns`; `extra` gives a value per row for other columns.

    Raises `ValueError` for a token that does not fit the declared type.
    """
    for row in range(len(rows.tokens)):
        sample = {name: values[row] for name, values in (extra or {}).items()}
        writer.write({**sample, "tokens": rows.tokens[row], "boundaries": rows.boundaries(row)})
