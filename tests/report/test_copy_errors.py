from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from corpusforge.dedup.exact import ExactDedup, ExactParameters
from corpusforge.dedup.lines import LineDedup, LineParameters
from corpusforge.dedup.ngrams import NgramDedup, NgramParameters
from corpusforge.dedup.substring import SubstringDedup, SubstringParameters
from corpusforge.document import DOCUMENT_SCHEMA, document_id
from corpusforge.recipe import load_text
from corpusforge.report import copy_errors as module
from corpusforge.report.copy_errors import PLANTED, copy_errors, planted
from corpusforge.report.sampled import COLUMNS, Sampled
from corpusforge.run import run_recipe
from corpusforge.step import MapStep, Measured
from corpusforge.texts import Texts


def document(number: int) -> str:
    """Twelve lines of twelve words, no two alike."""
    return "\n".join(" ".join(f"w{number}x{line}y{word}" for word in range(12)) + "." for line in range(12))


def sampled(texts: list[str], dropped: tuple[int, ...] = ()) -> Sampled:
    ids = [document_id("test", str(number)) for number in range(len(texts))]
    columns = {name: pa.nulls(len(texts), DOCUMENT_SCHEMA.field(name).type) for name in COLUMNS}
    urls = [f"http://h{number}.org/" for number in range(len(texts))]
    columns |= {
        "id": pa.array(ids, pa.binary(16)),
        "source": pa.array(["test"] * len(texts)),
        "url": pa.array(urls),
        "url_key": pa.array([document_id("url", url) for url in urls], pa.binary(16)),
        "locator": pa.array([f"a#{number}" for number in range(len(texts))]),
    }
    duplicate = np.array([number in dropped for number in range(len(texts))], np.int64)
    return Sampled(Texts.from_strings(texts), columns, {}, duplicate, [None] * len(texts))


STEPS: dict[str, MapStep] = {
    "exact": ExactDedup(ExactParameters()),
    "exact, normalized": ExactDedup(ExactParameters(normalization="lower_alnum", scope="dump")),
    "exact by url": ExactDedup(ExactParameters(key="url")),
    "lines by domain": LineDedup(LineParameters()),
    "lines in lower case": LineDedup(LineParameters(scope="global", normalization="strip_lower")),
    "paragraphs": LineDedup(LineParameters(scope="global", unit="paragraph", normalization="ccnet")),
    "spans of sentences": LineDedup(
        LineParameters(scope="global", unit="sentence", span=3, normalization="strip_lower")
    ),
    "n-grams": NgramDedup(NgramParameters(ngram=5, min_ngram=5)),
    "passages": SubstringDedup(SubstringParameters(words=20)),
}


@pytest.mark.parametrize("name", STEPS)
def test_planted_copies_are_found_and_changed_ones_left(name: str) -> None:
    step = STEPS[name]
    found = planted(step, sampled([document(number) for number in range(40)]), 0)
    assert found["documents"] == 40
    assert {row["expected"] for row in found["forms"]} == {"removed", "left"}
    # One plant a pair of documents where these are replaced, else as many as there should be of each form.
    least = 4 if isinstance(step, ExactDedup) else PLANTED
    assert all(row["found"] == row["pairs"] >= least for row in found["forms"])
    assert found["copies"]["found"] == found["copies"]["pairs"] > 0
    assert found["removed"]["found"] == found["removed"]["pairs"] > 0


def test_a_step_that_finds_nothing_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    def blind(step: MapStep, texts: Texts, columns: Any, signals: Any) -> Measured:
        return Measured(signals={"duplicate": np.zeros(len(texts), np.int64)})

    monkeypatch.setattr(module, "measure_in_memory", blind)
    for step in (STEPS["exact"], STEPS["lines by domain"], STEPS["passages"]):
        found = planted(step, sampled([document(number) for number in range(10)]), 0)
        rates = {row["expected"]: (row["found"], row["pairs"]) for row in found["forms"]}
        assert rates["removed"][0] == 0 < rates["removed"][1]
        assert rates["left"][0] == rates["left"][1] > 0
        assert found["copies"]["found"] == 0


