"""Scoring with an ARPA model in own arrays: ids of pieces, cached by word, and log10 probabilities of sentences."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corpusforge.kernels.fasttext_dictionary import hash_entries
from corpusforge.kernels.ngram_scores import (
    EMPTY,
    find_ids,
    insert_ngrams,
    join_ids,
    parse_lines,
    score_sentences,
)
from corpusforge.kernels.plain_words import ids_of_words, rewrite_words
from corpusforge.kernels.word_table import as_blocks, find_words, keep_used, strip_spans
from corpusforge.models.arpa import SPECIAL_WORDS, UNKNOWN_MISSING, read_header
from corpusforge.models.normalization import Normalization, normalize
from corpusforge.models.plain_characters import plain_characters
from corpusforge.models.train_lm import as_words
from corpusforge.tokenize.merges import MergeTable, merge_table
from corpusforge.tokenize.model_file import (
    BYTE,
    CONTROL,
    NORMAL,
    SPACE_SYMBOL,
    UNKNOWN,
    ModelFile,
    read_model_file,
)

Bytes = npt.NDArray[np.uint8]
Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
Float64 = npt.NDArray[np.float64]

CACHE_SLOTS = 1 << 18
"""Slots of the table of words; up to three quarters are filled."""

_POOL = 1 << 23
"""Ids that are held before the table is thinned out."""

_SEPARATOR = "\ue000"
"""A character for private use: parts words that are normalized together, and is nothing to the rules."""


class NgramModel:
    """An ARPA model in memory. Raises `ValueError` for a file that is none."""

    def __init__(self, path: Path) -> None:
        data = np.memmap(path, np.uint8, mode="r").view(np.ndarray)
        with path.open("rb") as stream:
            counts = read_header(path, ((n, line.rstrip(b"\r\n")) for n, line in enumerate(stream, 1)))
        if sum(counts) > len(data):
            raise ValueError(f"{path}: the header counts more n-grams than the file has bytes")
        self.order = len(counts)
        sections = _sections(path, data, self.order)
        numbers, words = _lines(path, data, sections[0], 1, counts[0])
        names = [data[start:end].tobytes() for start, end in words]
        for special, log10 in ((SPECIAL_WORDS[0], UNKNOWN_MISSING), (SPECIAL_WORDS[1], UNKNOWN_MISSING)):
            if special.encode() not in names:
                names.append(special.encode())
                numbers = np.append(numbers, np.array([[log10, 0]], np.float32), axis=0)
        self.ids = {name: number for number, name in enumerate(names)}
        if len(self.ids) != len(names) or SPECIAL_WORDS[2].encode() not in self.ids:
            raise ValueError(f"{path}: a word stands twice, or there is no end of sentence")
        self.unknown, self.begin, self.end = (self.ids[word.encode()] for word in SPECIAL_WORDS)
        self._unigrams = np.ascontiguousarray(numbers)
        offsets = np.cumsum([0, *map(len, names)]).astype(np.int64)
        joined = np.frombuffer(b"".join(names), np.uint8)
        table = hash_entries(joined, offsets, 1 << (2 * len(names)).bit_length())
        self.names = joined, offsets, table
        orders = []
        for length in range(2, self.order + 1):
            numbers, words = _lines(path, data, sections[length - 1], length, counts[length - 1])
            ids = find_ids(data, words, joined, offsets, table)
            if (ids < 0).any():
                raise ValueError(f"{path}: a {length}-gram has a word that is no 1-gram")
            orders.append((ids, numbers))
        self._keys, self._values = _fill(orders, len(names), sum(counts[1:]))

    def score(self, ids: Int32, offsets: Int64) -> Float64:
        """log10 probabilities float64[n] of sentences ``ids[offsets[i]:offsets[i + 1]]``, ends included."""
        scores: Float64 = score_sentences(
            ids, offsets, self.order, self.begin, self.end, self._unigrams, self._keys, self._values
        )
        return scores


def _sections(path: Path, data: Bytes, order: int) -> list[tuple[int, int]]:
    """Where the lines of each order begin and end."""
    content = data.data
    marks = []
    at = 0
    for mark in [*(b"\n\\%d-grams:" % length for length in range(1, order + 1)), b"\n\\end\\"]:
        found = _search(content, mark, at)
        if found < 0:
            raise ValueError(f"{path}: no {mark.decode().strip()}")
        marks.append((found, found + len(mark)))
        at = found + len(mark)
    return [(behind, marks[number + 1][0] + 1) for number, (_, behind) in enumerate(marks[:-1])]


def _search(content: memoryview, mark: bytes, start: int) -> int:
    """First place of `mark` from `start` on, or -1."""
    block = 1 << 24
    for at in range(start, len(content), block):
        found = bytes(content[at : at + block + len(mark)]).find(mark)
        if found >= 0:
            return at + found
    return -1


def _lines(path: Path, data: Bytes, section: tuple[int, int], length: int, count: int) -> tuple[Any, Any]:
    read, numbers, words = parse_lines(data, section[0], section[1], length, count)
    if read < 0:
        raise ValueError(f"{path}: no {length}-gram at byte {~read}, or more than the {count} of the header")
    if read != count:
        raise ValueError(f"{path}: {read} {length}-grams, not {count}")
    return numbers, words


def _fill(orders: list[tuple[Any, Any]], words: int, ngrams: int) -> tuple[Any, Any]:
    """Make the table of all orders above the first, in which at least half of the slots stay free at first."""
    slots = 1 << max(4, (2 * ngrams).bit_length())
    while True:
        keys = np.full(slots, EMPTY, np.uint64)
        values = np.zeros((slots, 2), np.float32)
        held = 0
        for ids, numbers in orders:
            held = insert_ngrams(ids, numbers, words, keys, values, held)
            if held < 0:
                break
        if held >= 0:
            return keys, values
        slots *= 2


class PieceIds:
    """Ids of the pieces of texts, each distinct word encoded once where the pieces of words are independent.

    What is cached changes no result. One call at a time uses the table. Raises as
    `corpusforge.tokenize.model_file.read_model_file`.
    """

    def __init__(self, pieces: bytes, model: NgramModel, normalization: Normalization) -> None:
        from sentencepiece import SentencePieceProcessor

        self._processor: Any = SentencePieceProcessor(model_proto=pieces)
        self._model = model
        self._normalization = normalization
        file = read_model_file(pieces)
        self._id_of_piece = _ids_of_pieces(file, model)
        self.words_are_independent = _words_are_independent(file, self._processor)
        self._table = _table_with_unknown(file) if self.words_are_independent else None
        self._characters = plain_characters(normalization, file.character_map)
        self._piece_sizes = np.array([_size_in_text(piece, kind) for piece, kind in file.pieces], np.int32)
        slots = CACHE_SLOTS if self.words_are_independent else 0
        self._keys = np.zeros((slots, 4), np.uint64)
        self._used = np.zeros(slots, np.uint8)
        self._held = np.zeros(1, np.int64)
        self._starts = np.zeros(slots, np.int64)
        self._counts = np.zeros(slots, np.int32)
        self._pieces = np.zeros(slots, np.int32)
        self._pool = np.zeros(0, np.int32)
        self._lock = Lock()

    def encode(self, data: Bytes, starts: Int64, ends: Int64) -> tuple[Int32, Int64, Int64]:
        """Ids int32[t], their offsets int64[n + 1], and the pieces int64[n] of n texts ``data[starts:ends]``."""
        if not self.words_are_independent:
            texts = [data[start:end].tobytes().decode("utf-8", "replace") for start, end in zip(starts, ends)]
            ids, counts, pieces = self._encode([normalize(text, self._normalization) for text in texts])
            return ids, np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]), pieces.astype(np.int64)
        if self._normalization != "none":
            starts, ends = strip_spans(data, starts, ends)
        with self._lock:
            if self._held[0] > len(self._keys) // 2 or len(self._pool) > _POOL:
                self._thin_out()
            offsets, places, new_starts, new_ends, new_slots, _ = find_words(
                as_blocks(data), starts, ends, True, np.uint64(0), self._keys, self._used, self._held
            )
            try:
                ids, firsts, counts, pieces = self._encode_words(data, new_starts, new_ends)
            except BaseException:
                # The table must not hold words whose ids are missing.
                self._keys.fill(0)
                self._held.fill(0)
                raise
            firsts += len(self._pool)
            self._pool = np.concatenate([self._pool, ids])
            kept = new_slots >= 0
            self._starts[new_slots[kept]] = firsts[kept]
            self._counts[new_slots[kept]] = counts[kept]
            self._pieces[new_slots[kept]] = pieces[kept]
            joined, id_offsets, totals = join_ids(
                offsets, places, self._starts, self._counts, self._pieces,
                firsts[~kept], counts[~kept], pieces[~kept], self._pool,
            )  # fmt: skip
        return joined, id_offsets, totals

    def _encode_words(self, data: Bytes, starts: Int64, ends: Int64) -> tuple[Int32, Int64, Int32, Int32]:
        """Ids int32[t], and of n words ``data[starts:ends]`` the first, how many, and how many pieces."""
        ids, firsts, counts, pieces, plain = self._encode_plain_words(data, starts, ends)
        others = np.flatnonzero(~plain)
        words = [
            data[start:end].tobytes() for start, end in zip(starts[others].tolist(), ends[others].tolist())
        ]
        normalized = self._normalize_words(words)
        numbers = {text: number for number, text in enumerate(dict.fromkeys(normalized))}
        more, more_counts, more_pieces = self._encode(list(numbers))
        number_of = np.array([numbers[text] for text in normalized], np.int64)
        firsts[others] = (len(ids) + np.cumsum(more_counts, dtype=np.int64) - more_counts)[number_of]
        counts[others], pieces[others] = more_counts[number_of], more_pieces[number_of]
        return np.concatenate([ids, more]), firsts, counts, pieces

    def _encode_plain_words(
        self, data: Bytes, starts: Int64, ends: Int64
    ) -> tuple[Int32, Int64, Int32, Int32, npt.NDArray[np.bool_]]:
        """The same without the library, for those words of which it is known to be the same: the plain ones."""
        if self._table is None:
            counts, pieces = np.zeros((2, len(starts)), np.int32)
            return (
                np.zeros(0, np.int32),
                np.zeros(len(starts), np.int64),
                counts,
                pieces,
                np.zeros(len(starts), np.bool_),
            )
        characters = self._characters
        text, part_starts, part_ends, words, plain = rewrite_words(
            data, starts, ends, characters.starts, characters.sizes, characters.texts, characters.growth
        )
        found, offsets, encoded = self._table.encode(text, part_starts, part_ends, 0)
        plain[words[~encoded]] = False
        ids, firsts, counts, pieces = ids_of_words(
            found, offsets, text, part_starts, words, plain,
            self._id_of_piece, self._piece_sizes, *self._model.names, self._model.unknown,
        )  # fmt: skip
        return ids, firsts, counts, pieces, plain

    def _normalize_words(self, words: list[bytes]) -> list[str]:
        """Normalize words without what `normalize` does at the ends of a text, all at once where possible."""
        texts = [word.decode("utf-8", "replace") for word in words]
        joined = _SEPARATOR.join(["", *texts, ""])
        if joined.count(_SEPARATOR) == len(texts) + 1:
            return normalize(joined, self._normalization).split(_SEPARATOR)[1:-1] if texts else []
        return [normalize(f"x {text} x", self._normalization)[2:-2] for text in texts]

    def _encode(self, texts: list[str]) -> tuple[Int32, Int32, Int32]:
        """Ids of all texts, and how many ids and pieces each has."""
        pieces_of, offsets = self._by_library(texts)
        pieces = np.diff(offsets).astype(np.int32)
        ids = self._id_of_piece[pieces_of]
        odd = np.unique(np.searchsorted(offsets, np.flatnonzero(ids < 0), side="right") - 1)
        if not len(odd):
            return ids, pieces, pieces
        # Pieces of unknown characters are words of their own spelling.
        spellings = self._processor.encode([texts[number] for number in odd], out_type=str, num_threads=1)
        known, unknown = self._model.ids, self._model.unknown
        found = [
            [known.get(word, unknown) for word in as_words(spelled).encode().split()] for spelled in spellings
        ]
        counts = pieces.copy()
        counts[odd] = [len(words) for words in found]
        firsts = np.cumsum(counts, dtype=np.int64) - counts
        joined = np.zeros(int(counts.sum()), np.int32)
        is_even = np.ones(len(texts), np.bool_)
        is_even[odd] = False
        shifts = np.repeat(firsts - offsets[:-1], pieces)
        is_kept = np.repeat(is_even, pieces)
        joined[(np.arange(len(ids)) + shifts)[is_kept]] = ids[is_kept]
        for first, words in zip(firsts[odd].tolist(), found):
            joined[first : first + len(words)] = words
        return joined, counts, pieces

    def _by_library(self, texts: list[str]) -> tuple[Int32, Int64]:
        encoded = self._processor.encode(texts, out_type=int, num_threads=1) if texts else []
        lists = pa.array(encoded, pa.large_list(pa.int32()))
        return lists.values.to_numpy(), lists.offsets.to_numpy()

    def _thin_out(self) -> None:
        """Keep the words that were met more than once since the last time, and their ids."""
        keys = np.zeros_like(self._keys)
        old, new = keep_used(self._keys, self._used, self._held, keys)
        self._keys = keys
        starts, counts = self._starts[old], self._counts[old]
        firsts = np.cumsum(counts, dtype=np.int64) - counts
        self._pool = self._pool[np.repeat(starts - firsts, counts) + np.arange(int(counts.sum()))]
        self._starts[new], self._counts[new], self._pieces[new] = firsts, counts, self._pieces[old]


def _ids_of_pieces(file: ModelFile, model: NgramModel) -> Int32:
    """Word id of each piece, int32[pieces]; -1 for those whose spelling in a text is to be looked at."""
    spelled = [as_words([piece]).encode().split() for piece, _ in file.pieces]
    return np.array(
        [
            model.ids.get(words[0], model.unknown) if len(words) == 1 and kind in (NORMAL, BYTE) else -1
            for words, (_, kind) in zip(spelled, file.pieces)
        ],
        np.int32,
    )


def _table_with_unknown(file: ModelFile) -> MergeTable | None:
    """Tables of the model that give every byte of an unknown character the number behind the last piece's."""
    table = merge_table(file)
    if table is None or file.byte_fallback:
        return table
    return replace(table, byte_ids=np.full(256, len(file.pieces), np.int32))


