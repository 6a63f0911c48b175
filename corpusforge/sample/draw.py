"""Seeded choices that are the same on every machine and Python: SplitMix64, started from a hash of labels."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeVar

Item = TypeVar("Item")

_MASK = 0xFFFF_FFFF_FFFF_FFFF


class Draw:
    """A stream of choices named by labels: ``Draw(seed, "page", 7)`` is the same stream wherever it is made.

    SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, OOPSLA 2014, figure 17).
    Python's own `random` promises equal sequences only for `random()`, not for `choice` or `shuffle`.
    """

    def __init__(self, *labels: int | str) -> None:
        name = "\0".join(str(label) for label in labels).encode("utf-8")
        self._state = int.from_bytes(
            hashlib.blake2b(name, digest_size=8, person=b"cf-sample").digest(), "little"
        )

    def bits(self) -> int:
        """The next 64 bits."""
        self._state = (self._state + 0x9E37_79B9_7F4A_7C15) & _MASK
        mixed = self._state
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58_476D_1CE4_E5B9) & _MASK
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D0_49BB_1331_11EB) & _MASK
        return mixed ^ (mixed >> 31)

    def below(self, limit: int) -> int:
        """An integer in [0, limit)."""
        return (self.bits() * limit) >> 64

    def between(self, low: int, high: int) -> int:
        """An integer in [low, high]."""
        return low + self.below(high - low + 1)

    def choice(self, items: Sequence[Item]) -> Item:
        """One of the items."""
        return items[self.below(len(items))]

    def shuffled(self, items: Sequence[Item]) -> list[Item]:
        """The items in a drawn order (Fisher-Yates)."""
        order = list(items)
        for last in range(len(order) - 1, 0, -1):
            other = self.below(last + 1)
            order[last], order[other] = order[other], order[last]
        return order


class Deck:
    """Deals the items of a bank in a drawn order, and starts again with a new order when it is through.

    Dealing instead of choosing keeps a page from saying the same phrase twice in a row, as writers do.
    """

    def __init__(self, draw: Draw, items: Sequence[str]) -> None:
        self._draw = draw
        self._items = items
        self._left: list[str] = []

    def deal(self) -> str:
        """The next item."""
        if not self._left:
            self._left = self._draw.shuffled(self._items)
        return self._left.pop()
