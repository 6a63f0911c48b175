"""Which source row k comes from: exact shares after every row, for any k in constant time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import gcd, lcm

import numpy as np
import numpy.typing as npt

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
Weight = int | str | Fraction

MAXIMUM_PERIOD = 10_000_000
"""Largest sum of the reduced weights: weights of six decimals have a period of at most a million rows."""


def exact_weight(weight: Weight) -> Fraction:
    """A weight as a fraction: an integer, a fraction, or a decimal string such as "0.045".

    Raises `TypeError` for a float (its value is not the one that was written) and `ValueError` below zero.
    """
    if isinstance(weight, bool | float) or not isinstance(weight, int | str | Fraction):
        raise TypeError(f"a weight must be an integer, a fraction or a decimal string, not {weight!r}")
    value = Fraction(weight)
    if value < 0:
        raise ValueError(f"a weight cannot be negative: {weight}")
    return value


def largest_remainder(total: int, weights: Sequence[Weight]) -> list[int]:
    """Split `total` into integers in proportion to `weights` (Hamilton's method; ties go to the first).

    Each part is within one of its exact share and they add up to `total`. Raises `ValueError` when no weight
    is positive.
    """
    exact = [exact_weight(weight) for weight in weights]
    whole = sum(exact)
    if whole <= 0:
        raise ValueError("no weight is positive")
    shares = [total * weight / whole for weight in exact]
    parts = [share.numerator // share.denominator for share in shares]
    by_remainder = sorted(range(len(parts)), key=lambda index: (parts[index] - shares[index], index))
    for index in by_remainder[: total - sum(parts)]:
        parts[index] += 1
    return parts


def _period(weights: Int64) -> tuple[Int32, Int32]:
    """Source and rank within it of each row of a period, both int32[sum of weights]."""
    if len(weights) == 1:
        return np.zeros(1, np.int32), np.zeros(1, np.int32)
    # Importing numba takes longer than what a mixture of one source is asked for.
    from corpusforge.kernels.apportion import chairmen, ranks

    table = chairmen(weights, int(weights.sum()))
    return table, ranks(table, len(weights))


NEVER = 1 << 62
"""Place of the rows of a source that the weights leave out: behind every mixture."""


class Apportionment:
    """Assigns rows 0, 1, 2, ... to sources so that after every k rows each source is within one of its share.

    The sequence repeats after the sum of the reduced weights, when all shares are met exactly; one period is
    kept as a table (6 bytes a row). Sources of weight zero never come up.
    """

    def __init__(self, weights: Mapping[str, Weight]) -> None:
        """Reduce the weights.

        Raises `ValueError` when none is positive or the period passes `MAXIMUM_PERIOD`.
        """
        exact = {name: exact_weight(weight) for name, weight in weights.items()}
        positive = {name: weight for name, weight in exact.items() if weight}
        if not positive:
            raise ValueError("no weight is positive")
        denominator = lcm(*(weight.denominator for weight in positive.values()))
        integers = [int(weight * denominator) for weight in positive.values()]
        divisor = gcd(*integers)
        self.sources = list(positive)
        """Names in the order of `weights`, without those of weight zero."""
        self.weights = [integer // divisor for integer in integers]
        self.period = sum(self.weights)
        if self.period > MAXIMUM_PERIOD:
            raise ValueError(
                f"the weights repeat only after {self.period} rows (limit {MAXIMUM_PERIOD}); "
                "round them to at most six decimals"
            )
        if self.period**2 * 2 * len(self.sources) >= 1 << 63:
            raise ValueError(f"{len(self.sources)} sources with a period of {self.period} rows are too many")
        self._per_period = np.array(self.weights, np.int64)
        table, self._rank = _period(self._per_period)
        # Sources fit two bytes unless there are very many of them.
        self._table = table.astype(np.uint16) if len(self.sources) <= 1 << 16 else table

    def source(self, rows: Int64) -> Int64:
        """Index into `sources`, int64[n], of rows int64[n]."""
        sources: Int64 = self._table[np.asarray(rows, np.int64) % self.period].astype(np.int64)
        return sources

    def ordinal(self, rows: Int64) -> Int64:
        """How many earlier rows have the same source, int64[n]: row k is the ordinal-th row of its source."""
        rows = np.asarray(rows, np.int64)
        within = rows % self.period
        ordinals: Int64 = rows // self.period * self._per_period[self._table[within]] + self._rank[within]
        return ordinals

    def place(self, source: str, ordinals: Int64) -> Int64:
        """Rows int64[n] that are the ordinals-th (int64[n]) of a source: the inverse of `ordinal`.

        `NEVER` for a source without a weight.
        """
        ordinals = np.asarray(ordinals, np.int64)
        if source not in self.sources:
            return np.full(len(ordinals), NEVER, np.int64)
        index = self.sources.index(source)
        within = np.flatnonzero(self._table == index)
        places: Int64 = ordinals // len(within) * self.period + within[ordinals % len(within)]
        return places

    def counts(self, rows: int) -> dict[str, int]:
        """Rows of each source among the first `rows`."""
        periods, rest = divmod(rows, self.period)
        tail = np.bincount(self._table[:rest], minlength=len(self.sources))
        return {
            name: periods * weight + int(extra)
            for name, weight, extra in zip(self.sources, self.weights, tail, strict=True)
        }

    def rows_within(self, available: Mapping[str, int]) -> int:
        """Largest number of rows that needs no more of any source than `available` has."""
        low, high = (
            0,
            min(
                (available.get(name, 0) // weight + 1) * self.period
                for name, weight in zip(self.sources, self.weights, strict=True)
            ),
        )
        while low < high:
            middle = (low + high + 1) // 2
            counts = self.counts(middle)
            if all(counts[name] <= available.get(name, 0) for name in self.sources):
                low = middle
            else:
                high = middle - 1
        return low
