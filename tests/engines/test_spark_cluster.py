"""A real standalone cluster on loopback: a worker is killed, a task is tried twice at once, the bytes are the same."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest
from runs import digests, run_cli
from spark_runs import (
    SLOW_STAGE,
    engine,
    event_log,
    events,
    manifests,
    task_ends,
)

pytestmark = pytest.mark.slow


def leftovers(run: Path) -> list[Path]:
    """Half-written files among the outputs."""
    return [path for name in ("documents", "dropped", "quarantine") for path in (run / name).rglob(".*")]


def test_speculative_attempts_neither_double_nor_lose_anything(cluster, small, tmp_path):
    """The first task sleeps for ten minutes; Spark starts it a second time, and does not wait for the first."""
    output = tmp_path / "run"
    eager = {"interval": "200ms", "multiplier": "1.2", "quantile": "0.5", "minTaskRuntime": "200ms"}
    options = engine(
        *cluster.options,
        "speculation=true",
        *(f"conf.spark.speculation.{name}={value}" for name, value in eager.items()),
        *event_log(tmp_path / "events"),
        SLOW_MARKER=tmp_path / "marker",
        SLOW_ONCE=600,
    )
    done = run_cli(small.arguments(output, *options))
    assert done.returncode == 0, done.stderr
    twice = [end for end in task_ends(events(tmp_path / "events")) if end["Task Info"]["Speculative"]]
    assert [end for end in twice if end["Task End Reason"]["Reason"] == "Success"], "nothing was tried twice"
    assert (tmp_path / "marker").exists()
    assert digests(output) == small.digests
    assert leftovers(output) == []


def test_a_worker_killed_in_mid_job_costs_its_tasks_and_nothing_else(cluster, small, tmp_path):
    output = tmp_path / "run"
    options = engine(*cluster.options, *event_log(tmp_path / "events"), SLOW_BATCH=0.4)
    arguments = small.arguments(output, *options)
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    while len(manifests(output, SLOW_STAGE)) < 2:
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.02)
    assert cluster.kill_worker() >= 3, "the worker had no executor with a Python process"
    before = manifests(output)
    assert len(manifests(output, SLOW_STAGE)) < small.shards, "the stage was over when the worker was killed"
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    assert digests(output) == small.digests
    after = manifests(output)
    assert {name: after[name] for name in before} == before, "a committed task was done again"
    log = events(tmp_path / "events")
    assert [event for event in log if event["Event"] == "SparkListenerExecutorRemoved"]
    assert {end["Task End Reason"]["Reason"] for end in task_ends(log)} >= {"Success", "ExecutorLostFailure"}
    executors = {end["Task Info"]["Executor ID"] for end in task_ends(log)}
    assert len(executors) >= 2
    assert leftovers(output) == []
