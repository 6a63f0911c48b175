"""Prediction with a supervised fastText model: the most probable label of spans of text, and its probability."""

from __future__ import annotations

from pathlib import Path
from threading import Lock

import numpy as np
import numpy.typing as npt

from corpusforge.kernels.fasttext_cache import make_table, sum_spans
from corpusforge.kernels.fasttext_output import best_labels
from corpusforge.kernels.fasttext_sums import (
    WORD_NGRAMS,
    WORDS,
    add_word_ngrams,
    find_entry,
    hash_words,
    is_label,
    join_spans,
)
from corpusforge.kernels.fasttext_words import index_names
from corpusforge.models.fasttext_file import read_fasttext_file

Bytes = npt.NDArray[np.uint8]
Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
Float32 = npt.NDArray[np.float32]

END_OF_SENTENCE = b"</s>"
"""The word that fastText puts at the end of every line; it reads nothing behind one."""

CACHE_ROWS = 1 << 18
"""Most rows of the table of word sums."""

CACHE_BYTES = 1 << 25
"""Most bytes of that table."""

_END_KEY = np.uint64(int.from_bytes(END_OF_SENTENCE, "little"))
_END = np.frombuffer(END_OF_SENTENCE, np.uint8)


class FastTextModel:
    """A model and its table of word sums, which one call at a time uses. Raises as `read_fasttext_file`.

    What the table holds changes no result: a word's vector is summed on its own and then added, always.
    """

    def __init__(self, path: Path) -> None:
        file = self.file = read_fasttext_file(path)
        self.labels = file.labels
        dimension = file.matrix.shape[1]
        rows = CACHE_ROWS
        while rows > 2 and rows * (-(-dimension // 16) * 64 + 32) > CACHE_BYTES:
            rows //= 2
        self._keys, self._vectors = make_table(rows, dimension)
        self._index = index_names(file.names, file.name_offsets, file.table, len(file.table))
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
        file = self.file
        with self._lock:
            sums, rows, stopped = sum_spans(
                data,
                starts,
                ends,
                _END_KEY,
                file.settings,
                file.names,
                file.name_offsets,
                self._index,
                file.kept,
                file.before,
                file.matrix,
                self._keys,
                self._vectors,
            )
        if file.settings[WORD_NGRAMS] > 1:
            offsets, hashes = hash_words(
                data, starts, ends, _END, file.settings, file.names, file.name_offsets, file.table
            )
            add_word_ngrams(offsets, hashes, file.settings, file.kept, file.before, file.matrix, sums, rows)
        return sums, rows, stopped

    def _best(self, sums: Float32, rows: Int64) -> tuple[Int32, Float32]:
        """Label and probability of sums of words, each a line with its end."""
        file = self.file
        labels, probabilities = best_labels(
            sums + self._end_sum, rows + self._end_rows, file.weights, file.layer, file.left, file.right
        )
        return labels, probabilities

    def _end_of_sentence(self) -> tuple[Float32, int]:
        """The row of the end of a line, its word's if the dictionary has it, and how many that are: 0 or 1."""
        file = self.file
        entry = find_entry(_END, 0, len(_END), file.names, file.name_offsets, file.table)
        if entry < 0 or is_label(_END, 0, len(_END), entry, file.settings[WORDS]):
            return np.zeros(file.matrix.shape[1], np.float32), 0
        return file.matrix[entry].copy(), 1
