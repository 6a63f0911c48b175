"""Pipeline options from settings: nothing is guessed, nothing is dropped."""

from __future__ import annotations

import pytest

from corpusforge.errors import UsageError

pytest.importorskip("apache_beam", reason="needs the extra beam")

from apache_beam.options.pipeline_options import (
    DebugOptions,
    DirectOptions,
    GoogleCloudOptions,
    PortableOptions,
    SetupOptions,
    WorkerOptions,
)

from corpusforge.engines.beam_options import is_dry_run, pipeline_options


def test_settings_become_options_of_every_kind():
    options = pipeline_options(
        {
            "runner": "PortableRunner",
            "job_endpoint": "localhost:8099",
            "environment_type": "DOCKER",
            "project": "some-project",
            "num_workers": "7",
            "experiments": "a,b=c",
            "save_main_session": "true",
            "no_auth": "false",
        }
    )
    assert options.view_as(PortableOptions).job_endpoint == "localhost:8099"
    assert options.view_as(GoogleCloudOptions).project == "some-project"
    assert options.view_as(WorkerOptions).num_workers == 7
    assert options.view_as(DebugOptions).experiments == ["a", "b=c"]
    assert options.view_as(SetupOptions).save_main_session is True
    assert options.view_as(GoogleCloudOptions).no_auth is False


def test_workers_are_the_runner_s_unless_it_is_told_otherwise():
    assert pipeline_options({}, 3).view_as(DirectOptions).direct_num_workers == 3
    assert pipeline_options({"direct_num_workers": "2"}, 3).view_as(DirectOptions).direct_num_workers == 2


@pytest.mark.parametrize("name", ["temp_locaton", "Project", "workers"])
def test_an_unknown_name_is_an_error(name):
    with pytest.raises(UsageError, match=f"unknown option '{name}'"):
        pipeline_options({name: "x"})


def test_a_switch_takes_true_or_false_only():
    with pytest.raises(UsageError, match="true or false, not 'yes'"):
        pipeline_options({"save_main_session": "yes"})


def test_dry_run_is_seen():
    assert is_dry_run(pipeline_options({"dry_run": "true"}))
    assert not is_dry_run(pipeline_options({}))
