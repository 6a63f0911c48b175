"""Quality classifiers: a model file, what is known about it, and scores of texts.

Two kinds of files, told apart by their first bytes: supervised fastText models of two labels, and logistic
regression over hashed terms. Beside a model may lie its description, ``MODEL.json``, as ``corpusforge models
train-classifier`` writes it: the positive label, the calibration, and the SHA-256 of the model it belongs to.
"""

from __future__ import annotations

import json
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from corpusforge.document import canonical_json
from corpusforge.errors import MissingModelError
from corpusforge.kernels.logistic_text import hash_features, score_features
from corpusforge.kernels.words import split_terms
from corpusforge.local_copies import local_path
from corpusforge.model_store import find, sha256_of
from corpusforge.models.fasttext_model import FastTextModel

Bytes = npt.NDArray[np.uint8]
Int64 = npt.NDArray[np.int64]
Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

MAGIC = b"corpusforge-logistic 1\n"
"""How a file of a logistic regression begins; a line of JSON and the weights (float32) follow."""

LARGEST_BUCKETS = 1 << 26
LONGEST_NGRAMS = 5
_LONGEST_HEADER = 4096
_COMMON_CRAWL = "cc"
"""The label of ordinary pages in the published models (LLaMA's as RedPajama made it, DCLM's)."""

_SMALLEST = 1e-6


class Classifier(ABC):
    """A model that gives texts the probability of being of the wanted kind."""

    @abstractmethod
    def score(self, data: Bytes, offsets: Int64) -> Float64:
        """Probability float64[n] of n texts in UTF-8; NaN for one without words. `offsets` are int64[n + 1]."""


class FastTextClassifier(Classifier):
    """A supervised fastText model of two labels, read and applied here.

    The score is the probability of the best label, or one minus it when that is the other one, as DCLM and
    RedPajama take it. Line feeds count as spaces. Raises `ValueError` for a file that is no such model.
    """

    def __init__(self, path: Path, positive: str | None) -> None:
        self.model = FastTextModel(path)
        labels = list(self.model.labels)
        if len(labels) != 2:
            raise ValueError(f"it has {len(labels)} labels, not two")
        if positive is None and _COMMON_CRAWL in labels:
            labels.remove(_COMMON_CRAWL)
            positive = labels[0]
        if positive is None:
            raise ValueError(f"which of its labels is the wanted one: {', '.join(labels)}? (set `positive`)")
        if positive not in self.model.labels:
            raise ValueError(f"it has no label {positive!r}: {', '.join(labels)}")
        self.positive = self.model.labels.index(positive)

    def score(self, data: Bytes, offsets: Int64) -> Float64:
        """Probability of the positive label, float64[n]."""
        labels, probabilities = self.model.predict(data, offsets[:-1], offsets[1:])
        best = np.clip(probabilities.astype(np.float64), 0.0, 1.0)
        scores = np.where(labels == self.positive, best, 1.0 - best)
        return np.where(labels < 0, np.nan, scores)


@dataclass(frozen=True)
class LogisticClassifier(Classifier):
    """Logistic regression over hashed terms: `weights` float32[buckets], runs of up to `ngrams` terms."""

    weights: Float32
    bias: float
    ngrams: int

    def score(self, data: Bytes, offsets: Int64) -> Float64:
        """Probability of the positive class, float64[n]."""
        term_offsets, hashes, _, _ = split_terms(data, offsets)
        features = hash_features(hashes, term_offsets, self.ngrams, len(self.weights))
        return np.asarray(score_features(*features, self.weights, self.bias))

    def to_bytes(self) -> bytes:
        """The model's file."""
        header = canonical_json({"bias": self.bias, "buckets": len(self.weights), "ngrams": self.ngrams})
        return MAGIC + header.encode() + b"\n" + self.weights.astype("<f4").tobytes()

    @classmethod
    def from_bytes(cls, content: bytes) -> LogisticClassifier:
        """Read a model's file. Raises `ValueError` for one that is damaged."""
        line, separator, weights = content[len(MAGIC) :].partition(b"\n")
        if not separator or len(line) > _LONGEST_HEADER:
            raise ValueError("its header does not end")
        try:
            header = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ValueError("its header is no JSON") from error
        header = header if isinstance(header, dict) else {}
        buckets, ngrams = header.get("buckets"), header.get("ngrams")
        if type(buckets) is not int or not 1 <= buckets <= LARGEST_BUCKETS or buckets & (buckets - 1):
            raise ValueError("its number of buckets is out of range")
        if type(ngrams) is not int or not 1 <= ngrams <= LONGEST_NGRAMS:
            raise ValueError("its n-grams are out of range")
        bias = _number(header, "bias")
        if len(weights) != 4 * buckets:
            raise ValueError(f"it holds {len(weights)} bytes of weights, not {4 * buckets}")
        array = np.frombuffer(weights, "<f4").astype(np.float32)
        if not np.isfinite(array).all():
            raise ValueError("a weight of it is no number")
        return cls(array, bias, ngrams)


