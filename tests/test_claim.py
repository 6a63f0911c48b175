"""Whose a run directory is: locks, recipes, inputs, and what a changed plan leaves behind."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from corpusforge import claim
from corpusforge.errors import UsageError
from corpusforge.layout import RunLayout
from corpusforge.listing import list_shards
from corpusforge.plan import compile_plan
from corpusforge.recipe import load_text
from corpusforge.tasks.facts import file_facts

RECIPE = "shard_bytes: 10\nsources: {commoncrawl: {}}\nsteps: [extract]\n"


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    folder = tmp_path / "input"
    folder.mkdir()
    for name in "abc":
        (folder / f"{name}.warc").write_bytes(b"x" * 10)
    return folder


def claimed(root: Path, inputs: Path, recipe: str = RECIPE, limit: int | None = None) -> bool:
    loaded = load_text(recipe, "recipe.yaml")
    shards = list_shards(loaded, {"commoncrawl": [str(inputs)]})[:limit]
    layout = RunLayout(str(root))
    with claim.lock(layout):
        return claim.claim(layout, loaded, compile_plan(loaded, shards), shards)


def output(root: Path) -> Path:
    path = root / "documents" / "00000.parquet"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"rows")
    return path


def test_a_folder_is_bound_once_and_stays_bound(tmp_path, inputs):
    root = tmp_path / "run"
    assert claimed(root, inputs) is False
    kept = output(root)
    assert claimed(root, inputs) is True
    assert kept.exists(), "nothing of the same plan is touched"


def test_another_plan_removes_the_outputs_of_the_one_before(tmp_path, inputs):
    root = tmp_path / "run"
    claimed(root, inputs)
    stale = output(root)
    claimed(root, inputs, limit=2)
    assert not stale.exists()


def test_a_change_of_plan_that_was_interrupted_is_finished_by_whoever_comes_next(
    tmp_path, inputs, monkeypatch
):
    root = tmp_path / "run"
    claimed(root, inputs)
    stale = output(root)
    monkeypatch.setattr(claim, "_remove", lambda location: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        claimed(root, inputs, limit=2)
    monkeypatch.undo()
    assert stale.exists()
    claimed(root, inputs)
    assert not stale.exists(), (
        "some of the outputs may be gone already: the old plan cannot trust them either"
    )


def test_another_recipe_and_foreign_folders_are_refused(tmp_path, inputs):
    root = tmp_path / "run"
    claimed(root, inputs)
    with pytest.raises(UsageError, match=r"seed: 0 -> 1"):
        claimed(root, inputs, RECIPE + "seed: 1\n")
    with pytest.raises(UsageError, match="holds no run"):
        claimed(inputs, inputs)


def test_a_folder_with_kills_alone_is_a_replay(tmp_path, inputs):
    root = tmp_path / "run"
    root.mkdir()
    (root / "kills.jsonl").write_text("")
    assert claimed(root, inputs) is False
    assert (root / "kills.jsonl").exists()


def test_only_one_driver_holds_the_lock(tmp_path):
    layout = RunLayout(str(tmp_path / "run"))
    with claim.lock(layout), pytest.raises(UsageError, match="another run is working"), claim.lock(layout):
        pass
    with claim.lock(layout):
        pass


@pytest.mark.parametrize(
    ("change", "accepted"),
    [
        (lambda folder: (folder / "d.warc").write_bytes(b"x"), True),
        (lambda folder: (folder / "c.warc").unlink(), True),
        (lambda folder: (folder / "aa.warc").write_bytes(b"x" * 10), False),
        (lambda folder: (folder / "a.warc").unlink(), False),
        (lambda folder: (folder / "a.warc").write_bytes(b"x" * 11), False),
        (lambda folder: (folder / "c.warc").write_bytes(b"x" * 11), False),
        (lambda folder: (folder / "c.warc").rename(folder / "d.warc"), False),
    ],
)
def test_inputs_may_grow_or_shrink_at_their_end_only(tmp_path, inputs, change, accepted):
    root = tmp_path / "run"
    claimed(root, inputs)
    change(inputs)
    if accepted:
        assert claimed(root, inputs) is True
    else:
        with pytest.raises(UsageError, match="other inputs: shard"):
            claimed(root, inputs)


def test_a_file_changed_in_place_is_noticed_by_time_and_hash(tmp_path, inputs):
    root = tmp_path / "run"
    claimed(root, inputs)
    loaded = load_text(RECIPE, "recipe.yaml")
    shards = list_shards(loaded, {"commoncrawl": [str(inputs)]})
    plan = compile_plan(loaded, shards)
    manifest = Path(RunLayout(str(root)).manifest(plan.stages[0].id, 1))
    manifest.parent.mkdir(parents=True)
    manifest.write_text(json.dumps({"value": {"inputs": [file_facts(shards[1].files[0])]}}))
    os.utime(inputs / "b.warc", ns=(1, 1))
    assert claimed(root, inputs) is True, "copied anew, the same bytes"
    (inputs / "a.warc").write_bytes(b"y" * 10)
    assert claimed(root, inputs) is True, "shard 0 was not read yet"
    (inputs / "b.warc").write_bytes(b"y" * 10)
    os.utime(inputs / "b.warc", ns=(2, 2))
    with pytest.raises(UsageError, match=r"b\.warc has changed since"):
        claimed(root, inputs)
