"""Whose a run directory is: one driver at a time, one recipe, inputs that only grow at their end."""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from corpusforge import kills, lease, storage
from corpusforge.errors import UsageError
from corpusforge.layout import RunLayout, dump_json
from corpusforge.plan import Plan
from corpusforge.recipe import Recipe, difference
from corpusforge.sources.base import Shard, SourceFile
from corpusforge.tasks.facts import file_facts

log = logging.getLogger("corpusforge.run")

OUTPUTS = ("documents", "dropped", "quarantine", "shards")
RESULTS = ("manifest.json", "ledger.json", "report.json", "report.html", "environment.json", "timings.json")

INPUTS_FILE = ("stages", "inputs.json")
"""What the directory is bound to: input files with their times, plan, stages. Outside the comparison of bytes."""

LOCK_FILE = ".lock"


@contextlib.contextmanager
def lock(layout: RunLayout, waiting: Callable[[str], None] = log.warning) -> Iterator[Callable[[], None]]:
    """Hold a run directory; gives what to call now and then: it raises `UsageError` when the directory was lost.

    On a local disk the lock goes with the process, however it ends; in a store it is a `corpusforge.lease`, and
    `waiting` hears when its holder may be dead. Raises `UsageError` when another process holds it or the folder
    cannot be written to.
    """
    if storage.is_remote(layout.root):
        with lease.held(layout.file(LOCK_FILE), waiting) as holding:
            yield holding.check
        return
    try:
        storage.make_folder(Path(layout.root))
        opened = Path(layout.file(LOCK_FILE)).open("w")  # noqa: SIM115 - closed by the with statement below
    except OSError as error:
        raise UsageError(f"cannot write to {layout.root}: {error.strerror}") from error
    with opened as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise UsageError(f"another run is working in {layout.root}") from error
        yield lambda: None


def claim(layout: RunLayout, recipe: Recipe, plan: Plan, shards: Sequence[Shard]) -> bool:
    """Bind the directory to this recipe and these inputs; gives whether it was bound to them before.

    Raises `UsageError` naming the difference when it belongs to another recipe or to other inputs. More input
    files behind the known ones (or fewer) are accepted: what depends on them is done again. Outputs of another
    plan are removed first; until that is done, the directory is marked, so that no interruption mixes two plans.
    A complete run whose stages were cleaned away stays as it is.
    """
    recipe_file = layout.file("recipe.yaml")
    known = storage.exists(recipe_file)
    before = _bound_to(layout)
    if known:
        _compare_recipe(layout, recipe)
        _compare_inputs(layout, before, shards)
        _compare_dumps(layout, before, plan, shards)
        compare_contents(layout, before, plan, "Use another --output.")
    elif _foreign(layout):
        raise UsageError(f"{layout.root} is not empty and holds no run: use another --output")
    storage.remove_temporary(layout.root)
    bound = {
        "shards": [[shard.source, [[file.path, file.size] for file in shard.files]] for shard in shards],
        "modified": {
            file.url: storage.modified(file.url)
            for shard in shards
            for file in shard.files
            if not storage.is_remote(file.url)
        },
        "plan": plan.digest,
        "stages": [stage.id for stage in plan.stages],
        **_dumps(plan, shards),
    }
    cleaned = not before and is_complete(layout, plan)
    if known and not cleaned and (before.get("plan") != plan.digest or not before.get("ready", False)):
        storage.commit_bytes(layout.file(*INPUTS_FILE), dump_json({**bound, "ready": False}))
        for name in OUTPUTS + RESULTS:
            _remove(layout.file(name))
    storage.commit_bytes(recipe_file, recipe.to_yaml().encode("utf-8"))
    storage.commit_bytes(layout.file(*INPUTS_FILE), dump_json({**bound, "ready": True}))
    return known


def current_stages(layout: RunLayout) -> list[str]:
    """Stage folders of the plan that the directory is bound to."""
    return list(_bound_to(layout).get("stages", []))


def is_complete(layout: RunLayout, plan: Plan) -> bool:
    """Whether a run of this plan has ended here and all that it wrote is still there."""
    location = layout.file("manifest.json")
    if not storage.exists(location):
        return False
    manifest = json.loads(storage.read_bytes(location))
    if manifest["plan"] != plan.digest:
        return False
    return storage.is_remote(layout.root) or all(
        storage.holds(layout.file(name), facts["bytes"]) for name, facts in manifest["outputs"].items()
    )


