"""What an engine is: something that runs the tasks of a stage until each is committed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any

from corpusforge.plan import Plan, Stage


class Progress:
    """Hears what happens; does nothing by itself. Drivers and tests override what they need."""

    def stage_started(self, stage: Stage, done: int) -> None:
        """A stage begins with `done` of its tasks committed earlier."""

    def task_done(self, stage: Stage, task: int) -> None:
        """A task was committed."""

    def task_failed(self, stage: Stage, task: int, attempt: int, error: str) -> None:
        """An attempt at a task failed."""

    def document_killed(self, stage: Stage, task: int, entry: dict[str, Any]) -> None:
        """The watchdog gave up a document; its task will run again without it."""

    def stage_finished(self, stage: Stage) -> None:
        """All tasks of a stage are committed."""


class Engine(ABC):
    """Runs tasks. Use as a context manager; `plan` and `root` hold for all stages of one run."""

    @abstractmethod
    def run_stage(self, stage: Stage, tasks: Sequence[int], progress: Progress) -> None:
        """Run the given tasks of a stage until all are committed.

        Raises `RunFailedError` when a task has failed for good; what the others committed stays.
        """

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """What a function gives, called here or in a worker: for work at the end of a run that needs kernels."""
        return function(*arguments)

    @abstractmethod
    def close(self) -> None:
        """Stop all workers."""

    def __enter__(self) -> Engine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def pending_tasks(plan: Plan, root: str, stage: Stage) -> list[int]:
    """Tasks of a stage that have no committed manifest yet."""
    from corpusforge.tasks.body import is_committed
    from corpusforge.tasks.context import TaskContext

    return [task for task in range(stage.tasks) if not is_committed(TaskContext(plan, root, stage, task))]
