"""Runs made against others: what is refused, what `why` tells, how runs are found again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from in_process import fates, here, run_here
from rich.console import Console
from typer.testing import CliRunner

from corpusforge import recipe as recipes
from corpusforge.cli import app
from corpusforge.earlier import load_earlier, next_generation
from corpusforge.errors import RunFailedError, UsageError
from corpusforge.housekeeping import clean
from corpusforge.report.why import print_fate, why
from corpusforge.rerun.decide import decide, recorded_inputs

RECIPE = """\
name: small
partitions: 2
error_budget: 1
sources: {c4: {}}
steps: [extract, {exact_dedup: {normalization: whitespace}}]
"""


def write(path: Path, texts: list[str]) -> str:
    path.write_text("\n".join(json.dumps({"text": text}) for text in texts))
    return str(path)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three dumps, each run against the one before it."""
    folder = tmp_path_factory.mktemp("made")
    for number, texts in enumerate([["a", "b"], ["b ", "c"], ["a", "c", "d"]]):
        against = [str(folder / f"run{number - 1}")] if number else []
        inputs = {"c4": [write(folder / f"dump{number}.jsonl", texts)]}
        run_here(RECIPE, inputs, folder / f"run{number}", against=against)
    return folder


@pytest.fixture
def copy(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "copy"))


def add(folder: Path, against: list[str], recipe: str = RECIPE, output: str = "new") -> None:
    run_here(recipe, {"c4": [write(folder / "dump9.jsonl", ["d", "e"])]}, folder / output, against=against)


def test_the_last_run_leads_to_all(made: Path) -> None:
    runs = load_earlier([str(made / "run2")])
    assert [Path(run.root).name for run in runs] == ["run0", "run1", "run2"]
    assert [run.first_shard for run in runs] == [-3, -2, -1]
    assert next_generation(runs) == 3
    assert next_generation(()) == 0
    assert load_earlier([str(made / "run1"), str(made / "run2"), str(made / "run0")]) == runs


def test_why_says_which_run_holds_the_survivor(made: Path) -> None:
    rows = fates(made / "run2")
    ids = {row["text"]: row for row in rows.values()}
    fate = why(made / "run2", ids["a"]["id"].hex())
    assert fate.twin is not None
    assert fate.twin.run == str(made / "run0")
    assert fate.twin.locator == "dump0.jsonl#0"
    console = Console(width=300, record=True, file=(made / "printed").open("w"))
    print_fate(fate, console)
    shown = console.export_text()
    assert f"twin in run   {made / 'run0'}" in shown
    assert "kept" in shown
    gone = why(made / "run2", ids["c"]["id"].hex())
    assert gone.twin is not None
    assert gone.twin.run == str(made / "run1")


def test_a_run_cannot_be_given_twice_or_to_itself(made: Path, copy: Path) -> None:
    with pytest.raises(UsageError, match="run0 twice, or two copies of one run"):
        load_earlier([str(made / "run0"), str(made / "run0") + "/"])
    with pytest.raises(UsageError, match="two copies of one run"):
        load_earlier([str(made / "run0"), str(copy / "run0")])
    with pytest.raises(UsageError, match="against itself"):
        add(copy, [str(copy / "run2")], output="run2")


def test_tables_with_other_parameters_are_refused(copy: Path) -> None:
    with pytest.raises(UsageError, match=r"parameters\.normalization: 'whitespace' -> 'none'"):
        add(copy, [str(copy / "run2")], RECIPE.replace("whitespace", "none"))
    with pytest.raises(UsageError, match="keeps no table of a step called 'other'"):
        add(copy, [str(copy / "run2")], RECIPE.replace("{normalization", "{as: other, normalization"))
    assert not (copy / "new").exists()


def test_what_is_no_finished_run_with_tables_is_refused(copy: Path) -> None:
    with pytest.raises(UsageError, match="no finished run"):
        add(copy, [str(copy)])
    tables = copy / "run2" / "stages" / "tables.json"
    whole = tables.read_text()
    tables.write_text(
        whole.replace('"version": 1,\n}', '"version": 9\n}').replace('"version": 1\n}', '"version": 9\n}')
    )
    with pytest.raises(UsageError, match="scheme 9"):
        add(copy, [str(copy / "run2")])
    tables.write_text(whole[:-20])
    with pytest.raises(UsageError, match="json is damaged"):
        add(copy, [str(copy / "run2")])
    clean(copy / "run2", everything=True)
    with pytest.raises(UsageError, match="cleaned away"):
        add(copy, [str(copy / "run2")])


