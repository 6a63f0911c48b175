"""Chunks of texts that a BPE tokenizer encodes independently of each other, and their tokens put together.

A chunk begins at a space that does not follow a space (or U+2581, which SentencePiece writes for one), and
before and after a run of line feeds. `corpusforge.tokenize.encoder` says for which models that is exact.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit, types

Bytes = npt.NDArray[np.uint8]
Int64 = npt.NDArray[np.int64]
UInt32 = npt.NDArray[np.uint32]

_bytes = types.Array(types.uint8, 1, "C", readonly=True)
_int64 = types.Array(types.int64, 1, "C", readonly=True)
_int32 = types.Array(types.int32, 1, "C", readonly=True)

_SPACE = 0x20
_LINE_FEED = 0x0A
_MAXIMUM_PROBES = 64
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


@njit(types.boolean(_bytes, types.int64, types.int64), cache=True, nogil=True)
def _begins_chunk(data: Bytes, begin: int, place: int) -> bool:
    """Tell whether a chunk of the text that starts at `begin` begins at `place` > begin."""
    here, before = data[place], data[place - 1]
    if (here == _LINE_FEED) != (before == _LINE_FEED):
        return True
    if here != _SPACE or before == _SPACE:
        return False
    low_line = place - begin >= 3 and before == 0x81 and data[place - 2] == 0x96 and data[place - 3] == 0xE2
    return not low_line


@njit(types.Tuple((types.int64[::1], types.int64[::1]))(_bytes, _int64), cache=True, nogil=True)
def split_chunks(data: Bytes, offsets: Int64) -> tuple[Int64, Int64]:
    """Find the chunks of n texts: (index int64[n + 1], starts int64[c + 1]).

    Text i has the chunks ``index[i]:index[i + 1]``; chunk k begins at the byte ``starts[k]`` of `data` and
    ends where the next one begins. Empty texts have none. The texts must lie end to end, as `offsets` says.
    """
    count = 0
    for text in range(len(offsets) - 1):
        for place in range(offsets[text], offsets[text + 1]):
            if place == offsets[text] or _begins_chunk(data, offsets[text], place):
                count += 1
    index = np.empty(len(offsets), np.int64)
    starts = np.empty(count + 1, np.int64)
    chunk = 0
    for text in range(len(offsets) - 1):
        index[text] = chunk
        for place in range(offsets[text], offsets[text + 1]):
            if place == offsets[text] or _begins_chunk(data, offsets[text], place):
                starts[chunk] = place
                chunk += 1
    index[len(offsets) - 1] = chunk
    starts[chunk] = offsets[len(offsets) - 1]
    return index, starts


@njit(types.boolean(_bytes, types.int64, types.int64, types.int64), cache=True, nogil=True)
def _equal(data: Bytes, left: int, right: int, size: int) -> bool:
    for place in range(size):  # noqa: SIM110
        if data[left + place] != data[right + place]:
            return False
    return True


@njit(types.Tuple((types.int64[::1], types.int64[::1]))(_bytes, _int64), cache=True, nogil=True)
def number_chunks(data: Bytes, starts: Int64) -> tuple[Int64, Int64]:
    """Number the distinct chunks: (number int64[c] of each chunk, first int64[d] chunk of each number).

    Bytes are compared, so no two different chunks share a number. Where many hashes collide a chunk may get a
    number of its own although an equal one has another: hostile text costs the cache, not the time.
    """
    chunks = len(starts) - 1
    size = 16
    while size < 2 * chunks:
        size *= 2
    table = np.full(size, -1, np.int64)
    numbers = np.empty(chunks, np.int64)
    firsts = np.empty(chunks, np.int64)
    distinct = np.int64(0)
    for chunk in range(chunks):
        length = starts[chunk + 1] - starts[chunk]
        value = np.uint64(length)
        for place in range(starts[chunk], starts[chunk + 1]):
            value = (value ^ np.uint64(data[place])) * _MULTIPLIER
            value ^= value >> np.uint64(29)
        slot = np.int64(value & np.uint64(size - 1))
        number = np.int64(-1)
        for _ in range(_MAXIMUM_PROBES):
            candidate = table[slot]
            if candidate < 0:
                table[slot] = distinct
                break
            other = firsts[candidate]
            if starts[other + 1] - starts[other] == length and _equal(
                data, starts[other], starts[chunk], length
            ):
                number = candidate
                break
            slot = (slot + 1) & (size - 1)
        if number < 0:
            number = distinct
            firsts[distinct] = chunk
            distinct += np.int64(1)
        numbers[chunk] = number
    return numbers, firsts[:distinct].copy()


@njit(
    types.Tuple((types.uint32[::1], types.int64[::1]))(_int64, _int64, _int32, _int64, types.int64),
    cache=True,
    nogil=True,
)
def join_tokens(
    index: Int64, numbers: Int64, ids: npt.NDArray[np.int32], offsets: Int64, end: int
) -> tuple[UInt32, Int64]:
    """Tokens of n texts from the tokens of their chunks: (ids uint32[t], offsets int64[n + 1]).

    The chunk with number k has the tokens ``ids[offsets[k]:offsets[k + 1]]``; each text is followed by the
    token `end` unless that is negative.
    """
    texts = len(index) - 1
    lengths = np.zeros(texts + 1, np.int64)
    for text in range(texts):
        length = 1 if end >= 0 else 0
        for chunk in range(index[text], index[text + 1]):
            length += offsets[numbers[chunk] + 1] - offsets[numbers[chunk]]
        lengths[text + 1] = lengths[text] + length
    result = np.empty(lengths[texts], np.uint32)
    for text in range(texts):
        place = lengths[text]
        for chunk in range(index[text], index[text + 1]):
            for token in range(offsets[numbers[chunk]], offsets[numbers[chunk] + 1]):
                result[place] = ids[token]
                place += 1
        if end >= 0:
            result[place] = end
    return result, lengths
