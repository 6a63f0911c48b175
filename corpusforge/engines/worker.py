"""A worker process of the local engine: takes task numbers from a pipe until the pipe closes."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import traceback
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any


def main(connection: Connection, plan_file: str, root: str, heartbeat_file: str) -> None:
    """Serve (stage index, task number) requests with ("done", "") or ("failed", message)."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    import pyarrow as pa

    pa.set_cpu_count(1)
    from corpusforge import registry
    from corpusforge.errors import CorpusforgeError
    from corpusforge.heartbeat import SharedHeartbeat
    from corpusforge.tasks.body import execute
    from corpusforge.tasks.context import TaskContext

    blob = pickle.loads(Path(plan_file).read_bytes())
    for plugin in blob["plugins"]:
        registry.load_plugin(Path(plugin))
    plan = pickle.loads(blob["plan"])
    heartbeat = SharedHeartbeat(Path(heartbeat_file))
    while True:
        try:
            stage_index, number = connection.recv()
        except (EOFError, OSError):
            return
        stage = plan.stages[stage_index]
        answer: tuple[str, Any]
        try:
            execute(stage.body, TaskContext(plan, root, stage, number, heartbeat))
            answer = ("done", "")
        except CorpusforgeError as error:
            answer = ("usage", str(error))
        except Exception:
            answer = ("failed", traceback.format_exc(limit=-8))
        heartbeat.done()
        sys.stdout.flush()
        try:
            connection.send(answer)
        except OSError:
            return
