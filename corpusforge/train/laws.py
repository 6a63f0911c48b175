"""Scaling laws with their sources: how large a model and how many tokens for so much compute, and to what loss."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from corpusforge.errors import UsageError

PETAFLOP_DAY = 8.64e19
"""FLOPs; Kaplan et al. count compute in these."""


@dataclass(frozen=True)
class LossLaw:
    """L(N, D) = E + A / N^alpha + B / D^beta in nats per token; N parameters, D tokens."""

    source: str
    floor: float
    model_factor: float
    model_exponent: float
    data_factor: float
    data_exponent: float
    errors: Mapping[str, float] | None = None
    """Standard errors of the five numbers by name, where they are known."""

    def loss(self, parameters: float, tokens: float) -> float:
        """Expected loss."""
        of_model = self.model_factor / math.pow(parameters, self.model_exponent)
        return self.floor + of_model + self.data_factor / math.pow(tokens, self.data_exponent)

    def best(self, compute: float) -> Allocation:
        """Least loss for `compute` = 6 N D FLOPs (Hoffmann et al. 2022, equation 4)."""
        alpha, beta = self.model_exponent, self.data_exponent
        ratio = (alpha * self.model_factor / (beta * self.data_factor)) ** (1 / (alpha + beta))
        parameters = ratio * (compute / 6) ** (beta / (alpha + beta))
        tokens = compute / (6 * parameters)
        return Allocation(self.source, compute, parameters, tokens, self.loss(parameters, tokens))


@dataclass(frozen=True)
class Allocation:
    """A model and its tokens for a budget of FLOPs, and the loss in nats per token that a law expects."""

    source: str
    compute: float
    parameters: float
    tokens: float
    loss: float


HOFFMANN = LossLaw(
    "Hoffmann et al. 2022 (Chinchilla), arXiv 2203.15556, approach 3, unrounded as in its TeX source",
    floor=1.6934,
    model_factor=406.4,
    model_exponent=0.3392,
    data_factor=410.7,
    data_exponent=0.2849,
)
BESIROGLU = LossLaw(
    "Besiroglu et al. 2024 (replication of Chinchilla), arXiv 2404.10102",
    floor=1.8172,
    model_factor=482.01,
    model_exponent=0.3478,
    data_factor=2085.43,
    data_exponent=0.3658,
    errors={
        "floor": 0.03,
        "model_factor": 124.58,
        "model_exponent": 0.02,
        "data_factor": 1293.23,
        "data_exponent": 0.02,
    },
)


def kaplan(compute: float) -> Allocation:
    """OpenAI's law: N = 1.3e9 C^0.73 without embeddings, L = (3.1e8 / C)^0.05, C in petaflop-days.

    Kaplan et al. 2020, arXiv 2001.08361, appendix A, the fits for the compute-efficient frontier; the tokens are
    what 6 N D leaves. Their compute is that of batches far below the critical size: at the critical one, about
    twice the compute and tokens reach the same loss (their own 2e10 C^0.27 tokens). It gives larger models and
    fewer tokens than Hoffmann et al., who explain why.
    """
    days = compute / PETAFLOP_DAY
    parameters = 1.3e9 * days**0.73
    source = "Kaplan et al. 2020 (OpenAI), arXiv 2001.08361, appendix A; parameters without embeddings"
    return Allocation(source, compute, parameters, compute / (6 * parameters), (3.1e8 / days) ** 0.05)


LAWS: tuple[Callable[[float], Allocation], ...] = (BESIROGLU.best, HOFFMANN.best, kaplan)
"""In the order in which a plan shows them."""


def plan(compute: float) -> list[Allocation]:
    """What each published law makes of `compute` FLOPs. Raises `UsageError` for none."""
    if not 0 < compute < math.inf:
        raise UsageError(f"a plan needs a positive number of FLOPs, not {compute}")
    return [law(compute) for law in LAWS]


def gpu_compute(hours: float, peak: float, utilization: float) -> float:
    """FLOPs of so many GPU hours at a peak in FLOP/s and a share of it that training reaches."""
    if hours <= 0 or peak <= 0 or not 0 < utilization <= 1:
        raise UsageError("GPU hours and peak must be positive, and the utilization a share in (0, 1]")
    return hours * 3600 * peak * utilization
