"""The local engine with real processes: any number of workers, any death, the same bytes."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest
from runs import command, digests, kill_group_when, run_cli

from corpusforge.engines.local import LocalEngine, _Worker
from corpusforge.plan import compile_plan
from corpusforge.recipe import load_text
from corpusforge.sources.base import Shard

RECIPE = "name: calls\nsources: {c4: {}}\nsteps: [extract]\n"


def manifests(run: Path) -> dict[str, float]:
    """Committed tasks and when they were committed."""
    return {
        str(path.relative_to(run)): path.stat().st_mtime_ns
        for path in run.glob("stages/*/[0-9][0-9][0-9][0-9][0-9].json")
    }


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 4])
def test_any_number_of_workers_gives_the_same_bytes(workers, sample, core_recipe, finished_run, tmp_path):
    output = tmp_path / "run"
    done = run_cli(command(core_recipe, f"{sample}/warc/*.warc.gz", output, "--workers", str(workers)))
    assert done.returncode == 0, done.stderr
    assert digests(output) == digests(finished_run)


@pytest.mark.slow
def test_killed_in_every_stage_and_resumed_gives_the_same_bytes(sample, core_recipe, finished_run, tmp_path):
    """kill -9 of the whole group, again and again: after each start, inside the next stage not yet begun."""
    output = tmp_path / "run"
    arguments = command(core_recipe, f"{sample}/warc/*.warc.gz", output, "--workers", "2")
    stages = sorted(path.name for path in finished_run.glob("stages/*@*"))
    generator = random.Random(7)
    killed_in = []
    for stage in stages:
        folder = output / "stages" / stage

        def inside(folder: Path = folder, delay: float = generator.uniform(0, 0.05)) -> bool:
            if not (folder / "stage.json").exists():
                return False
            time.sleep(delay)
            return True

        before = manifests(output)
        if kill_group_when(arguments, inside):
            killed_in.append(stage)
        after = manifests(output)
        assert {name: after[name] for name in before} == before, "a committed task was done again"
    done = run_cli(arguments)
    assert done.returncode == 0, done.stderr
    assert len(killed_in) >= len(stages) - 2, f"killed only in {killed_in}"
    assert digests(output) == digests(finished_run)
    leftovers = [
        path for folder in ("documents", "dropped", "shards") for path in (output / folder).rglob(".*")
    ]
    assert leftovers == []


def workers_of(driver: int) -> list[int]:
    """Process ids of a driver's workers: the children of its fork server, which is its child."""
    found = []
    try:
        for child in psutil.Process(driver).children(recursive=True):
            if child.ppid() != driver and "resource_tracker" not in " ".join(child.cmdline()):
                found.append(child.pid)
    except psutil.Error:  # one of them ended while it was looked at
        return []
    return found


@pytest.mark.slow
def test_a_worker_that_dies_costs_an_attempt_and_nothing_else(sample, core_recipe, finished_run, tmp_path):
    output = tmp_path / "run"
    arguments = command(core_recipe, f"{sample}/warc/*.warc.gz", output, "--workers", "2")
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    killed = 0
    while process.poll() is None and killed < 2:  # a third could be the last attempt at one task
        time.sleep(0.05)
        workers = workers_of(process.pid)
        if workers and (output / "stages").exists() and manifests(output):
            os.kill(workers[0], signal.SIGKILL)
            killed += 1
            time.sleep(0.3)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    assert killed >= 1
    assert digests(output) == digests(finished_run)


@pytest.mark.slow
def test_a_finished_run_says_so_and_does_nothing(sample, core_recipe, finished_run):
    before = manifests(finished_run)
    done = run_cli(command(core_recipe, f"{sample}/warc/*.warc.gz", finished_run))
    assert done.returncode == 0
    assert "complete" in done.stdout
    assert manifests(finished_run) == before


@pytest.mark.slow
def test_another_recipe_on_the_same_output_is_refused_with_the_difference(sample, core_recipe, finished_run):
    arguments = command(
        core_recipe, f"{sample}/warc/*.warc.gz", finished_run, "--set", "gopher_quality.min_words=10"
    )
    done = run_cli(arguments)
    assert done.returncode == 2
    assert "gopher_quality.min_words: 50 -> 10" in done.stderr


