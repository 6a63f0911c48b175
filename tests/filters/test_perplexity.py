"""Perplexity: its definition, its cut-offs and buckets, and that it tells clean text from noise."""

from __future__ import annotations

import io
import json
import math
import pickle
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import sentencepiece
import yaml
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from corpusforge.errors import MissingExtraError, MissingModelError
from corpusforge.filters.perplexity import (
    Perplexity,
    PerplexityBucket,
    PerplexityMeasure,
    PerplexityParameters,
    _load_files,
)
from corpusforge.model_store import language_models
from corpusforge.models.arpa import read_arpa
from corpusforge.models.normalization import cut, normalize
from corpusforge.models.train_lm import as_words, train_language_model
from corpusforge.operations import Folder
from corpusforge.step import MICRO, LiveRows, MapStep, RunContext
from corpusforge.texts import Texts

SIGNAL = "perplexity.log10_perplexity"
TEXTS = [
    "It was the best of times, it was the worst of times, it was the age of wisdom.",
    "It was the age of foolishness, it was the epoch of belief, it was the season of Light.",
    "We had everything before us, we had nothing before us, we were all going direct to Heaven.",
]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    train_language_model(TEXTS, "en", 3, folder, vocabulary_size=80)
    return folder


def measure(
    models: Path, texts: list[str], langs: list[str | None], **parameters: Any
) -> dict[str, list[int]]:
    step = PerplexityMeasure(PerplexityParameters(models=str(models), **parameters))
    step.open(RunContext())
    rows = LiveRows(Texts.from_strings(texts), {"lang": pa.array(langs, pa.string())})
    return {name: values.to_pylist() for name, values in step.measure(rows).signals.items()}


def test_definition(models: Path) -> None:
    text = "It was the AGE\nof 1859 — wisdom, naïve…"
    measured = measure(models, [text, ""], ["en", "en"])
    model = read_arpa(models / "en.arpa")
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(models / "en.sp.model"))
    words = pieces.encode(normalize(text, "ccnet"), out_type=str)
    expected = -model.score(words) / (len(words) + 1)
    assert measured["tokens"] == [len(words), 0]
    assert measured["log10_perplexity"][0] / MICRO == pytest.approx(expected, abs=1e-5)
    assert measured["log10_perplexity"][1] / MICRO == pytest.approx(-model.score([]), abs=1e-5)


def test_a_language_without_a_model_is_not_measured(models: Path) -> None:
    measured = measure(models, ["x", "y", "It was"], ["fr", None, "en"])
    assert measured["log10_perplexity"][:2] == measured["tokens"][:2] == [None, None]
    assert measured["tokens"][2] > 0


def test_only_the_start_is_scored(models: Path) -> None:
    long = "it was the age of wisdom " * 100
    whole, start, alone = (
        measure(models, [text], ["en"], max_bytes=limit)
        for text, limit in ((long, 10**6), (long, 50), (long[:50], 10**6))
    )
    assert start == alone
    assert start["tokens"][0] < whole["tokens"][0]


def test_hostile_texts(models: Path) -> None:
    texts = [
        "<s> </s> <unk>" * 50,
        "\0\x01\n" * 50,
        "日" * 50_000,
        "\u2581\u2585\u2028\x85" * 9,
        "a" * 100_000,
    ]
    measured = measure(models, texts, ["en"] * len(texts))
    assert all(score is not None and score >= 0 for score in measured["log10_perplexity"])


def bucket(
    parameters: PerplexityParameters, scores: list[int | None], langs: list[str | None], **values: Any
) -> Any:
    step = PerplexityBucket(parameters, "perplexity_bucket")
    step.open(RunContext(values=values))
    rows = LiveRows(
        Texts.from_strings([""] * len(scores)),
        {"lang": pa.array(langs, pa.string()), "source": pa.array(["web"] * len(langs))},
        {SIGNAL: pa.array(scores, pa.int64())},
    )
    return step.measure(rows).signals["bucket"].to_pylist()


def test_buckets_by_given_cutoffs() -> None:
    parameters = PerplexityParameters(cutoffs={"en": [100, 1000.0]})
    scores = [0, 2 * MICRO - 1, 2 * MICRO, 3 * MICRO - 1, 3 * MICRO, None, MICRO, MICRO]
    langs = ["en"] * 6 + ["fr", None]
    assert bucket(parameters, scores, langs) == [
        "head",
        "head",
        "middle",
        "middle",
        "tail",
        "all",
        "all",
        "all",
    ]


