"""The command line of `corpusforge tune`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from corpusforge.cli import _mount, app
from corpusforge.errors import UsageError
from corpusforge.report.tune_command import command

RUNNER = CliRunner()


@pytest.fixture(scope="module", autouse=True)
def _commands() -> None:
    if not any(found.name == "tune" for found in app.registered_commands):
        _mount()


def test_what_is_printed(small_run: Path) -> None:
    result = RUNNER.invoke(app, ["tune", str(small_run), "--set", "gopher_quality.min_words=70"])
    assert result.exit_code == 0, result.output
    assert "gopher_quality.min_words: 50 → 70" in result.output
    assert "Kept by gopher_quality.min_words alone" in result.output
    assert "Documents that change sides" in result.output
    assert "unknown" not in result.output
    assert "line_dedup: would see other documents; counted as in the run" in " ".join(result.output.split())
    named = RUNNER.invoke(app, ["tune", str(small_run), "--curve", "exact_dedup.duplicate"])
    assert "exact_dedup.duplicate has no curve: it compares no number" in named.output
    loosened = RUNNER.invoke(app, ["tune", str(small_run), "--set", "gopher_quality.min_words=30"])
    assert "unknown for" in loosened.output
    assert "evaluate=all" in loosened.output
    assert "may newly reach exact_dedup" in " ".join(loosened.output.split())


def test_plain_values_and_another_recipe(small_run: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    text = (small_run / "recipe.yaml").read_text(encoding="utf-8")
    other.write_text(text.replace("min_words: 50", "min_words: 60"), encoding="utf-8")
    result = RUNNER.invoke(app, ["tune", str(small_run), "--recipe", str(other), "--json"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.output)
    assert found["changes"] == {"gopher_quality.min_words": [50, 60]}
    rule = found["rules"]["gopher_quality.min_words"]
    assert rule["threshold"] == 60
    assert (
        rule["matched"] == sum(rule["jointly"].values()) + rule["alone"] or rule["matched"] >= rule["alone"]
    )


def test_errors(small_run: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no finished run"):
        command(tmp_path)
    with pytest.raises(UsageError, match="no such rule"):
        command(small_run, curve=["gopher_quality.min_word"])
    with pytest.raises(UsageError, match="min_words"):
        command(small_run, set=["gopher_quality.min_word=3"])
