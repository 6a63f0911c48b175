"""What engines say of failed attempts, in the same words everywhere, and where they note them."""

from __future__ import annotations

import time
from collections.abc import Mapping

from corpusforge import storage
from corpusforge.document import canonical_json
from corpusforge.errors import CorpusforgeError, RunFailedError, UsageError
from corpusforge.layout import RunLayout
from corpusforge.redaction import redacted
from corpusforge.tasks.body import task_label

FAILURES = "failures.jsonl"
"""In a stage's folder: every failed attempt at a task, with the whole error."""


class FailureLog:
    """The failed attempts of one stage. Only the driver writes it, so a line is never torn and never lost."""

    def __init__(self, root: str, stage_id: str) -> None:
        self.location = storage.join(RunLayout(root).stage(stage_id), FAILURES)
        self._stage_id = stage_id

    def note(self, task: int, attempt: int, message: str) -> None:
        """Add a line: task, attempt from 1, the whole error, the time in seconds since 1970."""
        entry = {"task": task, "attempt": attempt, "error": redacted(message), "time": time.time()}
        before = storage.read_bytes(self.location) if storage.exists(self.location) else b""
        line = canonical_json(entry).encode("utf-8", "surrogateescape")
        storage.commit_bytes(self.location, before + line + b"\n")

    def raise_lost(self, lost: Mapping[int, str]) -> None:
        """Raise `RunFailedError` when tasks are lost: {task: error}. It names the first one."""
        if not lost:
            return
        first = min(lost)
        others = f" (and {len(lost) - 1} more)" if len(lost) > 1 else ""
        raise RunFailedError(
            f"task {task_label(self._stage_id, first)} failed{others}: {redacted(last_line(lost[first]))}\n"
            f"The whole error is in {redacted(self.location)}. The same command goes on where this stopped."
        )


def last_line(message: str) -> str:
    """Of a traceback: what was raised."""
    lines = message.strip().splitlines()
    return lines[-1].strip() if lines else "unknown error"


def death(what: str, status: int | None) -> str:
    """What is said of a process that ended without an answer; `status` as `multiprocessing` gives it."""
    hint = "; it may have run out of memory" if status == -9 else ""
    return f"the {what} process died (exit status {status}{hint})"


def refusal(status: int, message: str) -> CorpusforgeError:
    """The error that a task raised for the user to read, from what came over a pipe or a file."""
    return UsageError(message) if status == UsageError.exit_status else RunFailedError(message)
