"""Training of quality classifiers: fastText by its own library, logistic regression by our kernels.

Deterministic by seed: documents stand in the order of their hashes, and fastText has one thread.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from corpusforge.document import canonical_json
from corpusforge.errors import MissingExtraError, UsageError
from corpusforge.kernels.logistic_text import hash_features, train_features
from corpusforge.kernels.words import split_terms
from corpusforge.model_store import write_whole
from corpusforge.models import classifier_report as report
from corpusforge.models.classifier_model import Calibration, FoundClassifier, LogisticClassifier
from corpusforge.models.classifier_texts import CALIBRATION, TEST, TRAINING, Split, training_lines

Float64 = npt.NDArray[np.float64]

Kind = Literal["fasttext", "logistic"]


@dataclass(frozen=True)
class Settings:
    """How to train. `buckets` is a power of two; `dimension` is fastText's; `rate` is the first step's size."""

    kind: Kind
    epochs: int = 5
    ngrams: int = 2
    dimension: int = 16
    buckets: int = 1 << 18
    rate: float = 0.5
    seed: int = 0


def train_classifier(
    split: Split, settings: Settings, output: Path, retain: Sequence[float] = ()
) -> dict[str, Any]:
    """Train on a split, write the model to `output` and its description beside it (``OUTPUT.json``); give that.

    The description holds settings, counts, calibration, and the report on the test documents; `retain` are shares
    of the negative class whose thresholds it tells. The description is removed first and written last. Raises
    `UsageError` and `MissingExtraError`.
    """
    content = (
        _train_fasttext(split, settings) if settings.kind == "fasttext" else _train_logistic(split, settings)
    )
    description_path = Path(f"{output}.json")
    description_path.unlink(missing_ok=True)
    write_whole(output, content)
    classifier, _ = FoundClassifier.of(str(output)).load("hq" if settings.kind == "fasttext" else None)
    scores = []
    for part in (CALIBRATION, TEST):
        texts = split.texts(part)
        # Where the model knows nothing it says nothing: the middle.
        scores.append(np.nan_to_num(classifier.score(texts.data, texts.offsets), nan=0.5))
    labels = [split.labels(part).astype(bool) for part in (CALIBRATION, TEST)]
    calibration = report.fit_platt(scores[0], labels[0])
    description: dict[str, Any] = {
        "kind": settings.kind,
        "sha256": hashlib.sha256(content).hexdigest(),
        "positive": "hq" if settings.kind == "fasttext" else None,
        "settings": asdict(settings),
        "documents": {
            name: asdict(split.counts[label]) | _sizes(split, label)
            for label, name in enumerate(("negative", "positive"))
        },
        "calibration": asdict(calibration) | {"method": "platt"},
        "report": _report(split, settings, calibration, scores, labels, retain),
    }
    write_whole(description_path, (canonical_json(description) + "\n").encode())
    return description


def _sizes(split: Split, label: int) -> dict[str, int]:
    return {
        name: sum(document.label == label for document in split.parts[part])
        for name, part in (("training", TRAINING), ("calibration", CALIBRATION), ("test", TEST))
    }


def _report(
    split: Split,
    settings: Settings,
    calibration: Calibration,
    scores: Sequence[Float64],
    labels: Sequence[npt.NDArray[np.bool_]],
    retain: Sequence[float],
) -> dict[str, Any]:
    held_out, is_positive = np.concatenate(scores), np.concatenate(labels)
    test, truth = scores[1], labels[1]
    positive, negative = test[truth], test[~truth]
    low, high = report.bootstrap_interval(positive, negative, settings.seed)
    return {
        "area_under_curve": round(report.area_under_curve(positive, negative), 6),
        "interval": [round(low, 6), round(high, 6)],
        "curve": report.roc_points(positive, negative),
        "scores": report.calibration_table(test, truth),
        "calibrated": report.calibration_table(calibration.apply(test), truth),
        # Both held-out parts: a threshold is fitted to neither.
        "thresholds": report.thresholds(
            held_out[is_positive], held_out[~is_positive], [*report.SHARES, *retain]
        ),
        "positive_with_lowest_scores": report.worst_errors(split.parts[TEST], test, 1),
        "negative_with_highest_scores": report.worst_errors(split.parts[TEST], test, 0),
    }


def _train_logistic(split: Split, settings: Settings) -> bytes:
    texts, labels = split.texts(TRAINING), split.labels(TRAINING)
    term_offsets, hashes, _, _ = split_terms(texts.data, texts.offsets)
    features = hash_features(hashes, term_offsets, settings.ngrams, settings.buckets)
    weights, squares = np.zeros(settings.buckets + 1), np.zeros(settings.buckets + 1)
    generator = np.random.Generator(np.random.Philox(settings.seed))
    for _ in range(settings.epochs):
        order = generator.permutation(len(labels)).astype(np.int64)
        train_features(*features, labels, order, settings.rate, weights, squares)
    return LogisticClassifier(
        weights[:-1].astype(np.float32), round(float(weights[-1]), 9), settings.ngrams
    ).to_bytes()


def _train_fasttext(split: Split, settings: Settings) -> bytes:
    try:
        import fasttext
    except ImportError as error:
        raise MissingExtraError("quality_classifier", "quality") from error
    with tempfile.TemporaryDirectory(prefix="corpusforge-") as folder:
        text, model_path = Path(folder, "train.txt"), Path(folder, "model.bin")
        with text.open("wb") as file:
            file.writelines(training_lines(split.parts[TRAINING]))
        try:
            model = fasttext.train_supervised(
                str(text),
                dim=settings.dimension,
                epoch=settings.epochs,
                lr=settings.rate,
                wordNgrams=settings.ngrams,
                bucket=settings.buckets if settings.ngrams > 1 else 0,
                minCount=1,
                minn=0,
                maxn=0,
                loss="softmax",
                thread=1,
                seed=settings.seed,
                verbose=0,
            )
        except (ValueError, RuntimeError) as error:
            raise UsageError(f"fastText cannot be trained on this text: {str(error).strip()}") from error
        model.save_model(str(model_path))
        return model_path.read_bytes()
