"""The launcher without its process: which runner it takes, dry runs, jobs taken back."""

from __future__ import annotations

from multiprocessing import Pipe
from pathlib import Path

import pytest

from corpusforge import recipe as recipes
from corpusforge.engines.beam_launcher import Settings, _Launcher
from corpusforge.engines.beam_work import Work
from corpusforge.errors import UsageError
from corpusforge.listing import list_shards
from corpusforge.plan import Plan, compile_plan

pytest.importorskip("apache_beam", reason="needs the extra beam")

DATAFLOW = {
    "runner": "DataflowRunner",
    "project": "some-project",
    "region": "europe-west1",
    "temp_location": "gs://bucket/temp",
    "staging_location": "gs://bucket/staging",
    "sdk_container_image": "europe-docker.pkg.dev/some-project/images/corpusforge-beam:1",
    "sdk_location": "container",
    "dry_run": "true",
    "no_auth": "true",
}


@pytest.fixture(scope="module")
def plan(core_recipe: Path, sample: Path) -> Plan:
    loaded = recipes.load(str(core_recipe), [])
    return compile_plan(loaded, list_shards(loaded, {"commoncrawl": [f"{sample}/warc/*.warc.gz"]}))


def launcher_with(options: dict[str, str], workers: int = 1) -> _Launcher:
    return _Launcher(Pipe()[0], Settings(options, workers, None))


def work_at(root: str) -> Work:
    return Work(f"{root}/stages/plan-0.pickle", root, 0, "0", 60.0)


def test_a_dry_run_builds_dataflow_s_job_and_says_that_nothing_was_sent(plan):
    with pytest.raises(UsageError, match="valid; nothing was sent"):
        launcher_with(DATAFLOW).run(work_at("gs://bucket/run"), plan, [0, 1])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"project": "Some Project"}, "Invalid Project ID"),
        ({"num_workers": "4", "max_num_workers": "2"}, "cannot exceed"),
        ({"sdk_container_imge": "x"}, "unknown option 'sdk_container_imge'"),
    ],
)
def test_options_that_dataflow_would_refuse_are_refused_here(change, message, plan):
    with pytest.raises(UsageError, match=message):
        launcher_with({**DATAFLOW, **change}).run(work_at("gs://bucket/run"), plan, [0])


def test_an_option_with_a_value_of_the_wrong_type_does_not_pass(plan):
    with pytest.raises((SystemExit, UsageError)):
        launcher_with({"direct_num_workers": "many"}).run(work_at("gs://bucket/run"), plan, [0])


def test_the_runner_is_named_and_never_found_by_search():
    from apache_beam.runners.portability.fn_api_runner import FnApiRunner
    from apache_beam.runners.portability.portable_runner import PortableRunner

    assert type(launcher_with({})._runner("FnApiRunner")) is FnApiRunner
    assert type(launcher_with({}, workers=2)._runner("FnApiRunner")) is FnApiRunner
    assert isinstance(launcher_with({})._runner("PortableRunner"), PortableRunner)


def test_a_job_service_that_is_named_is_used_and_none_is_started():
    launcher = launcher_with({"runner": "PortableRunner", "job_endpoint": "flink:8099"})
    assert launcher_with({})._defaults("DataflowRunner")["no_save_main_session"] == "true"
    assert "no_save_main_session" not in launcher_with({"save_main_session": "true"})._defaults(
        "DataflowRunner"
    )
    assert launcher._defaults("PortableRunner") == {}
    assert launcher._defaults("FnApiRunner") == {}


class _Result:
    cancelled = 0

    def cancel(self) -> None:
        self.cancelled += 1
        raise ConnectionError("gone")


@pytest.mark.parametrize(("runner", "times"), [("DataflowRunner", 1), ("FnApiRunner", 0)])
def test_only_a_service_is_asked_to_take_its_job_back(runner, times):
    launcher = launcher_with({"runner": runner})
    launcher.cancel()
    launcher._result = _Result()
    launcher.cancel()
    assert launcher._result.cancelled == times
