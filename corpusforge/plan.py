"""The plan: a recipe compiled to stages made of very few kinds of operation.

A stage is a set of tasks of one kind, each of which commits on its own. Stages run one after the other; what
lies between two of them is materialized below the run directory, so resume and barriers mean the same on
every engine. The hash in a stage's name covers all that its output depends on.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from corpusforge import __version__, registry
from corpusforge.document import canonical_json
from corpusforge.earlier import EarlierRun, KeptExchange
from corpusforge.errors import UsageError
from corpusforge.operations import Emitter, ExchangeSpec, Folder, Keeper, Reducer, SingleTask
from corpusforge.recipe import Recipe
from corpusforge.sources.base import GroupingSource, Shard
from corpusforge.step import MapStep, Step
from corpusforge.tasks.body import Body
from corpusforge.tasks.folds import FoldBody
from corpusforge.tasks.group import PARTS, CollectBody
from corpusforge.tasks.map import MapBody
from corpusforge.tasks.measured_before import MeasuredBefore, Measuring, names_thresholds
from corpusforge.tasks.read import ReadBody
from corpusforge.tasks.reduce import ReduceBody
from corpusforge.tasks.sidecar import Sidecar
from corpusforge.tasks.single import SingleBody
from corpusforge.tasks.write import WriteBody

BYTES_PER_PARTITION = 256 << 20
"""Input bytes per exchange partition when the recipe does not say how many partitions."""


@dataclass(frozen=True)
class Stage:
    """One stage: `tasks` of one `body`. `producers` and the like are resolved in the plan."""

    index: int
    name: str
    body: Body
    tasks: int
    digest: str
    steps: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """Name of the stage's folder."""
        return f"{self.index:02d}-{self.name}@{self.digest[:12]}"


@dataclass(frozen=True)
class ExchangeInfo:
    """An exchange in a plan: its rows' shape, which stage wrote it, to how many partitions."""

    spec: ExchangeSpec
    producer: str
    producer_tasks: int
    partitions: int


@dataclass(frozen=True)
class Plan:
    """Stages in order, and where they find each other's outputs. Picklable: an engine ships it to its workers."""

    recipe_digest: str
    seed: int
    options: dict[str, Any]
    shards: tuple[Shard, ...]
    """Shards of documents."""
    collected: tuple[Shard, ...]
    """Input shards of grouping sources, whose records are parts."""
    stages: tuple[Stage, ...]
    exchanges: dict[str, ExchangeInfo]
    values: dict[str, str]
    """Name of a fold or single task to the stage that holds it."""
    documents_stage: str
    sidecars: tuple[Sidecar, ...]
    plugins: tuple[str, ...] = ()
    kept: tuple[KeptExchange, ...] = ()
    """Exchanges whose tables later runs can be made against."""
    earlier: tuple[EarlierRun, ...] = ()
    """Runs that this one is made against."""
    measuring: Mapping[str, Measuring] = field(default_factory=dict)
    """What the measurements of each step over single documents depend on, by its name."""
    measured: MeasuredBefore | None = None
    """A run of other thresholds whose measurements are taken over."""

    @property
    def digest(self) -> str:
        """Hash of the whole plan."""
        return self.stages[-1].digest

    def describe(self) -> list[dict[str, Any]]:
        """Stages as plain values, for `--dry-run` and `stage.json`."""
        return [
            {
                "index": stage.index,
                "name": stage.name,
                "id": stage.id,
                "operation": stage.body.operation,
                "tasks": stage.tasks,
                "steps": list(stage.steps),
            }
            for stage in self.stages
        ]


