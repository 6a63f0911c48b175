"""Earlier runs that a run is made against: found, checked, and put in order.

A run leaves ``stages/tables.json``: its deduplicating steps with their parameters and where their tables lie. A run
made against others names them in ``manifest.json`` (by hash) and ``environment.json`` (where they were), so that the
last one of a chain leads to all.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from corpusforge import storage
from corpusforge.errors import UsageError
from corpusforge.layout import RunLayout
from corpusforge.operations import ROW_BITS, shard_of
from corpusforge.recipe import difference
from corpusforge.redaction import redacted
from corpusforge.step import Signal, Step
from corpusforge.table import KeptTable
from corpusforge.tasks.sidecar import Sidecar

if TYPE_CHECKING:
    from corpusforge.plan import Plan

Int64 = npt.NDArray[np.int64]

TABLES_FILE = ("stages", "tables.json")
"""What a run keeps for later ones."""

SCHEME = 1
"""Version of tables and of all that their rows stand on: hashes, addresses, the order of priorities."""


@dataclass(frozen=True)
class KeptExchange:
    """An exchange of which a plan keeps a table: `sidecars` counts those of the stages before it."""

    step: str
    exchange: str
    stage_id: str
    partitions: int
    columns: tuple[str, ...]
    sidecars: int


@dataclass(frozen=True)
class EarlierRun:
    """A finished run, as a plan that is made against it sees it. Small and picklable."""

    root: str
    identity: str
    """SHA-256 of its manifest."""
    generations: tuple[int, ...]
    """Of its shards."""
    documents_stage: str
    against: tuple[tuple[str, int, int], ...]
    """Runs that it was made against: (identity, number that it gave to their first shard, shards)."""
    steps: Mapping[str, Any]
    first_shard: int = 0
    """Number of its shard 0 in the plan at hand: negative."""

    @property
    def shards(self) -> int:
        """Number of its shards of documents."""
        return len(self.generations)

    def record(self, step: Step) -> Mapping[str, Any]:
        """What the run says of the tables of a step. Raises `UsageError` unless they are of the same making."""
        name = redacted(self.root)
        found = self.steps.get(step.instance)
        if found is None:
            raise UsageError(
                f"{name} keeps no table of a step called {step.instance!r}: its recipe has none, or an older version "
                "made the run without a table of it; run it again with the recipe of this run"
            )
        wanted = step_record(step)
        changes = difference({key: found[key] for key in wanted}, wanted)
        if changes:
            lines = "\n  ".join(changes)
            raise UsageError(
                f"the table of step {step.instance!r} in {name} is of another making:\n  {lines}"
            )
        return dict(found)

    def table(self, step: Step, exchange: str) -> KeptTable:
        """The table of an exchange of a step. Raises `UsageError` where there is none of the same making."""
        facts = self.record(step)["exchanges"][exchange]
        columns = tuple(facts["columns"])
        return KeptTable(self.root, exchange, facts["stage"], facts["partitions"], columns, self.first_shard)

    def sidecars(self, step: Step) -> list[Sidecar]:
        """What the steps before this one said of the documents."""
        return [
            Sidecar(one["stage"], one["step"], one["edits"], tuple(map(Signal, one["signals"])), False)
            for one in self.record(step)["sidecars"]
        ]


def step_record(step: Step) -> dict[str, Any]:
    """What must be equal for tables of a step to go together."""
    return {
        "scheme": SCHEME,
        "step": step.name,
        "version": step.version,
        "parameters": step.parameters.model_dump(mode="json"),
        "only": list(step.only),
        "fingerprint": step.fingerprint(),
    }


def kept_tables(plan: Plan, steps: Sequence[Step]) -> dict[str, Any]:
    """The content of ``stages/tables.json``."""
    records: dict[str, Any] = {}
    by_name = {step.instance: step for step in steps}
    for kept in plan.kept:
        entry = records.setdefault(kept.step, {**step_record(by_name[kept.step]), "exchanges": {}})
        entry["sidecars"] = [
            {
                "stage": item.stage_id,
                "step": item.step,
                "edits": item.edits,
                "signals": [signal.name for signal in item.signals],
            }
            for item in plan.sidecars[: kept.sidecars]
        ]
        entry["exchanges"][kept.exchange] = {
            "stage": kept.stage_id,
            "partitions": kept.partitions,
            "columns": list(kept.columns),
        }
    return {
        "version": SCHEME,
        "documents": plan.documents_stage,
        "generations": [shard.generation for shard in plan.shards],
        "against": [[run.identity, run.first_shard, run.shards] for run in plan.earlier],
        "steps": records,
    }


def load_earlier(roots: Sequence[str], output: str | None = None) -> tuple[EarlierRun, ...]:
    """The given runs and all that they were made against, earliest first.

    Raises `UsageError` for a run given twice, for `output` itself, and for what is no finished run with tables.
    """
    found: dict[str, EarlierRun] = {}
    for root in map(absolute, roots):
        if output is not None and root == absolute(output):
            raise UsageError(f"{redacted(root)} cannot be made against itself")
        run = _load(root)
        if run.identity in found:
            raise UsageError(f"--against names {redacted(root)} twice, or two copies of one run")
        found[run.identity] = run
    waiting = list(found.values())
    while waiting:
        run = waiting.pop()
        for identity, root in _made_against(run):
            if identity not in found:
                found[identity] = _ancestor(run, identity, root)
                waiting.append(found[identity])
    ordered = sorted(found.values(), key=lambda run: (max(run.generations, default=0), run.identity))
    first = -sum(run.shards for run in ordered)
    placed = []
    for run in ordered:
        placed.append(replace(run, first_shard=first))
        first += run.shards
    return tuple(placed)


def next_generation(runs: Sequence[EarlierRun]) -> int:
    """The generation of a dump that is added to these runs: 0 for none."""
    return 1 + max((max(run.generations, default=0) for run in runs), default=-1)


def absolute(root: str) -> str:
    """A run directory by one name for every process of this machine."""
    root = root.removeprefix("file://")
    return root.rstrip("/") if storage.is_remote(root) else os.path.abspath(root)  # noqa: PTH100


def _load(root: str) -> EarlierRun:
    layout = RunLayout(root)
    name = redacted(root)
    if not storage.exists(layout.file("manifest.json")):
        raise UsageError(f"{name} holds no finished run (no manifest.json)")
    if not storage.exists(layout.file(*TABLES_FILE)):
        raise UsageError(
            f"{name} keeps no tables: they were cleaned away (`corpusforge clean --all`), or an older version made "
            "the run; run it again"
        )
    try:
        facts = json.loads(storage.read_bytes(layout.file(*TABLES_FILE)))
        version = facts["version"]
        if version != SCHEME:
            raise UsageError(
                f"{name} keeps tables of scheme {version}, this version reads {SCHEME}: run it again"
            )
        identity = hashlib.sha256(storage.read_bytes(layout.file("manifest.json"))).hexdigest()
        against = tuple((str(one), int(first), int(shards)) for one, first, shards in facts["against"])
        generations = tuple(map(int, facts["generations"]))
        run = EarlierRun(root, identity, generations, facts["documents"], against, facts["steps"])
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{redacted(layout.file(*TABLES_FILE))} is damaged: {error!r}") from error
    if not run.steps:
        raise UsageError(f"{name} keeps no tables: its recipe has no step that compares documents")
    if not storage.is_remote(root):
        for entry in run.steps.values():
            for exchange, kept in entry["exchanges"].items():
                columns = tuple(kept["columns"])
                KeptTable(root, exchange, kept["stage"], kept["partitions"], columns, 0).check()
    return run


def _made_against(run: EarlierRun) -> list[tuple[str, str]]:
    """(identity, place) of the runs that a run was made against."""
    if not run.against:
        return []
    places = _places(run.root)
    return [(identity, places.get(identity, "")) for identity, _, _ in run.against]


def _places(root: str) -> dict[str, str]:
    location = RunLayout(root).file("environment.json")
    environment = json.loads(storage.read_bytes(location)) if storage.exists(location) else {}
    return {entry["run"]: entry["root"] for entry in environment.get("against", [])}


def recorded_against(root: str) -> list[str]:
    """Where the runs are that a run was made against."""
    return list(_places(root).values())


def _ancestor(run: EarlierRun, identity: str, root: str) -> EarlierRun:
    trouble = f"{redacted(run.root)} was made against a run that was at {root!r}"
    try:
        found = _load(root)
    except UsageError as error:
        raise UsageError(f"{trouble}: {error}. If it moved, name its place with --against too") from error
    if found.identity != identity:
        raise UsageError(
            f"{trouble}; another run is there now. Name the place of the old one with --against too"
        )
    return found


class Renumbering:
    """Addresses of one earlier run, as it wrote them, to those of the plan at hand."""

    def __init__(self, run: EarlierRun, runs: Sequence[EarlierRun]) -> None:
        places = {one.identity: one.first_shard for one in runs}
        self._own = run.first_shard
        self._ranges = [
            (first, first + shards, places[identity] - first) for identity, first, shards in run.against
        ]

    def __call__(self, addresses: Int64) -> Int64:
        """Addresses int64[n]."""
        shards = shard_of(addresses)
        moved = np.where(shards >= 0, self._own, 0).astype(np.int64)
        for first, end, shift in self._ranges:
            moved[(shards >= first) & (shards < end)] = shift
        return np.asarray(addresses + (moved << ROW_BITS), np.int64)
