"""What a step did to the documents of a shard: an integer monoid, collected in map tasks, then merged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from corpusforge.statistics.examples import (
    EXAMPLES,
    NEAREST,
    Sample,
    UInt64,
    excerpt,
    least,
    ranks_of,
    shown_url,
    shown_value,
)
from corpusforge.statistics.histogram import Histogram
from corpusforge.statistics.values import ValueCounts, domains_of, merge_counts
from corpusforge.step import Rule, Signal, fixed_point
from corpusforge.texts import Texts
from corpusforge.verdicts import drops

Rows = npt.NDArray[np.int64]

VALUES_PER_SHARD = 256
"""Distinct languages, or values of a string signal, that a shard reports by name."""

DOMAINS_PER_SHARD = 64
"""Distinct domains that a shard reports by name, for kept and for dropped documents of each step."""

SIDES = ("kept", "dropped")

COPIES = "copies"
"""Signal of deduplicating steps: the documents that were dropped for this one."""


class _Batch:
    """The columns of one batch, and what an example says about a row of it."""

    def __init__(self, ids: pa.Array, texts: Texts, urls: pa.Array, langs: pa.Array) -> None:
        raw = b"".join(value[:8] for value in ids.cast(pa.binary()).to_pylist())
        self.identifiers = np.frombuffer(raw, "<u8")
        self.ids = ids
        self.texts = texts
        self.urls = urls
        self.langs = langs
        self.values: dict[str, pa.Array] = {}

    def example(self, row: int, rank: list[int]) -> dict[str, Any]:
        values = {name: column[row].as_py() for name, column in self.values.items()}
        shown = {name: shown_value(value) for name, value in values.items()}
        return {
            "rank": rank,
            "id": self.ids[row].as_py().hex(),
            "url": shown_url(self.urls[row].as_py()),
            "lang": self.langs[row].as_py(),
            "values": shown,
            "bytes": int(self.texts.sizes[row]),
            "excerpt": excerpt(self.texts.bytes_of(row)),
        }


class _RuleStatistics:
    """Documents, bytes and examples of one rule.

    `matched` counts the documents that meet the rule's condition, also those that an earlier rule of the step
    has taken: it tells a rule that is dead from one that others forestall.
    """

    def __init__(self, step: str, rule: Rule, signal: Signal, threshold: Any) -> None:
        self.rule = rule
        self.threshold = threshold
        self.signal = signal
        self.documents = 0
        self.bytes = 0
        self.salt = f"{step}.{rule.name}"
        self.dropped = Sample(EXAMPLES)
        self.nearest = Sample(NEAREST)
        # The core decides by one threshold; rules with one per language are the step's own business.
        self.matched = None if isinstance(threshold, Mapping) else 0
        self.position = fixed_point(threshold, signal.scale)

    def add(self, batch: _Batch, rows: Rows, kept: Rows) -> None:
        self.documents += len(rows)
        self.bytes += int(batch.texts.sizes[rows].sum())
        if len(rows):
            candidates = self.dropped.candidates([ranks_of(batch.identifiers[rows], self.salt)])
            self.dropped.add(batch.example(int(rows[at]), rank) for at, rank in candidates)
        values = batch.values.get(self.rule.signal)
        if self.matched is not None and values is not None and self.threshold is not None:
            self.matched += int(drops(self.rule, self.signal, values, self.threshold).sum())
        if self.position is None or values is None or len(kept) == 0:
            return
        measured = kept[~values.is_null().to_numpy(zero_copy_only=False)[kept]]
        if len(measured) == 0:
            return
        numbers = values.fill_null(0).to_numpy(zero_copy_only=False)[measured]
        ranks = [_distances(numbers, self.position), ranks_of(batch.identifiers[measured], self.salt)]
        self.nearest.add(
            batch.example(int(measured[at]), rank) for at, rank in self.nearest.candidates(ranks)
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "signal": self.rule.signal,
            "comparison": self.rule.comparison,
            "threshold": self.threshold,
            "documents": self.documents,
            "bytes": self.bytes,
            "matched": self.matched,
            "examples": least(self.dropped.examples, EXAMPLES),
            "nearest": least(self.nearest.examples, NEAREST),
        }


def _distances(values: npt.NDArray[np.int64], position: int) -> UInt64:
    """Distance |value - position| as uint64[n], exact for all of int64."""
    bounded = np.int64(max(min(position, 2**63 - 1), -(2**63)))
    unsigned, centre = values.astype(np.uint64), bounded.astype(np.uint64)
    with np.errstate(over="ignore"):
        return np.asarray(np.where(values >= bounded, unsigned - centre, centre - unsigned), np.uint64)


class StepStatistics:
    """Statistics of one step over the batches of one shard, to be given in the shard's row order.

    Holds for every signal the distribution among the documents that the step kept and among those it dropped;
    for every rule its documents, bytes and examples; languages and domains. Its size depends on the number of
    signals and rules and not on the documents (counts of values: see `corpusforge.statistics.values`).
    """

    def __init__(
        self,
        step_instance: str,
        signals: Sequence[Signal],
        rules: Sequence[Rule],
        thresholds: Mapping[str, Any],
    ) -> None:
        self.step = step_instance
        self.scales = {signal.name: signal.scale for signal in signals}
        self.descriptions = {signal.name: signal.description for signal in signals}
        self.documents = dict.fromkeys(SIDES, 0)
        self.bytes = dict.fromkeys(SIDES, 0)
        self.missing = dict.fromkeys(self.scales, 0)
        self.distributions: dict[str, dict[str, Histogram | ValueCounts]] = {
            name: {side: Histogram(scale) if scale else ValueCounts(VALUES_PER_SHARD) for side in SIDES}
            for name, scale in self.scales.items()
        }
        by_name = {signal.name: signal for signal in signals}
        self.rules = {
            rule.name: _RuleStatistics(
                step_instance,
                rule,
                by_name.get(rule.signal, Signal(rule.signal, 0)),
                _plain(thresholds.get(rule.name)),
            )
            for rule in rules
        }
        self.languages = {side: ValueCounts(VALUES_PER_SHARD) for side in SIDES}
        self.domains = {side: ValueCounts(DOMAINS_PER_SHARD) for side in SIDES}
        self.kept = Sample(EXAMPLES)
        self.clusters: dict[int, int] | None = {} if COPIES in self.scales else None
        """Clusters of duplicates by their size, survivor included."""

    def add(
        self,
        signals: Mapping[str, pa.Array],
        verdicts: pa.Array,
        ids: pa.Array,
        texts: Texts,
        urls: pa.Array,
        langs: pa.Array,
    ) -> None:
        """Count the n live rows of a batch, after the step's rules.

        `signals` maps the declared names to Arrow (or int64) arrays [n]; signals that are absent count as
        missing. `verdicts` string [n] is ``step.rule`` where this step dropped the row and null elsewhere;
        `ids` binary(16) [n], `urls` and `langs` string [n]. `texts` is the view that the step has read.
        """
        if len(texts) == 0:
            return
        batch = _Batch(ids, texts, urls, langs)
        for name in self.scales:
            if name in signals:
                values = signals[name]
                batch.values[name] = pa.array(values) if isinstance(values, np.ndarray) else _whole(values)
        dropped = verdicts.is_valid().to_numpy(zero_copy_only=False)
        rows = {"kept": np.flatnonzero(~dropped), "dropped": np.flatnonzero(dropped)}
        hosts = domains_of(urls)
        self._add_clusters(batch)
        for side in SIDES:
            self._add_side(side, rows[side], batch, hosts)
        self._add_rules(verdicts, batch, rows["kept"])
        if len(rows["kept"]):
            chosen = self.kept.candidates([ranks_of(batch.identifiers[rows["kept"]], f"{self.step} kept")])
            self.kept.add(batch.example(int(rows["kept"][at]), rank) for at, rank in chosen)

    def _add_clusters(self, batch: _Batch) -> None:
        if self.clusters is None or COPIES not in batch.values:
            return
        copies = batch.values[COPIES].fill_null(0).to_numpy(zero_copy_only=False)
        sizes, counts = np.unique(copies[copies > 0] + 1, return_counts=True)
        for size, count in zip(sizes.tolist(), counts.tolist()):
            self.clusters[size] = self.clusters.get(size, 0) + count

    def _add_side(self, side: str, rows: Rows, batch: _Batch, hosts: pa.Array) -> None:
        self.documents[side] += len(rows)
        self.bytes[side] += int(batch.texts.sizes[rows].sum())
        indices = pa.array(rows)
        self.languages[side].add(batch.langs.take(indices))
        self.domains[side].add(hosts.take(indices))
        for name, distribution in self.distributions.items():
            if name not in batch.values:
                self.missing[name] += len(rows)
                continue
            values = batch.values[name].take(indices)
            self.missing[name] += values.null_count
            counter = distribution[side]
            if isinstance(counter, Histogram):
                counter.add(values.drop_null().cast(pa.int64()).to_numpy(zero_copy_only=False))
            else:
                counter.add(values)

    def _add_rules(self, verdicts: pa.Array, batch: _Batch, kept: Rows) -> None:
        prefix = f"{self.step}."
        names = pc.if_else(
            pc.starts_with(verdicts, prefix), pc.utf8_slice_codeunits(verdicts, start=len(prefix)), verdicts
        )
        for name, rule in self.rules.items():
            mask = pc.fill_null(pc.equal(names, name), False).to_numpy(zero_copy_only=False)
            rule.add(batch, np.flatnonzero(mask), kept)

    def to_json(self) -> dict[str, Any]:
        """Give a JSON value (integers and strings only, besides the thresholds) for `merge`."""
        return {
            "step": self.step,
            "documents": dict(self.documents),
            "bytes": dict(self.bytes),
            "signals": {
                name: {
                    "scale": self.scales[name],
                    "description": self.descriptions[name],
                    "missing": self.missing[name],
                    **{side: distribution[side].to_json() for side in SIDES},
                }
                for name, distribution in self.distributions.items()
            },
            "rules": {
                name: {"place": place, **rule.to_json()}
                for place, (name, rule) in enumerate(self.rules.items())
            },
            "languages": {side: self.languages[side].to_json() for side in SIDES},
            "domains": {side: self.domains[side].to_json() for side in SIDES},
            "kept_examples": least(self.kept.examples, EXAMPLES),
            **({} if self.clusters is None else {"clusters": _by_size([self.clusters])}),
        }


def _by_size(parts: Iterable[Mapping[Any, int]]) -> dict[str, int]:
    """Add up clusters by size, the smallest first."""
    totals: dict[int, int] = {}
    for part in parts:
        for size, count in part.items():
            totals[int(size)] = totals.get(int(size), 0) + count
    return {str(size): totals[size] for size in sorted(totals)}


def _whole(values: pa.Array | pa.ChunkedArray) -> pa.Array:
    return values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values


def _plain(threshold: Any) -> Any:
    """Make the threshold a JSON value: sets are sorted, tuples become lists."""
    if isinstance(threshold, set | frozenset):
        return sorted(threshold)
    if isinstance(threshold, tuple):
        return list(threshold)
    if isinstance(threshold, Mapping):
        return {str(key): threshold[key] for key in sorted(threshold)}
    return threshold


def merge(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Merge what `StepStatistics.to_json` gave for the shards of one step.

    Associative and commutative: equal results for every order and grouping; empty parts count as nothing.
    Raises `ValueError` when the parts come from different steps, scales or thresholds.
    """
    parts = [part for part in parts if part]
    if not parts:
        return {}
    first = parts[0]
    for part in parts[1:]:
        if part["step"] != first["step"] or list(part["signals"]) != list(first["signals"]):
            raise ValueError(f"statistics of {first['step']!r} and {part['step']!r} do not merge")
    return {
        "step": first["step"],
        "documents": _sums(part["documents"] for part in parts),
        "bytes": _sums(part["bytes"] for part in parts),
        "signals": {
            name: _merge_signals([part["signals"][name] for part in parts]) for name in first["signals"]
        },
        "rules": {name: _merge_rules([part["rules"][name] for part in parts]) for name in first["rules"]},
        "languages": {side: merge_counts(part["languages"][side] for part in parts) for side in SIDES},
        "domains": {side: merge_counts(part["domains"][side] for part in parts) for side in SIDES},
        "kept_examples": least((row for part in parts for row in part["kept_examples"]), EXAMPLES),
        **(
            {"clusters": _by_size(part.get("clusters", {}) for part in parts)}
            if any("clusters" in part for part in parts)
            else {}
        ),
    }


