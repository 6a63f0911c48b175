"""Fold tasks: integer counts of all shards, added up and finished to one small value."""

from __future__ import annotations

import json
from typing import ClassVar

from corpusforge import storage
from corpusforge.operations import Folder
from corpusforge.tasks.body import Body, TaskResult
from corpusforge.tasks.context import TaskContext


class FoldBody(Body):
    """Adds the partial counts of a map stage. Addition of integers: any order gives the same value."""

    operation: ClassVar[str] = "fold"

    def __init__(self, name: str, folder: Folder, producer: str, producer_tasks: int) -> None:
        self.name = name
        self.folder = folder
        self.producer = producer
        self.producer_tasks = producer_tasks

    def run(self, task: TaskContext) -> TaskResult:
        """Sum and finish."""
        totals: dict[str, int] = {}
        for shard in range(self.producer_tasks):
            location = task.layout.task_file(self.producer, shard, f"{self.name}.fold")
            for key, value in json.loads(storage.read_bytes(location)).items():
                totals[key] = totals.get(key, 0) + value
        self.folder.open(task.run_context())
        return TaskResult(value=self.folder.finish(dict(sorted(totals.items()))))
