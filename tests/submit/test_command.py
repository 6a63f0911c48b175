"""Submitting against a server that speaks the Dataproc API, with Google's client; stores are local folders."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from corpusforge.errors import RunFailedError, UsageError
from corpusforge.recipe import load_text
from corpusforge.submit import bundle as bundles
from corpusforge.submit.command import Run, Session, attach, describe, submit
from corpusforge.submit.dataproc import Target
from corpusforge.submit.errors import ConnectionLostError

RECIPE = "name: small\nsources: {commoncrawl: {}}\nsteps: [extract]\n"
CLUSTER = Target(project="p", region="r", cluster="c")
SERVERLESS = Target(project="p", region="r", image="registry/p/i:1")


class Place:
    """A run, its folders, and everything that was shown."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.output = folder / "run"
        self.text = io.StringIO()
        self.printed: list[str] = []
        self.slept: list[float] = []
        recipe = load_text(RECIPE, "small.yaml")
        self.run = Run(recipe, {"commoncrawl": ["gs://bucket/*.warc.gz"]}, f"file://{self.output}")

    def session(self, server: Any, **settings: Any) -> Session:
        console = Console(file=self.text, width=200)
        return Session(
            console, report_to=self.folder / "report", channel=server.channel, sleep=self.slept.append,
            print_output=self.printed.append, **settings,
        )  # fmt: skip

    def leave(self, exit_status: int, *names: str) -> Callable[[list[str]], None]:
        """What the job does when it is submitted: results in the run directory, and an exit status."""

        def work(arguments: list[str]) -> None:
            self.output.mkdir(exist_ok=True)
            for name in names:
                (self.output / name).write_text(name)
            result = Path(arguments[arguments.index("--result") + 1].removeprefix("file://"))
            result.write_text(json.dumps({"exit_status": exit_status}))

        return work


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setattr(bundles, "code_archive", lambda: b"the wheel")
    return Place(tmp_path)


def test_a_job_is_staged_sent_followed_and_its_report_fetched(
    place: Place, dataproc_server: Callable[..., Any]
) -> None:
    server = dataproc_server("PENDING", "SETUP_DONE", "RUNNING", "RUNNING", "DONE")
    server.on_submit = place.leave(0, "report.html", "report.json")
    server.prints = {2: "00 read: 5 ta", 3: "sks\nweiß\n\f", 4: "ledger: closed\n"}
    assert submit(place.run, CLUSTER, None, False, place.session(server)) == 0

    (job,) = server.jobs.values()
    assert job.placement.cluster_name == "c"
    arguments = list(job.pyspark_job.args)
    for name in ("--code", "--recipe", "--result"):
        assert arguments[arguments.index(name) + 1].startswith(f"file://{place.output}.submit/")
    assert Path(job.pyspark_job.main_python_file_uri.removeprefix("file://")).is_file()
    code = arguments[arguments.index("--code") + 1]
    assert Path(code.removeprefix("file://")).read_bytes() == b"the wheel"
    assert list(job.pyspark_job.archive_uris) == [f"{code}#corpusforge-code"]
    recipe = Path(arguments[arguments.index("--recipe") + 1].removeprefix("file://")).read_text()
    assert load_text(recipe, "recipe.yaml").resolved() == place.run.recipe.resolved()
    assert arguments[arguments.index("--") + 1 :] == place.run.arguments()

    assert "".join(place.printed) == "00 read: 5 tasks\nweiß\nledger: closed\n"
    assert (place.folder / "report" / "report.html").read_text() == "report.html"
    assert not (place.folder / "report" / "ledger.json").exists()
    shown = place.text.getvalue()
    for state in ("PENDING", "SETUP_DONE", "RUNNING", "DONE"):
        assert shown.count(f" {state}\n") == 1
    assert f"corpusforge attach {job.reference.job_id} --project p --region r\n" in shown