@pytest.mark.slow
def test_limit_first_then_everything_redoes_only_what_mixes_shards(
    sample, core_recipe, finished_run, tmp_path
):
    output = tmp_path / "run"
    pattern = f"{sample}/warc/*.warc.gz"
    first = run_cli(command(core_recipe, pattern, output, "--limit", "2"))
    assert first.returncode == 0, first.stderr
    assert len(list((output / "documents").iterdir())) == 2
    read = {path: path.stat().st_mtime_ns for path in output.glob("stages/00-*/0000[01].json")}
    assert len(read) == 2
    whole = run_cli(command(core_recipe, pattern, output))
    assert whole.returncode == 0, whole.stderr
    assert {path: path.stat().st_mtime_ns for path in read} == read
    assert digests(output) == digests(finished_run)
    # Back and forth: outputs of the other plan went, so the stages that wrote them are done again.
    assert run_cli(command(core_recipe, pattern, output, "--limit", "2")).returncode == 0
    again = run_cli(command(core_recipe, pattern, output))
    assert again.returncode == 0, again.stderr
    assert {path: path.stat().st_mtime_ns for path in read} == read
    assert digests(output) == digests(finished_run)


@pytest.mark.slow
def test_lost_outputs_are_written_again_and_an_open_ledger_stays_an_error(
    sample, core_recipe, finished_run, tmp_path
):
    output = tmp_path / "run"
    shutil.copytree(finished_run, output)
    arguments = command(core_recipe, f"{sample}/warc/*.warc.gz", output)
    (output / "documents" / "00001.parquet").unlink()
    next((output / "shards" / "packed").rglob("*.mds")).write_bytes(b"cut")
    done = run_cli(arguments)
    assert done.returncode == 0, done.stderr
    assert digests(output) == digests(finished_run)
    ledger = json.loads((output / "ledger.json").read_text())
    ledger["closed"] = ledger["checks"][0]["ok"] = False
    (output / "ledger.json").write_text(json.dumps(ledger))
    done = run_cli(arguments)
    assert done.returncode == 4
    assert ledger["checks"][0]["name"] in done.stderr


@pytest.mark.slow
def test_two_runs_at_once_on_one_output(sample, core_recipe, tmp_path):
    output = tmp_path / "run"
    arguments = command(core_recipe, f"{sample}/warc/*.warc.gz", output)
    first = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not (output / "stages").exists():
        time.sleep(0.01)
    second = run_cli(arguments)
    assert second.returncode == 2
    assert "another run is working" in second.stderr
    assert first.wait(timeout=300) == 0


PLUGIN = '''
import os, time
from corpusforge.step import LiveRows, MapStep, Measured, RunContext

class Stuck(MapStep):
    """Never comes back from one document, unless told to hurry."""
    name = "stuck"
    reads = "latest"
    def open(self, context: RunContext) -> None:
        self._heartbeat = context.heartbeat
    def measure(self, rows: LiveRows) -> Measured:
        for locator in rows.column("locator").to_pylist():
            self._heartbeat.begin(locator)
            if locator.startswith("sample-00001") and int(locator.split("@")[1]) < 600:
                while not os.environ.get("CORPUSFORGE_TEST_HURRY"):
                    time.sleep(1)
            self._heartbeat.done()
        return Measured()

class Deaf(Stuck):
    """Is stuck where no document can be left out."""
    name = "deaf"
    def open(self, context: RunContext) -> None:
        context.heartbeat.begin("nobody")
        time.sleep(600)
'''


def watched(folder: Path, steps: str) -> list[str]:
    """Options of a run whose plugin gets stuck, with a watchdog of a second."""
    (folder / "stuck.py").write_text(PLUGIN)
    (folder / "recipe.yaml").write_text(
        "name: watched\nshard_bytes: 100000\nwatchdog_seconds: 1.0\nerror_budget: 0.5\n"
        f"sources: {{commoncrawl: {{}}}}\nsteps: {steps}\n"
    )
    return ["--plugin", str(folder / "stuck.py")]


