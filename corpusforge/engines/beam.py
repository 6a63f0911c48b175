"""The Beam engine: one pipeline per stage, on whatever runner the options name.

The driver never imports Beam. It ships the plan, starts a launcher process that builds and runs the pipeline,
starts the worker processes that a local runner asks for, and watches all of them; what is committed it learns
from the run directory. A runner that fails is started again for the tasks that are still to do.
"""

from __future__ import annotations

import importlib.util
import multiprocessing
import os
import re
import sys
import tempfile
from collections.abc import Sequence
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from corpusforge import heartbeat, kills, storage
from corpusforge.engines import beam_launcher, failures, interrupts, watch
from corpusforge.engines.base import Engine, Progress
from corpusforge.engines.beam_attempts import POLL_SECONDS, Attempts, Committed, Ending
from corpusforge.engines.beam_launcher import IN_PROCESS
from corpusforge.engines.beam_work import Work, task_at_work
from corpusforge.engines.moving import bytes_by_task, in_turns
from corpusforge.engines.shipping import absolute_root, ship_plan
from corpusforge.errors import MissingExtraError, RunFailedError, UsageError
from corpusforge.layout import RunLayout
from corpusforge.plan import Plan, Stage

LOG_FILE = "beam.log"
"""Below ``stages``: what Beam and its workers print, where the run directory is local."""

REFUSED_RUNNERS = ("DirectRunner", "SwitchingDirectRunner", "PrismRunner", "InteractiveRunner")
"""They look for a runner to download, or need a notebook."""

JOB_BYTES = 512 << 20
"""What one job of Beam's own runner moves: all of it lies in the launcher's memory, and above 2 GB the runner stops
without a word (gRPC takes no larger message)."""

MESSAGE_BYTES = 2_000_000_000
"""Just under the largest message of Protocol Buffers, 2 GiB: with worker processes all chunks of a task are one."""

BEAM_MODULES = (
    "corpusforge.engines.preload",
    "corpusforge.engines.beam_pipeline",
    "corpusforge.engines.beam_options",
    "apache_beam.runners.worker.sdk_worker",
)


def preloaded_modules() -> list[str]:
    """What the fork server imports once, so that a job's fresh workers start in milliseconds.

    Beam, what kernels need, and every module of ours that the driver has loaded: a compiled plan has loaded its
    steps, and no others. Kernels load in the workers that call them.
    """
    ours = [name for name in sys.modules if name.startswith("corpusforge.") and name != "corpusforge.cli"]
    return [*sorted(ours), *BEAM_MODULES]


