"""Other thresholds applied to a finished run: a new run that begins with all that does not depend on them.

A stage's name carries a hash of all that its output depends on. So the committed stages of the old run that the new
plan names too are taken over as they are, extraction first of all. Stages behind the first changed parameter are done
again, with the signals that the old run stored: what is measured are documents that a step did not see there, or not
as they come to it now (`corpusforge.tasks.measured_before`). The result is byte for byte what a run from the beginning
would give.
"""

from __future__ import annotations

import glob
import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from corpusforge import claim
from corpusforge.earlier import recorded_against
from corpusforge.errors import UsageError
from corpusforge.kills import KILLS_FILE
from corpusforge.layout import RunLayout
from corpusforge.listing import list_shards
from corpusforge.plan import Plan, compile_plan
from corpusforge.recipe import Recipe, load_of_run
from corpusforge.run import RunSummary
from corpusforge.sources.base import Shard
from corpusforge.tasks.measured_before import MeasuredBefore

GIVE_INPUT = "give --input source=PATH as when it was run"
"""What helps where a command takes the old input as an option."""

READ_AGAIN = (
    "What would be taken over was made of the old file. Bring that back, or begin anew: `corpusforge run` with the "
    "old recipe.yaml, the inputs and another --output"
)


def recorded_inputs(run: Path, recipe: Recipe, advice: str = GIVE_INPUT) -> dict[str, list[str]]:
    """The inputs of a run as patterns that list the same files again.

    Raises `UsageError` with `advice` where they cannot be told from what the run recorded: remote files, files that
    are gone or changed their size, or equal names in several folders.
    """
    recorded = recorded_of(run)
    urls = list(recorded.get("modified", {}))
    found: dict[str, list[str]] = {}
    generations = recorded.get("generations") or [0] * len(recorded["shards"])
    for (source, files), generation in zip(recorded["shards"], generations):
        dump = found.setdefault(f"{source}@{generation}" if generation else source, [])
        for path, size in files:
            locations = [url for url in urls if url.endswith("/" + path)]
            if len(locations) != 1 or source not in recipe.sources:
                raise _cannot_tell(run, advice)
            _look_for(run, locations[0], size, advice)
            dump.append(_pattern(locations[0], path))
    try:
        shards = list_shards(recipe, found, partial=True)
    except UsageError as error:
        raise _cannot_tell(run, advice) from error
    listed = [[shard.source, [[file.path, file.size] for file in shard.files]] for shard in shards]
    if listed != recorded["shards"]:
        raise _cannot_tell(run, advice)
    return found


def recorded_of(run: Path) -> dict[str, Any]:
    """What a run's directory is bound to. Raises `UsageError` where its stages were cleaned away."""
    location = run / "stages" / "inputs.json"
    if not location.exists():
        raise UsageError(
            f"{run} holds no stages: they were cleaned away (`corpusforge clean --all`), so that nothing of this run "
            "can be used again"
        )
    try:
        return dict(json.loads(location.read_bytes()))
    except ValueError as error:
        raise UsageError(f"{location} is damaged ({error}): nothing of this run can be used again") from error


def _look_for(run: Path, location: str, size: int, advice: str) -> None:
    """Raise `UsageError` for a file that is gone or has another size."""
    file = Path(location)
    if not file.is_file():
        raise _cannot_tell(run, advice, f" ({location} is gone)")
    if file.stat().st_size != size:
        raise _cannot_tell(run, advice, f" ({location} had {size} bytes and has {file.stat().st_size})")


def _cannot_tell(run: Path, advice: str, detail: str = "") -> UsageError:
    return UsageError(f"the input of {run} cannot be found again{detail}: {advice}")


def _pattern(url: str, path: str) -> str:
    """A pattern that lists one file with this path below its root: the root ends before the first wildcard."""
    root = url.removesuffix(path)
    return f"{glob.escape(root)}[{path[0]}]{glob.escape(path[1:])}" if "/" in path else url


