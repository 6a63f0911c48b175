"""Measurements of an earlier run, taken over in place of measuring again.

A run of other thresholds measures mostly what the run before it measured: a signal depends on the document as it
comes to a step and on how the step measures, and on no threshold. So a step's stored signals, columns and edits are
taken for a document whose state is the same and that the step saw in that run. All others are measured: those that
were dropped before the step there, those that failed in it, and those that an earlier step left in another state.

The state of a document is its text, its columns and the signals of the steps before. A step that measures as it did
leaves equal states behind of equal ones. What another step leaves (it has other parameters, or depends on other
documents) is compared value by value with what is stored.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from types import CodeType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from corpusforge import storage, views
from corpusforge.edits import Edits
from corpusforge.step import MapStep, RunContext, StepParameters
from corpusforge.tasks.batch import QUARANTINE, Batch, StepOutput
from corpusforge.tasks.body import input_digest
from corpusforge.tasks.context import TaskContext
from corpusforge.tasks.sidecar import COLUMNS as STORED_COLUMNS
from corpusforge.tasks.sidecar import DOCUMENTS_FILE, Sidecar, shard_batches
from corpusforge.views import replacement_buffers
from corpusforge.writer import read_row_group

if TYPE_CHECKING:
    from corpusforge.plan import Plan

Bool = npt.NDArray[np.bool_]
Int64 = npt.NDArray[np.int64]

COMPARED = ("id", "source", "locator", "url", "url_key", "date", "license", "lang", "meta", "text_hash")
"""Document columns that tell whether a document comes to a stage as it did."""

_ROW_STRIDE = 1 << 40


@dataclass(frozen=True)
class Measuring:
    """What the measurements of a step depend on besides the document."""

    digest: str
    """Hash of the step's name, version, models, and parameters without thresholds."""
    joined: bool
    """True when it joins what an exchange addressed to its documents: it depends on others."""
    values: tuple[str, ...]
    """Values of folds and single tasks that it may look at."""


@dataclass(frozen=True)
class MeasuredBefore:
    """A finished run over the same shards, and its plan."""

    root: str
    plan: Plan


@dataclass(frozen=True)
class Taken:
    """What one step takes over in one batch.

    `rows` int64[m] of the batch are taken, `others` are left to be measured. `table`: the stored sidecar of all rows of
    the batch, with `@text` behind an extracting step. `edits`: those of `rows`, in coordinates of the base, and
    `lengths` int64: how many bytes of the text that the step read each of them replaced.
    """

    rows: Int64
    others: Int64
    table: pa.RecordBatch
    columns: tuple[str, ...]
    """Document columns that the step decides."""
    edits: Edits = field(default_factory=Edits.empty)
    lengths: Int64 = field(default_factory=lambda: np.zeros(0, np.int64))

    def over(self, values: pa.Array, name: str) -> pa.Array:
        """`values` [n] of all rows of the batch with the stored ones of a column in the rows that are taken."""
        stored = self.table.column(name)
        if stored.type != values.type:
            stored = stored.cast(values.type)
        if len(self.rows) == len(values):
            return stored
        index = np.arange(len(values))
        index[self.rows] += len(values)
        return pa.concat_arrays([values, stored]).take(pa.array(index))


