"""What a mixture is made of: weights of tokens as weights of rows, which source ends it, and what that comes to.

Weights count tokens, a mixture is made of rows, and rows of different sources are not equally full. So a source's
weight in rows is its weight in tokens over the tokens of its mean row: then the shares of tokens that are not padding
are those that were asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from corpusforge.apportion import Apportionment, largest_remainder

if TYPE_CHECKING:
    from rich.console import Console

PERIOD = 1_000_000
"""Rows after which a sequence of sources repeats. A weight of 2 % is met within one part in 40,000."""


@dataclass(frozen=True)
class Supply:
    """What one source has: rows of each pass over it, and the tokens in all of them, padding left out."""

    passes: tuple[int, ...] = ()
    tokens: int = 0

    @property
    def rows(self) -> int:
        """Rows of all passes."""
        return sum(self.passes)


def supplies(packed: Sequence[Mapping[str, Any]]) -> dict[str, Supply]:
    """Add up what shards have packed: ``{"source", "passes": [{"rows", "tokens"}]}`` each."""
    found: dict[str, Supply] = {}
    for shard in packed:
        before = found.get(shard["source"], Supply())
        counts = [int(entry["rows"]) for entry in shard["passes"]]
        length = max(len(counts), len(before.passes))
        passes = [sum(pair) for pair in zip(_filled(before.passes, length), _filled(counts, length))]
        tokens = before.tokens + sum(int(entry["tokens"]) for entry in shard["passes"])
        found[shard["source"]] = Supply(tuple(passes), tokens)
    return dict(sorted(found.items()))


def _filled(counts: Sequence[int], length: int) -> list[int]:
    return [*counts, *[0] * (length - len(counts))]


def row_weights(weights: Mapping[str, Fraction], supply: Mapping[str, Supply]) -> dict[str, int]:
    """Weights in rows, in the order of names: integers that add up to about `PERIOD`, for weights in tokens.

    A source with a weight has at least 1. One that has no rows counts as having full ones: it ends the mixture
    whatever its weight. Raises `ValueError` when no weight is positive.
    """
    positive = {name: Fraction(weight) for name, weight in sorted(weights.items()) if weight > 0}
    if len(positive) == 1:
        return dict.fromkeys(positive, 1)
    filled = [entry for entry in supply.values() if entry.rows and entry.tokens]
    fullest = max((Fraction(entry.tokens, entry.rows) for entry in filled), default=Fraction(1))
    wanted = []
    for name, weight in positive.items():
        have = supply.get(name, Supply())
        wanted.append(weight / (Fraction(have.tokens, have.rows) if have.rows and have.tokens else fullest))
    parts = largest_remainder(PERIOD, wanted)
    return {name: max(1, part) for name, part in zip(positive, parts)}


@dataclass(frozen=True)
class Mixture:
    """How many rows there are to be, and why not more."""

    rows: int
    row_weights: dict[str, int]
    ends_with: str
    """The source that runs out first."""

    def to_json(self, weights: Mapping[str, Fraction], supply: Mapping[str, Supply]) -> dict[str, Any]:
        """Plain values: what each source has, is asked for and gives; `possible` is what all of it would allow.

        Tokens are without padding. `share` is the weight in millionths of all; `possible` the tokens of a mixture that
        only this source would end, `passes` the thousandths of one pass over the source that are used.
        """
        whole = sum((weight for weight in weights.values()), Fraction(0))
        counts = Apportionment(self.row_weights).counts(self.rows)
        sources: dict[str, Any] = {}
        for name in self.row_weights:
            have, share = supply.get(name, Supply()), Fraction(weights[name]) / whole
            first = have.passes[0] if have.passes else 0
            sources[name] = {
                "share": round(share * 1_000_000),
                "rows": counts[name],
                "rows_available": have.rows,
                "tokens_available": have.tokens,
                "possible": int(have.tokens / share),
                "passes": counts[name] * 1000 // first if first else 0,
            }
        return {"rows": self.rows, "ends_with": self.ends_with, "sources": sources}


def mixture_of(weights: Mapping[str, Fraction], supply: Mapping[str, Supply]) -> Mixture:
    """The largest mixture of these weights (in tokens) that takes no row twice. Raises `ValueError` without weights."""
    rows = row_weights(weights, supply)
    apportionment = Apportionment(rows)
    total = apportionment.rows_within({name: supply.get(name, Supply()).rows for name in rows})
    # The row that would come next belongs to the source that has none left.
    ended = apportionment.sources[int(apportionment.source(np.array([total], np.int64))[0])]
    return Mixture(total, rows, ended)


def print_mixture(mixture: Mapping[str, Any], tokens: Mapping[str, int], console: Console) -> None:
    """Print shares asked for and reached, and which source ended the mixture.

    `mixture` is what `Mixture.to_json` gave; `tokens` counts by source what the rows hold, padding left out.
    """
    from rich.table import Table

    total = sum(tokens.values())
    table = Table("source", title="Mixture", title_justify="left", box=None, title_style="bold")
    for column in ("asked", "reached", "tokens", "of", "passes"):
        table.add_column(column, justify="right")
    for name, entry in mixture["sources"].items():
        reached = f"{100 * tokens.get(name, 0) / total:.3f} %" if total else "-"
        table.add_row(
            name,
            f"{entry['share'] / 10_000:.3f} %",
            reached,
            f"{tokens.get(name, 0):,}",
            f"{entry['tokens_available']:,}",
            f"{entry['passes'] / 1000:.2f}",
        )
    console.print(table)
    if len(mixture["sources"]) > 1:
        console.print(shortage(mixture), highlight=False, markup=False, soft_wrap=True)


def shortage(mixture: Mapping[str, Any]) -> str:
    """Say which source ended the mixture, and what the others would have allowed."""
    sources = mixture["sources"]
    ended = mixture["ends_with"]
    more = {name: entry["possible"] for name, entry in sources.items() if name != ended}
    following = min(more, key=lambda name: (more[name], name))
    if not sources[ended]["tokens_available"]:
        return f"{ended} has no tokens, so there is nothing to mix: give it input, or take its weight away"
    return (
        f"{ended} ran out: with it the weights allow about {sources[ended]['possible']:,} tokens; with more of it, "
        f"{following} would be the next to run out, at about {more[following]:,}"
    )
