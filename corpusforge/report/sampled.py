"""Reading single documents of a run where they stand, with the text that a step saw and what it decided."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from corpusforge import storage
from corpusforge.document import DOCUMENT_SCHEMA
from corpusforge.edits import Edits
from corpusforge.layout import RunLayout, number
from corpusforge.operations import row_of, shard_of
from corpusforge.sample.draw import Draw
from corpusforge.step import LiveRows, MapStep
from corpusforge.tasks.batch import Batch
from corpusforge.tasks.context import TaskContext
from corpusforge.tasks.sidecar import DOCUMENTS_FILE, stored_batches
from corpusforge.texts import Texts
from corpusforge.writer import read_row_group

if TYPE_CHECKING:
    from corpusforge.plan import Plan, Stage

Int64 = npt.NDArray[np.int64]

SAMPLED_BYTES = 4_000_000
"""Text of all sampled documents together, at most; of the documents in their order, those that still fit."""

LONGEST = 1_000_000
"""Bytes of the longest document that is sampled."""

KEPT_SHARDS = 8
"""Shards that `kept_texts` come from, evenly spaced among those of the step's sources."""
KEPT_DOCUMENTS = 64
"""Documents that it gives."""
LONGEST_KEPT = 1 << 20
"""Bytes of a document that it gives."""

COLUMNS = ("id", "source", "date", "url", "url_key", "lang", "license", "locator", "meta")


@dataclass(frozen=True)
class Sampled:
    """n documents: what a step saw of them, whether it took them for duplicates, and of what (their ids).

    Of a step that says of no document that it is a duplicate, `duplicate` tells which ones it dropped. `removed` are
    the spans of bytes that an editing step took from each text.
    """

    texts: Texts
    columns: dict[str, pa.Array]
    signals: dict[str, pa.Array]
    duplicate: Int64
    twins: list[bytes | None]
    removed: list[list[tuple[int, int]]] = field(default_factory=list)
    generations: Int64 | None = None
    """Numbers of the dumps that the documents are of, int64[n]; None: all 0."""

    def take(self, rows: Int64) -> Sampled:
        """The given rows."""
        chosen = pa.array(rows)
        return Sampled(
            self.texts.take(rows),
            {name: column.take(chosen) for name, column in self.columns.items()},
            {name: column.take(chosen) for name, column in self.signals.items()},
            self.duplicate[rows],
            [self.twins[row] for row in rows.tolist()],
            [self.removed[row] for row in rows.tolist()] if self.removed else [],
            None if self.generations is None else self.generations[rows],
        )


def read_sampled(
    layout: RunLayout,
    plan: Plan,
    stage: Stage,
    step: MapStep,
    addresses: Sequence[int],
    most: int | None = None,
) -> Sampled:
    """Read the documents at `addresses` as `step` saw them, in that order, as many as `most` bytes of text (None:
    `SAMPLED_BYTES`) allow.

    `stage` is the one in which the step decided. Time and memory: the row groups that hold the documents, one by one.
    """
    wanted = np.array(addresses, np.int64)
    sizes = _sizes(layout, plan, wanted)
    room = SAMPLED_BYTES if most is None else most
    chosen, total = [], 0
    for address, size in zip(wanted.tolist(), sizes.tolist()):
        if size <= min(LONGEST, room - total):
            chosen.append(address)
            total += size
    view = "extract"
    for item in plan.sidecars:
        if item.step == step.instance:
            break
        view = item.step if item.edits else view
    task = TaskContext(plan, layout.root, plan.stages[stage.index + 1], 0)
    quality = getattr(step.parameters, "quality", None)
    parts: list[tuple[Int64, dict[str, pa.Array]]] = []
    removed: dict[int, list[tuple[int, int]]] = {}
    for batch, rows in batches_at(task, np.array(chosen, np.int64)):
        live = batch.rows(rows, view)
        taken = {name: live.column(name).cast(DOCUMENT_SCHEMA.field(name).type) for name in COLUMNS}
        taken["text"] = live.texts.to_arrow().cast(pa.large_string())
        taken["duplicate"] = _decided(batch, rows, live, step)
        taken["duplicate_of"] = live.column("duplicate_of").cast(pa.binary(16))
        if quality is not None:
            # Signals are read from files that are open during the iteration only.
            taken["quality"] = live.signal(quality).cast(pa.int64())
        if step.edits:
            removed |= zip(live.addresses.tolist(), _removed(batch, rows, view, step.instance))
        # Copies: what is a part of the batch would keep all of it in memory.
        everything = pa.array(np.arange(len(rows)))
        parts.append((live.addresses, {name: array.take(everything) for name, array in taken.items()}))
    found = np.concatenate([part[0] for part in parts]) if parts else np.zeros(0, np.int64)
    sorter = np.argsort(found)
    order = sorter[np.searchsorted(found[sorter], np.array(chosen, np.int64))] if chosen else sorter
    index = pa.array(order)

    def column(name: str, kind: pa.DataType) -> pa.Array:
        return (
            pa.concat_arrays([part[1][name] for part in parts]).take(index) if parts else pa.array([], kind)
        )

    return Sampled(
        Texts.from_arrow(column("text", pa.large_string())),
        {name: column(name, DOCUMENT_SCHEMA.field(name).type) for name in COLUMNS},
        {} if quality is None else {quality: column("quality", pa.int64())},
        column("duplicate", pa.int64()).to_numpy(zero_copy_only=False),
        column("duplicate_of", pa.binary(16)).to_pylist(),
        [removed[address] for address in chosen] if step.edits else [],
        np.array(
            [plan.shards[shard].generation for shard in shard_of(np.array(chosen, np.int64)).tolist()],
            np.int64,
        ),
    )