class ShardBefore:
    """What the run before holds of the shard of a map task: asked batch by batch, and in a batch step by step."""

    def __init__(self, task: TaskContext, old: TaskContext, usable: frozenset[str], stack: ExitStack) -> None:
        """`old`: the same task of the other run; `usable`: steps that measure there as here, of any stage."""
        self._steps = [item for item in _sidecars(old.plan, old.stage.index) if item.stage_id == old.stage_id]
        self._usable = usable
        self._all = bool(getattr(old.stage.body, "measure_all", False))
        self._reading = old.stage_id == old.plan.documents_stage
        self._unopened: dict[str, RunContext] = {}
        self._files = {item.step: _opened(old, item.stage_id, item.file, stack) for item in self._steps}
        self._documents = _opened(old, old.plan.documents_stage, DOCUMENTS_FILE, stack)
        earlier = _sidecars(old.plan, old.stage.index - 1)
        changed = next((at for at, item in enumerate(earlier) if item.step not in usable), len(earlier))
        # Edits of what was dropped before them are stored nowhere, so with `evaluate: all` a text depends on verdicts.
        of_dropped = self._all or bool(getattr(task.stage.body, "measure_all", False))
        self._compared = [
            item for at, item in enumerate(earlier) if at >= changed or (of_dropped and item.edits)
        ]
        same_base = old.plan.documents_stage == task.plan.documents_stage
        self._columns = () if same_base and not self._compared else COMPARED
        self._edits = []
        for mine in task.plan.sidecars:
            for item in self._compared:
                if item.step == mine.step and item.edits:
                    files = [(task, mine.stage_id), (old, item.stage_id)]
                    self._edits.append([_opened(run, stage, item.file, stack) for run, stage in files])
        self._old_batches = shard_batches(
            old.layout, old.plan.documents_stage, earlier, old.number, text=False
        )
        self._group = -1
        self._fits = True
        self._step = 0
        self._live = self._lost = self._same = np.zeros(0, bool)

    def leave_closed(self, part: Any, context: RunContext) -> bool:
        """Whether a part is a step that need not be opened before it has to measure; `context` opens it then."""
        if not isinstance(part, MapStep) or part.instance not in self._usable:
            return False
        self._unopened[part.instance] = context
        return True

    def open(self, step: MapStep) -> None:
        """Open a step that was left closed."""
        context = self._unopened.pop(step.instance, None)
        if context is not None:
            step.open(context)

    def start(self, batch: Batch) -> None:
        """Go on to the next batch, which no step of the stage has seen."""
        self._group += 1
        self._step = 0
        size = batch.size
        self._live, self._lost, self._same = np.ones(size, bool), np.zeros(size, bool), np.zeros(size, bool)
        self._fits = self._fits and self._group < self._documents.num_row_groups
        if not self._fits or self._documents.metadata.row_group(self._group).num_rows != size:
            self._fits = False
            return
        if self._reading:
            self._same = _equal(batch.columns["id"], self._stored(self._documents, ["id"]).column("id"))
            return
        old = next(self._old_batches)
        self._same[:] = True
        for name in self._columns:
            self._same &= _equal(batch.columns[name], old.columns[name])
        for item in self._compared:
            for signal in item.signals:
                name = f"{item.step}.{signal.name}"
                self._same &= _equal(batch.signals[name], old.signals[name])
        for mine, theirs in self._edits:
            columns = [self._stored(file, ["@edits"]).column("@edits") for file in (mine, theirs)]
            self._same &= _equal_lists(*columns)
        self._decided(pa.array(old.verdicts, pa.string()))
        if self._compared:
            self._same &= _equal(batch.extra["duplicate_of"], old.extra["duplicate_of"])

    def take(self, step: MapStep, batch: Batch, numbers: Int64) -> Taken | None:
        """What is taken over of the rows `numbers` that the step would measure."""
        if step.instance not in self._usable or not self._same[numbers].any():
            return None
        if not set(step.columns).issubset(STORED_COLUMNS):
            return None  # A step from outside the package may decide others (`url`), which no sidecar holds.
        names = [signal.name for signal in step.signals] + [f"@{name}" for name in step.columns]
        names += ["@verdict", "@duplicate_of"] + (["@edits"] if step.edits else [])
        table = self._stored(self._files[step.instance], list(dict.fromkeys(names)))
        failed = _starts_with_quarantine(table.column("@verdict"))
        live = np.array([verdict is None for verdict in batch.verdicts], bool)
        known = self._same & self._seen() & ~failed & (self._live | ~live)
        edits, lengths = Edits.empty(), np.zeros(0, np.int64)
        if step.edits:
            # Edits of what was dropped before are not stored. Where it is dropped here, too, nobody reads its text.
            known &= self._live | self._rest_is_known()
            edits = views.from_arrow(table.column("@edits"))
            lengths, unclear = _replaced(batch.views.edits, edits, batch.size)
            known &= ~unclear
        columns = tuple(step.columns)
        if step.materializes:
            text = self._stored(self._documents, ["text"]).column("text")
            table = table.append_column("@text", text)
            columns = (*columns, "text")
        chosen = known[numbers]
        if not chosen.any():
            return None
        of_taken = np.isin(edits.rows, numbers[chosen])
        return Taken(
            numbers[chosen],
            numbers[~chosen],
            table,
            columns,
            edits.chosen(np.flatnonzero(of_taken)),
            lengths[of_taken],
        )

    def passed(self, step: MapStep, batch: Batch, output: StepOutput, numbers: Int64) -> None:
        """Note what the step found out about the batch, and go on to the next step."""
        item = self._steps[self._step]
        self._step += 1
        if not self._same.any():
            return
        wanted = ["@verdict"]
        if step.instance not in self._usable:
            wanted = [field.name for field in item.schema if field.name != "@bytes"]
        table = self._stored(self._files[item.step], wanted)
        if step.instance not in self._usable:
            measured = np.zeros(batch.size, bool)
            measured[numbers] = True
            self._same &= ~measured | (self._seen() & self._live)
            for name in wanted:
                if name not in ("@verdict", "@edits"):
                    self._same &= _equal(_output_column(output, name), table.column(name))
            if item.edits:
                self._same &= _equal_lists(views.to_arrow(output.edits, batch.size), table.column("@edits"))
                # With `evaluate: all` what was dropped before is edited for the steps of the stage, and not noted.
                pairs = zip(batch.verdicts, output.verdicts)
                noted = np.array([verdict is None or own is not None for verdict, own in pairs], bool)
                self._same &= ~measured | noted
        self._decided(table.column("@verdict"))

    def _stored(self, file: pq.ParquetFile, names: list[str]) -> pa.RecordBatch:
        return read_row_group(file, self._group, names)

    def _decided(self, verdicts: pa.Array) -> None:
        self._live &= verdicts.is_null().to_numpy(zero_copy_only=False)
        self._lost |= _starts_with_quarantine(verdicts)

    def _seen(self) -> Bool:
        """Rows that the next step of the other run was given (as far as its `only` let it)."""
        return ~self._lost if self._all else self._live

    def _rest_is_known(self) -> bool:
        """Whether all later steps of the stage measure as before what is dropped in both runs."""
        return all(item.step in self._usable for item in self._steps[self._step + 1 :])


