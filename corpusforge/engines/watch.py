"""Watching workers from beside them, where no driver can read their heartbeat: on executors of a cluster.

The worker starts one `monitor` process; it costs some milliseconds once and a look at a small file every half
second. A monitor sees one attempt and may be wrong about the task: an engine may run it twice, and the twin may
come through the same document at the same instant. So a monitor kills nothing but its worker. Before, it writes
down what the worker was stuck with, below the stage's folder; another attempt at the task finds that and ends at
once (`GivenUpError`); and when the engine's job is over the driver decides (`decide`): where the task is committed
nothing was given up, else the document goes to ``kills.jsonl`` and the task runs again without it.
"""

from __future__ import annotations

import atexit
import json
import os
import pkgutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from corpusforge import heartbeat, kills, storage
from corpusforge.document import canonical_json
from corpusforge.errors import RunFailedError
from corpusforge.layout import RunLayout, number
from corpusforge.plan import Plan, Stage
from corpusforge.tasks.body import is_committed
from corpusforge.tasks.context import TaskContext


class GivenUpError(Exception):
    """An earlier attempt at the task, in the same job, was stuck: the driver has to decide first."""


class WatchedHeartbeat(heartbeat.SharedHeartbeat):
    """A heartbeat with a monitor of its own process; `working_on` says which task the process is at."""

    def __init__(self, root: str, seconds: float) -> None:
        """Start watching this process: `seconds` on one document at most."""
        self._folder = Path(tempfile.mkdtemp(prefix="corpusforge-watch-"))
        self._task = self._folder / "task.json"
        path = self._folder / "heartbeat"
        heartbeat.create(path)
        super().__init__(path)
        self._root = root
        self._seconds = seconds
        self._monitor = self._start(path)
        atexit.register(self.stop)

    def _start(self, path: Path) -> subprocess.Popen[bytes]:
        source = pkgutil.get_data("corpusforge.engines", "monitor.py")
        assert source is not None
        record = [sys.executable, "-m", "corpusforge.engines.watch", str(self._task)]
        return subprocess.Popen(
            [
                sys.executable,
                "-S",
                "-E",
                "-c",
                source,
                str(os.getpid()),
                str(path),
                str(self._seconds),
                *record,
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )

    def working_on(self, stage_id: str, task: int, job: str) -> None:
        """Note the task that is about to run. Raises `GivenUpError` when an attempt in this job was stuck."""
        location = _stuck_file(self._root, stage_id, task, job)
        if storage.exists(location):
            raise GivenUpError(location)
        self._task.write_text(json.dumps({"location": location}))

    def stop(self) -> None:
        """End the monitor."""
        self._monitor.kill()
        self._monitor.wait()
        for path in self._folder.iterdir():
            path.unlink(missing_ok=True)
        self._folder.rmdir()


@dataclass
class Decisions:
    """What became of tasks with a stuck attempt in a job: `kills` to tell of, `lost` tasks with their errors."""

    stuck: set[int] = field(default_factory=set)
    kills: list[dict[str, Any]] = field(default_factory=list)
    lost: dict[int, str] = field(default_factory=dict)


def decide(plan: Plan, root: str, stage: Stage, tasks: Iterable[int], job: str, seconds: float) -> Decisions:
    """Decide on what the monitors wrote down in a job that is over, for those of its `tasks` that came to no end.

    Only for the driver, which holds the run's lock: this is the one place where a kill of a watched worker is
    recorded, and none is where a manifest was committed, since the document may be in its output. Tasks that are
    `stuck` and not `lost` are to run again.
    """
    layout, found = RunLayout(root), Decisions()
    for task in tasks:
        location = _stuck_file(root, stage.id, task, job)
        if not storage.exists(location):
            continue
        found.stuck.add(task)
        if is_committed(TaskContext(plan, root, stage, task)):
            continue
        noted = json.loads(storage.read_bytes(location).decode("utf-8", "surrogateescape"))
        busy = heartbeat.Busy(noted["source"], noted["step"], noted["locator"], 0.0)
        try:
            found.kills.append(kills.give_up(layout, stage.id, task, busy, seconds))
        except RunFailedError as error:
            found.lost[task] = str(error)
    storage.remove_tree(_stuck_folder(root, stage.id, job))
    return found


def _stuck_folder(root: str, stage_id: str, job: str) -> str:
    return storage.join(RunLayout(root).stage(stage_id), f"stuck-{job}")


def _stuck_file(root: str, stage_id: str, task: int, job: str) -> str:
    """Where a monitor writes down what an attempt of this job was stuck with."""
    return storage.join(_stuck_folder(root, stage_id, job), f"{number(task)}.json")


def main(task_file: str, source: str, step: str, locator: str) -> None:
    """What the monitor runs before it kills its worker."""
    noted = json.loads(Path(task_file).read_text())
    entry = canonical_json({"source": source, "step": step, "locator": locator})
    storage.commit_bytes(noted["location"], entry.encode("utf-8", "surrogateescape"))


if __name__ == "__main__":
    main(*sys.argv[1:5])
