"""Tasks of packing and mixing: per shard an index of segments, one mixture, rows sent to their files, files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corpusforge import storage
from corpusforge.apportion import Apportionment
from corpusforge.atomic_file import WrittenFile
from corpusforge.errors import UsageError
from corpusforge.layout import number
from corpusforge.mix.litdata import LitDataWriter
from corpusforge.mix.mds import MdsWriter
from corpusforge.mix.megatron import MegatronWriter
from corpusforge.mix.order import order_key, unpermute
from corpusforge.mix.packing import Mode, Packing, pack
from corpusforge.mix.parquet_rows import PackedParquet, commit_rows
from corpusforge.mix.rows import build_rows, packed_columns, tokens_from_arrays
from corpusforge.mix.shares import mixture_of, supplies
from corpusforge.mix.streams import STREAM_FORMATS, StreamFormat, write_stream
from corpusforge.operations import ROW_BITS, ExchangeSpec
from corpusforge.randomness import STREAM_MIXTURE, id_bytes, repeats, uniform_bits
from corpusforge.tasks.body import Body, TaskResult
from corpusforge.tasks.context import TaskContext
from corpusforge.tasks.sidecar import stored_batches
from corpusforge.writer import commit_parquet, row_groups

Int64 = npt.NDArray[np.int64]

SEGMENTS_FILE = "segments.parquet"
SEGMENT_SCHEMA = pa.schema(
    [
        ("pass", pa.int64()),
        ("row", pa.int64()),
        ("document", pa.int64()),
        ("start", pa.int64()),
        ("length", pa.int32()),
    ]
)


class Tokens:
    """The tokens of a shard's kept documents: `ids` uint32, `offsets` int64[n + 1], `document_ids` [n].

    All are held at once: a shard is bounded by the recipe's `shard_bytes` (and by its largest file), and tokens
    take about as many bytes as the compressed input that they came from.
    """

    def __init__(self, task: TaskContext, step: str) -> None:
        ids: list[npt.NDArray[np.uint32]] = [np.zeros(0, np.uint32)]
        lengths: list[Int64] = [np.zeros(0, np.int64)]
        names: list[pa.Array] = []
        for batch in stored_batches(task, task.number, text=False):
            kept = batch.kept()
            column = batch.signals[f"{step}.ids"].take(pa.array(kept))
            ids.append(column.flatten().to_numpy(zero_copy_only=False).astype(np.uint32))
            lengths.append(column.value_lengths().to_numpy(zero_copy_only=False).astype(np.int64))
            names.append(batch.columns["id"].take(pa.array(kept)))
        self.ids = np.concatenate(ids)
        self.lengths = np.concatenate(lengths)
        self.offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(self.lengths)])
        self.document_ids = pa.chunked_array(names, pa.binary(16)).combine_chunks()


class PackBody(Body):
    """Packs one shard: which part of which kept document lies in which row, for every pass over the source."""

    operation: ClassVar[str] = "map"

    def __init__(
        self, step: str, capacity: int, mode: Mode, window: int, epochs: Mapping[str, Fraction]
    ) -> None:
        self.step, self.capacity, self.mode, self.window, self.epochs = (
            step,
            capacity,
            mode,
            window,
            dict(epochs),
        )

    def run(self, task: TaskContext) -> TaskResult:
        """Write the segments; rows and statistics of each pass go to the value."""
        source = task.plan.shards[task.number].source
        tokens = Tokens(task, self.step)
        bits = uniform_bits(task.plan.seed, id_bytes(tokens.document_ids), STREAM_MIXTURE)
        wanted = repeats(bits, self.epochs.get(source, Fraction(1)))
        passes = []
        result = TaskResult()
        with commit_parquet(task.own_file(SEGMENTS_FILE), SEGMENT_SCHEMA) as segments:
            for number_of_pass in range(int(wanted.max(initial=0))):
                chosen = np.flatnonzero(wanted > number_of_pass)
                packing = pack(tokens.lengths[chosen], self.capacity, self.mode, self.window)
                passes.append({"documents": len(chosen), **packing.statistics()})
                columns = [
                    np.full(len(packing), number_of_pass, np.int64),
                    packing.row,
                    chosen[packing.document],
                    packing.start,
                    packing.length,
                ]
                segments.write(
                    pa.RecordBatch.from_arrays([pa.array(item) for item in columns], schema=SEGMENT_SCHEMA)
                )
        result.files[SEGMENTS_FILE] = segments.facts
        result.value = {"source": source, "passes": passes}
        ends = len(tokens.lengths)
        never = np.flatnonzero(wanted == 0)
        result.ledger["tokens"] = {
            "tokenized": int(tokens.lengths.sum()) - ends,
            "unused": int(tokens.lengths[never].sum()) - len(never),
        }
        return result


class MixtureBody(Body):
    """Adds up the rows of all shards and decides how many the mixture has."""

    operation: ClassVar[str] = "single"

    def __init__(
        self, packing: str, tasks: int, weights: Mapping[str, Fraction], tokens: str, token_type: str
    ) -> None:
        self.packing, self.tasks, self.weights = packing, tasks, dict(weights)
        self.tokens, self.token_type = tokens, token_type

    def run(self, task: TaskContext) -> TaskResult:
        """The value: rows of the mixture, and for each shard and pass where its rows stand in its source.

        Raises `UsageError` when the declared type cannot hold the tokenizer's ids.
        """
        vocabulary = int(task.run_context().values[f"{self.tokens}.training"]["vocabulary_size"])
        if vocabulary - 1 > np.iinfo(self.token_type).max:
            raise UsageError(f"token_type {self.token_type} cannot hold the ids of {vocabulary} tokens")
        firsts: list[list[int]] = []
        rows: dict[str, list[int]] = {}
        packed_shards = [manifest["value"] for manifest in task.manifests(self.packing, self.tasks)]
        for value in packed_shards:
            totals = rows.setdefault(value["source"], [])
            firsts.append([])
            for index, packed in enumerate(value["passes"]):
                if index == len(totals):
                    totals.append(0)
                firsts[-1].append(totals[index])
                totals[index] += packed["rows"]
        supply = supplies(packed_shards)
        mixture = mixture_of(self.weights, supply)
        value = {
            "rows": mixture.rows,
            "row_weights": mixture.row_weights,
            "available": {source: entry.rows for source, entry in supply.items()},
            "passes": rows,
            "firsts": firsts,
            "mixture": mixture.to_json(self.weights, supply),
        }
        return TaskResult(value=value)


def row_exchange(name: str) -> ExchangeSpec:
    """Packed rows on their way to their files: key = address of (file, place in the mixture)."""
    schema = pa.schema(
        [
            ("key", pa.int64()),
            ("source", pa.string()),
            ("used", pa.int32()),
            ("tokens", pa.large_list(pa.uint32())),
            ("boundaries", pa.large_list(pa.int32())),
        ]
    )
    return ExchangeSpec(name, schema, ("key",), "shard", bytes_per_row=1 << 20)


class RowsBody(Body):
    """Builds the rows of one shard and addresses each to its place; writes the shard's document stream."""

    operation: ClassVar[str] = "map"

    def __init__(
        self,
        step: str,
        packing: str,
        mixture: str,
        spec: ExchangeSpec,
        capacity: int,
        files: int,
        formats: Sequence[str],
    ) -> None:
        self.step, self.packing, self.mixture, self.spec = step, packing, mixture, spec
        self.capacity, self.files, self.formats = capacity, files, tuple(formats)

    def run(self, task: TaskContext) -> TaskResult:
        """Emit the rows that the mixture takes; count what it leaves."""
        tokens = Tokens(task, self.step)
        context = task.run_context()
        training = context.values[f"{self.step}.training"]
        result = TaskResult()
        counts = {"selected": 0, "repeated": 0, "special": 0, "unused": 0}
        builder = task.run_builder(self.spec)
        total = int(context.values[self.mixture]["rows"])
        for number_of_pass, packing in self._packings(task):
            places = self._places(task, context.values[self.mixture], number_of_pass, packing.rows)
            taken = places < total
            _count(counts, packing, tokens.lengths, taken, number_of_pass)
            for first in range(0, packing.rows, 256):
                last = min(first + 256, packing.rows)
                batch = self._batch(
                    task, packing, tokens, places, taken, (first, last), training["padding_id"], total
                )
                builder.add(batch.filter(pa.array(taken[first:last])))
        result.files[f"{self.spec.name}.runs"] = task.commit_runs(builder)
        result.ledger["tokens"] = counts
        written: list[WrittenFile] = []
        if "megatron" in self.formats:
            written = self._documents(task, tokens, training["vocabulary_size"])
        outputs = {f"shards/documents/{item.name}": _facts(item) for item in written}
        for kind in STREAM_FORMATS:
            if kind in self.formats:
                outputs |= self._stream(task, kind, tokens, training)
        result.value = {"outputs": outputs}
        return result

    def _packings(self, task: TaskContext) -> Iterator[tuple[int, Packing]]:
        for batch in row_groups(task.layout.task_file(self.packing, task.number, SEGMENTS_FILE)):
            if batch.num_rows == 0:
                continue
            numbers, row, document, start, length = (
                column.to_numpy(zero_copy_only=False) for column in batch.columns
            )
            yield int(numbers[0]), Packing(row, document, start, length, int(row[-1]) + 1, self.capacity)

    def _places(self, task: TaskContext, mixture: Mapping[str, Any], number_of_pass: int, rows: int) -> Int64:
        """Where each row of a pass stands in the mixture: a stateless permutation inside (source, pass)."""
        source = task.plan.shards[task.number].source
        passes = mixture["passes"][source]
        first = mixture["firsts"][task.number][number_of_pass]
        key = order_key(task.plan.seed, source, number_of_pass)
        within = unpermute(first + np.arange(rows, dtype=np.int64), passes[number_of_pass], key)
        # Values come back with their keys sorted: the order in which sources stand is that of their names.
        weights = dict(sorted(mixture["row_weights"].items()))
        return Apportionment(weights).place(source, sum(passes[:number_of_pass]) + within)

    def _batch(
        self,
        task: TaskContext,
        packing: Packing,
        tokens: Tokens,
        places: Int64,
        taken: npt.NDArray[np.bool_],
        span: tuple[int, int],
        padding: int,
        total: int,
    ) -> pa.RecordBatch:
        first, last = span
        built = build_rows(packing, first, last, tokens_from_arrays(tokens.ids, tokens.offsets), padding)
        count = last - first
        files = places[first:last] * self.files // max(1, total)
        keys = files << ROW_BITS | places[first:last]
        flat = pa.array(built.tokens.reshape(-1))
        offsets = pa.array(np.arange(count + 1, dtype=np.int64) * self.capacity)
        arrays = [
            pa.array(np.where(taken[first:last], keys, 0)),
            pa.array([task.plan.shards[task.number].source] * count, pa.string()),
            pa.array(built.used, pa.int32()),
            pa.LargeListArray.from_arrays(offsets, flat),
            pa.array([built.boundaries(row) for row in range(count)], pa.large_list(pa.int32())),
        ]
        return pa.RecordBatch.from_arrays(arrays, schema=self.spec.schema)

    def _documents(self, task: TaskContext, tokens: Tokens, vocabulary_size: int) -> list[WrittenFile]:
        """The shard's kept documents one after the other, each with its end token."""
        folder = task.layout.file("shards", "documents")
        storage.prepare_folder(folder)
        if len(tokens.lengths) == 0:
            return []
        with MegatronWriter(folder, number(task.number), vocabulary_size) as writer:
            writer.write(tokens.ids, tokens.offsets)
            return writer.finish()

    def _stream(
        self, task: TaskContext, kind: StreamFormat, tokens: Tokens, training: Mapping[str, Any]
    ) -> dict[str, Any]:
        """The same documents in another format, in a folder of its name; gives its files."""
        folder = task.layout.file("shards", kind)
        storage.prepare_folder(folder)
        if len(tokens.lengths) == 0:
            return {}
        written = write_stream(
            kind,
            folder,
            number(task.number),
            (tokens.ids, tokens.offsets),
            int(training["vocabulary_size"]),
            [item.hex() for item in tokens.document_ids.to_pylist()],
            task.plan.shards[task.number].source,
            f"sha256:{training['sha256']}",
        )
        return {f"shards/{kind}/{item.name}": _facts(item) for item in written}