def test_buckets_by_fitted_cutoffs() -> None:
    for source in ("web", None):
        rows = [
            {"source": source, "language": "en", "head_below": 5, "middle_below": 7},
            {"source": "books", "language": "en", "head_below": 1, "middle_below": 2},
            {"source": "books", "language": "fr", "head_below": 1, "middle_below": 2},
        ]
        found = bucket(
            PerplexityParameters(),
            [4, 5, 7, 1],
            ["en", "en", "en", "fr"],
            **{"perplexity.cutoffs": {"fitted": rows}},
        )
        assert found == ["head", "middle", "tail", "all"]


class Builder:
    """Notes what a step adds to a plan."""

    def __init__(self) -> None:
        self.steps: list[MapStep] = []
        self.folds: dict[str, tuple[int, Folder]] = {}

    def map(self, step: MapStep) -> None:
        self.steps.append(step)

    def fold(self, name: str, folder: Folder) -> None:
        self.folds[name] = (len(self.steps), folder)


def test_compile_fits_between_measure_and_buckets(models: Path) -> None:
    builder: Any = Builder()
    Perplexity(PerplexityParameters(models=str(models)), "quality").compile(builder)
    assert [step.instance for step in builder.steps] == ["quality", "quality_bucket"]
    assert list(builder.folds) == ["quality.cutoffs"]
    after, folder = builder.folds["quality.cutoffs"]
    assert after == 1
    assert folder.signal == "quality.log10_perplexity"
    assert builder.steps[1].measure_instance == "quality"
    fixed: Any = Builder()
    Perplexity(PerplexityParameters(models=str(models), cutoffs={"en": [3, 5]})).compile(fixed)
    assert not fixed.folds
    pickle.loads(pickle.dumps((builder.steps, builder.folds)))


def test_check_names_the_command(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MissingModelError, match="corpusforge models train-lm"):
        Perplexity(PerplexityParameters(models=str(tmp_path / "none"))).check()
    monkeypatch.setenv("CORPUSFORGE_MODELS", str(tmp_path / "store"))
    with pytest.raises(MissingModelError, match="--install"):
        Perplexity().check()
    with pytest.raises(MissingModelError, match="--language fr"):
        Perplexity(PerplexityParameters(models=str(models), languages=["en", "fr"])).check()
    step = Perplexity(PerplexityParameters(models=str(models), languages=["en"]))
    step.check()
    assert sorted(step.fingerprint()) == ["en.arpa", "en.sp.model"]


def test_names_the_extra_when_kenlm_is_missing(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kenlm", None)
    Perplexity(PerplexityParameters(models=str(models))).check()
    with pytest.raises(MissingExtraError, match=r"corpusforge\[quality\]"):
        Perplexity(PerplexityParameters(models=str(models), backend="kenlm")).check()


def test_kenlm_agrees(models: Path) -> None:
    pytest.importorskip("kenlm")
    texts = [
        "",
        "It was the AGE\nof 1859 — wisdom, naïve…",
        "日本 語 " * 20,
        "<s> was",
        " \u3000It\x00 was\u3000\n",
        *TEXTS,
    ]
    langs = ["en"] * len(texts)
    for limit in (10, 1000):
        ours = measure(models, texts, langs, max_bytes=limit)
        theirs = measure(models, texts, langs, max_bytes=limit, backend="kenlm")
        assert ours["tokens"] == theirs["tokens"]
        assert ours["log10_perplexity"] == pytest.approx(theirs["log10_perplexity"], abs=100)


def test_equals_the_exact_sums_of_kenlms_tokens(models: Path) -> None:
    # KenLM adds up a sentence in 32 bits, which long texts show; its probability of each token is what counts.
    pytest.importorskip("kenlm")
    texts = [text * times for text in TEXTS for times in (1, 50, 2000)]
    found = measure(models, texts, ["en"] * len(texts), max_bytes=1_000_000)
    pieces, ngrams = _load_files(language_models(str(models))["en"])
    for text, score, tokens in zip(texts, found["log10_perplexity"], found["tokens"]):
        words = pieces.encode(normalize(text, "ccnet"), out_type=str)
        exact = math.fsum(log10 for log10, _, _ in ngrams.full_scores(as_words(words)))
        assert tokens == len(words)
        # Of the 0.0001 that are allowed, one millionth is used.
        assert abs(score - -exact / (len(words) + 1) * MICRO) <= 1


lines = st.lists(
    st.sampled_from(["", " ", "\r", "\0", "\u0301", "It was", "naïve — 1859", *TEXTS]), max_size=6
)


@given(st.lists(lines.map("\n".join), min_size=1, max_size=5), st.integers(1, 300))
@settings(deadline=None, max_examples=50)
def test_lines_are_scored_one_by_one(models: Path, texts: list[str], limit: int) -> None:
    kenlm = pytest.importorskip("kenlm")
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(models / "en.sp.model"))
    reference = kenlm.Model(str(models / "en.arpa"))
    langs = ["en"] * len(texts)
    found = measure(models, texts, langs, normalization="lines", max_bytes=limit)
    for text, score, tokens in zip(texts, found["log10_perplexity"], found["tokens"]):
        lines = cut(text.encode(), limit).decode().split("\n")
        spelled = [pieces.encode(normalize(line, "ccnet"), out_type=str) for line in lines]
        counted = [words for words in spelled if words] or [[]]
        log10 = sum(reference.score(" ".join(words)) for words in counted)
        assert tokens == sum(map(len, counted))
        assert abs(score + log10 / (tokens + len(counted)) * MICRO) <= 10
    theirs = measure(models, texts, langs, normalization="lines", max_bytes=limit, backend="kenlm")
    assert theirs["tokens"] == found["tokens"]
    assert theirs["log10_perplexity"] == pytest.approx(found["log10_perplexity"], abs=10)


