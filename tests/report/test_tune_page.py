"""The page with sliders: self-contained, and deaf to what documents hold."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from corpusforge.recipe import load_text
from corpusforge.report.tune import Tuning, tune
from corpusforge.report.tune_page import render, sample, write_page


@pytest.fixture(scope="module")
def tuned(small_run: Path) -> Tuning:
    text = (small_run / "recipe.yaml").read_text(encoding="utf-8")
    after = load_text(text, "recipe.yaml", ["gopher_quality.min_words=70"])
    return tune(small_run, load_text(text, "recipe.yaml"), after)


def test_the_sample_holds_what_the_rules_compare(small_run: Path, tuned: Tuning) -> None:
    documents = sample(small_run, tuned.judge)
    assert len(documents) == tuned.documents
    assert [document["id"] for document in documents] == sorted(document["id"] for document in documents)
    assert sum(document["fate"] == -1 for document in documents) == tuned.kept_before
    assert {len(document["values"]) for document in documents} == {len(tuned.judge.rules)}


def test_the_page_loads_nothing(small_run: Path, tuned: Tuning, tmp_path: Path) -> None:
    target = tmp_path / "tune.html"
    write_page(small_run, tuned, target)
    page = target.read_text(encoding="utf-8")
    assert "default-src 'none'" in page
    assert not re.search(r"(?:src|href)\s*=", page)
    data = json.loads(re.search(r'id="data">(.*?)</script>', page, re.DOTALL)[1])  # type: ignore[index]
    rule = next(rule for rule in data["rules"] if rule["name"] == "gopher_quality.min_words")
    assert (rule["limit"], rule["limitInRun"]) == (70, 50)


def test_hostile_documents(tuned: Tuning) -> None:
    document = {
        "id": "00", "url": "</script><script>alert(1)</script>\u2028", "values": [], "seen": [], "fate": -1, "ended": 0,
    }  # fmt: skip
    page = render([document], "<b>run</b>", tuned)
    assert "<script>alert" not in page
    assert "<b>run" not in page
    assert page.count("</script>") == 2
