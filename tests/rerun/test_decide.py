"""Other thresholds applied to a finished run: what does not depend on them is taken over, and nothing differs."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

import pytest
import typer
from in_process import fates, here, run_here
from runs import digests
from typer.testing import CliRunner

from corpusforge.errors import UsageError
from corpusforge.plan import Plan
from corpusforge.recipe import Recipe, load_text
from corpusforge.rerun.decide import decide, recorded_inputs
from corpusforge.rerun.decide_command import command

TIGHTER = ["gopher_quality.min_words=70", "fineweb.min_terminal_line_ratio=0.9"]


def recipe_of(run: Path, *settings: str) -> Recipe:
    return load_text((run / "recipe.yaml").read_text(encoding="utf-8"), "recipe.yaml", settings)


def test_the_bytes_are_those_of_a_run_from_the_beginning(
    small_run: Path, tighter_run: Path, tmp_path: Path
) -> None:
    heard: list[tuple[Plan, bool, int]] = []
    recipe = recipe_of(small_run, *TIGHTER)
    output = tmp_path / "decided"
    inputs = recorded_inputs(small_run, recipe)
    decide(small_run, recipe, inputs, output, lambda *told: heard.append(told), workers=1)
    assert digests(output) == digests(tighter_run)
    plan, resumed, taken = heard[0]
    assert not resumed
    assert taken == 1  # extraction: every later stage depends on the thresholds
    assert taken < len(plan.stages)
    stage = plan.stages[0].id
    done = json.loads((output / "stages" / stage / "00000.json").read_bytes())
    assert done == json.loads((small_run / "stages" / stage / "00000.json").read_bytes())


def test_looser_thresholds_measure_what_they_let_through(
    small_run: Path, tighter_run: Path, tmp_path: Path
) -> None:
    """Back from the tighter thresholds, by the command: it tells what it took over, and what it measured."""
    output = tmp_path / "looser"
    looser = ["gopher_quality.min_words=50", "fineweb.min_terminal_line_ratio=0.3"]
    arguments = [
        str(tighter_run),
        "--output",
        str(output),
        *(part for one in looser for part in ("--set", one)),
    ]
    app = typer.Typer()
    app.command()(command)
    with here():
        done = CliRunner().invoke(app, arguments, env={"COLUMNS": "200"})
        assert done.exit_code == 0, done.output
        again = CliRunner().invoke(app, arguments, env={"COLUMNS": "200"})
    assert digests(output) == digests(small_run)
    told = re.search(
        r"signals of 91 documents taken over \((\d+) measurements\), (\d+) measured: c4 (\d+)", done.output
    )
    assert told is not None, done.output
    taken, measured, edited = map(int, told.groups())
    assert taken > measured >= edited > 0
    assert "taken over" not in again.output, "nothing was done"


def test_equal_thresholds_take_everything_over(small_run: Path, tmp_path: Path) -> None:
    heard: list[int] = []
    recipe = recipe_of(small_run)
    output = tmp_path / "same"
    inputs = recorded_inputs(small_run, recipe)
    decide(small_run, recipe, inputs, output, lambda plan, _, taken: heard.append(len(plan.stages) - taken))
    assert heard == [0]
    assert digests(output) == digests(small_run)


def test_inputs_in_folders_are_found_again(small_run: Path, tmp_path: Path) -> None:
    copy = tmp_path / "run"
    shutil.copytree(small_run, copy)
    old = json.loads((copy / "stages" / "inputs.json").read_bytes())
    folder = tmp_path / "data" / "sub"
    folder.mkdir(parents=True)
    moved = {}
    for url in old["modified"]:
        shutil.copy(url, folder)
        moved[str(folder / Path(url).name)] = old["modified"][url]
    old["modified"] = moved
    old["shards"] = [
        [source, [[f"sub/{path}", size] for path, size in files]] for source, files in old["shards"]
    ]
    (copy / "stages" / "inputs.json").write_text(json.dumps(old), encoding="utf-8")
    found = recorded_inputs(copy, recipe_of(copy))
    assert len(found["c4"]) == 3
    next(folder.iterdir()).write_bytes(b"another size")
    with pytest.raises(UsageError, match="give --input"):
        recorded_inputs(copy, recipe_of(copy))


def test_what_cannot_be_decided(small_run: Path, tmp_path: Path) -> None:
    recipe = recipe_of(small_run)
    with pytest.raises(UsageError, match="another folder"):
        decide(small_run, recipe, {}, small_run)
    with pytest.raises(UsageError, match="cleaned away"):
        recorded_inputs(tmp_path, recipe)
    with pytest.raises(UsageError, match="cleaned away"):
        decide(tmp_path, recipe, {}, tmp_path / "new")
    (tmp_path / "stages").mkdir()
    (tmp_path / "stages" / "inputs.json").write_text("{")
    with pytest.raises(UsageError, match=r"inputs\.json is damaged"):
        recorded_inputs(tmp_path, recipe)


FEW = """\
name: few
partitions: 2
error_budget: 1
sources: {c4: {}}
steps: [extract, exact_dedup]
"""


def test_input_that_changed_in_place_is_noticed(tmp_path: Path) -> None:
    """Equal name and size: only the bytes tell, and what was extracted is of the old ones."""
    path = tmp_path / "dump.jsonl"
    path.write_text(json.dumps({"text": "one two"}))
    run = tmp_path / "run"
    run_here(FEW, {"c4": [str(path)]}, run)
    recipe = recipe_of(run, "exact_dedup.normalization=whitespace")
    stamp = path.stat().st_mtime_ns + 5_000_000_000
    # Written again with the same bytes: nothing is the matter.
    os.utime(path, ns=(stamp, stamp))
    with here():
        decide(run, recipe, recorded_inputs(run, recipe), tmp_path / "same")
    assert [row["text"] for row in fates(tmp_path / "same").values()] == ["one two"]
    path.write_text(json.dumps({"text": "six two"}))
    os.utime(path, ns=(stamp, stamp))
    with (
        here(),
        pytest.raises(UsageError, match=r"dump\.jsonl has changed since .*run read it .*corpusforge run"),
    ):
        decide(run, recipe, recorded_inputs(run, recipe), tmp_path / "changed")
    assert not (tmp_path / "changed" / "documents").exists()
    path.write_text(json.dumps({"text": "longer than before"}))
    with pytest.raises(UsageError, match=r"dump\.jsonl had 19 bytes and has 30\): give --input"):
        recorded_inputs(run, recipe)
    path.unlink()
    with pytest.raises(UsageError, match=r"dump\.jsonl is gone\): give --input"):
        recorded_inputs(run, recipe)
