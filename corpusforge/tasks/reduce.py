"""Reduce tasks: one partition of an exchange, as one sorted stream."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import ClassVar

from corpusforge.operations import COMPARED, LOST, Keeper, Reducer
from corpusforge.statistics.clusters import ClusterFacts
from corpusforge.statistics.shared_parts import PartFacts
from corpusforge.table import KeptTable, TableWriter, table_file
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

    def __init__(
        self,
        exchange: str,
        reducer: Reducer,
        keeper: Keeper | None = None,
        also: Sequence[str] = (),
        tables: Sequence[KeptTable] = (),
    ) -> None:
        """`also`: exchanges, `tables`: those of earlier runs, with rows of the same kind.

        `keeper` chooses what is kept of all for later runs.
        """
        self.exchange = exchange
        self.reducer = reducer
        self.keeper = keeper
        self.also = tuple(also)
        self.tables = tuple(tables)

    @property
    def consumes(self) -> tuple[str, ...]:
        """The exchanges that are reduced together."""
        return (self.exchange, *self.also)

    def run(self, task: TaskContext) -> TaskResult:
        """Reduce one partition. Raises `KeyError` when the reducer emits into an exchange it did not declare."""
        result = TaskResult()
        self.reducer.open(task.run_context())
        builders = {spec.name: task.run_builder(spec) for spec in self.reducer.outputs}
        table: ParquetFileWriter | None = None
        clusters = ClusterFacts(task.plan.shards)
        parts = PartFacts(task.plan.shards, self.reducer.parts)
        kept: TableWriter | None = None
        batches = task.read_exchange(self.exchange, task.number, self.also, self.tables)
        with ExitStack() as stack:
            if self.keeper is not None:
                location = task.own_file(table_file(self.exchange))
                spec = task.plan.exchanges[self.exchange].spec
                kept = stack.enter_context(TableWriter(location, spec, self.keeper))
                batches = kept.through(batches)
            for name, batch in self.reducer.reduce(batches):
                if name in (LOST, COMPARED):
                    parts.add(name, batch)
                    continue
                if name != TABLE:
                    builders[name].add(batch)
                    continue
                if table is None:
                    table = stack.enter_context(commit_parquet(task.own_file(TABLE_FILE), batch.schema))
                table.write(batch)
                clusters.add(batch)
        if table is not None:
            result.files[TABLE_FILE] = table.facts
        if kept is not None and kept.facts is not None:
            result.files[table_file(self.exchange)] = kept.facts
        for name, builder in builders.items():
            result.files[f"{name}.runs"] = task.commit_runs(builder)
        told = {"clusters": clusters.to_json(), "parts": parts.to_json()}
        result.value = {name: facts for name, facts in told.items() if facts is not None} or None
        result.counts = {name: int(value) for name, value in self.reducer.statistics().items()}
        return result
