"""Classifiers read from files: both kinds, beside fastText's binding, and files that are damaged."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from models.fasttext_twin import SOFTMAX, small_model

from corpusforge.errors import MissingModelError
from corpusforge.model_store import sha256_of
from corpusforge.models.classifier_model import MAGIC, Classifier, FoundClassifier, LogisticClassifier
from corpusforge.texts import Texts


def logistic(buckets: int = 16) -> LogisticClassifier:
    return LogisticClassifier(np.linspace(-2, 2, buckets).astype(np.float32), -0.5, 2)


def load(path: Path, positive: str | None = None) -> Classifier:
    return FoundClassifier.of(str(path)).load(positive)[0]


def score(classifier: Classifier, texts: list[str]) -> list[float]:
    view = Texts.from_strings(texts)
    return classifier.score(view.data, view.offsets).tolist()


def test_a_logistic_model_survives_its_file(tmp_path: Path) -> None:
    path = tmp_path / "model"
    path.write_bytes(logistic().to_bytes())
    texts = ["some words here", "Some WORDS, here!", "", "…", "中文"]
    found = score(load(path), texts)
    assert found[0] == found[1]
    assert [np.isnan(value) for value in found] == [False, False, True, True, False]
    assert found[:2] == score(logistic(), texts[:2])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (MAGIC + b"{}", "header does not end"),
        (MAGIC + b"{\n" + bytes(64), "no JSON"),
        (MAGIC + b"[]\n" + bytes(64), "buckets"),
        (MAGIC + b'{"bias":0,"buckets":15,"ngrams":1}\n' + bytes(60), "buckets"),
        (MAGIC + b'{"bias":0,"buckets":16,"ngrams":9}\n' + bytes(64), "n-grams"),
        (MAGIC + b'{"bias":NaN,"buckets":16,"ngrams":1}\n' + bytes(64), "bias"),
        (MAGIC + b'{"bias":true,"buckets":16,"ngrams":1}\n' + bytes(64), "bias"),
        (logistic().to_bytes()[:-1], "bytes of weights"),
        (MAGIC + b'{"bias":0,"buckets":1,"ngrams":1}\n' + b"\x00\x00\xc0\x7f", "weight"),
        (b"something else", "fastText|begin like"),
    ],
)
def test_damaged_models(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "model"
    path.write_bytes(content)
    with pytest.raises(MissingModelError, match=message):
        load(path)


def test_a_missing_model_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(MissingModelError, match=r"corpusforge models train-classifier .* --output .*none"):
        FoundClassifier.of(str(tmp_path / "none"))


def test_fasttext_models_need_two_labels(tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(small_model(1, layer=SOFTMAX).file())
    with pytest.raises(MissingModelError, match="labels, not two"):
        load(path)


def test_a_description_belongs_to_its_model(tmp_path: Path) -> None:
    path, beside = tmp_path / "model", tmp_path / "model.json"
    path.write_bytes(logistic().to_bytes())
    good = {"sha256": sha256_of(path), "calibration": {"slope": 2, "intercept": 0.5}}
    beside.write_text(json.dumps(good))
    found = FoundClassifier.of(str(path))
    assert set(found.fingerprint()) == {"model", "description"}
    calibration = found.load()[1]
    assert calibration is not None
    assert calibration.apply(np.array([0.5])).tolist() == pytest.approx([1 / (1 + np.exp(-0.5))])
    for wrong, message in (
        (good | {"sha256": "0"}, "does not describe"),
        ([], "does not describe"),
        (good | {"calibration": {"slope": "2", "intercept": 1}}, "slope"),
        (good | {"calibration": 3}, "slope"),
    ):
        beside.write_text(json.dumps(wrong))
        with pytest.raises(MissingModelError, match=message):
            FoundClassifier.of(str(path)).load()
    beside.write_text("{")
    with pytest.raises(MissingModelError, match="no description"):
        FoundClassifier.of(str(path)).load()


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    fasttext = pytest.importorskip("fasttext")
    folder = tmp_path_factory.mktemp("trained")
    lines = [f"__label__wiki river treaty theorem w{n}\n__label__cc cart login w{n}\n" for n in range(60)]
    (folder / "train.txt").write_text("".join(lines))
    model = fasttext.train_supervised(
        str(folder / "train.txt"), dim=8, epoch=5, wordNgrams=2, bucket=1000, minCount=1, thread=1, verbose=0
    )
    model.save_model(str(folder / "model.bin"))
    return folder / "model.bin"


def test_scores_equal_the_binding(trained: Path) -> None:
    fasttext = pytest.importorskip("fasttext")
    binding = fasttext.load_model(str(trained))
    texts = ["a river and a treaty", "login\nto the cart w3", "w1 w2 w3", "unknown", "river cart"]
    # Of two labels without description the one that is not cc is the wanted one.
    found = score(load(trained), texts)
    assert score(load(trained, "cc"), texts) == pytest.approx([1 - value for value in found], abs=1e-6)
    for text, value in zip(texts, found, strict=True):
        ((probability, label),) = binding.f.predict(text.replace("\n", " ") + "\n", 1, 0.0, "strict")
        assert value == pytest.approx(probability if label == "__label__wiki" else 1 - probability, abs=1e-5)
    with pytest.raises(MissingModelError, match="no label 'hq'"):
        load(trained, "hq")
