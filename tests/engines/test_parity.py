"""One suite over all engines: recipes and every kind of deduplication, the same bytes; killed anywhere, too.

What is compared is all that a run promises: documents, what was dropped and quarantined, shards, ledger, manifest,
report. The reference is the local engine with two workers.
"""

from __future__ import annotations

import importlib.util
import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from parity import OWN, RECIPES, Driver, Material, make_material, plan_of, reference
from runs import digests

pytestmark = pytest.mark.slow

EVERYTHING = "CORPUSFORGE_PARITY"
"""Set to `all`, every recipe is run on both engines: half an hour more on two cores."""

RUNS = {
    "spark": ("duplicates", "cc_pipeline", "dialogue_pipeline", "llama_mixture"),
    "beam": (
        "duplicates",
        "arxiv_pipeline",
        "books_pipeline",
        "c4_pipeline",
        "github_pipeline",
        "wikipedia_pipeline",
    ),
    "beam processes": ("duplicates", "stackexchange_pipeline"),
    "beam portable": ("duplicates",),
}
"""Engines with what is run on them: Spark on a standalone cluster with two workers; Beam's runner in one process, with
two worker processes, and behind the portable Job API on loopback."""
if os.environ.get(EVERYTHING) == "all":
    RUNS["spark"] = RUNS["beam"] = RECIPES

BEAM = {
    "beam": (1, ()),
    "beam processes": (2, ()),
    "beam portable": (1, ("runner=PortableRunner",)),
}


def require_beam() -> None:
    if importlib.util.find_spec("apache_beam") is None:
        pytest.skip("needs the extra beam (apache_beam is not installed)")


class Drivers:
    """Drivers by engine, started when they are first asked for."""

    def __init__(self, material: Material, request: pytest.FixtureRequest, folder: Path) -> None:
        self._material = material
        self._request = request
        self._folder = folder
        self._started: dict[str, Driver] = {}
        self._count = 0

    def new(self, engine: str) -> Driver:
        """A driver of its own."""
        self._count += 1
        log = self._folder / f"driver-{self._count}.log"
        if engine in BEAM:
            require_beam()
            workers, options = BEAM[engine]
            return Driver(self._material.models, log, "beam", workers, *options)
        if engine == "spark":
            cluster = self._request.getfixturevalue("spark_cluster")
            cluster.mend()
            return Driver(self._material.models, log, "spark", 2, *cluster.options)
        return Driver(self._material.models, log, engine)

    def of(self, engine: str) -> Driver:
        """The driver that all runs on an engine share."""
        if engine not in self._started:
            self._started[engine] = self.new(engine)
        return self._started[engine]

    def stop(self, engine: str) -> None:
        """Stop an engine's driver: a Spark application keeps its cluster to itself."""
        driver = self._started.pop(engine, None)
        if driver is not None:
            driver.stop()

    def stop_all(self) -> None:
        for engine in list(self._started):
            self.stop(engine)


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Material:
    """Inputs and recipes; with the shared data also the model that `cc_pipeline` tells languages by."""
    try:
        language_model = request.getfixturevalue("shared_data") / "models" / "lid.176.ftz"
    except pytest.skip.Exception:
        language_model = None
    return make_material(tmp_path_factory.mktemp("parity"), language_model)


@pytest.fixture(scope="module")
def drivers(
    material: Material, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Drivers]:
    found = Drivers(material, request, tmp_path_factory.mktemp("drivers"))
    try:
        yield found
    finally:
        found.stop_all()


def require_recipe(recipe: str, material: Material) -> None:
    for package in () if recipe in OWN else ("fasttext", "mwparserfromhell", "presidio_analyzer"):
        pytest.importorskip(package)
    if material.needs_models(recipe) and material.models is None:
        pytest.skip("no model for languages: it lies in the shared data")


