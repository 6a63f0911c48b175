"""What a handful of paired runs can tell: intervals, bootstrap, detectable effects, and binomial bounds.

Only numpy is needed. Quantiles are solved for by bisection on distribution functions, so there are no tables.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

_STEPS = 200
_CHUNK = 512


@dataclass(frozen=True)
class Interval:
    """A mean with its interval [low, high] at the confidence that was asked for."""

    mean: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """Whether the whole interval lies on one side of zero."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class Paired:
    """`count` paired differences: their interval (infinite for one pair) and standard deviation (NaN for one)."""

    interval: Interval
    deviation: float
    count: int


def paired(differences: Float64, confidence: float = 0.95) -> Paired:
    """Mean of float64[n] paired differences with Student's interval. Raises `ValueError` for n = 0."""
    count = len(differences)
    if count == 0 or not 0 < confidence < 1:
        raise ValueError(f"no interval at confidence {confidence} of {count} differences")
    mean = float(np.mean(differences))
    if count == 1:
        return Paired(Interval(mean, -math.inf, math.inf), math.nan, 1)
    deviation = float(np.std(differences, ddof=1))
    half = student_quantile((1 + confidence) / 2, count - 1) * deviation / math.sqrt(count)
    return Paired(Interval(mean, mean - half, mean + half), deviation, count)


def minimum_detectable_effect(
    deviation: float, count: int, confidence: float = 0.95, power: float = 0.8
) -> float:
    """Least true difference that a paired t-test of `count` pairs finds with probability `power`.

    `deviation` is the standard deviation of a pair's difference. The power function is that of the noncentral t
    distribution, integrated numerically; normal approximations are far off for three pairs. Infinite for one
    pair.
    """
    if count < 2:
        return math.inf
    critical = student_quantile((1 + confidence) / 2, count - 1)
    shift = _solve(lambda value: _power(value, critical, count - 1), power)
    return shift * deviation / math.sqrt(count)


def _power(shift: float, critical: float, freedom: int) -> float:
    """P(|T| > critical) for T = (Z + shift) / S with S^2 a chi-squared of `freedom` over `freedom`."""
    scale = np.linspace(0.0, 1 + 12 / math.sqrt(freedom), 4001)[1:]
    log_density = (freedom - 1) * np.log(scale) - freedom * scale**2 / 2
    density = np.exp(log_density - log_density.max())
    beyond = _normal(shift - critical * scale) + _normal(-shift - critical * scale)
    return float(np.sum(beyond * density) / np.sum(density))


def _normal(values: Float64) -> Float64:
    """Distribution function of the standard normal, elementwise."""
    return np.array([0.5 * math.erfc(-value / math.sqrt(2)) for value in values.tolist()])


def student_quantile(probability: float, freedom: int) -> float:
    """Value below which Student's t with `freedom` degrees falls with `probability` in (0, 1)."""
    if not 0 < probability < 1 or freedom < 1:
        raise ValueError(f"no quantile {probability} of t with {freedom} degrees of freedom")
    if probability < 0.5:
        return -student_quantile(1 - probability, freedom)
    return _solve(lambda value: student_distribution(value, freedom), probability)


def student_distribution(value: float, freedom: int) -> float:
    """P(T <= value) for Student's t (Abramowitz and Stegun 26.7.1: an incomplete beta function)."""
    tail = incomplete_beta(freedom / 2, 0.5, freedom / (freedom + value * value)) / 2
    return 1 - tail if value >= 0 else tail


