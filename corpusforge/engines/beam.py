"""The Beam engine: one pipeline per stage, on whatever runner the options name.

The driver never imports Beam. It ships the plan, starts a launcher process that builds and runs the pipeline,
starts the worker processes that a local runner asks for, and watches all of them; what is committed it learns
from the run directory. A runner that fails is started again for the tasks that are still to do.
"""

from __future__ import annotations

import importlib.util
import multiprocessing
import os
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterable, Sequence
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from corpusforge import heartbeat, kills, storage
from corpusforge.document import canonical_json
from corpusforge.engines import beam_launcher
from corpusforge.engines.base import Engine, Progress
from corpusforge.engines.beam_work import Work, read_failure, task_at_work
from corpusforge.engines.shipping import absolute_root, ship_plan
from corpusforge.errors import CorpusforgeError, MissingExtraError, RunFailedError, UsageError
from corpusforge.layout import RunLayout
from corpusforge.plan import Plan, Stage
from corpusforge.tasks.body import is_committed, task_label
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

FAILURES = "failures.jsonl"
"""In a stage's folder: every failed attempt at a task, with the whole error."""

LOG_FILE = "beam.log"
"""Below ``stages``: what Beam and its workers print, where the run directory is local."""

REFUSED_RUNNERS = ("DirectRunner", "SwitchingDirectRunner", "PrismRunner", "InteractiveRunner")
"""They look for a runner to download, or need a notebook."""

BEAM_MODULES = (
    "corpusforge.engines.beam_pipeline",
    "corpusforge.engines.beam_options",
    "apache_beam.runners.worker.sdk_worker",
)


def preloaded_modules() -> list[str]:
    """What the fork server imports once, so that a job's fresh workers start in milliseconds.

    Beam, and every module of ours that the driver has loaded: a compiled plan has loaded its steps and their
    kernels, and no others.
    """
    ours = [name for name in sys.modules if name.startswith("corpusforge.") and name != "corpusforge.cli"]
    return [*sorted(ours), *BEAM_MODULES]


class _Process:
    """A process of the engine: the launcher or a worker, with its heartbeat and the pipe that ties it to us."""

    def __init__(self, context: Any, folder: Path, target: Any, arguments: Any) -> None:
        """`arguments(connection, heartbeat file)` gives what `target` is called with."""
        self.heartbeat_file = folder / f"heartbeat-{os.urandom(6).hex()}"
        heartbeat.create(self.heartbeat_file)
        self.connection: Connection
        self.connection, theirs = context.Pipe()
        self.process = context.Process(
            target=target, args=arguments(theirs, str(self.heartbeat_file)), daemon=True
        )
        self.process.start()
        theirs.close()

    @property
    def task(self) -> int | None:
        """The task that the process is (or, once it is dead, was) at."""
        return task_at_work(self.heartbeat_file)

    def kill(self) -> None:
        self.process.kill()
        self.process.join()
        self.connection.close()

    def end(self, seconds: float) -> None:
        """Close the pipe, which ends the process in order; kill it when it takes too long."""
        self.connection.close()
        self.process.join(seconds)
        self.process.kill()
        self.process.join()