def test_lines_of_one_line_are_ccnet(models: Path) -> None:
    langs = ["en"] * len(TEXTS)
    whole, by_line = (measure(models, TEXTS, langs, normalization=name) for name in ("ccnet", "lines"))
    assert whole == by_line
    both = "\n".join(TEXTS[:2])
    assert measure(models, [both], ["en"], normalization="lines") != measure(models, [both], ["en"])


def test_a_file_that_is_no_model(tmp_path: Path) -> None:
    for name in ("en.sp.model", "en.arpa"):
        (tmp_path / name).write_bytes(b"nonsense")
    with pytest.raises(MissingModelError, match="cannot be loaded"):
        measure(tmp_path, ["x"], ["en"])


@pytest.mark.parametrize(
    "parameters",
    [
        {"cutoffs": {"en": [5, 3]}},
        {"cutoffs": {"en": [5]}},
        {"cutoffs": {"en": [0, 3]}},
        {"cutoffs": {"en": [math.nan, 3]}},
        {"cutoffs": "guess"},
        {"cutoffs": {"en": [3, 5]}, "cutoffs_from": "run"},
        {"cutoffs_by": "run"},
        {"head_percentile": 70},
        {"keep": ["best"]},
        {"max_bytes": 0},
    ],
)
def test_bad_parameters(parameters: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        PerplexityParameters(**parameters)


def test_rule_sets() -> None:
    path = Path(__file__).parents[2] / "filters" / "perplexity.yaml"
    sections = yaml.safe_load(path.read_text(encoding="utf-8"))
    for section in sections.values():
        assert section["step"] == Perplexity.name
        assert section["source"]
        PerplexityParameters(**section["thresholds"])
    default = PerplexityParameters()
    for name, value in sections[default.rules]["thresholds"].items():
        assert getattr(default, name) == value
    published = PerplexityParameters(**sections["perplexity@ccnet"]["thresholds"])
    assert published.cutoffs["en"] == [340, 520]
    assert [rule.name for rule in PerplexityBucket.rules] == ["keep"]


def read_texts(path: Path) -> Iterator[dict[str, Any]]:
    with path.open("rb") as raw:
        for line in io.TextIOWrapper(zstandard.ZstdDecompressor().stream_reader(raw), "utf-8"):
            yield json.loads(line)


def test_tells_clean_english_from_noise(shared_data: Path, tmp_path: Path) -> None:
    clean = [
        row["text"]
        for _, row in zip(range(400), read_texts(shared_data / "text" / "clean-english.jsonl.zst"))
    ]
    noisy = [
        row["text"] for _, row in zip(range(300), read_texts(shared_data / "text" / "noisy-web.jsonl.zst"))
    ]
    # Every other document trains, so that the rest is unseen text of the same books.
    train_language_model(clean[::2], "en", 5, tmp_path, vocabulary_size=8000, prune=[0, 0, 1])
    texts = clean[1::2] + noisy
    measured = measure(tmp_path, texts, ["en"] * len(texts), max_bytes=4000)
    scores = np.array(measured["log10_perplexity"])
    held_out, noise = scores[: len(clean[1::2])], scores[len(clean[1::2]) :]
    # The chance that a clean document has less perplexity than a noisy one (area under the ROC curve).
    area = np.mean(held_out[:, None] < noise[None, :])
    # Measured: 1.0; median perplexities 210 and 3,557 on whole documents.
    assert area > 0.98
