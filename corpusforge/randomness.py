"""Randomness by counter: one 64-bit number per document, the same wherever and whenever it is asked for.

The number is the first word of Philox4x64-10 with the counter (id low, id high, stream, 0) and the key
(seed, 0). An id's 16 bytes are read as two little-endian words. Streams keep the uses of randomness apart: a
document that the tokenizer sample takes is no more likely than another to be repeated.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corpusforge.kernels.philox import first_words

Int64 = npt.NDArray[np.int64]
UInt64 = npt.NDArray[np.uint64]
IdBytes = npt.NDArray[np.uint8]

STREAM_TOKENIZER_SAMPLE = 0
"""Which documents train the tokenizer."""
STREAM_MIXTURE = 1
"""Which documents a mixture repeats when a source's epochs are not a whole number."""
STREAM_KEEP_SAMPLE = 2
"""Which dropped documents are kept for inspection."""
STREAM_BENCHMARK = 3
"""Which documents a run of a corpus benchmark reads, in which order; epochs and draws are added above 8 bits."""
STREAM_CLASSIFIER = 4
"""Which documents of low score a classifier's random rule keeps; the step's instance is added above 8 bits."""

_WORD_LIMIT = 1 << 64


def id_bytes(ids: pa.Array) -> IdBytes:
    """View a binary(16) Arrow array of length n as uint8[n, 16].

    Raises `ValueError` for nulls or other widths.
    """
    if isinstance(ids, pa.ChunkedArray):
        ids = ids.combine_chunks()
    if ids.null_count:
        raise ValueError("a document id is null")
    if not pa.types.is_fixed_size_binary(ids.type):
        ids = ids.cast(pa.binary(16))
    if ids.type.byte_width != 16:
        raise ValueError(f"document ids are 16 bytes wide, not {ids.type.byte_width}")
    if len(ids) == 0:
        return np.zeros((0, 16), np.uint8)
    data = np.frombuffer(ids.buffers()[1], np.uint8)
    return data[ids.offset * 16 : (ids.offset + len(ids)) * 16].reshape(-1, 16)


def id_words(ids: IdBytes) -> tuple[UInt64, UInt64]:
    """Low and high words uint64[n] of ids uint8[n, 16]. Raises `ValueError` for another shape."""
    if ids.ndim != 2 or ids.shape[1] != 16:
        raise ValueError(f"document ids have the shape [n, 16], not {list(ids.shape)}")
    words = np.ascontiguousarray(ids, np.uint8).view("<u8")
    return words[:, 0].astype(np.uint64), words[:, 1].astype(np.uint64)


def uniform_bits(seed: int, ids: IdBytes | tuple[UInt64, UInt64], stream: int) -> UInt64:
    """Uniform 64-bit numbers uint64[n] of documents: a function of (seed, stream, id) alone.

    `ids` is uint8[n, 16] or its (low, high) words. Raises `ValueError` for a seed or stream outside 64 bits.
    """
    for name, value in (("seed", seed), ("stream", stream)):
        if not 0 <= value < _WORD_LIMIT:
            raise ValueError(f"the {name} must lie in [0, 2^64), it is {value}")
    low, high = ids if isinstance(ids, tuple) else id_words(ids)
    return np.asarray(first_words(low, high, np.uint64(stream), np.uint64(seed)))


def repeats(bits: UInt64, epochs: Fraction) -> Int64:
    """How often each document is used, int64[n]: 2.45 epochs are 2, and 1 more where u = bits / 2^64 < 0.45.

    `bits` uint64[n] come from `uniform_bits`. Raises `ValueError` for negative
    epochs.
    """
    if epochs < 0:
        raise ValueError(f"epochs cannot be negative: {epochs}")
    whole = epochs.numerator // epochs.denominator
    part = epochs - whole
    # u < part, exactly: bits < part * 2^64, and bits are integers.
    threshold = -((-part.numerator << 64) // part.denominator)
    result = np.full(len(bits), whole, np.int64)
    if threshold >> 64:
        return result + 1
    return result + (bits < np.uint64(threshold)).astype(np.int64)
