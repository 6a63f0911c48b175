"""The watchdog of a worker that nobody watches: a tiny process beside it, which imports nothing of ours.

Run as ``python -S -E -c <this file> WORKER HEARTBEAT_FILE SECONDS RECORDER…`` by the worker itself. When the worker is
busy with one document for longer than SECONDS it is stopped, the kill is recorded by the command RECORDER
(with source, step and locator as its last arguments), and the worker is killed. It ends with its worker.
"""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import sys
import time

HEADER = struct.Struct("<dHHH")
"""As in `corpusforge.heartbeat`: seconds of the monotonic clock, bytes of source, step and locator."""

POLL_SECONDS = 0.5


def busy(path: str) -> tuple[float, list[str]] | None:
    """Since when the worker is busy, and with what: source, step, locator; None between documents."""
    with open(path, "rb") as file:  # noqa: PTH123 - pathlib alone would double the start-up time
        raw = file.read()
    since, *lengths = HEADER.unpack_from(raw)
    if since == 0.0:
        return None
    place, parts = HEADER.size, []
    for length in lengths:
        parts.append(raw[place : place + length].decode("utf-8", "surrogateescape"))
        place += length
    return since, parts


def stuck(path: str, seconds: float) -> list[str] | None:
    """Source, step and locator of a document that takes too long."""
    found = busy(path)
    return found[1] if found is not None and time.monotonic() - found[0] > seconds else None


def main(worker: int, path: str, seconds: float, recorder: list[str]) -> None:
    """Watch the parent process `worker` until it is gone, then remove the folder of its heartbeat."""
    while os.getppid() == worker:
        document = stuck(path, seconds)
        if document is not None:
            # A stopped worker cannot finish the document while the kill is being written down.
            os.kill(worker, signal.SIGSTOP)
            time.sleep(0.01)
            if stuck(path, seconds) == document:
                subprocess.run([*recorder, *document], stdin=subprocess.DEVNULL, check=False)
                os.kill(worker, signal.SIGKILL)
                break
            os.kill(worker, signal.SIGCONT)
        time.sleep(min(POLL_SECONDS, seconds / 4))
    folder = os.path.dirname(path)  # noqa: PTH120
    for name in os.listdir(folder):  # noqa: PTH208
        os.unlink(os.path.join(folder, name))  # noqa: PTH108, PTH118
    os.rmdir(folder)  # noqa: PTH106


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], float(sys.argv[3]), sys.argv[4:])
