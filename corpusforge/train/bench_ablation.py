"""What each filter of a recipe is worth: the recipe without it against the whole recipe.

Each variant is a run of the pipeline up to the documents (filters change what later steps see, so verdicts of one run
cannot stand for another), and all variants go into one benchmark with the same tokenizer, panel and seeds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from corpusforge import recipe as recipes
from corpusforge import storage
from corpusforge.errors import UsageError
from corpusforge.layout import dump_json
from corpusforge.recipe import Recipe
from corpusforge.step import MapStep, Step
from corpusforge.train.bench import BenchSettings, Progress, prepare, run_arms
from corpusforge.train.bench_result import CANNOT_TELL, compare, machine, run_facts

TOKEN_STEPS = ("tokenize", "pack", "mix")
"""Steps behind the documents: no variant needs them."""

FULL = "A"


def filters(recipe: Recipe) -> list[str]:
    """Names of the steps that can drop documents, by a rule or as duplicates."""
    return [step.instance for step in recipe.steps if drops(step)]


def drops(step: Step) -> bool:
    """Whether a step decides about documents, and the others can do without it: extraction makes the text."""
    if step.name in (*TOKEN_STEPS, "extract"):
        return False
    return not isinstance(step, MapStep) or bool(step.rules)


def variants(recipe: Recipe) -> dict[str, Recipe]:
    """The whole recipe under "full", and one without each filter under "without NAME".

    Raises `UsageError` when nothing drops documents.
    """
    names = filters(recipe)
    if not names:
        raise UsageError("the recipe has no step that drops documents: there is nothing to take out")
    steps = [step for step in recipe.steps if step.name not in TOKEN_STEPS]
    made = {"full": Recipe(steps, recipe.sources, recipe.options)}
    for name in names:
        left = [step for step in steps if step.instance != name]
        made[f"without {name}"] = Recipe(left, recipe.sources, recipe.options)
    return made


def ablate(
    recipe: str,
    inputs: Mapping[str, Sequence[str]],
    output: Path,
    shared: Mapping[str, Any],
    workers: int | None,
    device: str,
    progress: Progress,
) -> dict[str, Any]:
    """Run all variants and their benchmark, or go on with them; writes `ablation.json` and gives it.

    `shared` are `BenchSettings` besides the corpora. A filter's worth is the bits per byte that leaving it out adds:
    positive worth is a filter that helps. Intervals hold together for all filters (Bonferroni).
    """
    if not inputs:
        raise UsageError("--ablate needs the pipeline's input: --input source=PATH")
    made = variants(recipes.load(recipe))
    folders = {name: output / "pipelines" / name.replace(" ", "-") for name in made}
    for name, variant in made.items():
        progress(f"pipeline: {name}")
        variant.run(inputs, str(folders[name]), workers=workers)
    settings = BenchSettings(tuple(f"{folder}:kept" for folder in folders.values()), **shared)
    prepared = prepare(settings, output, progress)
    records = {record.arm: record for record in run_arms(settings, prepared, device, progress)}
    confidence = 1 - (1 - settings.confidence) / (len(made) - 1)
    ranking = []
    for label, name in list(zip(settings.labels, made))[1:]:
        found = compare(records, prepared.pack, (label, FULL), range(settings.seeds), confidence)
        ranking.append(_row(name, label, found))
    ranking.sort(key=lambda row: (-row["worth"], row["step"]))
    result = {
        "recipe": recipe,
        "full_bits_per_byte": float(
            np.mean(
                [record.macro for arm, record in records.items() if arm.corpus == FULL and arm.factor == 1.0]
            )
        ),
        "ranking": ranking,
        "plan": dict(prepared.plan),
        "runs": [run_facts(record) for record in records.values()],
        "machine": machine(),
    }
    storage.commit_bytes(str(output / "ablation.json"), dump_json(result))
    return result


def _row(name: str, label: str, found: Mapping[str, Any]) -> dict[str, Any]:
    words = {CANNOT_TELL: CANNOT_TELL, FULL: "helps", label: "harms"}
    return {
        "step": name.removeprefix("without "),
        "corpus": label,
        "worth": found["difference"],
        "verdict": words[found["verdict"]],
        **{key: found[key] for key in ("by_seed", "interval_over_seeds", "interval_bootstrap", "domains")},
        "minimum_detectable_effect": found["minimum_detectable_effect"],
    }