@dataclass(frozen=True)
class Calibration:
    """Platt's calibration: probability = 1 / (1 + exp(-(slope * logit(score) + intercept)))."""

    slope: float
    intercept: float

    def apply(self, scores: Float64) -> Float64:
        """Calibrated probabilities float64[n] of `scores` float64[n]; NaN stays NaN."""
        return np.asarray(1.0 / (1.0 + np.exp(-(self.slope * logit(scores) + self.intercept))))


def logit(scores: Float64) -> Float64:
    """Logits float64[n] of probabilities, which are taken to be within a millionth of 0 and 1."""
    inside = np.clip(scores, _SMALLEST, 1.0 - _SMALLEST)
    return np.asarray(np.log(inside) - np.log1p(-inside))


@dataclass(frozen=True)
class FoundClassifier:
    """A classifier's files: the model, and the description beside it if there is one."""

    model: Path
    description: Path | None

    @classmethod
    def of(cls, name: str) -> FoundClassifier:
        """Find a model by path, URL or name. Raises `MissingModelError` with the command that makes one."""
        try:
            model = find(name)
        except MissingModelError as error:
            raise MissingModelError(
                f"{error}; train a classifier with: corpusforge models train-classifier --positive FILE "
                f"--negative FILE --output {name}"
            ) from error
        description = local_path(f"{name}.json")
        return cls(model, description if description.is_file() else None)

    def fingerprint(self) -> dict[str, str]:
        """SHA-256 of both files."""
        found = {"model": sha256_of(self.model)}
        if self.description is not None:
            found["description"] = sha256_of(self.description)
        return found

    def load(self, positive: str | None = None) -> tuple[Classifier, Calibration | None]:
        """Load the model, once per process. `positive` names the wanted label of a fastText model.

        Raises `MissingModelError` for files that are damaged or do not belong together.
        """
        return _load(self, tuple(self.fingerprint().values()), positive)


@lru_cache(maxsize=4)
def _load(
    found: FoundClassifier, hashes: tuple[str, ...], positive: str | None
) -> tuple[Classifier, Calibration | None]:
    description = _read_description(found.description, hashes[0]) if found.description is not None else {}
    try:
        with found.model.open("rb") as file:
            is_logistic = file.read(len(MAGIC)) == MAGIC
        if is_logistic:
            return LogisticClassifier.from_bytes(found.model.read_bytes()), _calibration(description)
        wanted = positive if positive is not None else description.get("positive")
        return FastTextClassifier(found.model, wanted), _calibration(description)
    except ValueError as error:
        raise MissingModelError(f"{found.model} is no classifier that this step can use: {error}") from error


def _read_description(path: Path, model_hash: str) -> Mapping[str, Any]:
    try:
        description = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise MissingModelError(f"{path} is no description of a classifier: {error}") from error
    if not isinstance(description, dict) or description.get("sha256") != model_hash:
        raise MissingModelError(f"{path} does not describe the model beside it: remove one of the two")
    return description


def _calibration(description: Mapping[str, Any]) -> Calibration | None:
    """The calibration that a description holds. Raises `ValueError` for one that is damaged."""
    stored = description.get("calibration")
    if stored is None:
        return None
    stored = stored if isinstance(stored, dict) else {}
    return Calibration(_number(stored, "slope"), _number(stored, "intercept"))


def _number(stored: Mapping[str, Any], name: str) -> float:
    """A finite number by name. Raises `ValueError` when it is none."""
    value = stored.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"its {name} is no number")
    return float(value)
