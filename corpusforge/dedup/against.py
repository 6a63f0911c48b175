"""Deduplication against earlier runs: what the stages of `minhash_dedup` and `substring_dedup` need besides their own.

Documents of earlier runs are frozen: they lead, and never become members. Their band keys stream from tables. The
shingles of those that lead some candidate are made anew from the earlier runs' stored texts, as 8 bytes a word that
nothing compresses would take more room than the texts. What each round knew of them comes from tables too, so that
every round of a later run sees what it would have seen in a run of all dumps.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pyarrow as pa

from corpusforge.dedup.buckets import PAIR_SCHEMA, REQUEST_SCHEMA, node_keys
from corpusforge.dedup.groups import Columns, batch_of, columns_of
from corpusforge.dedup.stars import EDGE_SCHEMA
from corpusforge.earlier import EarlierRun, Renumbering
from corpusforge.operations import ROW_BITS, Emitter, ExchangeSpec, Reducer, shard_of
from corpusforge.step import RunContext, Step
from corpusforge.table import KeptTable
from corpusforge.tasks.answer import AnswerBody, StoredDocuments
from corpusforge.tasks.body import Body, TaskResult
from corpusforge.tasks.context import TaskContext

if TYPE_CHECKING:
    from corpusforge.plan import PlanBuilder


class NewMembers(Reducer):
    """Leaves out the pairs whose member is of an earlier run: its fate stands."""

    def __init__(self, inner: Reducer) -> None:
        self.inner = inner
        self.outputs = inner.outputs

    def open(self, context: RunContext) -> None:
        """Open the reducer inside."""
        self.inner.open(context)

    def reduce(self, batches: Iterator[pa.RecordBatch]) -> Iterator[tuple[str, pa.RecordBatch]]:
        """Yield pairs of a preferred document and one of this run."""
        for name, batch in self.inner.reduce(batches):
            columns = columns_of(batch)
            yield name, batch_of(PAIR_SCHEMA, columns, columns["member"] >= 0)

    def statistics(self) -> Mapping[str, int]:
        """Those of the reducer inside, which count the earlier documents too."""
        return self.inner.statistics()


class SplitRequests(Reducer):
    """Sends requests for documents of earlier runs to an exchange of their own, their shards counted from 0."""

    def __init__(self, inner: Reducer, earlier: ExchangeSpec, shards: int) -> None:
        self.inner = inner
        self.earlier = earlier
        self.shards = shards
        self.outputs = (*inner.outputs, earlier)

    def open(self, context: RunContext) -> None:
        """Open the reducer inside."""
        self.inner.open(context)

    def reduce(self, batches: Iterator[pa.RecordBatch]) -> Iterator[tuple[str, pa.RecordBatch]]:
        """Yield requests to both."""
        for name, batch in self.inner.reduce(batches):
            columns = columns_of(batch)
            old = columns["address"] < 0
            if not old.any():
                yield name, batch
                continue
            yield name, batch_of(REQUEST_SCHEMA, columns, ~old)
            moved: Columns = columns | {"address": columns["address"] + (self.shards << ROW_BITS)}
            yield self.earlier.name, batch_of(REQUEST_SCHEMA, moved, old)

    def statistics(self) -> Mapping[str, int]:
        """Those of the reducer inside."""
        return self.inner.statistics()


class AskForPassages(Reducer):
    """Asks documents of earlier runs for their windows, where they alone of their run hold an anchor.

    A run sends, and keeps in a table, the windows around anchors that stand in two places; of an anchor in one place
    its table has the place only. When a document of this run has that anchor too, the window may be the same.
    """

    def __init__(self, inner: Reducer, asked: ExchangeSpec, runs: Sequence[EarlierRun]) -> None:
        """`asked` has the columns address, of the earlier runs' shards counted from 0, and key."""
        self.inner = inner
        self.asked = asked
        self.outputs = (*inner.outputs, asked)
        self._first_shards = np.array([run.first_shard for run in runs], np.int64)
        self._shards = sum(run.shards for run in runs)
        self._waiting: Columns = {}

    def open(self, context: RunContext) -> None:
        """Open the reducer inside."""
        self.inner.open(context)

    def reduce(self, batches: Iterator[pa.RecordBatch]) -> Iterator[tuple[str, pa.RecordBatch]]:
        """Yield what the reducer inside does, and requests. Memory: two rows an earlier run besides the batch."""
        self._waiting = {"key": np.zeros(0, np.uint64), "address": np.zeros(0, np.int64)}
        requests: list[pa.RecordBatch] = []
        for name, batch in self.inner.reduce(self._watched(batches, requests)):
            yield name, batch
            while requests:
                yield self.asked.name, requests.pop()
        while requests:
            yield self.asked.name, requests.pop()

    def _watched(
        self, batches: Iterator[pa.RecordBatch], requests: list[pa.RecordBatch]
    ) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            columns = columns_of(batch, ("key", "address"))
            columns = {name: np.concatenate([self._waiting[name], columns[name]]) for name in columns}
            if len(columns["key"]):
                requests.append(self._requests(columns))
            yield batch

    def _requests(self, columns: Columns) -> pa.RecordBatch:
        """Requests for keys that end in this batch or show a new document in it; others wait."""
        key, address = columns["key"], columns["address"]
        old = address < 0
        last = key == key[-1]
        # Earlier documents come first in a group; without a new one behind them they wait for the next batch.
        waits = last & old if not (last & ~old).any() else np.zeros(len(key), np.bool_)
        self._waiting = {name: values[waits] for name, values in columns.items()}
        met = np.isin(key, key[~old])
        run = np.where(old, np.searchsorted(self._first_shards, shard_of(address), "right"), 0)
        same = (key[1:] == key[:-1]) & (run[1:] == run[:-1])
        alone = ~(np.append(same, False) | np.insert(same, 0, False))
        moved: Columns = {"key": key, "address": address + (self._shards << ROW_BITS)}
        return batch_of(self.asked.schema, moved, old & met & alone & ~waits)

    def statistics(self) -> Mapping[str, int]:
        """Those of the reducer inside."""
        return self.inner.statistics()


