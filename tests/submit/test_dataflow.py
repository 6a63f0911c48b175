"""Jobs of Dataflow as Beam's own client makes them, read back as the API's messages; nothing leaves the machine."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from corpusforge.errors import UsageError
from corpusforge.plan import compile_plan
from corpusforge.recipe import Recipe, load_text
from corpusforge.submit import dataflow
from corpusforge.submit.command import Run, Session
from corpusforge.submit.dataflow import DataflowTarget, describe, submit

RECIPE = "name: small\nsources: {commoncrawl: {}}\nsteps: [extract, exact_dedup]\n"
IMAGE = "europe-west4-docker.pkg.dev/some-project/images/corpusforge-beam:1"
OUTPUT = "gs://bucket/runs/one"
TEMP = "gs://bucket/temp"


def target(image: str | None = IMAGE, temp: str = TEMP, **options: str) -> DataflowTarget:
    return DataflowTarget("some-project", "europe-west4", temp, image, options)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    for name in "ab":
        (tmp_path / f"{name}.warc.gz").write_bytes(b"x" * 100)
    return Run(load_text(RECIPE, "small.yaml"), {"commoncrawl": [f"file://{tmp_path}/*.warc.gz"]}, OUTPUT)


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The jobs of a small recipe on two shards."""
    pytest.importorskip("apache_beam", reason="needs the extra beam")
    folder = tmp_path_factory.mktemp("input")
    for name in "ab":
        (folder / f"{name}.warc.gz").write_bytes(b"x" * 100)
    recipe = load_text(f"shard_bytes: 100\n{RECIPE}", "small.yaml")
    run = Run(recipe, {"commoncrawl": [f"file://{folder}/*.warc.gz"]}, OUTPUT)
    return describe(run, target(max_num_workers="20", machine_type="n2-highmem-4", labels="team=data"))


def jobs_of(shown: dict[str, Any]) -> list[Any]:
    """The requests as the API's messages: unknown fields or values of a wrong type do not pass."""
    from google.cloud import dataflow as api

    return [api.CreateJobRequest.from_json(json.dumps(item["request"])) for item in shown["jobs"]]


def test_a_stage_is_a_job_and_each_is_a_valid_message(shown: dict[str, Any]) -> None:
    requests = jobs_of(shown)
    stages = [item["stage"] for item in shown["jobs"]]
    assert len(requests) == len(stages) >= 4
    assert stages == sorted(stages)
    assert shown["jobs"][0]["tasks"] == 2
    assert {item["message"] for item in shown["jobs"]} == {"google.dataflow.v1beta3.CreateJobRequest"}
    for request in requests:
        assert (request.project_id, request.location) == ("some-project", "europe-west4")
        assert request.job.type_.name == "JOB_TYPE_BATCH"
        (pool,) = request.job.environment.worker_pools
        assert [image.container_image for image in pool.sdk_harness_container_images] == [IMAGE]
        assert pool.worker_harness_container_image == IMAGE
        assert pool.num_threads_per_worker == 1
        assert pool.machine_type == "n2-highmem-4"
        assert pool.autoscaling_settings.max_num_workers == 20
        assert "use_runner_v2" in request.job.environment.experiments
        assert dict(request.job.labels) == {"team": "data"}
    assert len({request.job.name for request in requests}) == len(requests)
    assert shown["endpoint"] == "https://dataflow.googleapis.com"


def test_what_keeps_a_dry_run_off_the_network_is_not_in_the_jobs(shown: dict[str, Any]) -> None:
    for item in shown["jobs"]:
        options = item["request"]["job"]["environment"]["sdkPipelineOptions"]["options"]
        assert options["sdk_location"] == "container"
        assert not options.get("dry_run")
        assert not options.get("no_auth")
        assert not options.get("save_main_session")
        assert options["temp_location"].startswith(f"{TEMP}/")