def _count(
    counts: dict[str, int],
    packing: Packing,
    lengths: Int64,
    taken: npt.NDArray[np.bool_],
    number_of_pass: int,
) -> None:
    """Add a pass's tokens to the ledger; a document's end token lies in its last segment."""
    ends = packing.start + packing.length == lengths[packing.document]
    text = packing.length.astype(np.int64) - ends
    inside = taken[packing.row]
    counts["repeated" if number_of_pass else "selected"] += int(text[inside].sum())
    counts["special"] += int(np.count_nonzero(ends & inside))
    if number_of_pass == 0:
        counts["unused"] += int(text[~inside].sum())


class ShardBody(Body):
    """Writes one folder of packed rows, in the order of the mixture."""

    operation: ClassVar[str] = "reduce"

    def __init__(self, exchange: str, formats: Sequence[str], token_type: str) -> None:
        self.exchange, self.formats, self.token_type = exchange, tuple(formats), token_type

    @property
    def consumes(self) -> tuple[str, ...]:
        """The exchange of rows."""
        return (self.exchange,)

    def run(self, task: TaskContext) -> TaskResult:
        """Write rows as they come; count cells and padding from the rows themselves."""
        result = TaskResult()
        folder = task.layout.file("shards", "packed", number(task.number))
        storage.prepare_folder(folder)
        writer = MdsWriter(folder, packed_columns(self.token_type, {"source": "str"}))
        counts = {"rows": 0, "cells": 0, "padding": 0}
        sources: dict[str, int] = {}
        table = f"shards/parquet/{number(task.number)}.parquet"
        chunks = self._litdata(task)
        with ExitStack() as stack:
            parquet: PackedParquet | None = None
            if "parquet" in self.formats:
                parquet = stack.enter_context(commit_rows(task.layout.file(table)))
            for tokens, boundaries, source in self._rows(task):
                counts["rows"] += 1
                counts["cells"] += len(tokens)
                counts["padding"] += len(tokens) - int(boundaries[-1])
                sources[source] = sources.get(source, 0) + int(boundaries[-1])
                if "mds" in self.formats:
                    writer.write({"tokens": tokens, "boundaries": boundaries, "source": source})
                if parquet is not None:
                    parquet.write(tokens, boundaries, source)
                if chunks is not None:
                    chunks.write(tokens)
        result.ledger["tokens"] = counts
        files = writer.finish() if "mds" in self.formats else []
        prefix = f"shards/packed/{number(task.number)}"
        outputs = {f"{prefix}/{item.name}": _facts(item) for item in files}
        if parquet is not None:
            outputs[table] = parquet.facts
        result.value = {"outputs": outputs, "sources": sources}
        if chunks is not None:
            outputs |= {f"shards/litdata/{item.name}": _facts(item) for item in chunks.finish()}
            result.value["litdata"] = chunks.chunks
        return result

    def _litdata(self, task: TaskContext) -> LitDataWriter | None:
        if "litdata" not in self.formats:
            return None
        folder = task.layout.file("shards", "litdata")
        storage.prepare_folder(folder)
        return LitDataWriter(folder, str(task.number), self.token_type)

    def _rows(self, task: TaskContext) -> Iterator[tuple[npt.NDArray[Any], npt.NDArray[Any], str]]:
        """Tokens, boundaries and source of each row, in the order of the mixture."""
        for batch in task.read_exchange(self.exchange, task.number):
            for row in range(batch.num_rows):
                yield (
                    batch.column("tokens")[row].values.to_numpy(zero_copy_only=False),
                    batch.column("boundaries")[row].values.to_numpy(zero_copy_only=False),
                    batch.column("source")[row].as_py(),
                )


def _facts(item: WrittenFile) -> dict[str, Any]:
    return {"bytes": item.bytes, "sha256": item.sha256, "rows": item.samples}