def default_partitions(input_bytes: int) -> int:
    """A power of two from the input's size: at least 2, so that partitioning is never untried."""
    wanted = max(2, -(-input_bytes // BYTES_PER_PARTITION))
    return 1 << (wanted - 1).bit_length()


class PlanBuilder:
    """What a step sees of the plan while it compiles itself."""

    def __init__(
        self,
        recipe: Recipe,
        shards: Sequence[Shard],
        fingerprints: bool = True,
        earlier: Sequence[EarlierRun] = (),
    ) -> None:
        """Without `fingerprints` no model is looked for, and the plan is only good for looking at.

        `earlier`: runs whose documents stay as they are and take part in every deduplication.
        """
        self.recipe = recipe
        self.earlier = tuple(earlier)
        if not recipe.options.frozen:
            if earlier:
                raise UsageError("documents of earlier runs are frozen: see `corpusforge replace`")
            shards = [replace(shard, generation=0) for shard in shards]
        self._fingerprints = fingerprints
        self.collected = tuple(shard for shard in shards if _groups(recipe, shard))
        size = sum(file.size for shard in shards for file in shard.files)
        self.partitions = recipe.options.partitions or default_partitions(size)
        self.shards = self._document_shards(shards)
        """Shards of documents: of files, and behind them the partitions of each grouping source."""
        self.sidecars: list[Sidecar] = []
        self.tokens: str | None = None
        """Instance name of the tokenizing step, once there is one: what packing builds on."""
        self.packing: Stage | None = None
        """The packing stage, once a step added one: what a mixture builds on."""
        self._stages: list[Stage] = []
        self._kept: list[KeptExchange] = []
        self._exchanges: dict[str, ExchangeInfo] = {}
        self._values: dict[str, str] = {}
        self._documents_stage = ""
        self._open: MapBody | None = None
        self._open_parts: list[Any] = []
        self._step: Step | None = None
        self._views = {"extract", "latest", "none"}
        self._measuring: dict[str, Measuring] = {}
        self._joined = False
        self._own_values: tuple[str, ...] = ()
        options = recipe.options
        self._chain = _digest(
            [__version__, options.seed, options.batch_documents, options.batch_bytes, options.evaluate],
            [registry.plugin_hashes(), recipe.resolved()["sources"]],
        )
        self._inputs_chained = False
        if self.collected:
            collect = self._add("collect", CollectBody(dict(recipe.sources)), len(self.collected))
            self.register_exchange(PARTS, collect, len(self.shards))
        self._open = ReadBody(dict(recipe.sources), options.batch_documents, options.batch_bytes)
        self._open.measure_all = options.evaluate == "all"

    def _document_shards(self, shards: Sequence[Shard]) -> tuple[Shard, ...]:
        plain = [shard for shard in shards if not _groups(self.recipe, shard)]
        found = [replace(shard, index=index) for index, shard in enumerate(plain)]
        for source in dict.fromkeys(shard.source for shard in self.collected):
            generations = {shard.generation for shard in self.collected if shard.source == source}
            if len(generations) > 1:
                raise UsageError(
                    f"source {source!r} makes documents of parts from all of its files, so one run cannot take several "
                    "dumps of it: give all its input one generation"
                )
            for partition in range(self.partitions):
                found.append(Shard(len(found), source, (), partition, *generations))
        return tuple(found)

    # What steps call

    def map(self, step: MapStep) -> None:
        """Join the stage that is open, or open one."""
        if step.reads not in self._views:
            raise UsageError(
                f"step {step.instance!r} reads the view {step.reads!r}, which no earlier step makes"
            )
        if step.edits and step.reads != "latest":
            raise UsageError(f"step {step.instance!r} edits, so it must read the latest view")
        for rule in step.rules:
            threshold = getattr(step.parameters, rule.name)
            if isinstance(threshold, float) and not math.isfinite(threshold):
                raise UsageError(
                    f"step {step.instance!r}: {rule.name} is {threshold}; null switches a rule off"
                )
        stage = self._stage()
        step.only = self._only()
        stage.steps.append(step)
        self._measuring[step.instance] = self._measuring_of(step)
        if step.edits:
            self._views.add(step.instance)
        if step.materializes:
            self.close("read")

    def exchange(self, emitter: Emitter) -> None:
        """Let the open stage emit rows of its kept documents, and close it."""
        emitter.only = self._only()
        self._stage().emitter = emitter
        if emitter.output.name in self._exchanges:
            raise UsageError(f"two exchanges are called {emitter.output.name!r}")
        self.close(emitter.output.name)

    def join(self, exchange: str) -> None:
        """Open a stage whose tasks get the rows that `exchange` addressed to their shard."""
        self.close()
        if self._exchanges[exchange].spec.partition_by != "shard":
            raise UsageError(f"exchange {exchange!r} is not addressed to shards")
        self._joined = True
        self._stage().joins.append(exchange)

    def reduce(
        self,
        exchange: str,
        reducer: Reducer,
        keeper: Keeper | None = None,
        also: Sequence[str] = (),
        met: bool = True,
    ) -> None:
        """Add a stage with a task per partition of `exchange`, and of the exchanges `also` with the same rows.

        `keeper` chooses rows for a table; with `met`, the rows in the tables of earlier runs are reduced too.
        """
        self.close()
        info = self._exchanges[exchange]
        tables = []
        if keeper is not None and met and self._step is not None:
            tables = [run.table(self._step, exchange) for run in self.earlier]
        self._touch()
        body = ReduceBody(exchange, reducer, keeper, also, tables)
        stage = self._add(f"{exchange}-reduce", body, info.partitions)
        for spec in reducer.outputs:
            self._exchanges[spec.name] = ExchangeInfo(spec, stage.id, stage.tasks, self._partitions_of(spec))
        if keeper is not None and self._step is not None:
            columns = tuple(keeper.columns if keeper.columns is not None else info.spec.schema.names)
            kept = (self._step.instance, exchange, stage.id, stage.tasks, columns, len(self.sidecars))
            self._kept.append(KeptExchange(*kept))

    def fold(self, name: str, folder: Folder) -> None:
        """Count over the open stage's documents and commit the value under `name`."""
        folder.only = self._only()
        self._stage().folders[name] = folder
        self.close(name)
        producer = self._stages[-1]
        self._touch()
        self.register_value(name, self._add(name, FoldBody(name, folder, producer.id, producer.tasks), 1))

    def single(self, name: str, task: SingleTask) -> None:
        """Run one task on its own; its value and files are known under `name` from here on."""
        self.close()
        self._touch()
        self.register_value(name, self._add(name, SingleBody(name, task), 1))

    def add(self, name: str, body: Body, tasks: int) -> Stage:
        """Add a stage with a body of the step's own (packing, shard files)."""
        self.close()
        self._touch()
        return self._add(name, body, tasks)

    def register_value(self, name: str, stage: Stage) -> None:
        """Make the value of a one-task stage known under `name`."""
        self._values[name] = stage.id
        self._own_values = (*self._own_values, name)

    def register_exchange(self, spec: ExchangeSpec, producer: Stage, partitions: int) -> None:
        """Make an exchange that `producer` writes known under its name."""
        self._exchanges[spec.name] = ExchangeInfo(spec, producer.id, producer.tasks, partitions)

    def close(self, name: str | None = None) -> None:
        """End the open map stage, if there is one: what follows starts from its committed output."""
        body, self._open = self._open, None
        if body is None:
            return
        stage_name = name or (body.steps[-1].instance if body.steps else "map")
        stage = self._add(stage_name, body, len(self.shards))
        if not self._documents_stage:
            self._documents_stage = stage.id
        self.sidecars += [Sidecar.of(stage.id, step) for step in body.steps]

    # What the compiler calls

    def compile_step(self, step: Step) -> None:
        """Let one step of the recipe add its operations."""
        self._step, self._joined, self._own_values = step, False, ()
        if self._open is not None:
            self._touch()
        step.compile(self)

    def finish(self) -> Plan:
        """Close the last stage and add the final projection."""
        self.close()
        reading = next(stage.body for stage in self._stages if isinstance(stage.body, ReadBody))
        if not any(step.materializes for step in reading.steps):
            raise UsageError(
                "no step makes text of the records: the recipe needs the step `extract`, and before any step "
                "that compares documents"
            )
        self._step = None
        self._chain = _digest([self._chain, self.recipe.options.keep_dropped])
        self._add("write", WriteBody(self.recipe.options.keep_dropped), len(self.shards))
        return Plan(
            recipe_digest=_digest(self.recipe.resolved()),
            seed=self.recipe.options.seed,
            options=self.recipe.options.model_dump(mode="json"),
            shards=self.shards,
            collected=self.collected,
            stages=tuple(self._stages),
            exchanges=self._exchanges,
            values=self._values,
            documents_stage=self._documents_stage,
            sidecars=tuple(self.sidecars),
            plugins=tuple(registry.plugin_files()),
            kept=tuple(self._kept),
            earlier=self.earlier,
            measuring=self._measuring,
        )

    def _measuring_of(self, step: MapStep) -> Measuring:
        """What a step's measurements depend on; a step is taken to look at its own joins and values only."""
        hashes = [
            part.fingerprint() for part in (self._step, step) if part is not None and self._fingerprints
        ]
        signals = [[signal.name, signal.scale, str(signal.type)] for signal in step.signals]
        everything = step.parameters.model_dump(mode="json")
        parameters = everything if names_thresholds(step) else step.measuring()
        digest = _digest([step.name, step.version, parameters, hashes, list(step.only), signals])
        return Measuring(digest, self._joined, self._own_values)

    def _stage(self) -> MapBody:
        if self._open is None:
            self._open = MapBody()
            before_exchange = not self._exchanges
            self._open.measure_all = self.recipe.options.evaluate == "all" and before_exchange
            self._open_parts = []
        self._touch()
        return self._open

    def _touch(self) -> None:
        """Note that the step being compiled shapes the stage at hand."""
        if self._step is not None:
            part = [self._step.instance, self._step.name, self._step.version]
            hashes = self._step.fingerprint() if self._fingerprints else {}
            entry = [*part, self._step.parameters.model_dump(mode="json"), hashes]
            if self._step.only:
                entry.append(list(self._step.only))
            if entry not in self._open_parts:
                self._open_parts.append(entry)

    def _only(self) -> tuple[str, ...]:
        """The sources that the step being compiled is limited to."""
        return self._step.only if self._step is not None else ()

    def _partitions_of(self, spec: ExchangeSpec) -> int:
        if spec.partition_by != "shard":
            return self.partitions
        return sum(run.shards for run in self.earlier) if spec.earlier else len(self.shards)

    def _add(self, name: str, body: Body, tasks: int) -> Stage:
        if not (self._inputs_chained or _per_shard(body)):
            # Before the first stage that mixes shards, a task depends on its own shard alone (its manifest
            # names it), so a longer input list finds the shards of a shorter one done.
            inputs = [
                (shard.source, [(file.path, file.size) for file in shard.files])
                for shard in (*self.collected, *self.shards)
            ]
            generations = [shard.generation for shard in self.shards]
            dumps = [generations, [run.identity for run in self.earlier]]
            named = [dumps] if any(generations) or self.earlier else []
            self._chain = _digest([self._chain, inputs, self.partitions, *named])
            self._inputs_chained = True
        tasks_hashed = 0 if _per_shard(body) else tasks
        self._chain = _digest([self._chain, name, type(body).__name__, tasks_hashed, self._open_parts])
        steps = tuple(dict.fromkeys(str(part[0]) for part in self._open_parts))
        self._open_parts = []
        stage = Stage(len(self._stages), name, body, tasks, self._chain, steps)
        self._stages.append(stage)
        if isinstance(body, MapBody) and body.emitter is not None:
            spec = body.emitter.output
            self._exchanges[spec.name] = ExchangeInfo(spec, stage.id, tasks, self._partitions_of(spec))
        return stage


def _groups(recipe: Recipe, shard: Shard) -> bool:
    return isinstance(recipe.sources[shard.source], GroupingSource)


def _per_shard(body: Body) -> bool:
    """Whether a task of the body depends on one input shard only: a map that neither emits nor joins."""
    return isinstance(body, MapBody) and body.emitter is None and not body.joins


def _digest(*values: Any) -> str:
    return hashlib.sha256(canonical_json(list(values)).encode("utf-8")).hexdigest()


def sketched(recipe: Recipe) -> tuple[Stage, ...]:
    """The stages that a recipe compiles to, to be looked at and not to be run; models need not be there."""
    shards = [Shard(index, name, ()) for index, name in enumerate(recipe.sources)]
    builder = PlanBuilder(recipe, shards, fingerprints=False)
    for step in recipe.steps:
        builder.compile_step(step)
    return builder.finish().stages


def map_steps(recipe: Recipe) -> list[MapStep]:
    """All steps over single documents that a recipe compiles to; models need not be there."""
    bodies = [stage.body for stage in sketched(recipe)]
    return [step for body in bodies if isinstance(body, MapBody) for step in body.steps]


def compile_plan(recipe: Recipe, shards: Sequence[Shard], earlier: Sequence[EarlierRun] = ()) -> Plan:
    """Compile a recipe for the listed shards, to be made against earlier runs.

    Raises `UsageError` where the steps do not fit together, or the tables of an earlier run do not fit them.
    """
    builder = PlanBuilder(recipe, shards, earlier=earlier)
    for step in recipe.steps:
        builder.compile_step(step)
    return builder.finish()
