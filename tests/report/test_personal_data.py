from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("phonenumbers")
pytest.importorskip("presidio_analyzer")

from corpusforge.recipe import load_text
from corpusforge.report.html import render
from corpusforge.report.sampled import KEPT_DOCUMENTS, KEPT_SHARDS
from corpusforge.sample.command import write_sample

RECIPE = """\
name: personal
shard_bytes: 60000
batch_documents: 16
error_budget: 0.9
sources:
  commoncrawl: {}
steps:
  - extract
  - pii: {entities: [EMAIL_ADDRESS, IP_ADDRESS, US_SSN]}
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("personal")
    write_sample(folder / "sample", seed=5, pages=60, files=2)
    load_text(RECIPE, "recipe.yaml").run(
        {"commoncrawl": [f"{folder}/sample/warc/*.warc.gz"]}, str(folder / "run"), workers=1
    )
    return folder / "run"


def test_every_run_reports_what_it_found_and_what_it_misses(run: Path) -> None:
    report = json.loads((run / "report.json").read_bytes())
    entry = report["personal_data"]["pii"]
    assert entry["found"]["EMAIL_ADDRESS"] > 0
    assert entry["found"]["CREDIT_CARD"] is None
    assert 0 < entry["planted_in"] <= KEPT_DOCUMENTS + KEPT_SHARDS
    assert set(entry["recall"]) == {"EMAIL_ADDRESS", "IP_ADDRESS", "US_SSN"}
    for rate in entry["recall"].values():
        assert 0 <= rate["low"] <= rate["found"] * 1_000_000 // rate["planted"] <= rate["high"] <= 1_000_000
        assert sum(form["planted"] for form in rate["forms"].values()) == rate["planted"]
        assert rate["found"] > 0.8 * rate["planted"]
    assert all(part["planted"] for part in entry["false_alarms"].values())
    assert "@" not in json.dumps(entry)


def test_the_page_shows_both(run: Path) -> None:
    report = json.loads((run / "report.json").read_bytes())
    page = render(report)
    assert "pii: found and missed" in page
    assert "not looked for" in page
    assert "version number" in page
    report["personal_data"]["pii"].update(recall={}, false_alarms={}, planted_in=0)
    assert "No document was kept" in render(report)
    report["personal_data"]["pii"]["not_measured"] = "step 'pii' needs <extra>"
    assert "needs &lt;extra&gt;" in render(report)
    del report["personal_data"]
    assert "found and missed" not in render(report)
