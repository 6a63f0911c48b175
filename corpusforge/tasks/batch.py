"""A batch on its way through the fused steps of a map stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from corpusforge import ledger
from corpusforge.edits import Edits
from corpusforge.operations import address_of
from corpusforge.step import LiveRows, MapStep, Measured
from corpusforge.tasks.measure import as_array, measure_rows
from corpusforge.texts import Texts
from corpusforge.verdicts import drops
from corpusforge.views import Views

if TYPE_CHECKING:
    from corpusforge.tasks.measured_before import ShardBefore, Taken

Int64 = npt.NDArray[np.int64]

QUARANTINE = "quarantine:"
"""Prefix of the verdict of a document that failed: `quarantine:kind`. It is neither kept nor dropped."""


class Batch:
    """Documents of one shard with the state that steps change: verdicts, twins, signals, columns, views.

    `documents`: a batch of the document schema. `first_row`: where its first row stands in the shard.
    `sizes` int64[n]: bytes of the text as it stands, or of the payload before extraction. `extra`: columns
    that only live until extraction (`payload`, `content_type`, `charset`).
    """

    def __init__(
        self,
        shard: int,
        first_row: int,
        documents: pa.RecordBatch,
        sizes: Int64,
        verdicts: list[str | None] | None = None,
        extra: Mapping[str, pa.Array] | None = None,
        signals: Mapping[str, pa.Array] | None = None,
    ) -> None:
        self.shard = shard
        self.first_row = first_row
        self.columns: dict[str, pa.Array] = dict(zip(documents.schema.names, documents.columns))
        self.size = documents.num_rows
        self.sizes = sizes
        self.verdicts: list[str | None] = list(verdicts) if verdicts is not None else [None] * self.size
        self.extra = dict(extra or {})
        self.signals: Mapping[str, pa.Array] = signals if signals is not None else {}
        self.joined: dict[str, pa.RecordBatch] = {}
        self.views = Views(Texts.from_arrow(self.columns["text"]))
        self.errors: list[dict[str, Any]] = []
        self.generation = 0
        """Number of the dump that the shard belongs to."""

    @property
    def addresses(self) -> Int64:
        """Addresses int64[n] of all rows."""
        return address_of(self.shard, np.arange(self.first_row, self.first_row + self.size))

    def kept(self) -> Int64:
        """Numbers of the rows without a verdict."""
        return np.array([row for row, verdict in enumerate(self.verdicts) if verdict is None], np.int64)

    def measurable(self) -> Int64:
        """Numbers of the rows that are not in quarantine."""
        alive = (
            row for row, verdict in enumerate(self.verdicts) if not (verdict or "").startswith(QUARANTINE)
        )
        return np.array(list(alive), np.int64)

    def limited(self, numbers: Int64, only: Sequence[str]) -> Int64:
        """Those of the given rows whose source is among `only`; all of them when it is empty."""
        if not only:
            return numbers
        column = pc.is_in(self.columns["source"], value_set=pa.array(list(only), pa.string()))
        inside = np.asarray(column.to_numpy(zero_copy_only=False), bool)
        limited: Int64 = numbers[inside[numbers]]
        return limited

    def rows(self, numbers: Int64, view: str) -> LiveRows:
        """The given rows as a step sees them, with the texts of a view ("none": empty texts)."""
        if view == "none":
            texts = Texts(np.zeros(0, np.uint8), np.zeros(len(numbers) + 1, np.int64))
        else:
            texts = self.views.text(view).take(numbers)
        chosen = pa.array(numbers) if len(numbers) < self.size else None
        return LiveRows(
            texts,
            _Taken({**self.columns, **self.extra}, chosen),
            _Taken(self.signals, chosen),
            self.addresses[numbers],
            {name: _renumber(batch, numbers, self.first_row) for name, batch in self.joined.items()},
            self.generation,
        )


class _Taken(Mapping[str, pa.Array]):
    """Columns of some rows, taken when asked for; None: of all rows, which are not copied."""

    def __init__(self, columns: Mapping[str, pa.Array], rows: pa.Array | None) -> None:
        self._columns = columns
        self._rows = rows

    def __getitem__(self, name: str) -> pa.Array:
        column = self._columns[name]
        return column if self._rows is None else column.take(self._rows)

    def __iter__(self) -> Any:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)


def _renumber(batch: pa.RecordBatch, numbers: Int64, first_row: int) -> pa.RecordBatch:
    """Keep the rows addressed to `numbers`; the column `row` becomes the position among them."""
    rows = batch.column("row").to_numpy(zero_copy_only=False) - first_row
    position = np.searchsorted(numbers, rows)
    inside = np.zeros(len(rows), bool)
    if len(numbers):
        inside = numbers[np.minimum(position, len(numbers) - 1)] == rows
    chosen = batch.filter(pa.array(inside))
    index = chosen.schema.get_field_index("row")
    return chosen.set_column(index, "row", pa.array(position[inside], pa.int64()))


class StepOutput:
    """What one step did to one batch, at the full length of the batch: the rows of its sidecar."""

    def __init__(self, size: int) -> None:
        self.signals: dict[str, pa.Array] = {}
        self.columns: dict[str, pa.Array] = {}
        self.verdicts: list[str | None] = [None] * size
        self.twins: pa.Array = pa.nulls(size, pa.binary(16))
        self.edits = Edits.empty()
        self.taken = self.measured = 0
        """Documents whose measurements were taken over from a run before, and those that were measured."""


def run_step(
    batch: Batch,
    step: MapStep,
    measure_all: bool,
    accounts: dict[str, ledger.Account],
    killed: Mapping[str, str] = MappingProxyType({}),
    before: ShardBefore | None = None,
) -> StepOutput:
    """Run one step over a batch: measure, edit, decide, account.

    Rows of sources that the step is not for count as kept by it, and have no signals.

    `accounts`: source to the step's account, changed in place. `killed`: locator to error of the documents
    that the watchdog gave up in this step. `before`: a run whose measurements are taken over where they are known.
    """
    numbers = batch.limited(batch.measurable() if measure_all else batch.kept(), step.only)
    was_kept = np.array([verdict is None for verdict in batch.verdicts], bool)
    sizes_before = batch.sizes.copy()
    output = StepOutput(batch.size)
    taken = before.take(step, batch, numbers) if before is not None else None
    others = numbers if taken is None else taken.others
    if before is not None and len(others):
        before.open(step)
    measured = _measured(batch, step, others, killed)
    for signal in step.signals:
        values = _scatter(measured.signals.get(signal.name), others, batch.size, signal.type)
        output.signals[signal.name] = values if taken is None else taken.over(values, signal.name)
    batch.signals = {**batch.signals, **{f"{step.instance}.{k}": v for k, v in output.signals.items()}}
    output.twins = _scatter(measured.twins, others, batch.size, pa.binary(16))
    if taken is not None:
        output.twins = taken.over(output.twins, "@duplicate_of")
    _set_columns(batch, output, measured, numbers, others, taken)
    converted = batch.sizes.copy()
    _fail(batch, step, output, measured, others)
    removed_inserted = _apply_edits(batch, step, output, measured, others, was_kept, taken)
    _decide(batch, step, output)
    _account(batch, step, accounts, was_kept, (sizes_before, converted), removed_inserted)
    if before is not None:
        before.passed(step, batch, output, numbers)
    output.taken = 0 if taken is None else len(taken.rows)
    output.measured = len(others)
    return output


def _measured(batch: Batch, step: MapStep, numbers: Int64, killed: Mapping[str, str]) -> Measured:
    given_up: dict[int, str] = {}
    if killed:
        locators = batch.columns["locator"].take(pa.array(numbers)).to_pylist()
        given_up = {at: killed[name] for at, name in enumerate(locators) if name in killed}
    measured = measure_rows(step, lambda at: batch.rows(numbers[at], step.reads), len(numbers), given_up)
    if step.materializes and "text" not in measured.columns:
        # No row came through: each still leaves its payload behind.
        measured.columns = {**measured.columns, "text": pa.nulls(len(numbers), pa.large_string())}
    return measured


def _scatter(values: Any, numbers: Int64, size: int, kind: pa.DataType) -> pa.Array:
    if values is None:
        return pa.nulls(size, kind)
    array = as_array(values)
    if array.type != kind:
        array = array.cast(kind)
    if len(numbers) == size:
        return array
    where = np.full(size, -1, np.int64)
    where[numbers] = np.arange(len(numbers))
    return array.take(pa.array(where, mask=where < 0))


def _set_columns(
    batch: Batch, output: StepOutput, measured: Measured, numbers: Int64, others: Int64, taken: Taken | None
) -> None:
    """Set the columns that the step decides in all its rows `numbers`: measured in `others`, else taken over."""
    chosen = np.zeros(batch.size, bool)
    chosen[numbers] = True
    for name in dict.fromkeys([*measured.columns, *(taken.columns if taken is not None else ())]):
        scattered = _scatter(measured.columns.get(name), others, batch.size, batch.columns[name].type)
        if taken is not None:
            scattered = taken.over(scattered, f"@{name}")
        batch.columns[name] = pc.if_else(pa.array(chosen), scattered, batch.columns[name])
        output.columns[name] = batch.columns[name]
        if name == "text":
            batch.views = Views(Texts.from_arrow(batch.columns["text"]))
            batch.sizes = np.where(chosen, batch.views.base.sizes, batch.sizes)
            batch.extra = {key: value for key, value in batch.extra.items() if key != "payload"}


def _fail(batch: Batch, step: MapStep, output: StepOutput, measured: Measured, numbers: Int64) -> None:
    for position, error in sorted(measured.failures.items()):
        row = int(numbers[position])
        if batch.verdicts[row] is not None:
            continue
        kind = error.split(":", 1)[0].strip() or "error"
        batch.verdicts[row] = output.verdicts[row] = QUARANTINE + kind
        batch.errors.append(
            {
                "locator": batch.columns["locator"][row].as_py(),
                "source": batch.columns["source"][row].as_py(),
                "step": step.instance,
                "kind": kind,
                "error": error,
                "id": batch.columns["id"][row].as_py().hex(),
            }
        )


def _apply_edits(
    batch: Batch,
    step: MapStep,
    output: StepOutput,
    measured: Measured,
    numbers: Int64,
    was_kept: npt.NDArray[np.bool_],
    taken: Taken | None,
) -> list[tuple[int, str, int, int]]:
    """Add the step's layer; gives (row, rule, bytes removed, bytes inserted) for each edit of a kept row."""
    if not step.edits:
        return []
    local = measured.edits if measured.edits is not None else Edits.empty()
    lengths = local.ends - local.starts
    rows = numbers[local.rows] if len(local) else local.rows
    mapped = batch.views.edit(
        step.instance, Edits(rows, local.starts, local.ends, local.replacements, local.rules)
    )
    if taken is not None and len(taken.edits):
        batch.views.replay(step.instance, taken.edits)
        mapped, order = _joined(mapped, taken.edits)
        lengths = np.concatenate([lengths, taken.lengths])[order]
    alive = np.array([kept and verdict is None for kept, verdict in zip(was_kept, batch.verdicts)], bool)
    counted = np.flatnonzero(alive[mapped.rows]) if len(mapped) else np.zeros(0, np.int64)
    output.edits = mapped.chosen(counted)
    return _edit_facts(batch, output.edits, lengths[counted])


