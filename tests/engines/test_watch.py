"""A worker with a monitor beside it: what hangs is recorded and killed, what works is left alone."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from corpusforge import heartbeat
from corpusforge.engines import monitor
from corpusforge.engines.watch import kills_recorded, record_kill

WORKER = """
import sys, time
from corpusforge.engines.watch import WatchedHeartbeat
beat = WatchedHeartbeat(sys.argv[1], float(sys.argv[2]), "session")
beat.source, beat.step = "web", "slow step"
beat.working_on("03-stage", 5)
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
    deadline = time.monotonic() + 20
    while Path(folder).exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    return not Path(folder).exists()


def test_a_stuck_worker_is_recorded_and_killed(tmp_path: Path) -> None:
    process = worker(tmp_path, 0.6, "quick", "0.1", "päge@7 \udc80", "60")
    output, _ = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    kills = kills_recorded(str(tmp_path))
    named = {"source": "web", "step": "slow step", "locator": "päge@7 \udc80"}
    assert kills == [{**named, "seconds": 0.6, "stage": "03-stage", "task": 5}]
    assert gone(output.strip())
    # Although it was given up, a later attempt is stuck again: it is killed, and the next one ends at once.
    for reason in ("killed", "told"):
        process = worker(tmp_path, 0.6, "päge@7 \udc80", "60")
        _, errors = process.communicate(timeout=60)
        assert kills_recorded(str(tmp_path)) == kills
        if reason == "killed":
            assert process.returncode == -signal.SIGKILL
        else:
            assert "RunFailedError: step 'slow step' was stuck again, although it was given up" in errors


def test_what_no_step_can_leave_out_ends_at_the_next_attempt(tmp_path: Path) -> None:
    assert worker(tmp_path, 0.6, "nobody", "60").wait(timeout=60) == -signal.SIGKILL
    _, errors = worker(tmp_path, 0.6, "nobody", "60").communicate(timeout=60)
    assert "stuck, outside of any step that could leave it out, on nobody" in errors
    assert kills_recorded(str(tmp_path)) == []


def test_a_busy_worker_is_left_alone_and_the_monitor_ends_with_it(tmp_path: Path) -> None:
    process = worker(tmp_path, 3.0, *(["page", "0.2"] * 4))
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert kills_recorded(str(tmp_path)) == []
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
    psutil.wait_procs([beside], timeout=10)
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


@pytest.mark.parametrize("remote", [False, True])
def test_a_kill_is_recorded_once(tmp_path: Path, remote: bool) -> None:
    root = "memory://run" if remote else str(tmp_path)
    for locator in ("one", "two", "one"):
        entry = {
            "source": "web",
            "step": "slow",
            "locator": locator,
            "stage": "00-read",
            "task": 0,
            "seconds": 1.0,
        }
        record_kill(root, entry)
    assert [entry["locator"] for entry in kills_recorded(root)] == ["one", "two"]
    if not remote:
        with (tmp_path / "kills.jsonl").open("a") as file:
            file.write(json.dumps({"locator": "half"})[:-3])
        assert [entry["locator"] for entry in kills_recorded(root)] == ["one", "two"]
