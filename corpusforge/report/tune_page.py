"""A page with a slider for every rule of a finished run: what `corpusforge tune` counts, on a sample, live.

The page holds the signals that rules compare, of a sample of the documents (those with the least hashes of their ids;
not the least ids, for of duplicates the one with the least id is kept), and replays them as `corpusforge.report.replay`
does. For steps with a similarity it holds what the step does to each of them at each of 51 similarities, decided among
all that reached the step in the run (`corpusforge.report.replay_across`). It loads nothing and asks no network.
"""

from __future__ import annotations

import hashlib
import heapq
import importlib.resources
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import numpy.typing as npt

from corpusforge.dedup.what_if import KEEPS
from corpusforge.errors import UsageError
from corpusforge.recipe import Recipe
from corpusforge.report.html import script_hash
from corpusforge.report.replay import Judge, stored_tables
from corpusforge.report.replay_across import NOT_REACHED, replay_run
from corpusforge.report.tune import NUMERIC, Tuning
from corpusforge.step import RATIO, fixed_point

SAMPLE = 4000
"""Documents that the page holds at most."""
HUNDREDTHS = tuple(RATIO * hundredths // 100 for hundredths in range(50, 101))
"""Similarities that a slider goes through, besides the run's own and the new one, in units of 1 / `RATIO`."""


@dataclass(frozen=True)
class Similarities:
    """What steps with a similarity do to each of n documents, in the order of `stored_tables`.

    `at`: similarities in units of 1 / `RATIO`, rising. `states`: by number of a step, uint8[len(at), n]
    (`corpusforge.dedup.what_if`). Steps of which the run does not keep what they compared are not there.
    """

    at: tuple[int, ...]
    states: dict[int, npt.NDArray[np.uint8]]

    def of(self, row: int) -> dict[int, str]:
        """By number of a step: a digit for each similarity; without those that would keep the document at each."""
        columns = {number: states[:, row] for number, states in self.states.items()}
        return {
            number: "".join(map(str, column.tolist()))
            for number, column in columns.items()
            if column[0] != NOT_REACHED and (column != KEEPS).any()
        }


def write_page(run: Path, before: Recipe, found: Tuning, target: Path) -> None:
    """Write the page of a run of the recipe `before`. Raises `UsageError` where it cannot be written."""
    similar = similarities(run, before, found.judge)
    page = render(sample(run, found.judge, similar), run.name, found, before, similar)
    try:
        target.write_text(page, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--html {target}: {error.strerror}") from error


def similarities(run: Path, before: Recipe, new: Judge) -> Similarities:
    """Decide at each similarity among the documents that reached the steps in the run."""
    judge = Judge(before)
    asked = [
        fixed_point(getattr(step.parameters, name), RATIO)
        for steps in (judge.steps, new.steps)
        for step in steps
        for name in step.replayed
    ]
    at = tuple(sorted({*HUNDREDTHS, *(value for value in asked if value is not None)}))
    return Similarities(at, replay_run(run, before, judge, judge, grid=at).grids if asked else {})


def sample(run: Path, judge: Judge, similar: Similarities) -> list[dict[str, Any]]:
    """A sample of documents: id, URL, the values of all rules' signals, which steps saw them, the verdict.

    Under ``similar``, what steps do to it at each similarity, see `Similarities.of`.
    """
    chosen: list[tuple[bytes, dict[str, Any]]] = []
    numbers = {rule.name: number for number, rule in enumerate(judge.rules)}
    first = 0
    for table in stored_tables(run, judge):
        ranks = (hashlib.blake2b(one, digest_size=16).digest() for one in table.column("id").to_pylist())
        order = heapq.nsmallest(SAMPLE, zip(ranks, range(table.num_rows)))
        part = table.take([row for _, row in order])
        columns = [part.column(rule.column).to_pylist() for rule in judge.rules]
        matches = judge.matches(part)
        sources = part.column("source").to_pylist()
        seen = [
            [
                saw or bool(step.only and source not in step.only)
                for saw, source in zip(judge.saw(step, part), sources)
            ]
            # Only steps with rules left signals that can be asked for, and only their sight of a document counts.
            if step.rules
            else [False] * part.num_rows
            for step in judge.steps
        ]
        for row in range(part.num_rows):
            verdict = part.column("verdict")[row].as_py()
            identity = part.column("id")[row].as_py()
            values = [
                column[row]
                if rule.rule.comparison in NUMERIC and rule.signal.scale
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
                "similar": similar.of(first + order[row][1]),
            }
            chosen.append((order[row][0], document))
        first += table.num_rows
        chosen = heapq.nsmallest(SAMPLE, chosen, key=lambda item: item[0])
    return [document for _, document in chosen]


def _sliders(before: Recipe, judge: Judge, similar: Similarities) -> dict[int, dict[str, Any]]:
    """Similarities by number of their step: name, place in the run and now; no places where nothing tells of them."""
    found: dict[int, dict[str, Any]] = {}
    for number, (old, new) in enumerate(zip(Judge(before).steps, judge.steps)):
        for name in new.replayed:
            there = number in similar.states
            places = [fixed_point(getattr(step.parameters, name), RATIO) for step in (old, new)]
            found[number] = {
                "name": f"{new.instance}.{name}",
                "inRun": similar.at.index(places[0]) if there and places[0] is not None else None,
                "at": similar.at.index(places[1]) if there and places[1] is not None else None,
            }
    return found


def render(
    documents: Sequence[dict[str, Any]], title: str, found: Tuning, before: Recipe, similar: Similarities
) -> str:
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
                # What compares no number moves by its switch only; these are its settings.
                "given": json.dumps(new),
                "givenInRun": json.dumps(old),
                "scale": rule.signal.scale,
                "about": rule.signal.description,
            }
        )
    data = {
        "rules": rules,
        "steps": [step.instance for step in found.judge.steps],
        "similarities": [at / RATIO for at in similar.at],
        "sliders": _sliders(before, found.judge, similar),
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
