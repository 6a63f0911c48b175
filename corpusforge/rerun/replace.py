"""A dump added to earlier runs whose documents are not frozen: all are decided anew, and retractions are told.

The new run reads what the earlier runs read and the dump behind it, with the option ``frozen: false``, so that it is
one run over everything. What the earlier runs extracted is taken over: a shard's documents depend on its files alone.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from corpusforge import kills, storage
from corpusforge.earlier import absolute, load_earlier
from corpusforge.errors import UsageError
from corpusforge.layout import dump_json, number
from corpusforge.listing import MAX_GENERATION, list_shards
from corpusforge.plan import Plan
from corpusforge.recipe import Recipe, load_text
from corpusforge.report.retractions import FILE, Retraction, write_retractions
from corpusforge.rerun.changes import in_order, shard_changes
from corpusforge.rerun.decide import link, recorded_inputs, recorded_of
from corpusforge.run import RunSummary
from corpusforge.sources.base import GroupingSource, Shard

ADVICE = (
    "replacing needs every file that the earlier runs read, on this machine's disks and where it was; "
    "`corpusforge run --against` does not"
)


@dataclass(frozen=True)
class Known:
    """An earlier run: its shard k is shard ``first + k`` of the union."""

    root: Path
    first: int
    shards: int
    touched: frozenset[int] = frozenset()
    """Its shards with a file that was written again since: their documents are not taken over."""


@dataclass(frozen=True)
class Union:
    """The input of earlier runs and of a new dump: `inputs` as `run_recipe` takes them."""

    inputs: Mapping[str, Sequence[str]]
    runs: tuple[Known, ...]

    def root_of(self, shard: int, output: Path) -> Path:
        """The run that the documents of a shard came with: an earlier one, or the new one itself."""
        for run in self.runs:
            if run.first <= shard < run.first + run.shards:
                return run.root
        return output


def replacing_recipe(run: Path, settings: Sequence[str] = ()) -> Recipe:
    """The recipe of a run with ``frozen: false`` and settings as of ``--set``.

    Raises `UsageError` for no finished run, and for what would leave retractions without a reason.
    """
    if not (run / "manifest.json").exists():
        raise UsageError(f"{run} holds no manifest.json: is it a run directory, and did the run end?")
    text = (run / "recipe.yaml").read_text(encoding="utf-8")
    recipe = load_text(text, "recipe.yaml", [*settings, "frozen=false"])
    if recipe.options.keep_dropped != "all":
        raise UsageError("what is retracted is told from dropped/: replacing needs --set keep_dropped=all")
    for name, source in recipe.sources.items():
        if isinstance(source, GroupingSource):
            raise UsageError(
                f"source {name!r} makes documents of parts from all of its files: a document of an earlier run may be "
                "another one together with a new dump, so nothing can be said of its fate"
            )
    return recipe


def union_of(recipe: Recipe, roots: Sequence[str], dump: Mapping[str, Sequence[str]], output: Path) -> Union:
    """The inputs of the given runs and all that they were made against, in their order, and of the new dump.

    Raises `UsageError` where the input of a run cannot be listed as it was, or two runs read one file.
    """
    earlier = load_earlier(roots, str(output))
    inputs: dict[str, Sequence[str]] = {}
    recorded: list[tuple[Path, int, int]] = []
    first = 0
    for run in earlier:
        if storage.is_remote(run.root):
            raise UsageError(f"{run.root} is not on this machine's disks: {ADVICE}")
        root, begin = Path(run.root), first
        for key, patterns in recorded_inputs(root, recipe, ADVICE).items():
            source, generation = _dump(key)
            inputs[f"{source}@{begin + generation}"] = patterns
            first = max(first, begin + generation + 1)
        recorded.append((root, begin, first))
    if not dump:
        raise UsageError("what is added? give --input source=PATH_OR_GLOB")
    for key, added in dump.items():
        source, generation = _dump(key)
        place = f"{source}@{first + generation}"
        inputs[place] = [*inputs.get(place, ()), *added]
    shards = list_shards(recipe, inputs)
    return Union(inputs, tuple(_placed(root, shards, begin, end) for root, begin, end in recorded))


def _dump(key: str) -> tuple[str, int]:
    source, found, generation = key.partition("@")
    if found and not (generation.isascii() and generation.isdigit() and int(generation) < MAX_GENERATION):
        raise UsageError(
            f"--input {key}: a generation is a number under {MAX_GENERATION}, not {generation!r}"
        )
    return source, int(generation or 0)


def _placed(root: Path, shards: Sequence[Shard], begin: int, end: int) -> Known:
    own = [shard for shard in shards if begin <= shard.generation < end]
    listed = [[shard.source, [[file.path, file.size] for file in shard.files]] for shard in own]
    recorded = recorded_of(root)
    if listed != recorded["shards"]:
        raise UsageError(f"files that {root} read were read by another of these runs too: {ADVICE}")
    times = recorded["modified"]
    touched = (
        index
        for index, shard in enumerate(own)
        if any(times.get(file.url) != storage.modified(file.url) for file in shard.files)
    )
    return Known(root, own[0].index if own else 0, len(own), frozenset(touched))


def replace_run(
    recipe: Recipe,
    union: Union,
    output: Path,
    on_plan: Callable[[Plan, bool, int], None] = lambda plan, resumed, taken: None,
    **settings: Any,
) -> tuple[RunSummary, dict[str, int]]:
    """Run a union, or go on with it, and write ``changes/`` and ``retractions.parquet`` into its directory.

    Gives the run's summary and the number of documents of earlier runs by kind of change. `on_plan` hears the plan,
    whether work of an earlier attempt was found, and how many shards need no extraction. `settings`: those of
    `corpusforge.run.run_recipe`; raises what that raises.
    """
    if not output.exists():
        _copy_kills(union, output)

    def take_over(plan: Plan, resumed: bool) -> None:
        (output / FILE).unlink(missing_ok=True)
        on_plan(plan, resumed, seed(union, output, plan))

    summary = recipe.run(union.inputs, output, on_plan=take_over, **settings)
    counts: Counter[str] = Counter()
    own = Path(absolute(str(output)))
    write_retractions(output, _retractions(union, output, counts), lambda shard: union.root_of(shard, own))
    return summary, in_order(counts)


def _copy_kills(union: Union, output: Path) -> None:
    """What the watchdog gave up in earlier runs is an input here."""
    found = [run.root / kills.KILLS_FILE for run in union.runs if (run.root / kills.KILLS_FILE).exists()]
    if found:
        output.mkdir(parents=True)
        data = b"".join(path.read_bytes() for path in found)
        storage.commit_bytes(str(output / kills.KILLS_FILE), data)


def _retractions(union: Union, output: Path, counts: Counter[str]) -> Iterator[Retraction]:
    """Compare the documents of the earlier runs, a shard at a time."""
    for run in union.runs:
        for shard in range(run.shards):
            names = (f"{number(shard)}.parquet", f"{number(run.first + shard)}.parquet")
            for row in shard_changes(run.root, names[0], output, names[1]):
                counts[row["change"]] += 1
                if row["change"] == "dropped":
                    yield Retraction(
                        run.root,
                        row["id"],
                        row["source"],
                        row["locator"],
                        row["after"],
                        row["survivor_after"],
                    )


def seed(union: Union, output: Path, plan: Plan) -> int:
    """Link (or copy) what the earlier runs committed for shards of this plan; gives the number of shards."""
    taken = set()
    for stage in plan.stages:
        for run in union.runs:
            folder = run.root / "stages" / stage.id
            for shard in sorted(set(range(run.shards)) - run.touched):
                manifest = folder / f"{number(shard)}.json"
                # The tasks of other operations are not numbered by shard.
                numbered = stage.body.operation in ("read", "map") and manifest.exists()
                if numbered and _take(manifest, shard, output / "stages" / stage.id, run.first + shard):
                    taken.add(run.first + shard)
    return len(taken)


def _take(manifest: Path, task: int, target: Path, as_task: int) -> bool:
    """Take over one committed task under another number; False when something of it is gone.

    Its manifest comes last, as in a run.
    """
    new = target / f"{number(as_task)}.json"
    if new.exists():
        return True
    facts = json.loads(manifest.read_bytes())
    files = {
        manifest.parent / f"{number(task)}.{name}": target / f"{number(as_task)}.{name}"
        for name in (*facts["files"], "timings.json")
    }
    if not all(source.exists() for source in files):
        return False
    target.mkdir(parents=True, exist_ok=True)
    for source, file in files.items():
        if not file.exists():
            link(source, file)
    storage.commit_bytes(str(new), dump_json({**facts, "task": as_task}))
    return True
