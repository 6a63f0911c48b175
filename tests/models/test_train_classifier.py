"""Training both kinds on generated documents: it learns, it repeats itself, it says how good it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from models.classifier_texts import documents, write_documents
from typer.testing import CliRunner

from corpusforge.errors import UsageError
from corpusforge.model_store import sha256_of
from corpusforge.models.classifier_model import FoundClassifier
from corpusforge.models.classifier_texts import read_split
from corpusforge.models.commands import app
from corpusforge.models.train_classifier import Kind, Settings, train_classifier
from corpusforge.texts import Texts

runner = CliRunner()
KINDS: list[Kind] = ["logistic", "fasttext"]


@pytest.mark.parametrize("kind", KINDS)
def test_it_learns_and_repeats_itself(tmp_path: Path, kind: Kind) -> None:
    if kind == "fasttext":
        pytest.importorskip("fasttext")
    positive, negative = write_documents(tmp_path)
    split = read_split([positive], [negative], held_out=0.4, limit=1000, seed=3)
    settings = Settings(kind, epochs=10, ngrams=1, dimension=4, buckets=1 << 10, seed=3)
    description = train_classifier(split, settings, tmp_path / "model", [0.2])
    first = (tmp_path / "model").read_bytes(), (tmp_path / "model.json").read_bytes()
    assert json.loads(first[1]) == json.loads(json.dumps(description))
    assert description["sha256"] == sha256_of(tmp_path / "model")
    found = description["report"]
    assert found["area_under_curve"] > 0.9
    assert found["interval"][0] <= found["area_under_curve"] <= found["interval"][1]
    assert 0.2 in [row["share"] for row in found["thresholds"]]
    assert len(found["positive_with_lowest_scores"]) == len(found["negative_with_highest_scores"]) == 10
    assert description["documents"]["positive"]["documents"] == 150

    classifier, calibration = FoundClassifier.of(str(tmp_path / "model")).load()
    assert calibration is not None
    fresh = Texts.from_strings([*documents("positive", 9, 7)[1:], *documents("negative", 9, 7)[1:]])
    scores = calibration.apply(classifier.score(fresh.data, fresh.offsets))
    assert scores[:8].min() > 0.5 > scores[8:].max()

    train_classifier(split, settings, tmp_path / "again", [0.2])
    assert ((tmp_path / "again").read_bytes(), (tmp_path / "again.json").read_bytes()) == first


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    positive, negative = write_documents(tmp_path)
    arguments = ["train-classifier", "--positive", str(positive), "--negative", str(negative)]
    arguments += ["--kind", "logistic", "--held-out", "0.4", "--buckets", "1024", "--retain", "0.3"]
    done = runner.invoke(app, [*arguments, "--output", str(tmp_path / "model")])
    assert done.exit_code == 0, done.output
    assert "area under the curve" in done.output
    assert "30.0%" in done.output
    assert "Negative with highest scores" in done.output
    assert (tmp_path / "model").is_file()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--kind", "bert"], "neither fasttext nor logistic"),
        (["--buckets", "1000"], "no power of two"),
        (["--output", "."], "is a folder"),
        (["--positive", "none.jsonl"], "cannot read none.jsonl"),
    ],
)
def test_bad_commands(tmp_path: Path, more: list[str], message: str) -> None:
    positive, negative = write_documents(tmp_path)
    arguments = [
        "--positive",
        str(positive),
        "--negative",
        str(negative),
        "--output",
        str(tmp_path / "model"),
    ]
    done = runner.invoke(app, ["train-classifier", *arguments, *more])
    assert isinstance(done.exception, UsageError)
    assert message in str(done.exception)
    assert not (tmp_path / "model").exists()
