"""What a person sees while a run goes on, and at its end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from corpusforge import storage
from corpusforge.engines.base import Progress
from corpusforge.mix.shares import print_mixture
from corpusforge.plan import Plan, Stage
from corpusforge.report.terminal import print_funnel, print_warnings
from corpusforge.run import RunSummary


class LiveProgress(Progress):
    """A bar per stage at work on a terminal; a line per stage where output is not a terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars = Bars(
            TextColumn("{task.description:<34}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._current: Any = None
        self._done = 0

    def __enter__(self) -> LiveProgress:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def stage_started(self, stage: Stage, done: int) -> None:
        """Show the stage with the tasks that an earlier attempt left."""
        self._done = done
        if self._current is not None:
            self._bars.remove_task(self._current)
        self._current = self._bars.add_task(_label(stage), total=stage.tasks, completed=done)

    def task_done(self, stage: Stage, task: int) -> None:
        """Move the bar."""
        self._bars.advance(self._current)

    def task_failed(self, stage: Stage, task: int, attempt: int, error: str) -> None:
        """Say what failed: the last line of the error."""
        last = error.strip().splitlines()[-1] if error.strip() else "unknown error"
        self._console.print(
            f"{_label(stage)} task {task}, attempt {attempt}: {last}", markup=False, style="yellow"
        )

    def document_killed(self, stage: Stage, task: int, entry: dict[str, Any]) -> None:
        """Say which document the watchdog gave up."""
        message = f"{_label(stage)}: gave up {entry['locator']} after {entry['seconds']} s; running task {task} again"
        self._console.print(message, markup=False, style="yellow")

    def stage_finished(self, stage: Stage) -> None:
        """Leave a line behind where there is no live display."""
        if not self._console.is_terminal:
            again = f" ({self._done} done before)" if self._done else ""
            self._console.print(f"{_label(stage)}: {stage.tasks} tasks{again}", markup=False, highlight=False)


def _label(stage: Stage) -> str:
    return f"{stage.index:02d} {stage.name}"


@contextmanager
def interruptible(console: Console) -> Iterator[LiveProgress]:
    """Progress of a run on this machine; Ctrl-C ends the command with status 130 and says how to go on."""
    try:
        with LiveProgress(console) as progress:
            yield progress
    except KeyboardInterrupt:
        # Typer ends an interrupted command without a word.
        console.print("interrupted; run the same command again to go on where this stopped")
        raise typer.Exit(130) from None


def announce(console: Console, plan: Plan, resumed: bool) -> None:
    """Say what is about to happen."""
    size = sum(file.size for shard in (*plan.collected, *plan.shards) for file in shard.files)
    verb = "going on with" if resumed else "running"
    console.print(
        f"{verb} {plan.options['name']}: {len(plan.shards)} shards, {size / 1e6:.1f} MB, {len(plan.stages)} stages",
        highlight=False,
    )


def _print_records(report: Mapping[str, Any], console: Console) -> None:
    """Say what was read of each source: a run on the wrong file, or a damaged one, must not look like a good one."""
    for source, entry in report["sources"].items():
        console.print(
            f"{source}: {entry['records']:,} records = {entry['documents']:,} documents + "
            f"{sum(entry['skipped'].values()):,} skipped + {entry['lost']:,} damaged",
            highlight=False,
            markup=False,
        )


def conclude(console: Console, summary: RunSummary) -> None:
    """Show the funnel, and where everything lies."""
    if summary.complete_before:
        console.print(f"{summary.root} is complete: nothing to do", markup=False, soft_wrap=True)
    _print_records(summary.report, console)
    print_funnel(summary.report, console)
    print_warnings(summary.report, console)
    details = summary.report.get("token_details", {})
    if len(details.get("mixture", {}).get("sources", {})) > 1:
        print_mixture(details["mixture"], details["tokens_by_source"], console)
    state = "closed" if summary.ledger["closed"] else "OPEN"
    console.print(f"ledger: {state} ({len(summary.ledger['checks'])} balances)")
    for name in ("documents/", "dropped/", "shards/", "report.html"):
        if storage.exists(storage.join(summary.root, name.rstrip("/"))):
            console.print(f"{name:<12} {summary.root}/{name}", highlight=False, markup=False, soft_wrap=True)
