"""The body of a stage: what each of its tasks does, and how a task commits."""

from __future__ import annotations

import hashlib
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar

from corpusforge import storage
from corpusforge.document import canonical_json
from corpusforge.layout import dump_json, number
from corpusforge.tasks.context import TaskContext


@dataclass
class TaskResult:
    """What a task leaves behind besides its files: counts that sum over tasks, and a small value."""

    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    """File name to {bytes, sha256, rows, digests}."""
    ledger: dict[str, Any] = field(default_factory=dict)
    """Accounts: {"records": {source: account}, "steps": {step: {source: account}}, "tokens": {...}, …}."""
    statistics: dict[str, Any] = field(default_factory=dict)
    """Step to mergeable statistics for the report."""
    counts: dict[str, int] = field(default_factory=dict)
    """Integer counts of a reducer."""
    value: Any = None
    """The committed value of a fold or single task, or facts about the outputs of others."""
    timings: dict[str, dict[str, float]] = field(default_factory=dict)
    """Step to {seconds_cpu, bytes_in}: outside the manifest, since it differs between runs."""


class Body(ABC):
    """A task's work. Picklable; pure in (plan, run directory, task number)."""

    operation: ClassVar[str]

    @property
    def consumes(self) -> tuple[str, ...]:
        """Exchanges whose runs for the task's number the task reads."""
        return ()

    @abstractmethod
    def run(self, task: TaskContext) -> TaskResult:
        """Do the work of task `task.number`; files are written by atomic commits."""


def is_committed(task: TaskContext) -> bool:
    """Whether the task's manifest is there, for the same input shard, and all that it names.

    Files are looked for on local disks only, where people tidy up; what a store of objects has put stays.
    """
    try:
        manifest = task.layout.read_manifest(task.stage_id, task.number)
    except FileNotFoundError:
        return False
    if manifest["input"] != input_digest(task):
        return False
    if storage.is_remote(task.layout.root):
        return True
    written = {task.own_file(name): facts for name, facts in manifest["files"].items()}
    if isinstance(manifest["value"], dict):
        outputs = manifest["value"].get("outputs", {})
        written.update({task.layout.file(name): facts for name, facts in outputs.items()})
    return all(storage.holds(location, facts["bytes"]) for location, facts in written.items())


def input_digest(task: TaskContext) -> str:
    """Hash of the shard descriptor that a read or map task works on; "" for other tasks."""
    if task.stage.body.operation not in ("read", "map") or task.number >= len(task.plan.shards):
        return ""
    shard = task.plan.shards[task.number]
    value = [shard.source, [[file.path, file.size] for file in shard.files]]
    return hashlib.sha256(canonical_json(value).encode("utf-8")).hexdigest()


def execute(body: Body, task: TaskContext) -> bool:
    """Run a task and commit its manifest, unless it is committed already.

    The manifest is written last: a task is either complete or will be done again. Gives whether work was done.
    """
    if is_committed(task):
        return False
    wall, cpu = time.perf_counter(), time.process_time()
    result = body.run(task)
    timings = {
        "seconds_wall": time.perf_counter() - wall,
        "seconds_cpu": time.process_time() - cpu,
        "steps": result.timings,
    }
    storage.commit_bytes(task.own_file("timings.json"), dump_json(timings))
    facts = {
        "stage": task.stage_id,
        "task": task.number,
        "input": input_digest(task),
        "files": result.files,
        "ledger": result.ledger,
        "statistics": result.statistics,
        "counts": result.counts,
        "value": result.value,
    }
    storage.commit_bytes(task.layout.manifest(task.stage_id, task.number), dump_json(facts))
    return True


def task_label(stage_id: str, task: int) -> str:
    """How messages name a task."""
    return f"{stage_id}/{number(task)}"
