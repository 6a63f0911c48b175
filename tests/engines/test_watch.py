"""A worker with a monitor beside it: what hangs is recorded and killed, what works is left alone."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import psutil

from corpusforge import heartbeat, kills, storage
from corpusforge.engines import monitor
from corpusforge.engines.watch import Decisions, decide
from corpusforge.layout import RunLayout
from corpusforge.plan import Plan, Stage
from corpusforge.tasks.write import WriteBody

STAGE = "03-stage@"

WORKER = """
import sys, time
from corpusforge.engines.watch import WatchedHeartbeat
beat = WatchedHeartbeat(sys.argv[1], float(sys.argv[2]))
beat.source, beat.step = "web", "slow step"
beat.working_on("03-stage@", 5, "job")
print(beat._folder, flush=True)
for locator, seconds in zip(sys.argv[3::2], sys.argv[4::2]):
    beat.step = "" if locator == "nobody" else "slow step"
    beat.begin(locator)
    end = time.monotonic() + float(seconds)
    while time.monotonic() < end:
        time.sleep(0.01)
    beat.done()
"""


def worker(root: Path, seconds: float, *documents: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WORKER, str(root), str(seconds), *documents],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def gone(folder: str) -> bool:
    deadline = time.monotonic() + 60
    while Path(folder).exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    return not Path(folder).exists()


def stage_of() -> tuple[Plan, Stage]:
    """A plan as far as a decision needs one: a stage whose task 5 is watched, with no input shard."""
    stage = Stage(3, "stage", WriteBody("all"), 6, "")
    plan = SimpleNamespace(shards=(), stages=(stage,))
    return cast(Plan, plan), stage


def decided(root: Path, job: str = "job") -> Decisions:
    plan, stage = stage_of()
    return decide(plan, str(root), stage, range(6), job, 0.6)


def kills_of(root: Path) -> list[dict[str, Any]]:
    return list(kills.read(RunLayout(str(root))).values())


def test_a_stuck_worker_is_killed_and_the_driver_gives_the_document_up(tmp_path: Path) -> None:
    process = worker(tmp_path, 0.6, "quick", "0.1", "päge@7 \udc80", "60")
    output, _ = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    assert gone(output.strip())
    assert kills_of(tmp_path) == [], "a monitor decides nothing"
    # Another attempt in the same job ends at once.
    _, errors = worker(tmp_path, 0.6, "päge@7 \udc80", "60").communicate(timeout=60)
    assert "GivenUpError" in errors
    found = decided(tmp_path)
    named = {"source": "web", "step": "slow step", "locator": "päge@7 \udc80"}
    assert found.kills == kills_of(tmp_path) == [{**named, "seconds": 0.6, "stage": STAGE, "task": 5}]
    assert (found.stuck, found.lost) == ({5}, {})
    assert decided(tmp_path) == Decisions(), "what was decided is over"
    # Although it was given up, a later attempt is stuck again.
    assert worker(tmp_path, 0.6, "päge@7 \udc80", "60").wait(timeout=60) == -signal.SIGKILL
    again = decided(tmp_path)
    assert again.lost.keys() == {5}
    assert "step 'slow step' was stuck again, although it was given up" in again.lost[5]
    assert kills_of(tmp_path) == found.kills
    assert not list(tmp_path.glob("stages/*/stuck-*"))


def test_a_kill_counts_only_where_no_twin_has_committed(tmp_path: Path) -> None:
    """The twin of a stuck attempt came through in the instant of the kill: its output holds the document."""
    assert worker(tmp_path, 0.6, "page", "60").wait(timeout=60) == -signal.SIGKILL
    _, stage = stage_of()
    manifest = RunLayout(str(tmp_path)).manifest(stage.id, 5)
    storage.commit_bytes(manifest, b'{"input": "", "files": {}, "value": null}')
    assert decided(tmp_path) == Decisions(stuck={5})
    assert kills_of(tmp_path) == []
    assert not list(tmp_path.glob("stages/*/stuck-*"))


def test_what_a_monitor_of_another_job_wrote_decides_nothing(tmp_path: Path) -> None:
    assert worker(tmp_path, 0.6, "page", "60").wait(timeout=60) == -signal.SIGKILL
    assert decided(tmp_path, "another") == Decisions()
    assert kills_of(tmp_path) == []


def test_what_no_step_can_leave_out_loses_its_task(tmp_path: Path) -> None:
    assert worker(tmp_path, 0.6, "nobody", "60").wait(timeout=60) == -signal.SIGKILL
    found = decided(tmp_path)
    assert found.lost.keys() == found.stuck == {5}
    assert "stuck, outside of any step that could leave it out, on nobody" in found.lost[5]
    assert kills_of(tmp_path) == []


def test_decisions_are_made_on_a_store_too() -> None:
    plan, stage = stage_of()
    root = "memory://watched"
    for task, locator in ((1, "one"), (2, "two \udc80")):
        location = storage.join(RunLayout(root).stage(stage.id), "stuck-job", f"{task:05d}.json")
        entry = json.dumps({"source": "web", "step": "slow", "locator": locator}, ensure_ascii=False)
        storage.commit_bytes(location, entry.encode("utf-8", "surrogateescape"))
    found = decide(plan, root, stage, range(6), "job", 1.0)
    assert [entry["locator"] for entry in found.kills] == ["one", "two \udc80"]
    assert list(kills.read(RunLayout(root)).values()) == found.kills


def test_a_busy_worker_is_left_alone_and_the_monitor_ends_with_it(tmp_path: Path) -> None:
    process = worker(tmp_path, 3.0, *(["page", "0.2"] * 4))
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert decided(tmp_path) == Decisions()
    assert gone(output.strip())


def test_the_monitor_ends_when_its_worker_is_killed(tmp_path: Path) -> None:
    process = worker(tmp_path, 30.0, "page", "60")
    assert process.stdout is not None
    folder = process.stdout.readline().strip()
    (beside,) = psutil.Process(process.pid).children()
    process.kill()
    process.wait()
    process.stdout.close()
    assert gone(folder)
    psutil.wait_procs([beside], timeout=60)
    assert not beside.is_running()


def test_the_monitor_reads_what_the_heartbeat_writes(tmp_path: Path) -> None:
    path = tmp_path / "heartbeat"
    heartbeat.create(path)
    beat = heartbeat.SharedHeartbeat(path)
    assert monitor.busy(str(path)) is None
    beat.source, beat.step = "web", "slow"
    beat.begin("sample@1")
    found = monitor.busy(str(path))
    assert found is not None
    assert found[1] == ["web", "slow", "sample@1"]
    assert monitor.stuck(str(path), 100.0) is None
    assert monitor.stuck(str(path), 0.0) == ["web", "slow", "sample@1"]
    beat.done()
    assert monitor.stuck(str(path), 0.0) is None
