"""The text of a document at each step."""

from __future__ import annotations

import io
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from rich.console import Console

from corpusforge.errors import UsageError
from corpusforge.plan import map_steps
from corpusforge.recipe import load_text
from corpusforge.report.why import Fate, why
from corpusforge.report.why_text import TextStep, print_text, text_steps


@pytest.fixture(scope="module")
def recipe_steps(small_run: Path) -> Any:
    return map_steps(load_text((small_run / "recipe.yaml").read_text(encoding="utf-8"), "recipe.yaml"))


def steps_of(run: Path, query: str, recipe_steps: Any) -> dict[str, TextStep]:
    return {step.step: step for step in text_steps(run, why(run, query), recipe_steps)}


def test_every_kept_document_ends_as_it_was_written(small_run: Path, recipe_steps: Any) -> None:
    edited = 0
    for path in sorted((small_run / "documents").glob("*.parquet")):
        for row in pq.read_table(path).to_pylist():
            steps = list(text_steps(small_run, why(small_run, row["id"].hex()), recipe_steps))
            assert steps[-1].text == row["text"]
            assert [step.verdict for step in steps] == [None] * len(steps)
            for before, after in zip(steps, steps[1:]):
                if after.pieces:
                    assert before.text == "".join(p.text for p in after.pieces if p.kind != "inserted")
                    assert after.text == "".join(p.text for p in after.pieces if p.kind != "removed")
                else:
                    assert before.text == after.text
            edited += sum(bool(p.kind != "same") for step in steps for p in step.pieces)
    assert edited > 10


def test_a_dropped_document_ends_at_its_verdict(small_run: Path, recipe_steps: Any) -> None:
    seen = set()
    for path in sorted((small_run / "dropped").glob("*.parquet")):
        for row in pq.read_table(path, columns=["id", "verdict", "text"]).to_pylist():
            steps = list(text_steps(small_run, why(small_run, row["id"].hex()), recipe_steps))
            assert steps[-1].verdict == row["verdict"]
            assert steps[-1].text == row["text"]
            seen.add(row["verdict"])
    assert len(seen) >= 3


def test_what_is_printed(small_run: Path, recipe_steps: Any) -> None:
    fate = next(
        fate
        for path in sorted((small_run / "documents").glob("*.parquet"))
        for row in pq.read_table(path, columns=["id", "url"]).to_pylist()
        for fate in [why(small_run, row["url"])]
        if any(step.pieces for step in text_steps(small_run, fate, recipe_steps))
    )
    console = Console(file=io.StringIO(), width=100)
    print_text(text_steps(small_run, fate, recipe_steps), console)
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "── extract: " in shown
    assert "-](" in shown
    assert "[-" in shown
    assert " removed" in shown
    assert "text unchanged" in shown


def test_a_hostile_text_cannot_steer_the_terminal() -> None:
    console = Console(file=io.StringIO(), width=100, force_terminal=False)
    print_text([TextStep("extract", None, (), "a\x1b[31m[bold]b[/] \u202e")], console)
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "\x1b" not in shown
    assert "[bold]b[/]" in shown


def test_what_cannot_be_told(small_run: Path, recipe_steps: Any, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="quarantine"):
        list(text_steps(small_run, Fate("quarantined", "00", "c4", "x"), recipe_steps))
    cleaned = tmp_path / "cleaned"
    shutil.copytree(small_run, cleaned)
    shutil.rmtree(cleaned / "stages")
    identity = pq.read_table(next((cleaned / "documents").glob("*.parquet")), columns=["id"])["id"][0].as_py()
    with pytest.raises(UsageError, match="clean --all"):
        list(text_steps(cleaned, why(cleaned, identity.hex()), recipe_steps))
    with pytest.raises(UsageError, match="another run"):
        list(text_steps(small_run, Fate("kept", "ab" * 16, "c4", "x"), recipe_steps))