def test_uploads_are_the_plan_and_a_pipeline_for_each_job(shown: dict[str, Any]) -> None:
    (plan,) = shown["uploads"]
    assert plan["to"].startswith(f"{OUTPUT}/stages/plan-")
    for item in shown["jobs"]:
        (upload,) = item["uploads"]
        options = item["request"]["job"]["environment"]["sdkPipelineOptions"]["options"]
        assert options["pipelineUrl"] == upload["to"]
        assert options["pipelineProtoHash"] == upload["sha256"]
        assert upload["bytes"] < 100_000
        assert not item["request"]["job"]["environment"]["workerPools"][0].get("packages")


def small_plan() -> tuple[Recipe, Any]:
    from corpusforge.sources.base import Shard

    recipe = load_text(RECIPE, "small.yaml")
    return recipe, compile_plan(recipe, [Shard(0, "commoncrawl", ())])


def job_of_the_first_stage(settings: dict[str, str]) -> Any:
    from corpusforge.engines.beam_work import Work
    from corpusforge.submit.dataflow_job import build_job

    _, plan = small_plan()
    work = Work(
        plan_file=f"{OUTPUT}/stages/plan-0.pickle",
        root=OUTPUT,
        stage=0,
        submission="0",
        watchdog_seconds=60.0,
    )
    return build_job(plan, work, [0], settings)


def test_the_staged_pipeline_is_a_valid_graph_in_the_image() -> None:
    beam = pytest.importorskip("apache_beam", reason="needs the extra beam")
    from apache_beam.portability.api import beam_runner_api_pb2
    from apache_beam.runners.pipeline_utils import validate_pipeline_graph

    built = job_of_the_first_stage(target().engine_options())
    ((place, data),) = built.files.items()
    assert place.endswith("/pipeline.pb")
    proto = beam_runner_api_pb2.Pipeline.FromString(data)
    validate_pipeline_graph(proto)
    names = {transform.unique_name for transform in proto.components.transforms.values()}
    assert {"Tasks", "Spread tasks", "Run tasks"} <= names
    docker = [
        beam_runner_api_pb2.DockerPayload.FromString(environment.payload).container_image
        for environment in proto.components.environments.values()
        if environment.urn == beam.portability.common_urns.environments.DOCKER.urn
    ]
    assert docker
    assert set(docker) == {IMAGE}


def test_a_template_is_the_job_itself_staged_where_the_option_says() -> None:
    pytest.importorskip("apache_beam", reason="needs the extra beam")
    from google.cloud import dataflow as api

    place = "gs://bucket/templates/read"
    built = job_of_the_first_stage({**target().engine_options(), "template_location": place})
    assert built.request is None
    assert sorted(name.rpartition("/")[2] for name in built.files) == ["pipeline.pb", "read"]
    job = api.Job.from_json(built.files[place])
    assert job.environment.worker_pools[0].worker_harness_container_image == IMAGE
    pipeline = next(name for name in built.files if name.endswith("/pipeline.pb"))
    options = json.loads(built.files[place])["environment"]["sdkPipelineOptions"]["options"]
    assert options["pipelineUrl"] == pipeline
    assert options["pipelineProtoHash"] == hashlib.sha256(built.files[pipeline]).hexdigest()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image": None}, "needs --image"),
        ({"temp": "/tmp/x"}, "--temp-location is gs://BUCKET/FOLDER"),
        ({"temp": "gs://bucket"}, "--temp-location is gs://BUCKET/FOLDER"),
        ({"region": "us-east1"}, "this is --region"),
        ({"runner": "FnApiRunner"}, "this is --on dataflow"),
        ({"max_num_wrokers": "3"}, "unknown option 'max_num_wrokers'"),
        ({"num_workers": "4", "max_num_workers": "2"}, "cannot exceed"),
    ],
)
def test_what_cannot_work_is_told_first(run: Run, change: dict[str, Any], message: str) -> None:
    pytest.importorskip("apache_beam", reason="needs the extra beam")
    with pytest.raises(UsageError, match=message):
        describe(run, target(**change))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"output": "runs/one"}, "which the cluster does not see"),
        ({"output": "s3://bucket/one"}, "--output is gs://BUCKET/FOLDER"),
        ({"inputs": {}}, "what to read"),
        ({"workers": 3}, "max_num_workers"),
    ],
)
def test_a_run_that_cannot_work_is_told_first(run: Run, change: dict[str, Any], message: str) -> None:
    pytest.importorskip("apache_beam", reason="needs the extra beam")
    values = {"inputs": run.inputs, "output": run.output, **change}
    with pytest.raises(UsageError, match=message):
        describe(Run(run.recipe, **values), target())


