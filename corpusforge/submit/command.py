"""`corpusforge run … --on dataproc` and `corpusforge attach`: from a recipe to the exit status of its job."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from corpusforge import storage
from corpusforge.errors import UsageError
from corpusforge.layout import RunLayout
from corpusforge.recipe import Recipe
from corpusforge.submit import bundle as bundles
from corpusforge.submit import dataproc
from corpusforge.submit.dataproc import Dataproc, Snapshot, Target
from corpusforge.submit.errors import is_missing, is_over, is_repeated
from corpusforge.submit.follow import Follower, failure, insist

FETCHED = ("report.html", "report.json", "ledger.json", "timings.json")
"""Results that are brought back, where the run got that far."""

INTERRUPTED = 130


@dataclass(frozen=True)
class Run:
    """What to run, in the words of the command line."""

    recipe: Recipe
    inputs: Mapping[str, Sequence[str]]
    output: str
    plugins: Sequence[Path] = ()
    limit: int | None = None
    workers: int | None = None
    engine_options: Mapping[str, str] = field(default_factory=dict)

    def check(self) -> None:
        """Raise `UsageError` where a path is of this machine: the cluster would not see it."""
        if not self.inputs:
            raise UsageError("what to read? give --input source=gs://…")
        paths = [path for paths in self.inputs.values() for path in paths]
        for path in [*paths, self.output]:
            if "://" not in path:
                raise UsageError(
                    f"{path} is a path of this machine, which the cluster does not see: give a URL"
                )

    def arguments(self) -> list[str]:
        """The arguments of `corpusforge run` on the cluster, behind the recipe."""
        inputs = [f"--input={source}={path}" for source, paths in self.inputs.items() for path in paths]
        options = [f"--engine-option={name}={value}" for name, value in sorted(self.engine_options.items())]
        more = [] if self.limit is None else [f"--limit={self.limit}"]
        more += [] if self.workers is None else [f"--workers={self.workers}"]
        return [*inputs, f"--output={self.output}", "--engine=spark", *options, *more]


@dataclass
class Session:
    """How to talk: to the user, to the API (a gRPC channel in tests), and how long to wait between looks."""

    console: Console
    cancel_on_interrupt: bool = False
    report_to: Path | None = None
    channel: Any = None
    sleep: Callable[[float], None] = time.sleep
    poll_seconds: float = 5.0
    print_output: Callable[[str], None] = field(default=lambda text: _print_output(text))


class SubmittedJob:
    """A job of a cluster, or a batch."""

    def __init__(self, cloud: Dataproc, job: str, serverless: bool) -> None:
        self._cloud = cloud
        self.job = job
        self._serverless = serverless

    def read(self) -> Snapshot:
        """Its state now."""
        return self._cloud.read_batch(self.job) if self._serverless else self._cloud.read_job(self.job)

    def cancel(self) -> None:
        """Ask for its end."""
        (self._cloud.cancel_batch if self._serverless else self._cloud.cancel_job)(self.job)

    def attach_command(self) -> str:
        """The command that follows it again."""
        kind = " --serverless" if self._serverless else ""
        return f"corpusforge attach {self.job} --project {self._cloud.project} --region {self._cloud.region}{kind}"


def submit(run: Run, target: Target, staging: str | None, installed: bool, session: Session) -> int:
    """Stage, send, follow; gives the exit status of the run on the cluster."""
    bundle, job, request = _prepare(run, target, staging, installed)
    cloud = Dataproc(target.project, target.region, session.channel)
    cloud.require_credentials()
    try:
        _stage(bundle, session.console)
    except KeyboardInterrupt:
        session.console.print("interrupted; nothing was submitted")
        return INTERRUPTED

    def send() -> None:
        try:
            cloud.submit(request)
        except Exception as error:
            if not is_repeated(error):  # the first answer was lost: the job is the one that was asked for
                raise

    handle = SubmittedJob(cloud, job, target.cluster is None)
    # Told before it is sent: whoever interrupts the sending does not know whether it arrived.
    session.console.print(
        f"submitting; to follow the job again: {handle.attach_command()}", markup=False, soft_wrap=True
    )
    try:
        insist(send, session.console, session.sleep)
    except KeyboardInterrupt:
        session.console.print(
            "interrupted; whether the job was submitted is not known: `corpusforge attach` tells"
        )
        return INTERRUPTED
    return follow(handle, session)


def _stage(bundle: bundles.Bundle, console: Console) -> None:
    for item, sent in bundles.upload(bundle):
        verb = "staged" if sent else "already there:"
        console.print(f"{verb} {item.location} ({len(item.data):,} bytes)", markup=False, soft_wrap=True)


def describe(run: Run, target: Target, staging: str | None, installed: bool) -> dict[str, Any]:
    """What `submit` would upload and send, as plain values."""
    bundle, _, request = _prepare(run, target, staging, installed)
    uploads = [
        {"to": item.location, "bytes": len(item.data), "sha256": item.sha256} for item in bundle.uploads()
    ]
    kind = "google.cloud.dataproc.v1.CreateBatchRequest"
    if "job" in request:
        kind = "google.cloud.dataproc.v1.SubmitJobRequest"
    endpoint = f"{target.region}-dataproc.googleapis.com:443"
    return {"uploads": uploads, "endpoint": endpoint, "message": kind, "request": request}


def attach(project: str, region: str, job: str, serverless: bool, session: Session) -> int:
    """Follow a job that was submitted earlier, from anywhere; gives the exit status of its run."""
    cloud = Dataproc(project, region, session.channel)
    handle = SubmittedJob(cloud, job, serverless)
    if not serverless:
        try:
            handle.read()
        except Exception as error:
            # Batches live under another name: what is no job may be one. Other trouble is the follower's.
            if is_missing(error):
                handle = SubmittedJob(cloud, job, True)
    return follow(handle, session)


def follow(handle: SubmittedJob, session: Session) -> int:
    """Follow to the end, fetch the report, give the exit status."""
    follower = Follower(handle, session.console, session.print_output, session.sleep, session.poll_seconds)
    try:
        last = follower.until_the_end()
    except KeyboardInterrupt:
        if not _wants_cancel(session):
            _say_how_to_return(handle, session.console)
            return INTERRUPTED
        try:
            insist(lambda: _cancel(handle), session.console, session.sleep)
            session.console.print("asked for the end of the job; waiting for it (Ctrl-C again: do not wait)")
            last = follower.until_the_end()
        except KeyboardInterrupt:
            _say_how_to_return(handle, session.console)
            return INTERRUPTED
    fetch_results(last, session)
    return exit_status(last, session.console)


def _cancel(handle: SubmittedJob) -> None:
    """Ask for a job's end; one that ended by itself meanwhile has what was asked for."""
    try:
        handle.cancel()
    except Exception as error:
        if not is_over(error):
            raise


