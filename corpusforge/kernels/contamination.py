"""Matches of word n-grams with evaluation items: how much of which item a text holds.

An index of n-grams is given as plain arrays. `entries` are its distinct n-grams; the places of entry e are
``places[firsts[e]:firsts[e + 1]]``, each ``item << 32 | position of the n-gram's first word in the item``,
ascending. Matches of n texts with it are k rows: the text's number, the first word of the window (an index of the
words of all texts), and the entry; sorted by text, then first word.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corpusforge.kernels.array_types import INT64, READ_INT64, READ_UINT64, UINT8
from corpusforge.kernels.loading import kernel, types

Bytes = npt.NDArray[np.uint8]
Int64 = npt.NDArray[np.int64]
UInt64 = npt.NDArray[np.uint64]

_RATIO = 1_000_000_000
"""`corpusforge.step.RATIO`."""
_POSITION = (1 << 32) - 1
_HALF = 1 << 31


@kernel(UINT8(READ_UINT64, types.uint64))
def leading_bits(hashes: UInt64, shift: np.uint64) -> Bytes:
    """Set bit number ``h >> shift`` for each hash: uint8[2^(61 - shift)], eight bits a byte, the lowest first."""
    present = np.zeros(1 << (61 - np.int64(shift)), np.uint8)
    for place in range(len(hashes)):
        number = np.int64(hashes[place] >> shift)
        present[number >> 3] |= np.uint8(1 << (number & 7))
    return present


@kernel(types.UniTuple(INT64, 4)(READ_INT64, READ_INT64, READ_INT64, types.int64))
def merge_runs(rows: Int64, firsts: Int64, lasts: Int64, texts: int) -> tuple[Int64, Int64, Int64, Int64]:
    """Unions of k stretches of words [first, last) per text; stretches that touch are one.

    `rows`, `firsts`, `lasts` int64[k], sorted by row and first. Returns offsets int64[texts + 1], the unions' firsts
    and lasts, and the number of words in them per text, int64[texts].
    """
    offsets = np.zeros(texts + 1, np.int64)
    words = np.zeros(texts, np.int64)
    new_firsts, new_lasts = np.empty(len(rows), np.int64), np.empty(len(rows), np.int64)
    count = 0
    for at in range(len(rows)):
        if at and rows[at] == rows[at - 1] and firsts[at] <= new_lasts[count - 1]:
            new_lasts[count - 1] = max(new_lasts[count - 1], lasts[at])
            continue
        new_firsts[count], new_lasts[count] = firsts[at], lasts[at]
        offsets[rows[at] + 1] += 1
        count += 1
    offsets = np.cumsum(offsets)
    for row in range(texts):
        for at in range(offsets[row], offsets[row + 1]):
            words[row] += new_lasts[at] - new_firsts[at]
    return offsets, new_firsts[:count].copy(), new_lasts[:count].copy(), words


@kernel(types.UniTuple(INT64, 3)(READ_INT64, READ_INT64, READ_INT64, READ_INT64, READ_INT64))
def exact_stretches(
    rows: Int64, entries: Int64, firsts: Int64, places: Int64, item_widths: Int64
) -> tuple[Int64, Int64, Int64]:
    """Stretches of items that texts hold word for word: rows, places of their first words, and their last positions.

    `rows`, `entries` int64[k], sorted by row; `item_widths` int64[items] the words of an item's n-grams. Each place
    of an n-gram counts once a text. Three int64[s], sorted by row, then place; the last positions are exclusive.
    """
    total = 0
    distinct = np.empty(len(rows), np.bool_)
    begin = 0
    while begin < len(rows):
        end = begin
        while end < len(rows) and rows[end] == rows[begin]:
            end += 1
        order = np.argsort(entries[begin:end])
        for at in range(end - begin):
            here = begin + order[at]
            distinct[here] = at == 0 or entries[here] != entries[begin + order[at - 1]]
            if distinct[here]:
                total += firsts[entries[here] + 1] - firsts[entries[here]]
        begin = end
    new_rows, starts, ends = np.empty(total, np.int64), np.empty(total, np.int64), np.empty(total, np.int64)
    count = begin = 0
    while begin < len(rows):
        end, first = begin, count
        while end < len(rows) and rows[end] == rows[begin]:
            if distinct[end]:
                for place in range(firsts[entries[end]], firsts[entries[end] + 1]):
                    starts[count] = places[place]
                    count += 1
            end += 1
        starts[first:count] = np.sort(starts[first:count])
        for at in range(first, count):
            new_rows[at] = rows[begin]
            ends[at] = (starts[at] & _POSITION) + item_widths[starts[at] >> 32]
        begin = end
    return new_rows, starts, ends


@kernel(
    types.int64(
        types.int64, types.int64, types.int64, READ_INT64, READ_INT64, READ_INT64, READ_INT64, types.int64, INT64, INT64
    )
)  # fmt: skip
def _pairs(
    begin: int,
    end: int,
    base: int,
    firsts: Int64,
    entries: Int64,
    index_firsts: Int64,
    places: Int64,
    per_match: int,
    lines: Int64,
    seeds: Int64,
) -> int:
    """Fill in item and diagonal (`lines`), and first word (`seeds`), of the pairs of matches [begin, end) and places.

    Pairs on one line differ only in where they are on it. Gives their number; as many are taken as there is room for.
    """
    count = 0
    for match in range(begin, end):
        entry = entries[match]
        first = index_firsts[entry]
        for place in range(
            first, min(index_firsts[entry + 1], first + per_match, first + len(lines) - count)
        ):
            shift = (places[place] & _POSITION) - (firsts[match] - base)
            lines[count] = (places[place] >> 32 << 32) | (shift + _HALF)
            seeds[count] = firsts[match]
            count += 1
    return count


@kernel(
    types.UniTuple(types.int64, 3)(
        types.int64, types.int64, types.int64, READ_UINT64, READ_UINT64, types.int64, types.int64, INT64
    )
)  # fmt: skip
def _go_on(
    at: int, last: int, bound: int, terms: UInt64, item_terms: UInt64, shift: int, held: int, missed: Int64
) -> tuple[int, int, int]:
    """Follow a line from word `at` to `bound`, or up to the first word that differs when `missed` is full.

    Its first `held` values are the words so far that differ. Gives where it stopped, the end of the last equal word
    (`last` before any), and how many of `missed` are in use.
    """
    while at < bound:
        if terms[at] == item_terms[at + shift]:
            last = at + 1
        elif held == len(missed):
            break
        else:
            missed[held] = at
            held += 1
        at += 1
    return at, last, held


@kernel(
    types.Array(types.int64, 2, "C")(
        READ_INT64, READ_INT64, READ_INT64, READ_INT64, READ_UINT64, READ_INT64, READ_INT64, READ_INT64,
        READ_UINT64, types.int64, types.int64, types.int64, types.int64,
    )
)  # fmt: skip
def _stretches(
    rows: Int64,
    firsts: Int64,
    entries: Int64,
    document_offsets: Int64,
    terms: UInt64,
    index_firsts: Int64,
    places: Int64,
    item_offsets: Int64,
    item_terms: UInt64,
    ngram: int,
    budget: int,
    per_match: int,
    per_text: int,
) -> Int64:
    """Stretches of `skipgram_stretches`, int64[s, 5]: row, first and last word, place in the item, last position."""
    missed = np.empty(budget, np.int64)
    found = np.empty((64, 5), np.int64)
    count = begin = 0
    while begin < len(rows):
        row, end, room = rows[begin], begin, 0
        while end < len(rows) and rows[end] == row:
            room += min(per_match, index_firsts[entries[end] + 1] - index_firsts[entries[end]])
            end += 1
        lines, seeds = np.empty(min(room, per_text), np.int64), np.empty(min(room, per_text), np.int64)
        base = document_offsets[row]
        _pairs(begin, end, base, firsts, entries, index_firsts, places, per_match, lines, seeds)
        at = last = previous = np.int64(-1)
        held = 0
        for number in np.argsort(lines, kind="mergesort"):
            line, first = lines[number], seeds[number]
            item = line >> 32
            size = item_offsets[item + 1] - item_offsets[item]
            shift = (line & _POSITION) - _HALF - base + item_offsets[item]
            if line != previous or first > at:
                at = last = first + min(ngram, size)
                held = 0
            kept = 0
            for place in range(held):
                if missed[place] > first:
                    missed[kept] = missed[place]
                    kept += 1
            bound = min(document_offsets[row + 1], item_offsets[item + 1] - shift)
            at, last, held = _go_on(at, last, bound, terms, item_terms, shift, kept, missed)
            same, previous = line == previous, line
            if last - first <= ngram and size > ngram:
                continue
            start = (item << 32) | (first + shift - item_offsets[item])
            # What was found last is of the same line when text, item and shift are equal.
            if (
                same and count and found[count - 1, 0] == row and first <= found[count - 1, 2]
                and found[count - 1, 3] - found[count - 1, 1] == start - first
            ):  # fmt: skip
                found[count - 1, 2], found[count - 1, 4] = last, (start & _POSITION) + last - first
                continue
            if count == len(found):
                longer = np.empty((2 * count, 5), np.int64)
                longer[:count] = found
                found = longer
            found[count, 0], found[count, 1], found[count, 2] = row, first, last
            found[count, 3], found[count, 4] = start, (start & _POSITION) + last - first
            count += 1
        begin = end
    return found[:count].copy()


def skipgram_stretches(
    rows: Int64,
    firsts: Int64,
    entries: Int64,
    document_offsets: Int64,
    terms: UInt64,
    index_firsts: Int64,
    places: Int64,
    item_offsets: Int64,
    item_terms: UInt64,
    ngram: int,
    budget: int,
    per_match: int,
    per_text: int,
) -> tuple[Int64, Int64, Int64, Int64, Int64, Int64]:
    """Stretches that texts and items share but for `budget` words, behind `ngram` words without a difference.

    A stretch begins with a match of `ngram` words and goes on as long as at most `budget` words differ, position by
    position, up to its last equal word; it counts when it is longer than `ngram`. Items of up to `ngram` words
    count when they match as a whole. Stretches of one text and item that overlap without a shift are given as one.
    Of an n-gram at more than `per_match` places of items the first are followed, and of a text the first `per_text`
    pairs of a match and a place; work is linear in these pairs and in the words of stretches.

    `item_offsets` int64[items + 1] indexes `item_terms` uint64, the words of items. Returns six int64[s]: of the
    texts, rows, firsts and lasts, sorted by row, then first; of the items, rows, places of first words, and last
    positions, sorted by row, then place.
    """
    found = _stretches(
        rows, firsts, entries, document_offsets, terms, index_firsts, places, item_offsets, item_terms, ngram,
        budget, per_match, per_text,
    )  # fmt: skip
    by_text = found[np.lexsort((found[:, 1], found[:, 0]))].T.copy()
    by_item = found[np.lexsort((found[:, 3], found[:, 0]))].T.copy()
    return by_text[0], by_text[1], by_text[2], by_item[0], by_item[3], by_item[4]


@kernel(
    types.UniTuple(INT64, 4)(
        READ_INT64, READ_INT64, READ_INT64, READ_INT64, READ_INT64, types.int64, types.boolean, types.int64
    )
)
def item_shares(
    rows: Int64,
    starts: Int64,
    ends: Int64,
    item_widths: Int64,
    item_words: Int64,
    texts: int,
    by_words: bool,
    listed: int,
) -> tuple[Int64, Int64, Int64, Int64]:
    """How many items each text meets, and the greatest share of one of them that it holds.

    `rows`, `starts`, `ends` int64[s] as of `exact_stretches`; `item_widths`, `item_words` int64[items]. The share is
    that of the item's words in stretches (`by_words`), else of its n-grams. Returns items met int64[texts], greatest
    share int64[texts] (floor of the exact quotient times 10^9), offsets int64[texts + 1], and the numbers of the
    first `listed` items of each text, ascending.
    """
    met, shares = np.zeros(texts, np.int64), np.zeros(texts, np.int64)
    offsets, names = np.zeros(texts + 1, np.int64), np.empty(len(rows), np.int64)
    at = count = 0
    while at < len(rows):
        row, item = rows[at], starts[at] >> 32
        held = reach = np.int64(0)
        while at < len(rows) and rows[at] == row and starts[at] >> 32 == item:
            if by_words:
                first = max(starts[at] & _POSITION, reach)
                held += max(ends[at] - first, 0)
                reach = max(reach, ends[at])
            else:
                held += 1
            at += 1
        whole = item_words[item] if by_words else item_words[item] - item_widths[item] + 1
        shares[row] = max(shares[row], held * _RATIO // whole)
        if met[row] < listed:
            names[count] = item
            offsets[row + 1] += 1
            count += 1
        met[row] += 1
    return met, shares, np.cumsum(offsets), names[:count].copy()


@kernel(
    types.void(
        READ_INT64, READ_INT64, READ_INT64, READ_INT64, READ_INT64, READ_INT64, types.boolean, UINT8, INT64, INT64,
        INT64,
    )
)  # fmt: skip
def tally_items(
    rows: Int64,
    starts: Int64,
    ends: Int64,
    item_widths: Int64,
    item_words: Int64,
    item_offsets: Int64,
    by_words: bool,
    marks: Bytes,
    texts_met: Int64,
    best_shares: Int64,
    best_rows: Int64,
) -> None:
    """Add the stretches of a batch of texts to what is known of each item.

    `rows`, `starts`, `ends` int64[s] as of `exact_stretches`; `item_widths`, `item_words` int64[items],
    `item_offsets` int64[items + 1]. Changed are `marks` uint8[words of all items], 1 at each word in a stretch
    (`by_words`), else at the first word of each n-gram met; `texts_met` int64[items]; `best_shares` int64[items], the
    greatest share in one text as of `item_shares`; and `best_rows` int64[items], set to the row that raised it.
    """
    at = 0
    while at < len(rows):
        row, item = rows[at], starts[at] >> 32
        held = reach = np.int64(0)
        while at < len(rows) and rows[at] == row and starts[at] >> 32 == item:
            first = starts[at] & _POSITION
            if by_words:
                for word in range(max(first, reach), ends[at]):
                    marks[item_offsets[item] + word] = 1
                    held += 1
                reach = max(reach, ends[at])
            else:
                marks[item_offsets[item] + first] = 1
                held += 1
            at += 1
        whole = item_words[item] if by_words else item_words[item] - item_widths[item] + 1
        share = held * _RATIO // whole
        texts_met[item] += 1
        if share > best_shares[item]:
            best_shares[item], best_rows[item] = share, row
