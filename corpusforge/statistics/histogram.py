"""Histograms with bins that the declaration of a signal fixes, so that any two of them add up.

A value v (int64, `value * scale`) falls into a bin of |v|, mirrored for negative ones. Below 1.0 there are
200 bins of equal width; from 1.0 on every doubling is divided into 32 bins of equal width, the layout of
HdrHistogram (G. Tene, hdrhistogram.org) in units of the scale. Data never decide an edge: histograms of
different shards add bin by bin, in integers, in any order.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

Int64 = npt.NDArray[np.int64]

LINEAR_BINS = 200
"""Bins of equal width between 0 and 1.0 (one `scale`)."""

BINS_PER_DOUBLING = 32
"""Bins of equal width in every doubling from 1.0 on: at most 3.1 % wide."""

_LARGEST = np.iinfo(np.int64).max


def bins_of(values: Int64, scale: int) -> Int64:
    """Bin numbers int64[n] of fixed-point values int64[n]; negative values have negative numbers.

    Raises `ValueError` for a scale below 1.
    """
    if scale < 1:
        raise ValueError(f"a numeric signal needs a scale of at least 1, not {scale}")
    magnitude = np.abs(np.maximum(values, -_LARGEST))
    linear = np.minimum(magnitude, scale - 1) * LINEAR_BINS // scale
    quotient = np.maximum(magnitude // scale, 1)
    octave = np.frexp(quotient.astype(np.float64))[1].astype(np.int64) - 1
    octave -= (quotient >> octave) == 0  # the conversion to float may have rounded up to a power of two
    base = np.int64(scale) << octave
    width = np.maximum(base // BINS_PER_DOUBLING, 1)
    within = np.minimum((magnitude - base) // width, BINS_PER_DOUBLING - 1)
    magnitude_bins = np.where(magnitude < scale, linear, LINEAR_BINS + octave * BINS_PER_DOUBLING + within)
    return np.where(values < 0, -1 - magnitude_bins, magnitude_bins).astype(np.int64)


def bin_edges(number: int, scale: int) -> tuple[int, int]:
    """Least value and least value above (half-open, fixed-point integers) of a bin."""
    if number < 0:
        low, high = bin_edges(-1 - number, scale)
        return 1 - high, 1 - low
    if number < LINEAR_BINS:
        return -(-number * scale // LINEAR_BINS), -(-(number + 1) * scale // LINEAR_BINS)
    octave, within = divmod(number - LINEAR_BINS, BINS_PER_DOUBLING)
    base = scale << octave
    width = max(base // BINS_PER_DOUBLING, 1)
    low = base + within * width
    return low, 2 * base if within == BINS_PER_DOUBLING - 1 else low + width


class Histogram:
    """Counts per bin with exact count, sum, least and greatest value: an integer monoid."""

    def __init__(self, scale: int) -> None:
        self.scale = scale
        self.bins: dict[int, int] = {}
        self.count = 0
        self.sum = 0
        self.least: int | None = None
        self.greatest: int | None = None

    def add(self, values: Int64) -> None:
        """Count fixed-point values int64[n], n < 2^31."""
        if len(values) == 0:
            return
        numbers, counts = np.unique(bins_of(values, self.scale), return_counts=True)
        for number, count in zip(numbers.tolist(), counts.tolist()):
            self.bins[number] = self.bins.get(number, 0) + count
        # In halves of 32 bits, since a plain sum could leave int64.
        total = (int((values >> 32).sum()) << 32) + int((values & 0xFFFFFFFF).sum())
        self._absorb(len(values), total, int(values.min()), int(values.max()))

    def _absorb(self, count: int, total: int, least: int | None, greatest: int | None) -> None:
        self.count += count
        self.sum += total
        if least is not None:
            self.least = least if self.least is None else min(self.least, least)
        if greatest is not None:
            self.greatest = greatest if self.greatest is None else max(self.greatest, greatest)

    def merge_json(self, other: Mapping[str, Any]) -> None:
        """Add a histogram that `to_json` wrote. Raises `ValueError` when the scales differ."""
        if other["scale"] != self.scale:
            raise ValueError(f"histograms of scale {self.scale} and {other['scale']} do not add up")
        for number, count in other["bins"]:
            self.bins[number] = self.bins.get(number, 0) + count
        self._absorb(other["count"], other["sum"], other["min"], other["max"])

    def to_json(self) -> dict[str, Any]:
        """Sparse bins as sorted ``[bin, count]`` pairs, with count, sum, min and max in fixed point."""
        return {
            "scale": self.scale,
            "bins": [[number, self.bins[number]] for number in sorted(self.bins)],
            "count": self.count,
            "sum": self.sum,
            "min": self.least,
            "max": self.greatest,
        }


def quantile(histogram: Mapping[str, Any], numerator: int, denominator: int) -> int | None:
    """Lower edge of the bin that holds the quantile numerator / denominator; None when it is empty."""
    wanted = max(1, -(-histogram["count"] * numerator // denominator))
    seen = 0
    for number, count in histogram["bins"]:
        seen += count
        if seen >= wanted:
            low = bin_edges(number, histogram["scale"])[0]
            return int(min(max(low, histogram["min"]), histogram["max"]))
    return None