def test_a_lost_connection_and_a_lost_answer_cost_nothing(
    place: Place, dataproc_server: Callable[..., Any]
) -> None:
    import grpc

    server = dataproc_server("PENDING", "RUNNING", "DONE")
    server.on_submit = place.leave(0)
    server.lose_first_answer = True
    down = (grpc.StatusCode.UNAVAILABLE, "connection refused")
    server.errors = {"SubmitJob": [down], "GetJob": [down, (grpc.StatusCode.RESOURCE_EXHAUSTED, "slow down")]}
    assert submit(place.run, CLUSTER, None, False, place.session(server)) == 0
    assert server.calls[:3] == ["SubmitJob"] * 3  # refused, answer lost, answered
    assert len(server.jobs) == 1
    assert place.text.getvalue().count("no answer") == 4
    assert place.slept[:2] == [1.0, 2.0]


def test_silence_ends_the_following_and_says_how_to_return(
    place: Place, dataproc_server: Callable[..., Any]
) -> None:
    import grpc

    server = dataproc_server("RUNNING")
    server.errors = {"GetJob": [(grpc.StatusCode.UNAVAILABLE, "gone")] * 100}
    with pytest.raises(ConnectionLostError, match=r"corpusforge attach corpusforge-small-\w+ --project p"):
        submit(place.run, CLUSTER, None, False, place.session(server))
    assert sum(place.slept) > 900
    assert ConnectionLostError.exit_status == 75


def test_a_quota_is_told_and_not_asked_again(place: Place, dataproc_server: Callable[..., Any]) -> None:
    import grpc

    server = dataproc_server("PENDING")
    server.errors = {"SubmitJob": [(grpc.StatusCode.RESOURCE_EXHAUSTED, "Insufficient 'CPUS' quota")]}
    with pytest.raises(RunFailedError, match="Insufficient 'CPUS' quota"):
        submit(place.run, CLUSTER, None, False, place.session(server))
    assert server.calls == ["SubmitJob"]


def test_a_quota_by_the_minute_is_waited_for(place: Place, dataproc_server: Callable[..., Any]) -> None:
    server = dataproc_server("DONE")
    server.on_submit = place.leave(0)
    server.errors = {"SubmitJob": [sys.modules["dataproc_server"].TooFastError]}
    assert submit(place.run, CLUSTER, None, False, place.session(server)) == 0
    assert server.calls[:2] == ["SubmitJob", "SubmitJob"]
    assert "600 a minute" in place.text.getvalue()


@pytest.mark.parametrize("code", ["UNKNOWN", "INTERNAL", "ABORTED", "DEADLINE_EXCEEDED"])
def test_trouble_on_the_way_is_no_end(place: Place, dataproc_server: Callable[..., Any], code: str) -> None:
    import grpc

    server = dataproc_server("RUNNING", "DONE")
    server.on_submit = place.leave(0)
    trouble = (grpc.StatusCode[code], "Stream removed")
    server.errors = {"SubmitJob": [trouble], "GetJob": [trouble]}
    assert submit(place.run, CLUSTER, None, False, place.session(server)) == 0
    assert place.text.getvalue().count("Stream removed") == 2
    assert len(server.jobs) == 1


def test_a_host_that_is_not_there_asks_for_the_region(
    place: Place, dataproc_server: Callable[..., Any]
) -> None:
    import grpc

    server = dataproc_server("RUNNING")
    server.errors = {"SubmitJob": [(grpc.StatusCode.UNAVAILABLE, "DNS resolution failed for x")] * 10}
    with pytest.raises(RunFailedError, match="is --region right"):
        submit(place.run, CLUSTER, None, False, place.session(server))
    assert len(server.calls) == 6


@pytest.mark.parametrize("code", ["PERMISSION_DENIED", "NOT_FOUND", "INVALID_ARGUMENT", "UNAUTHENTICATED"])
def test_what_the_user_must_mend_is_a_usage_error(
    place: Place, dataproc_server: Callable[..., Any], code: str
) -> None:
    import grpc

    server = dataproc_server("PENDING")
    server.errors = {"SubmitJob": [(grpc.StatusCode[code], "cluster c: the reason")]}
    with pytest.raises(UsageError, match="the reason"):
        submit(place.run, CLUSTER, None, False, place.session(server))


