"""The command line: every mistake is one message and an exit status, and no traceback."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from runs import command, digests, run_cli

TINY_RECIPE = """\
name: tiny
sources:
  commoncrawl: {}
steps:
  - extract
  - exact_dedup
"""


def cli(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the command line with these arguments."""
    return run_cli([sys.executable, "-m", "corpusforge.cli", *map(str, arguments)])


def assert_one_error(done: subprocess.CompletedProcess[str], status: int, *words: str) -> None:
    """One line that starts with "error:" and holds all words; nothing that looks like a crash."""
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    lines = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert len(lines) == 1, done.stderr
    for word in words:
        assert word in lines[0]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe of two steps."""
    path = tmp_path_factory.mktemp("tiny") / "tiny.yaml"
    path.write_text(TINY_RECIPE)
    return path


@pytest.fixture(scope="module")
def page(sample: Path) -> str:
    """One WARC file of the sample, as an --input."""
    return f"commoncrawl={min(sample.glob('warc/*.warc.gz'))}"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--input", "commoncrawl=/no/such.warc.gz"], ["/no/such.warc.gz", "matches no file"]),
        (["--input", "commoncrawl=/no/such*.warc.gz"], ["matches no file", ".warc.gz"]),
        (["--input", "commoncrwl=x"], ["no source 'commoncrwl'", "did you mean 'commoncrawl'"]),
        (["--input", "commoncrawl="], ["source=PATH_OR_GLOB"]),
        (["--input", "x.warc.gz"], ["source=PATH_OR_GLOB"]),
        ([], ["no input for source 'commoncrawl'"]),
    ],
)
def test_wrong_inputs(arguments, words, tiny, tmp_path):
    assert_one_error(cli("run", tiny, *arguments, "--output", tmp_path / "out"), 2, *words)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("extrct.max_bytes=1", ["'extrct'", "did you mean 'extract'"]),
        ("extract.max_byte=1", ["'max_byte'", "did you mean 'max_bytes'"]),
        ("extract.max_bytes=many", ["'max_bytes'", "valid integer"]),
        ("extract.max_bytes=-3", ["greater than 0"]),
        ("extract", ["step.parameter=value"]),
        ("shard_bytes=0", ["shard_bytes"]),
        ("evaluate=sometimes", ["'early' or 'all'"]),
    ],
)
def test_wrong_settings(setting, words, tiny, page, tmp_path):
    done = cli("run", tiny, "--input", page, "--output", tmp_path / "out", "--set", setting)
    assert_one_error(done, 2, *words)


def test_wrong_recipe_and_engine(tiny, page, tmp_path):
    more = ["--input", page, "--output", tmp_path / "out"]
    assert_one_error(cli("run", "cc_pipelin", *more), 2, "did you mean 'cc_pipeline'")
    assert_one_error(cli("run", tmp_path / "none.yaml", *more), 2, "no recipe file")
    assert_one_error(cli("run", tiny, *more, "--engine", "lokal"), 2, "unknown engine 'lokal'")
    assert_one_error(cli("run", tiny, "--input", page), 2, "--output")
    assert cli("run", tiny, *more, "--workers", "0").returncode == 2


def test_an_output_that_cannot_be_written(tiny, page, tmp_path):
    (tmp_path / "file").write_text("mine")
    for output in (tmp_path / "file", tmp_path / "file" / "below"):
        assert_one_error(
            cli("run", tiny, "--input", page, "--output", output), 2, "cannot write to", str(output)
        )
    assert (tmp_path / "file").read_text() == "mine"
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").write_text("mine")
    assert_one_error(cli("run", tiny, "--input", page, "--output", tmp_path / "full"), 2, "holds no run")
    assert [path.name for path in (tmp_path / "full").iterdir() if path.name != ".lock"] == ["letter.txt"]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (None, ["cannot read plugin"]),
        ("x = 1 / 0\n", ["ZeroDivisionError"]),
        ("x = (\n", ["SyntaxError"]),
    ],
)
def test_a_broken_plugin(code, words, tiny, page, tmp_path):
    plugin = tmp_path / "plugin.py"
    if code is not None:
        plugin.write_text(code)
    done = cli("run", tiny, "--input", page, "--output", tmp_path / "out", "--plugin", plugin)
    assert_one_error(done, 2, "plugin.py", *words)


def test_a_file_that_is_no_web_archive_is_told(tiny, tmp_path):
    (tmp_path / "text.warc.gz").write_text("hello, this is text\n")
    (tmp_path / "empty.warc.gz").write_bytes(b"")
    inputs = ("--input", f"commoncrawl={tmp_path}/*.warc.gz")
    done = cli("run", tiny, *inputs, "--output", tmp_path / "refused")
    assert done.returncode == 3
    assert "1 of 1 records were damaged" in " ".join(done.stderr.split())
    done = cli("run", tiny, *inputs, "--output", tmp_path / "out", "--set", "error_budget=1.0")
    assert done.returncode == 0, done.stderr
    assert "commoncrawl: 1 records = 0 documents + 0 skipped + 1 damaged" in done.stdout
    assert "1 of 1 records (100 %) are in quarantine" in done.stdout
    entry = json.loads((tmp_path / "out" / "quarantine" / "00000.jsonl").read_text())
    assert entry["locator"] == "text.warc.gz@0"


def test_a_task_that_fails_is_one_message_and_the_rest_is_in_the_log(tiny, page, tmp_path):
    plugin = tmp_path / "broken.py"
    plugin.write_text(
        "from corpusforge.step import MapStep, StepParameters\n\n\n"
        "class Broken(MapStep):\n"
        "    name = 'broken'\n"
        "    summary = 'fails'\n"
        "    Parameters = StepParameters\n\n"
        "    def measure(self, rows):\n"
        "        return None\n\n"
        "    def open(self, context):\n"
        "        raise RuntimeError('the moon is full')\n"
    )
    recipe = tmp_path / "broken.yaml"
    recipe.write_text(TINY_RECIPE.replace("  - exact_dedup\n", "  - broken\n"))
    output = tmp_path / "out"
    done = cli("run", recipe, "--input", page, "--output", output, "--plugin", plugin, "--workers", "1")
    assert_one_error(done, 3, "RuntimeError: the moon is full")
    (log,) = output.glob("stages/*/failures.jsonl")
    assert str(log) in done.stderr.replace("\n", "")
    assert "in open" in json.loads(log.read_text().splitlines()[0])["error"]
    assert "the moon is full" in " ".join(cli("status", output).stdout.split())


def test_named_settings_of_deduplication(tiny):
    recipe = tiny.parent / "named.yaml"
    recipe.write_text(
        TINY_RECIPE + "  - minhash_dedup: {rules: minhash_fineweb}\n  - line_dedup: {rules: lines_ccnet}\n"
    )
    shown = cli("run", recipe, "--dry-run")
    assert shown.returncode == 0, shown.stderr
    for line in ("bands: 14", "rows: 8", "scope: global"):
        assert line in shown.stdout
    recipe.write_text(TINY_RECIPE + "  - minhash_dedup: {rules: lines_ccnet}\n")
    assert_one_error(cli("run", recipe, "--dry-run"), 2, "lines_ccnet", "'line_dedup'")


@pytest.mark.slow
def test_interrupted_and_run_again_gives_the_same_bytes(sample, core_recipe, finished_run, tmp_path):
    output = tmp_path / "run"
    line = command(core_recipe, f"{sample}/warc/*.warc.gz", output, "--workers", "2")
    running = subprocess.Popen(
        line,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # A suite started in the background ignores the signal, and its children would inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 60
    while not list(output.glob("stages/*/*.json")) and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(running.pid, signal.SIGINT)
    _, said = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "interrupted" in said
    assert "Traceback" not in said
    again = run_cli(line)
    assert again.returncode == 0, again.stderr
    assert digests(output) == digests(finished_run)


def test_a_cleaned_run_is_complete_and_is_not_done_again(tiny, page, tmp_path):
    line = ("run", tiny, "--input", page, "--output", tmp_path / "out")
    assert cli(*line).returncode == 0
    before = {
        path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.parquet") if "stages" not in path.parts
    }
    assert before
    assert cli("clean", tmp_path / "out", "--all").returncode == 0
    again = cli(*line)
    assert again.returncode == 0, again.stderr
    assert "is complete: nothing to do" in " ".join(again.stdout.split())
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_questions_about_a_run(finished_run, tmp_path):
    assert_one_error(cli("why", finished_run, "deadbeefdead"), 2, "no document")
    assert_one_error(cli("why", finished_run, "0"), 2, "6 to 32")
    assert_one_error(cli("why", tmp_path, "deadbeefdead"), 2, "no recipe.yaml")
    assert_one_error(cli("report", tmp_path), 2, "no report.json")
    assert_one_error(cli("status", tmp_path), 2, "no stages")
    assert_one_error(cli("clean", tmp_path), 2, "no manifest.json")
    assert "ledger is closed" in cli("status", finished_run).stdout
