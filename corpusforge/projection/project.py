"""From a probe to a size: core-hours, wall time, exchanged bytes, memory, storage and cost, with an interval.

Read and map stages cost in proportion to input bytes, plus what every process does once. A reducer merges
sorted runs: linear in the bytes exchanged, with a factor of log n that the merge of pre-sorted runs keeps small;
the ratio of the logarithms is given as its upper bound. Folds and single tasks run once; training a tokenizer
grows until its sample is full. The interval is a bootstrap over shards (Efron 1979; percentiles of a ratio
estimator, widened by sqrt(n / (n - 1)), since n is small).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from corpusforge.errors import UsageError
from corpusforge.plan import default_partitions
from corpusforge.projection.probe import PER_SHARD, Probe, StageCost
from corpusforge.recipe import Recipe

DRAWS = 2000
"""Bootstrap draws."""

PERCENTILES = (5.0, 95.0)

FEWEST_SHARDS = 3
"""Steady shards for an interval."""

GIB = float(1 << 30)

OWN_PRICES = Path(__file__).parent / "prices.yaml"


class Prices(BaseModel):
    """A price table; see the comments in ``prices.yaml``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    currency: str
    example: bool
    source: str
    date: str
    vcpu_hour: float = Field(ge=0)
    memory_gib_hour: float = Field(ge=0)
    storage_gib_month: float = Field(ge=0)
    shuffle_gib: float = Field(0.0, ge=0)
    months_stored: float = Field(1.0, ge=0)
    core_speed: float = Field(1.0, gt=0)
    engine_overhead: float = Field(1.0, ge=1)


def load_prices(path: Path | None) -> Prices:
    """The user's table, or the example that ships. Raises `UsageError`."""
    path = path or OWN_PRICES
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
        prices = Prices.model_validate(values)
    except (OSError, yaml.YAMLError, ValidationError) as error:
        raise UsageError(f"{path}: not a price table: {error}") from error
    if not prices.example and not (prices.source and prices.date):
        raise UsageError(f"{path}: prices that are no example need `source` and `date`")
    return prices


@dataclass(frozen=True)
class StageProjection:
    """One stage at the projected size."""

    name: str
    operation: str
    tasks: int
    core_seconds: float
    """All tasks, without what every process does once."""
    once_seconds: float
    """What every process does once."""
    wall_seconds: float


@dataclass(frozen=True)
class Projection:
    """A run at some size on some number of vCPUs."""

    size: int
    vcpus: int
    stages: tuple[StageProjection, ...]
    steps: Mapping[str, float]
    """Step to core-seconds; ``reading, writing, exchanging`` is the rest of the stages' work."""
    core_seconds: float
    interval: tuple[float, float] | None
    """5th and 95th percentile of the core-seconds; None with too few shards."""
    sort_factor: float
    """Upper bound of what reducers take more than linearly."""
    wall_seconds: float
    exchanges: Mapping[str, float]
    """Exchange to bytes."""
    text_bytes: float
    memory_per_process: int | None
    stored_bytes: Mapping[str, float]

    @property
    def exchanged_bytes(self) -> float:
        """Bytes through all exchanges."""
        return sum(self.exchanges.values())


def project(probe: Probe, recipe: Recipe, size: int, vcpus: int, prices: Prices) -> Projection:
    """Project a probe to `size` input bytes on `vcpus`. CPU seconds become those of the cluster's vCPUs."""
    scale = size / probe.input_bytes
    speed = prices.engine_overhead / prices.core_speed
    stages = tuple(_project_stage(stage, probe, recipe, size, vcpus, speed) for stage in probe.stages)
    core_seconds = sum(stage.core_seconds + stage.once_seconds * _processes(stage, vcpus) for stage in stages)
    spread = _bootstrap(probe)
    interval = None
    if spread is not None:
        variable = sum(stage.core_seconds for stage in stages)
        low, high = (core_seconds + variable * (ratio - 1.0) for ratio in spread)
        interval = (max(0.0, low), high)
    return Projection(
        size=size,
        vcpus=vcpus,
        stages=stages,
        steps=_project_steps(probe, stages, scale, speed),
        core_seconds=core_seconds,
        interval=interval,
        sort_factor=_log_ratio(probe, scale),
        wall_seconds=sum(stage.wall_seconds for stage in stages),
        exchanges={name: moved * scale for name, moved in probe.exchanges.items()},
        text_bytes=probe.text_bytes * scale,
        memory_per_process=_memory(probe, recipe),
        stored_bytes={name: stored * scale for name, stored in probe.stored_bytes.items()},
    )


def _processes(stage: StageProjection, vcpus: int) -> int:
    """Processes that work on a stage: one a vCPU, no more than there are tasks."""
    return min(vcpus, stage.tasks)


