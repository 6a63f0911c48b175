"""The step that scores documents: rules, nulls, GPT-3's random keeping."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from filters.conftest import with_rule_set

from corpusforge.errors import MissingModelError
from corpusforge.filters.classifier import Parameters, QualityClassifier, pareto_samples
from corpusforge.model_store import sha256_of
from corpusforge.models.classifier_model import LogisticClassifier
from corpusforge.step import MICRO, LiveRows, MapStep, Measured, RunContext
from corpusforge.texts import Texts
from corpusforge.verdicts import drops


@pytest.fixture
def model(tmp_path: Path) -> str:
    """A model whose score depends on the words alone, with a calibration."""
    path = tmp_path / "model"
    weights = np.random.default_rng(1).normal(0, 4, 1024).astype(np.float32)
    path.write_bytes(LogisticClassifier(weights, 0.1, 1).to_bytes())
    (tmp_path / "model.json").write_text(
        json.dumps({"sha256": sha256_of(path), "calibration": {"slope": 0.5, "intercept": 0}})
    )
    return str(path)


def rows_of(texts: list[str]) -> LiveRows:
    ids = pa.array([number.to_bytes(16, "big") for number in range(len(texts))], pa.binary(16))
    return LiveRows(Texts.from_strings(texts), {"id": ids, "lang": pa.nulls(len(texts), pa.string())})


def measured(step: MapStep, texts: list[str], seed: int = 7) -> dict[str, list[int | None]]:
    step.open(RunContext(seed=seed))
    return {name: pa.array(found).to_pylist() for name, found in step.measure(rows_of(texts)).signals.items()}


def test_without_a_model_nothing_is_known_and_nothing_dropped(measure: Callable[..., Measured]) -> None:
    step = QualityClassifier()
    step.check()
    assert step.fingerprint() == {}
    found = measure(with_rule_set(QualityClassifier, "quality_classifier@dclm"), ["text", ""])
    assert all(pa.array(values).null_count == 2 for values in found.signals.values())


def test_a_missing_model_names_the_command(tmp_path: Path) -> None:
    step = QualityClassifier(Parameters(model=str(tmp_path / "none")))
    for ask in (step.check, step.fingerprint):
        with pytest.raises(MissingModelError, match="train-classifier --positive"):
            ask()


def test_scores_are_probabilities_in_millionths(model: str) -> None:
    step = QualityClassifier(Parameters(model=model))
    step.check()
    assert set(step.fingerprint()) == {"model", "description"}
    texts = [f"some words {number}" for number in range(40)]
    found = measured(step, [*texts, "", "?!"])
    assert found["score"][40:] == found["calibrated"][40:] == [None, None]
    assert found["pareto_score"] == [None] * 42
    for score, calibrated in zip(found["score"][:40], found["calibrated"][:40], strict=True):
        assert score is not None
        assert calibrated is not None
        assert 0 <= score <= MICRO
        # Half the logit is nearer to the middle, on the same side.
        assert abs(calibrated - MICRO // 2) <= abs(score - MICRO // 2)
    alone = [measured(step, [text])["score"][0] for text in texts]
    assert alone == found["score"][:40]


def test_long_documents_are_cut(model: str) -> None:
    step = QualityClassifier(Parameters(model=model, max_bytes=10))
    texts = ["word other and more", "word other", "é" * 10, "é" * 5, "short"]
    found = measured(step, texts)["score"]
    assert found[0] == found[1]
    assert found[2] == found[3]


@pytest.mark.parametrize(
    ("section", "score", "is_dropped"),
    [
        ("llama", 499_999, True),
        ("llama", 500_000, False),
        ("redpajama", 249_999, True),
        ("redpajama", 250_000, False),
        ("dclm", 18_111, True),
        ("dclm", 18_112, False),
    ],
)
def test_published_thresholds(section: str, score: int, is_dropped: bool) -> None:
    step = with_rule_set(QualityClassifier, f"quality_classifier@{section}")
    rule = next(rule for rule in step.rules if rule.name == "min_score")
    signal = next(signal for signal in step.signals if signal.name == rule.signal)
    assert drops(rule, signal, pa.array([score]), step.parameters.min_score).tolist() == [is_dropped]


def test_gpt_3_keeps_by_score_and_sample(model: str) -> None:
    step = with_rule_set(QualityClassifier, "quality_classifier@gpt3", model=model)
    texts = [f"words {number} and {number * 7}" for number in range(500)] + [""]
    found = measured(step, texts)
    assert found["pareto_score"][-1] is None
    rule = next(rule for rule in step.rules if rule.name == "pareto_score_above")
    signal = next(signal for signal in step.signals if signal.name == "pareto_score")
    dropped = drops(rule, signal, pa.array(found["pareto_score"]), step.parameters.pareto_score_above)
    samples = [
        (total or 0) - (score or 0) for total, score in zip(found["pareto_score"][:500], found["score"][:500])
    ]
    kept = [sample > MICRO - (score or 0) for sample, score in zip(samples, found["score"][:500])]
    assert (~dropped[:500]).tolist() == kept
    assert not dropped[500]
    assert measured(step, texts) == found
    assert measured(step, texts, seed=8)["pareto_score"] != found["pareto_score"]
    other = QualityClassifier(step.parameters, instance="second")
    assert measured(other, texts)["pareto_score"] != found["pareto_score"]
    # A document's sample is its own, whatever stands beside it.
    step.open(RunContext(seed=7))
    part = step.measure(
        LiveRows(Texts.from_strings(texts[3:4]), {"id": rows_of(texts).column("id").slice(3, 1)})
    )
    assert pa.array(part.signals["pareto_score"]).to_pylist() == found["pareto_score"][3:4]


def test_samples_follow_the_distribution() -> None:
    bits = np.random.default_rng(2).integers(0, 2**64, 200_000, np.uint64)
    samples = pareto_samples(bits, 9.0) / MICRO
    # Lomax with alpha 9: P(x > t) = (1 + t) ^ -9.
    for threshold in (0.01, 0.05, 0.1, 0.3, 1.0):
        assert (samples > threshold).mean() == pytest.approx((1 + threshold) ** -9, abs=0.004)
    ends = pareto_samples(np.array([0, 2**64 - 1], np.uint64), 0.01)
    assert ends.tolist()[0] == 0
    assert ends.tolist()[1] == pytest.approx(1e6 * MICRO, rel=1e-6)
