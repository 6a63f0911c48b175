"""Following a job: its state, its output and its end, through lost connections."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from rich.console import Console

from corpusforge.errors import RunFailedError
from corpusforge.submit.dataproc import Snapshot
from corpusforge.submit.errors import (
    ConnectionLostError,
    explained,
    is_missing,
    is_passing,
    is_rate_limit,
)
from corpusforge.submit.output import DriverOutput

POLL_SECONDS = 5.0
LONGEST_DELAY = 60.0
PATIENCE_SECONDS = 900.0
"""Unanswered calls for that long end the following, not the job."""

APPEARS_SECONDS = 60.0
"""A batch may be readable only some time after it was made."""

SUBMIT_ATTEMPTS = 6


class Job(Protocol):
    """A submitted job or batch."""

    job: str

    def read(self) -> Snapshot:
        """Its state now; raises what the client raises."""

    def cancel(self) -> None:
        """Ask for its end."""

    def attach_command(self) -> str:
        """The command that follows it again."""


def insist(call: Callable[[], None], console: Console, sleep: Callable[[float], None] = time.sleep) -> None:
    """Make a call that may be repeated, again after passing trouble, with doubled delays.

    Raises what `explained` makes of any other trouble.
    """
    for attempt in range(1, SUBMIT_ATTEMPTS + 1):
        with explained():
            try:
                call()
                return
            except Exception as error:
                if not is_passing(error) or attempt == SUBMIT_ATTEMPTS:
                    raise
                delay = min(LONGEST_DELAY, 2.0 ** (attempt - 1))
                console.print(f"no answer ({_short(error)}); sending the same request again in {delay:.0f} s")
        sleep(delay)


class Follower:
    """Shows a job's states and output until it ends."""

    def __init__(
        self,
        job: Job,
        console: Console,
        printer: Callable[[str], None],
        sleep: Callable[[float], None] = time.sleep,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self._job = job
        self._console = console
        self._printer = printer
        self._sleep = sleep
        self._poll_seconds = poll_seconds
        self._shown_state = ""
        self._shown_tenth = -1
        self._output: DriverOutput | None = None
        self._output_trouble = False

    def until_the_end(self) -> Snapshot:
        """Give the last state. Raises `ConnectionLostError` after long silence."""
        begun = time.monotonic()
        with self._console.status("waiting for the first state") as status:
            while True:
                snapshot = self._read_patiently()
                self._show_state(snapshot)
                self._show_output(snapshot)
                if snapshot.outcome is not None:
                    return snapshot
                minutes = (time.monotonic() - begun) / 60
                share = "" if snapshot.progress is None else f", {snapshot.progress:.0%}"
                status.update(f"{snapshot.state}, {minutes:.0f} min{share}")
                self._sleep(self._poll_seconds)

    def _read_patiently(self) -> Snapshot:
        waited, delay = 0.0, 1.0
        while True:
            with explained():
                try:
                    return self._job.read()
                except Exception as error:
                    early = is_missing(error) and not self._shown_state and waited < APPEARS_SECONDS
                    if not (early or is_passing(error) or is_rate_limit(error)):
                        if self._shown_state:
                            self._console.print(
                                f"following ends, the job goes on; again with\n  {self._job.attach_command()}",
                                markup=False,
                                soft_wrap=True,
                            )
                        raise
                    if waited >= PATIENCE_SECONDS:
                        raise ConnectionLostError(
                            f"no answer for {waited:.0f} s ({_short(error)}). The job goes on; follow it again with\n"
                            f"  {self._job.attach_command()}"
                        ) from error
                    if not early:
                        self._console.print(f"no answer ({_short(error)}); asking again in {delay:.0f} s")
            self._sleep(delay)
            waited += delay
            delay = min(LONGEST_DELAY, 2 * delay)

    def _show_state(self, snapshot: Snapshot) -> None:
        if snapshot.state != self._shown_state:
            self._shown_state = snapshot.state
            detail = f": {snapshot.detail}" if snapshot.detail else ""
            self._console.print(f"{snapshot.job} {snapshot.state}{detail}", markup=False, soft_wrap=True)
        tenth = -1 if snapshot.progress is None else int(snapshot.progress * 10)
        if tenth > self._shown_tenth and not self._console.is_terminal:
            self._console.print(f"{snapshot.job} {tenth * 10} %", markup=False)
        self._shown_tenth = max(tenth, self._shown_tenth)

    def _show_output(self, snapshot: Snapshot) -> None:
        """Print what is new. Output that cannot be read is told once, and never ends the following."""
        if not snapshot.output:
            return
        try:
            if self._output is None:
                self._output = DriverOutput(snapshot.output)
            text = self._output.read()
        except Exception as error:
            # Each store's library has exceptions of its own; the job does not depend on its log being readable.
            if not self._output_trouble:
                self._console.print(f"cannot read {snapshot.output}: {_short(error)}", markup=False)
            self._output_trouble = True
            return
        self._output_trouble = False
        if text:
            self._printer(text)


def _short(error: BaseException) -> str:
    """An error in at most a line."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__


def failure(snapshot: Snapshot) -> RunFailedError:
    """The error of a job that left no exit status."""
    return RunFailedError(
        f"job {snapshot.job} ended as {snapshot.state}: {snapshot.detail or 'no detail given'}"
    )