def _bound_to(layout: RunLayout) -> dict[str, Any]:
    location = layout.file(*INPUTS_FILE)
    return dict(json.loads(storage.read_bytes(location))) if storage.exists(location) else {}


def _foreign(layout: RunLayout) -> bool:
    """Whether something lies there that no run put there. A ``kills.jsonl`` alone is a replay about to begin."""
    if storage.is_remote(layout.root):
        return False
    return any(path.name not in (LOCK_FILE, kills.KILLS_FILE) for path in Path(layout.root).iterdir())


def _remove(location: str) -> None:
    if not storage.is_remote(location) and Path(location).is_file():
        Path(location).unlink()
    else:
        storage.remove_tree(location)


def _compare_recipe(layout: RunLayout, recipe: Recipe) -> None:
    old = yaml.safe_load(storage.read_bytes(layout.file("recipe.yaml")))
    changes = difference(old, yaml.safe_load(recipe.to_yaml()))
    if changes:
        lines = "\n  ".join(changes)
        raise UsageError(f"{layout.root} holds a run of another recipe:\n  {lines}\nUse another --output.")


def _compare_inputs(layout: RunLayout, before: Mapping[str, Any], shards: Sequence[Shard]) -> None:
    """Raise `UsageError` unless one list of input shards begins with the other; the last common one may have grown."""
    old = before.get("shards", [])
    for index, ((old_source, old_files), shard) in enumerate(zip(old, shards)):
        files = [[file.path, file.size] for file in shard.files]
        common = min(len(files), len(old_files))
        is_last = index == min(len(old), len(shards)) - 1
        grown = is_last and files[:common] == old_files[:common]
        if old_source == shard.source and (files == old_files or grown):
            continue
        was, now = [str(name) for name, _ in old_files], [file.path for file in shard.files]
        what = f"was {', '.join(was)}, is {', '.join(now)}" if was != now else "has files of another size"
        raise UsageError(
            f"{layout.root} holds a run on other inputs: shard {index} {what}. Use another --output."
        )


def _dumps(plan: Plan, shards: Sequence[Shard]) -> dict[str, list[Any]]:
    """Generations of the input's shards and identities of the earlier runs; nothing where there is but one dump."""
    generations = [shard.generation for shard in shards]
    found: dict[str, list[Any]] = {"generations": generations} if any(generations) else {}
    return {**found, "against": [run.identity for run in plan.earlier]} if plan.earlier else found


def _compare_dumps(layout: RunLayout, before: Mapping[str, Any], plan: Plan, shards: Sequence[Shard]) -> None:
    """Raise `UsageError` for a run that was made against other runs, or counted its dumps in another way."""
    now = _dumps(plan, shards)
    if before and before.get("against", []) != now.get("against", []):
        raise UsageError(f"{layout.root} holds a run that was made against other runs. Use another --output.")
    old, new = before.get("generations"), now.get("generations")
    if before and any(one != other for one, other in zip(old or [0] * len(shards), new or [0] * len(shards))):
        raise UsageError(
            f"{layout.root} holds a run with other generations of its input. Use another --output."
        )


def compare_contents(layout: RunLayout, before: Mapping[str, Any], plan: Plan, remedy: str) -> None:
    """Raise `UsageError`, which ends with `remedy`, when a file that was read into the run has other bytes now.

    `before`: what the run's directory is bound to. Looked at are files that stages of `plan` have read there. Only
    those with another modification time are hashed again: what keeps name, size and time passes unseen, and so does
    what keeps name and size in a store.
    """
    times = before.get("modified", {})
    for stage in plan.stages:
        shards = {"read": plan.shards, "collect": plan.collected}.get(stage.body.operation, ())
        for shard in shards:
            touched = [file for file in shard.files if times.get(file.url, 0) != _time_of(file)]
            if touched and storage.exists(layout.manifest(stage.id, shard.index)):
                read = {
                    facts["path"]: facts
                    for facts in layout.read_manifest(stage.id, shard.index)["value"]["inputs"]
                }
                for file in touched:
                    _compare_content(layout, file, read.get(file.path), shard.index, remedy)


def _time_of(file: SourceFile) -> int:
    return 0 if storage.is_remote(file.url) else storage.modified(file.url)


def _compare_content(
    layout: RunLayout, file: SourceFile, read: Mapping[str, Any] | None, shard: int, remedy: str
) -> None:
    if read is not None and read["bytes"] == file.size and read["sha256"] != file_facts(file)["sha256"]:
        raise UsageError(f"{file.url} has changed since {layout.root} read it (shard {shard}). {remedy}")