def _decided(batch: Batch, rows: Int64, live: LiveRows, step: MapStep) -> pa.Array:
    """1 for each document that the step took for a duplicate, or where it tells of none, that it dropped; int64."""
    if any(signal.name == "duplicate" for signal in step.signals):
        return live.signal(f"{step.instance}.duplicate").fill_null(0).cast(pa.int64())
    verdicts = [batch.verdicts[row] or "" for row in rows.tolist()]
    return pa.array([int(verdict.startswith(f"{step.instance}.")) for verdict in verdicts], pa.int64())


def _removed(batch: Batch, rows: Int64, view: str, step: str) -> list[list[tuple[int, int]]]:
    """Spans that a step's edits took from the texts of the view before it, of each of the rows."""
    before, after = (_by_row(batch.views.layer(name)) for name in (view, step))
    found = []
    for row in rows.tolist():
        earlier = sorted(before.get(row, ()))
        own = sorted(set(after.get(row, ())).difference(earlier))
        ends = [end for _, end, _ in earlier]
        # What the edits that end before a place have added to the text, after none of them, one, two, ….
        shifts = [0]
        for start, end, size in earlier:
            shifts.append(shifts[-1] + size - (end - start))
        found.append(
            [
                (start + shifts[bisect_right(ends, start)], end + shifts[bisect_right(ends, end)])
                for start, end, _ in own
            ]
        )
    return found


def _by_row(edits: Edits) -> dict[int, list[tuple[int, int, int]]]:
    """(start, end, bytes put there) of the edits of each row."""
    found: dict[int, list[tuple[int, int, int]]] = {}
    sizes = [len(replacement.encode("utf-8")) for replacement in edits.replacements]
    for row, *edit in zip(edits.rows.tolist(), edits.starts.tolist(), edits.ends.tolist(), sizes):
        found.setdefault(row, []).append((edit[0], edit[1], edit[2]))
    return found


def batches_at(task: TaskContext, addresses: Int64) -> Iterator[tuple[Batch, Int64]]:
    """The stored batches that hold documents at `addresses`, each with the numbers of these rows in it."""
    addresses = np.unique(addresses)
    shards = shard_of(addresses)
    for shard in np.unique(shards).tolist():
        rows = row_of(addresses[shards == shard])
        for batch in stored_batches(task, shard, wanted=rows):
            inside = rows[(rows >= batch.first_row) & (rows < batch.first_row + batch.size)]
            yield batch, inside - batch.first_row


def _sizes(layout: RunLayout, plan: Plan, addresses: Int64) -> Int64:
    """Bytes of the stored texts at `addresses`, int64[n]."""
    sizes = np.zeros(len(addresses), np.int64)
    shards, rows = shard_of(addresses), row_of(addresses)
    for shard in np.unique(shards).tolist():
        here = np.flatnonzero(shards == shard)
        with storage.open_read(layout.task_file(plan.documents_stage, shard, DOCUMENTS_FILE)) as stream:
            documents = pq.ParquetFile(stream)
            first = 0
            for group in range(documents.num_row_groups):
                end = first + documents.metadata.row_group(group).num_rows
                inside = here[(rows[here] >= first) & (rows[here] < end)]
                if len(inside):
                    stored = read_row_group(documents, group, ["bytes"]).column("bytes").to_numpy()
                    sizes[inside] = stored[rows[inside] - first]
                first = end
    return sizes


def kept_texts(
    layout: RunLayout, plan: Plan, only: Sequence[str]
) -> Iterator[tuple[bytes, bytes, str | None]]:
    """(id, text, language) of some kept documents: of chosen shards a drawn row group, of that those of least id."""
    shards = [shard for shard in plan.shards if not only or shard.source in only]
    stride = max(1, len(shards) // KEPT_SHARDS)
    chosen = shards[::stride][:KEPT_SHARDS]
    each = -(-KEPT_DOCUMENTS // max(1, len(chosen)))
    for shard in chosen:
        draw = Draw(plan.seed, "host", shard.index)
        location = layout.file("documents", f"{number(shard.index)}.parquet")
        with storage.open_read(location) as stream, pq.ParquetFile(stream) as file:
            sizes = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
            groups = [group for group, size in enumerate(sizes) if size]
            if not groups:
                continue
            batch = read_row_group(file, draw.choice(groups), ["id", "text", "lang"])
        rows = zip(batch.column("id").to_pylist(), batch.column("text"), batch.column("lang").to_pylist())
        for identity, text, lang in sorted(rows, key=lambda row: row[0])[:each]:
            yield identity, text.as_py().encode("utf-8")[:LONGEST_KEPT], lang
