"""Dataproc: the requests for a cluster's job and for a serverless batch, and one view of both while they run.

Requests are plain values with the field names of the API (google.cloud.dataproc.v1), so a dry run shows exactly
what would be sent, without credentials or the client library.
"""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import corpusforge
from corpusforge.errors import MissingExtraError, UsageError
from corpusforge.names import nearest
from corpusforge.submit.bundle import Bundle
from corpusforge.submit.errors import explained, require_credentials

CODE_FOLDER = "corpusforge-code"
"""Where executors find the unpacked package, below their working folder."""

ENDPOINT_VARIABLE = "CORPUSFORGE_DATAPROC_ENDPOINT"
"""Environment variable with the host:port of a stand-in for the API, reached without TLS and credentials."""

CALL_SECONDS = 60.0

OPTIONS = ("service_account", "subnetwork", "runtime_version", "ttl_seconds", "max_restarts_per_hour")
"""Names of ``--cloud-option``."""

EXECUTOR_VARIABLE = "spark.executorEnv."
"""Begin of the properties that set environment variables of executors. The driver gets the same ones."""

FINISHED = {
    "DONE": "done", "SUCCEEDED": "done",
    "ERROR": "failed", "FAILED": "failed",
    "CANCELLED": "cancelled",
}  # fmt: skip
"""States that end a job or batch, and what they mean. Others pass: an attempt that failed may be restarted."""


@dataclass(frozen=True)
class Target:
    """Where a run goes."""

    project: str
    region: str
    cluster: str | None = None
    """Name of the cluster; None: serverless."""
    image: str | None = None
    properties: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=dict)

    def check(self) -> None:
        """Raise `UsageError` for what does not fit together."""
        if self.cluster is not None and self.image is not None:
            raise UsageError(
                "--image is for --serverless; a cluster has its packages from an initialization action"
            )
        for name in self.options:
            if name not in OPTIONS:
                raise UsageError(f"unknown --cloud-option {name!r}{nearest(name, OPTIONS)}")
        serverless_only = {"service_account", "subnetwork", "runtime_version", "ttl_seconds"} & set(
            self.options
        )
        if self.cluster is not None and serverless_only:
            raise UsageError(
                f"--cloud-option {min(serverless_only)} is for --serverless; a cluster has its own"
            )
        if self.cluster is None and "max_restarts_per_hour" in self.options:
            raise UsageError("--cloud-option max_restarts_per_hour is for jobs of a cluster")


def new_job_id(recipe: str) -> tuple[str, str]:
    """(id of the job, id of the request) for one submission.

    Both API's rules hold for the first: lowercase letters, digits, hyphens, at most 63 characters. It is chosen
    here, so that a job whose answer was lost can still be found.
    """
    request = str(uuid.uuid4())
    name = re.sub(r"[^a-z0-9]+", "-", recipe.lower()).strip("-")[:30] or "run"
    return f"corpusforge-{name}-{request[:8]}", request


def job_request(
    target: Target, bundle: Bundle, job: str, request: str, arguments: Sequence[str]
) -> dict[str, Any]:
    """The request for a cluster (SubmitJobRequest of JobController)."""
    body: dict[str, Any] = {
        "reference": {"project_id": target.project, "job_id": job},
        "placement": {"cluster_name": target.cluster},
        "pyspark_job": {**_workload(target, bundle, arguments), "properties": _properties(target, bundle)},
        "labels": _labels(),
    }
    if "max_restarts_per_hour" in target.options:
        restarts = _whole_number(target.options, "max_restarts_per_hour")
        body["scheduling"] = {"max_failures_per_hour": restarts}
    return {"project_id": target.project, "region": target.region, "job": body, "request_id": request}


def batch_request(
    target: Target, bundle: Bundle, job: str, request: str, arguments: Sequence[str]
) -> dict[str, Any]:
    """The request without a cluster (CreateBatchRequest of BatchController)."""
    options = target.options
    runtime: dict[str, Any] = {"properties": _properties(target, bundle)}
    if target.image is not None:
        runtime["container_image"] = target.image
    if "runtime_version" in options:
        runtime["version"] = options["runtime_version"]
    execution: dict[str, Any] = {}
    if "service_account" in options:
        execution["service_account"] = options["service_account"]
    if "subnetwork" in options:
        execution["subnetwork_uri"] = options["subnetwork"]
    if "ttl_seconds" in options:
        execution["ttl"] = {"seconds": _whole_number(options, "ttl_seconds")}
    batch = {
        "pyspark_batch": _workload(target, bundle, arguments),
        "runtime_config": runtime,
        "labels": _labels(),
    }
    if execution:
        batch["environment_config"] = {"execution_config": execution}
    parent = f"projects/{target.project}/locations/{target.region}"
    return {"parent": parent, "batch": batch, "batch_id": job, "request_id": request}


def _workload(target: Target, bundle: Bundle, arguments: Sequence[str]) -> dict[str, Any]:
    """The part that both APIs share: driver script, its arguments, the archive for executors."""
    code = []
    if bundle.code is not None:
        code = ["--code", bundle.code.location, "--code-sha256", bundle.code.sha256]
    else:
        code = ["--installed-version", corpusforge.__version__]
    plugins = [part for item in bundle.plugins for part in ("--plugin", item.location)]
    for name, value in sorted(target.properties.items()):
        if name.startswith(EXECUTOR_VARIABLE):
            code += ["--environment", f"{name.removeprefix(EXECUTOR_VARIABLE)}={value}"]
    own = [*code, "--recipe", bundle.recipe.location, *plugins, "--result", bundle.result]
    workload: dict[str, Any] = {
        "main_python_file_uri": bundle.driver.location,
        "args": [*own, "--", *arguments],
    }
    if bundle.code is not None:
        workload["archive_uris"] = [f"{bundle.code.location}#{CODE_FOLDER}"]
    return workload


