"""A worker process of the local engine: takes task numbers from a pipe until the pipe closes."""

from __future__ import annotations

import ctypes
import gc
import os
import pickle
import select
import signal
import sys
import threading
import traceback
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from corpusforge.plan import Plan


GARBAGE_OBJECTS = 50_000
"""Containers made and not yet freed before the youngest are searched for cycles: the records of a batch are thousands.

Python's 700 made reading JSON lines a tenth slower; no cycle here is large.
"""


KEPT_BYTES = 128 << 20
"""Freed memory that a worker keeps for its next batch."""

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Parameters of glibc's mallopt."""


def main(connection: Connection, plan_file: str, root: str, heartbeat_file: str) -> None:
    """Serve requests: (stage index, task number), or (function, arguments).

    Answers ("done", "") or what the function gave, ("failed", traceback) or ("refused", (exit status, message)): an
    error for the user.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_driver, args=(connection.fileno(),), daemon=True).start()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    import pyarrow as pa

    pa.set_cpu_count(1)
    _keep_memory()
    from corpusforge import registry
    from corpusforge.errors import CorpusforgeError, StorageError
    from corpusforge.heartbeat import SharedHeartbeat
    from corpusforge.lean_imports import arrow_without_pandas
    from corpusforge.redaction import redacted
    from corpusforge.tasks.body import execute
    from corpusforge.tasks.context import TaskContext

    blob = pickle.loads(Path(plan_file).read_bytes())
    for plugin in blob["plugins"]:
        registry.load_plugin(Path(plugin))
    plan = pickle.loads(blob["plan"])
    if _built_in(plan):
        arrow_without_pandas()
    # What is there by now stays: no search for cycles has to look at it again.
    gc.freeze()
    gc.set_threshold(GARBAGE_OBJECTS, *gc.get_threshold()[1:])
    heartbeat = SharedHeartbeat(Path(heartbeat_file))
    while True:
        try:
            asked, argument = connection.recv()
        except (EOFError, OSError):
            return
        answer: tuple[str, Any]
        try:
            if callable(asked):
                answer = ("done", asked(*argument))
            else:
                stage = plan.stages[asked]
                execute(stage.body, TaskContext(plan, root, stage, argument, heartbeat))
                answer = ("done", "")
        except StorageError:
            answer = ("failed", redacted(traceback.format_exc(limit=-8)))  # the store may do better next time
        except CorpusforgeError as error:
            answer = ("refused", (error.exit_status, str(error)))
        except Exception:
            answer = ("failed", redacted(traceback.format_exc(limit=-8)))
        heartbeat.done()
        heartbeat.step = ""
        sys.stdout.flush()
        try:
            connection.send(answer)
        except OSError:
            return


def _keep_memory() -> None:
    """Arrays of a batch lie where those of the batch before lay.

    Otherwise each is given back and asked for anew, and half of a second in seven goes to clearing pages: by glibc
    for what is larger than 128 KiB, and by the allocator that Arrow brings.
    """
    import pyarrow as pa

    if "ARROW_DEFAULT_MEMORY_POOL" not in os.environ:
        pa.set_memory_pool(pa.system_memory_pool())
    with suppress(AttributeError, OSError):  # another C library
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_MMAP_THRESHOLD, 32 << 20)  # the most that it takes
        mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)


def _built_in(plan: Plan) -> bool:
    """Whether all sources and steps of a plan are of this project."""
    bodies = [stage.body for stage in plan.stages]
    parts = [part for body in bodies for part in getattr(body, "steps", ())]
    parts += [part for body in bodies for part in getattr(body, "sources", {}).values()]
    return all(type(part).__module__.startswith("corpusforge.") for part in parts)


def _end_with_driver(descriptor: int) -> None:
    """End the process once the driver's end of the pipe is closed, as it is however the driver dies.

    Otherwise a worker of a killed run would finish its task beside the workers of the run that resumes.
    """
    poll = select.poll()
    poll.register(descriptor, 0)  # a hang-up is always reported
    poll.poll()
    os._exit(1)
