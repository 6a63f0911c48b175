"""The lines of texts that hold a word, trimmed: what the line rules of Gopher and FineWeb look at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from corpusforge.kernels.repetition import hash_sequences
from corpusforge.kernels.text_statistics import line_words
from corpusforge.texts import Texts

Bool = npt.NDArray[np.bool_]
Int64 = npt.NDArray[np.int64]
UInt64 = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class NonblankLines:
    """m lines that hold a word; text i has the lines ``offsets[i]:offsets[i + 1]`` (int64[n + 1]).

    `starts`, `ends` int64[m]: byte positions in `Texts.data`, from the first word to the last.
    `words` int64[m + 1]: line j holds the words ``words[j]:words[j + 1]`` of `Texts.words`.
    `hashes` uint64[m]: of the sequence of words, so lines are equal when their words are.
    `opens` bool[m]: the first line of a paragraph, which is a run of lines without a blank one.
    """

    offsets: Int64
    starts: Int64
    ends: Int64
    words: Int64
    hashes: UInt64
    opens: Bool

    @classmethod
    def of(cls, texts: Texts) -> NonblankLines:
        """Find the lines."""
        lines, words = texts.lines, texts.words
        first = line_words(lines.ends, words.starts)
        kept = first[1:] > first[:-1]
        after_line = np.zeros(len(kept), np.bool_)
        after_line[1:] = kept[:-1]
        after_line[lines.document_offsets[:-1]] = False
        boundaries = np.append(first[:-1][kept], first[-1])
        return cls(
            offsets=selected_offsets(kept, lines.document_offsets),
            starts=words.starts[boundaries[:-1]],
            ends=words.ends[boundaries[1:] - 1],
            words=boundaries,
            hashes=hash_sequences(words.hashes, boundaries),
            opens=~after_line[kept],
        )


def selected_offsets(selected: Bool, offsets: Int64) -> Int64:
    """Offsets int64[n + 1] of each range's selected items, once the others are left out."""
    before = np.zeros(len(selected) + 1, np.int64)
    np.cumsum(selected, out=before[1:])
    return np.asarray(before[offsets], np.int64)