def decide(
    run: Path,
    recipe: Recipe,
    inputs: Mapping[str, Sequence[str]],
    output: Path,
    on_plan: Callable[[Plan, bool, int], None] = lambda plan, resumed, taken: None,
    **settings: Any,
) -> RunSummary:
    """Run `recipe` into `output`, with the stages of `run` that are also its own.

    `on_plan` hears the plan, whether work of an earlier attempt was found, and the number of stages that were taken
    over. `settings`: those of `corpusforge.run.run_recipe`. Raises what that raises, and `UsageError` where `run`
    holds no stages or is `output`, and where a file that it read has other bytes now.
    """
    recorded = recorded_of(run)
    if output.resolve() == run.resolve():
        raise UsageError("decide writes a new run: give another folder as --output")
    kills = run / KILLS_FILE
    if kills.exists() and not output.exists():
        # What the watchdog gave up there is an input here: bytes are equal given equal kills.
        output.mkdir(parents=True)
        shutil.copyfile(kills, output / KILLS_FILE)

    def take_over(plan: Plan, resumed: bool) -> None:
        claim.compare_contents(RunLayout(str(run)), recorded, plan, READ_AGAIN)
        on_plan(plan, resumed, seed(run, output, plan))

    def with_measurements(plan: Plan, shards: Sequence[Shard]) -> Plan:
        return replace(plan, measured=_measured_in(run, recipe, plan, shards))

    settings.setdefault("against", recorded_against(str(run)))
    return recipe.run(inputs, str(output), on_plan=take_over, adapted=with_measurements, **settings)


MEASURED_ALIKE = ("seed", "shard_bytes", "batch_documents", "batch_bytes", "frozen")
"""Options on which measurements, or where they stand, depend."""


def _measured_in(run: Path, recipe: Recipe, plan: Plan, shards: Sequence[Shard]) -> MeasuredBefore | None:
    """What tasks can take over from `run`: None where its documents came from other settings of sources or batches."""
    old = load_of_run(run)
    before, now = old.resolved(), recipe.resolved()
    if any(before.get(name) != now.get(name) for name in ("sources", *MEASURED_ALIKE)):
        return None
    try:
        return MeasuredBefore(str(run.resolve()), compile_plan(old, shards, plan.earlier))
    except UsageError:
        return (
            None  # A model that only the old recipe names is gone: nobody can tell what was measured with it.
        )


@dataclass(frozen=True)
class Reuse:
    """What a decided run took over of the measurements that it needed."""

    documents: int
    """Documents whose signals were taken over: those of the step with the most."""
    taken: int
    """Measurements taken over: one for each step and document."""
    measured: dict[str, int]
    """Step to documents that it measured."""


def reuse(run: Path, output: Path, plan: Plan) -> Reuse:
    """Add up what tasks noted in stages that `run` does not have. Steps that compare documents do not count."""
    taken: Counter[str] = Counter()
    measured: Counter[str] = Counter()
    for stage in plan.stages:
        if (run / "stages" / stage.id).is_dir():
            continue
        for path in sorted((output / "stages" / stage.id).glob("*.timings.json")):
            for step, spent in json.loads(path.read_bytes())["steps"].items():
                if not plan.measuring[step].joined:
                    taken[step] += int(spent.get("documents_taken", 0))
                    measured[step] += int(spent.get("documents_measured", 0))
    return Reuse(
        max(taken.values(), default=0), taken.total(), {step: n for step, n in measured.items() if n}
    )


def seed(run: Path, output: Path, plan: Plan) -> int:
    """Link (or copy) what tasks of `run` committed in stages of this plan; gives the number of these stages."""
    taken = 0
    for stage in plan.stages:
        source = run / "stages" / stage.id
        target = output / "stages" / stage.id
        files = sorted(source.glob("[0-9]*.*")) if source.is_dir() else []
        if not files:
            continue
        taken += 1
        target.mkdir(parents=True, exist_ok=True)
        # A manifest makes a task committed, so manifests come behind the files that they name.
        for file in sorted(files, key=lambda file: (file.name.count(".") == 1, file.name)):
            if not (target / file.name).exists():
                link(file, target / file.name)
    return taken


def link(source: Path, target: Path) -> None:
    """Committed files are never changed, only replaced: a link is as good as a copy where the file system has it."""
    try:
        os.link(source, target)
    except OSError:
        partial = target.with_name(f".{target.name}.tmp")
        shutil.copyfile(source, partial)
        partial.replace(target)