def _properties(target: Target, bundle: Bundle) -> dict[str, str]:
    """Spark properties; the user's come last."""
    own = {}
    if bundle.code is not None:
        own[f"{EXECUTOR_VARIABLE}PYTHONPATH"] = f"./{CODE_FOLDER}"
    return dict(sorted({**own, **target.properties}.items()))


def _labels() -> dict[str, str]:
    version = re.sub(r"[^a-z0-9_-]", "-", corpusforge.__version__.lower())
    return {"application": "corpusforge", "corpusforge-version": version}


def _whole_number(options: Mapping[str, str], name: str) -> int:
    if not options[name].isdecimal():
        raise UsageError(f"--cloud-option {name} takes a whole number, not {options[name]!r}")
    return int(options[name])


@dataclass(frozen=True)
class Snapshot:
    """A job or batch at one moment."""

    job: str
    state: str
    detail: str
    output: str
    """Prefix of the objects with the driver's output; "" before there are any."""
    progress: float | None
    """Share done, as YARN says; None where nobody says."""
    arguments: tuple[str, ...]

    @property
    def outcome(self) -> str | None:
        """`done`, `failed`, `cancelled`, or None while it goes on."""
        return FINISHED.get(self.state)

    def argument(self, name: str) -> str | None:
        """The value of an argument of the driver script or of the run; None when it was not given."""
        for index, argument in enumerate(self.arguments):
            if argument.startswith(f"{name}="):
                return argument.partition("=")[2]
            if argument == name and index + 1 < len(self.arguments):
                return self.arguments[index + 1]
        return None


class Dataproc:
    """The API of one project and region. `channel`: a gRPC channel instead of the usual one, for tests.

    Calls raise the client's exceptions; `corpusforge.submit.errors` explains them. Credentials come from
    Google's default chain. Raises `MissingExtraError` without the client library.
    """

    def __init__(self, project: str, region: str, channel: Any = None) -> None:
        try:
            from google.cloud import dataproc_v1
        except ImportError as error:
            raise MissingExtraError("--on dataproc", "cloud") from error
        self._api = dataproc_v1
        self.project, self.region = project, region
        self._channel = channel or _stand_in()
        self._jobs: Any = None
        self._batches: Any = None

    def require_credentials(self) -> None:
        """Raise `UsageError` without credentials, before anything is staged. A stand-in needs none."""
        if self._channel is None:
            require_credentials("--on dataproc")

    def jobs(self) -> Any:
        """The client of the jobs API."""
        if self._jobs is None:
            transport = self._api.services.job_controller.transports.JobControllerGrpcTransport
            self._jobs = self._client(self._api.JobControllerClient, transport)
        return self._jobs

    def batches(self) -> Any:
        """The client of the batches API."""
        if self._batches is None:
            transport = self._api.services.batch_controller.transports.BatchControllerGrpcTransport
            self._batches = self._client(self._api.BatchControllerClient, transport)
        return self._batches

    def _client(self, client: Callable[..., Any], transport: Callable[..., Any]) -> Any:
        if self._channel is not None:
            return client(transport=transport(channel=self._channel))
        with explained():
            return client(client_options={"api_endpoint": f"{self.region}-dataproc.googleapis.com:443"})

    def submit(self, request: Mapping[str, Any]) -> None:
        """Send a request of either kind once. Sending the same one again does not start a second job."""
        if "batch" in request:
            message = self._api.CreateBatchRequest(request)
            self.batches().create_batch(request=message, retry=None, timeout=CALL_SECONDS)
        else:
            message = self._api.SubmitJobRequest(request)
            self.jobs().submit_job(request=message, retry=None, timeout=CALL_SECONDS)

    def read_job(self, job: str) -> Snapshot:
        """A cluster's job now."""
        request = {"project_id": self.project, "region": self.region, "job_id": job}
        found = self.jobs().get_job(request=request, retry=None, timeout=CALL_SECONDS)
        shares = [float(application.progress) for application in found.yarn_applications]
        return Snapshot(
            job=job,
            state=found.status.state.name,
            detail=found.status.details,
            output=found.driver_output_resource_uri,
            progress=shares[-1] if shares else None,
            arguments=tuple(found.pyspark_job.args),
        )

    def read_batch(self, job: str) -> Snapshot:
        """A serverless batch now."""
        found = self._batch(job)
        return Snapshot(
            job=job,
            state=found.state.name,
            detail=found.state_message,
            output=found.runtime_info.output_uri,
            progress=None,
            arguments=tuple(found.pyspark_batch.args),
        )

    def _batch(self, job: str) -> Any:
        name = f"projects/{self.project}/locations/{self.region}/batches/{job}"
        return self.batches().get_batch(request={"name": name}, retry=None, timeout=CALL_SECONDS)

    def cancel_job(self, job: str) -> None:
        """Ask for the end of a cluster's job; it follows later."""
        request = {"project_id": self.project, "region": self.region, "job_id": job}
        self.jobs().cancel_job(request=request, retry=None, timeout=CALL_SECONDS)

    def cancel_batch(self, job: str) -> None:
        """Ask for the end of a batch: by cancelling the operation that made it, the API's only way."""
        operation = self._batch(job).operation
        self.batches().cancel_operation(request={"name": operation}, retry=None, timeout=CALL_SECONDS)


def _stand_in() -> Any:
    """A channel to the stand-in that the environment names, or None."""
    endpoint = os.environ.get(ENDPOINT_VARIABLE)
    if not endpoint:
        return None
    import grpc

    return grpc.insecure_channel(endpoint)
