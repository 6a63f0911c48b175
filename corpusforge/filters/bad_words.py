"""Lists of bad words that a user supplies: one phrase a line, in one file or in a file per language."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from corpusforge.errors import UsageError
from corpusforge.kernels.phrases import Phrases, count_phrases
from corpusforge.local_copies import local_folder

Int64 = npt.NDArray[np.int64]

ANY_LANGUAGE = ""
"""Name of the list when there is one file."""


def list_files(path: str) -> dict[str, Path]:
    """Files by language code, or the one file for every document, under `ANY_LANGUAGE`.

    A folder is read in LDNOOBW's layout: files `en`, `fr`, …; an ending ".txt" is no part of the code. Raises
    `UsageError` when there is none.
    """
    place = local_folder(path, ("*",))
    if place.is_file():
        return {ANY_LANGUAGE: place}
    if not place.is_dir():
        raise UsageError(f"bad_words: {path} is neither a file nor a folder")
    found = {
        file.name.removesuffix(".txt"): file
        for file in sorted(place.iterdir())
        if file.is_file() and file.suffix in ("", ".txt") and file.name not in ("LICENSE", "README.txt")
    }
    if not found:
        raise UsageError(f"bad_words: {path} holds no list")
    return found


def fingerprints(path: str) -> dict[str, str]:
    """Hash of every list, by ``bad_words/language``."""
    return {
        f"bad_words/{language}": hashlib.blake2b(file.read_bytes(), digest_size=16).hexdigest()
        for language, file in list_files(path).items()
    }


def load(path: str) -> Mapping[str, Phrases]:
    """Lists by language. Raises `UsageError` for a file that is not UTF-8."""
    lists = {}
    for language, file in list_files(path).items():
        try:
            lines = file.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError as error:
            raise UsageError(f"bad_words: {file} is not UTF-8: {error}") from error
        lists[language] = Phrases.of(line.strip() for line in lines)
    return lists


def list_numbers(lists: Mapping[str, Phrases], languages: Sequence[str | None]) -> Int64:
    """Number of each document's list, in the order of `lists`, int64[n]; -1 where there is none."""
    if ANY_LANGUAGE in lists:
        return np.zeros(len(languages), np.int64)
    numbers = {language: number for number, language in enumerate(lists)}
    return np.array([numbers.get(language or "", -1) for language in languages], np.int64)


def count_bad_words(
    lists: Mapping[str, Phrases], numbers: Int64, data: npt.NDArray[np.uint8], starts: Int64, ends: Int64
) -> Int64:
    """Count phrases in m spans, int64[m]; `numbers` int64[m] tells the list of each span.

    A phrase counts when no letter a to z stands next to it (C4's ``[^a-z](...)[^a-z]``), except that here the
    edges of a line count as such a place too.
    """
    counts = np.zeros(len(starts), np.int64)
    for number, phrases in enumerate(lists.values()):
        chosen = numbers == number
        counts[chosen] = count_phrases(data, starts[chosen], ends[chosen], phrases, bounded=True)[:, 0]
    return counts
