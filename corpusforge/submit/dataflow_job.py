"""The jobs of a run as Dataflow's own client code makes them, with everything that would leave this machine kept.

Beam's runner translates the pipeline and Beam's client builds the request; only the two methods of that client
that touch the network are replaced, the one that stages a file and the one that sends the request. The parts used
are internal to Beam (``apache_beam.runners.dataflow.internal.apiclient``), so its version is pinned.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import GoogleCloudOptions, PipelineOptions, TestOptions
from apache_beam.runners.dataflow.dataflow_runner import DataflowRunner
from apache_beam.runners.dataflow.internal import apiclient
from google.cloud import dataflow as api

from corpusforge import storage
from corpusforge.engines.beam_options import pipeline_options
from corpusforge.engines.beam_pipeline import add_stage
from corpusforge.engines.beam_work import Work
from corpusforge.engines.shipping import ship_plan
from corpusforge.errors import UsageError
from corpusforge.layout import RunLayout
from corpusforge.listing import list_shards
from corpusforge.plan import Plan, compile_plan
from corpusforge.recipe import Recipe

MESSAGE = "google.dataflow.v1beta3.CreateJobRequest"


@dataclass(frozen=True)
class BuiltJob:
    """One job: the files that would be staged, and the request; None where a template is staged in its place."""

    files: Mapping[str, bytes]
    """Location to bytes."""
    request: Any
    """A `google.cloud.dataflow.CreateJobRequest`."""


class _Recorder(apiclient.DataflowApplicationClient):  # type: ignore[misc]
    """Dataflow's client up to the network."""

    def __init__(self, options: PipelineOptions, staging: str) -> None:
        super().__init__(options, staging)
        self.files: dict[str, bytes] = {}
        self.request: Any = None

    def stage_file(
        self,
        gcs_or_local_path: str,
        file_name: str,
        stream: Any,
        mime_type: str = "",
        total_size: int | None = None,
    ) -> None:
        """Keep the file."""
        self.files[storage.join(gcs_or_local_path, file_name)] = bytes(stream.read())

    def submit_job_description(self, job: Any) -> None:
        """Keep the request."""
        options = self.google_cloud_options
        self.request = api.CreateJobRequest(
            project_id=options.project, location=options.region, job=job.proto
        )


def build_job(plan: Plan, work: Work, tasks: Sequence[int], settings: Mapping[str, str]) -> BuiltJob:
    """Build the job that runs `tasks` of the stage of `work`. Raises `UsageError` for options that Beam refuses."""
    offline = {**settings, "dry_run": "true", "no_auth": "true"}
    try:
        pipeline = beam.Pipeline(runner=DataflowRunner(), options=pipeline_options(offline))
    except (ValueError, SystemExit) as error:
        raise UsageError(f"--on dataflow: {error}") from error
    add_stage(pipeline, work, plan, tasks)
    job = pipeline.run().job
    client = _Recorder(job.options, job.root_staging_location)
    # What keeps the client off the network is no part of the job.
    job.options.view_as(TestOptions).dry_run = False
    job.options.view_as(GoogleCloudOptions).no_auth = settings.get("no_auth") == "true"
    client.create_job(job)
    return BuiltJob(client.files, client.request)


def describe_jobs(
    recipe: Recipe,
    inputs: Mapping[str, Sequence[str]],
    output: str,
    limit: int | None,
    settings: Mapping[str, str],
) -> dict[str, Any]:
    """What a run would upload and send, stage by stage, as plain values. Writes and sends nothing."""
    recipe.check()
    plan = compile_plan(recipe, list_shards(recipe, inputs)[:limit])
    with tempfile.TemporaryDirectory(prefix="corpusforge-plan-") as folder:
        shipped = Path(ship_plan(plan, folder))
        plan_data = shipped.read_bytes()
    plan_file = RunLayout(output).file("stages", shipped.name)
    jobs = []
    for stage in plan.stages:
        work = Work(
            plan_file=plan_file,
            root=output,
            stage=stage.index,
            submission="0",
            watchdog_seconds=recipe.options.watchdog_seconds,
        )
        built = build_job(plan, work, range(stage.tasks), settings)
        jobs.append({
            "stage": stage.id,
            "tasks": stage.tasks,
            "uploads": [_upload(place, data) for place, data in built.files.items()],
            "message": MESSAGE,
            "request": _plain(built.request),
        })  # fmt: skip
    return {
        "endpoint": settings.get("dataflow_endpoint", "https://dataflow.googleapis.com"),
        "uploads": [_upload(plan_file, plan_data)],
        "jobs": jobs,
    }


def _upload(place: str, data: bytes) -> dict[str, Any]:
    return {"to": place, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def _plain(request: Any) -> Any:
    """A request as JSON writes it, with the API's own names of fields."""
    if request is None:
        return None
    return json.loads(api.CreateJobRequest.to_json(request, always_print_fields_with_no_presence=False))