def _sums(parts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    totals = dict.fromkeys(SIDES, 0)
    for part in parts:
        for side in SIDES:
            totals[side] += part[side]
    return totals


def _merge_signals(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    first = parts[0]
    if any(part["scale"] != first["scale"] for part in parts):
        raise ValueError("signals of different scales do not merge")
    merged: dict[str, Any] = {
        "scale": first["scale"],
        "description": first["description"],
        "missing": sum(part["missing"] for part in parts),
    }
    for side in SIDES:
        if first["scale"]:
            histogram = Histogram(first["scale"])
            for part in parts:
                histogram.merge_json(part[side])
            merged[side] = histogram.to_json()
        else:
            merged[side] = merge_counts(part[side] for part in parts)
    return merged


def _merge_rules(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    first = parts[0]
    declared = ("place", "signal", "comparison", "threshold")
    if any(part[key] != first[key] for part in parts for key in declared):
        raise ValueError("rules with different thresholds do not merge")
    return {
        **{key: first[key] for key in declared},
        "documents": sum(part["documents"] for part in parts),
        "bytes": sum(part["bytes"] for part in parts),
        "matched": None if first["matched"] is None else sum(part["matched"] for part in parts),
        "examples": least((row for part in parts for row in part["examples"]), EXAMPLES),
        "nearest": least((row for part in parts for row in part["nearest"]), NEAREST),
    }


def merge_by_step(shards: Iterable[Mapping[str, Mapping[str, Any]]]) -> dict[str, dict[str, Any]]:
    """Merge the statistics of shards, each ``{step: to_json()}``, one by one; steps are sorted by name."""
    merged: dict[str, dict[str, Any]] = {}
    for shard in shards:
        for step, part in shard.items():
            merged[step] = merge([merged.get(step, {}), part])
    return dict(sorted(merged.items()))
