"""What a Flink job service is sent with the documented options, taken by a service that speaks the Job API."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from corpusforge.plan import Plan, compile_plan
from corpusforge.recipe import load_text

pytest.importorskip("apache_beam", reason="needs the extra beam")

import apache_beam as beam
from apache_beam.portability import common_urns
from apache_beam.portability.api import beam_job_api_pb2, beam_runner_api_pb2
from apache_beam.runners.pipeline_utils import validate_pipeline_graph
from apache_beam.runners.portability.local_job_service import BeamJob, LocalJobServicer
from apache_beam.runners.portability.portable_runner import PortableRunner

from corpusforge.engines.beam_options import pipeline_options
from corpusforge.engines.beam_pipeline import add_stage
from corpusforge.engines.beam_work import Work

IMAGE = "registry.example.com/corpusforge-beam:0.1.0"
ROOT = "s3://bucket/run"


class RecordedJob(BeamJob):
    """A job that is taken and reported as done; nothing runs."""

    taken: ClassVar[list[tuple[Any, dict[str, Any]]]] = []

    def _run_job(self) -> None:
        self.taken.append((self._pipeline_proto, dict(self._pipeline_options)))
        self.set_state(beam_job_api_pb2.JobState.DONE)


@pytest.fixture(scope="module")
def plan() -> Plan:
    from corpusforge.sources.base import Shard

    recipe = load_text("sources: {commoncrawl: {}}\nsteps: [extract, exact_dedup]\n", "r.yaml")
    return compile_plan(recipe, [Shard(0, "commoncrawl", ())])


@pytest.mark.parametrize("consuming", [False, True])
def test_the_job_names_the_image_for_every_step_and_is_valid(
    plan: Plan, consuming: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RecordedJob, "taken", [])
    stage = next(stage for stage in plan.stages if bool(stage.body.consumes) == consuming)
    service = LocalJobServicer(beam_job_type=RecordedJob)
    port = service.start_grpc_server()
    try:
        options = pipeline_options({
            "job_endpoint": f"localhost:{port}",
            "environment_type": "DOCKER",
            "environment_config": IMAGE,
            "parallelism": "16",
        })  # fmt: skip
        pipeline = beam.Pipeline(runner=PortableRunner(), options=options)
        work = Work(
            plan_file=f"{ROOT}/stages/plan-0.pickle",
            root=ROOT,
            stage=stage.index,
            submission="0",
            watchdog_seconds=60.0,
        )
        add_stage(pipeline, work, plan, range(stage.tasks))
        assert pipeline.run().wait_until_finish() == "DONE"
    finally:
        service.stop()
    ((proto, sent),) = RecordedJob.taken
    validate_pipeline_graph(proto)
    assert sent["beam:option:parallelism:v1"] in (16, "16")
    environments = proto.components.environments
    steps = [step for step in proto.components.transforms.values() if step.environment_id]
    assert steps
    for step in steps:
        environment = environments[step.environment_id]
        assert environment.urn == common_urns.environments.DOCKER.urn
        assert beam_runner_api_pb2.DockerPayload.FromString(environment.payload).container_image == IMAGE
    names = {step.unique_name for step in proto.components.transforms.values()}
    assert ("Group by task" in names) == consuming
