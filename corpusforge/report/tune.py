"""What other thresholds would do to a finished run, counted: see `corpusforge.report.replay_across`."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corpusforge.dedup.what_if import DROPS, KEEPS
from corpusforge.errors import UsageError
from corpusforge.recipe import Recipe
from corpusforge.report.replay import KEPT, Judge, Judged, changed_thresholds, stored_tables
from corpusforge.report.replay_across import Replayed, replay_run
from corpusforge.statistics.histogram import bin_edges, bins_of
from corpusforge.step import Signal

Int64 = npt.NDArray[np.int64]

EXAMPLES = 20
"""Documents that change sides and are told one by one: those with the least ids, which are hashes."""
CURVE_POINTS = 11
NUMERIC = ("below", "at_most", "above", "at_least")


@dataclass
class RuleCount:
    """A rule under the new thresholds.

    `measured`: documents with its signal; `matched` meet its condition; `alone` meet no other rule's; `decides` are
    dropped by it; `decided` were in the run.
    """

    rule: Judged
    measured: int = 0
    matched: int = 0
    alone: int = 0
    decides: int = 0
    decided: int = 0


@dataclass(frozen=True, order=True)
class Change:
    """A document that changes sides; `value` is the signal of the rule in question, in fixed point of `scale`."""

    id: bytes
    url: str
    before: str
    after: str
    rule: str
    value: Any = field(compare=False)
    scale: int = field(compare=False)


@dataclass
class Tuning:
    """Counts of a run as it was and as it would be."""

    judge: Judge
    changes: dict[str, tuple[Any, Any]]
    """Rules whose thresholds differ: name to (old, new)."""
    measured_all: bool = False
    """Whether the run measured documents that were dropped already, up to its first exchange."""
    documents: int = 0
    kept_before: int = 0
    kept: int = 0
    newly_dropped: int = 0
    newly_kept: int = 0
    unknown: Counter[str] = field(default_factory=Counter)
    """Why nobody knows a document's fate, and of how many."""
    arrivals: dict[str, int] = field(default_factory=dict)
    """Documents that may newly reach a step that compares documents, by its name."""
    as_they_were: list[str] = field(default_factory=list)
    """Steps that would compare other documents than in the run, and are counted as in the run."""
    exact: bool = True
    """Whether a run with these thresholds would keep just these documents."""
    similarity: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    """``step.threshold`` to (similarity in units of 1 / RATIO, documents that the step would keep), rising."""
    rules: list[RuleCount] = field(default_factory=list)
    joint: Int64 = field(default_factory=lambda: np.zeros((0, 0), np.int64))
    """int64[rules, rules]: documents that meet the conditions of both."""
    histograms: list[Counter[int]] = field(default_factory=list)
    """Bins of each rule's signal over the documents it was measured on (`corpusforge.statistics.histogram`)."""
    examples: list[Change] = field(default_factory=list)

    def curve(self, number: int) -> list[tuple[int, int]]:
        """Retention of one rule alone: (threshold in fixed point, documents kept of those measured), both rising.

        Thresholds are edges of the signal's bins, which any two shards share; at them the counts are exact. Empty
        for rules that compare no number.
        """
        rule = self.rules[number].rule
        counts = self.histograms[number]
        if rule.rule.comparison not in NUMERIC or not counts:
            return []
        total = sum(counts.values())
        ordered = sorted(counts)
        points: dict[int, int] = {}
        below = 0
        for position, at in enumerate(ordered):
            low, high = bin_edges(at, rule.signal.scale)
            points[low] = below
            below += counts[at]
            if position == len(ordered) - 1:
                points[high] = below
        keeps_high = rule.rule.comparison in ("below", "at_most")
        # What equals a threshold is on the upper side for two comparisons, and on the lower one for the others.
        shift = 1 if rule.rule.comparison in ("above", "at_most") else 0
        chosen = sorted(points)
        wanted = {chosen[index * (len(chosen) - 1) // (CURVE_POINTS - 1)] for index in range(CURVE_POINTS)}
        return [
            (at - shift, total - points[at] if keeps_high else points[at]) for at in chosen if at in wanted
        ]


def tune(run: Path, before: Recipe, after: Recipe, curves: Sequence[str] = ()) -> Tuning:
    """Count what the thresholds of `after` would do to a run of `before`.

    `curves`: similarities (``step.threshold``) whose curve is wanted though they do not change. Raises `UsageError`
    where the recipes differ in more than thresholds, where the run did not write all that it dropped or does not keep
    what a changed similarity needs, or where its files are not those of `before`.
    """
    if before.options.keep_dropped != "all":
        raise UsageError(
            f"this run wrote keep_dropped: {before.options.keep_dropped} of what it dropped; tuning needs all of it"
        )
    old, new = Judge(before), Judge(after)
    changes = changed_thresholds(old, new)
    measured_all = before.options.evaluate == "all"
    found = Tuning(new, changes, measured_all, rules=[RuleCount(rule) for rule in new.rules])
    size = len(new.rules)
    found.joint = np.zeros((size, size), np.int64)
    found.histograms = [Counter() for _ in new.rules]
    replayed = replay_run(run, before, old, new, curves)
    first = 0
    for table in stored_tables(run, new):
        _count(found, table, replayed, slice(first, first + table.num_rows))
        first += table.num_rows
    _settle(found, replayed)
    found.examples.sort()
    return found


def _count(found: Tuning, table: pa.Table, replayed: Replayed, rows: slice) -> None:
    judge = found.judge
    table = _as_replayed(table, judge, replayed, rows)
    was, fates = replayed.before[rows], replayed.fates[rows]
    matches = judge.matches(table)
    alone = matches.sum(axis=1) == 1
    counted = matches.astype(np.int64)
    found.joint += counted.T @ counted
    for number, count in enumerate(found.rules):
        values = table.column(count.rule.column).combine_chunks()
        count.measured += len(values) - values.null_count
        count.matched += int(matches[:, number].sum())
        count.alone += int((matches[:, number] & alone).sum())
        count.decides += int((fates == number).sum())
        count.decided += int((was == number).sum())
        if count.rule.rule.comparison in NUMERIC:
            present = values.drop_null().to_numpy(zero_copy_only=False)
            bins, amounts = np.unique(bins_of(present, count.rule.signal.scale), return_counts=True)
            found.histograms[number].update(dict(zip(bins.tolist(), amounts.tolist())))
    _collect_examples(found, table, was, fates, judge)


def _as_replayed(table: pa.Table, judge: Judge, replayed: Replayed, rows: slice) -> pa.Table:
    """The table with the duplicates that there would be, null where nobody knows."""
    for number, states in replayed.duplicates.items():
        part = states[rows]
        known = (part == KEEPS) | (part == DROPS)
        values = pa.array((part == DROPS).astype(np.int64), mask=~known)
        name = f"{judge.steps[number].instance}.duplicate"
        table = table.set_column(table.schema.get_field_index(name), name, values)
    return table


def _collect_examples(found: Tuning, table: pa.Table, was: Int64, fates: Int64, judge: Judge) -> None:
    sides = np.flatnonzero(((was == KEPT) & (fates >= 0)) | ((was >= 0) & (fates == KEPT)))
    ids, urls = table.column("id"), table.column("url")

    def changes() -> Iterable[Change]:
        for row in sides.tolist():
            rule = judge.rules[max(int(was[row]), int(fates[row]))]
            signal = _told_by(judge, rule)
            yield Change(
                ids[row].as_py(),
                urls[row].as_py() or "",
                judge.told(int(was[row])),
                judge.told(int(fates[row])),
                rule.name,
                table.column(f"{rule.instance}.{signal.name}")[row].as_py(),
                signal.scale,
            )

    found.examples = heapq.nsmallest(EXAMPLES, [*found.examples, *changes()])


def _told_by(judge: Judge, rule: Judged) -> Signal:
    """The signal that tells most about a rule's decision: for duplicates, how similar they are."""
    names = {signal.name: signal for signal in judge.steps[rule.step].signals}
    return names.get("similarity", rule.signal) if rule.rule.comparison == "is_true" else rule.signal


def _settle(found: Tuning, replayed: Replayed) -> None:
    """Count all documents."""
    old, new = replayed.before, replayed.fates
    found.documents = len(old)
    found.kept_before = int((old == KEPT).sum())
    found.kept = int((new == KEPT).sum())
    found.newly_dropped = int(((old == KEPT) & (new >= 0)).sum())
    found.newly_kept = int(((old != KEPT) & (new == KEPT)).sum())
    for fate, amount in zip(*(part.tolist() for part in np.unique(new[new < KEPT], return_counts=True))):
        found.unknown[found.judge.told(fate).removeprefix("unknown: ")] = amount
    found.arrivals = replayed.arrivals
    found.as_they_were = replayed.as_they_were
    found.exact = replayed.exact
    found.similarity = replayed.curves