def leftovers(run: Path) -> list[Path]:
    """What a finished run must not leave: half-written files, notes on failed and stuck attempts, plans."""
    found = [*run.rglob(".*.tmp"), *run.glob("stages/plan-*")]
    return [*found, *run.glob("stages/*/failed-*"), *run.glob("stages/*/stuck-*")]


@pytest.mark.parametrize(
    ("engine", "recipe"), [(engine, recipe) for engine, recipes in RUNS.items() for recipe in recipes]
)
def test_the_bytes_are_those_of_the_local_engine(engine, recipe, material, drivers, tmp_path):
    require_recipe(recipe, material)
    driver = drivers.of(engine)
    expected = reference(material, drivers.of("local"), recipe)
    order = material.order(recipe, tmp_path / "run")
    driver.run(order)
    assert digests(tmp_path / "run") == expected
    assert leftovers(tmp_path / "run") == []
    committed = Counter(name.split("/")[1] for name in manifests(tmp_path / "run"))
    planned = {
        path.parent.name: json.loads(path.read_text())["tasks"]
        for path in (tmp_path / "run").glob("stages/*/stage.json")
    }
    assert committed == planned
    assert not (tmp_path / "run" / "kills.jsonl").exists()
    lines = (tmp_path / "run" / "log.jsonl").read_text().splitlines()
    told = Counter(json.loads(line)["event"] for line in lines)
    assert told["task_done"] == sum(committed.values())
    assert told["task_failed"] == 0


def test_the_inputs_hold_what_each_kind_of_deduplication_looks_for(material, drivers):
    """Equal runs prove little where nothing happens: everything planted is found, in its recipe."""
    reference(material, drivers.of("local"), "duplicates")
    ledger = json.loads((material.folder / "local" / "duplicates" / "ledger.json").read_text())
    dropped = {
        step["step"]: sum(entry["documents"] for entry in step["sources"]["c4"]["dropped"].values())
        for step in ledger["steps"]
    }
    for step in ("same_url", "same_text", "minhash_dedup", "decontaminate"):
        assert dropped[step] > 0, step
    removed = {
        step["step"]: sum(step["sources"]["c4"]["removed"].values())
        for step in ledger["steps"]
        if step["step"] in ("lines", "paragraphs")
    }
    assert removed["lines"] > 0
    assert ledger["closed"]


@pytest.mark.timeout(1500)  # a dozen drivers are started, one after the other
@pytest.mark.parametrize("turn", [0, 1], ids=["spark first", "beam first"])
def test_killed_inside_each_kind_of_stage_and_resumed_by_the_other_engine(turn, material, drivers, tmp_path):
    """In two chains each engine loses all of its processes inside a stage of each operation, and the other goes on."""
    recipe = "interrupted"
    expected = reference(material, drivers.of("local"), recipe)
    drivers.stop("spark")
    engines = ("spark", "beam processes")
    order = material.order(recipe, tmp_path / "run")
    plan = plan_of(order)
    points = list({stage.body.operation: stage.index for stage in reversed(plan.stages)}.values())[::-1]
    assert len(points) >= 6, "a stage of each operation"
    before: dict[str, int] = {}
    for number, point in enumerate(sorted(points)):
        driver = drivers.new(engines[(number + turn) % 2])
        try:
            driver.die(order, point)
        finally:
            driver.stop()
        after = manifests(tmp_path / "run")
        assert {name: after.get(name) for name in before} == before, "a committed task was done again"
        assert not [name for name in after if int(name.split("/")[1][:2]) > point]
        before = after
    last = drivers.new(("local", "beam portable")[turn])
    try:
        last.run(order)
    finally:
        last.stop()
    after = manifests(tmp_path / "run")
    assert {name: after.get(name) for name in before} == before, "a committed task was done again"
    assert digests(tmp_path / "run") == expected


def manifests(run: Path) -> dict[str, int]:
    """Committed tasks and when they were committed."""
    return {
        path.relative_to(run).as_posix(): path.stat().st_mtime_ns
        for path in run.glob("stages/*/[0-9][0-9][0-9][0-9][0-9].json")
    }
