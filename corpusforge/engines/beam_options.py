"""Pipeline options from `name=value` settings, and worker processes that the driver starts."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from typing import Any

from apache_beam.options.pipeline_options import DirectOptions, PipelineOptions, TestOptions
from apache_beam.runners.portability.fn_api_runner.worker_handlers import GrpcWorkerHandler, WorkerHandler
from apache_beam.transforms.environments import Environment, python_sdk_capabilities

from corpusforge.errors import UsageError
from corpusforge.names import nearest

WORKER_PROCESS = "corpusforge:environment:worker_process:v1"
"""URN of the environment whose workers are processes started by the driver of the run."""


def pipeline_options(settings: Mapping[str, str], workers: int = 1) -> PipelineOptions:
    """Options of a pipeline. `true` switches on what has no value; lists are separated by commas.

    Raises `UsageError` for a name that no Beam option has, or for a value that the option does not take.
    """
    known = _known_options()
    flags = []
    for name, value in settings.items():
        if name == "runner":
            continue
        action = known.get(name)
        if action is None:
            raise UsageError(f"engine beam: unknown option {name!r}{nearest(name, known)}")
        if action.nargs == 0:
            if value.lower() not in ("true", "false"):
                raise UsageError(f"engine beam: option {name!r} is true or false, not {value!r}")
            flags += [f"--{name}"] if value.lower() == "true" else []
        elif isinstance(action, argparse._AppendAction):
            flags += [f"--{name}={part}" for part in value.split(",")]
        else:
            flags.append(f"--{name}={value}")
    options = PipelineOptions(flags)
    if "direct_num_workers" not in settings:
        options.view_as(DirectOptions).direct_num_workers = workers
    return options


def is_dry_run(options: PipelineOptions) -> bool:
    """Whether jobs are only built."""
    return bool(options.view_as(TestOptions).dry_run)


def _known_options() -> dict[str, argparse.Action]:
    """All options of Beam by name, from every class of options that is loaded."""
    parser = _Parser(add_help=False, allow_abbrev=False, conflict_handler="resolve")
    for kind in PipelineOptions.__subclasses__():
        kind._add_argparse_args(parser)
    return {
        text.removeprefix("--"): action
        for action in parser._actions
        for text in action.option_strings
        if text.startswith("--")
    }


class _Parser(argparse.ArgumentParser):
    """Takes what Beam's own parser takes: arguments for templates are arguments like others."""

    def add_value_provider_argument(self, *names: str, **settings: Any) -> None:
        self.add_argument(*names, **settings)


class WorkerProcessEnvironment(Environment):  # type: ignore[misc]
    """Workers are processes of this machine that the run's driver starts and watches."""

    def to_runner_api_parameter(self, context: Any) -> tuple[str, bytes]:
        """URN and (empty) payload."""
        return WORKER_PROCESS, b""


_start: Callable[[str, str], None] | None = None


def worker_processes(start: Callable[[str, str], None]) -> Environment:
    """An environment whose workers are started by `start(control address, worker id)`."""
    global _start
    _start = start
    return WorkerProcessEnvironment(capabilities=python_sdk_capabilities())


@WorkerHandler.register_environment(WORKER_PROCESS, bytes)
class WorkerProcessHandler(GrpcWorkerHandler):  # type: ignore[misc]
    """A runner's side of one such worker: asks for the process; it ends when its control stream does."""

    def __init__(self, payload: bytes, state: Any, provision_info: Any, grpc_server: Any) -> None:
        super().__init__(state, provision_info, grpc_server)

    def start_worker(self) -> None:
        """Ask for the process; it connects back."""
        assert _start is not None
        _start(self.control_address, self.worker_id)

    def stop_worker(self) -> None:
        """Nothing to do: the driver reaps it."""