def exit_status(last: Snapshot, console: Console) -> int:
    """The exit status of the run: what its driver left; else 0, or 130 for a cancelled job.

    Raises `RunFailedError` when the job failed before its driver could say anything.
    """
    if last.outcome == "cancelled":
        return INTERRUPTED
    location = last.argument("--result")
    left = None if location is None else _left(location, console)
    if left is not None and (left != 0 or last.outcome == "done"):
        return left
    if last.outcome == "done":
        return 0
    raise failure(last)


def _left(location: str, console: Console) -> int | None:
    """The exit status that a driver left; None where there is none that can be read."""
    result = _read(location, console)
    if result is None:
        return None
    try:
        return int(json.loads(result)["exit_status"])
    except (ValueError, KeyError, TypeError) as error:
        console.print(f"{location} holds no exit status: {error}", markup=False, soft_wrap=True)
        return None


def fetch_results(last: Snapshot, session: Session) -> None:
    """Copy the report and the books of a job to a local folder, those that are there."""
    output = last.argument("--output")
    if output is not None:
        fetch_report(output, session.report_to or Path(last.job), session.console)


def fetch_report(output: str, folder: Path, console: Console) -> None:
    """Copy the report and the books of a run directory to a local folder, those that are there."""
    for name in FETCHED:
        data = _read(RunLayout(output).file(name), console)
        if data is None:
            continue
        storage.commit_bytes(str(folder / name), data)
        console.print(f"fetched {folder / name}", markup=False, soft_wrap=True)


def _read(location: str, console: Console) -> bytes | None:
    """A file of the store; None where there is none, or with a word where the store fails."""
    try:
        return storage.read_bytes(location) if storage.exists(location) else None
    except Exception as error:
        # Each store's library has exceptions of its own; the job is over, and its end is still to be told.
        console.print(f"cannot read {location}: {error}", markup=False, soft_wrap=True)
        return None


def _prepare(
    run: Run, target: Target, staging: str | None, installed: bool
) -> tuple[bundles.Bundle, str, dict[str, Any]]:
    """(bundle, id of the job, request)."""
    run.check()
    target.check()
    if staging is not None and "://" not in staging:
        raise UsageError(f"--staging {staging} is a path of this machine, which the cluster does not see")
    name = run.recipe.options.name
    job, request_id = dataproc.new_job_id(name)
    folder = staging or f"{run.output.rstrip('/')}.submit"
    bundle = bundles.make_bundle(run.recipe, "recipe", run.plugins, folder, job, installed)
    make = dataproc.batch_request if target.cluster is None else dataproc.job_request
    return bundle, job, make(target, bundle, job, request_id, run.arguments())


def _wants_cancel(session: Session) -> bool:
    if session.cancel_on_interrupt:
        return True
    if not (sys.stdin.isatty() and session.console.is_terminal):
        return False
    try:
        return session.console.input("cancel the job? [y/N] ").strip().lower() in ("y", "yes")
    except (EOFError, KeyboardInterrupt):
        return False


def _say_how_to_return(handle: SubmittedJob, console: Console) -> None:
    console.print(
        f"the job goes on; follow it again with\n  {handle.attach_command()}", markup=False, soft_wrap=True
    )


def _print_output(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
