"""Reduce tasks: one partition of an exchange, as one sorted stream."""

from __future__ import annotations

from contextlib import ExitStack
from typing import ClassVar

from corpusforge.operations import Reducer
from corpusforge.tasks.body import Body, TaskResult
from corpusforge.tasks.context import TaskContext
from corpusforge.writer import ParquetFileWriter, commit_parquet

TABLE = "table"
"""Output name of the rows that a reducer keeps."""

TABLE_FILE = "table.parquet"
"""Where they lie: the sorted, partitioned table of an exchange."""


class ReduceBody(Body):
    """Feeds a reducer and sorts what it emits into the next exchanges."""

    operation: ClassVar[str] = "reduce"

    def __init__(self, exchange: str, reducer: Reducer) -> None:
        self.exchange = exchange
        self.reducer = reducer

    @property
    def consumes(self) -> tuple[str, ...]:
        """The exchange that is reduced."""
        return (self.exchange,)

    def run(self, task: TaskContext) -> TaskResult:
        """Reduce one partition. Raises `KeyError` when the reducer emits into an exchange it did not declare."""
        result = TaskResult()
        self.reducer.open(task.run_context())
        builders = {spec.name: task.run_builder(spec) for spec in self.reducer.outputs}
        table: ParquetFileWriter | None = None
        with ExitStack() as stack:
            for name, batch in self.reducer.reduce(task.read_exchange(self.exchange, task.number)):
                if name != TABLE:
                    builders[name].add(batch)
                    continue
                if table is None:
                    table = stack.enter_context(commit_parquet(task.own_file(TABLE_FILE), batch.schema))
                table.write(batch)
        if table is not None:
            result.files[TABLE_FILE] = table.facts
        for name, builder in builders.items():
            result.files[f"{name}.runs"] = task.commit_runs(builder)
        result.counts = {name: int(value) for name, value in self.reducer.statistics().items()}
        return result
