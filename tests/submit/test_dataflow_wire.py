"""What Beam really sends to Dataflow and stages in a bucket, taken by stand-ins on loopback, beside the dry run."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from corpusforge import storage
from corpusforge.plan import compile_plan
from corpusforge.recipe import load_text
from corpusforge.submit.dataflow import DataflowTarget

pytest.importorskip("apache_beam", reason="needs the extra beam")


class Service(ThreadingHTTPServer):
    """The method jobs.create of Dataflow's REST interface; a job is done as soon as it is made."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("localhost", 0), _Handler)
        self.requests: list[tuple[str, dict[str, Any]]] = []


class _Handler(BaseHTTPRequestHandler):
    server: Service

    def do_POST(self) -> None:
        job = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append((self.path.partition("?")[0], job))
        answer = {**job, "id": "2026-01-01_00_00_00-1", "currentState": "JOB_STATE_DONE"}
        data = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *values: Any) -> None:
        """Nothing of requests in the output of the tests."""


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    for name in ("NO_PROXY", "no_proxy"):  # a proxy of this machine would not find its loopback
        monkeypatch.setenv(name, "localhost,127.0.0.1")
    server = Service()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def comparable(job: Any) -> Any:
    """A job without what holds the time or a random number: its name, and places named by it."""
    text = json.dumps(job, sort_keys=True)
    text = re.sub(r"beamapp-[a-z0-9-]+?-\d{10}-\d{6}-[a-z0-9]{8}(\.[0-9.]+)?", "JOB", text)
    value = json.loads(text)
    value.pop("clientRequestId", None)
    options = value["environment"]["sdkPipelineOptions"]
    options.pop("display_data", None)  # the options that differ from Beam's defaults once more
    return value


def test_what_is_sent_is_what_the_dry_run_shows(bucket: str, service: Service, tmp_path: Path) -> None:
    import apache_beam as beam
    from apache_beam.runners.dataflow.dataflow_runner import DataflowRunner

    from corpusforge.engines.beam_options import pipeline_options
    from corpusforge.engines.beam_pipeline import add_stage
    from corpusforge.engines.beam_work import Work
    from corpusforge.sources.base import Shard
    from corpusforge.submit.dataflow_job import build_job

    recipe = load_text("sources: {commoncrawl: {}}\nsteps: [extract]\n", "r.yaml")
    plan = compile_plan(recipe, [Shard(0, "commoncrawl", ())])
    endpoint = f"http://localhost:{service.server_address[1]}"
    target = DataflowTarget(
        "some-project",
        "europe-west4",
        f"gs://{bucket}/temp",
        "registry.example.com/corpusforge-beam:1",
        {"dataflow_endpoint": endpoint, "no_auth": "true", "max_num_workers": "7"},
    )
    root = f"gs://{bucket}/run"
    work = Work(
        plan_file=f"{root}/stages/plan-0.pickle", root=root, stage=0, submission="0", watchdog_seconds=60.0
    )
    shown = build_job(plan, work, [0], target.engine_options())
    assert not service.requests

    options = pipeline_options(target.engine_options())
    pipeline = beam.Pipeline(runner=DataflowRunner(), options=options)
    add_stage(pipeline, work, plan, [0])
    assert pipeline.run().wait_until_finish() == "DONE"

    ((path, sent),) = service.requests
    assert path == "/v1b3/projects/some-project/locations/europe-west4/jobs"
    expected = json.loads(
        type(shown.request).to_json(shown.request, always_print_fields_with_no_presence=False)
    )
    ours, theirs = comparable(expected["job"]), comparable(sent)
    hashes = [
        item["environment"]["sdkPipelineOptions"]["options"].pop("pipelineProtoHash")
        for item in (ours, theirs)
    ]
    assert ours["environment"] == theirs["environment"]
    assert set(hashes) == {_sha256(next(iter(shown.files.values()))), _staged_hash(sent)}


def _sha256(data: bytes) -> str:
    import hashlib

    return hashlib.sha256(data).hexdigest()


def _staged_hash(sent: dict[str, Any]) -> str:
    """Hash of the pipeline that lies in the bucket."""
    return _sha256(storage.read_bytes(sent["environment"]["sdkPipelineOptions"]["options"]["pipelineUrl"]))
