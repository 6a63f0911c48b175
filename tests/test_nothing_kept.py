"""A run that keeps nothing still ends with outputs, a closed ledger and a report that says so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from runs import CORE_RECIPE, command, run_cli


@pytest.mark.slow
def test_a_run_that_keeps_nothing_still_ends_with_a_report(sample: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(CORE_RECIPE.replace("min_stop_words: null", "min_words: 1000000"))
    done = run_cli(command(recipe, f"{sample}/warc/*.warc.gz", tmp_path / "run"))
    assert done.returncode == 0, done.stderr
    ledger = json.loads((tmp_path / "run" / "ledger.json").read_text())
    assert ledger["closed"]
    assert ledger["tokens"]["tokenized"] == ledger["tokens"]["rows"] == 0
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert any(warning["kind"] == "nothing_kept" for warning in report["warnings"])
    assert json.loads((tmp_path / "run" / "shards" / "packed" / "index.json").read_text())["shards"] == []
    assert len(list((tmp_path / "run" / "dropped").iterdir())) > 0
