"""Warnings: what somebody should look at before they trust the output of a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from corpusforge.report.numbers import percent

Json = Mapping[str, Any]

OFTEN_PERCENT = 50
"""A rule that drops more than this share of the documents it sees is worth a look."""

QUARANTINE_PERCENT = 1
"""More than this share of the records in quarantine points to damaged input or a broken step."""

EXCHANGE_SLACK_BYTES = 1 << 20
"""Framing of many small runs (schemas, padding) that says nothing about the bytes of a row."""

ALL_BUCKET = "all"
"""Bucket of documents whose language has no language model."""


def find_warnings(report: Json) -> list[dict[str, str]]:
    """List ``{"level", "kind", "step", "rule", "message"}``, errors before warnings before notes."""
    found = [*_ledger(report), *_quarantine(report), *_exchanges(report)]
    for step in report["steps"]:
        found += [*_step(step), *_rules(step), *_signals(step)]
    order = {"error": 0, "warning": 1, "note": 2}
    return sorted(found, key=lambda warning: order[warning["level"]])


def _warning(level: str, kind: str, message: str, step: str = "", rule: str = "") -> dict[str, str]:
    return {"level": level, "kind": kind, "step": step, "rule": rule, "message": message}


def _ledger(report: Json) -> Iterator[dict[str, str]]:
    if not report["closed"]:
        yield _warning("error", "ledger_open", "The ledger does not close: something is unaccounted for.")
    for check in report["checks"]:
        if not check["ok"]:
            left, right = check["left"], check["right"]
            message = f"{check['name']}: {left:,} against {right:,} (difference {left - right:+,})."
            yield _warning("error", "check_failed", message)


def _quarantine(report: Json) -> Iterator[dict[str, str]]:
    for source, entry in report["sources"].items():
        lost = entry["lost"]
        later = sum(
            step["sources"].get(source, {}).get("documents_quarantined", 0) for step in report["steps"]
        )
        if 100 * (lost + later) > QUARANTINE_PERCENT * entry.get("records", 0):
            yield _warning(
                "warning",
                "quarantine",
                f"{source}: {lost + later:,} of {entry.get('records', 0):,} records "
                f"({percent(lost + later, entry.get('records', 0))}) are in quarantine.",
            )


def _exchanges(report: Json) -> Iterator[dict[str, str]]:
    for exchange in report["exchanges"]:
        budget = exchange["rows"] * exchange["budget_bytes_per_row"]
        if exchange["bytes"] > budget + EXCHANGE_SLACK_BYTES:
            yield _warning(
                "warning",
                "exchange_budget",
                f"Exchange {exchange['name']} moved {exchange['bytes']:,} bytes, "
                f"its budget for {exchange['rows']:,} rows is {budget:,}.",
            )


def _step(step: Json) -> Iterator[dict[str, str]]:
    funnel = step["funnel"]
    if funnel["documents_in"] and not funnel["documents_kept"]:
        yield _warning(
            "error",
            "nothing_kept",
            f"{step['step']} kept none of {funnel['documents_in']:,} documents.",
            step["step"],
        )


def _rules(step: Json) -> Iterator[dict[str, str]]:
    name, seen = step["step"], step["funnel"]["documents_in"]
    for rule in step["rules"]:
        if not seen or not rule["on"]:
            continue
        share = percent(rule["documents"], seen)
        if rule["documents"] == 0:
            message = f"{name}.{rule['rule']} dropped none of {seen:,} documents."
            if rule["matched"]:
                message += f" It applies to {rule['matched']:,}, which earlier rules of the step had dropped."
            yield _warning("note", "rule_never", message, name, rule["rule"])
        elif 100 * rule["documents"] > OFTEN_PERCENT * seen:
            message = f"{name}.{rule['rule']} dropped {share} of the {seen:,} documents that it saw."
            yield _warning("warning", "rule_often", message, name, rule["rule"])


def _signals(step: Json) -> Iterator[dict[str, str]]:
    name = step["step"]
    decisive = {rule["signal"] for rule in step["rules"] if rule["on"]}
    for signal, entry in step["signals"].items():
        sides = [entry["kept"], entry["dropped"]]
        if entry["scale"]:
            measured = sum(side["count"] for side in sides)
        else:
            measured = sum(sum(side["counts"].values()) + side["other"] for side in sides)
            without = sum(side["counts"].get(ALL_BUCKET, 0) for side in sides)
            if signal == "bucket" and without:
                message = (
                    f"{name}: {without:,} of {measured:,} documents ({percent(without, measured)}) are in a "
                    "language without a language model; they are kept unscored."
                )
                yield _warning("warning", "language_without_model", message, name)
        if signal in decisive and entry["missing"] and not measured:
            missing = entry["missing"]
            message = (
                f"{name}.{signal}, which a rule looks at, was measured for none of {missing:,} documents."
            )
            yield _warning("note", "never_measured", message, name)
