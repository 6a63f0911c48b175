"""What a model is worth: bits per byte on a panel, and zero-shot tasks with ties counted as chance."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from corpusforge.train.eval_pack import EvaluationPack
from corpusforge.train.model import Llama
from corpusforge.train.scoring import Requests, rolling, score
from corpusforge.train.statistics import macro_difference

Int64 = npt.NDArray[np.int64]
Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True)
class PanelScore:
    """Bits float64[passages] that a model needs for each passage, and bits per byte by domain and over domains."""

    bits: Float64
    by_domain: Mapping[str, float]
    macro: float


def panel_score(model: Llama, pack: EvaluationPack) -> PanelScore:
    """Score the panel. Every token is predicted once, the first from the prefix token; no end token is scored."""
    requests, owners = rolling(pack.panel_tokens, pack.panel_offsets, pack.prefix_id, model.config.context)
    scores = score(model, requests, np.zeros(len(owners), np.bool_))
    bits = -np.bincount(owners, scores.log_likelihood, len(pack.panel_bytes)) / math.log(2)
    by_domain = {}
    for number, domain in enumerate(pack.domains):
        inside = pack.panel_domains == number
        by_domain[domain] = float(bits[inside].sum() / pack.panel_bytes[inside].sum())
    return PanelScore(bits, by_domain, macro_difference(bits, pack.panel_bytes, pack.panel_domains))


@dataclass(frozen=True)
class ItemScores:
    """Of each item: credit for accuracy and normalized accuracy in [0, 1], margin, log-likelihood of the right one.

    The margin, in nats per byte of the choice, is the score of the right choice less that of the best wrong one;
    NaN without choices. `skipped` items have a continuation that is longer than the context, or
    has no token of its own; their values are NaN.
    """

    accuracy: Float64
    normalized: Float64
    margin: Float64
    gold: Float64
    skipped: npt.NDArray[np.bool_]


def item_scores(model: Llama, pack: EvaluationPack) -> ItemScores:
    """Score all items by lm-evaluation-harness' rules, but a tie of k choices gives the right one 1 / k."""
    count = len(pack.gold)
    first, last = pack.item_offsets[:-1], pack.item_offsets[1:]
    unfit = (pack.scored > model.config.context) | (pack.scored == 0)
    skipped = np.array([bool(unfit[begin:end].any()) for begin, end in zip(first, last)], np.bool_)
    scored = np.where(np.repeat(skipped, last - first), 0, pack.scored)
    # Whether all tokens are the likeliest matters where there is nothing to choose from.
    single = np.repeat(last - first == 1, last - first)
    scores = score(model, Requests(pack.tokens, pack.offsets, scored), single)
    # Compared as float32, so that equal choices tie whatever batch they were scored in.
    sums = scores.log_likelihood.astype(np.float32)
    per_character = (sums / np.maximum(pack.choice_characters, 1)).astype(np.float32)
    per_byte = sums / np.maximum(pack.choice_bytes, 1)
    result = {name: np.full(count, np.nan) for name in ("accuracy", "normalized", "margin", "gold")}
    for item in np.flatnonzero(~skipped).tolist():
        rows = slice(int(first[item]), int(last[item]))
        gold = int(pack.gold[item])
        result["gold"][item] = scores.log_likelihood[rows][gold]
        if rows.stop - rows.start == 1:
            result["accuracy"][item] = result["normalized"][item] = float(scores.greedy[rows][0])
            continue
        result["accuracy"][item] = credit(sums[rows], gold)
        result["normalized"][item] = credit(per_character[rows], gold)
        result["margin"][item] = per_byte[rows][gold] - np.delete(per_byte[rows], gold).max()
    return ItemScores(**result, skipped=skipped)


def credit(scores: npt.NDArray[np.float32], gold: int) -> float:
    """1 when the right choice has the highest score alone, 1 / k when it shares it with k - 1 others, else 0."""
    best = scores == scores.max()
    return float(best[gold]) / float(best.sum())


def task_results(pack: EvaluationPack, scores: ItemScores) -> dict[str, dict[str, Any]]:
    """Means per task, their standard errors, and for tasks in groups (BLiMP's paradigms) the mean of each.

    With groups the accuracy is the mean over groups, and its standard error that of the groups' means. `perplexity`
    is per target word, exp of the mean negative log-likelihood, where there are no choices (LAMBADA).
    """
    results: dict[str, dict[str, Any]] = {}
    for number, task in enumerate(pack.tasks):
        inside = (pack.item_tasks == number) & ~scores.skipped
        skipped = int(np.count_nonzero((pack.item_tasks == number) & scores.skipped))
        result: dict[str, Any] = {"items": int(np.count_nonzero(inside)), "skipped": skipped}
        results[task] = result
        if not inside.any():
            continue
        accuracy = scores.accuracy[inside]
        groups = {
            pack.groups[group]: float(scores.accuracy[inside & (pack.item_groups == group)].mean())
            for group in np.unique(pack.item_groups[inside]).tolist()
        }
        if len(groups) > 1:
            result["groups"] = groups
            accuracy = np.array(list(groups.values()))
        result["accuracy"] = float(accuracy.mean())
        result["standard_error"] = standard_error(accuracy)
        if np.isnan(scores.margin[inside]).all():
            result["perplexity"] = float(np.exp(min(700.0, -scores.gold[inside].mean())))
        else:
            result["accuracy_normalized"] = float(scores.normalized[inside].mean())
            result["margin"] = float(scores.margin[inside].mean())
    return results


def standard_error(values: Float64) -> float | None:
    """Standard error of a mean; None for a single value."""
    return float(values.std(ddof=1) / math.sqrt(len(values))) if len(values) > 1 else None


def evaluate(model: Llama, pack: EvaluationPack, tasks: bool = True) -> dict[str, Any]:
    """Everything about a model that the pack can tell, as plain values.

    Raises `ValueError` when the vocabularies differ.
    """
    if model.config.vocabulary_size < pack.vocabulary_size:
        raise ValueError(
            f"the pack's tokenizer has {pack.vocabulary_size} tokens, the model {model.config.vocabulary_size}"
        )
    result: dict[str, Any] = {}
    if len(pack.panel_bytes):
        panel = panel_score(model, pack)
        result["bits_per_byte"] = {
            "macro": panel.macro,
            **{f"domain:{k}": v for k, v in panel.by_domain.items()},
        }
    if tasks and len(pack.gold):
        result["tasks"] = task_results(pack, item_scores(model, pack))
    return result
