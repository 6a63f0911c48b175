"""What the driver and the workers of a Beam job tell each other; nothing here needs Beam."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from corpusforge import storage
from corpusforge.engines.shipping import load_plan
from corpusforge.engines.watch import WatchedHeartbeat
from corpusforge.heartbeat import SharedHeartbeat
from corpusforge.layout import RunLayout, number
from corpusforge.plan import Plan


@dataclass(frozen=True)
class Work:
    """What every worker is told of a job: where the plan lies, which stage it is, how long a document may take."""

    plan_file: str
    root: str
    stage: int
    submission: str
    """Names this job among those of the stage, and among those of other drivers."""
    watchdog_seconds: float

    @property
    def plan(self) -> Plan:
        """The plan, read once per process."""
        return load_plan(self.plan_file)

    def failure_file(self, stage_id: str, task: int) -> str:
        """Where the error of a task's failed attempt in this submission lies."""
        return storage.join(self.failure_folder(stage_id), f"{number(task)}.json")

    def failure_folder(self, stage_id: str) -> str:
        """Folder of the failed attempts of this submission."""
        return storage.join(RunLayout(self.root).stage(stage_id), f"failed-{self.submission}")


# What the process that hosts the worker knows better than the job does


class ReadHeartbeat(SharedHeartbeat):
    """A heartbeat that the driver reads itself; a file beside it names the task at work."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._task_file = task_file(path)

    def working_on(self, stage_id: str, task: int, job: str) -> None:
        """Note the task that is about to run."""
        self._task_file.write_text(str(task))

    def rest(self) -> None:
        """Note that no task is running."""
        self._task_file.unlink(missing_ok=True)


def task_file(heartbeat_file: Path) -> Path:
    """The file beside a heartbeat that names the task at work: there only while one is."""
    return heartbeat_file.with_name(f"{heartbeat_file.name}.task")


_process_heartbeat: ReadHeartbeat | WatchedHeartbeat | None = None


def use_heartbeat(heartbeat: ReadHeartbeat) -> None:
    """Let tasks in this process report to a heartbeat that the driver reads itself."""
    global _process_heartbeat
    _process_heartbeat = heartbeat


def heartbeat_of(work: Work) -> ReadHeartbeat | WatchedHeartbeat:
    """The heartbeat of this process; where no driver reads it, one with a monitor beside it."""
    global _process_heartbeat
    if _process_heartbeat is None:
        _process_heartbeat = WatchedHeartbeat(work.root, work.watchdog_seconds)
    return _process_heartbeat


def read_failure(work: Work, stage_id: str, task: int) -> dict[str, object] | None:
    """The error that an attempt of this submission left, or None."""
    location = work.failure_file(stage_id, task)
    if not storage.exists(location):
        return None
    return dict(json.loads(storage.read_bytes(location)))


def task_at_work(heartbeat_file: Path) -> int | None:
    """The task that the process behind a heartbeat is at; None between tasks."""
    try:
        return int(task_file(heartbeat_file).read_text())
    except (FileNotFoundError, ValueError):
        return None