def _joined(one: Edits, other: Edits) -> tuple[Edits, Int64]:
    """Edits of different rows in the order of their rows, and the places that they come from."""
    order = np.argsort(np.concatenate([one.rows, other.rows]), kind="stable")
    both = Edits(
        np.concatenate([one.rows, other.rows]),
        np.concatenate([one.starts, other.starts]),
        np.concatenate([one.ends, other.ends]),
        [*one.replacements, *other.replacements],
        [*one.rules, *other.rules],
    )
    return both.chosen(order), order


def _edit_facts(batch: Batch, edits: Edits, lengths: Int64) -> list[tuple[int, str, int, int]]:
    """(row, rule, bytes removed, bytes inserted) of each edit; the rows' sizes are brought up to date.

    `lengths` int64: bytes of the text that the step read which each edit replaced. What an edit took beyond them (the
    rest of a replacement that it cut) counts with the row's first.
    """
    sizes = batch.views.sizes()
    facts: list[tuple[int, str, int, int]] = []
    first: dict[int, int] = {}
    for row, rule, replacement, removed in zip(
        edits.rows.tolist(), edits.rules, edits.replacements, lengths.tolist()
    ):
        inserted = len(replacement.encode("utf-8"))
        batch.sizes[row] += inserted - removed
        first.setdefault(row, len(facts))
        facts.append((row, rule, removed, inserted))
    for row, at in first.items():
        beyond = int(batch.sizes[row] - sizes[row])
        batch.sizes[row] -= beyond
        _, rule, removed, inserted = facts[at]
        facts[at] = (row, rule, removed + beyond, inserted)
    return facts


