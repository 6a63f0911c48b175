"""Chunks of texts that a BPE tokenizer encodes independently of each other, and their tokens put together.

A chunk begins at a space that does not follow a space (or U+2581, which SentencePiece writes for one), and
before and after a run of line feeds. `corpusforge.tokenize.encoder` says for which models that is exact.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corpusforge.kernels.hash64 import SEQUENCE
from corpusforge.kernels.loading import kernel, types
from corpusforge.kernels.word_table import eight_bytes

Bytes = npt.NDArray[np.uint8]
Int64 = npt.NDArray[np.int64]
UInt32 = npt.NDArray[np.uint32]
UInt64 = npt.NDArray[np.uint64]
Table = npt.NDArray[np.uint64]

_bytes = types.Array(types.uint8, 1, "C", readonly=True)
_int64 = types.Array(types.int64, 1, "C", readonly=True)
_int32 = types.Array(types.int32, 1, "C", readonly=True)
_blocks = types.Array(types.uint64, 1, "C", readonly=True)
_table = types.Array(types.uint64, 2, "C")

_SPACE = 0x20
_LINE_FEED = 0x0A
_MAXIMUM_PROBES = 16
_NUMBER_BITS = np.uint64(32)
_ALL_BITS = np.uint64(0xFFFFFFFFFFFFFFFF)

KEY_BYTES = 24
"""Longest chunk that the table of chunks holds."""


@kernel(types.boolean(_bytes, types.int64, types.int64))
def _begins_chunk(data: Bytes, begin: int, place: int) -> bool:
    """Tell whether a chunk of the text that starts at `begin` begins at `place` > begin."""
    here, before = data[place], data[place - 1]
    if (here == _LINE_FEED) != (before == _LINE_FEED):
        return True
    if here != _SPACE or before == _SPACE:
        return False
    low_line = place - begin >= 3 and before == 0x81 and data[place - 2] == 0x96 and data[place - 3] == 0xE2
    return not low_line


@kernel(types.Tuple((types.int64[::1], types.int64[::1]))(_bytes, _int64))
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


@kernel(types.uint64(_blocks, types.int64, types.int64))
def _up_to_eight_bytes(blocks: UInt64, at: int, count: int) -> np.uint64:
    """Bytes ``at:at + count``, the first one lowest; at most eight, none for a count below 1."""
    if count <= 0:
        return np.uint64(0)
    value = eight_bytes(blocks, at)
    return np.uint64(value & (_ALL_BITS >> np.uint64(64 - 8 * min(count, 8))))


@kernel(
    types.Tuple((types.int64[::1], types.int64[::1], types.int64[::1]))(_blocks, _int64, _table, types.int64)
)
def find_chunks(blocks: UInt64, starts: Int64, table: Table, held: int) -> tuple[Int64, Int64, Int64]:
    """Look c chunks up in a table that is kept from batch to batch: (numbers int64[c], new int64[], others int64[]).

    `blocks` are the bytes as `corpusforge.kernels.word_table.as_blocks` gives them. The table has `held` chunks,
    numbered from 0 in the order in which they came; those of this batch are entered, and `new` says which chunks
    they are. A row holds up to `KEY_BYTES` bytes of a chunk, and its length and number plus one, so a hit needs no
    further check. `others` are longer, or find the table full or their row far away: they have the numbers
    -1, -2, … in their order.
    """
    chunks = len(starts) - 1
    numbers = np.empty(chunks, np.int64)
    new = np.empty(chunks, np.int64)
    others = np.empty(chunks, np.int64)
    first = held
    unknown = 0
    last = np.uint64(len(table) - 1)
    most = len(table) - (len(table) >> 2)
    for chunk in range(chunks):
        begin = starts[chunk]
        length = starts[chunk + 1] - begin
        number = -1
        if length <= KEY_BYTES:
            low = _up_to_eight_bytes(blocks, begin, length)
            middle = _up_to_eight_bytes(blocks, begin + 8, length - 8)
            high = _up_to_eight_bytes(blocks, begin + 16, length - 16)
            size = np.uint64(length) << _NUMBER_BITS
            value = ((low * SEQUENCE + middle) * SEQUENCE + high + size) * SEQUENCE
            slot = np.int64((value ^ (value >> np.uint64(32))) & last)
            for _ in range(_MAXIMUM_PROBES):
                state = table[slot, 3]
                if state == 0:
                    if held < most:
                        table[slot, 0], table[slot, 1], table[slot, 2] = low, middle, high
                        table[slot, 3] = size | np.uint64(held + 1)
                        number = held
                        new[held - first] = chunk
                        held += 1
                    break
                if (
                    table[slot, 0] == low
                    and table[slot, 1] == middle
                    and table[slot, 2] == high
                    and (state >> _NUMBER_BITS) << _NUMBER_BITS == size
                ):
                    number = int(state - size) - 1
                    break
                slot = np.int64((slot + 1) & last)
        if number < 0:
            others[unknown] = chunk
            unknown += 1
            number = -unknown
        numbers[chunk] = number
    return numbers, new[: held - first].copy(), others[:unknown].copy()


@kernel(types.Tuple((types.uint32[::1], types.int64[::1]))(_int64, _int64, _int32, _int64, types.int64))
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
