"""A BPE model's vocabulary as the tables that `corpusforge.kernels.bpe` merges by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from corpusforge.kernels.bpe import FREE, encode_chunks, insert_pairs
from corpusforge.tokenize.model_file import BYTE, CONTROL, NORMAL, SPACE_SYMBOL, UNKNOWN, ModelFile

Bytes = npt.NDArray[np.uint8]
Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]

CODE_POINTS = 0x110000


@dataclass(frozen=True)
class MergeTable:
    """Tables of one model; see `corpusforge.kernels.bpe.encode_chunks` for their meaning."""

    symbol_of: Int32
    pairs: npt.NDArray[np.uint64]
    marks: npt.NDArray[np.uint64]
    byte_ids: Int32
    pieces: int

    def encode(
        self, data: Bytes, starts: Int64, ends: Int64, first_prefixed: int
    ) -> tuple[Int32, Int64, npt.NDArray[np.bool_]]:
        """Encode chunks, those from `first_prefixed` on with a space before them; see `encode_chunks`."""
        ids, offsets, encoded = encode_chunks(
            data,
            starts,
            ends,
            first_prefixed,
            self.symbol_of,
            self.pairs,
            self.marks,
            self.byte_ids,
            self.pieces,
        )
        return ids, offsets, encoded


def merge_table(file: ModelFile) -> MergeTable | None:
    """Make the tables of a model, or give None for one that they do not describe exactly.

    That is a model which is not BPE, has pieces that are not merged by score alone (user-defined, unused) or that a
    single character could be without being normal text, no piece for the space symbol, or an alphabet of bytes with
    gaps.
    """
    kinds = {kind for _, kind in file.pieces}
    ids = {piece: number for number, (piece, kind) in enumerate(file.pieces) if kind == NORMAL}
    if not file.is_bpe or not kinds <= {NORMAL, UNKNOWN, CONTROL, BYTE} or SPACE_SYMBOL not in ids:
        return None
    if any(len(piece) < 2 for piece, kind in file.pieces if kind != NORMAL):
        return None
    byte_ids = _byte_ids(file)
    if byte_ids is None:
        return None
    symbols = dict(ids)
    for piece in ids:
        for character in piece:
            symbols.setdefault(character, len(file.pieces) + len(symbols) - len(ids))
    symbol_of = np.full(CODE_POINTS, -1, np.int32)
    for spelling, symbol in symbols.items():
        if len(spelling) == 1:
            symbol_of[ord(spelling)] = symbol
    symbol_of[0x20] = symbols[SPACE_SYMBOL]
    return MergeTable(symbol_of, *_pairs(file, ids, symbols), byte_ids, len(file.pieces))


def _byte_ids(file: ModelFile) -> Int32 | None:
    if not file.byte_fallback:
        return np.full(256, -1, np.int32)
    ids = {piece: number for number, (piece, kind) in enumerate(file.pieces) if kind == BYTE}
    names = [f"<0x{byte:02X}>" for byte in range(256)]
    return np.array([ids[name] for name in names], np.int32) if all(name in ids for name in names) else None


def _pairs(
    file: ModelFile, ids: dict[str, int], symbols: dict[str, int]
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    """Every way to make a piece of two symbols; equal scores have equal ranks, the highest has rank 0."""
    scores = np.array(file.scores, np.float32)
    _, inverse = np.unique(-scores, return_inverse=True)
    lefts, rights, merges = [], [], []
    for piece, number in ids.items():
        for cut in range(1, len(piece)):
            left, right = symbols.get(piece[:cut]), symbols.get(piece[cut:])
            if left is not None and right is not None:
                lefts.append(left)
                rights.append(right)
                merges.append((int(inverse[number]) << 32) | number)
    slots = 1 << max(4, (2 * len(lefts)).bit_length())
    pairs = np.full((slots, 2), FREE, np.uint64)
    marks = np.zeros(max(1, slots // 8), np.uint64)
    insert_pairs(
        np.array(lefts, np.int32), np.array(rights, np.int32), np.array(merges, np.int64), pairs, marks
    )
    return pairs, marks
