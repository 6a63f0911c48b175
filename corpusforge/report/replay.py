"""Verdicts replayed from stored signals under other thresholds, without measuring anything again.

A rule compares a signal that every document of a finished run carries beside it, in ``documents/`` and ``dropped/``.
What a document would become is exact as long as it meets only what was measured on it: always when thresholds are
tightened, and when they are loosened in a run with ``evaluate: all``. It is *unknown* when it would reach a step that
never saw it. Steps that compare documents with each other are replayed in `corpusforge.report.replay_across`. Edits are
taken as they were.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from corpusforge.errors import UsageError
from corpusforge.names import nearest
from corpusforge.places import readable
from corpusforge.plan import map_steps
from corpusforge.recipe import Recipe
from corpusforge.step import MapStep, Rule, Signal
from corpusforge.verdicts import drops

Bool = npt.NDArray[np.bool_]
Int64 = npt.NDArray[np.int64]

KEPT = -1
"""Fate of a document that every step keeps; a rule's number is the fate of those it drops; below: unknown."""


@dataclass(frozen=True)
class Judged:
    """A rule of a run with its threshold; `step` is the number of its step among `Judge.steps`."""

    step: int
    instance: str
    rule: Rule
    signal: Signal
    threshold: Any

    @property
    def name(self) -> str:
        """``step.rule``, as verdicts have it."""
        return f"{self.instance}.{self.rule.name}"

    @property
    def column(self) -> str:
        """The column of its signal."""
        return f"{self.instance}.{self.signal.name}"


class Judge:
    """The rules of a recipe in the order in which they decide."""

    def __init__(self, recipe: Recipe) -> None:
        self.steps: list[MapStep] = map_steps(recipe)
        self.rules = [
            Judged(number, step.instance, rule, signals[rule.signal], getattr(step.parameters, rule.name))
            for number, step in enumerate(self.steps)
            for signals in [{signal.name: signal for signal in step.signals}]
            for rule in step.rules
        ]
        self._numbers = {step.instance: number for number, step in enumerate(self.steps)}

    def step_of(self, verdict: str) -> int:
        """Number of the step of a verdict. Raises `UsageError` for one of another recipe."""
        instance = verdict.rpartition(".")[0]
        if instance not in self._numbers:
            raise UsageError(
                f"the verdict {verdict!r} is of no step of this recipe{nearest(instance, self._numbers)}"
            )
        return self._numbers[instance]

    def columns(self) -> list[str]:
        """Columns of all signals of steps that have rules: what tells whether a step saw a document."""
        return [
            f"{step.instance}.{signal.name}"
            for step in self.steps
            if step.rules
            for signal in step.signals
            if not pa.types.is_nested(signal.type)
        ]

    def matches(self, table: pa.Table) -> Bool:
        """Which documents meet the condition of which rule, bool[n, rules]."""
        found = np.zeros((table.num_rows, len(self.rules)), np.bool_)
        for number, judged in enumerate(self.rules):
            values = table.column(judged.column).combine_chunks()
            found[:, number] = drops(judged.rule, judged.signal, values, judged.threshold)
        return found

    def fates(self, table: pa.Table, matches: Bool, steps: range | None = None) -> Int64:
        """What becomes of each document, int64[n]: `KEPT`, the number of the rule that drops it, or unknown (below).

        `steps` limits what decides to some of the steps, as if each document reached them.
        """
        fates = np.full(table.num_rows, KEPT, np.int64)
        ended = self.ended(table)
        for number in range(len(self.steps)) if steps is None else steps:
            step = self.steps[number]
            rules = [index for index, judged in enumerate(self.rules) if judged.step == number]
            if all(self.rules[index].threshold is None for index in rules):
                continue
            for index in rules:
                fates[(fates == KEPT) & matches[:, index]] = index
            unseen = (fates == KEPT) & (ended < number) & ~self.saw(step, table) & self.concerns(step, table)
            fates[unseen] = self.unseen(number)
        return fates

    def ended(self, table: pa.Table) -> Int64:
        """Number of the step that dropped each document in the run, int64[n]; that of all steps for those kept."""
        verdicts = table.column("verdict").to_pylist()
        return np.array(
            [len(self.steps) if verdict is None else self.step_of(verdict) for verdict in verdicts], np.int64
        )

    def concerns(self, step: MapStep, table: pa.Table) -> Bool:
        """Whether a step is for the source of each document."""
        if not step.only:
            return np.ones(table.num_rows, np.bool_)
        return np.isin(np.array(table.column("source").to_pylist(), object), list(step.only))

    def unseen(self, step: int) -> int:
        """Fate of documents that would reach a step that never saw them."""
        return -2 - step

    def undecided(self, step: int) -> int:
        """Fate of documents of which a step did not compare all that would decide."""
        return -2 - len(self.steps) - step

    def saw(self, step: MapStep, table: pa.Table) -> Bool:
        """Whether a step measured each document: it left a value of any signal."""
        seen = np.zeros(table.num_rows, np.bool_)
        for signal in step.signals:
            if not pa.types.is_nested(signal.type):
                values = table.column(f"{step.instance}.{signal.name}")
                seen |= values.is_valid().to_numpy()
        return seen

    def told(self, fate: int) -> str:
        """A fate in words: "kept", a verdict, or where it becomes unknown."""
        if fate == KEPT:
            return "kept"
        if fate < KEPT:
            late = -2 - fate >= len(self.steps)
            name = self.steps[(-2 - fate) % len(self.steps)].instance
            what = "did not compare all that would decide" if late else "never saw it"
            return f"unknown: {name} {what}"
        return self.rules[fate].name


