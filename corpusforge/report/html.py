"""The report as one HTML page: no network, no external files; everything from documents is escaped."""

from __future__ import annotations

import base64
import hashlib
import importlib.resources
from collections.abc import Iterator, Mapping
from typing import Any

import jinja2
from markupsafe import Markup

from corpusforge.report import charts, dedup_tables, numbers, thresholds
from corpusforge.report.fitted import cutoff_tables
from corpusforge.report.intervals import MILLION
from corpusforge.report.numbers import percent
from corpusforge.statistics.examples import visible
from corpusforge.statistics.histogram import quantile

Json = Mapping[str, Any]

TEMPLATE = "template.html.j2"

TOKEN_ORDER = ("tokenized", "selected", "unused", "repeated", "special", "padding", "cells", "rows")


def render(report: Json, timings: Json | None = None, environment: Json | None = None) -> str:
    """Render report.html from the content of report.json, timings.json and environment.json.

    The page carries a content security policy that allows its own script (by hash) and nothing else, so that
    even a text that got past the escaping could neither run nor load anything.
    """
    environment_ = jinja2.Environment(
        loader=jinja2.FunctionLoader(_load),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
    )
    environment_.filters.update(
        integer=numbers.integer,
        size=numbers.size,
        measured=numbers.measured,
        seconds=numbers.seconds,
        condition=lambda rule: numbers.condition(rule["signal"], rule["comparison"], rule["threshold"]),
        script_hash=script_hash,
    )
    environment_.globals.update(percent=percent, bar=charts.bar, speed=numbers.speed, zip=zip)
    return environment_.get_template(TEMPLATE).render(
        report=report,
        funnel=_funnel(report),
        steps=[_step(number, step) for number, step in enumerate(report["steps"], 1)],
        shares=_shares(report),
        deduplication={name: _duplicates(entry) for name, entry in report.get("deduplication", {}).items()},
        fitted=list(cutoff_tables(report)),
        redacted=[step for step in report["steps"] if step["inserted"]],
        timings=timings or {},
        environment=list(_flatten(environment or {})),
        tokens=sorted(report["tokens"].items(), key=lambda item: (_token_place(item[0]), item[0])),
        token_details=list(_flatten(report["token_details"])),
        values_bars=_values_bars,
        threshold_steps=thresholds.sections(report),
    )


def _load(name: str) -> str:
    return importlib.resources.files("corpusforge.report").joinpath(name).read_text(encoding="utf-8")


