"""A plan that runs at once, in memory, over documents in shards: what tests of steps with exchanges stand on.

It splits documents and exchanged rows into batches of any sizes, so that results can be shown not to depend
on them. It shares no code with the real exchange.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from corpusforge.document import DOCUMENT_SCHEMA, document_id
from corpusforge.operations import COMPARED, LOST, Emitter, ExchangeSpec, Keeper, Reducer, address_of
from corpusforge.step import LiveRows, MapStep, RunContext
from corpusforge.texts import Texts


@dataclass
class Document:
    """What tests say of a document; the fields below the line are results."""

    name: str
    text: str
    source: str = "test"
    date: str | None = None
    url: str | None = None
    url_key: bytes | None = None
    locator: str = "file@0"
    meta: str | None = None
    given: dict[str, int | None] = field(default_factory=dict)

    verdict: str | None = None
    twin: bytes | None = None
    signals: dict[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> bytes:
        return document_id(self.source, self.name)


class MemoryPlan:
    """Implements the builder that `Step.compile` is given, and runs each operation when it is added."""

    earlier = ()

    def __init__(
        self,
        shards: Sequence[Sequence[Document]],
        partitions: int = 2,
        batch_rows: int = 7,
        run_rows: int = 5,
    ) -> None:
        self.shards = shards
        self.partitions = partitions
        self.batch_rows = batch_rows
        self.run_rows = run_rows
        self.exchanges: dict[str, dict[int, pa.Table]] = {}
        self.specs: dict[str, ExchangeSpec] = {}
        self.statistics: dict[str, int] = {}
        self.tables: list[dict[str, Any]] = []
        self.told: dict[str, list[dict[str, Any]]] = {"table": self.tables, LOST: [], COMPARED: []}
        """What reducers told besides the rows of their exchanges."""
        self._steps: list[MapStep] = []
        self._joins: list[str] = []

    def map(self, step: MapStep) -> None:
        self._steps.append(step)

    def exchange(self, emitter: Emitter) -> None:
        emitter = pickle.loads(pickle.dumps(emitter))
        emitter.open(RunContext())
        rows: list[pa.RecordBatch] = []
        for live, _ in self._batches(emitter.reads):
            emitted = emitter.emit(live)
            assert emitted.schema.equals(emitter.output.schema)
            rows.append(emitted)
        self._steps, self._joins = [], []
        self._store(emitter.output, rows)

    def join(self, exchange: str) -> None:
        self.close()
        assert self.specs[exchange].partition_by == "shard"
        self._joins.append(exchange)

    def reduce(
        self,
        exchange: str,
        reducer: Reducer,
        keeper: Keeper | None = None,
        also: Sequence[str] = (),
        met: bool = True,
    ) -> None:
        assert not also
        self.close()
        outputs: dict[str, list[pa.RecordBatch]] = {spec.name: [] for spec in reducer.outputs}
        for partition in sorted(self.exchanges[exchange]):
            task = pickle.loads(pickle.dumps(reducer))
            task.open(RunContext())
            for name, batch in task.reduce(self._runs(self.exchanges[exchange][partition])):
                if name in ("table", LOST, COMPARED):
                    self.told[name] += batch.to_pylist()
                else:
                    outputs[name].append(batch)
            for name, count in task.statistics().items():
                self.statistics[name] = self.statistics.get(name, 0) + count
        for spec in reducer.outputs:
            self._store(spec, outputs[spec.name])

    def close(self) -> None:
        if self._steps or self._joins:
            for _ in self._batches("latest"):
                pass
        self._steps, self._joins = [], []

    def bytes_per_row(self, exchange: str) -> float:
        """Bytes of an exchange's columns per row."""
        tables = self.exchanges[exchange].values()
        return sum(table.nbytes for table in tables) / max(1, sum(table.num_rows for table in tables))

    def rows(self, exchange: str) -> int:
        return sum(table.num_rows for table in self.exchanges[exchange].values())

    def _runs(self, table: pa.Table) -> Iterator[pa.RecordBatch]:
        for start in range(0, table.num_rows, self.run_rows):
            yield table.slice(start, self.run_rows).combine_chunks().to_batches()[0]

    def _store(self, spec: ExchangeSpec, batches: list[pa.RecordBatch]) -> None:
        table = pa.Table.from_batches([batch.cast(spec.schema) for batch in batches], schema=spec.schema)
        key = table.column(spec.order[0]).to_numpy()
        if spec.partition_by == "shard":
            number = key >> 40
        else:
            bits = self.partitions.bit_length() - 1
            number = (key >> np.uint64(64 - bits)).astype(np.int64) if bits else np.zeros(len(key), np.int64)
        self.specs[spec.name] = spec
        self.exchanges[spec.name] = {}
        count = len(self.shards) if spec.partition_by == "shard" else self.partitions
        for partition in range(count):
            part = table.filter(pa.array(number == partition))
            order = np.lexsort([part.column(name).to_numpy() for name in reversed(spec.order)])
            self.exchanges[spec.name][partition] = part.take(pa.array(order))

    def _batches(self, view: str) -> Iterator[tuple[LiveRows, list[Document]]]:
        """Run the open steps over every batch; give the rows that they leave."""
        for step in self._steps:
            step.open(RunContext())
        for shard, documents in enumerate(self.shards):
            for start in range(0, len(documents), self.batch_rows):
                numbers = range(start, min(start + self.batch_rows, len(documents)))
                for step in self._steps:
                    live = [number for number in numbers if documents[number].verdict is None]
                    if live:
                        self._run(step, self._live(shard, live, step.reads), [documents[n] for n in live])
                live = [number for number in numbers if documents[number].verdict is None]
                if live:
                    yield self._live(shard, live, view), [documents[number] for number in live]

    def _live(self, shard: int, numbers: list[int], view: str) -> LiveRows:
        documents = [self.shards[shard][number] for number in numbers]
        columns: dict[str, pa.Array] = {
            name: pa.array([getattr(one, name) for one in documents], DOCUMENT_SCHEMA.field(name).type)
            for name in ("id", "source", "date", "url", "url_key", "locator", "meta")
        }
        given = {name for one in documents for name in one.given}
        signals = {name: pa.array([one.given.get(name) for one in documents], pa.int64()) for name in given}
        addresses = address_of(shard, np.array(numbers))
        joined = {name: self._joined(name, shard, addresses) for name in self._joins}
        texts = ["" for _ in documents] if view == "none" else [one.text for one in documents]
        return LiveRows(Texts.from_strings(texts), columns, signals, addresses, joined)

    def _joined(self, name: str, shard: int, addresses: Any) -> pa.RecordBatch:
        table = self.exchanges[name][shard]
        key = table.column(self.specs[name].order[0]).to_numpy()
        place = np.searchsorted(addresses, key)
        here = np.flatnonzero(
            (place < len(addresses)) & (addresses[np.minimum(place, len(addresses) - 1)] == key)
        )
        taken = table.take(pa.array(here)).append_column("row", pa.array(place[here], pa.int64()))
        batches = taken.combine_chunks().to_batches()
        return batches[0] if batches else pa.RecordBatch.from_pylist([], schema=taken.schema)

    def _run(self, step: MapStep, live: LiveRows, documents: list[Document]) -> None:
        measured = step.measure(live)
        thresholds = step.parameters.model_dump()
        for name, values in measured.signals.items():
            array = values if isinstance(values, pa.Array) else pa.array(values)
            assert len(array) == len(documents)
            for document, value in zip(documents, array.to_pylist()):
                document.signals[f"{step.instance}.{name}"] = value
        for index, document in enumerate(documents):
            if measured.twins is not None:
                document.twin = measured.twins[index].as_py()
            for rule in step.rules:
                value = document.signals[f"{step.instance}.{rule.signal}"]
                if _drops(rule.comparison, value, thresholds[rule.name]) and document.verdict is None:
                    document.verdict = f"{step.instance}.{rule.name}"
        if measured.edits is not None:
            _apply(measured.edits, documents)


def _drops(comparison: str, value: int | None, threshold: Any) -> bool:
    if value is None or threshold is None:
        return False
    if comparison == "is_true":
        return bool(threshold) and value != 0
    assert comparison == "below"
    return bool(value < threshold)


def _apply(edits: Any, documents: list[Document]) -> None:
    spans = list(zip(edits.rows, edits.starts, edits.ends, edits.replacements))
    assert spans == sorted(spans)
    for row, start, end, replacement in reversed(spans):
        raw = documents[row].text.encode()
        documents[row].text = (raw[:start] + replacement.encode() + raw[end:]).decode()


def run_step(step: MapStep, shards: Sequence[Sequence[Document]], **settings: int) -> MemoryPlan:
    """Compile and run one step over the documents, which are changed in place."""
    plan = MemoryPlan(shards, **settings)
    step.compile(plan)  # type: ignore[arg-type]
    plan.close()
    return plan
