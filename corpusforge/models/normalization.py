"""Normalization of text before it meets a perplexity model: the same for training and for scoring.

Source of the rules: CCNet (Wenzek et al., LREC 2020, and the released ``text_normalizer.py``): lower case,
accents stripped, digits to 0, Unicode punctuation to ASCII, control characters removed. Control characters
include the line feed, so lines are glued and a document is one sentence of the model. The loops over lines of CCNet
and datatrove (``utils/perplexity.py``) therefore meet a single one; `lines` is what they do with lines that are kept.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from functools import lru_cache
from typing import Literal

import numpy as np
import numpy.typing as npt

Normalization = Literal["ccnet", "lines", "none"]
"""`ccnet`; `lines`: the same of each line, which is a sentence of its own; `none`: ASCII control characters only."""

_DIGIT = re.compile(r"\d")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_ASCII_CONTROL = re.compile("[\x00-\x1f\x7f]+")

PUNCTUATION = {
    "，": ",", "、": ",", "。": ".", "．": ". ", "：": ":", "∶": ":", "；": ";", "？": "?", "！": "!",
    "（": "(", "）": ")", "【": "[", "】": "]", "〈": "<", "〉": ">", "％": "%", "～": "~", "►": "-",
    "„": '"', "“": '"', "”": '"', "«": '"', "»": '"', "「": '"', "」": '"', "《": '"', "》": '"',
    "’": "'", "´": "'", "–": "-", "—": " - ", "━": "-", "…": "...",
}  # fmt: skip
"""Unicode punctuation and its ASCII form: the list of Moses' ``replace-unicode-punctuation.perl`` as CCNet
uses it, less its entry for the full-width digit one, which is a 0 before the list is read."""


def normalize(text: str, normalization: Normalization) -> str:
    """Normalize one document, or with ``lines`` one line of it, to one line.

    ``ccnet`` and ``lines`` follow the rules above; ``none`` only turns ASCII control characters into spaces, which both
    SentencePiece and KenLM need.
    """
    if normalization == "none":
        return _ASCII_CONTROL.sub(" ", text)
    text = text.strip().lower()
    if not text.isascii():
        text = unicodedata.normalize("NFD", text).translate(_replacements())
    return _CONTROL.sub("", _DIGIT.sub("0", text))


def sentences(text: str, normalization: Normalization) -> list[str]:
    """Normalized sentences of a document: its lines (parted at line feeds) for ``lines``, else the whole of it."""
    parts = text.split("\n") if normalization == "lines" else [text]
    return [normalize(part, normalization) for part in parts]


def line_spans(
    data: npt.NDArray[np.uint8], starts: npt.NDArray[np.int64], ends: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Lines of n texts ``data[starts:ends]``, which rise: of each of m lines its text, start and end, int64[m] each."""
    feeds = np.flatnonzero(data == ord("\n"))
    first, last = np.searchsorted(feeds, starts), np.searchsorted(feeds, ends)
    counts = last - first
    texts = np.repeat(np.arange(len(starts)), counts + 1)
    before = np.cumsum(counts + 1) - (counts + 1)
    places = np.arange(len(texts)) - before[texts]
    padded = np.append(feeds, 0)
    is_first, is_last = places == 0, places == counts[texts]
    line_starts = np.where(is_first, starts[texts], padded[first[texts] + places - 1] + 1)
    line_ends = np.where(is_last, ends[texts], padded[first[texts] + np.where(is_last, 0, places)])
    return texts, line_starts, line_ends


@lru_cache(maxsize=1)
def _replacements() -> dict[int, str | None]:
    """Punctuation by its ASCII form, and nonspacing marks (accents, after decomposition) by nothing."""
    table: dict[int, str | None] = {
        code: None for code in range(0x300, sys.maxunicode + 1) if unicodedata.category(chr(code)) == "Mn"
    }
    table.update({ord(mark): plain for mark, plain in PUNCTUATION.items()})
    return table


def cut(text: bytes, maximum: int) -> bytes:
    """First bytes of UTF-8 text, at most `maximum`, ending at a character's end."""
    if len(text) <= maximum:
        return text
    end = maximum
    while end > 0 and text[end] & 0xC0 == 0x80:
        end -= 1
    return text[:end]


def cut_ends(
    data: npt.NDArray[np.uint8], offsets: npt.NDArray[np.int64], maximum: int
) -> npt.NDArray[np.int64]:
    """Where the first bytes of each of n texts end, int64[n], as `cut` cuts them; ``offsets`` int64[n + 1]."""
    ends = np.minimum(offsets[1:], offsets[:-1] + maximum)
    for row in np.flatnonzero(ends < offsets[1:]):
        while ends[row] > offsets[row] and data[ends[row]] & 0xC0 == 0x80:
            ends[row] -= 1
    return ends