def _project_stage(
    stage: StageCost, probe: Probe, recipe: Recipe, size: int, vcpus: int, speed: float
) -> StageProjection:
    scale = size / probe.input_bytes
    once = 0.0
    if stage.operation in PER_SHARD:
        rate, once = _steady(stage, probe)
        core, tasks = rate * size, max(1, round(scale * len(probe.shard_bytes)))
    elif stage.operation == "reduce":
        core = sum(stage.seconds_cpu) * scale
        tasks = recipe.options.partitions or default_partitions(size)
    else:
        core, tasks = sum(stage.seconds_cpu) * _growth_of_single(stage, probe, recipe, scale), 1
    core, once = core * speed, once * speed
    waves = -(-tasks // vcpus)
    return StageProjection(stage.name, stage.operation, tasks, core, once, waves * core / tasks + once)


def _steady(stage: StageCost, probe: Probe) -> tuple[float, float]:
    """(CPU seconds per input byte, CPU seconds once per process) of a stage with a task per shard.

    With a single shard, or shards without files of their own (groups), all cost counts as steady.
    """
    costs, sizes = stage.seconds_cpu, probe.shard_bytes
    if len(costs) != len(sizes) or len(sizes) < 2:
        return sum(costs) / probe.input_bytes, 0.0
    rate = sum(costs[1:]) / sum(sizes[1:])
    return rate, max(0.0, costs[0] - rate * sizes[0])


def _growth_of_single(stage: StageCost, probe: Probe, recipe: Recipe, scale: float) -> float:
    """How much longer a task takes that runs once: only a sample that was not full yet grows."""
    if stage.operation != "single":
        return 1.0
    for step in recipe.steps:
        wanted = getattr(step.parameters, "sample_bytes", None)
        if step.instance == stage.step and wanted and probe.text_bytes:
            had = min(probe.text_bytes, wanted)
            return float(min(probe.text_bytes * scale, wanted) / had)
    return 1.0


def _project_steps(
    probe: Probe, stages: tuple[StageProjection, ...], scale: float, speed: float
) -> dict[str, float]:
    """Core-seconds by step: the steady shards' share, scaled; the rest of all stages under one name."""
    steps: dict[str, float] = {}
    for stage in probe.stages:
        steady = len(stage.steps) == len(probe.shard_bytes) and len(stage.steps) > 1
        tasks = stage.steps[1:] if steady else stage.steps
        covered = sum(probe.shard_bytes[1:]) if steady else probe.input_bytes
        for entry in tasks:
            for step, seconds in entry.items():
                spent = seconds * scale * probe.input_bytes / covered * speed
                steps[step] = steps.get(step, 0.0) + spent
    rest = sum(stage.core_seconds for stage in stages) - sum(steps.values())
    return {**steps, "reading, writing, exchanging": max(0.0, rest)}


def _log_ratio(probe: Probe, scale: float) -> float:
    """log N / log n of the exchanged bytes: what sorting from scratch would add to linear growth."""
    moved = sum(probe.exchanges.values())
    if moved < 2 or scale <= 1:
        return 1.0
    return math.log(moved * scale) / math.log(moved)


def _bootstrap(probe: Probe) -> tuple[float, float] | None:
    """5th and 95th percentile of the steady cost per byte, as shares of its estimate."""
    sizes = np.array(probe.shard_bytes[1:], np.float64)
    count = len(sizes)
    if count < FEWEST_SHARDS:
        return None
    costs: npt.NDArray[np.float64] = np.zeros(count)
    for stage in probe.stages:
        if stage.operation in PER_SHARD and len(stage.seconds_cpu) == count + 1:
            costs += np.array(stage.seconds_cpu[1:])
    if not costs.sum():
        return None
    generator = np.random.Generator(np.random.Philox(0))
    drawn = generator.integers(0, count, (DRAWS, count))
    ratios = costs[drawn].sum(axis=1) / sizes[drawn].sum(axis=1) / (costs.sum() / sizes.sum())
    low, high = 1.0 + (np.percentile(ratios, PERCENTILES) - 1.0) * math.sqrt(count / (count - 1))
    return float(low), float(high)


def _memory(probe: Probe, recipe: Recipe) -> int | None:
    """Bytes for one process: what the probe held, and an exchange buffer that the probe may not have filled."""
    if probe.peak_memory is None:
        return None
    return probe.peak_memory + recipe.options.exchange_memory_bytes


def cost(projection: Projection, prices: Prices) -> dict[str, float]:
    """Cost by kind, in the table's currency. vCPUs and memory are paid while the work is done."""
    hours = projection.core_seconds / 3600
    memory = (projection.memory_per_process or 0) / GIB
    stored = sum(projection.stored_bytes.values()) / GIB
    return {
        "vcpu": hours * prices.vcpu_hour,
        "memory": hours * memory * prices.memory_gib_hour,
        "shuffle": projection.exchanged_bytes / GIB * prices.shuffle_gib,
        "storage": stored * prices.storage_gib_month * prices.months_stored,
    }


def describe(projection: Projection, prices: Prices) -> dict[str, Any]:
    """The projection as plain values, for `--json`."""
    costs = cost(projection, prices)
    return {
        "size_bytes": projection.size,
        "vcpus": projection.vcpus,
        "core_hours": projection.core_seconds / 3600,
        "core_hours_interval": None
        if projection.interval is None
        else [bound / 3600 for bound in projection.interval],
        "core_hours_by_step": {step: seconds / 3600 for step, seconds in projection.steps.items()},
        "wall_hours": projection.wall_seconds / 3600,
        "sort_factor_at_most": projection.sort_factor,
        "exchanged_bytes": dict(projection.exchanges),
        "text_bytes": projection.text_bytes,
        "memory_per_process_bytes": projection.memory_per_process,
        "stored_bytes": dict(projection.stored_bytes),
        "cost": {**costs, "total": sum(costs.values())},
        "prices": prices.model_dump(),
    }
