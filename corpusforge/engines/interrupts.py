"""Ctrl-C reaches every process of the terminal's group; only the driver is to act on it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker


@contextmanager
def held_back() -> Iterator[None]:
    """Ctrl-C waits for the end of the block, and a process that is started inside it never hears of one.

    The blocked signal is inherited, so that even an interpreter which has not yet come to its first line
    is safe; a handler that the process sets for itself would be too late for that.
    """
    # It unblocks the signal when it has to start its process, so that has to be over before.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        with _noted():
            yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _noted() -> Iterator[None]:
    """A library's thread takes a signal that this one blocks; Python's handler would then act in here."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    heard: list[int] = []
    handler = signal.signal(signal.SIGINT, lambda number, frame: heard.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        if heard:
            signal.raise_signal(signal.SIGINT)
