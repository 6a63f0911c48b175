"""Dataflow: a run whose stages are jobs of the service, driven from this machine through Beam's own options.

The Beam engine's driver stays here: it sends one job a stage, follows it by the manifests that its tasks commit,
and closes the books. So nothing has to be found again after a lost connection: the same command goes on.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from corpusforge.errors import MissingExtraError, UsageError
from corpusforge.live import LiveProgress, announce, conclude
from corpusforge.submit.command import INTERRUPTED, Run, Session, fetch_report
from corpusforge.submit.errors import require_credentials

RUNNER = "DataflowRunner"

OWN_OPTIONS = {
    "project": "--project",
    "region": "--region",
    "temp_location": "--temp-location",
    "sdk_container_image": "--image",
    "runner": "--on dataflow",
    "dry_run": "--dry-run",
}
"""Pipeline options of Beam that an option of `corpusforge run` sets, and that option."""

BUCKET_PATH = re.compile(r"gs://[a-z0-9][-_.a-z0-9]{1,220}[a-z0-9]/.+")


@dataclass(frozen=True)
class DataflowTarget:
    """Where a run goes. `options`: pipeline options of Beam beyond those that have a field here."""

    project: str
    region: str
    temp_location: str
    image: str | None = None
    """Container image of the workers; it brings the package, so there is no default."""
    options: Mapping[str, str] = field(default_factory=dict)

    def check(self, run: Run) -> None:
        """Raise `UsageError` for what does not fit together or cannot work."""
        run.check()
        if self.image is None:
            raise UsageError(
                "--on dataflow needs --image: workers have the package from a container image "
                "(docker/Dockerfile.beam makes one)"
            )
        if run.workers is not None:
            raise UsageError(
                "--workers is for this machine; Dataflow's are limited by --engine-option max_num_workers=N"
            )
        for name, option in OWN_OPTIONS.items():
            if name in self.options:
                raise UsageError(f"--engine-option {name}: with --on dataflow this is {option}")
        for name, place in (("--temp-location", self.temp_location), ("--output", run.output)):
            if not BUCKET_PATH.fullmatch(place):
                raise UsageError(
                    f"{name} is gs://BUCKET/FOLDER for --on dataflow, not {place!r} (names of buckets are lowercase, "
                    "3 characters or more)"
                )

    def engine_options(self) -> dict[str, str]:
        """The options of the Beam engine, by Beam's names.

        The image has SDK and package (`sdk_location=container`), and no function of ours lives in a main program
        (`no_save_main_session`). One task at a time in a process: a task takes memory like a worker of the
        local engine.
        """
        own = {
            "runner": RUNNER,
            "project": self.project,
            "region": self.region,
            "temp_location": self.temp_location,
            "sdk_container_image": self.image or "",
            "sdk_location": "container",
            "no_save_main_session": "true",
            "number_of_worker_harness_threads": "1",
        }
        return {**own, **self.options}


def submit(run: Run, target: DataflowTarget, session: Session) -> int:
    """Run on Dataflow to the end and bring back the report; gives the exit status.

    Raises what a run raises, and `UsageError` without usable credentials.
    """
    _need_beam()
    target.check(run)
    if "template_location" in target.options:
        raise UsageError(
            "--engine-option template_location: a template holds one job and a run is a row of them; "
            "--dry-run shows each job and its template"
        )
    if target.options.get("no_auth") != "true":
        require_credentials("--on dataflow")
    console = session.console
    try:
        with LiveProgress(console) as progress:
            summary = run.recipe.run(
                run.inputs,
                run.output,
                engine="beam",
                engine_options=target.engine_options(),
                limit=run.limit,
                progress=progress,
                on_plan=lambda plan, resumed: announce(console, plan, resumed),
            )
    except KeyboardInterrupt:
        console.print(
            "interrupted; Dataflow was asked to end the job of this stage. The same command again goes on where "
            "this stopped"
        )
        return INTERRUPTED
    conclude(Console(), summary)
    fetch_report(run.output, session.report_to or Path(run.output.rstrip("/").rpartition("/")[2]), console)
    return 0


def describe(run: Run, target: DataflowTarget) -> dict[str, Any]:
    """Every job that `submit` would send, and what is uploaded for it, as plain values.

    Lists the inputs, for the jobs hold one element a task; sends nothing and needs no credentials of Dataflow.
    """
    _need_beam()
    target.check(run)
    from corpusforge.submit.dataflow_job import describe_jobs

    return describe_jobs(run.recipe, run.inputs, run.output, run.limit, target.engine_options())


def _need_beam() -> None:
    if importlib.util.find_spec("apache_beam") is None:
        raise MissingExtraError("--on dataflow", "beam")