class BeamEngine(Engine):
    """Runs each stage as one Beam pipeline. `options`: Beam's pipeline options by name.

    `runner` is `FnApiRunner` unless given: inside the launcher process with one worker (the default), over
    gRPC with so many worker processes when `workers` says so. Any other runner of Beam works by its options.

    Raises `MissingExtraError` without Beam, `UsageError` for options that cannot work.
    """

    def __init__(
        self, plan: Plan, root: str, workers: int | None, watchdog_seconds: float, options: dict[str, str]
    ) -> None:
        if importlib.util.find_spec("apache_beam") is None:
            raise MissingExtraError("engine beam", "beam")
        _check(options, root)
        self._plan = plan
        self._root = absolute_root(root)
        self._watchdog_seconds = watchdog_seconds
        self._plan_file = ship_plan(plan, self._root)
        self._folder = tempfile.TemporaryDirectory(prefix="corpusforge-engine-")
        log = None if storage.is_remote(root) else RunLayout(self._root).file("stages", LOG_FILE)
        self._settings = beam_launcher.Settings(dict(options), workers or 1, log)
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(preloaded_modules())
        self._launcher: _Process | None = None
        self._workers: list[_Process] = []

    def close(self) -> None:
        """End the launcher, which takes a service's job back, and all workers."""
        launcher, self._launcher = self._launcher, None
        if launcher is not None:
            launcher.end(beam_launcher.CANCEL_SECONDS)
        self._stop()
        self._folder.cleanup()

    def _stop(self) -> None:
        """Kill all processes: whatever they still do is not committed."""
        processes = [*([self._launcher] if self._launcher else []), *self._workers]
        self._launcher, self._workers = None, []
        for item in processes:
            item.kill()

    # A stage

    def run_stage(self, stage: Stage, tasks: Sequence[int], progress: Progress) -> None:
        """Run pipelines until all tasks are committed or lost; see `Engine.run_stage`."""
        attempts = _Attempts(self._root, stage, progress)
        waiting = list(tasks)
        while waiting:
            work = Work(self._plan_file, self._root, stage.index, os.urandom(6).hex(), self._watchdog_seconds)
            committed = _Committed(self._plan, self._root, stage, waiting, progress)
            ending = self._run_job(stage, work, waiting, committed, progress)
            committed.look()
            left = sorted(committed.left)
            attempts.add_noted(work, left)
            storage.remove_tree(work.failure_folder(stage.id))
            attempts.add_ending(ending, left, advanced=len(left) < len(waiting))
            waiting = [task for task in left if task not in attempts.lost]
        attempts.raise_lost()

    def _run_job(
        self, stage: Stage, work: Work, tasks: Sequence[int], committed: _Committed, progress: Progress
    ) -> _Ending:
        """Run one pipeline to its end, whatever that is."""
        launcher = self._launch()
        launcher.connection.send((work, list(tasks)))
        while True:
            running = [item for item in self._workers if item.process.exitcode != 0]
            sentinels = [item.process.sentinel for item in (launcher, *running)]
            wait([launcher.connection, *sentinels], timeout=POLL_SECONDS)
            committed.look_now_and_then()
            ending = self._hear(launcher) or self._bury() or self._watch(stage, progress)
            if ending is None:
                continue
            if ending.kind not in ("done", "refused"):
                self._stop()
            self._reap()
            return ending

    def _launch(self) -> _Process:
        if self._launcher is None:
            self._launcher = _Process(
                self._context,
                Path(self._folder.name),
                beam_launcher.main,
                lambda connection, beat: (connection, self._settings, beat),
            )
        return self._launcher

    def _hear(self, launcher: _Process) -> _Ending | None:
        """Do what the launcher asks for; its answer ends the job, and so does its death."""
        try:
            while launcher.connection.poll():
                kind, message = launcher.connection.recv()
                if kind != "worker":
                    return _Ending(kind, message)
                self._start_worker(*message)
        except (EOFError, OSError):
            launcher.process.join()
            return _Ending("died", _death("Beam", launcher.process.exitcode), launcher.task)
        return None

    def _start_worker(self, control: str, worker_id: str) -> None:
        log = self._settings.log_file
        self._workers.append(
            _Process(
                self._context,
                Path(self._folder.name),
                beam_launcher.serve_worker,
                lambda lifeline, beat: (control, worker_id, log, beat, lifeline),
            )
        )

    def _bury(self) -> _Ending | None:
        """Notice a worker that died: its runner would wait for it for ever."""
        for item in self._workers:
            if item.process.exitcode not in (None, 0):
                return _Ending("died", _death("worker", item.process.exitcode), item.task)
        return None

    def _reap(self) -> None:
        """End the workers of a job that is over: they have nothing left to do and are slow to go."""
        for item in self._workers:
            item.kill()
        self._workers = []

    def _watch(self, stage: Stage, progress: Progress) -> _Ending | None:
        """Kill a process that has been busy with one document for too long."""
        for item in [*([self._launcher] if self._launcher else []), *self._workers]:
            busy = heartbeat.busy_with(item.heartbeat_file)
            if busy is None or busy.seconds <= self._watchdog_seconds:
                continue
            item.process.kill()
            item.process.join()
            # Only what the dead process was still busy with is given up: it may have come through just now.
            task = item.task
            if task is None or heartbeat.busy_with(item.heartbeat_file) != busy:
                return _Ending("watchdog", "", task)
            try:
                entry = self._give_up(stage, task, busy)
            except RunFailedError as error:
                return _Ending("stuck", str(error), task)
            progress.document_killed(stage, task, entry)
            return _Ending("watchdog", "", task)
        return None

    def _give_up(self, stage: Stage, task: int, busy: heartbeat.Busy) -> dict[str, Any]:
        """Record a kill. Raises `RunFailedError` when leaving the document out cannot help."""
        layout = RunLayout(self._root)
        source = self._plan.shards[task].source if task < len(self._plan.shards) else ""
        seconds = self._watchdog_seconds
        entry: dict[str, Any] = {"source": source, "step": busy.step, "locator": busy.locator}
        entry = {**entry, "stage": stage.id, "task": task, "seconds": seconds}
        where = f"{busy.locator} for more than {seconds} s"
        if not busy.step:
            raise RunFailedError(f"stuck, outside of any step that could leave it out, on {where}")
        if kills.key_of(entry) in kills.read(layout):
            raise RunFailedError(f"step {busy.step!r} was stuck again, although it was given up, on {where}")
        kills.add(layout, entry)
        return entry