def test_a_step_that_takes_everything_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    def greedy(step: MapStep, texts: Texts, columns: Any, signals: Any) -> Measured:
        return Measured(signals={"duplicate": np.ones(len(texts), np.int64)})

    monkeypatch.setattr(module, "measure_in_memory", greedy)
    found = planted(STEPS["lines by domain"], sampled([document(number) for number in range(10)]), 0)
    (left,) = (row for row in found["forms"] if row["expected"] == "left")
    assert left["found"] == 0 < left["pairs"]
    assert found["removed"]["found"] < found["removed"]["pairs"]


def test_the_run_is_held_against_the_text() -> None:
    texts = [document(0), document(0).split("\n")[3] + "\nmore", document(2)]
    step = STEPS["lines in lower case"]
    seen = sampled(texts)
    end = len(texts[1].split("\n")[0]) + 1
    missed = copy_errors(step, Sampled(**{**vars(seen), "removed": [[], [], [(0, 5)]]}), True, 0)["compared"]
    assert (missed["copies"]["found"], missed["copies"]["pairs"]) == (0, 1)
    assert (missed["removed"]["found"], missed["removed"]["pairs"]) == (0, 1)
    right = copy_errors(step, Sampled(**{**vars(seen), "removed": [[], [(0, end)], []]}), True, 0)["compared"]
    assert (right["copies"]["found"], right["copies"]["pairs"]) == (1, 1)
    assert (right["removed"]["found"], right["removed"]["pairs"]) == (1, 1)


def test_little_gives_no_rates() -> None:
    for texts in ([], ["one line"], ["", ""]):
        for step in STEPS.values():
            found = copy_errors(step, sampled(texts), True, 0)
            assert all(row["found"] == row["pairs"] for row in found["planted"]["forms"])
            assert found["compared"]["documents"] == len(texts)


RECIPE = """
name: copies
sources: {c4: {}}
steps:
  - extract
  - pii: {entities: [EMAIL_ADDRESS]}
  - exact_dedup
  - line_dedup: {scope: global, min_remaining_words: 3}
  - ngram_dedup: {ngram: 5, min_ngram: 5}
  - substring_dedup: {words: 20}
"""


def corpus(folder: Path) -> None:
    texts = [document(number) for number in range(40)]
    mail = "write to somebody@mail.example.org or not\n"
    # Lines and passages of the first documents in others, behind an address that another step made shorter.
    texts += [mail + "\n".join([*document(number).split("\n")[2:5], f"own {number}"]) for number in range(10)]
    passage = " ".join(document(30).split())
    texts += [f"{mail}in front {number}\n{passage[: 300 + number]}\nbehind {number}" for number in range(5)]
    texts += texts[:6]
    for name, part in (("a", texts[::2]), ("b", texts[1::2])):
        rows = [json.dumps({"text": text, "url": f"https://h.org/{at}"}) for at, text in enumerate(part)]
        (folder / f"{name}.jsonl").write_text("\n".join(rows) + "\n")


def test_a_run_tells_the_rates_of_each_step_whatever_the_batches(tmp_path: Path) -> None:
    pytest.importorskip("phonenumbers")
    (tmp_path / "in").mkdir()
    corpus(tmp_path / "in")
    reports = []
    for name, settings in (("one", {}), ("two", {"batch_documents": 5, "partitions": 8})):
        recipe = load_text(
            RECIPE, "test", [f"{key}={value}" for key, value in (settings | {"shard_bytes": 20_000}).items()]
        )
        run_recipe(recipe, {"c4": [str(tmp_path / "in")]}, str(tmp_path / name), workers=1)
        reports.append(json.loads((tmp_path / name / "report.json").read_text(encoding="utf-8")))
    one, two = ({step: entry["errors"] for step, entry in part["deduplication"].items()} for part in reports)
    assert one == two
    assert list(one) == ["exact_dedup", "line_dedup", "ngram_dedup", "substring_dedup"]
    for step, errors in one.items():
        assert all(row["found"] == row["pairs"] > 0 for row in errors["planted"]["forms"]), step
        assert errors["compared"]["copies"]["found"] == errors["compared"]["copies"]["pairs"], step
        assert errors["compared"]["removed"]["found"] == errors["compared"]["removed"]["pairs"], step
    assert one["exact_dedup"]["compared"]["copies"]["pairs"] == 6
    assert one["line_dedup"]["compared"]["copies"]["pairs"] >= 30
    assert one["line_dedup"]["compared"]["removed"]["pairs"] >= 30
