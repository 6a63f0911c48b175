"""Sliders of similarities in the report: they tell what `tune` counts."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from corpusforge.layout import RunLayout
from corpusforge.recipe import Recipe, load_text
from corpusforge.report import similarities as module
from corpusforge.report.html import render
from corpusforge.report.similarities import similarities
from corpusforge.report.thresholds import sections
from corpusforge.report.tune import tune
from corpusforge.step import RATIO


def recipe_of(run: Path, *settings: str) -> Recipe:
    return load_text((run / "recipe.yaml").read_text(encoding="utf-8"), "recipe.yaml", settings)


@pytest.fixture(scope="module")
def report(alike: Path) -> dict[str, Any]:
    return dict(json.loads((alike / "report.json").read_bytes()))


def test_each_place_is_what_tune_counts(alike: Path, report: dict[str, Any]) -> None:
    told = report["similarities"]["minhash_dedup"]
    assert told["threshold"] == 750_000_000
    (step,) = [step for step in report["steps"] if step["step"] == "minhash_dedup"]
    dropped = step["funnel"]["documents_dropped"]
    places = {at: (gone, still) for at, gone, still in told["at"]}
    assert len(places) == 27
    assert places[750_000_000] == (0, dropped)
    for at in (500_000_000, 700_000_000, 900_000_000, RATIO):
        counted = tune(alike, recipe_of(alike), recipe_of(alike, f"minhash_dedup.threshold={at / RATIO}"))
        # The last step of this recipe: who it keeps is kept.
        assert places[at] == (counted.newly_dropped, dropped - counted.newly_kept)


def test_the_page_has_a_slider(report: dict[str, Any]) -> None:
    (step,) = [step for step in sections(report) if step["step"] == "minhash_dedup"]
    (rule,) = step["rules"]
    assert (rule["rule"], rule["setting"]) == ("duplicate", "minhash_dedup.threshold")
    assert rule["drops_when"] == "similarity at least 0.75"
    assert rule["data"].startswith("0.5|0.5|")
    here = next(row for row in rule["rows"] if row["here"])
    assert (here["gone"], here["back"]) == ((0, 0), (0, 0))
    assert here["alone"] == step["kept"]
    assert 'data-name="minhash_dedup.threshold"' in render(report)


def test_where_there_is_none_the_reason_is_told(
    alike: Path, report: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    layout, steps = RunLayout(str(alike)), recipe_of(alike).steps
    alone: Any = SimpleNamespace(earlier=())
    assert similarities(layout, alone, steps, report) == report["similarities"]
    later: Any = SimpleNamespace(earlier=("a run",))
    assert "earlier runs" in similarities(layout, later, steps, report)["minhash_dedup"]["reason"]
    only_measured = recipe_of(alike, "minhash_dedup.duplicate=null").steps
    assert similarities(layout, alone, only_measured, report) == {}
    monkeypatch.setattr(module, "MOST_ROWS", 5)
    reasons = similarities(layout, alone, steps, report)
    assert "too many comparisons" in reasons["minhash_dedup"]["reason"]
    (step,) = [
        step for step in sections({**report, "similarities": reasons}) if step["step"] == "minhash_dedup"
    ]
    assert step["rules"][0]["reason"] == reasons["minhash_dedup"]["reason"]
    assert step["rules"][0]["places"] == []