@pytest.mark.parametrize(("left", "state"), [(3, "ERROR"), (4, "ERROR"), (2, "ERROR"), (4, "DONE")])
def test_the_exit_status_is_that_of_the_run(
    place: Place, dataproc_server: Callable[..., Any], left: int, state: str
) -> None:
    server = dataproc_server("RUNNING", state)
    server.on_submit = place.leave(left, "report.json")
    assert submit(place.run, CLUSTER, None, False, place.session(server)) == left
    assert (place.folder / "report" / "report.json").exists()


def test_a_job_that_failed_without_a_word_is_an_error_with_the_detail(
    place: Place, dataproc_server: Callable[..., Any]
) -> None:
    server = dataproc_server("PENDING", "ERROR")
    server.detail = "Agent lost its node"
    with pytest.raises(RunFailedError, match="ended as ERROR: Agent lost its node"):
        submit(place.run, CLUSTER, None, False, place.session(server))


def test_an_attempt_that_failed_and_was_restarted_is_not_the_end(
    place: Place, dataproc_server: Callable[..., Any]
) -> None:
    server = dataproc_server("RUNNING", "ATTEMPT_FAILURE", "RUNNING", "DONE")
    server.on_submit = place.leave(0)
    assert submit(place.run, CLUSTER, None, False, place.session(server)) == 0


def test_a_batch_with_an_image(place: Place, dataproc_server: Callable[..., Any]) -> None:
    import grpc

    server = dataproc_server("PENDING", "RUNNING", "SUCCEEDED")
    server.on_submit = place.leave(0, "report.html")
    server.prints = {1: "hello\n"}
    # Made, but not readable at once.
    server.errors = {"GetBatch": [(grpc.StatusCode.NOT_FOUND, "not yet")]}
    assert submit(place.run, SERVERLESS, None, False, place.session(server)) == 0
    ((name, batch),) = server.batches.items()
    assert name.startswith("projects/p/locations/r/batches/corpusforge-small-")
    assert batch.runtime_config.container_image == "registry/p/i:1"
    assert batch.runtime_config.properties["spark.executorEnv.PYTHONPATH"] == "./corpusforge-code"
    assert place.printed == ["hello\n"]
    assert (place.folder / "report" / "report.html").exists()


def test_a_batch_that_failed(place: Place, dataproc_server: Callable[..., Any]) -> None:
    server = dataproc_server("PENDING", "FAILED")
    server.detail = "no capacity"
    with pytest.raises(RunFailedError, match="FAILED: no capacity"):
        submit(place.run, SERVERLESS, None, False, place.session(server))


@pytest.mark.parametrize("target", [CLUSTER, SERVERLESS])
def test_an_interrupt_cancels_when_asked_to(
    place: Place, dataproc_server: Callable[..., Any], target: Target
) -> None:
    server = dataproc_server("RUNNING")
    session = place.session(server, cancel_on_interrupt=True)
    session.sleep = interrupt_once(place)
    assert submit(place.run, target, None, False, session) == 130
    assert {"CancelJob", "CancelOperation"} & set(server.calls)
    assert " CANCELLED" in place.text.getvalue()


@pytest.mark.parametrize(("target", "method"), [(CLUSTER, "CancelJob"), (SERVERLESS, "CancelOperation")])
def test_a_job_that_ends_while_it_is_cancelled_is_a_job_that_ended(
    place: Place, dataproc_server: Callable[..., Any], target: Target, method: str
) -> None:
    import grpc

    server = dataproc_server("RUNNING", "DONE" if target is CLUSTER else "SUCCEEDED")
    server.on_submit = place.leave(0, "report.html")
    server.errors = {method: [(grpc.StatusCode.FAILED_PRECONDITION, "is in state DONE, cannot cancel")]}
    session = place.session(server, cancel_on_interrupt=True)
    session.sleep = interrupt_once(place)
    assert submit(place.run, target, None, False, session) == 0
    assert (place.folder / "report" / "report.html").exists()


