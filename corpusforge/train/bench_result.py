"""What the runs of a benchmark say: paired differences, intervals, and a verdict that may be "cannot tell"."""

from __future__ import annotations

import itertools
import math
import platform
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from corpusforge.train.bench_data import REPETITION_LIMIT
from corpusforge.train.bench_runs import Arm, RunRecord
from corpusforge.train.statistics import Interval, bootstrap, minimum_detectable_effect, paired

if TYPE_CHECKING:
    from corpusforge.train.bench import BenchSettings, Prepared
    from corpusforge.train.eval_pack import EvaluationPack

Float64 = npt.NDArray[np.float64]
Records = Mapping[Arm, RunRecord]

CANNOT_TELL = "cannot tell"


def compare(
    records: Records, pack: EvaluationPack, pair: tuple[str, str], seeds: Sequence[int], confidence: float
) -> dict[str, Any]:
    """One pair of corpora, at the main learning rate: differences are first less second, in bits per byte.

    A corpus wins when both intervals, Student's over the seeds and the bootstrap over seeds and passages, exclude
    zero: few seeds make the one wide, few passages the other.
    """
    first, second = pair
    ours = [records[Arm(first, seed)] for seed in seeds]
    theirs = [records[Arm(second, seed)] for seed in seeds]
    differences = np.array([a.macro - b.macro for a, b in zip(ours, theirs, strict=True)])
    over_seeds = paired(differences, confidence)
    bits = np.stack([a.bits - b.bits for a, b in zip(ours, theirs, strict=True)])
    over_both = bootstrap(bits, pack.panel_bytes, pack.panel_domains, confidence)
    winner = CANNOT_TELL
    if over_seeds.interval.excludes_zero and over_both.excludes_zero:
        winner = first if over_seeds.interval.mean < 0 else second
    return {
        "pair": [first, second],
        "verdict": winner,
        "difference": over_seeds.interval.mean,
        "by_seed": differences.tolist(),
        "interval_over_seeds": _ends(over_seeds.interval),
        "interval_bootstrap": _ends(over_both),
        "confidence": confidence,
        "deviation": _finite(over_seeds.deviation),
        "minimum_detectable_effect": _finite(
            minimum_detectable_effect(over_seeds.deviation, len(seeds), confidence)
        ),
        "domains": {
            domain: _domain(ours, theirs, domain, confidence)
            for domain in ours[0].facts["bits_per_byte"]["domains"]
        },
        "tasks": _tasks(ours, theirs, confidence),
    }


def _domain(
    ours: Sequence[RunRecord], theirs: Sequence[RunRecord], domain: str, confidence: float
) -> dict[str, Any]:
    def of(record: RunRecord) -> float:
        return float(record.facts["bits_per_byte"]["domains"][domain])

    result = paired(np.array([of(a) - of(b) for a, b in zip(ours, theirs, strict=True)]), confidence)
    return {"difference": result.interval.mean, "interval_over_seeds": _ends(result.interval)}


def _tasks(ours: Sequence[RunRecord], theirs: Sequence[RunRecord], confidence: float) -> dict[str, Any]:
    """Differences of accuracy and margin per task. They are shown; they decide nothing."""
    results: dict[str, Any] = {}
    for task, facts in ours[0].facts["tasks"].items():
        for measure in ("accuracy", "accuracy_normalized", "margin"):
            if measure in facts:
                values = [
                    a.facts["tasks"][task][measure] - b.facts["tasks"][task][measure]
                    for a, b in zip(ours, theirs, strict=True)
                ]
                result = paired(np.array(values), confidence)
                results.setdefault(task, {})[measure] = {
                    "difference": result.interval.mean,
                    "interval_over_seeds": _ends(result.interval),
                }
    return results


def robustness(records: Records, pair: tuple[str, str], seeds: int, factor: float) -> dict[str, Any] | None:
    """The same difference at the other learning rate: stable when its sign agrees. None without that arm."""
    if not factor:
        return None
    means = [
        float(
            np.mean(
                [records[Arm(pair[0], s, f)].macro - records[Arm(pair[1], s, f)].macro for s in range(seeds)]
            )
        )
        for f in (1.0, factor)
    ]
    return {"factor": factor, "difference": means[1], "stable": means[0] * means[1] > 0}


def conclude(settings: BenchSettings, prepared: Prepared, records: Sequence[RunRecord]) -> dict[str, Any]:
    """Everything that the benchmark found, as plain values.

    With several pairs each is compared at confidence 1 - (1 - confidence) / pairs (Bonferroni), so that all
    verdicts hold together.
    """
    by_arm = {record.arm: record for record in records}
    pairs = list(itertools.combinations(settings.labels, 2))
    confidence = 1 - (1 - settings.confidence) / len(pairs)
    comparisons = []
    for pair in pairs:
        found = compare(by_arm, prepared.pack, pair, range(settings.seeds), confidence)
        found["robustness"] = robustness(by_arm, pair, settings.seeds, settings.robustness)
        found["notes"] = notes(found, prepared.plan)
        comparisons.append(found)
    means = {
        label: float(np.mean([by_arm[Arm(label, seed)].macro for seed in range(settings.seeds)]))
        for label in settings.labels
    }
    return {
        "verdict": overall(comparisons, means),
        "bits_per_byte": means,
        "comparisons": comparisons,
        "plan": dict(prepared.plan),
        "cost": {
            "runs": len(records),
            "tokens": sum(record.facts["tokens"] for record in records),
            "flops": sum(record.facts["flops"] for record in records),
            "seconds": round(sum(record.facts["seconds"] for record in records), 3),
        },
        "runs": [run_facts(record) for record in records],
        "machine": machine(),
    }


def overall(comparisons: Sequence[Mapping[str, Any]], means: Mapping[str, float]) -> str:
    """The corpus that beats every other one, or "cannot tell"."""
    best = min(means, key=lambda label: (means[label], label))
    others = [found for found in comparisons if best in found["pair"]]
    return best if all(found["verdict"] == best for found in others) else CANNOT_TELL


def notes(found: Mapping[str, Any], plan: Mapping[str, Any]) -> list[str]:
    """What a reader should know about a comparison."""
    lines = []
    for label in found["pair"]:
        epochs = max(one["epochs"] for one in plan["corpora"][label]["drawn"].values())
        if epochs > REPETITION_LIMIT:
            lines.append(f"limited by repetition: {label} was read {epochs:.1f} times")
        elif epochs > 1.005:
            lines.append(f"{label} was read {epochs:.1f} times: seeds differ in order, not in documents")
    arm = found["robustness"]
    if arm is not None and not arm["stable"]:
        lines.append(f"not stable: at {arm['factor']:g} times the learning rate the sign is the other one")
    if len(found["by_seed"]) < 2:
        lines.append("one seed tells nothing about chance: give --seeds 3 or more")
    if plan["settings"]["panel"] is None:
        lines.append("the panel was held out of the corpora themselves: a neutral one is given by --panel")
    return lines


def run_facts(record: RunRecord) -> dict[str, Any]:
    """Facts of a run for the result."""
    return {
        "corpus": record.arm.corpus,
        "seed": record.arm.seed,
        "rate_factor": record.arm.factor,
        **record.facts,
    }


def machine() -> dict[str, Any]:
    """What the runs ran on."""
    import torch

    name = (
        torch.cuda.get_device_name()
        if torch.cuda.is_available()
        else platform.processor() or platform.machine()
    )
    return {"device": name, "torch": torch.__version__, "python": platform.python_version()}


def _ends(interval: Interval) -> list[float | None]:
    return [_finite(interval.low), _finite(interval.high)]


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