def stored_tables(run: Path, judge: Judge) -> Iterator[pa.Table]:
    """Documents of a finished run with ids, verdicts and signals but no text, a row group at a time.

    Raises `UsageError` where a run wrote no dropped documents, or only some of them.
    """
    base = ["id", "source", "url"]
    for folder in ("documents", "dropped"):
        for path in sorted((run / folder).glob("*.parquet")):
            try:
                file = pq.ParquetFile(readable(path))
            except (OSError, pa.ArrowInvalid) as error:
                raise UsageError(f"{path} cannot be read: {error}") from error
            with file:
                names = set(file.schema_arrow.names)
                wanted = list(dict.fromkeys([*base, *judge.columns()]))
                missing = [name for name in wanted if name not in names]
                if missing:
                    raise UsageError(
                        f"{path} holds no {missing[0]!r}: was it written by a run of this recipe?"
                    )
                if folder == "dropped":
                    wanted += ["verdict", "duplicate_of"]
                for group in range(file.num_row_groups):
                    table = file.read_row_group(group, columns=wanted)
                    if folder == "documents":
                        nothing = pa.nulls(table.num_rows, pa.string())
                        table = table.append_column("verdict", nothing)
                        twins = pa.nulls(table.num_rows, pa.binary(16))
                        table = table.append_column("duplicate_of", twins)
                    yield table


def changed_thresholds(before: Judge, after: Judge) -> dict[str, tuple[Any, Any]]:
    """Rules whose threshold differs, and parameters that are replayed, by name: (old, new).

    Raises `UsageError` where more differs.
    """
    old, new = _without_thresholds(before), _without_thresholds(after)
    for instance in (*old, *new):
        if instance not in old or instance not in new:
            raise UsageError(
                f"step {instance!r} is only in one of the recipes: what it does was not measured; run it instead"
            )
        for key, value in old[instance].items():
            if new[instance].get(key) != value:
                raise UsageError(
                    f"{instance}.{key} is {value!r} in this run and {new[instance].get(key)!r} now: it changes a "
                    "measurement and not only a threshold, so that it needs a run of its own"
                )
    if list(old) != list(new):
        raise UsageError("the recipes have the same steps in another order: run it instead")
    changed = {
        was.name: (was.threshold, now.threshold)
        for was, now in zip(before.rules, after.rules)
        if was.threshold != now.threshold
    }
    for step, other in zip(before.steps, after.steps):
        for name in step.replayed:
            values = getattr(step.parameters, name), getattr(other.parameters, name)
            if values[0] != values[1]:
                changed[f"{step.instance}.{name}"] = values
    return changed


def _without_thresholds(judge: Judge) -> dict[str, Mapping[str, Any]]:
    """Parameters of each step besides its thresholds and the name of its rule set."""
    found: dict[str, Mapping[str, Any]] = {}
    for step in judge.steps:
        thresholds = {rule.name for rule in step.rules} | {"rules", *step.replayed}
        body = step.parameters.model_dump(mode="json")
        found[step.instance] = {key: value for key, value in body.items() if key not in thresholds}
    return found


def twins_gone(ids: Sequence[bytes], twins: Sequence[bytes | None], old: Int64, new: Int64) -> Bool:
    """Duplicates whose surviving twin would go now, bool[n]: nobody knows whether another one stands in for it."""
    going = {ids[row] for row in np.flatnonzero((old == KEPT) & (new != KEPT)).tolist()}
    return np.array([twin is not None and twin in going for twin in twins], np.bool_)