def test_an_interrupt_before_the_request_says_what_is_known(
    place: Place, dataproc_server: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    import grpc

    server = dataproc_server("DONE")
    server.errors = {"SubmitJob": [(grpc.StatusCode.UNAVAILABLE, "down")]}
    session = place.session(server)
    session.sleep = interrupt_once(place)
    assert submit(place.run, CLUSTER, None, False, session) == 130
    assert "whether the job was submitted is not known" in place.text.getvalue()
    assert "corpusforge attach corpusforge-small-" in place.text.getvalue()

    def interrupted(bundle: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(bundles, "upload", interrupted)
    server.calls.clear()
    assert submit(place.run, CLUSTER, None, False, place.session(server)) == 130
    assert "nothing was submitted" in place.text.getvalue()
    assert not server.calls


def test_an_exit_status_that_is_none_is_told(place: Place, dataproc_server: Callable[..., Any]) -> None:
    def work(arguments: list[str]) -> None:
        result = Path(arguments[arguments.index("--result") + 1].removeprefix("file://"))
        result.write_text('{"exit_st')

    for state in ("DONE", "ERROR"):
        server = dataproc_server(state)
        server.on_submit = work
        session = place.session(server)
        if state == "DONE":
            assert submit(place.run, CLUSTER, None, False, session) == 0
        else:
            with pytest.raises(RunFailedError, match="ended as ERROR"):
                submit(place.run, CLUSTER, None, False, session)
    assert place.text.getvalue().count("holds no exit status") == 2


def test_an_interrupt_leaves_the_job_and_attach_finds_it_again(
    place: Place, dataproc_server: Callable[..., Any]
) -> None:
    server = dataproc_server("RUNNING", "RUNNING", "DONE")
    server.on_submit = place.leave(0, "report.html")
    server.prints = {0: "first\n", 2: "last\n"}
    session = place.session(server)
    session.sleep = interrupt_once(place)
    assert submit(place.run, CLUSTER, None, False, session) == 130
    assert "CancelJob" not in server.calls
    assert not (place.folder / "report").exists()

    (job,) = server.jobs
    assert f"follow it again with\n  corpusforge attach {job}" in place.text.getvalue()
    place.printed.clear()
    assert attach("p", "r", job, False, place.session(server)) == 0
    assert "".join(place.printed) == "first\nlast\n"
    assert (place.folder / "report" / "report.html").exists()


def test_attach_finds_a_batch_without_being_told(place: Place, dataproc_server: Callable[..., Any]) -> None:
    server = dataproc_server("SUCCEEDED")
    server.on_submit = place.leave(0)
    submit(place.run, SERVERLESS, None, False, place.session(server))
    (name,) = server.batches
    assert attach("p", "r", name.rsplit("/", 1)[1], False, place.session(server)) == 0


def test_attach_to_nothing_is_a_usage_error(place: Place, dataproc_server: Callable[..., Any]) -> None:
    with pytest.raises(UsageError, match="nobody"):
        attach("p", "r", "nobody", False, place.session(dataproc_server("DONE")))


def test_a_permission_that_ends_is_told_with_the_way_back(
    place: Place, dataproc_server: Callable[..., Any]
) -> None:
    import grpc

    server = dataproc_server("RUNNING", "DONE")
    session = place.session(server)

    def sleep(seconds: float) -> None:
        server.errors = {"GetJob": [(grpc.StatusCode.UNAUTHENTICATED, "token expired")]}

    session.sleep = sleep
    with pytest.raises(UsageError, match="token expired"):
        submit(place.run, CLUSTER, None, False, session)
    assert "the job goes on; again with\n  corpusforge attach" in place.text.getvalue()


def test_results_that_cannot_be_read_do_not_hide_the_end(
    place: Place, dataproc_server: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from corpusforge import storage

    def refuse(location: str) -> bytes:
        raise RuntimeError("503 from the store")

    server = dataproc_server("DONE")
    server.on_submit = place.leave(0, "report.html")
    monkeypatch.setattr(storage, "read_bytes", refuse)
    assert submit(place.run, CLUSTER, None, False, place.session(server)) == 0
    assert place.text.getvalue().count("503 from the store") == 2


def test_plugins_of_one_name_are_refused(place: Place, tmp_path: Path) -> None:
    run = Run(
        place.run.recipe,
        place.run.inputs,
        place.run.output,
        [tmp_path / "a" / "x.py", tmp_path / "b" / "x.py"],
    )
    with pytest.raises(UsageError, match="same file name"):
        describe(run, CLUSTER, None, False)


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        (
            OSError("Anonymous caller does not have storage.objects.create access, 401"),
            "no Google credentials",
        ),
        (PermissionError("403: a@b does not have storage.objects.create"), "Storage Object User"),
        (FileNotFoundError("The specified bucket does not exist."), "Is the bucket there"),
    ],
)
def test_a_store_that_refuses_is_explained(
    error: Exception, hint: str, monkeypatch: pytest.MonkeyPatch, place: Place
) -> None:
    def refuse(location: str, data: bytes) -> str:
        raise error

    monkeypatch.setattr(bundles.storage, "commit_bytes", refuse)
    run = Run(place.run.recipe, place.run.inputs, "gs://bucket/run")
    bundle = bundles.make_bundle(run.recipe, "recipe", [], "gs://bucket/run.submit", "job", True)
    with pytest.raises(UsageError, match=hint):
        list(bundles.upload(bundle))


def test_without_credentials_nothing_is_staged(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("google.cloud.dataproc_v1", reason="the extra cloud is not installed")
    import google.auth
    from google.auth.exceptions import DefaultCredentialsError

    def refuse(scopes: list[str]) -> None:
        raise DefaultCredentialsError("none found")

    monkeypatch.setattr(google.auth, "default", refuse)
    monkeypatch.delenv("CORPUSFORGE_DATAPROC_ENDPOINT", raising=False)
    session = Session(Console(file=place.text, width=200))
    with pytest.raises(UsageError, match="gcloud auth application-default login"):
        submit(place.run, CLUSTER, None, False, session)
    assert not place.output.with_name("run.submit").exists()


@pytest.mark.parametrize("region", ["europe-west4-a", "europe", "EU", ""])
def test_what_is_no_region_is_told_at_once(region: str) -> None:
    from corpusforge.submit.errors import check_region

    with pytest.raises(UsageError, match="region"):
        check_region(region)
    for known in ("europe-west4", "us-central1", "northamerica-northeast2", "europe-west12", "me-central2"):
        check_region(known)


def test_code_is_uploaded_once(place: Place, dataproc_server: Callable[..., Any]) -> None:
    for _ in range(2):
        server = dataproc_server("DONE")
        server.on_submit = place.leave(0)
        submit(place.run, CLUSTER, f"file://{place.folder}/staging", False, place.session(server))
    assert place.text.getvalue().count("already there:") == 1
    assert len(list((place.folder / "staging" / "code").iterdir())) == 1
    assert len(list((place.folder / "staging" / "jobs").iterdir())) == 2


def test_the_dry_run_is_what_the_api_takes_and_needs_no_library(place: Place) -> None:
    properties = {"spark.executor.cores": "4", "spark.executorEnv.CORPUSFORGE_MODELS": "gs://b/models"}
    options = {"ttl_seconds": "3600", "service_account": "a@b", "subnetwork": "s", "runtime_version": "2.3"}
    shown = describe(place.run, Target("p", "r", None, "i", properties, options), None, False)
    on_cluster = describe(
        place.run, Target("p", "r", "c", None, properties, {"max_restarts_per_hour": "2"}), None, True
    )
    assert shown["uploads"][0]["bytes"] == len(b"the wheel")
    assert "archive_uris" not in on_cluster["request"]["job"]["pyspark_job"]
    arguments = on_cluster["request"]["job"]["pyspark_job"]["args"]
    assert "--installed-version" in arguments
    assert arguments[arguments.index("--environment") + 1] == "CORPUSFORGE_MODELS=gs://b/models"
    api = pytest.importorskip("google.cloud.dataproc_v1", reason="the extra cloud is not installed")
    batch = api.CreateBatchRequest(shown["request"])
    assert batch.batch.environment_config.execution_config.ttl.total_seconds() == 3600
    assert batch.batch.runtime_config.properties["spark.executor.cores"] == "4"
    job = api.SubmitJobRequest(on_cluster["request"])
    assert job.job.scheduling.max_failures_per_hour == 2
    assert job.request_id == on_cluster["request"]["request_id"]


@pytest.mark.parametrize(
    ("inputs", "output", "staging", "target"),
    [
        ({"commoncrawl": ["/data/x"]}, "gs://b/o", None, CLUSTER),
        ({"commoncrawl": ["gs://b/x"]}, "runs/o", None, CLUSTER),
        ({"commoncrawl": ["gs://b/x"]}, "gs://b/o", "/tmp/s", CLUSTER),
        ({}, "gs://b/o", None, CLUSTER),
        ({"commoncrawl": ["gs://b/x"]}, "gs://b/o", None, Target("p", "r", "c", "image")),
        (
            {"commoncrawl": ["gs://b/x"]},
            "gs://b/o",
            None,
            Target("p", "r", "c", options={"ttl_seconds": "1"}),
        ),
        ({"commoncrawl": ["gs://b/x"]}, "gs://b/o", None, Target("p", "r", options={"tt_seconds": "1"})),
        ({"commoncrawl": ["gs://b/x"]}, "gs://b/o", None, Target("p", "r", options={"ttl_seconds": "soon"})),
    ],
)
def test_what_cannot_work_is_told_before_anything_is_sent(
    place: Place, inputs: dict[str, list[str]], output: str, staging: str | None, target: Target
) -> None:
    with pytest.raises(UsageError):
        describe(Run(place.run.recipe, inputs, output), target, staging, False)


@pytest.mark.slow
def test_the_command_line_to_the_end(
    place: Place, dataproc_server: Callable[..., Any], sample: Path, tmp_path: Path
) -> None:
    """`corpusforge run … --on` in a process of its own; the job really runs the staged driver with the staged code.

    The driver's engine is swapped for the local one, for a cluster is not at hand; all else is what was sent.
    """
    server = dataproc_server("RUNNING")
    jobs: list[subprocess.Popen[str]] = []

    def work(arguments: list[str]) -> None:
        (job,) = server.jobs.values()
        main = job.pyspark_job.main_python_file_uri.removeprefix("file://")
        local = [item for item in arguments if not item.startswith("--engine=")]
        command = [sys.executable, "-I", main, *local, "--engine=local", "--workers=1"]
        jobs.append(
            subprocess.Popen(command, cwd="/", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        )

    def look(number: int) -> None:
        if jobs[0].poll() is not None:
            server.states = ["DONE"]

    server.on_submit, server.on_look = work, look
    recipe = tmp_path / "small.yaml"
    recipe.write_text(RECIPE)
    command = [
        sys.executable, "-m", "corpusforge.cli", "run", str(recipe),
        "-i", f"commoncrawl=file://{sample}/warc/sample-00000.warc.gz", "-o", f"file://{tmp_path}/out",
        "--set", "error_budget=0.5",
        "--on", "dataproc", "--project", "p", "--region", "europe-west4", "--cluster", "c",
        "--report-to", str(tmp_path / "back"),
    ]  # fmt: skip
    environment = {**os.environ, "CORPUSFORGE_DATAPROC_ENDPOINT": f"127.0.0.1:{server.port}"}
    finished = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=400, check=False
    )
    jobs[0].kill()  # does nothing to one that ended
    printed, _ = jobs[0].communicate()
    assert finished.returncode == 0, finished.stderr + printed
    assert "ledger: closed" in printed
    assert json.loads((tmp_path / "back" / "ledger.json").read_bytes())["closed"] is True
    assert (tmp_path / "back" / "report.html").stat().st_size > 10_000


def interrupt_once(place: Place) -> Callable[[float], None]:
    """A sleep during which the user presses Ctrl-C the first time."""

    def sleep(seconds: float) -> None:
        place.slept.append(seconds)
        if len(place.slept) == 1:
            raise KeyboardInterrupt

    return sleep