class StatesBody(Body):
    """A task per partition of an earlier run's tables: rows about its documents, by the addresses of this plan.

    Their keys are hashes of addresses, so they are sorted anew. Rows of key 0 keep it.
    """

    operation: ClassVar[str] = "import"

    def __init__(
        self,
        tables: Sequence[Mapping[str, KeptTable]],
        specs: Mapping[str, ExchangeSpec],
        renumber: Sequence[Renumbering],
    ) -> None:
        """`tables` and `renumber` by earlier run; `specs`: exchange to the one that its rows go to."""
        self.tables = tuple(tables)
        self.specs = dict(specs)
        self.renumber = tuple(renumber)

    @property
    def tasks(self) -> int:
        """All partitions of all runs."""
        return sum(map(_partitions, self.tables))

    def run(self, task: TaskContext) -> TaskResult:
        """Send on one partition of all tables of a run. Memory: a block."""
        index, partition = 0, task.number
        while partition >= _partitions(self.tables[index]):
            partition -= _partitions(self.tables[index])
            index += 1
        result = TaskResult()
        for exchange, spec in self.specs.items():
            builder = task.run_builder(spec)
            for batch in self.tables[index][exchange].blocks(partition):
                builder.add(_readdressed(batch, self.renumber[index]))
            result.files[f"{spec.name}.runs"] = task.commit_runs(builder)
        return result


def _partitions(tables: Mapping[str, KeptTable]) -> int:
    return max(table.partitions for table in tables.values())


def _readdressed(batch: pa.RecordBatch, renumber: Renumbering) -> pa.RecordBatch:
    columns = columns_of(batch)
    columns |= {name: renumber(columns[name]) for name in ("leader", "member")}
    zero = np.zeros(batch.num_rows, np.uint64)
    columns["key"] = np.where(columns["key"] == 0, zero, node_keys(columns["member"]))
    return batch_of(EDGE_SCHEMA, columns)


class Against:
    """The earlier runs of a plan, as steps use them; without any, all that it does is nothing."""

    def __init__(self, builder: PlanBuilder, step: Step) -> None:
        self.builder = builder
        self.step = step
        self.runs: tuple[EarlierRun, ...] = builder.earlier

    def new_members(self, reducer: Reducer) -> Reducer:
        """The reducer of buckets, without pairs of earlier documents."""
        return NewMembers(reducer) if self.runs else reducer

    def split(self, reducer: Reducer, asked: ExchangeSpec) -> Reducer:
        """The reducer of requests, with those for earlier documents sent to `asked`."""
        return SplitRequests(reducer, asked, sum(run.shards for run in self.runs)) if self.runs else reducer

    def asking(self, reducer: Reducer, asked: ExchangeSpec) -> Reducer:
        """The reducer of anchors, with requests for the windows of earlier documents sent to `asked`."""
        return AskForPassages(reducer, asked, self.runs) if self.runs else reducer

    def answers(self, asked: str, emitter: Emitter) -> tuple[str, ...]:
        """Let the earlier runs' documents answer; gives the exchange with the answers."""
        if not self.runs:
            return ()
        stored = [
            StoredDocuments(run.root, run.documents_stage, tuple(run.sidecars(self.step)), shard, generation)
            for run in self.runs
            for shard, generation in enumerate(run.generations)
        ]
        stage = self.builder.add(emitter.output.name, AnswerBody(asked, emitter, stored), len(stored))
        self.builder.register_exchange(emitter.output, stage, self.builder.partitions)
        return (emitter.output.name,)

    def states(self, specs: Sequence[ExchangeSpec], name: str) -> dict[str, tuple[str, ...]]:
        """Bring in what the rounds of earlier runs knew: exchange to the exchanges to be reduced with it."""
        if not self.runs:
            return {spec.name: () for spec in specs}
        sent = {spec.name: _renamed(spec) for spec in specs}
        tables = [{one: run.table(self.step, one) for one in sent} for run in self.runs]
        body = StatesBody(tables, sent, [Renumbering(run, self.runs) for run in self.runs])
        stage = self.builder.add(name, body, body.tasks)
        for spec in sent.values():
            self.builder.register_exchange(spec, stage, self.builder.partitions)
        return {exchange: (spec.name,) for exchange, spec in sent.items()}


def _renamed(spec: ExchangeSpec) -> ExchangeSpec:
    return ExchangeSpec(
        f"{spec.name}.earlier", spec.schema, spec.order, spec.partition_by, spec.bytes_per_row
    )
