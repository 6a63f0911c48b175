r"""White space of many texts put in order at once, where their bytes are sound UTF-8.

The rules are those of `corpusforge.extract.html.clean_text`: line ends are "\n", no other control characters but "\t",
nothing trailing on a line, at most two blank lines in a row, nothing blank at either end.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corpusforge.kernels.array_types import READ_INT64, READ_UINT8, UINT8
from corpusforge.kernels.loading import kernel, types

Bytes = npt.NDArray[np.uint8]
Int64 = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
UInt64 = np.uint64

_TAB, _LINE_FEED, _RETURN, _ESCAPE, _SPACE = 0x09, 0x0A, 0x0D, 0x1B, 0x20
_TILDE, _BRACE, _DELETE = 0x7E, 0x7B, 0x7F
_BLOCK = np.uint64(16)


@kernel(types.uint64(READ_UINT8, types.uint64, types.uint64))
def _sound_size(data: Bytes, at: UInt64, end: UInt64) -> UInt64:
    """Bytes of the character beyond ASCII at `at`, or 0 when it is none (The Unicode Standard, table 3-7)."""
    one = np.uint64(1)
    first = data[at]
    if first < 0xC2 or first > 0xF4:
        return np.uint64(0)
    size = np.uint64(2 if first < 0xE0 else 3 if first < 0xF0 else 4)
    if at + size > end:
        return np.uint64(0)
    second = data[at + one]
    least = 0xA0 if first == 0xE0 else 0x90 if first == 0xF0 else 0x80
    most = 0x9F if first == 0xED else 0x8F if first == 0xF4 else 0xBF
    if second < least or second > most:
        return np.uint64(0)
    for place in range(at + np.uint64(2), at + size):
        if data[place] & 0xC0 != 0x80:
            return np.uint64(0)
    return size


@kernel(types.uint64(UINT8, types.uint64, types.uint64))
def _trimmed(out: Bytes, begin: UInt64, end: UInt64) -> UInt64:
    """Where the text out[begin:end] ends without what is blank at its end."""
    one, two = np.uint64(1), np.uint64(2)
    while end > begin:
        last = out[end - one]
        if last in (_SPACE, _TAB):
            end -= one
        elif last == 0xA0 and out[end - two] == 0xC2:
            end -= two
        else:
            break
    return end


@kernel(types.uint64(UINT8, types.uint64, types.uint64))
def _end_line(out: Bytes, begin: UInt64, end: UInt64) -> UInt64:
    """End the last line of out[begin:end]: a text begins with no line end, and has three in a row at most."""
    one = np.uint64(1)
    end = _trimmed(out, begin, end)
    if end == begin:
        return end
    ends = end
    while out[ends - one] == _LINE_FEED:
        ends -= one
    if end - ends < np.uint64(3):
        out[end] = _LINE_FEED
        end += one
    return end


@kernel(
    types.Tuple((types.uint64, types.boolean))(READ_UINT8, types.uint64, types.uint64, UINT8, types.uint64)
)
def _clean(data: Bytes, at: UInt64, end: UInt64, out: Bytes, begin: UInt64) -> tuple[UInt64, bool]:
    """Write one text to `out` from `begin` on; gives where it ends, and whether it is done."""
    zero, one, two, three = np.uint64(0), np.uint64(1), np.uint64(2), np.uint64(3)
    put = begin
    wide, suspicious = False, False
    if at + three <= end and data[at] == 0xEF and data[at + one] == 0xBB and data[at + two] == 0xBF:
        return begin, False
    while at < end:
        # What is written of a block that holds more than printable ASCII is written again below.
        while at + _BLOCK <= end and put > begin:
            odd = False
            for place in range(_BLOCK):
                byte = data[at + place]
                out[put + place] = byte
                odd |= (byte < 0x20) | (byte >= 0x7E)
            if odd:
                break
            at += _BLOCK
            put += _BLOCK
        if at == end:
            break
        stop = min(end, at + _BLOCK)
        while at < stop:
            byte = data[at]
            if byte >= 0x80:
                wide = True
                size = _sound_size(data, at, end)
                if size == zero:
                    return begin, False
                if byte == 0xC2 and data[at + one] <= 0xA0:
                    if data[at + one] == 0x85:
                        put = _end_line(out, begin, put)
                    elif data[at + one] == 0xA0 and put > begin:
                        out[put], out[put + one] = byte, data[at + one]
                        put += two
                elif byte == 0xEF and data[at + one] == 0xBF and data[at + two] == 0xBD:
                    return begin, False
                else:
                    out[put], out[put + one] = byte, data[at + one]
                    if size > two:
                        out[put + two] = data[at + two]
                    if size > three:
                        out[put + three] = data[at + three]
                    put += size
                at += size
                continue
            if byte > _SPACE and byte < _DELETE:
                if byte == _TILDE and at + one < end and data[at + one] == _BRACE:
                    suspicious = True
                out[put] = byte
                put += one
            elif byte in (_SPACE, _TAB):
                if put > begin:
                    out[put] = byte
                    put += one
            elif byte >= _LINE_FEED and byte <= _RETURN:
                if byte == _RETURN and at + one < end and data[at + one] == _LINE_FEED:
                    at += one
                put = _end_line(out, begin, put)
            else:
                suspicious = suspicious or byte == 0 or byte == _ESCAPE
            at += one
    put = _trimmed(out, begin, put)
    while put > begin and out[put - one] == _LINE_FEED:
        put -= one
    return put, wide or not suspicious


@kernel(
    types.Tuple((types.uint8[::1], types.int64[::1], types.int64[::1], types.boolean[::1]))(
        READ_UINT8, READ_INT64
    )
)
def _clean_all(data: Bytes, offsets: Int64) -> tuple[Bytes, Int64, Int64, Bools]:
    documents = len(offsets) - 1
    out = np.empty(offsets[documents] - offsets[0], np.uint8)
    new_offsets = np.zeros(documents + 1, np.int64)
    characters = np.zeros(documents, np.int64)
    done = np.ones(documents, np.bool_)
    put = np.uint64(0)
    for document in range(documents):
        begin = put
        at, end = np.uint64(offsets[document]), np.uint64(offsets[document + 1])
        put, done[document] = _clean(data, at, end, out, begin)
        if not done[document]:
            put = begin
        count = np.int64(0)
        for place in range(begin, put):
            count += (out[place] & 0xC0) != 0x80
        characters[document] = count
        new_offsets[document + 1] = put
    return out[:put].copy(), new_offsets, characters, done


def clean_texts(data: Bytes, offsets: Int64) -> tuple[Bytes, Int64, Int64, Bools]:
    r"""Put the white space of n payloads in order, `data` uint8 and `offsets` int64[n + 1].

    Returns bytes uint8, offsets int64[n + 1], characters int64[n], and which were done, bool[n]. Left empty and not
    done are payloads that are no sound UTF-8, begin with a byte order mark or hold U+FFFD, and those in ASCII with
    "\0", "\x1b" or "~{", which may be in another encoding.
    """
    out, new_offsets, characters, done = _clean_all(data, offsets)
    return out, new_offsets, characters, done
