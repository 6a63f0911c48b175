"""Measurements as Dolma 1.2 takes them (https://github.com/allenai/dolma, `taggers/gopher.py`, ``gopher_v1``).

Words stand between white space. Lines end with line feeds, blank ones among them, and stand as they are. Every copy
of a duplicate counts, the first one too. Shares of characters have the words' characters below the fraction bar; for
n-grams of five words and more, the characters of all n-grams of that size.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from corpusforge.kernels.peer_repetition import dolma_n_gram_characters, n_gram_mass
from corpusforge.kernels.text_statistics import count_members, sum_by_span, twice_median
from corpusforge.kernels.words import HAS_LETTER, count_characters
from corpusforge.step import RATIO, fixed_ratio
from corpusforge.texts import Texts

Int64 = npt.NDArray[np.int64]

_TOP_SIZES = 3


def gopher_quality(texts: Texts, bullets: Sequence[str], stop_words: Sequence[str]) -> dict[str, Int64]:
    """Signals of quality per text, int64[n] each."""
    words = texts.words
    counts = np.diff(words.document_offsets)
    lengths = count_characters(texts.data, words.starts, words.ends)
    lines = np.zeros((len(texts), 4), np.int64)
    begins = tuple(bullets)
    for index in range(len(texts)):
        text = texts.string(index)
        found = text.split("\n")
        lines[index] = (
            len(found),
            sum(line.startswith(begins) for line in found),
            sum(line.endswith("…") for line in found),
            sum("#" in word or "…" in word for word in text.split()) if "#" in text or "…" in text else 0,
        )
    alphabetic = sum_by_span((words.kinds & HAS_LETTER) != 0, words.document_offsets)
    _, occurrences = count_members(words.hashes, words.document_offsets, [[word] for word in stop_words])
    return {
        "words": counts,
        "median_word_length": twice_median(lengths, words.document_offsets) * RATIO // 2,
        "symbol_word_ratio": fixed_ratio(lines[:, 3], counts),
        "bullet_line_ratio": fixed_ratio(lines[:, 1], lines[:, 0]),
        "ellipsis_line_ratio": fixed_ratio(lines[:, 2], lines[:, 0]),
        "alphabetic_word_ratio": fixed_ratio(alphabetic, counts),
        "stop_word_occurrences": occurrences,
    }


def gopher_repetition(texts: Texts) -> list[Int64]:
    """Signals of repetition per text: 11 of int64[n], in the order of the step's own without paragraphs."""
    words = texts.words
    lengths = count_characters(texts.data, words.starts, words.ends)
    characters = sum_by_span(lengths, words.document_offsets)
    lines = np.zeros((len(texts), 3), np.int64)
    for index in range(len(texts)):
        counted = Counter(texts.string(index).split("\n"))
        repeated = [(line, count) for line, count in counted.items() if count > 1]
        lines[index] = (
            counted.total(),
            sum(count for _, count in repeated),
            sum(len(line) * count for line, count in repeated),
        )
    grams = dolma_n_gram_characters(words.hashes, lengths, words.document_offsets)
    mass = n_gram_mass(lengths, words.document_offsets)
    return [
        fixed_ratio(lines[:, 1], lines[:, 0]),
        fixed_ratio(lines[:, 2], np.maximum(characters, 1)),
        *(fixed_ratio(grams[:, size], characters) for size in range(_TOP_SIZES)),
        *(fixed_ratio(grams[:, size], mass[:, size]) for size in range(_TOP_SIZES, grams.shape[1])),
    ]
