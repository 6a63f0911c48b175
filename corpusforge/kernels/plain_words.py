"""Words rewritten character by character, and the pieces of their parts as ids of an n-gram model's words.

A plain word is one whose every character becomes the same text wherever it stands; a table of those texts says which
characters do (`corpusforge.models.plain_characters`). Other words are left to slower, complete rules.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corpusforge.kernels.array_types import INT64, READ_INT32, READ_INT64, READ_UINT8
from corpusforge.kernels.fasttext_sums import find_entry
from corpusforge.kernels.loading import kernel, types
from corpusforge.kernels.unicode_table import decode

Bytes = npt.NDArray[np.uint8]
Bools = npt.NDArray[np.bool_]
Int8 = npt.NDArray[np.int8]
Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]

_SPACE, _LESS_THAN = 0x20, 0x3C
_READ_INT8 = types.Array(types.int8, 1, "C", readonly=True)
_READ_BOOLEAN = types.Array(types.boolean, 1, "C", readonly=True)


@kernel(
    types.Tuple((types.uint8[::1], INT64, INT64, INT64, types.boolean[::1]))(
        READ_UINT8, READ_INT64, READ_INT64, READ_INT32, _READ_INT8, READ_UINT8, types.int64
    )
)
def rewrite_words(
    data: Bytes,
    starts: Int64,
    ends: Int64,
    text_starts: Int32,
    text_sizes: Int8,
    texts: Bytes,
    growth: int,
) -> tuple[Bytes, Int64, Int64, Int64, Bools]:
    """Rewrite those of n words ``data[starts:ends]`` that are plain, and cut them at spaces.

    Character c becomes ``texts[text_starts[c]:][:text_sizes[c]]``; characters with a negative size, or behind the
    table's end, are not plain; `growth` is the most bytes per byte of a character. Returns the new bytes, the starts
    and ends int64[p] in them of the parts, none empty, the part's words int64[p], rising, and which words are plain,
    bool[n]. Other words have no parts.
    """
    total = np.int64(0)
    for word in range(len(starts)):
        total += ends[word] - starts[word]
    written = np.empty(total * growth, np.uint8)
    # All parts of a word but its first have a space before them.
    most_parts = len(starts) + total * growth // 2
    part_starts = np.empty(most_parts, np.int64)
    part_ends = np.empty(most_parts, np.int64)
    words = np.empty(most_parts, np.int64)
    plain = np.ones(len(starts), np.bool_)
    held = parts = np.int64(0)
    for word in range(len(starts)):
        at, first, first_part = starts[word], held, parts
        inside = False
        while at < ends[word]:
            character, size = np.int64(data[at]), np.int64(1)
            if character >= 0x80:
                character, size = decode(data, at, ends[word])
                # No shortest form, or no character.
                if character < 0x80 or (size == 3 and character < 0x800) or character >= len(text_sizes):
                    character = np.int64(-1)
            if character < 0 or text_sizes[character] < 0:
                plain[word] = False
                break
            for place in range(text_sizes[character]):
                byte = texts[text_starts[character] + place]
                if byte != _SPACE and not inside:
                    part_starts[parts] = held
                    words[parts] = word
                    parts += 1
                inside = byte != _SPACE
                written[held] = byte
                held += 1
                if inside:
                    part_ends[parts - 1] = held
            at += size
        if not plain[word]:
            held, parts = first, first_part
    return (
        written[:held].copy(),
        part_starts[:parts].copy(),
        part_ends[:parts].copy(),
        words[:parts].copy(),
        plain,
    )


@kernel(
    types.Tuple((types.int32[::1], INT64, types.int32[::1], types.int32[::1]))(
        READ_INT32,
        READ_INT64,
        READ_UINT8,
        READ_INT64,
        READ_INT64,
        types.boolean[::1],
        READ_INT32,
        READ_INT32,
        READ_UINT8,
        READ_INT64,
        READ_INT32,
        types.int64,
    )
)
def ids_of_words(
    found: Int32,
    offsets: Int64,
    text: Bytes,
    part_starts: Int64,
    words: Int64,
    plain: Bools,
    id_of_piece: Int32,
    piece_sizes: Int32,
    names: Bytes,
    name_offsets: Int64,
    table: Int32,
    unknown: int,
) -> tuple[Int32, Int64, Int32, Int32]:
    """Ids int32[t] of n words, where those of each begin int64[n], how many int32[n], and how many pieces int32[n].

    Part p, which begins at ``text[part_starts[p]]`` and belongs to word ``words[p]``, has the pieces
    ``found[offsets[p]:offsets[p + 1]]``; a number behind the last of `id_of_piece` stands for a byte of a character
    that the pieces do not have, and a run of those is one piece, which is looked up by its spelling. `piece_sizes`
    are the bytes of pieces in a text. Words with a piece of id -1, or with an unknown run that may spell a mark of
    the model (it begins with ``<``), become not `plain`, and get no ids.
    """
    ids = np.empty(len(found), np.int32)
    firsts = np.zeros(len(plain), np.int64)
    counts = np.zeros(len(plain), np.int32)
    pieces = np.zeros(len(plain), np.int32)
    held = np.int64(0)
    for part in range(len(words)):
        word = words[part]
        if part == 0 or words[part - 1] != word:
            firsts[word] = held
        if not plain[word]:
            continue
        at = part_starts[part]
        place = offsets[part]
        while place < offsets[part + 1]:
            piece = np.int64(found[place])
            begin = at
            if piece < len(id_of_piece):
                number = np.int64(id_of_piece[piece])
                at += piece_sizes[piece]
                place += 1
            else:
                while place < offsets[part + 1] and found[place] >= len(id_of_piece):
                    place += 1
                    at += 1
                number = np.int64(find_entry(text, begin, at, names, name_offsets, table))
                number = np.int64(unknown) if number < 0 else number
                if text[begin] == _LESS_THAN:
                    number = np.int64(-1)
            if number < 0:
                plain[word] = False
                held = firsts[word]
                counts[word] = 0
                break
            ids[held] = number
            held += 1
            counts[word] += 1
        pieces[word] = counts[word]
    return ids[:held].copy(), firsts, counts, pieces