def session(text: io.StringIO) -> Session:
    return Session(Console(file=text, width=200))


def test_without_credentials_nothing_starts(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("apache_beam", reason="needs the extra beam")
    auth = pytest.importorskip("google.auth", reason="needs the extra cloud")

    def refuse(scopes: list[str]) -> None:
        raise auth.exceptions.DefaultCredentialsError("none found")

    monkeypatch.setattr(auth, "default", refuse)
    with pytest.raises(UsageError, match=r"none found\n.*gcloud auth application-default login"):
        submit(run, target(), session(io.StringIO()))


def test_without_beam_the_extra_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataflow.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r'pip install "corpusforge\[beam\]"'):
        describe(run, target())


def test_a_template_of_a_run_is_refused(run: Run) -> None:
    pytest.importorskip("apache_beam", reason="needs the extra beam")
    with pytest.raises(UsageError, match="a run is a row of them"):
        submit(run, target(template_location="gs://bucket/t"), session(io.StringIO()))


def test_an_interrupt_says_how_to_go_on(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("apache_beam", reason="needs the extra beam")
    given: dict[str, Any] = {}

    def interrupted(self: Recipe, inputs: Any, output: str, **settings: Any) -> None:
        given.update(settings)
        raise KeyboardInterrupt

    monkeypatch.setattr(Recipe, "run", interrupted)
    text = io.StringIO()
    assert submit(run, target(no_auth="true"), session(text)) == 130
    assert "The same command again goes on" in text.getvalue()
    assert given["engine"] == "beam"
    assert given["engine_options"]["runner"] == "DataflowRunner"
    assert given["engine_options"]["no_save_main_session"] == "true"


def command_line(recipe: Path, *more: str) -> subprocess.CompletedProcess[str]:
    recipe.write_text(RECIPE)
    command = [sys.executable, "-m", "corpusforge.cli", "run", str(recipe), "--on", "dataflow", *more]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def test_the_command_line_prints_the_jobs_and_writes_nothing(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("apache_beam", reason="needs the extra beam")
    place = ("--project", "some-project", "--region", "europe-west4", "--temp-location", TEMP)
    ((source, paths),) = run.inputs.items()
    done = command_line(
        tmp_path / "small.yaml",
        *place,
        "--image",
        IMAGE,
        "-i",
        f"{source}={paths[0]}",
        "-o",
        OUTPUT,
        "--dry-run",
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert len(found["jobs"]) >= 4
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.warc.gz", "b.warc.gz", "small.yaml"]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ((), "--on dataflow needs --project and --region"),
        (("--project", "p"), "--on dataflow needs --region"),
        (("--project", "p", "--region", "europe-west4-b"), "its region is europe-west4"),
        (("--project", "p", "--region", "europe-west4"), "needs --temp-location"),
        (
            ("--project", "p", "--region", "europe-west4", "--cluster", "c"),
            "--cluster is not for --on dataflow",
        ),
    ],
)
def test_missing_and_foreign_options_are_named(
    more: tuple[str, ...], message: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from typer.testing import CliRunner

    from corpusforge.cli import app

    arguments = ["run", "cc_pipeline", "-i", "commoncrawl=gs://b/x", "-o", OUTPUT, "--on", "dataflow", *more]
    result = CliRunner().invoke(app, arguments)
    assert isinstance(result.exception, UsageError)
    assert message in str(result.exception)
