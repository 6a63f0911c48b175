"""A quality classifier's score: which pages look like a reference, and GPT-3's random keeping of the others.

Kinds, by how they were trained (`filters/classifiers.yaml` has the published thresholds):

- LLaMA (Touvron et al. 2023, section 2.1): pages that Wikipedia cites against random pages, a linear model.
- DCLM (Li et al. 2024, arXiv:2406.11794, section 4.4): OpenHermes 2.5 and ELI5 against RefinedWeb, fastText.
- GPT-3 (Brown et al. 2020, arXiv:2005.14165, appendix A): WebText, Wikipedia and books against CommonCrawl,
  logistic regression over hashed terms; a page is kept when a random number from a Pareto distribution with
  alpha 9 is above 1 - score, so that pages of low score stay now and then.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from typing import Annotated, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field

from corpusforge.models.classifier_model import FoundClassifier
from corpusforge.models.normalization import cut_ends
from corpusforge.randomness import STREAM_CLASSIFIER, id_bytes, uniform_bits
from corpusforge.step import MICRO, LiveRows, MapStep, Measured, Rule, RunContext, Signal, StepParameters

Int64 = npt.NDArray[np.int64]
UInt64 = npt.NDArray[np.uint64]
Float64 = npt.NDArray[np.float64]

LARGEST_SAMPLE = 1_000_000
"""Pareto samples above this one count as this one."""


class Parameters(StepParameters):
    """Thresholds (None: rule off) and, below them, what changes the measurements."""

    rules: str = "quality_classifier@llama"
    min_score: Annotated[float, Field(ge=0, le=1)] | None = None
    """Drops documents that the model gives a lower probability."""
    min_calibrated: Annotated[float, Field(ge=0, le=1)] | None = None
    """The same for the calibrated probability."""
    pareto_score_above: float | None = None
    """Drops documents whose score and sample together are at most this: 1 for GPT-3's rule."""

    model: str | None = None
    """Measurement: path or URL of the model; None measures nothing. A description lies beside it as ``MODEL.json``."""
    positive: str | None = None
    """Measurement: the wanted label of a fastText model, when no description names it and the other is not `cc`."""
    pareto_alpha: Annotated[float, Field(gt=0)] | None = None
    """Measurement: exponent of the Pareto distribution that `pareto_score` adds a sample of; None leaves it out."""
    max_bytes: Annotated[int, Field(ge=1)] = 1_048_576
    """Measurement: bytes of a document, from its start, that the model is shown."""


class QualityClassifier(MapStep):
    """Scores documents with a trained classifier; without a model every score is null and nothing is dropped."""

    name = "quality_classifier"
    version: ClassVar[int] = 2
    summary = "score of a trained classifier (fastText or logistic regression): LLaMA's, DCLM's, GPT-3's rule"
    Parameters = Parameters
    signals: ClassVar[Sequence[Signal]] = (
        Signal("score", MICRO, description="probability of the wanted kind; null without a word or a model"),
        Signal(
            "calibrated", MICRO, description="the same, calibrated on held-out documents; null if it is not"
        ),
        Signal("pareto_score", MICRO, description="the score plus the document's sample of the distribution"),
    )
    rules: ClassVar[Sequence[Rule]] = (
        Rule("min_score", "score", "below"),
        Rule("min_calibrated", "calibrated", "below"),
        Rule("pareto_score_above", "pareto_score", "at_most"),
    )

    def check(self) -> None:
        """Raise when the model is missing, damaged, or of a kind that gives no score."""
        found = self._found()
        if found is not None:
            found.load(self.parameters.positive)

    def fingerprint(self) -> dict[str, str]:
        """SHA-256 of the model and of its description."""
        found = self._found()
        return {} if found is None else found.fingerprint()

    def open(self, context: RunContext) -> None:
        """Load the model, once per process."""
        self._seed = context.seed
        self.check()

    def measure(self, rows: LiveRows) -> Measured:
        """Score the live rows."""
        found = self._found()
        if found is None:
            nothing = pa.nulls(len(rows), pa.int64())
            return Measured(signals={signal.name: nothing for signal in self.signals})
        parameters: Parameters = self.parameters
        classifier, calibration = found.load(parameters.positive)
        data, offsets = _starts_of(rows, parameters.max_bytes)
        scores = classifier.score(data, offsets)
        calibrated = np.full(len(rows), np.nan) if calibration is None else calibration.apply(scores)
        score = _fixed(scores)
        pareto: pa.Array = pa.nulls(len(rows), pa.int64())
        if parameters.pareto_alpha is not None:
            stream = STREAM_CLASSIFIER | _instance_bits(self.instance)
            bits = uniform_bits(self._seed, id_bytes(rows.column("id")), stream)
            samples = pareto_samples(bits, parameters.pareto_alpha)
            total = np.nan_to_num(scores) * MICRO
            pareto = pa.array(np.rint(total).astype(np.int64) + samples, mask=np.isnan(scores))
        return Measured(signals={"score": score, "calibrated": _fixed(calibrated), "pareto_score": pareto})

    def _found(self) -> FoundClassifier | None:
        return None if self.parameters.model is None else FoundClassifier.of(self.parameters.model)


def pareto_samples(bits: UInt64, alpha: float) -> Int64:
    """Samples of the Pareto distribution (Lomax: (1 - u)^(-1 / alpha) - 1) in millionths, int64[n], floored.

    `bits` uint64[n] are uniform; their upper 53 bits make u in [0, 1). The distribution is that of
    ``numpy.random.pareto``.
    """
    uniform = (bits >> np.uint64(11)).astype(np.float64) / (1 << 53)
    exponents = np.minimum(-np.log1p(-uniform) / alpha, math.log1p(LARGEST_SAMPLE))
    samples: Int64 = np.floor(np.expm1(exponents) * MICRO).astype(np.int64)
    return samples


def _instance_bits(instance: str) -> int:
    """Bits that keep the samples of two steps of one recipe apart; the lowest eight are free."""
    digest = hashlib.blake2b(instance.encode(), digest_size=7).digest()
    return int.from_bytes(digest, "little") << 8


def _fixed(scores: Float64) -> pa.Array:
    """Probabilities in millionths; NaN becomes null."""
    unknown = np.isnan(scores)
    values = np.rint(np.where(unknown, 0.0, scores) * MICRO)
    return pa.array(np.clip(values, 0, MICRO).astype(np.int64), mask=unknown)


def _starts_of(rows: LiveRows, maximum: int) -> tuple[npt.NDArray[np.uint8], Int64]:
    """The texts, those that are longer cut to `maximum` bytes at a character's end."""
    data, offsets = rows.texts.data, rows.texts.offsets
    ends = cut_ends(data, offsets, maximum)
    if np.array_equal(ends, offsets[1:]):
        return data, offsets
    parts = [data[start:end] for start, end in zip(offsets[:-1].tolist(), ends.tolist())]
    cut_offsets = np.zeros(len(offsets), np.int64)
    np.cumsum(ends - offsets[:-1], out=cut_offsets[1:])
    return np.concatenate(parts), cut_offsets
