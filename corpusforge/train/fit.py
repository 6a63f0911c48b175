"""Fitting L(N, D) = E + A / N^alpha + B / D^beta to a ladder of runs, as Hoffmann et al. do it (approach 3)."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from corpusforge.errors import UsageError
from corpusforge.train.journal import LOG_NAME, read_journal
from corpusforge.train.laws import LossLaw

HUBER = 1e-3
"""Where the penalty on residuals of log L turns from square to linear (Hoffmann et al. 2022, appendix D.2)."""

LEAST_RUNS = 6
"""One more than there are unknowns."""

LARGEST_LOG = 300.0
"""Above, the factors themselves could not be written as numbers."""

STARTS = tuple(itertools.product((3.0, 9.0), (3.0, 9.0), (0.0,), (0.2, 0.6), (0.2, 0.6)))
"""First values of log A, log B, log E, alpha, beta."""


@dataclass(frozen=True)
class Point:
    """A finished run: parameters, tokens trained on, and its loss in nats per token."""

    name: str
    parameters: float
    tokens: float
    loss: float


def read_points(paths: Sequence[Path]) -> list[Point]:
    """Points of folders that `corpusforge train` wrote, or of a JSON file: a list of objects with these names.

    Raises `UsageError` for a run that is not finished, and for what is neither.
    """
    points = []
    for path in paths:
        points += _from_file(path) if path.is_file() else [_from_run(path)]
    return points


def _from_run(folder: Path) -> Point:
    entries = read_journal(folder / LOG_NAME)
    starts = [entry for entry in entries if entry.get("event") in ("start", "resume")]
    ends = [entry for entry in entries if entry.get("event") == "end"]
    if not starts or not ends or ends[-1]["loss"] is None:
        raise UsageError(f"{folder} holds no finished training run")
    return Point(str(folder), starts[-1]["parameters"], ends[-1]["tokens"], ends[-1]["loss"])


def _from_file(path: Path) -> list[Point]:
    try:
        values = json.loads(path.read_bytes())
        return [
            Point(f"{path}[{number}]", float(one["parameters"]), float(one["tokens"]), float(one["loss"]))
            for number, one in enumerate(values)
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f'{path} is no list of {{"parameters", "tokens", "loss"}}: {error!r}') from error


def fit(points: Sequence[Point]) -> LossLaw:
    """Least sum of Huber penalties on log L by L-BFGS, in float64, from 16 starts.

    The penalties are summed, not averaged: averaging made the original fit stop early (Besiroglu et al. 2024).
    The errors are the jackknife's: how far the numbers move when each run in turn is left out.
    Raises `UsageError` for fewer than six points, or fewer than three sizes or amounts of tokens.
    """
    sizes, amounts = ({getattr(point, name) for point in points} for name in ("parameters", "tokens"))
    if len(points) < LEAST_RUNS or min(len(sizes), len(amounts)) < 3:
        raise UsageError(
            f"a fit of five numbers needs {LEAST_RUNS} runs or more, with three sizes and three amounts of tokens; "
            f"there are {len(points)} runs, {len(sizes)} sizes, {len(amounts)} amounts"
        )
    for point in points:
        if not all(0 < value < math.inf for value in (point.parameters, point.tokens, point.loss)):
            raise UsageError(f"{point.name}: parameters, tokens and loss must be positive")
    table = np.log([[point.parameters, point.tokens, point.loss] for point in points])
    values = torch.from_numpy(table)
    found = [_descend(values, start) for start in STARTS]
    finite = [
        (penalty, result)
        for penalty, result in found
        if math.isfinite(penalty) and all(math.isfinite(one) and one < LARGEST_LOG for one in result)
    ]
    if not finite:
        raise UsageError("no law of this form fits these runs")
    _, best = min(finite, key=lambda pair: pair[0])
    centre = _numbers(best)
    return LossLaw(f"fitted to {len(points)} runs", **centre, errors=_jackknife(values, best))


def _numbers(unknowns: Sequence[float]) -> dict[str, float]:
    """The law's five numbers by name, from the unknowns of the fit."""
    log_a, log_b, log_e, alpha, beta = unknowns
    return {
        "floor": math.exp(log_e),
        "model_factor": math.exp(log_a),
        "model_exponent": alpha,
        "data_factor": math.exp(log_b),
        "data_exponent": beta,
    }


def _jackknife(values: Any, best: Sequence[float]) -> dict[str, float] | None:
    """Standard errors from the fits without one run each (Efron and Stein, Annals of Statistics 9, 1981).

    `values` float64[n, 3]. None where a fit without one run has no end: then that run alone holds up a number.
    """
    count = len(values)
    found = []
    for left_out in range(count):
        _, unknowns = _descend(values[torch.arange(count) != left_out], best)
        if not all(math.isfinite(value) and value < LARGEST_LOG for value in unknowns):
            return None
        found.append(list(_numbers(unknowns).values()))
    spread = np.asarray(found) - np.mean(found, axis=0)
    errors = np.sqrt((count - 1) / count * np.sum(spread**2, axis=0))
    return dict(zip(_numbers(best), errors.tolist(), strict=True))


def _descend(values: Any, start: Sequence[float]) -> tuple[float, list[float]]:
    """Penalty and unknowns where L-BFGS ends from one start; `values` float64[n, 3] are logs of N, D, L."""
    unknowns = torch.tensor(start, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [unknowns],
        max_iter=500,
        tolerance_grad=1e-12,
        tolerance_change=1e-14,
        history_size=20,
        line_search_fn="strong_wolfe",
    )

    def penalty() -> Any:
        log_a, log_b, log_e, alpha, beta = unknowns
        terms = torch.stack(
            [log_a - alpha * values[:, 0], log_b - beta * values[:, 1], log_e.expand(len(values))]
        )
        residual = torch.logsumexp(terms, 0) - values[:, 2]
        # Divided by the threshold, or steps would fall below what L-BFGS takes for the end.
        return torch.nn.functional.huber_loss(residual / HUBER, torch.zeros_like(residual), reduction="sum")

    def closure() -> Any:
        optimizer.zero_grad()
        loss = penalty()
        loss.backward()
        return loss

    optimizer.step(closure)
    with torch.no_grad():
        return float(penalty()), unknowns.tolist()
