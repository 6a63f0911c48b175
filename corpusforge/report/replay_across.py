"""A run replayed under other thresholds, document by document and, where steps compare documents, across all of them.

Between two such steps each document stands for itself (`corpusforge.report.replay`). `exact_dedup` and `minhash_dedup`
are replayed on what they compared (`corpusforge.dedup.what_if`): a document that would go no longer displaces its
twins. Documents that would newly reach such a step were compared with nothing: their fate is unknown, and so is which
others they would displace. Other steps that compare documents (`line_dedup`) are taken as they were.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corpusforge.dedup.compared import Compared, compared_by, places_of
from corpusforge.dedup.exact import ExactDedup
from corpusforge.dedup.minhash import MinhashDedup
from corpusforge.dedup.priority import binary_halves
from corpusforge.dedup.what_if import DROPS, GONE, KEEPS, PERHAPS, THERE, UNKNOWN, outcomes_at
from corpusforge.earlier import recorded_against
from corpusforge.errors import UsageError
from corpusforge.recipe import Recipe
from corpusforge.report.replay import KEPT, Judge, stored_tables, twins_gone
from corpusforge.step import RATIO, MapStep
from corpusforge.tasks.folds import FoldBody
from corpusforge.tasks.reduce import ReduceBody

Bool = npt.NDArray[np.bool_]
Int64 = npt.NDArray[np.int64]
UInt8 = npt.NDArray[np.uint8]

CURVE = tuple(RATIO * hundredths // 100 for hundredths in range(50, 101, 5))
"""Similarities at which a curve tells how many documents are kept, in units of 1 / `RATIO`."""


@dataclass
class Replayed:
    """What becomes of the n documents of a run, in the order of `stored_tables`."""

    before: Int64
    """int64[n]: fates in the run."""
    fates: Int64
    """int64[n]: fates now."""
    duplicates: dict[int, UInt8] = field(default_factory=dict)
    """By number of a step that was decided anew: uint8[n], 255 where a document does not reach it."""
    arrivals: dict[str, int] = field(default_factory=dict)
    """Documents that may newly reach a step that compares documents, by its name."""
    as_they_were: list[str] = field(default_factory=list)
    """Steps that would compare other documents than in the run, and are not decided anew."""
    curves: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    """``step.threshold`` to (similarity in units of 1 / `RATIO`, documents that the step keeps), rising."""
    grids: dict[int, UInt8] = field(default_factory=dict)
    """By number of a step with a similarity: uint8[similarities asked for, n], 255 as in `duplicates`."""

    @property
    def exact(self) -> bool:
        """Whether a run with these thresholds would decide on every document as told here."""
        return bool((self.fates >= KEPT).all()) and not self.arrivals and not self.as_they_were


NOT_REACHED = 255


@dataclass
class _Documents:
    """All documents, in the order of `stored_tables`, n in all."""

    high: npt.NDArray[np.uint64]
    low: npt.NDArray[np.uint64]
    twins: list[bytes | None]
    before: Int64
    ended: Int64
    """int64[n]: number of the step that dropped a document, that of steps in all for those kept."""
    between: list[Int64]
    """Fates that the steps before each comparing one, and those behind the last, decide on their own."""
    saw: list[Bool]
    """Whether each comparing step saw a document in the run."""
    concerned: list[Bool]
    """Whether a document is of a source that each comparing step is for."""
    was_duplicate: list[Bool]


def replay_run(
    run: Path,
    before: Recipe,
    old: Judge,
    new: Judge,
    curves: Iterable[str] = (),
    grid: Sequence[int] = (),
) -> Replayed:
    """Decide on all documents of a run of `before` by the thresholds of `new`.

    `curves`: similarities (``step.threshold``) to be told beside. `grid`: similarities in units of 1 / `RATIO` at which
    `Replayed.grids` tells what each step with a similarity does to each document that reaches it now. Raises
    `UsageError` where a similarity changes and the run does not keep what was compared.
    """
    comparing = [
        number for number, step in enumerate(new.steps) if isinstance(step, ExactDedup | MinhashDedup)
    ]
    documents = _read(run, new, comparing)
    found = Replayed(documents.before, np.full(len(documents.before), KEPT, np.int64))
    for place, number in enumerate(comparing):
        _decide_alone(found, documents.between[place])
        _Comparing(run, old.steps[number], new.steps[number], number, grid).decide(
            found, documents, place, new, set(curves)
        )
    _decide_alone(found, documents.between[-1])
    found.as_they_were = _as_they_were(before, new, documents, found.fates)
    return found


def _decide_alone(found: Replayed, fates: Int64) -> None:
    found.fates = np.where(found.fates == KEPT, fates, found.fates)


def _read(run: Path, judge: Judge, comparing: list[int]) -> _Documents:
    bounds = [-1, *comparing, len(judge.steps)]
    ranges = [range(low + 1, high) for low, high in zip(bounds, bounds[1:])]
    numbers = {rule.name: number for number, rule in enumerate(judge.rules)}
    parts: list[_Documents] = []
    for table in stored_tables(run, judge):
        matches = judge.matches(table)
        verdicts = table.column("verdict").to_pylist()
        high, low = binary_halves(table.column("id").combine_chunks().cast(pa.binary(16)))
        steps = [judge.steps[number] for number in comparing]
        parts.append(
            _Documents(
                high,
                low,
                table.column("duplicate_of").to_pylist(),
                np.array([KEPT if one is None else numbers[one] for one in verdicts], np.int64),
                judge.ended(table),
                [judge.fates(table, matches, part) for part in ranges],
                [judge.saw(step, table) for step in steps],
                [judge.concerns(step, table) for step in steps],
                [_is_duplicate(step, table) for step in steps],
            )
        )
    return _together(parts, len(ranges), len(comparing))


def _is_duplicate(step: MapStep, table: pa.Table) -> Bool:
    values = table.column(f"{step.instance}.duplicate").combine_chunks().fill_null(0)
    return np.asarray(values.to_numpy(zero_copy_only=False) != 0, np.bool_)


def _together(parts: list[_Documents], ranges: int, comparing: int) -> _Documents:
    def joined(name: str, kind: type) -> npt.NDArray[np.generic]:
        return np.concatenate([np.zeros(0, kind), *(getattr(part, name) for part in parts)])

    def each(name: str, count: int, kind: type) -> list[npt.NDArray[np.generic]]:
        return [
            np.concatenate([np.zeros(0, kind), *(getattr(part, name)[at] for part in parts)])
            for at in range(count)
        ]

    return _Documents(
        joined("high", np.uint64).astype(np.uint64),
        joined("low", np.uint64).astype(np.uint64),
        [twin for part in parts for twin in part.twins],
        joined("before", np.int64).astype(np.int64),
        joined("ended", np.int64).astype(np.int64),
        [one.astype(np.int64) for one in each("between", ranges, np.int64)],
        [one.astype(np.bool_) for one in each("saw", comparing, np.bool_)],
        [one.astype(np.bool_) for one in each("concerned", comparing, np.bool_)],
        [one.astype(np.bool_) for one in each("was_duplicate", comparing, np.bool_)],
    )


class _Comparing:
    """One comparing step decided anew."""

    def __init__(self, run: Path, old: MapStep, new: MapStep, number: int, grid: Sequence[int] = ()) -> None:
        self.run, self.old, self.new, self.number = run, old, new, number
        self.grid = grid if new.replayed else ()
        self.name = f"{new.instance}.threshold"
        self.changed = any(
            getattr(old.parameters, name) != getattr(new.parameters, name) for name in new.replayed
        )

    def decide(
        self, found: Replayed, documents: _Documents, place: int, judge: Judge, curves: set[str]
    ) -> None:
        """Set the fates of the documents that reach the step."""
        rule = next(
            (at for at, one in enumerate(judge.rules) if one.step == self.number and one.threshold), None
        )
        concerned, saw = documents.concerned[place], documents.saw[place]
        reaching = np.where(found.fates == KEPT, THERE, np.where(found.fates >= 0, GONE, PERHAPS))
        reaching = np.where(concerned, reaching, GONE).astype(np.uint8)
        arriving = (reaching != GONE) & ~saw
        if rule is not None and arriving.any():
            found.arrivals[self.new.instance] = int(arriving.sum())
        complete = not (saw & (reaching != THERE)).any()
        if complete and not self.changed and self.name not in curves and not self.grid:
            states = np.where(documents.was_duplicate[place], DROPS, KEEPS).astype(np.uint8)
        else:
            states = self._outcomes(found, documents, place, reaching, complete)
        reached = saw & (reaching != GONE)
        states = np.where(reached, states, NOT_REACHED).astype(np.uint8)
        if self.number in found.grids:
            found.grids[self.number][:, ~reached] = NOT_REACHED
        if not complete or self.changed:
            found.duplicates[self.number] = states
        if rule is None:
            return
        there = found.fates == KEPT
        found.fates[there & (states == DROPS)] = rule
        found.fates[there & (states == UNKNOWN)] = judge.undecided(self.number)
        found.fates[there & arriving] = judge.unseen(self.number)

    def _outcomes(
        self, found: Replayed, documents: _Documents, place: int, reaching: UInt8, complete: bool
    ) -> UInt8:
        """States uint8[n] of the documents that the step saw in the run."""
        compared = self._compared()
        if compared is None:
            if self.changed:
                raise UsageError(
                    f"{self.new.instance}: {self.run} does not keep what was compared (it was made against earlier "
                    "runs, its stages were cleaned away, or an older version made it): another similarity needs a run"
                )
            return self._by_twins(documents, place, reaching)
        row = places_of(compared, documents.high, documents.low, documents.before == KEPT)
        # What was quarantined later stands in no output; what leads up to the step tells whether it is there.
        nodes = np.full(len(row), THERE if complete else PERHAPS, np.uint8)
        known = row >= 0
        nodes[known] = reaching[row[known]]
        parameters = self.new.parameters
        limits = (getattr(parameters, "max_leaders", 1), getattr(parameters, "comparison_budget", 0))
        threshold = int(Decimal(str(getattr(parameters, "threshold", 1))) * RATIO)

        chosen = sorted({*CURVE, *self.grid, threshold}) if self.new.replayed else [threshold]
        told = np.full((len(chosen), len(reaching)), KEEPS, np.uint8)
        told[:, row[known]] = outcomes_at(compared, nodes, chosen, *limits)[:, known]
        states = dict(zip(chosen, told))
        if not self.new.replayed:
            return states[threshold]
        there = reaching == THERE
        found.curves[self.name] = [
            (at, int(((states[at] == KEEPS) & there).sum())) for at in sorted({*CURVE, threshold})
        ]
        if self.grid:
            found.grids[self.number] = np.stack([states[at] for at in self.grid])
        return states[threshold]

    def _compared(self) -> Compared | None:
        if recorded_against(str(self.run)):
            return None
        return compared_by(self.run, self.new.instance, "sets" if self.new.replayed else "keys")

    def _by_twins(self, documents: _Documents, place: int, reaching: UInt8) -> UInt8:
        """Without knowing what was compared: unknown where the twin goes."""
        halves = np.stack([documents.high, documents.low], axis=1).astype(">u8")
        ids = [value.tobytes() for value in halves]
        going = np.where(reaching == THERE, KEPT, 0)
        orphans = twins_gone(ids, documents.twins, np.where(documents.saw[place], KEPT, 0), going)
        states = np.where(documents.was_duplicate[place], DROPS, KEEPS)
        return np.where(orphans & documents.was_duplicate[place], UNKNOWN, states).astype(np.uint8)


def _as_they_were(before: Recipe, judge: Judge, documents: _Documents, fates: Int64) -> list[str]:
    """Names of steps with rules that depend on which documents reach them, where others would."""
    from corpusforge.plan import sketched

    depending = {
        name
        for stage in sketched(before)
        if isinstance(stage.body, ReduceBody | FoldBody)
        for name in stage.steps
    }
    steps_of = np.array([rule.step for rule in judge.rules], np.int64)
    total = len(judge.steps)
    reached = np.full(len(fates), total, np.int64)
    reached[fates >= 0] = steps_of[fates[fates >= 0]]
    # A document of unknown fate does reach the step that nobody knows of; what lies behind is open.
    reached[fates < KEPT] = (-2 - fates[fates < KEPT]) % total
    found = []
    for number, step in enumerate(judge.steps):
        owner = next((name for name in depending if step.instance in (name, f"{name}_bucket")), None)
        if owner is None or isinstance(step, ExactDedup | MinhashDedup):
            continue
        rules = [rule for rule in judge.rules if rule.step == number]
        if all(rule.threshold is None for rule in rules):
            continue
        open_still = (fates < KEPT) & (reached < number)
        if (((documents.ended >= number) != (reached >= number)) | open_still).any():
            found.append(step.instance)
    return found
