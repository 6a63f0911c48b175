"""Characters whose normalization does not depend on their neighbours, and what becomes of each.

Two rules follow one another: ours (`corpusforge.models.normalization`), and the map of a SentencePiece model, which
replaces the longest of its keys that a text goes on with, and copies a character where there is none. A text over
characters among which no key can be spelled is therefore left as it is.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from corpusforge.models.normalization import Normalization, normalize

Bools = npt.NDArray[np.bool_]
UInt32 = npt.NDArray[np.uint32]
Int64 = npt.NDArray[np.int64]

CHARACTERS = 1 << 16
"""Those of the basic plane are looked at; others are taken as not plain."""

_SEPARATOR = "\ue000"
_SPACE_SYMBOL = 0x2581
_MAXIMUM_NODES = 1 << 18
"""Far more than a sound map has ways to go on with a character; a damaged one could have more than memory."""
_FINAL = "Σ"
"""The one character whose lower case depends on where it stands."""


@dataclass(frozen=True)
class PlainCharacters:
    """Texts of characters, as `corpusforge.kernels.plain_words.rewrite_words` reads them."""

    starts: npt.NDArray[np.int32]
    sizes: npt.NDArray[np.int8]
    texts: npt.NDArray[np.uint8]
    growth: int


@lru_cache(maxsize=8)
def plain_characters(normalization: Normalization, character_map: bytes) -> PlainCharacters:
    """Characters that both rules treat alike everywhere; `character_map` is SentencePiece's, empty for none."""
    unchanged = _unchanged(character_map)
    unchanged[_SPACE_SYMBOL] = False
    starts = np.zeros(CHARACTERS, np.int32)
    sizes = np.full(CHARACTERS, -1, np.int8)
    texts = bytearray()
    growth = 1
    for character, text in _rewritten(normalization):
        if all(ord(other) < CHARACTERS and unchanged[ord(other)] for other in text):
            encoded = text.encode()
            starts[ord(character)], sizes[ord(character)] = len(texts), len(encoded)
            texts += encoded
            growth = max(growth, -(-len(encoded) // len(character.encode())))
    return PlainCharacters(starts, sizes, np.frombuffer(bytes(texts), np.uint8), growth)


@lru_cache(maxsize=3)
def _rewritten(normalization: Normalization) -> tuple[tuple[str, str], ...]:
    """What our rules make of each character, for those of which it is the same everywhere."""
    characters = [
        chr(code)
        for code in range(CHARACTERS)
        if not 0xD800 <= code < 0xE000 and chr(code) not in (_SEPARATOR, _FINAL)
    ]
    together = normalize(_SEPARATOR.join(["", *characters, ""]), normalization)
    return tuple(
        (character, text)
        for character, text in zip(characters, together.split(_SEPARATOR)[1:-1], strict=True)
        # Marks with a combining class change places with their neighbours.
        if len(text.encode()) < 128 and not any(map(unicodedata.combining, text))
    )


def _unchanged(character_map: bytes) -> Bools:
    """Characters among which no key of a SentencePiece map can be spelled, bool[`CHARACTERS`].

    That is all but those which are a key of their own, and those which are the second one of a longer key. The map
    is a double-array trie as Darts-clone lays it out (``darts.h``: label, leaf bit and offset of a unit of 32 bits),
    behind its size in bytes, as little-endian numbers. In a damaged map nothing is unchanged.
    """
    unchanged = np.ones(CHARACTERS, np.bool_)
    if not character_map:
        return unchanged
    size = int.from_bytes(character_map[:4], "little")
    try:
        if size % 4 or not 4 <= size <= len(character_map) - 4:
            raise ValueError("its size is another")
        units = np.frombuffer(character_map[4 : 4 + size], "<u4").astype(np.uint32)
        nodes, codes, is_key = _next_characters(units, _offset(units[:1]))
        _exclude(unchanged, codes[is_key])
        _, codes, _ = _next_characters(units, np.unique(nodes))
        _exclude(unchanged, codes)
    except ValueError:
        return np.zeros(CHARACTERS, np.bool_)
    return unchanged


def _exclude(unchanged: Bools, codes: Int64) -> None:
    unchanged[codes[codes < CHARACTERS]] = False


def _offset(units: UInt32) -> UInt32:
    return (units >> np.uint32(10)) << ((units & np.uint32(1 << 9)) >> np.uint32(6))


def _next_characters(units: UInt32, nodes: UInt32) -> tuple[UInt32, Int64, Bools]:
    """Every character that keys go on with behind `nodes`: node behind it, code point, whether a key ends there.

    Raises `ValueError` where there are too many.
    """
    states = np.zeros(len(nodes), np.int64)
    missing = np.zeros(len(nodes), np.int64)
    found: list[tuple[UInt32, Int64, Bools]] = []
    for _ in range(4):
        if len(nodes) > _MAXIMUM_NODES:
            raise ValueError("its keys are too many")
        parents, labels, places = _children(units, nodes)
        first = missing[parents] == 0
        sizes = np.select([labels < 0x80, labels < 0xE0, labels < 0xF0], [1, 2, 3], 4)
        states = np.where(
            first,
            labels & np.where(sizes == 1, 0x7F, 0x7F >> sizes),
            (states[parents] << 6) | (labels & 0x3F),
        )
        missing = np.where(first, sizes, missing[parents]) - 1
        nodes = places ^ _offset(units[places])
        is_whole = missing == 0
        leaves = (units[places] >> np.uint32(8)) & np.uint32(1) != 0
        found.append((nodes[is_whole], states[is_whole], leaves[is_whole]))
        nodes, states, missing = nodes[~is_whole], states[~is_whole], missing[~is_whole]
    return (
        np.concatenate([part[0] for part in found]),
        np.concatenate([part[1] for part in found]),
        np.concatenate([part[2] for part in found]),
    )


def _children(units: UInt32, nodes: UInt32) -> tuple[Int64, Int64, UInt32]:
    """Children of nodes: number of the parent, byte, place of the unit."""
    labels = np.arange(1, 256, dtype=np.uint32)
    places = nodes[:, None] ^ labels[None, :]
    inside = places < len(units)
    known = units[np.where(inside, places, np.uint32(0))] & np.uint32(0x800000FF)
    parents, columns = np.nonzero(inside & (known == labels[None, :]))
    return parents, columns + 1, places[parents, columns]
