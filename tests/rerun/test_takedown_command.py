"""Documents are taken out of a finished run: what stood on them changes, and all of it is told."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import typer
from in_process import fates, here, run_here
from typer.testing import CliRunner

from corpusforge.errors import UsageError
from corpusforge.rerun.changes import FOLDER, compare
from corpusforge.rerun.takedown_command import command, takedown_recipe

APP = typer.Typer()
APP.command()(command)

RECIPE = """\
name: small
partitions: 2
batch_documents: 2
error_budget: 1
sources: {c4: {}}
steps:
  - extract
  - exact_dedup
  - line_dedup: {scope: global, min_remaining_words: 2}
"""
DOCUMENTS = [
    ("http://bad.example/1", "one two"),
    ("http://good.example/1", "one two"),
    ("http://better.example/1", "one two"),
    ("http://bad.example/2", "three four\nfive"),
    ("http://good.example/2", "six seven eight\nfive"),
    ("http://good.example/3", "nine ten"),
]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two dumps in which documents of `bad.example` survive or own a line, by their generation."""
    folder = tmp_path_factory.mktemp("takedown")
    for host in ("bad", "good", "better"):
        rows = [{"url": url, "text": text} for url, text in DOCUMENTS if f"//{host}." in url]
        (folder / f"{host}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    inputs = {"c4": [str(folder / "bad.jsonl")], "c4@1": [str(folder / "good.jsonl")]}
    run_here(RECIPE, {**inputs, "c4@2": [str(folder / "better.jsonl")]}, folder / "run")
    return folder


def changes(run: Path) -> dict[str, dict[str, Any]]:
    rows = [
        row for path in sorted((run / FOLDER).glob("*.parquet")) for row in pq.read_table(path).to_pylist()
    ]
    return {row["locator"]: row for row in rows}


def test_a_domain_goes_and_what_stood_on_it_changes(made: Path) -> None:
    listing = made / "domains"
    listing.write_text("bad.example\n")
    new = made / "new"
    with here():
        arguments = [str(made / "run"), "--domains", str(listing), "--output", str(new)]
        done = CliRunner().invoke(APP, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert "taken_down" in done.output
    assert json.loads((new / "ledger.json").read_bytes())["closed"]
    before, after = fates(made / "run"), fates(new)
    assert set(before) == set(after)
    by_url = {row["url"]: row for row in after.values()}
    assert {url for url, row in by_url.items() if row.get("verdict") == "takedown.domain"} == {
        "http://bad.example/1",
        "http://bad.example/2",
    }
    assert all(row["text"] is None for row in after.values() if row.get("verdict") == "takedown.domain")
    assert by_url["http://good.example/1"]["folder"] == "documents"
    assert by_url["http://better.example/1"]["duplicate_of"] == by_url["http://good.example/1"]["id"]
    assert by_url["http://good.example/2"]["text"] == "six seven eight\nfive"
    told = changes(new)
    assert Counter(row["change"] for row in told.values()) == {
        "taken_down": 2,
        "returned": 1,
        "survivor": 1,
        "text": 1,
    }
    returned = next(row for row in told.values() if row["change"] == "returned")
    assert (returned["before"], returned["after"]) == ("exact_dedup.duplicate", "kept")
    assert returned["survivor_before"] == by_url["http://bad.example/1"]["id"]
    assert compare(made / "run", new) == {"taken_down": 2, "returned": 1, "text": 1, "survivor": 1}
    assert compare(new, new) == {}


def test_what_is_left_is_what_a_run_without_it_gives(made: Path) -> None:
    ids = made / "ids"
    gone = next(row["id"] for row in fates(made / "run").values() if row["url"] == "http://good.example/1")
    ids.write_text(gone.hex())
    with here():
        arguments = [str(made / "run"), "--ids", str(ids), "--output", str(made / "without")]
        assert CliRunner().invoke(APP, arguments, catch_exceptions=False).exit_code == 0
    told = changes(made / "without")
    assert [row["change"] for row in told.values()] == ["taken_down"]
    assert next(iter(told.values()))["before"] == "exact_dedup.duplicate"


def test_nothing_to_take_down_and_unknown_sources_are_refused() -> None:
    with pytest.raises(UsageError, match="what is to go"):
        takedown_recipe(RECIPE, None, None, [])
    with pytest.raises(UsageError, match="no source 'c5'"):
        takedown_recipe(RECIPE, None, None, ["c5"])
    recipe = takedown_recipe(RECIPE, None, None, ["c4"])
    assert [step.instance for step in recipe.steps][:2] == ["extract", "takedown"]
    again = takedown_recipe(recipe.to_yaml(), None, None, ["c4"])
    assert [step.instance for step in again.steps][:3] == ["extract", "takedown_2", "takedown"]


def test_input_that_changed_in_place_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "dump.jsonl"
    path.write_text(json.dumps({"url": "http://bad.example/", "text": "one"}))
    run_here(RECIPE, {"c4": [str(path)]}, tmp_path / "run")
    path.write_text(json.dumps({"url": "http://bad.example/", "text": "two"}))
    stamp = path.stat().st_mtime_ns + 5_000_000_000
    os.utime(path, ns=(stamp, stamp))
    listed = tmp_path / "domains.txt"
    listed.write_text("bad.example")
    with here():
        done = CliRunner().invoke(
            APP, [str(tmp_path / "run"), "--domains", str(listed), "--output", str(tmp_path / "new")]
        )
    assert isinstance(done.exception, UsageError)
    assert "dump.jsonl has changed since" in str(done.exception)