def test_missing_and_damaged_tables_are_noticed(copy: Path) -> None:
    (path, *_) = (copy / "run2" / "stages").glob("*/*.table")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)
    with pytest.raises(RunFailedError, match="is damaged at byte 0"):
        add(copy, [str(copy / "run2")])
    path.unlink()
    with pytest.raises(RunFailedError, match="is missing or cut"):
        add(copy, [str(copy / "run2")])


def test_clean_leaves_what_later_runs_need(copy: Path) -> None:
    for number in range(3):
        clean(copy / f"run{number}")
    add(copy, [str(copy / "run2"), str(copy / "run1"), str(copy / "run0")])
    verdicts = [row.get("verdict") for row in fates(copy / "new").values()]
    assert sorted(verdicts, key=str) == [None, "exact_dedup.duplicate"]


def test_a_run_that_moved_is_asked_for(copy: Path, made: Path) -> None:
    # The copies were made against runs in the other folder, which are still there.
    assert [run.root for run in load_earlier([str(copy / "run1")])] == [
        str(made / "run0"),
        str(copy / "run1"),
    ]
    environment = copy / "run1" / "environment.json"
    environment.write_text(environment.read_text().replace(str(made), str(copy / "elsewhere")))
    with pytest.raises(UsageError, match="name its place with --against too"):
        load_earlier([str(copy / "run1")])
    assert len(load_earlier([str(copy / "run1"), str(copy / "run0")])) == 2
    environment.write_text(
        environment.read_text().replace(str(copy / "elsewhere" / "run0"), str(made / "run2"))
    )
    with pytest.raises(UsageError, match="another run is there now"):
        load_earlier([str(copy / "run1")])


def test_a_directory_is_bound_to_what_it_was_made_against(copy: Path) -> None:
    inputs = {"c4": [str(copy / "dump2.jsonl")]}
    with pytest.raises(UsageError, match="against other runs"):
        run_here(RECIPE, inputs, copy / "run2", against=[str(copy / "run0")])
    with pytest.raises(UsageError, match="against other runs"):
        run_here(RECIPE, inputs, copy / "run2")
    with pytest.raises(UsageError, match="other generations"):
        run_here(RECIPE, {"c4@7": inputs["c4"]}, copy / "run2", against=[str(copy / "run1")])
    again = run_here(RECIPE, inputs, copy / "run2", against=[str(copy / "run1")])
    assert again.complete_before


def test_generations_of_inputs(made: Path) -> None:
    inputs = {"c4@1": [str(made / "dump0.jsonl")]}
    with pytest.raises(UsageError, match="generations up to 2"):
        run_here(RECIPE, inputs, made / "unused", against=[str(made / "run2")])
    with pytest.raises(UsageError, match="a generation is a number"):
        run_here(RECIPE, {"c4@x": inputs["c4@1"]}, made / "unused")
    with pytest.raises(UsageError, match="no source 'c5'"):
        run_here(RECIPE, {"c5@1": inputs["c4@1"]}, made / "unused")


def test_other_thresholds_keep_the_earlier_runs(made: Path, tmp_path: Path) -> None:
    text = (made / "run2" / "recipe.yaml").read_text()
    recipe = recipes.load_text(text, "recipe.yaml", ["exact_dedup.duplicate=null"])
    with pytest.raises(UsageError, match="of another making"), here():
        decide(made / "run2", recipe, recorded_inputs(made / "run2", recipe), tmp_path / "new")
    recipe = recipes.load_text(text, "recipe.yaml", ["keep_dropped=none"])
    with here():
        decide(made / "run2", recipe, recorded_inputs(made / "run2", recipe), tmp_path / "same")
    kept = {key for key, row in fates(made / "run2").items() if row["folder"] == "documents"}
    assert set(fates(tmp_path / "same")) == kept


def test_submission_refuses_what_it_would_leave_out(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(RECIPE)
    arguments = [
        "run",
        str(recipe),
        "--input",
        "c4=gs://b/x.jsonl",
        "--output",
        "gs://b/run",
        "--on",
        "dataproc",
    ]
    done = CliRunner().invoke(app, [*arguments, "--against", "gs://b/run0"])
    assert isinstance(done.exception, UsageError)
    assert "--against" in str(done.exception)
