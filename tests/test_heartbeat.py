"""The heartbeat tells who is busy with what, also of a worker that is dead."""

from __future__ import annotations

import time

from corpusforge import heartbeat
from corpusforge.engines import monitor
from corpusforge.heartbeat import SharedHeartbeat


def test_busy_between_begin_and_done(tmp_path):
    path = tmp_path / "beat"
    heartbeat.create(path)
    assert heartbeat.busy_with(path) is None
    shared = SharedHeartbeat(path)
    shared.source, shared.step = "web", "extract"
    before = time.monotonic()
    shared.begin("файл.warc.gz@12")
    busy = heartbeat.busy_with(path)
    assert (busy.source, busy.step, busy.locator) == ("web", "extract", "файл.warc.gz@12")
    assert monitor.busy(str(path)) == (busy.since, ["web", "extract", "файл.warc.gz@12"]), (
        "the other reader agrees"
    )
    assert before <= busy.since <= time.monotonic()
    assert 0 <= busy.seconds < 60
    shared.begin("b")
    assert heartbeat.busy_with(path).locator == "b", "nothing of the longer name before is left"
    shared.done()
    assert heartbeat.busy_with(path) is None


def test_any_name_fits(tmp_path):
    path = tmp_path / "beat"
    heartbeat.create(path)
    shared = SharedHeartbeat(path)
    for name in ("x" * 10_000, "bytes \udcff of a path", ""):
        shared.begin(name)
        assert heartbeat.busy_with(path).locator == name[:4000] or len(name) > 4000
        assert path.stat().st_size == 4096
