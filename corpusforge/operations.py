"""What steps hand to a plan: emitters, reducers, folders and single tasks.

These are the few kinds of operation that an engine must be able to run (design: Read / Map, Materialize,
Exchange + Reduce, Table, Fold, Rounds, Join, Write). All of them are pure and picklable.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corpusforge.step import LiveRows, RunContext

Int64 = npt.NDArray[np.int64]

ROW_BITS = 40
"""An address is one int64: shard << 40 | row of the materialized shard. Shards of earlier runs are negative."""


def address_of(shard: int, rows: Int64) -> Int64:
    """Addresses int64[n] of rows of a shard."""
    return (np.int64(shard) << ROW_BITS) | np.asarray(rows, np.int64)


def shard_of(addresses: Int64) -> Int64:
    """Shard numbers int64[n] of addresses."""
    return np.asarray(addresses, np.int64) >> ROW_BITS


def row_of(addresses: Int64) -> Int64:
    """Row numbers int64[n] of addresses."""
    return np.asarray(addresses, np.int64) & ((1 << ROW_BITS) - 1)


@dataclass(frozen=True)
class ExchangeSpec:
    """Rows that change partition.

    `order`: columns (uint64 or int64) that sort rows totally; the first one is the key. `partition_by`:
    "hash" takes the key's high bits (the key must be a well-mixed uint64), "shard" takes the shard of the
    key, which must be an int64 address; a join reads the latter. `bytes_per_row` is the declared budget:
    the ledger holds the measured figure beside it.
    """

    name: str
    schema: pa.Schema
    order: Sequence[str]
    partition_by: Literal["hash", "shard"] = "hash"
    bytes_per_row: int = 64
    earlier: bool = False
    """Addressed to shards of earlier runs, counted from 0, rather than to those of the run."""


class Emitter(ABC):
    """The map side of an exchange: rows from documents."""

    output: ExchangeSpec
    reads: str = "latest"
    """The view of the texts that it is given."""
    only: tuple[str, ...] = ()
    """The sources whose documents it is given; empty for all. The plan sets it from the step."""

    def open(self, context: RunContext) -> None:  # noqa: B027
        """Prepare once per task."""

    @abstractmethod
    def emit(self, rows: LiveRows) -> pa.RecordBatch:
        """Rows of `output.schema`, in any order; `rows.addresses` tells where the documents stand."""

    def sampled(self, shards: int) -> Mapping[str, Any] | None:
        """What the report is to know of the documents of a task, in a run of so many shards: a small JSON value.

        Asked for after the last batch; it stands as ``sample`` in the value of the task's manifest.
        """
        return None


LOST = "lost"
"""Name under which a reducer tells of parts that documents lose: `address`, and of the document that has them too,
`survivor`, int64 each. For the report only: nothing of it is stored."""

COMPARED = "compared"
"""Name under which it tells of all parts of the documents, where it is given them all: `address` int64."""


class Reducer(ABC):
    """The reduce side: a sorted stream of one partition's rows to rows of other exchanges."""

    outputs: Sequence[ExchangeSpec] = ()
    parts: str = "parts"
    """What the report calls the parts of documents that it tells of under `LOST`."""

    def open(self, context: RunContext) -> None:  # noqa: B027
        """Prepare once per task."""

    @abstractmethod
    def reduce(self, batches: Iterator[pa.RecordBatch]) -> Iterator[tuple[str, pa.RecordBatch]]:
        """Consume batches sorted by the input's `order` (a group may span batches); yield (output name, rows).

        Constant memory per key. A name outside `outputs` is an error, except "table", which is kept, and
        `LOST` and `COMPARED`, which are counted (`corpusforge.statistics.shared_parts`).
        """

    def statistics(self) -> Mapping[str, int]:
        """Integer counts for the report, summed over partitions (asked for after `reduce`)."""
        return {}


class Keeper(ABC):
    """Chooses rows of an exchange that later runs have to meet: they are kept in a table (`corpusforge.table`)."""

    columns: Sequence[str] | None = None
    """Columns of the rows that are stored; the others read 0 later. None: all of them."""

    def start(self) -> None:  # noqa: B027
        """Begin a partition."""

    @abstractmethod
    def choose(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Rows to keep of the next batch of the sorted stream: of documents of this run only (address >= 0)."""


class Folder(ABC):
    """An integer monoid over documents: counts by string key, merged by addition, finished to a small value."""

    reads: str = "latest"
    only: tuple[str, ...] = ()
    """The sources whose documents it is given; empty for all. The plan sets it from the step."""

    def open(self, context: RunContext) -> None:  # noqa: B027
        """Prepare once per task."""

    @abstractmethod
    def partial(self, rows: LiveRows) -> Mapping[str, int]:
        """Counts of one batch."""

    @abstractmethod
    def finish(self, totals: Mapping[str, int]) -> Any:
        """Make the committed value (JSON) of the summed counts."""


class SingleTask(ABC):
    """One task on its own: trains a model, builds an index; writes files, returns a JSON value."""

    @abstractmethod
    def run(self, context: RunContext, shards: DocumentReader, directory: Path) -> Any:
        """Write files below `directory` (committed together) and return the value for later stages."""


class DocumentReader(ABC):
    """Gives a single task the kept documents of the run, shard by shard, in row order."""

    @abstractmethod
    def __iter__(self) -> Iterator[LiveRows]:
        """Iterate batches of kept rows with the latest view."""