def _size_in_text(piece: str, kind: int) -> int:
    """Bytes of a text that a piece stands for; the space symbol before a word is none of them."""
    return 1 if kind == BYTE else len(piece.removeprefix(SPACE_SYMBOL).encode())


def _words_are_independent(file: ModelFile, processor: Any) -> bool:
    """Whether a text's pieces are those of its words, each encoded alone.

    BPE merges only into pieces of the vocabulary: when none holds a space symbol but at its start, no merge
    crosses a space. Then a word's pieces are the same in a text, where one space symbol stands before every
    word: spaces that repeat or stand at the ends are removed, and one is put before the first word. The symbol
    must be a piece, or else unknown characters on both sides of it would be one piece.
    """
    spelled = [piece for piece, kind in file.pieces if kind == NORMAL]
    return (
        file.is_bpe
        and file.dummy_prefix
        and not file.spaces_as_suffix
        and {kind for _, kind in file.pieces} <= {NORMAL, UNKNOWN, CONTROL, BYTE}
        and SPACE_SYMBOL in spelled
        and all(
            SPACE_SYMBOL not in piece.lstrip(SPACE_SYMBOL)
            and len(piece) - len(piece.lstrip(SPACE_SYMBOL)) < 2
            for piece in spelled
        )
        and processor.encode("  a  b ", out_type=str)
        == processor.encode("a", out_type=str) + processor.encode("b", out_type=str)
    )