def _decide(batch: Batch, step: MapStep, output: StepOutput) -> None:
    by_name = {signal.name: signal for signal in step.signals}
    for rule in step.rules:
        threshold = getattr(step.parameters, rule.name)
        dropped = drops(rule, by_name[rule.signal], output.signals[rule.signal], threshold)
        for row in np.flatnonzero(dropped).tolist():
            if batch.verdicts[row] is None:
                batch.verdicts[row] = output.verdicts[row] = f"{step.instance}.{rule.name}"


def _account(
    batch: Batch,
    step: MapStep,
    accounts: dict[str, ledger.Account],
    was_kept: npt.NDArray[np.bool_],
    sizes: tuple[Int64, Int64],
    edits: list[tuple[int, str, int, int]],
) -> None:
    before, converted = sizes
    sources = batch.columns["source"].to_pylist()
    for row in np.flatnonzero(was_kept).tolist():
        account = accounts.setdefault(sources[row], ledger.new_step_account())
        account["documents_in"] += 1
        account["bytes_in"] += int(before[row])
        if converted[row] != before[row]:
            account["converted"]["from_bytes"] += int(before[row])
            account["converted"]["to_bytes"] += int(converted[row])
        verdict = batch.verdicts[row]
        if verdict is None:
            account["documents_kept"] += 1
            account["bytes_kept"] += int(batch.sizes[row])
        elif verdict.startswith(QUARANTINE):
            ledger.count(account, "quarantined", verdict.removeprefix(QUARANTINE), 1, int(batch.sizes[row]))
        else:
            ledger.count(
                account, "dropped", verdict.removeprefix(step.instance + "."), 1, int(batch.sizes[row])
            )
    for row, rule, removed, inserted in edits:
        account = accounts[sources[row]]
        account["removed"][rule] = account["removed"].get(rule, 0) + removed
        if inserted:
            account["inserted"][rule] = account["inserted"].get(rule, 0) + inserted
