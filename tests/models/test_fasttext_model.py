"""Predictions beside a slow Python twin and beside fastText's binding, on small models and on lid.176."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from models.fasttext_twin import HIERARCHICAL, NEGATIVE_SAMPLING, ONE_AGAINST_ALL, SOFTMAX, Twin, small_model

from corpusforge.models.fasttext_model import FastTextModel
from corpusforge.texts import Texts

words = st.sampled_from(["the", "der", "für", "中文", "x", "</s>", "__label__en", "__label__zz", "__label_"])
tokens = st.one_of(words, st.text(max_size=40), st.text(alphabet="abé中", min_size=30, max_size=50))
texts = st.lists(
    st.lists(st.tuples(tokens, st.sampled_from(list(" \t\n\v\f\r\0"))), max_size=8).map(
        lambda parts: "".join(token + space for token, space in parts)
    ),
    max_size=6,
)

KINDS: list[dict[str, Any]] = [
    {"seed": 1, "layer": HIERARCHICAL},
    {"seed": 2, "layer": HIERARCHICAL, "pruned": True},
    {"seed": 3, "layer": SOFTMAX, "pruned": True, "shortest": 1, "longest": 3},
    {"seed": 4, "layer": SOFTMAX, "word_ngrams": 3},
    {"seed": 5, "layer": ONE_AGAINST_ALL, "word_ngrams": 2, "pruned": True, "dimension": 4},
    {"seed": 6, "layer": NEGATIVE_SAMPLING, "shortest": 0, "longest": 0},
    {"seed": 7, "layer": SOFTMAX, "buckets": 1, "shortest": 3, "longest": 6},
]


@pytest.fixture(scope="module", params=range(len(KINDS)))
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Twin, Path]:
    twin = small_model(**KINDS[request.param])
    path = tmp_path_factory.mktemp("model") / "model.bin"
    path.write_bytes(twin.file())
    return twin, path


@pytest.fixture(scope="module")
def model(pair: tuple[Twin, Path]) -> FastTextModel:
    return FastTextModel(pair[1])


def predict(model: FastTextModel, documents: list[str]) -> tuple[list[int], list[float]]:
    view = Texts.from_strings(documents)
    labels, probabilities = model.predict(view.data, view.offsets[:-1], view.offsets[1:])
    return labels.tolist(), probabilities.tolist()


@given(documents=texts)
@settings(max_examples=60, deadline=None)
def test_equals_the_twin(pair: tuple[Twin, Path], model: FastTextModel, documents: list[str]) -> None:
    twin, _ = pair
    for document, label, probability in zip(documents, *predict(model, documents)):
        expected = twin.probabilities(document.encode())
        if not expected:
            assert label == -1
            continue
        best = max(expected.values())
        if label == -1:
            # The search leaves out paths below 1e-5.
            assert twin.layer == HIERARCHICAL
            assert best < 1e-3
            continue
        # Rounding may choose between equal ones, or move a score to the next point of the sigmoid's grid.
        tolerance = 1e-4 if twin.layer in (HIERARCHICAL, SOFTMAX) else 0.01
        assert probability == pytest.approx(best, abs=tolerance)
        assert expected[model.labels[label]] == pytest.approx(best, abs=tolerance)


def test_equals_the_binding(pair: tuple[Twin, Path], model: FastTextModel) -> None:
    fasttext = pytest.importorskip("fasttext")
    binding = fasttext.load_model(str(pair[1]))
    documents = [
        "",
        " ",
        "the für",
        "中文 der der",
        "the </s> der für",
        "__label__en the",
        "a\0b\tc\vd",
        "é" * 40,
    ]
    documents += ["the der " * 30 + word for word in ("x", "ß", "für", "__label__zz")]
    for document, label, probability in zip(documents, *predict(model, documents)):
        found = binding.f.predict(document + "\n", 1, 0.0, "strict")
        if not found:
            assert label == -1, document
            continue
        assert probability == pytest.approx(found[0][0], abs=1e-5)
        assert "__label__" + model.labels[label] == found[0][1]


@given(documents=texts, shortest=st.integers(0, 20))
@settings(max_examples=40, deadline=None)
def test_lines_and_whole_texts_agree(model: FastTextModel, documents: list[str], shortest: int) -> None:
    view = Texts.from_strings(documents)
    lines = view.lines
    labels, probabilities, line_labels = model.predict_lines(
        view.data, lines.document_offsets, lines.starts, lines.ends, shortest
    )
    whole = predict(model, documents)
    assert probabilities.tolist() == pytest.approx(whole[1], abs=1e-5)
    same = [a == b or abs(p) < 1e-2 or p < 0.6 for a, b, p in zip(labels.tolist(), whole[0], whole[1])]
    assert all(same)
    parts = [document.split("\n") for document in documents]
    alone = predict(model, [line for lines_of in parts for line in lines_of])[0]
    sizes = (lines.ends - lines.starts).tolist()
    assert line_labels.tolist() == [
        label if size >= shortest else -1 for label, size in zip(alone, sizes, strict=True)
    ]


def test_the_table_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(small_model(1).file())
    documents = [f"w{number % 37} the {'y' * (number % 50)} z{number}" for number in range(400)]
    expected = predict(FastTextModel(path), documents)
    monkeypatch.setattr("corpusforge.models.fasttext_model.CACHE_ROWS", 16)
    small = FastTextModel(path)
    found = [predict(small, [document]) for document in documents]
    assert [label for labels, _ in found for label in labels] == expected[0]
    assert [probability for _, probabilities in found for probability in probabilities] == expected[1]
    # All at once: most words find the table full.
    assert predict(FastTextModel(path), documents) == expected
    assert predict(small, documents) == expected


def test_hostile_texts(model: FastTextModel) -> None:
    documents = ["a" * 3_000_000, "\0" * 1000, "\U0001f600" * 100_000, "\x7f\x1f\x01", "\ud7ff" * 33]
    labels, probabilities = predict(model, documents)
    assert len(labels) == len(documents)
    assert all(0 <= probability <= 1.0001 for probability in probabilities)
    # Bytes that are no UTF-8 cannot come, and do no harm.
    data = np.random.default_rng(1).integers(0, 256, 10_000).astype(np.uint8)
    offsets = np.arange(0, 10_001, 100, dtype=np.int64)
    assert len(model.predict(data, offsets[:-1], offsets[1:])[0]) == 100


def test_equals_the_binding_on_real_text(shared_data: Path) -> None:
    fasttext = pytest.importorskip("fasttext")
    path = shared_data / "models" / "lid.176.ftz"
    with gzip.open(shared_data / "languages" / "lingua-sentences.jsonl.gz", "rt", encoding="utf-8") as lines:
        documents = [json.loads(line)["text"] for line in lines]
    documents += [" ".join(documents[at : at + 30]) for at in range(0, len(documents), 90)]
    binding = fasttext.load_model(str(path))
    model = FastTextModel(path)
    equal = 0
    for document, label, probability in zip(documents, *predict(model, documents)):
        (score, name) = binding.f.predict(document.replace("\n", " ") + "\n", 1, 0.0, "strict")[0]
        if name.removeprefix("__label__") == model.labels[label]:
            equal += 1
            assert probability == pytest.approx(score, abs=1e-3)
    assert equal >= 0.999 * len(documents)