def measured_before(task: TaskContext, stack: ExitStack) -> ShardBefore | None:
    """What can be taken over in a map task; None where there is no other run, or nothing in it for this task.

    That is so where its stages are other ones, its input was another, or its files are gone.
    """
    before = task.plan.measured
    index = task.stage.index
    if before is None or _stages(task.plan, index) != _stages(before.plan, index):
        return None
    old = TaskContext(before.plan, before.root, before.plan.stages[index], task.number)
    usable = frozenset(name for name in before.plan.measuring if _measures_alike(task, old, name))
    here = [item.step for item in task.plan.sidecars if item.stage_id == task.stage_id]
    if not usable.intersection(here) or not _is_there(old):
        return None
    return ShardBefore(task, old, usable, stack)


def names_thresholds(step: MapStep) -> bool:
    """Whether the code of a step from outside the package names one of its thresholds, where it might measure by it.

    It should not, but then nothing that it measured would hold for another threshold. Classes of parameters may.
    """
    module = sys.modules[type(step).__module__]
    if module.__name__.startswith("corpusforge."):
        return False
    owners: list[Any] = [module]
    for value in vars(module).values():
        if isinstance(value, type) and not issubclass(value, StepParameters):
            owners.append(value)
    names = {name for owner in owners for value in vars(owner).values() for name in _names(value, module)}
    return not names.isdisjoint(rule.name for rule in step.rules)


def _names(value: Any, module: ModuleType) -> Iterator[str]:
    """Names that the code of a function of that module looks up, and of what is defined in it."""
    value = inspect.unwrap(value) if callable(value) else value
    value = getattr(value, "__func__", getattr(value, "fget", getattr(value, "func", value)))
    if not isinstance(value, FunctionType) or value.__module__ != module.__name__:
        return
    codes = [value.__code__]
    while codes:
        code = codes.pop()
        yield from code.co_names
        codes += [constant for constant in code.co_consts if isinstance(constant, CodeType)]


def _opened(run: TaskContext, stage_id: str, name: str, stack: ExitStack) -> pq.ParquetFile:
    location = run.layout.task_file(stage_id, run.number, name)
    return pq.ParquetFile(stack.enter_context(storage.open_read(location)))


def _stages(plan: Plan, index: int) -> list[tuple[int, str]]:
    order = {stage.id: stage.index for stage in plan.stages}
    return [(order[item.stage_id], item.step) for item in _sidecars(plan, index)]


def _sidecars(plan: Plan, index: int) -> list[Sidecar]:
    """Sidecars of all stages up to that of a number."""
    order = {stage.id: stage.index for stage in plan.stages}
    return [item for item in plan.sidecars if order[item.stage_id] <= index]


