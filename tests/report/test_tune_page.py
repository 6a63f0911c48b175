"""The page with sliders: self-contained, right, and deaf to what documents hold."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from small_runs import make_small_run

from corpusforge.dedup.what_if import DROPS
from corpusforge.errors import UsageError
from corpusforge.models.train_lm import train_language_model
from corpusforge.recipe import Recipe, load_text
from corpusforge.report import tune_page
from corpusforge.report.replay import Judge
from corpusforge.report.tune import Tuning, tune
from corpusforge.report.tune_page import Similarities, render, sample, similarities, write_page
from corpusforge.step import RATIO

NONE = Similarities((), {})


def recipe_of(run: Path, *settings: str) -> Recipe:
    return load_text((run / "recipe.yaml").read_text(encoding="utf-8"), "recipe.yaml", settings)


@pytest.fixture(scope="module")
def tuned(small_run: Path) -> Tuning:
    return tune(small_run, recipe_of(small_run), recipe_of(small_run, "gopher_quality.min_words=70"))


def test_the_sample_holds_what_the_rules_compare(small_run: Path, tuned: Tuning) -> None:
    documents = sample(small_run, tuned.judge, NONE)
    assert len(documents) == tuned.documents
    assert sum(document["fate"] == -1 for document in documents) == tuned.kept_before
    assert {len(document["values"]) for document in documents} == {len(tuned.judge.rules)}


def data_of(page: str) -> dict[str, object]:
    found = re.search(r'id="data">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    return dict(json.loads(found[1]))


def test_the_page_loads_nothing(small_run: Path, tuned: Tuning, tmp_path: Path) -> None:
    target = tmp_path / "tune.html"
    write_page(small_run, recipe_of(small_run), tuned, target)
    page = target.read_text(encoding="utf-8")
    assert "default-src 'none'" in page
    assert not re.search(r"(?:src|href)\s*=", page)
    rules = data_of(page)["rules"]
    assert isinstance(rules, list)
    rule = next(rule for rule in rules if rule["name"] == "gopher_quality.min_words")
    assert (rule["limit"], rule["limitInRun"]) == (70, 50)


def test_a_page_that_cannot_be_written(small_run: Path, tuned: Tuning, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file or directory"):
        write_page(small_run, recipe_of(small_run), tuned, tmp_path / "missing" / "tune.html")


def test_a_recipe_with_a_step_that_has_no_rules(tmp_path: Path) -> None:
    train_language_model(["The dog and the fox were there."], "en", 2, tmp_path / "lm", vocabulary_size=40)
    steps = "name: p\nsources: {c4: {}}\nsteps:\n  - extract\n  - gopher_quality\n  - perplexity: {models: FOLDER}\n"
    run = make_small_run(tmp_path / "small", steps.replace("FOLDER", str(tmp_path / "lm")))
    found = tune(run, recipe_of(run), recipe_of(run))
    documents = sample(run, found.judge, NONE)
    assert sum(document["fate"] == -1 for document in documents) == found.kept_before


def test_what_a_step_does_at_each_similarity_is_what_a_replay_tells(alike: Path) -> None:
    judge = Judge(recipe_of(alike))
    found = similarities(alike, recipe_of(alike), Judge(recipe_of(alike, "minhash_dedup.threshold=0.333")))
    assert found.at[:2] == (333_000_000, RATIO // 2)
    assert len(found.at) == 52
    (number,) = found.states
    assert judge.steps[number].instance == "minhash_dedup"
    documents = sample(alike, judge, found)
    for threshold in (0.333, 0.6, 0.75, 0.9, 1):
        at = found.at.index(int(threshold * RATIO))
        drops = sum(document["similar"].get(number, "0" * 52)[at] == str(DROPS) for document in documents)
        replayed = tune(alike, recipe_of(alike), recipe_of(alike, f"minhash_dedup.threshold={threshold}"))
        (rule,) = [rule for rule in replayed.rules if rule.rule.name == "minhash_dedup.duplicate"]
        assert drops == rule.decides


def test_the_sample_holds_duplicates_as_the_run_did(alike: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    judge = Judge(recipe_of(alike))
    whole = sample(alike, judge, NONE)
    monkeypatch.setattr(tune_page, "SAMPLE", 60)
    some = sample(alike, judge, NONE)
    assert some == whole[:60]
    by_id = sorted(whole, key=lambda document: document["id"])[:60]
    all_kept, kept, kept_of_least = (
        sum(document["fate"] == -1 for document in documents) / len(documents)
        for documents in (whole, some, by_id)
    )
    # Of duplicates the least id is kept: of those with the least ids too many are.
    assert abs(kept - all_kept) < 0.15 < kept_of_least - all_kept, (all_kept, kept, kept_of_least)


def test_hostile_documents(small_run: Path, tuned: Tuning) -> None:
    document = {
        "id": "00", "url": "</script><script>alert(1)</script>\u2028", "values": [], "seen": [], "fate": -1, "ended": 0,
        "similar": {},
    }  # fmt: skip
    page = render([document], "<b>run</b>", tuned, recipe_of(small_run), NONE)
    assert "<script>alert" not in page
    assert "<b>run" not in page
    assert page.count("</script>") == 2
