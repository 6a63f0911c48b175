"""The report of a run as data (`report.json`): a function of what the run committed, and of nothing else.

No times, hosts or roots enter it, so it is the same on every machine. All numbers are integers; values of
signals are in the fixed point of their ``scale``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from corpusforge.report.dedup import deduplication
from corpusforge.report.warnings import find_warnings
from corpusforge.statistics.steps import SIDES

REPORT_VERSION = 1

VALUES_SHOWN = 30
"""Languages, domains and values of string signals that the report names; the rest is summed."""

Report = dict[str, Any]
Json = Mapping[str, Any]


def build_report(
    recipe: Json,
    ledger: Json,
    statistics: Sequence[Json],
    clusters: Mapping[str, Mapping[str, int]] | None = None,
    tokens: Json | None = None,
    duplicates: Mapping[str, Json] | None = None,
    cutoffs: Mapping[str, Json] | None = None,
) -> Report:
    """Build the report of a run.

    `recipe` is the resolved recipe (its ``name`` and ``description`` are used), `ledger` the content of
    ledger.json, `statistics` one merged `StepStatistics` value per step in any order. `clusters` maps a
    deduplication step to ``{size: clusters of that size}``; `tokens` says more about the tokens than the
    ledger does (``{"shards": {format: {...}}, "sources": {source: {...}}, ...}``, shown as it stands), `duplicates`
    more about deduplicating steps (`corpusforge.report.dedup.DuplicateBooks.details`), `cutoffs` what a step of
    perplexity fitted (`corpusforge.filters.cutoffs.CutoffFolder.finish`, shown as it stands).
    """
    by_step = {part["step"]: part for part in statistics if part}
    steps = [_step(entry, by_step.get(entry["step"], {})) for entry in ledger.get("steps", [])]
    report: Report = {
        "version": REPORT_VERSION,
        "recipe": {"name": recipe.get("name", ""), "description": recipe.get("description", "")},
        "closed": bool(ledger.get("closed")),
        "checks": list(ledger.get("checks", [])),
        "sources": {name: _records(entry) for name, entry in sorted(ledger.get("records", {}).items())},
        "tokens": dict(ledger.get("tokens") or {}),
        "token_details": dict(tokens or {}),
        "steps": steps,
        "languages": _overall(steps, by_step, "languages"),
        "domains": _overall(steps, by_step, "domains"),
        "clusters": _clusters(clusters or {}),
        "exchanges": list(ledger.get("exchanges", [])),
    }
    if cutoffs:
        report["cutoffs"] = dict(sorted(cutoffs.items()))
    report["deduplication"] = deduplication(report, duplicates or {})
    report["summary"] = _summary(report)
    _estimate_tokens(report)
    report["warnings"] = find_warnings(report)
    return report


def _total(entries: Sequence[Json], key: str) -> int:
    return sum(entry.get(key, 0) for entry in entries)


def _by_name(entries: Sequence[Json], key: str) -> dict[str, int]:
    totals: dict[str, int] = {}
    for entry in entries:
        for name, number in entry.get(key, {}).items():
            totals[name] = totals.get(name, 0) + number
    return dict(sorted(totals.items()))


def _outcomes(entries: Sequence[Json], key: str) -> dict[str, dict[str, int]]:
    totals: dict[str, dict[str, int]] = {}
    for entry in entries:
        for name, amount in entry.get(key, {}).items():
            total = totals.setdefault(name, {"documents": 0, "bytes": 0})
            total["documents"] += amount["documents"]
            total["bytes"] += amount["bytes"]
    return dict(sorted(totals.items()))


def _step(entry: Json, statistics: Json) -> dict[str, Any]:
    """One step: its funnel row, its sources, and what its statistics tell of rules and signals."""
    sources = [source for _, source in sorted(entry["sources"].items())]
    dropped, quarantined = _outcomes(sources, "dropped"), _outcomes(sources, "quarantined")
    funnel: dict[str, Any] = {
        "documents_in": _total(sources, "documents_in"),
        "documents_kept": _total(sources, "documents_kept"),
        "documents_dropped": _total(list(dropped.values()), "documents"),
        "documents_quarantined": _total(list(quarantined.values()), "documents"),
        "bytes_in": _total(sources, "bytes_in"),
        "bytes_kept": _total(sources, "bytes_kept"),
        "bytes_dropped": _total(list(dropped.values()), "bytes"),
        "bytes_quarantined": _total(list(quarantined.values()), "bytes"),
    }
    conversions = [source["converted"] for source in sources if any((source.get("converted") or {}).values())]
    signals = statistics.get("signals", {})
    rules = _rules(dropped, statistics.get("rules", {}), signals)
    return {
        "step": entry["step"],
        "funnel": funnel,
        "converted": {key: _total(conversions, key) for key in ("from_bytes", "to_bytes")}
        if conversions
        else None,
        "sources": {name: _source(source) for name, source in sorted(entry["sources"].items())},
        "quarantined": quarantined,
        "removed": _by_name(sources, "removed"),
        "inserted": _by_name(sources, "inserted"),
        "rules": rules,
        "signals": {name: _signal(signal) for name, signal in signals.items()},
        "kept_examples": _examples(statistics.get("kept_examples", [])),
    }


def _records(entry: Json) -> dict[str, Any]:
    """What reading one source met; ``lost`` counts records that could not be read, of every kind."""
    lost = [entry.get("damaged", {}), entry.get("quarantined", {})]
    return {
        **entry,
        "lost": sum(sum(kinds.values()) for kinds in lost) + entry.get("quarantined_on_replay", 0),
    }


def _source(source: Json) -> dict[str, Any]:
    numbers = ("documents_in", "bytes_in", "documents_kept", "bytes_kept")
    return {
        **{name: source.get(name, 0) for name in numbers},
        "documents_dropped": _total(list(source.get("dropped", {}).values()), "documents"),
        "documents_quarantined": _total(list(source.get("quarantined", {}).values()), "documents"),
    }


def _rules(dropped: Mapping[str, Json], declared: Json, signals: Json) -> list[dict[str, Any]]:
    """List the rules, declared ones in their order, then those that only the ledger knows (deduplication).

    Documents and bytes are the ledger's: it is the sum over committed shards.
    """
    rules = []
    in_order = sorted(declared, key=lambda name: (declared[name]["place"], name))
    for name in [*in_order, *(name for name in dropped if name not in declared)]:
        rule = declared.get(name, {})
        amount = dropped.get(name, {"documents": 0, "bytes": 0})
        signal = rule.get("signal")
        rules.append(
            {
                "rule": name,
                "signal": signal,
                "scale": signals[signal]["scale"] if signal in signals else None,
                "comparison": rule.get("comparison"),
                "threshold": rule.get("threshold"),
                "on": rule.get("threshold") is not None or name not in declared,
                "documents": amount["documents"],
                "bytes": amount["bytes"],
                "matched": rule.get("matched"),
                "dropped_examples": _examples(rule.get("examples", [])),
                "nearest_examples": _examples(rule.get("nearest", [])),
            }
        )
    return rules


def _examples(examples: Sequence[Json]) -> list[dict[str, Any]]:
    return [{key: value for key, value in example.items() if key != "rank"} for example in examples]


def _signal(signal: Json) -> dict[str, Any]:
    if signal["scale"]:
        return dict(signal)
    return {**signal, **{side: _top(signal[side]) for side in SIDES}}


def _top(counts: Json) -> dict[str, Any]:
    """Name the most frequent values, sum the others."""
    ordered = sorted(counts["counts"].items(), key=lambda item: (-item[1], item[0]))
    rest = sum(count for _, count in ordered[VALUES_SHOWN:])
    return {**counts, "counts": dict(ordered[:VALUES_SHOWN]), "other": counts["other"] + rest}


def _overall(steps: Sequence[Json], by_step: Mapping[str, Json], key: str) -> dict[str, Any]:
    """Languages or domains of the whole run: kept by the last step that has statistics, dropped by any.

    A document without a value (its language not yet known when it was dropped) counts as missing. Steps
    without statistics add nothing to the dropped ones.
    """
    measured = [by_step[step["step"]] for step in steps if step["step"] in by_step]
    if not measured:
        none = {"kept": 0, "dropped": 0}
        return {"kept_by": None, "values": [], "other": none, "missing": none, "exact": True}
    kept = measured[-1][key]["kept"]
    dropped = [part[key]["dropped"] for part in measured]
    totals: dict[str, dict[str, int]] = {}
    for side, parts in (("kept", [kept]), ("dropped", dropped)):
        for part in parts:
            for value, count in part["counts"].items():
                row = totals.setdefault(value, {"kept": 0, "dropped": 0})
                row[side] += count
    ordered = sorted(totals.items(), key=lambda item: (-item[1]["kept"], -item[1]["dropped"], item[0]))
    rest = [row for _, row in ordered[VALUES_SHOWN:]]
    return {
        "kept_by": measured[-1]["step"],
        "values": [{"value": value, **row} for value, row in ordered[:VALUES_SHOWN]],
        "other": {
            "kept": kept["other"] + _total(rest, "kept"),
            "dropped": _total(dropped, "other") + _total(rest, "dropped"),
        },
        "missing": {"kept": kept["missing"], "dropped": _total(dropped, "missing")},
        "exact": not (kept["uncertainty"] or _total(dropped, "uncertainty")),
    }


def _clusters(clusters: Mapping[str, Mapping[str, int]]) -> dict[str, Any]:
    """Sizes in buckets 1, 2, 3, 4, 5–8, 9–16, … with clusters, documents in them, and the largest size."""
    result: dict[str, Any] = {}
    for step, sizes in sorted(clusters.items()):
        counted = {int(size): count for size, count in sizes.items() if count}
        buckets: dict[int, dict[str, int]] = {}
        for size, count in sorted(counted.items()):
            high = size if size <= 4 else 1 << (size - 1).bit_length()
            low = size if size <= 4 else high // 2 + 1
            bucket = buckets.setdefault(high, {"from": low, "to": high, "clusters": 0, "documents": 0})
            bucket["clusters"] += count
            bucket["documents"] += size * count
        result[step] = {
            "clusters": sum(counted.values()),
            "documents": sum(size * count for size, count in counted.items()),
            "largest": max(counted, default=0),
            "sizes": list(buckets.values()),
        }
    return result


def _summary(report: Json) -> dict[str, Any]:
    records = list(report["sources"].values())
    steps = report["steps"]
    last = steps[-1]["funnel"] if steps else {}
    return {
        "records": _total(records, "records"),
        "bytes_read": _total(records, "bytes"),
        "documents": _total(records, "documents"),
        "skipped": sum(sum(entry.get("skipped", {}).values()) for entry in records),
        "records_lost": _total(records, "lost"),
        "documents_kept": last.get("documents_kept", _total(records, "documents")),
        "documents_dropped": sum(step["funnel"]["documents_dropped"] for step in steps),
        "documents_quarantined": sum(step["funnel"]["documents_quarantined"] for step in steps),
        "bytes_kept": last.get("bytes_kept", 0),
        "tokens": report["tokens"].get("tokenized", 0),
    }


def _estimate_tokens(report: Report) -> None:
    """Add ``tokens_kept`` per step: the run's tokens per byte of kept text, applied to what the step kept.

    Exact for the last step; before it an estimate, and null before the text is extracted (bytes of HTML hold
    no tokens) and where nothing was tokenized.
    """
    tokens, size = report["summary"]["tokens"], report["summary"]["bytes_kept"]
    converted = [position for position, step in enumerate(report["steps"]) if step["converted"]]
    first = converted[-1] if converted else 0
    for position, step in enumerate(report["steps"]):
        known = tokens and size and position >= first
        step["funnel"]["tokens_kept"] = step["funnel"]["bytes_kept"] * tokens // size if known else None