def quarantined(run: Path) -> list[dict[str, object]]:
    return [
        json.loads(line) for path in (run / "quarantine").iterdir() for line in path.read_text().splitlines()
    ]


@pytest.mark.slow
@pytest.mark.parametrize("steps", ["[extract, stuck]", "[extract, exact_dedup, stuck]"])
def test_the_step_that_was_stuck_quarantines_the_document_and_a_replay_gives_the_same_bytes(
    steps, sample, tmp_path
):
    options = watched(tmp_path, steps)
    output, replayed = tmp_path / "run", tmp_path / "replayed"
    arguments = command(tmp_path / "recipe.yaml", f"{sample}/warc/*.warc.gz", output, *options)
    done = run_cli(arguments)
    assert done.returncode == 0, done.stderr
    kills = [json.loads(line) for line in (output / "kills.jsonl").read_text().splitlines()]
    assert [entry["step"] for entry in kills] == ["stuck"]
    given_up = [line for line in quarantined(output) if line["kind"] == "watchdog"]
    assert [(line["locator"], line["step"]) for line in given_up] == [(kills[0]["locator"], "stuck")]
    assert json.loads((output / "ledger.json").read_text())["closed"]
    # Equal kills, equal bytes: on a machine where nothing is stuck, in one go.
    replayed.mkdir()
    shutil.copy(output / "kills.jsonl", replayed)
    arguments = command(tmp_path / "recipe.yaml", f"{sample}/warc/*.warc.gz", replayed, *options)
    done = run_cli(arguments, env={**os.environ, "CORPUSFORGE_TEST_HURRY": "1"})
    assert done.returncode == 0, done.stderr
    assert digests(replayed) == digests(output)


@pytest.mark.slow
def test_what_cannot_be_left_out_fails_at_once_and_never_loops(sample, tmp_path):
    options = watched(tmp_path, "[extract, deaf]")
    done = run_cli(
        command(tmp_path / "recipe.yaml", f"{sample}/warc/sample-00000.warc.gz", tmp_path / "run", *options)
    )
    assert done.returncode == 3
    assert "stuck, outside of any step that could leave it out, on nobody" in done.stderr


@pytest.mark.slow
def test_workers_end_with_their_driver(sample, tmp_path):
    """kill -9 of the driver alone: a worker left behind would write beside the run that resumes."""
    options = watched(tmp_path, "[extract, stuck]")
    arguments = command(tmp_path / "recipe.yaml", f"{sample}/warc/*.warc.gz", tmp_path / "run", *options)
    driver = subprocess.Popen(
        [*arguments, "--set", "watchdog_seconds=600.0"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("run/stages/00-*/0*.json")) and time.monotonic() < deadline:
        time.sleep(0.05)
    family = psutil.Process(driver.pid).children(recursive=True)
    assert len(family) >= 2, "the fork server and a worker at least"
    driver.kill()
    driver.wait()
    _, alive = psutil.wait_procs(family, timeout=60)
    assert alive == []


def test_a_call_is_answered_by_a_worker_or_here(tmp_path):
    plan = compile_plan(load_text(RECIPE, "calls"), [Shard(0, "c4", ())])
    with LocalEngine(plan, str(tmp_path), 1, 60.0) as engine:
        assert engine.call(os.getpid) == os.getpid()  # there is no worker yet
        folder = Path(engine._folder.name)
        engine._workers.append(_Worker(engine._context, engine._plan_file, str(tmp_path), folder))
        worker = engine.call(os.getpid)
        assert worker == engine._workers[0].process.pid
        assert engine.call(sorted, [3, 1]) == [1, 3]
        with pytest.raises(ZeroDivisionError):
            engine.call(divmod, 1, 0)  # raised here, where it can be told
        with pytest.raises(ProcessLookupError):
            engine.call(os.kill, worker, signal.SIGKILL)
        assert engine._workers == []
        assert engine.call(os.getpid) == os.getpid()
