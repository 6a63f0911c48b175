from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from corpusforge.dedup.decontaminate import DecontaminateParameters
from corpusforge.dedup.repeated import RepeatedPhrases, RepeatedPhrasesParameters
from corpusforge.recipe import load_text
from corpusforge.report.planted_errors import PLANTED, item_plants, phrase_plants, planted
from corpusforge.rulesets import thresholds
from corpusforge.run import run_recipe
from corpusforge.sample.draw import Draw
from corpusforge.step import LiveRows, Measured

HOSTS = [
    f"Some words of a document, number {number}, with more of them behind. ".encode() * 30
    for number in range(9)
]


def rates(found: Any) -> dict[str, tuple[int, int]]:
    return {row["expected"]: (row["found"], row["pairs"]) for row in found["forms"]}


def test_phrases_are_found_as_often_as_it_takes() -> None:
    for parameters in (RepeatedPhrasesParameters(), RepeatedPhrasesParameters(min_repeats=2, max_words=3)):
        step = RepeatedPhrases(parameters)
        plants = list(phrase_plants(parameters, Draw(1, "phrases")))
        found = planted(step, plants, HOSTS, Draw(1, "hosts"))
        assert rates(found) == {"removed": (PLANTED, PLANTED), "left": (PLANTED, PLANTED)}
        assert found["documents"] == len(HOSTS)


def test_a_step_that_does_nothing_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    step = RepeatedPhrases(RepeatedPhrasesParameters())
    plants = list(phrase_plants(step.parameters, Draw(1, "phrases")))

    def idle(self: RepeatedPhrases, rows: LiveRows) -> Measured:
        return Measured(signals={"removed_share": np.zeros(len(rows), np.int64)})

    monkeypatch.setattr(RepeatedPhrases, "measure", idle)
    assert rates(planted(step, plants, HOSTS, Draw(1, "hosts"))) == {
        "removed": (0, PLANTED),
        "left": (PLANTED, PLANTED),
    }


def test_no_kept_document_gives_no_rates() -> None:
    step = RepeatedPhrases(RepeatedPhrasesParameters())
    plants = list(phrase_plants(step.parameters, Draw(1, "phrases")))
    assert planted(step, plants, [], Draw(1, "hosts")) == {"documents": 0, "bytes": 0, "forms": []}


def items(path: Path) -> None:
    rows = [
        {"question": " ".join(f"item{number}word{word}" for word in range(20))}
        for number in range(PLANTED + 40)
    ]
    rows += [{"question": "too short to be compared"}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_items_that_are_too_short_are_not_planted(tmp_path: Path) -> None:
    items(tmp_path / "set.jsonl")
    parameters = DecontaminateParameters(against=str(tmp_path / "set.jsonl"))
    plants = list(item_plants(parameters, Draw(1, "items")))
    assert [plant.expected for plant in plants] == [True] * PLANTED + [False] * PLANTED
    assert not any(b"short" in plant.value for plant in plants)
    assert plants == list(item_plants(parameters, Draw(1, "items")))
    assert plants != list(item_plants(parameters, Draw(2, "items")))


def test_whole_books_are_not_planted(tmp_path: Path) -> None:
    (tmp_path / "book.txt").write_text("many words of a book " * 5000)
    (tmp_path / "page.txt").write_text("a page that is long enough to be compared with all documents, once")
    parameters = DecontaminateParameters(against=str(tmp_path / "*.txt"), text_items="file")
    assert [plant.expected for plant in item_plants(parameters, Draw(1, "items"))] == [True, False]


RECIPE = """
name: planted
sources: {c4: {}}
steps:
  - extract
  - repeated_phrases
  - decontaminate: {rules: decontaminate@RULES, against: SET}
"""


@pytest.mark.parametrize("rules", ["gpt3", "palm", "llama2"])
def test_a_run_tells_what_decontamination_finds(rules: str, tmp_path: Path) -> None:
    items(tmp_path / "set.jsonl")
    (tmp_path / "in.jsonl").write_text(
        "".join(json.dumps({"text": host.decode(), "url": "http://h.org/"}) + "\n" for host in HOSTS)
    )
    recipe = load_text(RECIPE.replace("RULES", rules).replace("SET", str(tmp_path / "set.jsonl")), "test", [])
    run_recipe(recipe, {"c4": [str(tmp_path / "in.jsonl")]}, str(tmp_path / "run"), workers=1)
    text = (tmp_path / "run" / "report.json").read_text(encoding="utf-8")
    found = json.loads(text)["deduplication"]
    for step in ("repeated_phrases", "decontaminate"):
        assert found[step]["errors"]["compared"] is None
        assert rates(found[step]["errors"]["planted"]) == {
            "removed": (PLANTED, PLANTED),
            "left": (PLANTED, PLANTED),
        }
    width = thresholds(f"decontaminate@{rules}", "decontaminate")["ngram"]
    assert found["decontaminate"]["errors"]["planted"]["index_ngrams"] == (PLANTED + 40) * (21 - width)
    assert "item0word" not in text
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "Planted in kept documents" in page
    assert "whole items: found" in page
