"""Runs that must not differ: the recipes, their input, and the drivers of the engines that they are run on."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from parity_inputs import write_inputs, write_models
from runs import digests

from corpusforge import recipe as recipes
from corpusforge.listing import list_shards
from corpusforge.plan import Plan, compile_plan

PIPELINES = Path(__file__).parent.parent / "pipelines"

DUPLICATES = """\
name: duplicates
sources: {c4: {}}
steps:
  - extract
  - exact_dedup: {as: same_url, key: url}
  - exact_dedup: {as: same_text, normalization: whitespace}
  - minhash_dedup
  - line_dedup: {as: lines, scope: global, min_remaining_words: 10}
  - line_dedup: {as: paragraphs, unit: paragraph, scope: global, min_remaining_words: 10}
  - decontaminate
"""
"""All kinds of deduplication, several of them twice, one behind the other."""

INTERRUPTED = """\
name: interrupted
sources: {stackexchange: {}}
steps:
  - extract
  - exact_dedup
  - line_dedup: {scope: global, min_remaining_words: 5}
  - tokenize
  - pack
  - mix
"""
"""Every operation of a plan, once or twice, on documents that are put together out of parts."""

OWN = {"duplicates": DUPLICATES, "interrupted": INTERRUPTED}
"""Recipes of our own, beside those of the package."""

RECIPES = (*sorted(path.stem for path in PIPELINES.glob("*.yaml")), "duplicates")
"""What an engine can be given to run: each recipe of the package, and all kinds of deduplication."""

SETTINGS = (
    *("shard_bytes=1000", "partitions=2", "batch_documents=8", "error_budget=0.9"),
    *("tokenize.vocabulary_size=600", "pack.sequence_length=64"),
)
"""Small shards, batches and models: several of everything. What a recipe has no step for is left out."""


@dataclass
class Material:
    """Where the inputs, models and recipes lie, and what the local engine made of them."""

    folder: Path
    models: Path | None
    inputs: dict[str, list[str]]
    references: dict[str, dict[str, str]] = field(default_factory=dict)

    def order(self, recipe: str, output: Path) -> dict[str, Any]:
        """A run, as a driver takes it."""
        path = self.folder / f"{recipe}.yaml"
        content = yaml.safe_load(path.read_text())
        steps = self._steps(recipe)
        sample = f"{self.folder}/inputs/commoncrawl/sample"
        settings = [
            *SETTINGS,
            f"decontaminate.against={sample}/eval",
            f"url_filter.blocklists=[{sample}/blocklists]",
        ]
        return {
            "recipe": str(path),
            "settings": [
                setting
                for setting in settings
                if "." not in setting.partition("=")[0] or setting.partition(".")[0] in steps
            ],
            "inputs": {source: self.inputs[source] for source in content["sources"]},
            "output": str(output),
        }

    def needs_models(self, recipe: str) -> bool:
        """Whether a recipe tells languages, by a model that is not made here."""
        return "language" in self._steps(recipe)

    def _steps(self, recipe: str) -> set[str]:
        content = yaml.safe_load((self.folder / f"{recipe}.yaml").read_text())
        return {step if isinstance(step, str) else next(iter(step)) for step in content["steps"]}


def make_material(folder: Path, language_model: Path | None) -> Material:
    """Write all inputs, models and recipes."""
    inputs = write_inputs(folder / "inputs")
    models = folder / "models" if language_model is not None else None
    if models is not None and language_model is not None:
        write_models(models, language_model)
    for recipe in (*RECIPES, *OWN):
        text = OWN.get(recipe) or (PIPELINES / f"{recipe}.yaml").read_text()
        (folder / f"{recipe}.yaml").write_text(text)
    return Material(folder, models, inputs)


class Driver:
    """A process of `engine_driver` for one engine; see there."""

    def __init__(self, models: Path | None, log: Path, engine: str, workers: int = 2, *options: str) -> None:
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        root = str(Path(__file__).parent.parent)
        environment["PYTHONPATH"] = os.pathsep.join(
            part for part in (root, environment.get("PYTHONPATH")) if part
        )
        if models is not None:
            environment["CORPUSFORGE_MODELS"] = str(models)
            if engine == "spark":
                options = (*options, f"conf.spark.executorEnv.CORPUSFORGE_MODELS={models}")
        self._log = log
        program = str(Path(__file__).parent / "engine_driver.py")
        with log.open("wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, program, engine, str(workers), *options],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=environment,
                start_new_session=True,
            )

    def run(self, order: dict[str, Any], seconds: float = 500.0) -> None:
        """Make one run to its end; raises `AssertionError` with its error."""
        line = self._ask(order, seconds)
        assert line, f"no answer in {seconds} seconds, or a dead driver:\n{self._log.read_text()[-4000:]}"
        assert not json.loads(line)["error"], json.loads(line)["error"]

    def die(self, order: dict[str, Any], stage: int, seconds: float = 500.0) -> None:
        """Make a run until the first task of a stage is told to be done: then all its processes are killed."""
        line = self._ask({**order, "die_in_stage": stage}, seconds)
        assert not line, json.loads(line)["error"] or f"the run was over before stage {stage}"
        assert self.process.wait(60) == -signal.SIGKILL, self._log.read_text()[-4000:]

    def _ask(self, order: dict[str, Any], seconds: float) -> bytes:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(order).encode() + b"\n")
        self.process.stdin.flush()
        ready, _, _ = select.select([self.process.stdout], [], [], seconds)
        assert ready, f"no answer in {seconds} seconds:\n{self._log.read_text()[-4000:]}"
        return self.process.stdout.readline()

    def stop(self) -> None:
        """End the process in order; kill it when it does not."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(60)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def reference(material: Material, driver: Driver, recipe: str) -> dict[str, str]:
    """Digests of the recipe's run on the local engine, made once."""
    if recipe not in material.references:
        output = material.folder / "local" / recipe
        driver.run(material.order(recipe, output))
        material.references[recipe] = digests(output)
    return material.references[recipe]


def plan_of(order: dict[str, Any]) -> Plan:
    """The plan of a run."""
    recipe = recipes.load(order["recipe"], order["settings"])
    return compile_plan(recipe, list_shards(recipe, order["inputs"]))
