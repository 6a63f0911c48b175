"""The options of `corpusforge run --on …`, and the command `corpusforge attach`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from corpusforge.errors import UsageError
from corpusforge.names import nearest

if TYPE_CHECKING:
    from corpusforge.submit.command import Run, Session

CLOUDS = ("dataproc", "dataflow")
CLOUD = "In a managed cloud"

DATAFLOW_JOB = re.compile(r"\d{4}-\d{2}-\d{2}_\d{2}_\d{2}_\d{2}-\d+")
"""How Dataflow names its jobs: the time in the Pacific, and a number."""

On = Annotated[
    str | None,
    typer.Option(help="Submit instead of running here: dataproc, dataflow.", rich_help_panel=CLOUD),
]
Project = Annotated[str | None, typer.Option(help="Google Cloud project.", rich_help_panel=CLOUD)]
Region = Annotated[str | None, typer.Option(help="Its region, as in europe-west4.", rich_help_panel=CLOUD)]
Cluster = Annotated[str | None, typer.Option(help="Name of a Dataproc cluster.", rich_help_panel=CLOUD)]
Serverless = Annotated[
    bool, typer.Option("--serverless", help="A batch without a cluster.", rich_help_panel=CLOUD)
]
Image = Annotated[
    str | None,
    typer.Option(
        help="Container image of a serverless batch, or of Dataflow's workers.", rich_help_panel=CLOUD
    ),
]
TempLocation = Annotated[
    str | None, typer.Option(help="gs://BUCKET/FOLDER for Dataflow's own files.", rich_help_panel=CLOUD)
]
Property = Annotated[
    list[str] | None,
    typer.Option(help="name=value, a Spark property; may be repeated.", rich_help_panel=CLOUD),
]
CloudOption = Annotated[
    list[str] | None,
    typer.Option(
        help="name=value: service_account, subnetwork, runtime_version, ttl_seconds, max_restarts_per_hour.",
        rich_help_panel=CLOUD,
    ),
]
Staging = Annotated[
    str | None,
    typer.Option(help="Where code and recipe are put; default: beside the output.", rich_help_panel=CLOUD),
]
Installed = Annotated[
    bool,
    typer.Option(
        "--installed", help="Send no code: the cluster or image has this version.", rich_help_panel=CLOUD
    ),
]
CancelOnInterrupt = Annotated[
    bool,
    typer.Option(
        "--cancel-on-interrupt", help="Ctrl-C cancels the job without asking.", rich_help_panel=CLOUD
    ),
]
ReportTo = Annotated[
    Path | None,
    typer.Option(help="Folder for the report; default: named like the job.", rich_help_panel=CLOUD),
]


def submit_run(
    run: Run,
    on: str,
    project: str | None,
    region: str | None,
    cluster: str | None,
    serverless: bool,
    image: str | None,
    temp_location: str | None,
    properties: Sequence[str],
    options: Sequence[str],
    staging: str | None,
    installed: bool,
    dry_run: bool,
    session: Session,
) -> int:
    """Check the options, then submit or, in a dry run, print the requests; gives the exit status."""
    from corpusforge.submit.errors import check_region

    if on not in CLOUDS:
        raise UsageError(f"cannot submit to {on!r}{nearest(on, CLOUDS)}: known: {', '.join(CLOUDS)}")
    missing = [name for name, value in (("--project", project), ("--region", region)) if not value]
    if not project or not region:
        raise UsageError(f"--on {on} needs {' and '.join(missing)}")
    check_region(region)
    if on == "dataflow":
        given = {
            "--cluster": cluster,
            "--serverless": serverless,
            "--property": properties,
            "--cloud-option": options,
            "--staging": staging,
            "--installed": installed,
        }
        _refuse(on, given, "Beam's pipeline options are --engine-option name=value")
        return _submit_to_dataflow(run, project, region, temp_location, image, dry_run, session)
    _refuse(on, {"--temp-location": temp_location}, "--staging names the folder for code and recipe")
    if (cluster is None) == (not serverless):
        raise UsageError("--on dataproc needs one of --cluster NAME and --serverless")
    from corpusforge.submit.command import describe, submit
    from corpusforge.submit.dataproc import Target

    target = Target(
        project=project,
        region=region,
        cluster=cluster,
        image=image,
        properties=_pairs("--property", properties),
        options=_pairs("--cloud-option", options),
    )
    if dry_run:
        _print_json(describe(run, target, staging, installed))
        return 0
    return submit(run, target, staging, installed, session)


def _submit_to_dataflow(
    run: Run,
    project: str,
    region: str,
    temp_location: str | None,
    image: str | None,
    dry_run: bool,
    session: Session,
) -> int:
    from corpusforge.submit.dataflow import DataflowTarget, describe, submit

    if temp_location is None:
        raise UsageError("--on dataflow needs --temp-location gs://BUCKET/FOLDER")
    target = DataflowTarget(project, region, temp_location, image, run.engine_options)
    if dry_run:
        _print_json(describe(run, target))
        return 0
    return submit(run, target, session)


def _refuse(on: str, given: Mapping[str, object], instead: str) -> None:
    """Raise `UsageError` for options of another cloud: what is ignored in silence is found out too late."""
    for name, value in given.items():
        if value:
            raise UsageError(f"{name} is not for --on {on}: {instead}")


def _print_json(value: Mapping[str, object]) -> None:
    # Plain print: what is shown is JSON for other programs too.
    print(json.dumps(value, indent=2, sort_keys=True))


def attach(
    job: Annotated[str, typer.Argument(help="Id of the job or batch, as `run --on` printed it.")],
    project: Annotated[str, typer.Option(help="Google Cloud project.")],
    region: Annotated[str, typer.Option(help="Its region.")],
    serverless: Annotated[bool, typer.Option("--serverless", help="It is a batch.")] = False,
    cancel_on_interrupt: CancelOnInterrupt = False,
    report_to: ReportTo = None,
) -> None:
    """Follow a job on Dataproc again: its output from the beginning, its end, its report, its exit status."""
    from corpusforge.submit.command import Session
    from corpusforge.submit.command import attach as follow_again
    from corpusforge.submit.errors import check_region

    if DATAFLOW_JOB.fullmatch(job):
        raise UsageError(
            f"{job} is a job of Dataflow, one stage of a run that is driven from where it was started: "
            "the same `corpusforge run … --on dataflow` goes on with the run"
        )
    check_region(region)
    session = Session(Console(stderr=True), cancel_on_interrupt, report_to)
    raise typer.Exit(follow_again(project, region, job, serverless, session))


def _pairs(option: str, values: Sequence[str]) -> dict[str, str]:
    pairs = {}
    for value in values:
        name, separator, text = value.partition("=")
        if not separator or not name:
            raise UsageError(f"{option} takes name=value, not {value!r}")
        pairs[name] = text
    return pairs
