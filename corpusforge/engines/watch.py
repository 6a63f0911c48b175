"""Watching workers from beside them, where no driver can read their heartbeat: on executors of a cluster.

The worker starts one `monitor` process; it costs some milliseconds once and a look at a small file every half
second. What it kills is a line of ``kills.jsonl`` in the run directory, before the worker dies, so that the
engine's own retry finds it and leaves the document out. Where leaving it out cannot help, a small file in the
stage's folder says so, and the retry ends at once.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import json
import os
import pkgutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from corpusforge import heartbeat, kills, storage
from corpusforge.document import canonical_json
from corpusforge.errors import RunFailedError
from corpusforge.layout import RunLayout


class WatchedHeartbeat(heartbeat.SharedHeartbeat):
    """A heartbeat with a monitor of its own process; `working_on` says which task the process is at."""

    def __init__(self, root: str, seconds: float, session: str) -> None:
        """Start watching this process: `seconds` on one document at most, in the driver's `session`."""
        self._folder = Path(tempfile.mkdtemp(prefix="corpusforge-watch-"))
        self._task = self._folder / "task.json"
        path = self._folder / "heartbeat"
        heartbeat.create(path)
        super().__init__(path)
        self._root = root
        self._seconds = seconds
        self._session = session
        self._monitor = self._start(path)
        atexit.register(self.stop)

    def _start(self, path: Path) -> subprocess.Popen[bytes]:
        source = pkgutil.get_data("corpusforge.engines", "monitor.py")
        assert source is not None
        record = [sys.executable, "-m", "corpusforge.engines.watch", str(self._task)]
        return subprocess.Popen(
            [
                sys.executable,
                "-S",
                "-E",
                "-c",
                source,
                str(os.getpid()),
                str(path),
                str(self._seconds),
                *record,
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )

    def working_on(self, stage_id: str, task: int) -> None:
        """Note the task that is about to run. Raises `RunFailedError` when an earlier attempt was stuck for good."""
        layout = RunLayout(self._root)
        stuck = _stuck_file(layout, stage_id, task, self._session)
        if storage.exists(stuck):
            raise RunFailedError(storage.read_bytes(stuck).decode("utf-8", "surrogateescape"))
        facts = {"stage": stage_id, "task": task, "seconds": self._seconds}
        noted = {
            "root": self._root,
            "session": self._session,
            "given_up": sorted(kills.read(layout)),
            "facts": facts,
        }
        self._task.write_text(json.dumps(noted))

    def stop(self) -> None:
        """End the monitor."""
        self._monitor.kill()
        self._monitor.wait()
        for path in self._folder.iterdir():
            path.unlink(missing_ok=True)
        self._folder.rmdir()


def record_kill(root: str, entry: Mapping[str, Any]) -> None:
    """Add a line to ``kills.jsonl``, once per source, step and locator.

    On a local or shared file system under a lock. A store without appends has the file written anew: of two
    kills in the same instant one may be lost there, and that document will be killed once more.
    """
    location = RunLayout(root).file(kills.KILLS_FILE)
    line = (canonical_json(entry) + "\n").encode("utf-8", "surrogateescape")
    if storage.is_remote(location):
        known = storage.read_bytes(location) if storage.exists(location) else b""
        if kills.key_of(entry) not in kills.parse(known):
            storage.commit_bytes(location, known + line)
        return
    with Path(location).open("a+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        if kills.key_of(entry) not in kills.parse(file.read()):
            file.write(line)
            file.flush()
            os.fsync(file.fileno())


def kills_recorded(root: str) -> list[dict[str, Any]]:
    """All kills so far; a line that is just being written is left for the next time."""
    location = RunLayout(root).file(kills.KILLS_FILE)
    data = b""
    with contextlib.suppress(FileNotFoundError):
        data = storage.read_bytes(location)
    return list(kills.parse(data).values())


def _stuck_file(layout: RunLayout, stage_id: str, task: int, session: str) -> str:
    """Where it is told that a task is stuck for good; another driver (session) tries again."""
    return layout.task_file(stage_id, task, f"stuck-{session}.txt")


def main(task_file: str, source: str, step: str, locator: str) -> None:
    """What the monitor runs to record a kill, or that leaving the document out cannot help."""
    noted = json.loads(Path(task_file).read_text())
    facts, layout = noted["facts"], RunLayout(noted["root"])
    where = f"{locator} for more than {facts['seconds']} s"
    if not step:
        message = f"stuck, outside of any step that could leave it out, on {where}"
    elif [source, step, locator] in noted["given_up"]:
        message = f"step {step!r} was stuck again, although it was given up, on {where}"
    else:
        record_kill(layout.root, {"source": source, "step": step, "locator": locator, **facts})
        return
    stuck = _stuck_file(layout, facts["stage"], facts["task"], noted["session"])
    storage.commit_bytes(stuck, message.encode("utf-8", "surrogateescape"))


if __name__ == "__main__":
    main(*sys.argv[1:5])