def incomplete_beta(a: float, b: float, x: float) -> float:
    """Regularized incomplete beta function, by its continued fraction (Abramowitz and Stegun 26.5.8)."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):
        return 1 - incomplete_beta(b, a, 1 - x)
    log_front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    # Evaluated from the back; this many terms are plenty where x lies below the mean.
    fraction = 0.0
    for m in range(_STEPS, 0, -1):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        fraction = even / (1 + odd / (1 + fraction))
    first = -(a + b) * x / (a + 1)
    return math.exp(log_front) / a / (1 + first / (1 + fraction))


def _solve(function: Callable[[float], float], wanted: float) -> float:
    """Where a rising function of [0, infinity) reaches `wanted`, by bisection."""
    high = 1.0
    while function(high) < wanted and high < 1e12:
        high *= 2
    low = 0.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if function(middle) < wanted else (low, middle)
    return high


def binomial_tail(count: int, trials: int, probability: float) -> float:
    """P(X >= count) for X binomial(trials, probability)."""
    if count <= 0:
        return 1.0
    if count > trials:
        return 0.0
    return incomplete_beta(count, trials - count + 1, probability)


def binomial_interval(count: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Clopper and Pearson's exact interval of a share (Biometrika 26, 1934)."""
    if not 0 <= count <= trials or trials < 1:
        raise ValueError(f"{count} of {trials} is no share")
    tail = (1 - confidence) / 2
    low = 0.0 if count == 0 else _solve_share(lambda p: binomial_tail(count, trials, p), tail)
    high = 1.0 if count == trials else _solve_share(lambda p: binomial_tail(count + 1, trials, p), 1 - tail)
    return low, high


def _solve_share(function: Callable[[float], float], wanted: float) -> float:
    low, high = 0.0, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if function(middle) < wanted else (low, middle)
    return (low + high) / 2


def macro_difference(bits: Float64, sizes: Int64, domains: Int64) -> float:
    """Mean over domains of the bits per byte in a domain.

    `bits` float64[n] of documents (or differences of bits), `sizes` int64[n] their bytes, `domains` int64[n].
    """
    count = int(domains.max()) + 1
    per_domain = np.bincount(domains, bits, count) / np.bincount(domains, sizes, count)
    return float(np.mean(per_domain))


def bootstrap(
    bits: Float64,
    sizes: Int64,
    domains: Int64,
    confidence: float = 0.95,
    draws: int = 4000,
    seed: int = 0,
) -> Interval:
    """Interval of the macro difference when both seeds and evaluation documents are drawn anew.

    `bits` float64[seeds, n] are differences of bits per document, `sizes` int64[n] bytes, `domains` int64[n] in
    [0, k). Seeds and documents are crossed, so each draw resamples both independently (Owen, The pigeonhole
    bootstrap, Annals of Applied Statistics 2007), documents within their domain. Draws come from Philox(seed).
    """
    source = np.random.Philox(key=np.array([seed, 0], np.uint64))
    seeds = len(bits)
    estimates = np.empty(draws)
    members = [np.flatnonzero(domains == domain) for domain in range(int(domains.max()) + 1)]
    for first in range(0, draws, _CHUNK):
        rows = min(_CHUNK, draws - first)
        seed_counts = _counts(source, rows, seeds) / seeds
        macro = np.zeros((rows, seeds))
        for inside in members:
            counts = _counts(source, rows, len(inside))
            macro += (counts @ bits[:, inside].T) / (counts @ sizes[inside])[:, None]
        estimates[first : first + rows] = (macro * seed_counts).sum(axis=1) / len(members)
    estimates.sort()
    tail = (1 - confidence) / 2
    low, high = int(tail * draws), min(draws - 1, math.ceil((1 - tail) * draws) - 1)
    centre = float(np.mean([macro_difference(row, sizes, domains) for row in bits]))
    return Interval(centre, float(estimates[low]), float(estimates[high]))


def _counts(source: np.random.Philox, rows: int, size: int) -> Float64:
    """How often each of `size` things is drawn in `size` draws with replacement, float64[rows, size]."""
    words = source.random_raw(rows * size) >> np.uint64(32)
    drawn = ((words * np.uint64(size)) >> np.uint64(32)).astype(np.int64).reshape(rows, size)
    drawn += np.arange(rows)[:, None] * size
    return np.bincount(drawn.ravel(), minlength=rows * size).reshape(rows, size).astype(np.float64)
