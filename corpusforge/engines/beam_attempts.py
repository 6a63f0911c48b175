"""How Beam jobs end, and what that means for their tasks: done, to be tried again, or lost."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from corpusforge import storage
from corpusforge.engines import failures
from corpusforge.engines.base import Progress
from corpusforge.engines.beam_work import Work, read_failure
from corpusforge.engines.failures import FailureLog
from corpusforge.plan import Plan, Stage
from corpusforge.tasks.body import is_committed
from corpusforge.tasks.context import TaskContext

DEATHS = 3
"""Attempts at a task whose process dies, and jobs in a row that may end without any task getting done."""

EXCEPTIONS = 2
"""Attempts at a task that raises."""

POLL_SECONDS = 0.25
"""How often heartbeats and local manifests are looked at."""

REMOTE_POLL_SECONDS = 10.0
"""How often manifests on a store are looked at while a job runs, `REMOTE_POLL_TASKS` of them each time."""

REMOTE_POLL_TASKS = 64


class Ending:
    """How a job ended: "done", "refused", "failed", "died", "watchdog" or "stuck", and at which task."""

    def __init__(self, kind: str, message: Any, task: int | None = None) -> None:
        self.kind = kind
        self.message = message
        self.task = task


class Committed:
    """Tells progress of tasks whose manifests have appeared."""

    def __init__(self, plan: Plan, root: str, stage: Stage, tasks: Iterable[int], progress: Progress) -> None:
        self.left = deque(tasks)
        self._plan, self._root, self._stage, self._progress = plan, root, stage, progress
        self._remote = storage.is_remote(root)
        self._looked = time.monotonic()

    def look_now_and_then(self) -> None:
        """Look at all manifests that are to come, on a store at some of them in turn."""
        if time.monotonic() - self._looked >= (REMOTE_POLL_SECONDS if self._remote else POLL_SECONDS):
            self.look(REMOTE_POLL_TASKS if self._remote else None)
            self._looked = time.monotonic()

    def look(self, most: int | None = None) -> None:
        """Look at `most` manifests."""
        for _ in range(min(most or len(self.left), len(self.left))):
            task = self.left.popleft()
            if is_committed(TaskContext(self._plan, self._root, self._stage, task)):
                self._progress.task_done(self._stage, task)
            else:
                self.left.append(task)


class Attempts:
    """Counts the failed attempts of a stage's tasks and says which tasks are lost."""

    def __init__(self, root: str, stage: Stage, progress: Progress) -> None:
        self._log = FailureLog(root, stage.id)
        self._stage = stage
        self._progress = progress
        self._counts: dict[int, int] = {}
        self._vain = 0
        self.lost: dict[int, str] = {}

    def add_noted(self, work: Work, left: Iterable[int]) -> None:
        """Take the errors that tasks left behind. Raises what a task raised for the user to read."""
        for task in left:
            failure = read_failure(work, self._stage.id, task)
            if failure is None:
                continue
            message = str(failure["error"])
            if failure["kind"] == "refused":
                self._log.note(task, self._counts.get(task, 0) + 1, message)
                raise failures.refusal(int(str(failure["status"])), message)
            self._add(task, message, EXCEPTIONS)

    def add_stuck(self, lost: Mapping[int, str]) -> None:
        """Take tasks that are stuck in a way that leaving a document out cannot help."""
        for task, message in lost.items():
            self._add(task, message, 1)

    def add_ending(self, ending: Ending, left: Sequence[int], advanced: bool) -> None:
        """Take the end of a job: it counts for the task that was at work, else against the job itself."""
        if ending.kind == "refused":
            raise failures.refusal(*ending.message)
        if ending.kind == "watchdog" or not left:
            return
        if ending.kind in ("died", "stuck") and ending.task is not None and ending.task in left:
            self._add(ending.task, ending.message, DEATHS if ending.kind == "died" else 1)
            return
        named = [task for task in left if task in self._counts]
        self._vain = 0 if advanced or (ending.kind == "done" and named) else self._vain + 1
        if ending.kind == "done" and named:
            return
        message = str(ending.message) or "the job ended without running the task"
        self._log.note(left[0], self._vain, message)
        self._progress.task_failed(self._stage, left[0], max(1, self._vain), message)
        if self._vain >= (DEATHS if ending.kind == "died" else EXCEPTIONS):
            self.lost.update(dict.fromkeys(left, message))

    def _add(self, task: int, message: str, most: int) -> None:
        self._counts[task] = self._counts.get(task, 0) + 1
        self._log.note(task, self._counts[task], message)
        self._progress.task_failed(self._stage, task, self._counts[task], message)
        if self._counts[task] >= most:
            self.lost[task] = message

    def raise_lost(self) -> None:
        """Raise `RunFailedError` when tasks are lost."""
        self._log.raise_lost(self.lost)
