"""The launcher: the process that builds a stage's pipeline and gives it to a runner.

Beam lives here and in worker processes, not in the driver: a runner that hangs, or a worker that dies in a way
that its runner cannot mend, costs this process, and the driver starts another one.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import select
import signal
import sys
import threading
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from corpusforge.engines import beam_work

IN_PROCESS = "FnApiRunner"
PORTABLE = "PortableRunner"
DATAFLOW = "DataflowRunner"

CANCEL_SECONDS = 30.0
"""How long an interrupted run waits for a service to take back its job."""


@dataclass(frozen=True)
class Settings:
    """What the driver tells a launcher: options by name, worker processes, and where the common files lie."""

    options: dict[str, str]
    workers: int
    log_file: str | None


def main(connection: Connection, settings: Settings, heartbeat_file: str) -> None:
    """Serve (work, tasks) requests with ("done", ""), ("failed", traceback) or ("refused", (status, message)).

    On the way it asks ("worker", (control address, worker id)) for worker processes.
    """
    _prepare_process(settings.log_file, heartbeat_file)
    from corpusforge.engines.shipping import load_plan
    from corpusforge.errors import CorpusforgeError, UsageError

    requests: queue.Queue[Any] = queue.Queue()
    launcher = _Launcher(connection, settings)
    threading.Thread(target=_receive, args=(connection, requests, launcher), daemon=True).start()
    while True:
        work, tasks = requests.get()
        answer: tuple[str, Any]
        try:
            launcher.run(work, load_plan(work.plan_file), tasks)
            answer = ("done", "")
        except CorpusforgeError as error:
            answer = ("refused", (error.exit_status, str(error)))
        except SystemExit as error:  # an option parser that gives up
            answer = ("refused", (UsageError.exit_status, f"engine beam: bad options ({error})"))
        except Exception:
            answer = ("failed", traceback.format_exc(limit=-12))
        sys.stdout.flush()
        connection.send(answer)


def serve_worker(
    control: str, worker_id: str, log_file: str | None, heartbeat_file: str, lifeline: Connection
) -> None:
    """Be one SDK worker of a runner at `control`, until the runner ends it or the driver is gone."""
    _prepare_process(log_file, heartbeat_file)
    threading.Thread(target=_end_with, args=(lifeline,), daemon=True).start()
    from apache_beam.runners.worker.sdk_worker import SdkHarness

    SdkHarness(control, worker_id=worker_id).run()
    sys.stdout.flush()
    os._exit(0)  # threads of gRPC do not hold up an orderly end


def _end_with(lifeline: Connection) -> None:
    """End this process as soon as the other end of the pipe is closed, as it is however the driver dies."""
    poll = select.poll()
    poll.register(lifeline.fileno(), 0)  # a hang-up is always reported
    poll.poll()
    os._exit(1)


def _prepare_process(log_file: str | None, heartbeat_file: str) -> None:
    """What launcher and workers have in common: no Ctrl-C of their own, one thread for arrays, a log file."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if log_file is not None:
        descriptor = os.open(log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        os.close(descriptor)
    logging.basicConfig(
        level=logging.WARNING if log_file is not None else logging.INFO,
        format="%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s",
        force=True,
    )
    # It takes worker processes of ours for none and says so for every job.
    logging.getLogger("apache_beam.runners.portability.fn_api_runner.fn_runner").setLevel(logging.ERROR)
    beam_work.use_heartbeat(beam_work.ReadHeartbeat(Path(heartbeat_file)))


def _receive(connection: Connection, requests: queue.Queue[Any], launcher: _Launcher) -> None:
    """Take requests until the driver is gone; then take back what a service still runs, and end."""
    with contextlib.suppress(EOFError, OSError):
        while True:
            requests.put(connection.recv())
    canceller = threading.Thread(target=launcher.cancel, daemon=True)
    canceller.start()
    canceller.join(CANCEL_SECONDS)
    os._exit(1)


class _Launcher:
    """Builds pipelines and runs them, one at a time."""

    def __init__(self, connection: Connection, settings: Settings) -> None:
        self._connection = connection
        self._settings = settings
        self._job_endpoint: str | None = None
        self._result: Any = None

    def run(self, work: Any, plan: Any, tasks: Sequence[int]) -> None:
        """Run one stage's pipeline to its end. Raises what the runner raises."""
        import apache_beam as beam
        from apache_beam.runners.runner import PipelineState

        from corpusforge.engines import beam_options
        from corpusforge.engines.beam_pipeline import add_stage
        from corpusforge.errors import UsageError

        settings = self._settings
        name = settings.options.get("runner", IN_PROCESS)
        options = beam_options.pipeline_options(
            {**self._defaults(name), **settings.options}, settings.workers
        )
        try:
            pipeline = beam.Pipeline(runner=self._runner(name), options=options)
        except ValueError as error:
            raise UsageError(f"engine beam: {error}") from error
        add_stage(pipeline, work, plan, tasks)
        self._result = pipeline.run()
        state = self._result.wait_until_finish()
        state = state or self._result.state
        self._result = None
        if beam_options.is_dry_run(options):
            raise UsageError("engine beam: dry_run: the first job was built and is valid; nothing was sent")
        if state != PipelineState.DONE:
            raise RuntimeError(f"the job ended in state {state}")

    def cancel(self) -> None:
        """Ask the service to stop the job; runners of this process end with it."""
        result = self._result
        if result is not None and self._settings.options.get("runner", IN_PROCESS) != IN_PROCESS:
            with contextlib.suppress(Exception):
                result.cancel()

    def _runner(self, name: str) -> Any:
        from apache_beam.runners.portability.fn_api_runner import FnApiRunner
        from apache_beam.runners.runner import create_runner

        from corpusforge.engines import beam_options

        if name != IN_PROCESS:
            return create_runner(name)
        if self._settings.workers == 1 or "direct_running_mode" in self._settings.options:
            return FnApiRunner()
        return FnApiRunner(default_environment=beam_options.worker_processes(self._ask_for_worker))

    def _ask_for_worker(self, control: str, worker_id: str) -> None:
        self._connection.send(("worker", (control, worker_id)))

    def _defaults(self, name: str) -> dict[str, str]:
        """Options that a runner gets unless they are given: a portable one without a service gets Beam's own."""
        if name == DATAFLOW:
            defaults = {"number_of_worker_harness_threads": "1"}
            if "save_main_session" not in self._settings.options:
                # Beam 2.77 would pickle and stage what the command line's process has imported.
                defaults["no_save_main_session"] = "true"
            return defaults
        if name != PORTABLE or "job_endpoint" in self._settings.options:
            return {}
        if self._job_endpoint is None:
            from apache_beam.runners.portability.local_job_service import LocalJobServicer

            self._service = LocalJobServicer()
            self._job_endpoint = f"localhost:{self._service.start_grpc_server()}"
        return {"job_endpoint": self._job_endpoint, "environment_type": "LOOPBACK"}
