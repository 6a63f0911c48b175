"""Weights that change while training goes on: a schedule of mixtures over the rows that one run wrote.

Nothing is copied: the rows of each source are taken in an order of their own, and which source comes next follows from
the weights of the stage. As the loader's own order, that of a step is a pure function of (data, stages, seed, step,
batch).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from corpusforge.apportion import Apportionment, Weight, exact_weight, largest_remainder
from corpusforge.mix.loader import Row, RowReader
from corpusforge.mix.order import order_key, permute

Int64 = npt.NDArray[np.int64]

PERIOD = 1_000_000
"""Rows after which the sequence of sources of a stage repeats."""


@dataclass(frozen=True)
class Stage:
    """From `first_step` on, the sources have these weights, in tokens; a source that is not named has none."""

    first_step: int
    weights: Mapping[str, Weight]


class StagedRows(RowReader):
    """A reader whose steps are mixed by stages.

    A source goes on in each stage where it stopped in the one before, so no row comes twice before all of its source
    have come. After that it ends, or with `passes` above 1 begins again in another order.
    """

    def __init__(
        self,
        reader: RowReader,
        manifest: Mapping[str, Any],
        stages: Sequence[Stage],
        passes: Fraction | int = 1,
    ) -> None:
        """`reader` holds the rows of the run whose ``shards/manifest.json`` is given.

        Raises `ValueError` for stages that do not start at step 0 and rise, for sources that the run has not, for
        weights of which none is positive, and for a reader that does not hold the run's rows.
        """
        if not stages or stages[0].first_step != 0:
            raise ValueError("the first stage starts at step 0")
        if any(before.first_step >= after.first_step for before, after in zip(stages, stages[1:])):
            raise ValueError("stages are given by rising first steps")
        if len(reader) != int(manifest["rows"]):
            raise ValueError(f"the reader holds {len(reader)} rows, the manifest tells of {manifest['rows']}")
        self._reader = reader
        self._stored = Apportionment(
            {name: int(value) for name, value in sorted(manifest["row_weights"].items())}
        )
        self._counts = self._stored.counts(len(reader))
        self._stages = [self._apportionment(stage, manifest) for stage in stages]
        self._firsts = [stage.first_step for stage in stages]
        self._passes = Fraction(passes)
        self.fingerprint = reader.fingerprint

    def _apportionment(self, stage: Stage, manifest: Mapping[str, Any]) -> Apportionment:
        """Weights in rows: tokens per row are as the share to the weight in rows of the run's own mixture."""
        wanted: dict[str, Fraction] = {}
        for name, weight in sorted(stage.weights.items()):
            if name not in self._counts:
                raise ValueError(f"the run has no rows of {name!r}: it has {', '.join(self._counts)}")
            if exact_weight(weight) > 0:
                share = int(manifest["mixture"]["sources"][name]["share"])
                wanted[name] = exact_weight(weight) * int(manifest["row_weights"][name]) / share
        if not wanted:
            raise ValueError(f"no weight of the stage at step {stage.first_step} is positive")
        parts = largest_remainder(PERIOD, list(wanted.values())) if len(wanted) > 1 else [1]
        return Apportionment({name: max(1, part) for name, part in zip(wanted, parts)})

    def __len__(self) -> int:
        return len(self._reader)

    def row(self, index: int) -> Row:
        """Read one row of the reader."""
        return self._reader.row(index)

    def order(self, step: int, batch: int, seed: int | None = 0) -> Int64:
        """Rows int64[batch] of a step; with the seed None each source's rows come as they are stored.

        Raises `ValueError` for a step at which a source has run out: the message names it.
        """
        if step < 0 or batch < 1:
            raise ValueError(f"no order for step {step} with batches of {batch} rows")
        at = bisect_right(self._firsts, step) - 1
        stage = self._stages[at]
        positions = (step - self._firsts[at]) * batch + np.arange(batch, dtype=np.int64)
        sources, ordinals = stage.source(positions), stage.ordinal(positions)
        result = np.empty(batch, np.int64)
        for index, name in enumerate(stage.sources):
            chosen = np.flatnonzero(sources == index)
            if len(chosen):
                taken = ordinals[chosen] + self._taken_before(name, at, batch)
                result[chosen] = self._rows(name, taken, seed, step)
        return result

    def _taken_before(self, name: str, at: int, batch: int) -> int:
        """Rows of a source that the stages before stage `at` take."""
        spans = zip(self._stages[:at], self._firsts, self._firsts[1:])
        return sum(stage.counts((last - first) * batch).get(name, 0) for stage, first, last in spans)

    def _rows(self, name: str, taken: Int64, seed: int | None, step: int) -> Int64:
        """Stored rows of a source, the `taken`-th in its order."""
        count = self._counts[name]
        limit = int(self._passes * count)
        if int(taken.max()) >= limit:
            raise ValueError(
                f"step {step}: {name} has run out after {limit} rows ({self._passes} passes over {count}); "
                "give it less weight, or allow more passes"
            )
        places, passes = taken % count, taken // count
        if seed is not None:
            for number in np.unique(passes).tolist():
                inside = passes == number
                key = order_key(seed, f"{self.fingerprint}/{name}", number)
                places[inside] = permute(places[inside], count, key)
        return self._stored.place(name, places)
