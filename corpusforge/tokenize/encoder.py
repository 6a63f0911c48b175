"""Encoding texts with a SentencePiece model, in batches, each distinct word once.

Where a model's chunks are independent (see `corpusforge.tokenize.model_file`), a batch is cut into chunks, the
distinct ones are merged by `corpusforge.kernels.bpe`, and their tokens are put together: the result is equal to
SentencePiece's, token for token. With other models SentencePiece encodes whole texts.
"""

from __future__ import annotations

import hashlib
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corpusforge.kernels.chunks import join_tokens, split_chunks
from corpusforge.texts import Texts
from corpusforge.tokenize.chunk_cache import ChunkCache
from corpusforge.tokenize.merges import MergeTable, merge_table
from corpusforge.tokenize.model_file import read_model_file, without_dummy_prefix

Int64 = npt.NDArray[np.int64]
Tokens = npt.NDArray[np.uint16] | npt.NDArray[np.uint32]

UINT16_VOCABULARY = 1 << 16
"""Vocabularies smaller than this are stored as uint16, others as uint32."""


class Encoder:
    """Encodes texts with a SentencePiece model given as bytes.

    Ids that the model does not have are -1. Raises `corpusforge.errors.UsageError` for bytes that are not a
    model. One thread; the tokens of chunks are kept between batches, which changes no result.
    """

    def __init__(self, model: bytes, whole_texts: bool = False) -> None:
        """Load the model; `whole_texts` switches the encoding by chunks off (it only costs time)."""
        from sentencepiece import SentencePieceProcessor

        self.file = read_model_file(model)
        self.sha256 = hashlib.sha256(model).hexdigest()
        self._processor: Any = SentencePieceProcessor(model_proto=model)
        self._inner: Any = None
        self._table: MergeTable | None = None
        self._cache = ChunkCache()
        self._lock = Lock()
        if self.file.chunks_are_independent and not whole_texts:
            self._inner = SentencePieceProcessor(model_proto=without_dummy_prefix(model))
            self._table = merge_table(self.file)
        self.vocabulary_size: int = self._processor.vocab_size()
        self.bos_id: int = self._processor.bos_id()
        self.eos_id: int = self._processor.eos_id()
        self.pad_id: int = self._processor.pad_id()
        self.unknown_id: int = self._processor.unk_id()

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type that ids are stored in: uint16 for vocabularies below 65,536, else uint32."""
        return np.dtype(np.uint16 if self.vocabulary_size < UINT16_VOCABULARY else np.uint32)

    def encode(self, texts: Texts, end: bool = True) -> tuple[Tokens, Int64]:
        """Encode n texts: (ids uint16 or uint32 [t], offsets int64[n + 1] from 0).

        Text i has the tokens ``ids[offsets[i]:offsets[i + 1]]``; `end` appends the model's end token (eos) to
        each. Raises `ValueError` when the model has none. Texts are not bounded here: time and memory grow
        with their bytes, which extraction bounds.
        """
        if end and self.eos_id < 0:
            raise ValueError("the model has no end-of-text token (eos)")
        final = self.eos_id if end else -1
        if self._inner is None:
            index = np.arange(len(texts) + 1, dtype=np.int64)
            ids, offsets = _encode_all(self._processor, texts.data, texts.offsets[:-1], texts.offsets[1:])
            tokens, lengths = join_tokens(index, index[:-1], ids, offsets, final)
        else:
            tokens, lengths = self._encode_chunks(texts, final)
        return tokens.astype(self.dtype), lengths

    def forget(self) -> None:
        """Empty the cache of chunks."""
        with self._lock:
            self._cache.clear()

    def decode(self, ids: npt.NDArray[Any]) -> str:
        """Text of token ids (control tokens give nothing)."""
        return str(self._processor.decode([int(value) for value in ids]))

    def _encode_chunks(self, texts: Texts, final: int) -> tuple[npt.NDArray[np.uint32], Int64]:
        index, starts = split_chunks(texts.data, texts.offsets)
        # Only the first chunk of a text has the dummy prefix.
        leading = index[:-1][np.diff(index) > 0]
        with self._lock:
            numbers, wanted = self._cache.find(texts.data, starts)
            try:
                chosen = np.concatenate([wanted, leading])
                ids, offsets = self._encode_some(texts, starts[chosen], starts[chosen + 1], len(wanted))
            except BaseException:
                self._cache.clear()  # it must not hold chunks whose tokens are missing
                raise
            ids, offsets, first = self._cache.put(ids, offsets)
            numbers[leading] = first + len(wanted) + np.arange(len(leading))
            tokens, lengths = join_tokens(index, numbers, ids, offsets, final)
        return tokens, lengths

    def _encode_some(
        self, texts: Texts, starts: Int64, ends: Int64, leading: int
    ) -> tuple[npt.NDArray[np.int32], Int64]:
        """Encode chunks; from number `leading` on they begin a text."""
        if self._table is not None:
            first_prefixed = leading if self.file.dummy_prefix else len(starts)
            ids, offsets, encoded = self._table.encode(texts.data, starts, ends, first_prefixed)
            if encoded.all():
                return ids, offsets
        inner = _encode_all(self._inner, texts.data, starts[:leading], ends[:leading])
        first = _encode_all(self._processor, texts.data, starts[leading:], ends[leading:])
        return np.concatenate([inner[0], first[0]]), np.concatenate([inner[1], first[1][1:] + inner[1][-1]])


def _encode_all(
    processor: Any, data: npt.NDArray[np.uint8], starts: Int64, ends: Int64
) -> tuple[npt.NDArray[np.int32], Int64]:
    """Ids int32[t] and offsets int64[n + 1] of the byte ranges of `data`."""
    view = memoryview(np.ascontiguousarray(data).data)
    parts = [bytes(view[start:end]) for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]
    if not parts:
        return np.zeros(0, np.int32), np.zeros(1, np.int64)
    lists = processor.encode(parts, num_threads=1, return_type=int, add_bos=False, add_eos=False)
    array = pa.array(lists, pa.large_list(pa.int32()))
    return array.values.to_numpy(), array.offsets.to_numpy()


def token_array(ids: Tokens, offsets: Int64) -> pa.LargeListArray:
    """Wrap what `Encoder.encode` gave as large_list<uint16 | uint32>[n], without copying the ids."""
    return pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(ids))
