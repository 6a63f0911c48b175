"""Corpora whose order is known before: a clean one, and what is made of it by copies, noise and shuffled words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from corpusforge.mix.order import order_key, permute

COPIES = 4

PIECE = 1000
"""Characters of a document in a guard's corpora, about."""


def pieces(text: str) -> Iterator[str]:
    """The text in pieces of about `PIECE` characters, cut at spaces: short runs then read many of them."""
    words = text.split(" ")
    piece: list[str] = []
    size = 0
    for word in words:
        piece.append(word)
        size += len(word) + 1
        if size >= PIECE:
            yield " ".join(piece)
            piece, size = [], 0
    if piece and (size >= PIECE // 2 or len(words) == len(piece)):
        yield " ".join(piece)


def keyed(texts: Sequence[str]) -> list[tuple[str, str]]:
    """Texts with ids that stay when a text is spoiled, so that draws stay alike."""
    return [(f"document {number}", text) for number, text in enumerate(texts)]


def duplicated(texts: Sequence[str], copies: int = COPIES) -> list[tuple[str, str]]:
    """The first of every `copies` documents, `copies` times: the same size, fewer texts."""
    few = [pair for number, pair in enumerate(keyed(texts)) if number % copies == 0]
    return [(f"{key}, copy {copy}", text) for copy in range(copies) for key, text in few]


def noisy(texts: Sequence[str], share: float) -> list[tuple[str, str]]:
    """A document is noise with probability `share`: random letters instead of its own, spaces where they were."""
    result = []
    for number, (key, text) in enumerate(keyed(texts)):
        draw = np.random.Philox(key=np.array([number, 0], np.uint64))
        if int(draw.random_raw()) < round(share * 2.0**64):
            letters = (draw.random_raw(len(text)) % np.uint64(26)).tolist()
            text = "".join(" " if one.isspace() else chr(97 + int(by)) for one, by in zip(text, letters))
        result.append((key, text))
    return result


def shuffled(texts: Sequence[str]) -> list[tuple[str, str]]:
    """The words of each document in another order."""
    result = []
    for key, text in keyed(texts):
        words = text.split()
        places = permute(np.arange(len(words), dtype=np.int64), len(words), order_key(0, key, 0))
        result.append((key, " ".join(words[place] for place in places.tolist())))
    return result
