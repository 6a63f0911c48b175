"""Packing and mixing on lengths alone: speed, utilization, documents cut, and the shares that a mixture reaches.

    python benchmarks/packing.py [--documents 2000000] [--rounds 3]

Lengths are drawn log-normal (median 446 tokens, mean 775, as a web corpus has them) with a fixed seed, and once more
with a heavy tail of long documents. Speed is documents per CPU second of this process, the median of the rounds;
utilization is that of the worst group of about 10^7 tokens, its last row's padding included.
"""

from __future__ import annotations

import argparse
import statistics
import time
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from corpusforge.apportion import Apportionment
from corpusforge.mix.packing import pack
from corpusforge.mix.shares import Supply, mixture_of

GROUP = 10_000_000
LLAMA = {
    "commoncrawl": "67", "c4": "15", "github": "4.5", "wikipedia": "4.5", "books": "4.5", "arxiv": "2.5",
    "stackexchange": "2",
}  # fmt: skip


def lengths(documents: int, tail: bool) -> npt.NDArray[np.int64]:
    """Tokens of documents."""
    generator = np.random.Generator(np.random.Philox(7))
    drawn = np.exp(generator.normal(np.log(446), 1.05, documents))
    if tail:
        long = generator.random(documents) < 0.02
        drawn = np.where(long, 2000 * generator.pareto(1.3, documents) + 2000, drawn)
    return np.clip(drawn, 1, 1_000_000).astype(np.int64)


def groups(sizes: npt.NDArray[np.int64]) -> list[npt.NDArray[np.int64]]:
    """Documents in groups of about `GROUP` tokens; what is left at the end is in none."""
    ends = np.cumsum(sizes)
    cuts = np.searchsorted(ends, np.arange(GROUP, int(ends[-1]) + 1, GROUP)) + 1
    return np.split(sizes, cuts)[: len(cuts)]


def measure(sizes: npt.NDArray[np.int64], capacity: int, mode: str, rounds: int) -> str:
    """One line of the table."""
    seconds = []
    for _ in range(rounds):
        begun = time.process_time()
        packed = pack(sizes, capacity, mode)  # type: ignore[arg-type]
        seconds.append(time.process_time() - begun)
    worst = min(
        part.tokens / (part.tokens + part.padding)
        for part in (pack(group, capacity, mode) for group in groups(sizes))  # type: ignore[arg-type]
    )
    assert packed.tokens == int(sizes.sum()), "a token was lost"
    short = np.bincount(packed.document[np.isin(packed.document, np.flatnonzero(sizes <= capacity))])
    return (
        f"| {mode} | {capacity - 1:,} | {len(sizes) / statistics.median(seconds) / 1e6:.2f} "
        f"| {sizes.sum() / statistics.median(seconds) / 1e6:,.0f} | {100 * worst:.3f} % "
        f"| {100 * packed.documents_cut / len(sizes):.2f} % | {100 * np.count_nonzero(short > 1) / len(sizes):.2f} % |"
    )


def shares(rows: int) -> None:
    """A mixture of sources whose rows are not equally full: what is asked for and reached."""
    weights = {name: Fraction(weight) for name, weight in LLAMA.items()}
    fill = {name: 2049 - 37 * number for number, name in enumerate(LLAMA)}
    supply = {name: Supply((rows,), rows * full) for name, full in fill.items()}
    begun = time.process_time()
    found = mixture_of(weights, supply)
    apportionment = Apportionment(found.row_weights)
    took = time.process_time() - begun
    counts = apportionment.counts(rows)
    total = sum(counts[name] * fill[name] for name in counts)
    worst = max(abs(counts[name] * fill[name] / total - float(weights[name]) / 100) for name in counts)
    begun = time.process_time()
    at = np.arange(0, rows, max(1, rows // 1_000_000))
    apportionment.ordinal(at)
    each = (time.process_time() - begun) / len(at)
    print(
        f"\n{rows:,} rows of seven sources: the largest difference between a share asked for and reached is "
        f"{100 * worst:.5f} % of all tokens; the table of the sequence took {took:.2f} s, then the place of a row "
        f"{1e9 * each:.0f} ns."
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--documents", type=int, default=2_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    for tail in (False, True):
        sizes = lengths(options.documents, tail)
        print(
            f"\n{options.documents:,} documents, {'with a heavy tail' if tail else 'log-normal'}: "
            f"mean {sizes.mean():.0f}, median {np.median(sizes):.0f}, longest {sizes.max():,} tokens\n"
        )
        print(
            "| mode | sequence length | M documents/s | M tokens/s | worst group | cut | of these avoidable |"
        )
        print("|---|---|---|---|---|---|---|")
        for capacity in (2049, 8193):
            for mode in ("best_fit", "concatenate"):
                print(measure(sizes, capacity, mode, options.rounds))
    for rows in (1_000_000, 10_000_000):
        shares(rows)


if __name__ == "__main__":
    main()
