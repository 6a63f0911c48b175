"""`corpusforge replace` from the command line: what it prints, and where it says that things lie."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import typer
from in_process import here, run_here
from typer.testing import CliRunner

from corpusforge.report.retractions import FILE
from corpusforge.rerun.replace_command import command

APP = typer.Typer()
APP.command()(command)

RECIPE = """\
name: small
partitions: 1
error_budget: 1
sources: {c4: {}}
steps: [extract, exact_dedup]
"""


def write(path: Path, texts: str, day: int) -> str:
    rows = [{"text": text, "timestamp": f"2024-01-0{day}"} for text in texts]
    path.write_text("\n".join(map(json.dumps, rows)))
    return str(path)


def test_newer_copies_replace_older_ones(tmp_path: Path) -> None:
    old = write(tmp_path / "old.jsonl", "abc", 1)
    new = write(tmp_path / "new.jsonl", "bcd", 2)
    run_here(RECIPE, {"c4": [old]}, tmp_path / "old")
    output = tmp_path / "new"
    arguments = [str(tmp_path / "old"), "--input", f"c4={new}", "--output", str(output)]
    with here():
        done = CliRunner().invoke(
            APP, [*arguments, "--set", "exact_dedup.prefer=newest"], catch_exceptions=False
        )
    assert done.exit_code == 0, done.output
    assert "1 of 2 shards were extracted by the earlier runs" in done.output
    shown = " ".join(done.output.split())
    assert "retracted: 2 documents" in shown
    assert "dropped: dropped now, kept before" in shown
    assert [row["locator"] for row in pq.read_table(output / FILE).to_pylist()] == [
        "old.jsonl#1",
        "old.jsonl#2",
    ]
    with here():
        refused = CliRunner().invoke(APP, [*arguments, "--against", str(tmp_path / "old")])
    assert "twice" in str(refused.exception)