GCS_LOCATION = re.compile(r"gs://[a-z0-9][-_a-z0-9.]+[a-z0-9]/.+")
"""What Dataflow takes for a place below a bucket."""


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
        """End the launcher, which takes a service's job back, and all workers; remove what killed attempts left."""
        launcher, self._launcher = self._launcher, None
        if launcher is not None:
            launcher.end(beam_launcher.CANCEL_SECONDS)
        self._stop()
        self._folder.cleanup()
        storage.remove_temporary(self._root)
        if not storage.is_remote(self._plan_file):
            Path(self._plan_file).unlink(missing_ok=True)

    def _stop(self) -> None:
        """Kill all processes: whatever they still do is not committed."""
        processes = [*([self._launcher] if self._launcher else []), *self._workers]
        self._launcher, self._workers = None, []
        for item in processes:
            item.kill()

    # A stage

    def run_stage(self, stage: Stage, tasks: Sequence[int], progress: Progress) -> None:
        """Run pipelines until all tasks are committed or lost; see `Engine.run_stage`."""
        attempts = Attempts(self._root, stage, progress)
        for turn in self._turns(stage, tasks):
            self._run_turn(stage, turn, attempts, progress)
        attempts.raise_lost()

    def _turns(self, stage: Stage, tasks: Sequence[int]) -> list[list[int]]:
        """Cut the tasks for a runner that holds in the memory of this machine all that a job moves."""
        if not stage.body.consumes or self._settings.options.get("runner", IN_PROCESS) != IN_PROCESS:
            return [list(tasks)]
        sizes = bytes_by_task(self._plan, self._root, stage)
        largest = max(tasks, key=lambda task: sizes[task])
        if self._settings.workers > 1 and sizes[largest] > MESSAGE_BYTES:
            raise RunFailedError(
                f"stage {stage.id}: task {largest} reads {sizes[largest]:,} bytes, and Beam's own runner moves at most "
                f"{MESSAGE_BYTES:,} to one task: give the recipe more `partitions`, or take another engine or runner"
            )
        return in_turns(tasks, sizes, JOB_BYTES)

    def _run_turn(self, stage: Stage, tasks: Sequence[int], attempts: Attempts, progress: Progress) -> None:
        """Run pipelines until these tasks are committed or lost."""
        waiting = list(tasks)
        while waiting:
            work = Work(
                plan_file=self._plan_file,
                root=self._root,
                stage=stage.index,
                submission=os.urandom(6).hex(),
                watchdog_seconds=self._watchdog_seconds,
            )
            committed = Committed(self._plan, self._root, stage, waiting, progress)
            ending = self._run_job(stage, work, waiting, committed, progress)
            committed.look()
            left = sorted(committed.left)
            stuck = watch.decide(self._plan, self._root, stage, left, work.submission, self._watchdog_seconds)
            for entry in stuck.kills:
                progress.document_killed(stage, entry["task"], entry)
            attempts.add_stuck(stuck.lost)
            attempts.add_noted(work, left)
            storage.remove_tree(work.failure_folder(stage.id))
            attempts.add_ending(
                Ending("watchdog", "") if stuck.stuck else ending, left, advanced=len(left) < len(waiting)
            )
            waiting = [task for task in left if task not in attempts.lost]

    def _run_job(
        self, stage: Stage, work: Work, tasks: Sequence[int], committed: Committed, progress: Progress
    ) -> Ending:
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
            with interrupts.held_back():
                self._launcher = _Process(
                    self._context,
                    Path(self._folder.name),
                    beam_launcher.main,
                    lambda connection, beat: (connection, self._settings, beat),
                )
        return self._launcher

    def _hear(self, launcher: _Process) -> Ending | None:
        """Do what the launcher asks for; its answer ends the job, and so does its death."""
        try:
            while launcher.connection.poll():
                kind, message = launcher.connection.recv()
                if kind != "worker":
                    return Ending(kind, message)
                self._start_worker(*message)
        except (EOFError, OSError):
            launcher.process.join()
            return Ending("died", failures.death("Beam", launcher.process.exitcode), launcher.task)
        return None

    def _start_worker(self, control: str, worker_id: str) -> None:
        log = self._settings.log_file
        with interrupts.held_back():
            self._workers.append(
                _Process(
                    self._context,
                    Path(self._folder.name),
                    beam_launcher.serve_worker,
                    lambda lifeline, beat: (control, worker_id, log, beat, lifeline),
                )
            )

    def _bury(self) -> Ending | None:
        """Notice a worker that died: its runner would wait for it for ever."""
        for item in self._workers:
            if item.process.exitcode not in (None, 0):
                return Ending("died", failures.death("worker", item.process.exitcode), item.task)
        return None

    def _reap(self) -> None:
        """End the workers of a job that is over: they have nothing left to do and are slow to go."""
        for item in self._workers:
            item.kill()
        self._workers = []

    def _watch(self, stage: Stage, progress: Progress) -> Ending | None:
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
                return Ending("watchdog", "", task)
            try:
                entry = kills.give_up(RunLayout(self._root), stage.id, task, busy, self._watchdog_seconds)
            except RunFailedError as error:
                return Ending("stuck", str(error), task)
            progress.document_killed(stage, task, entry)
            return Ending("watchdog", "", task)
        return None


def _check(options: dict[str, str], root: str) -> None:
    """Refuse what cannot work before anything starts."""
    runner = options.get("runner", IN_PROCESS)
    if runner in REFUSED_RUNNERS:
        raise UsageError(
            f"engine beam: {runner} looks for parts that are not installed; on this machine use runner=FnApiRunner"
        )
    if "Dataflow" not in runner:
        return
    if not storage.is_remote(root):
        raise UsageError(
            f"engine beam: workers of {runner} cannot see {root}: give an --output such as gs://bucket/run"
        )
    missing = [name for name in ("project", "region", "temp_location") if name not in options]
    if missing:
        raise UsageError(f"engine beam: {runner} needs --engine-option {missing[0]}=…")
    # Where these are not valid, Beam would look for a bucket of a name of its own, and make it.
    for name in ("temp_location", "staging_location"):
        if name in options and not GCS_LOCATION.fullmatch(options[name]):
            raise UsageError(f"engine beam: {name} is gs://BUCKET/FOLDER, not {options[name]!r}")
