"""The local engine: shards in worker processes, one task a worker at a time.

A worker that dies costs its task one attempt; a worker that is stuck on one document is killed, the document
is written to ``kills.jsonl``, and the task runs again without it. All results lie in committed files, so
killing the whole process group at any moment loses only what was not committed.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from corpusforge import heartbeat, kills
from corpusforge.engines import failures, interrupts, worker
from corpusforge.engines.base import Engine, Progress
from corpusforge.engines.failures import FailureLog
from corpusforge.errors import RunFailedError
from corpusforge.layout import RunLayout
from corpusforge.plan import Plan, Stage

ATTEMPTS = 3
"""Attempts at a task whose worker dies; an exception in the task itself is tried twice."""

POLL_SECONDS = 0.25

WORK = (
    "document",
    "sources",
    "extract",
    "filters",
    "dedup",
    "pii",
    "tokenize",
    "mix",
    "models",
    "kernels",
    "tasks",
)
"""Packages whose modules a plan may name; the driver imports others, which workers never need."""


def preloaded_modules() -> list[str]:
    """What the fork server imports, and all workers have: modules that the driver imported to compile the plan."""
    ours = [name for name in sys.modules if name.startswith("corpusforge.") and name.split(".")[1] in WORK]
    return [*sorted(ours), "corpusforge.engines.preload"]


class _Worker:
    """One process, its pipe and heartbeat, and the task it is busy with."""

    def __init__(self, context: Any, plan_file: Path, root: str, folder: Path) -> None:
        self.heartbeat_file = folder / f"heartbeat-{os.urandom(6).hex()}"
        heartbeat.create(self.heartbeat_file)
        self.connection: Connection
        self.connection, theirs = context.Pipe()
        arguments = (theirs, str(plan_file), root, str(self.heartbeat_file))
        self.process = context.Process(target=worker.main, args=arguments, daemon=True)
        self.process.start()
        theirs.close()
        self.task: int | None = None

    def start(self, stage: Stage, task: int) -> None:
        self.task = task
        self.connection.send((stage.index, task))

    def stop(self) -> None:
        self.process.kill()
        self.process.join()

    def kill(self) -> None:
        self.stop()
        self.connection.close()
        self.heartbeat_file.unlink(missing_ok=True)


class LocalEngine(Engine):
    """Runs tasks in `workers` processes; they live as long as the engine, so models load once each."""

    def __init__(self, plan: Plan, root: str, workers: int, watchdog_seconds: float) -> None:
        self._plan = plan
        self._root = root
        self._count = workers
        self._watchdog_seconds = watchdog_seconds
        self._folder = tempfile.TemporaryDirectory(prefix="corpusforge-engine-")
        self._plan_file = Path(self._folder.name) / "plan.pickle"
        blob = {"plugins": list(plan.plugins), "plan": pickle.dumps(plan)}
        self._plan_file.write_bytes(pickle.dumps(blob))
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(preloaded_modules())
        self._workers: list[_Worker] = []

    def close(self) -> None:
        """Kill the workers: whatever they still do is not committed."""
        for item in self._workers:
            item.kill()
        self._workers = []
        self._folder.cleanup()

    def run_stage(self, stage: Stage, tasks: Sequence[int], progress: Progress) -> None:
        """Run tasks in ascending order; see `Engine.run_stage`."""
        waiting = deque(tasks)
        attempts: dict[int, int] = {}
        lost: dict[int, str] = {}
        while waiting or any(item.task is not None for item in self._workers):
            self._assign(stage, waiting)
            for item in self._ready():
                self._hear(stage, item, waiting, attempts, lost, progress)
            self._watch(stage, waiting, lost, progress)
        FailureLog(self._root, stage.id).raise_lost(lost)

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call it in a worker, which has numba and most kernels already, and here where none gives an answer."""
        for item in self._workers:
            if item.task is not None:
                continue
            try:
                item.connection.send((function, arguments))
                kind, value = item.connection.recv()
            except (EOFError, OSError):
                self._remove(item)  # died
                break
            if kind == "done":
                return value
            break
        return super().call(function, *arguments)

    def _assign(self, stage: Stage, waiting: deque[int]) -> None:
        wanted = min(self._count, len(waiting) + sum(item.task is not None for item in self._workers))
        while len(self._workers) < wanted:
            # Noted before an interrupt can come, so that `close` knows of it.
            with interrupts.held_back():
                self._workers.append(
                    _Worker(self._context, self._plan_file, self._root, Path(self._folder.name))
                )
        for item in self._workers:
            if item.task is None and waiting:
                try:
                    item.start(stage, waiting[0])
                except OSError:
                    item.task = waiting[0]  # died while idle: noticed as a death by `_ready`
                waiting.popleft()

    def _ready(self) -> list[_Worker]:
        busy = [item for item in self._workers if item.task is not None]
        signals = [item.connection for item in busy] + [item.process.sentinel for item in busy]
        heard = set(wait(signals, timeout=POLL_SECONDS))
        return [item for item in busy if item.connection in heard or item.process.sentinel in heard]

    def _hear(
        self,
        stage: Stage,
        item: _Worker,
        waiting: deque[int],
        attempts: dict[int, int],
        lost: dict[int, str],
        progress: Progress,
    ) -> None:
        """Take a worker's answer, or notice its death."""
        task = item.task
        assert task is not None
        message: Any
        try:
            kind, message = item.connection.recv() if item.connection.poll() else ("died", "")
        except (EOFError, OSError):
            kind, message = "died", ""
        item.task = None
        if kind == "done":
            progress.task_done(stage, task)
            return
        if kind == "refused":
            refusal = failures.refusal(*message)
            self._note_failure(stage, task, attempts.get(task, 0) + 1, str(refusal))
            raise refusal
        if kind == "died":
            item.process.join()
            message = failures.death("worker", item.process.exitcode)
            self._remove(item)
        attempts[task] = attempts.get(task, 0) + 1
        self._note_failure(stage, task, attempts[task], message)
        progress.task_failed(stage, task, attempts[task], message)
        if attempts[task] >= (ATTEMPTS if kind == "died" else 2):
            lost[task] = message
        else:
            waiting.append(task)

    def _watch(self, stage: Stage, waiting: deque[int], lost: dict[int, str], progress: Progress) -> None:
        """Kill workers that have been busy with one document for too long."""
        for item in list(self._workers):
            if item.task is None:
                continue
            busy = heartbeat.busy_with(item.heartbeat_file)
            if busy is None or busy.seconds <= self._watchdog_seconds:
                continue
            task = item.task
            item.stop()
            # Only what the dead worker was still busy with is given up: it may have come through just now.
            stuck = heartbeat.busy_with(item.heartbeat_file) == busy
            self._remove(item)
            if not stuck:
                waiting.appendleft(task)
                continue
            try:
                entry = kills.give_up(RunLayout(self._root), stage.id, task, busy, self._watchdog_seconds)
            except RunFailedError as error:
                lost[task] = str(error)
                self._note_failure(stage, task, 1, lost[task])
                progress.task_failed(stage, task, 1, lost[task])
                continue
            progress.document_killed(stage, task, entry)
            waiting.appendleft(task)

    def _remove(self, item: _Worker) -> None:
        item.kill()
        self._workers.remove(item)

    def _note_failure(self, stage: Stage, task: int, attempt: int, message: str) -> None:
        FailureLog(self._root, stage.id).note(task, attempt, message)
