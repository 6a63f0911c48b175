"""Prediction with a supervised fastText model: the most probable label of spans of text, and its probability."""

from __future__ import annotations

from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt

from corpusforge.kernels.fasttext_output import best_labels
from corpusforge.kernels.fasttext_sums import (
    LABEL,
    LONGEST,
    WORD_NGRAMS,
    add_word_ngrams,
    hash_words,
    join_spans,
    sum_rows,
    sum_spans,
    word_hash,
    word_rows,
)
from corpusforge.kernels.word_table import as_blocks, find_words, keep_used
from corpusforge.models.fasttext_file import read_fasttext_file

Bytes = npt.NDArray[np.uint8]
Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
Float32 = npt.NDArray[np.float32]

END_OF_SENTENCE = b"</s>"
"""The word that fastText puts at the end of every line; it reads nothing behind one."""

CACHE_SLOTS = 1 << 16
"""Most slots of the table of word sums; up to three quarters are filled."""

CACHE_BYTES = 1 << 25
"""Most bytes of the sums that are kept."""


_END_KEY = np.uint64(int.from_bytes(END_OF_SENTENCE, "little"))
_END = np.frombuffer(END_OF_SENTENCE, np.uint8)


class FastTextModel:
    """A model and its table of word sums, which one call at a time uses. Raises as `read_fasttext_file`.

    What the table holds changes no result: a word's vector is summed on its own and then added, always.
    """

    def __init__(self, path: Path) -> None:
        self.file = read_fasttext_file(path)
        self.labels = self.file.labels
        dimension = self.file.matrix.shape[1]
        slots = CACHE_SLOTS
        while slots > 2 and slots * dimension * 4 > CACHE_BYTES:
            slots //= 2
        self._keys = np.zeros((slots, 4), np.uint64)
        self._sums_held = np.zeros((slots, dimension), np.float32)
        self._rows_held = np.zeros(slots, np.int32)
        self._used = np.zeros(slots, np.uint8)
        self._held = np.zeros(1, np.int64)
        self._lock = Lock()
        self._end_sum, self._end_rows = self._end_of_sentence()

    def predict(self, data: Bytes, starts: Int64, ends: Int64) -> tuple[Int32, Float32]:
        """Give the label int32[s], -1 where there is none, and probability float32[s] of s spans, a line each.

        The spans are ``data[starts:ends]``, UTF-8, int64[s]; line feeds in them count as spaces.
        """
        sums, rows, _ = self._sums(data, starts, ends)
        return self._best(sums, rows)

    def predict_lines(
        self, data: Bytes, offsets: Int64, starts: Int64, ends: Int64, shortest: int
    ) -> tuple[Int32, Float32, Int32]:
        """Give (label int32[n], probability float32[n]) of n texts, and the labels int32[s] of their lines.

        Text i has the lines ``offsets[i]:offsets[i + 1]`` of `starts`, `ends` int64[s], which lie in `data` in
        order. Lines of less than `shortest` bytes get no label (-1).
        """
        sums, rows, stopped = self._sums(data, starts, ends)
        long = np.flatnonzero(ends - starts >= shortest)
        lines = np.full(len(starts), -1, np.int32)
        lines[long] = self._best(sums[long], rows[long])[0]
        if self.file.settings[WORD_NGRAMS] > 1:
            is_empty = offsets[:-1] == offsets[1:]
            last = np.maximum(offsets[1:] - 1, 0)
            first = np.minimum(offsets[:-1], last)
            ends_of_texts = np.where(is_empty, starts[first], ends[last])
            return *self.predict(data, starts[first], ends_of_texts), lines
        return *self._best(*join_spans(offsets, sums, rows, stopped)), lines

    def _sums(self, data: Bytes, starts: Int64, ends: Int64) -> tuple[Float32, Int64, Bytes]:
        """Sum the vectors of the words of s spans without their ends: sums [s, d], rows summed [s], stopped [s]."""
        with self._lock:
            if self._held[0] > len(self._keys) // 2:
                self._thin_out()
            offsets, places, new_starts, new_ends, new_slots, stopped = find_words(
                as_blocks(data), starts, ends, False, _END_KEY, self._keys, self._used, self._held
            )
            try:
                outside, outside_rows = self._sum_words(data, new_starts, new_ends, new_slots)
            except BaseException:
                # The table must not hold words whose sums are missing.
                self._keys.fill(0)
                self._held.fill(0)
                raise
            sums, rows = sum_spans(offsets, places, self._sums_held, self._rows_held, outside, outside_rows)
            if self.file.settings[WORD_NGRAMS] > 1:
                word_rows_of = np.where(
                    places < 0,
                    np.append(outside_rows, 0)[np.where(places < 0, ~places, 0)],
                    self._rows_held[np.maximum(places, 0)],
                )
                self._add_word_ngrams(data, starts, ends, offsets, word_rows_of != LABEL, sums, rows)
        return sums, rows, stopped

    def _add_word_ngrams(
        self,
        data: Bytes,
        starts: Int64,
        ends: Int64,
        offsets: Int64,
        is_word: Any,
        sums: Float32,
        rows: Int64,
    ) -> None:
        """Add the n-grams of words to `sums` and `rows`, each span's end counted as a word."""
        file = self.file
        hashes = hash_words(data, starts, ends, offsets)[is_word]
        counted = np.concatenate([[0], np.cumsum(is_word)])[offsets]
        hashes = np.insert(hashes, counted[1:], np.uint64(word_hash(_END, 0, len(_END))))
        counted = counted + np.arange(len(counted))
        add_word_ngrams(counted, hashes, file.settings, file.kept, file.before, file.matrix, sums, rows)

    def _best(self, sums: Float32, rows: Int64) -> tuple[Int32, Float32]:
        """Label and probability of sums of words, each a line with its end."""
        file = self.file
        labels, probabilities = best_labels(
            sums + self._end_sum, rows + self._end_rows, file.weights, file.layer, file.left, file.right
        )
        return labels, probabilities

    def _sum_words(self, data: Bytes, starts: Int64, ends: Int64, slots: Int32) -> tuple[Float32, Int32]:
        """Put the sums of new words into their slots; returns those of the words without one (-1), in order."""
        offsets, rows, counts = self._word_rows(self.file.settings, data, starts, ends)
        is_outside = slots < 0
        self._rows_held[slots[~is_outside]] = counts[~is_outside]
        outside = np.empty((int(is_outside.sum()), self._sums_held.shape[1]), np.float32)
        sum_rows(offsets, rows, self.file.matrix, slots, self._sums_held, outside)
        return outside, counts[is_outside]

    def _word_rows(
        self, settings: Int64, data: Bytes, starts: Int64, ends: Int64
    ) -> tuple[Int64, Int32, Int32]:
        file = self.file
        offsets, rows, counts = word_rows(
            data, starts, ends, settings, file.names, file.name_offsets, file.table, file.kept, file.before
        )
        return offsets, rows, counts

    def _end_of_sentence(self) -> tuple[Float32, int]:
        """Sum the rows of the end of a line: its word's, if the dictionary has it, and no n-grams."""
        settings = self.file.settings.copy()
        settings[LONGEST] = 0
        _, rows, counts = self._word_rows(settings, _END, np.array([0]), np.array([len(_END)]))
        return self.file.matrix[rows].sum(axis=0, dtype=np.float32), max(int(counts[0]), 0)

    def _thin_out(self) -> None:
        """Keep the words that were met more than once since the last time."""
        keys = np.zeros_like(self._keys)
        old, new = keep_used(self._keys, self._used, self._held, keys)
        self._keys = keys
        self._sums_held[new] = self._sums_held[old]
        self._rows_held[new] = self._rows_held[old]
