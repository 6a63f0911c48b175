"""The job as a proto: it is Beam that spreads, groups and runs, and a Dataflow job of it is valid."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusforge import recipe as recipes
from corpusforge.engines.beam_work import Work
from corpusforge.engines.moving import Chunk, producers_of
from corpusforge.engines.shipping import ship_plan
from corpusforge.listing import list_shards
from corpusforge.plan import Plan, Stage, compile_plan

beam = pytest.importorskip("apache_beam", reason="needs the extra beam")

from apache_beam.portability import common_urns  # noqa: E402
from apache_beam.runners.portability.fn_api_runner import FnApiRunner  # noqa: E402

from corpusforge.engines.beam_options import pipeline_options  # noqa: E402
from corpusforge.engines.beam_pipeline import ChunkCoder, add_stage  # noqa: E402

DATAFLOW = {
    "runner": "DataflowRunner",
    "project": "some-project",
    "region": "europe-west1",
    "temp_location": "gs://bucket/temp",
    "staging_location": "gs://bucket/staging",
    "sdk_container_image": "europe-docker.pkg.dev/some-project/images/corpusforge-beam:1",
    "sdk_location": "container",
    "number_of_worker_harness_threads": "1",
    "experiments": "use_runner_v2,no_use_multiple_sdk_containers",
    "dry_run": "true",
    "no_auth": "true",
}


@pytest.fixture(scope="module")
def plan(core_recipe: Path, sample: Path) -> Plan:
    loaded = recipes.load(str(core_recipe), [])
    return compile_plan(loaded, list_shards(loaded, {"commoncrawl": [f"{sample}/warc/*.warc.gz"]}))


def stage_with(plan: Plan, consuming: bool) -> Stage:
    return next(stage for stage in plan.stages if bool(stage.body.consumes) == consuming and stage.tasks > 1)


def pipeline_for(plan: Plan, stage: Stage, tasks: list[int], root: str = "gs://bucket/run"):
    pipeline = beam.Pipeline(runner=FnApiRunner(), options=pipeline_options({}))
    add_stage(pipeline, Work(f"{root}/stages/plan-0.pickle", root, stage.index, "0", 60.0), plan, tasks)
    return pipeline


def labels_of(proto) -> dict[str, str]:
    """Our transforms by label, with their URNs."""
    found: dict[str, str] = {}
    for transform in proto.components.transforms.values():
        name, _, inner = transform.unique_name.partition("/")
        if not inner and not name.startswith("ref_"):  # the pipeline itself
            found[name] = transform.spec.urn
    return found


def values_of(pipeline, label: str) -> list[object]:
    """What a Create of the pipeline holds, after a way through the proto and back."""
    proto = pipeline.to_runner_api()
    again = beam.Pipeline.from_runner_api(proto, FnApiRunner(), pipeline_options({}))
    found: list[object] = []

    class Visitor(beam.pipeline.PipelineVisitor):
        def enter_composite_transform(self, node) -> None:
            if isinstance(node.transform, beam.Create) and node.full_label == label:
                found.extend(node.transform.values)

    again.visit(Visitor())
    return found


def test_a_stage_without_exchange_is_create_reshuffle_pardo(plan):
    stage = stage_with(plan, consuming=False)
    pipeline = pipeline_for(plan, stage, list(range(stage.tasks)))
    labels = labels_of(pipeline.to_runner_api())
    assert set(labels) == {"Tasks", "Spread tasks", "Run tasks"}
    assert labels["Spread tasks"] == common_urns.composites.RESHUFFLE.urn
    assert labels["Run tasks"] == common_urns.primitives.PAR_DO.urn
    assert values_of(pipeline, "Tasks") == list(range(stage.tasks))


def test_a_stage_behind_an_exchange_groups_chunks_and_tasks_by_key(plan):
    stage = stage_with(plan, consuming=True)
    pipeline = pipeline_for(plan, stage, list(range(stage.tasks)))
    labels = labels_of(pipeline.to_runner_api())
    assert labels["Group by task"] == common_urns.primitives.GROUP_BY_KEY.urn
    assert labels["Runs and tasks"] == common_urns.primitives.FLATTEN.urn
    assert labels["Read runs"] == labels["Run tasks"] == common_urns.primitives.PAR_DO.urn
    assert labels["Spread producers"] == common_urns.composites.RESHUFFLE.urn
    assert values_of(pipeline, "Tasks") == list(range(stage.tasks))
    assert values_of(pipeline, "Producers") == producers_of(plan, stage)
    assert len(producers_of(plan, stage)) == plan.exchanges[stage.body.consumes[0]].producer_tasks


@pytest.mark.slow
def test_every_stage_of_the_plan_has_a_valid_proto_with_an_element_a_task(plan):
    for stage in plan.stages:
        pipeline = pipeline_for(plan, stage, list(range(stage.tasks)))
        proto = pipeline.to_runner_api()
        beam.runners.pipeline_utils.validate_pipeline_graph(proto)
        assert len(values_of(pipeline, "Tasks")) == stage.tasks
        # By the runner's own fusion: what reads, what spreads and what runs never end up in one fused stage.
        _, fused = FnApiRunner().create_stages(proto)
        together = [
            {transform.unique_name.partition("/")[0] for transform in item.transforms} for item in fused
        ]
        assert not any({"Read runs", "Run tasks"} <= names for names in together)
        assert not any({"Tasks", "Run tasks"} <= names for names in together)


def test_a_resumed_stage_holds_only_the_tasks_that_are_left(plan):
    stage = stage_with(plan, consuming=True)
    assert values_of(pipeline_for(plan, stage, [1]), "Tasks") == [1]


@pytest.mark.slow
def test_the_job_does_not_grow_with_the_bytes_of_the_input(core_recipe, sample, tmp_path):
    """Twenty times the bytes in as many shards: the same job, but for how well a hash in it compresses."""
    from corpusforge.sample.command import write_sample

    sizes = []
    loaded = recipes.load(str(core_recipe), ["shard_bytes=100000000"])
    for pages in (8, 160):
        write_sample(tmp_path / str(pages), seed=1, pages=pages, files=2)
        shards = list_shards(loaded, {"commoncrawl": [f"{tmp_path / str(pages)}/warc/*.warc.gz"]})
        built = compile_plan(loaded, shards)
        jobs = [pipeline_for(built, stage, list(range(stage.tasks))) for stage in built.stages]
        sizes.append([job.to_runner_api().ByteSize() for job in jobs])
    assert len(sizes[0]) == len(sizes[1])
    assert all(abs(one - other) < 256 for one, other in zip(*sizes))


def test_documents_and_plan_are_not_in_the_job(plan):
    """The job names the plan's file; a plan of very many shards would not fit into a service's request."""
    stage = stage_with(plan, consuming=True)
    proto = pipeline_for(plan, stage, list(range(stage.tasks))).to_runner_api().SerializeToString()
    assert b"warc.gz" not in proto
    assert len(proto) < 100_000


@given(
    st.builds(
        Chunk,
        partition=st.integers(0, 2**40),
        exchange=st.integers(0, 100),
        producer=st.integers(0, 2**40),
        offset=st.integers(0, 2**62),
        run_bytes=st.integers(0, 2**62),
        data=st.binary(max_size=500),
    )
)
def test_chunks_go_through_their_coder(chunk):
    assert ChunkCoder().decode(ChunkCoder().encode(chunk)) == chunk


def test_the_exchange_uses_the_coder_for_chunks_and_a_deterministic_key(plan):
    stage = stage_with(plan, consuming=True)
    pipeline = pipeline_for(plan, stage, list(range(stage.tasks)))
    hints = {}

    class Visitor(beam.pipeline.PipelineVisitor):
        def visit_transform(self, node) -> None:
            hints[node.full_label] = [output.element_type for output in node.outputs.values()]

        enter_composite_transform = visit_transform

    pipeline.visit(Visitor())
    coder = beam.coders.registry.get_coder(hints["Read runs"][0])
    key, value = coder.coders()
    assert isinstance(key, beam.coders.VarIntCoder)
    assert isinstance(value, ChunkCoder)


@pytest.mark.parametrize("consuming", [False, True])
def test_a_dataflow_job_is_built_and_valid_without_sending_anything(plan, consuming):
    """Options validated by Beam's validator, the job built by Dataflow's own client code, then read back."""
    from apache_beam.runners.dataflow.dataflow_runner import DataflowRunner

    stage = stage_with(plan, consuming)
    runner = DataflowRunner()
    pipeline = beam.Pipeline(runner=runner, options=pipeline_options(DATAFLOW))
    work = Work("gs://bucket/run/stages/plan-0.pickle", "gs://bucket/run", stage.index, "0", 60.0)
    add_stage(pipeline, work, plan, list(range(stage.tasks)))
    result = pipeline.run()
    proto = result.job.proto_pipeline
    beam.runners.pipeline_utils.validate_pipeline_graph(proto)
    assert {"Tasks", "Spread tasks", "Run tasks"} <= set(labels_of(proto))
    assert ("Group by task" in labels_of(proto)) == consuming
    environments = [item for item in proto.components.environments.values() if item.urn]
    images = [environment.payload for environment in environments]
    assert any(DATAFLOW["sdk_container_image"].encode() in image for image in images)
    assert result.job.proto.name


def test_dataflow_options_are_validated(plan):
    from apache_beam.runners.dataflow.dataflow_runner import DataflowRunner

    options = {**DATAFLOW, "project": "Some Project"}
    with pytest.raises(ValueError, match="Invalid Project ID"):
        beam.Pipeline(runner=DataflowRunner(), options=pipeline_options(options))


def test_a_shipped_plan_is_what_workers_load(plan, tmp_path):
    location = ship_plan(plan, str(tmp_path))
    loaded = Work(location, str(tmp_path), 0, "0", 60.0).plan
    assert loaded.digest == plan.digest
    assert [stage.id for stage in loaded.stages] == [stage.id for stage in plan.stages]