class _Ending:
    """How a job ended: "done", "refused", "failed", "died", "watchdog" or "stuck", and at which task."""

    def __init__(self, kind: str, message: Any, task: int | None = None) -> None:
        self.kind = kind
        self.message = message
        self.task = task


class _Committed:
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


class _Attempts:
    """Counts the failed attempts of a stage's tasks and says which tasks are lost."""

    def __init__(self, root: str, stage: Stage, progress: Progress) -> None:
        self._log = storage.join(RunLayout(root).stage(stage.id), FAILURES)
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
                self._note(task, self._counts.get(task, 0) + 1, message)
                raise _refusal(failure["status"], message)
            self._add(task, message, EXCEPTIONS)

    def add_ending(self, ending: _Ending, left: Sequence[int], advanced: bool) -> None:
        """Take the end of a job: it counts for the task that was at work, else against the job itself."""
        if ending.kind == "refused":
            raise _refusal(*ending.message)
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
        self._note(left[0], self._vain, message)
        self._progress.task_failed(self._stage, left[0], max(1, self._vain), message)
        if self._vain >= (DEATHS if ending.kind == "died" else EXCEPTIONS):
            self.lost.update(dict.fromkeys(left, message))

    def _add(self, task: int, message: str, most: int) -> None:
        self._counts[task] = self._counts.get(task, 0) + 1
        self._note(task, self._counts[task], message)
        self._progress.task_failed(self._stage, task, self._counts[task], message)
        if self._counts[task] >= most:
            self.lost[task] = message

    def _note(self, task: int, attempt: int, message: str) -> None:
        entry = {"task": task, "attempt": attempt, "error": message, "time": time.time()}
        before = storage.read_bytes(self._log) if storage.exists(self._log) else b""
        line = canonical_json(entry).encode("utf-8", "surrogateescape")
        storage.commit_bytes(self._log, before + line + b"\n")

    def raise_lost(self) -> None:
        """Raise `RunFailedError` when tasks are lost."""
        if not self.lost:
            return
        first = min(self.lost)
        others = f" (and {len(self.lost) - 1} more)" if len(self.lost) > 1 else ""
        raise RunFailedError(
            f"task {task_label(self._stage.id, first)} failed{others}: {_last_lines(self.lost[first])}\n"
            f"The whole error is in {self._log}. The same command goes on where this stopped."
        )


def _check(options: dict[str, str], root: str) -> None:
    """Refuse what cannot work before anything starts."""
    runner = options.get("runner", beam_launcher.IN_PROCESS)
    if runner in REFUSED_RUNNERS:
        raise UsageError(
            f"engine beam: {runner} looks for parts that are not installed; on this machine use runner=FnApiRunner"
        )
    if "Dataflow" in runner and not storage.is_remote(root):
        raise UsageError(
            f"engine beam: workers of {runner} cannot see {root}: give an --output such as gs://bucket/run"
        )


def _death(what: str, status: int | None) -> str:
    hint = "; it may have run out of memory" if status == -9 else ""
    return f"the {what} process died (exit status {status}{hint})"


def _last_lines(message: str) -> str:
    """Of a traceback: what was raised."""
    lines = [line for line in message.strip().splitlines() if line.strip()]
    return lines[-1].strip() if lines else "unknown error"


def _refusal(status: Any, text: str) -> CorpusforgeError:
    """The error that was raised for the user to read."""
    return UsageError(text) if status == UsageError.exit_status else RunFailedError(text)