def _measures_alike(task: TaskContext, old: TaskContext, step: str) -> bool:
    mine, theirs = task.plan.measuring.get(step), old.plan.measuring[step]
    if mine is None or mine != theirs or mine.joined:
        return False
    return all(_value(task, name) == _value(old, name) for name in mine.values)


def _value(task: TaskContext, name: str) -> Any:
    """A committed value and the hashes of its files; None where the stage is still to come, which no step reads."""
    stage_id = task.plan.values[name]
    order = {stage.id: stage.index for stage in task.plan.stages}
    if order[stage_id] >= task.stage.index:
        return None
    try:
        manifest = task.layout.read_manifest(stage_id, 0)
    except FileNotFoundError:
        return ("gone", task.layout.root)
    return manifest["value"], {file: facts["sha256"] for file, facts in manifest["files"].items()}


def _is_there(old: TaskContext) -> bool:
    """Whether the other run holds what is read of it, made of the same input."""
    files = [(item.stage_id, item.file) for item in _sidecars(old.plan, old.stage.index)]
    manifests: dict[str, Mapping[str, Any]] = {}
    for stage_id, file in [*files, (old.plan.documents_stage, DOCUMENTS_FILE)]:
        try:
            manifest = manifests.setdefault(stage_id, old.layout.read_manifest(stage_id, old.number))
        except FileNotFoundError:
            return False
        facts = manifest["files"][file]
        if manifest["input"] != input_digest(old):
            return False
        if not storage.holds(old.layout.task_file(stage_id, old.number, file), facts["bytes"]):
            return False
    return True


def _starts_with_quarantine(verdicts: pa.Array) -> Bool:
    found = pc.starts_with(verdicts, QUARANTINE).fill_null(False)
    return np.asarray(found.to_numpy(zero_copy_only=False), bool)


def _output_column(output: StepOutput, name: str) -> pa.Array:
    """What a step found out now, by the name of the sidecar's column."""
    if name == "@duplicate_of":
        return output.twins
    if name.startswith("@"):
        return output.columns.get(name[1:], pa.nulls(len(output.verdicts), pa.string()))
    return output.signals[name]


def _equal(one: pa.Array, other: pa.Array) -> Bool:
    """Rows with equal values, bool[n]; null equals null."""
    if pa.types.is_nested(one.type):
        return _equal_lists(one, other)
    missing = pc.and_(one.is_null(), other.is_null())
    found = pc.or_(pc.equal(one, other.cast(one.type)).fill_null(False), missing)
    return np.asarray(found.to_numpy(zero_copy_only=False), bool)


def _equal_lists(one: pa.Array, other: pa.Array) -> Bool:
    """The same of nested values."""
    return np.array([mine == theirs for mine, theirs in zip(one.to_pylist(), other.to_pylist())], bool)


def _replaced(before: Edits, edits: Edits, rows: int) -> tuple[Int64, Bool]:
    """How many bytes of the view with the edits `before` each of `edits` replaced, int64[m], all in base coordinates.

    An edit that cut an earlier replacement has taken all of it, so how much it was to take is not known. That matters
    where several rules share what a document lost: bool[rows] tells these.
    """
    starts = before.rows * _ROW_STRIDE + before.starts
    ends = before.rows * _ROW_STRIDE + before.ends
    first = np.searchsorted(starts, edits.rows * _ROW_STRIDE + edits.starts, "left")
    behind = np.searchsorted(ends, edits.rows * _ROW_STRIDE + edits.ends, "right")
    behind = np.where(edits.ends > edits.starts, np.maximum(first, behind), first)
    put_in = np.diff(replacement_buffers(before.replacements)[1])
    growth = np.concatenate([[0], np.cumsum(put_in - (before.ends - before.starts))])
    replaced = np.concatenate([[0], np.cumsum(put_in > 0)])
    lengths = (edits.ends - edits.starts) + growth[behind] - growth[first]
    unclear = np.zeros(rows, bool)
    unclear[edits.rows[replaced[behind] > replaced[first]]] = True
    rules: list[set[str]] = [set() for _ in range(rows)]
    for row, rule in zip(edits.rows.tolist(), edits.rules):
        rules[row].add(rule)
    return lengths.astype(np.int64), unclear & np.array([len(names) > 1 for names in rules], bool)