def _finalize(value: Any) -> Any:
    """Make invisible and direction-changing characters of every plain string visible before it is escaped."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return visible(value)
    return value


def script_hash(script: str) -> str:
    """Give the source expression of Content Security Policy (level 2, 4.2.5) for an inline script."""
    return "sha256-" + base64.b64encode(hashlib.sha256(str(script).encode("utf-8")).digest()).decode("ascii")


def _funnel(report: Json) -> dict[str, Any]:
    """Say what the funnel is measured against: most documents, most payload bytes, most bytes of text."""
    steps = report["steps"]
    converted = [position for position, step in enumerate(steps) if step["converted"]]
    first_text = converted[-1] if converted else 0
    texts = [
        max(step["funnel"]["bytes_kept"], step["funnel"]["bytes_in"] if position > first_text else 0)
        for position, step in enumerate(steps)
        if position >= first_text
    ]
    return {
        "documents": max((step["funnel"]["documents_in"] for step in steps), default=0),
        "payload_bytes": max((step["funnel"]["bytes_in"] for step in steps[: first_text + 1]), default=0),
        "text_bytes": max(texts, default=0),
        "first_text": first_text,
    }


def _token_place(name: str) -> int:
    return TOKEN_ORDER.index(name) if name in TOKEN_ORDER else len(TOKEN_ORDER)


def _step(number: int, step: Json) -> dict[str, Any]:
    """Prepare a step for the template: its rules with charts, then the signals that no rule looks at."""
    rules = [_rule(step, rule) for rule in step["rules"]]
    ruled = {rule["signal"] for rule in step["rules"]}
    others = [_signal(name, signal) for name, signal in sorted(step["signals"].items()) if name not in ruled]
    return {**step, "number": number, "anchor": f"step-{number}", "rules": rules, "others": others}


def _rule(step: Json, rule: Json) -> dict[str, Any]:
    signal = step["signals"].get(rule["signal"])
    nearest = rule["nearest_examples"]
    beside = step["kept_examples"][: max(2, len(rule["dropped_examples"]))] if rule["on"] else []
    return {
        **rule,
        "share": percent(rule["documents"], step["funnel"]["documents_in"]),
        "chart": _chart(rule["signal"], signal, rule),
        "facts": _facts(signal),
        "description": _sentence(signal["description"]) if signal else "",
        "kept_title": "Kept, nearest to the threshold" if nearest else "Kept by this step",
        "kept_examples": nearest or beside,
    }


def _signal(name: str, signal: Json) -> dict[str, Any]:
    return {
        "name": name,
        "description": _sentence(signal["description"]),
        "chart": _chart(name, signal, None),
        "facts": _facts(signal),
    }


def _sentence(words: str) -> str:
    """Begin with a capital letter and end with a full stop."""
    return f"{words[0].upper()}{words[1:].rstrip('.')}." if words else ""


def _chart(name: str | None, signal: Json | None, rule: Json | None) -> Markup:
    if signal is None or name is None:
        return Markup("")
    if signal["scale"]:
        return charts.histogram(signal["kept"], signal["dropped"], name, rule)
    return _values_bars(signal)


def _values_bars(signal: Json) -> Markup:
    """Draw the values of a string signal as bars of kept and dropped documents."""
    kept, dropped = signal["kept"]["counts"], signal["dropped"]["counts"]
    totals = {value: kept.get(value, 0) + dropped.get(value, 0) for value in {**kept, **dropped}}
    ordered = sorted(totals, key=lambda value: (-totals[value], value))[:12]
    rows = []
    for value in ordered:
        parts = [("kept", kept.get(value, 0)), ("dropped", dropped.get(value, 0))]
        label = (
            f"{visible(value)}: {numbers.integer(parts[0][1])} kept, {numbers.integer(parts[1][1])} dropped"
        )
        drawn = charts.bar(parts, totals[ordered[0]], label)
        rows.append(
            Markup("<tr><th scope=row><bdi>{}</bdi></th><td class=wide>{}</td><td>{}</td></tr>").format(
                visible(value) or "(empty)", drawn, numbers.integer(totals[value])
            )
        )
    if not rows:
        return Markup("")
    return Markup('<table class="values"><tbody>{}</tbody></table>').format(Markup("").join(rows))


def _facts(signal: Json | None) -> list[tuple[str, str, str]]:
    """Rows (name, kept, dropped) of simple statistics: documents, least, quartiles, greatest, mean."""
    if signal is None or not signal["scale"]:
        return []
    sides, scale = (signal["kept"], signal["dropped"]), signal["scale"]
    rows = [("documents", *(numbers.integer(side["count"]) for side in sides))]
    rows.append(("least", *(_or_dash(side["min"], scale) for side in sides)))
    for name, part in (("lower quartile", 1), ("median", 2), ("upper quartile", 3)):
        rows.append((name, *(_or_dash(quantile(side, part, 4), scale) for side in sides)))
    rows.append(("greatest", *(_or_dash(side["max"], scale) for side in sides)))
    means = [numbers.decimal(side["sum"] / side["count"] / scale) if side["count"] else "–" for side in sides]
    rows.append(("mean", means[0], means[1]))
    return [(name, kept, dropped) for name, kept, dropped in rows]


def _or_dash(value: int | None, scale: int) -> str:
    return "–" if value is None else numbers.measured(value, scale)


def _shares(report: Json) -> list[dict[str, Any]]:
    """Languages and domains as tables of bars."""
    tables = []
    for key, title, none in (
        ("languages", "Languages", "not known"),
        ("domains", "Domains", "no URL"),
    ):
        table = report[key]
        rows = [(row["value"], row["kept"], row["dropped"], False) for row in table["values"]]
        for name, part in (("all others", table["other"]), (none, table["missing"])):
            if part["kept"] or part["dropped"]:
                rows.append((name, part["kept"], part["dropped"], True))
        whole = max((kept + dropped for _, kept, dropped, _ in rows), default=0)
        tables.append(
            {
                "key": key,
                "title": title,
                "rows": rows,
                "whole": whole,
                **{name: table[name] for name in ("exact", "kept_by")},
            }
        )
    return tables


def _duplicates(entry: Json) -> dict[str, Any]:
    """Prepare what the report says of one step's duplicates."""
    missed = ((entry["errors"] or {}).get("compared") or {}).get("missed", ())
    return {
        "moved": dedup_tables.moved(entry),
        "tables": [*dedup_tables.pair_tables(entry), *dedup_tables.error_tables(entry)],
        "missed": [{**pair, "similarity": numbers.decimal(pair["similarity"] / MILLION)} for pair in missed],
        "largest": entry["largest"],
    }


def _flatten(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Nested mappings and lists as (dotted path, text), sorted by key."""
    if isinstance(value, Mapping):
        for key, item in sorted(value.items()):
            yield from _flatten(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for position, item in enumerate(value):
            yield from _flatten(item, f"{path}[{position}]")
    else:
        plain = isinstance(value, int) and not isinstance(value, bool)
        yield path, numbers.integer(value) if plain else str(value)
