"""A page with a slider for every rule of a finished run: what `corpusforge tune` counts, on a sample, live.

The page holds the signals that rules compare, of the documents with the least ids (which are hashes, so this is a
sample), and replays them as `corpusforge.report.replay` does. It loads nothing and asks no network.
"""

from __future__ import annotations

import heapq
import importlib.resources
import json
from pathlib import Path
from typing import Any

import jinja2

from corpusforge.report.html import script_hash
from corpusforge.report.replay import Judge, stored_tables
from corpusforge.report.tune import Tuning
from corpusforge.step import fixed_point

SAMPLE = 4000
"""Documents that the page holds at most."""
_NUMERIC = ("below", "at_most", "above", "at_least")


def write_page(run: Path, found: Tuning, target: Path) -> None:
    """Write the page of a run."""
    target.write_text(render(sample(run, found.judge), run.name, found), encoding="utf-8")


def sample(run: Path, judge: Judge) -> list[dict[str, Any]]:
    """Documents with the least ids: id, URL, the values of all rules' signals, which steps saw them, the verdict."""
    chosen: list[tuple[bytes, dict[str, Any]]] = []
    numbers = {rule.name: number for number, rule in enumerate(judge.rules)}
    for table in stored_tables(run, judge):
        order = heapq.nsmallest(SAMPLE, zip(table.column("id").to_pylist(), range(table.num_rows)))
        part = table.take([row for _, row in order])
        columns = [part.column(rule.column).to_pylist() for rule in judge.rules]
        matches = judge.matches(part)
        sources = part.column("source").to_pylist()
        seen = [
            [
                saw or bool(step.only and source not in step.only)
                for saw, source in zip(judge.saw(step, part), sources)
            ]
            for step in judge.steps
        ]
        for row in range(part.num_rows):
            verdict = part.column("verdict")[row].as_py()
            identity = part.column("id")[row].as_py()
            values = [
                column[row]
                if rule.rule.comparison in _NUMERIC and rule.signal.scale
                else bool(matches[row, number])
                for number, (rule, column) in enumerate(zip(judge.rules, columns))
            ]
            document = {
                "id": identity.hex()[:12],
                "url": part.column("url")[row].as_py() or "",
                "values": values,
                "seen": [number for number, saw in enumerate(seen) if saw[row]],
                "fate": -1 if verdict is None else numbers[verdict],
                "ended": len(judge.steps) if verdict is None else judge.step_of(verdict),
            }
            chosen.append((identity, document))
        chosen = heapq.nsmallest(SAMPLE, chosen, key=lambda item: item[0])
    return [document for _, document in chosen]


def render(documents: list[dict[str, Any]], title: str, found: Tuning) -> str:
    """The page as one string. Its content security policy lets its own script run and nothing else."""
    rules = []
    for rule in found.judge.rules:
        old, new = found.changes.get(rule.name, (rule.threshold, rule.threshold))
        rules.append(
            {
                "name": rule.name,
                "step": rule.step,
                "comparison": rule.rule.comparison,
                "limit": fixed_point(new, rule.signal.scale),
                "limitInRun": fixed_point(old, rule.signal.scale),
                "on": new is not None,
                "onInRun": old is not None,
                "scale": rule.signal.scale,
                "about": rule.signal.description,
            }
        )
    data = {
        "rules": rules,
        "steps": [step.instance for step in found.judge.steps],
        "documents": documents,
    }
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_load), autoescape=True, undefined=jinja2.StrictUndefined
    )
    environment.filters["script_hash"] = script_hash
    # JSON inside a script: "<" would end it, and the two separators end a line in old scripts.
    text = json.dumps(data, ensure_ascii=True).replace("<", "\\u003c")
    return environment.get_template("tune.html.j2").render(title=title, data=text)


def _load(name: str) -> str:
    return importlib.resources.files("corpusforge.report").joinpath(name).read_text(encoding="utf-8")
