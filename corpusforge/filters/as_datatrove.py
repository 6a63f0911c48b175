"""Measurements as datatrove 0.10 takes them (https://github.com/huggingface/datatrove, `pipeline/filters`).

Words are spaCy's. Lines are Python's, blank ones among them, and stand as they are: neither trimmed nor compared by
their words. Shares of characters have every character of the text below the fraction bar, spaces too. What no other
project does is told in `docs/concepts/rule-set-variants.md`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import numpy.typing as npt

from corpusforge.filters.spacy_words import HAS_LETTER, ONLY_SYMBOLS, splitter
from corpusforge.kernels.peer_repetition import datatrove_n_gram_characters
from corpusforge.kernels.text_statistics import count_hashes_and_ellipses, count_members, sum_by_span
from corpusforge.step import fixed_ratio
from corpusforge.texts import Texts

Int64 = npt.NDArray[np.int64]

_PARAGRAPH_ENDS = re.compile(r"\n{2,}")
_LINE_ENDS = re.compile(r"\n+")
_ELLIPSES = ("...", "…")


def gopher_quality(
    texts: Texts, step: str, bullets: Sequence[str], stop_words: Sequence[str]
) -> dict[str, Int64]:
    """Signals of `gopher_quality_filter.py` per text, int64[n] each; `step` needs spaCy."""
    words = splitter(step).split(texts)
    proper = (words.kinds & ONLY_SYMBOLS) == 0
    counts, proper_counts = np.diff(words.offsets), sum_by_span(proper, words.offsets)
    hash_signs, ellipses = count_hashes_and_ellipses(texts.data, texts.offsets)
    lines = _per_text(texts, lambda text: _marked_lines(text.splitlines(), tuple(bullets)))
    distinct, _ = count_members(words.hashes, words.offsets, [[word] for word in stop_words])
    return {
        "words": proper_counts,
        "mean_word_length": fixed_ratio(sum_by_span(words.characters * proper, words.offsets), proper_counts),
        "hash_ratio": fixed_ratio(hash_signs, counts),
        "ellipsis_ratio": fixed_ratio(ellipses, counts),
        "bullet_line_ratio": fixed_ratio(lines[:, 1], lines[:, 0]),
        "ellipsis_line_ratio": fixed_ratio(lines[:, 2], lines[:, 0]),
        "alphabetic_word_ratio": fixed_ratio(
            sum_by_span((words.kinds & HAS_LETTER) != 0, words.offsets), counts
        ),
        "stop_words": distinct,
    }


def gopher_repetition(texts: Texts, step: str) -> list[Int64]:
    """Signals of `gopher_repetition_filter.py` per text: 13 of int64[n], in the order of the step's own."""
    words = splitter(step).split(texts)
    lines = _per_text(texts, lambda text: (*_repeated(_LINE_ENDS.split(text)), len(text)))
    paragraphs = _per_text(texts, lambda text: _repeated(_PARAGRAPH_ENDS.split(text.strip())))
    characters = lines[:, 3]
    grams = datatrove_n_gram_characters(words.hashes, words.characters, words.offsets)
    return [
        fixed_ratio(lines[:, 1], lines[:, 0]),
        fixed_ratio(paragraphs[:, 1], paragraphs[:, 0]),
        fixed_ratio(lines[:, 2], characters),
        fixed_ratio(paragraphs[:, 2], characters),
        *(fixed_ratio(grams[:, column], characters) for column in range(grams.shape[1])),
    ]


def fineweb(texts: Texts, step: str, marks: Sequence[str], short_line_characters: int) -> dict[str, Int64]:
    """Signals of `fineweb_quality_filter.py` per text, int64[n] each; texts without a line have a null of 0."""
    ends = tuple(marks)

    def lines_of(text: str) -> tuple[int, ...]:
        lines = [line for line in text.split("\n") if line.strip()]
        terminated = sum(line.endswith(ends) for line in lines)
        short = sum(len(line) <= short_line_characters for line in lines)
        line_feeds = text.count("\n")
        return len(lines), terminated, short, _repeated(lines)[2], line_feeds, len(text) - line_feeds

    found = _per_text(texts, lines_of)
    words = np.diff(splitter(step).split(texts).offsets)
    return {
        "terminal_line_ratio": fixed_ratio(found[:, 1], found[:, 0]),
        "short_line_ratio": fixed_ratio(found[:, 2], found[:, 0]),
        "duplicate_line_character_ratio": fixed_ratio(found[:, 3], found[:, 5]),
        "line_feed_ratio": fixed_ratio(found[:, 4], words),
    }


def _per_text(texts: Texts, measure: Callable[[str], Iterable[int]]) -> Int64:
    """Numbers of each text, int64[n, m]."""
    found = [list(measure(texts.string(index))) for index in range(len(texts))]
    return np.array(found, np.int64).reshape(len(texts), -1) if found else np.zeros((0, 8), np.int64)


def _marked_lines(lines: Sequence[str], bullets: tuple[str, ...]) -> tuple[int, int, int]:
    """How many lines there are, begin with a bullet, end with an ellipsis."""
    return (
        len(lines),
        sum(line.lstrip().startswith(bullets) for line in lines),
        sum(line.rstrip().endswith(_ELLIPSES) for line in lines),
    )


def _repeated(items: Sequence[str]) -> tuple[int, int, int]:
    """How many items there are, how many stood before, and the characters of these."""
    seen: set[str] = set()
    repeats = characters = 0
    for item in items:
        if item in seen:
            repeats += 1
            characters += len(item)
        else:
            seen.add(item)
    return len(items), repeats, characters
