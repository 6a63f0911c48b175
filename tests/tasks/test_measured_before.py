"""Measurements taken over from a run with other thresholds: every file is what a run from the beginning writes."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import os
import random
import re
import shutil
import zlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpusforge import registry
from corpusforge.edits import Edits
from corpusforge.listing import list_shards
from corpusforge.operations import Folder
from corpusforge.plan import Plan, PlanBuilder, compile_plan
from corpusforge.recipe import Options, Recipe, make_step
from corpusforge.registry import source_class
from corpusforge.step import LiveRows, MapStep, Measured, Rule, RunContext, Signal, Step, StepParameters
from corpusforge.tasks.body import execute
from corpusforge.tasks.context import TaskContext
from corpusforge.tasks.measured_before import MeasuredBefore, names_thresholds

WORDS = ["aa", "bb", "aabb", "x", "grüße", "stone", "river", "fail", "boom", "e", "ii", "bridge"]
WEIGHTS = [4, 4, 2, 6, 3, 6, 6, 1, 1, 3, 3, 5]


class SwapParameters(StepParameters):
    max_swapped: int | None = 9
    min_vowels: int | None = 2
    replacement: str = "<A>"


class Swap(MapStep):
    """Edits by two rules, decides a column, fails on a word."""

    name = "swap"
    edits = True
    columns = ("lang",)
    Parameters = SwapParameters
    signals = (Signal("swapped"), Signal("vowels"))
    rules = (Rule("max_swapped", "swapped", "above"), Rule("min_vowels", "vowels", "below"))

    def measure(self, rows: LiveRows) -> Measured:
        texts = [rows.texts.bytes_of(row) for row in range(len(rows))]
        spans = [
            (row, match.start(), match.end(), *self._by_rule(match[0]))
            for row, text in enumerate(texts)
            for match in re.finditer(rb"aa|bb", text)
        ]
        return Measured(
            signals={
                "swapped": np.array([text.count(b"aa") + text.count(b"bb") for text in texts], np.int64),
                "vowels": np.array([len(re.findall(rb"[aeiou]", text)) for text in texts], np.int64),
            },
            columns={"lang": pa.array(["de" if b"\xc3" in text else None for text in texts], pa.string())},
            edits=Edits.from_spans(spans),
            failures={row: "own: refused" for row, text in enumerate(texts) if b"fail" in text},
        )

    def _by_rule(self, found: bytes) -> tuple[str, str]:
        return (self.parameters.replacement, "a") if found == b"aa" else ("", "b")


opened: list[str] = []
"""Names of the steps that were opened."""


class ScoreParameters(StepParameters):
    min_score: int | None = 10
    max_score: int | None = None
    salt: int = 0


class Score(MapStep):
    """A number and a list that depend on all that a step can see of a document."""

    name = "score"
    Parameters = ScoreParameters
    signals = (Signal("score"), Signal("ids", scale=0, type=pa.large_list(pa.uint32())))
    rules = (Rule("min_score", "score", "below"), Rule("max_score", "score", "above"))
    looks_at = ("swap.swapped",)

    def open(self, context: RunContext) -> None:
        opened.append(self.instance)

    def measure(self, rows: LiveRows) -> Measured:
        seen = [rows.signal(name).to_pylist() for name in self.looks_at]
        told = zip(rows.texts.strings(), rows.column("lang").to_pylist(), *seen)
        sums = [zlib.crc32(repr((self.parameters.salt, *facts)).encode()) for facts in told]
        return Measured(
            signals={
                "score": np.array([number % 100 for number in sums], np.int64),
                "ids": pa.array([[number, 1] for number in sums], pa.large_list(pa.uint32())),
            }
        )


class MaskParameters(StepParameters):
    max_masked: int | None = 12


class Mask(MapStep):
    """Edits across what was edited before, raises on a word."""

    name = "mask"
    edits = True
    Parameters = MaskParameters
    signals = (Signal("masked"),)
    rules = (Rule("max_masked", "masked", "above"),)

    def measure(self, rows: LiveRows) -> Measured:
        spans, counts = [], []
        for row, text in enumerate(rows.texts.strings()):
            if "boom" in text:
                raise ValueError("boom")
            places = [0, *np.cumsum([len(letter.encode()) for letter in text]).tolist()]
            cuts = range(zlib.crc32(text.encode()) % 9, max(0, len(places) - 3), 11)
            spans += [(row, places[at], places[at + 2], "#" * (at % 2), f"mask{at % 2}") for at in cuts]
            counts.append(len(cuts))
        return Measured(signals={"masked": np.array(counts, np.int64)}, edits=Edits.from_spans(spans))


class Documents(Folder):
    """How many documents there are, in tens."""

    def partial(self, rows: LiveRows) -> Mapping[str, int]:
        return {"documents": len(rows)}

    def finish(self, totals: Mapping[str, int]) -> Any:
        return totals.get("documents", 0) // 10


class Crowd(Step):
    """Measures with a value of all documents."""

    name = "crowd"
    Parameters = ScoreParameters

    def compile(self, builder: PlanBuilder) -> None:
        builder.fold("crowd.documents", Documents())
        builder.map(CrowdScore(self.parameters, self.instance))


class CrowdScore(Score):
    name = "crowd"
    looks_at = ("swap.vowels", "score.score", "late.swapped")

    def open(self, context: RunContext) -> None:
        self.parameters = self.parameters.model_copy(update={"salt": context.values["crowd.documents"]})


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """Two sources, a shard each: documents of random words, some of them twice, and a book."""
    folder = tmp_path_factory.mktemp("documents")
    draw = random.Random(5)
    lines = []
    for number in range(44):
        words = draw.choices(WORDS, WEIGHTS, k=draw.randint(2, 30))
        text = "\n".join([" ".join(words), "a line that all have" if number % 4 else "another line"])
        lines.append(json.dumps({"text": text, "url": f"https://a.example/{number % 42}"}))
        if number % 9 == 0:
            lines.append(lines[-1])
    (folder / "web.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "book.txt").write_text("the river aa and the stone bridge bb\n" * 2)
    return {"c4": [f"{folder}/*.jsonl"], "books": [f"{folder}/*.txt"]}


def recipe_of(changes: Mapping[str, Any], evaluate: str) -> Recipe:
    """A read stage, a fused stage with two editing steps, stages that join, and one behind a fold."""
    steps: list[Step] = [
        make_step("extract", **_own(changes, "extract")),
        Swap(SwapParameters(**_own(changes, "swap"))),
        Score(ScoreParameters(**_own(changes, "score"))),
        Mask(MaskParameters(**_own(changes, "mask"))),
        make_step("line_dedup", min_remaining_words=3),
        Swap(SwapParameters(**_own(changes, "late")), "late"),
        Crowd(ScoreParameters(**_own(changes, "crowd"))),
        Score(ScoreParameters(**_own(changes, "last")), "last"),
    ]
    for step in steps:
        if step.instance in ("mask", "late"):
            step.only = ("c4",)
    sources = {name: source_class(name)() for name in ("c4", "books")}
    options = Options(name="m", batch_documents=16, partitions=1, evaluate=evaluate)
    return Recipe(steps, sources, options)


def _own(changes: Mapping[str, Any], step: str) -> dict[str, Any]:
    return {name.partition(".")[2]: value for name, value in changes.items() if name.startswith(f"{step}.")}


def run_tasks(
    root: Path, recipe: Recipe, inputs: Mapping[str, list[str]], before: MeasuredBefore | None = None
) -> Plan:
    """Do all tasks of a run, without its books."""
    shards = list_shards(recipe, inputs)
    plan = compile_plan(recipe, shards)
    if before is not None:
        plan = replace(plan, measured=before)
    with mock.patch.object(os, "fsync", return_value=None):
        for stage in plan.stages:
            for number in range(stage.tasks):
                execute(stage.body, TaskContext(plan, str(root), stage, number))
    return plan


def written(root: Path) -> dict[str, bytes]:
    """All files of a run but the times."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and not path.name.endswith("timings.json")
    }


def counted(root: Path) -> dict[str, tuple[int, int]]:
    """Step to documents whose measurements were taken over, and that were measured."""
    found: dict[str, Counter[str]] = {}
    for path in root.glob("stages/*/*.timings.json"):
        for step, spent in json.loads(path.read_bytes())["steps"].items():
            found.setdefault(step, Counter()).update(spent)
    return {
        step: (int(spent["documents_taken"]), int(spent["documents_measured"]))
        for step, spent in found.items()
    }


THRESHOLDS = {
    "extract.min_characters": [None, 40, 90],
    "swap.max_swapped": [None, 9, 3],
    "swap.min_vowels": [2, 9],
    "score.min_score": [10, 0, 40],
    "score.max_score": [None, 80],
    "mask.max_masked": [12, 5, None],
    "late.max_swapped": [9, 0],
    "crowd.min_score": [10, 30],
    "last.min_score": [10, None, 30],
}
OTHERS = {"swap.replacement": ["<A>", "[b]"], "score.salt": [0, 1], "late.replacement": ["<A>", ""]}


def settings_of(choices: Mapping[str, list[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {}, optional={name: st.sampled_from(values) for name, values in choices.items()}
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


def finished(
    folder: Path, inputs: Mapping[str, list[str]], changes: Mapping[str, Any], evaluate: str
) -> tuple[Path, Plan]:
    """A run from the beginning, made once."""
    recipe = recipe_of(changes, evaluate)
    root = folder / f"{zlib.crc32(recipe.to_yaml().encode()):08x}"
    if root.exists():
        return root, compile_plan(recipe, list_shards(recipe, inputs))
    return root, run_tasks(root, recipe, inputs)


def decided(
    folder: Path,
    inputs: Mapping[str, list[str]],
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    evaluate: tuple[str, str] = ("early", "early"),
) -> tuple[Path, Path]:
    """A run with the measurements of another, compared with one from the beginning; gives the other's root, and its."""
    old, plan = finished(folder, inputs, before, evaluate[0])
    expected, _ = finished(folder, inputs, after, evaluate[1])
    output = folder / "decided"
    shutil.rmtree(output, ignore_errors=True)
    opened.clear()
    run_tasks(output, recipe_of(after, evaluate[1]), inputs, MeasuredBefore(str(old), plan))
    assert written(output) == written(expected)
    return old, output


@settings(max_examples=4)
@given(
    before=st.sampled_from([{}, {"swap.max_swapped": 3, "score.min_score": 40}]),
    after=settings_of(THRESHOLDS),
    others=st.one_of(st.just({}), settings_of(OTHERS)),
    evaluate=st.sampled_from([("early", "early"), ("all", "all"), ("early", "all"), ("all", "early")]),
)
def test_every_file_is_what_a_run_from_the_beginning_writes(
    folder: Path,
    inputs: dict[str, list[str]],
    before: dict[str, Any],
    after: dict[str, Any],
    others: dict[str, Any],
    evaluate: tuple[str, str],
) -> None:
    """Whatever thresholds change, in whichever steps, with and without early exit; and other parameters besides."""
    decided(folder, inputs, before, {**after, **others}, evaluate)


@pytest.mark.parametrize("evaluate", ["early", "all"])
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {"swap.max_swapped": 3, "score.min_score": 40}),  # tighter in the first step and in the middle
        (
            {"swap.max_swapped": 3, "score.min_score": 40},
            {"mask.max_masked": 5},
        ),  # looser there, tighter in the last
    ],
)
def test_only_what_a_step_did_not_see_is_measured(
    folder: Path,
    inputs: dict[str, list[str]],
    before: dict[str, Any],
    after: dict[str, Any],
    evaluate: str,
) -> None:
    old, output = decided(folder, inputs, before, after, (evaluate, evaluate))
    count = counted(output)
    assert count["extract"][0] > 40
    assert count["extract"][1] == 0
    missing = dict.fromkeys(("swap", "score", "mask"), 0)
    there = dict(missing)
    for shard in range(2):
        for step, signal in (("swap", "vowels"), ("score", "score"), ("mask", "masked")):
            then, now = (signals_of(root, step, signal, shard) for root in (old, output))
            for one, other in zip(then, now):
                missing[step] += one is None and other is not None
                there[step] += one is not None and other is not None
    assert there["score"] > 10
    if evaluate == "early":
        assert count["score"] == (there["score"], missing["score"])
        assert (missing["score"] == 0) == (not before)
    # What failed is measured again, and so is what several rules edited that cut an earlier replacement.
    assert count["swap"][0] >= there["swap"] * 0.6 > 0
    assert count["mask"][0] > 0
    assert ("score" in opened) == (count["score"][1] > 0), "a step that has nothing to measure loads nothing"


def signals_of(root: Path, step: str, signal: str, shard: int) -> list[Any]:
    (path,) = root.glob(f"stages/*/{shard:05d}.{step}.parquet")
    return list(pq.read_table(path).column(signal).to_pylist())


class CutParameters(StepParameters):
    word: str = "aa"


class Cut(MapStep):
    """Removes a word and says nothing about it."""

    name = "cut"
    edits = True
    Parameters = CutParameters

    def measure(self, rows: LiveRows) -> Measured:
        word = self.parameters.word.encode()
        texts = [rows.texts.bytes_of(row) for row in range(len(rows))]
        found = [(row, match) for row, text in enumerate(texts) for match in re.finditer(word, text)]
        return Measured(edits=Edits.from_spans([(row, *match.span(), "", "cut") for row, match in found]))


class Barrier(Step):
    """Ends a stage."""

    name = "barrier"

    def compile(self, builder: PlanBuilder) -> None:
        builder.fold("barrier.documents", Documents())


class Plain(Score):
    """A number that depends on the text."""

    looks_at = ()


@pytest.mark.parametrize(
    ("evaluate", "words", "barrier"),
    [
        ("early", ("aa", "aa"), True),
        ("early", ("never there", "aa"), False),
        ("all", ("never there", "aa"), False),
    ],
)
def test_the_text_of_what_is_dropped_now_is_another(
    inputs: dict[str, list[str]], tmp_path: Path, evaluate: str, words: tuple[str, str], barrier: bool
) -> None:
    """What is measured though it is dropped has edits in the stage that makes them, and none in those behind it."""

    def recipe(min_score: int, word: str, evaluate: str) -> Recipe:
        first = Plain(ScoreParameters(min_score=min_score))
        last = Plain(ScoreParameters(min_score=None), "last")
        steps = [make_step("extract"), first, Cut(CutParameters(word=word)), *[Barrier()] * barrier, last]
        return Recipe(steps, {"c4": source_class("c4")()}, Options(name="m", evaluate=evaluate))

    files = {"c4": inputs["c4"]}
    before, after = recipe(10, words[0], evaluate), recipe(60, words[1], "all")
    old = run_tasks(tmp_path / "old", before, files)
    run_tasks(tmp_path / "expected", after, files)
    run_tasks(tmp_path / "decided", after, files, MeasuredBefore(str(tmp_path / "old"), old))
    assert written(tmp_path / "decided") == written(tmp_path / "expected")
    assert counted(tmp_path / "decided")["last"][0] > 0


class Address(MapStep):
    """Decides a column that sidecars do not hold."""

    name = "address"
    reads = "none"
    columns = ("url",)
    signals = (Signal("characters"),)

    def measure(self, rows: LiveRows) -> Measured:
        urls = [(url or "").upper() for url in rows.column("url").to_pylist()]
        return Measured(
            {"characters": np.array([len(url) for url in urls], np.int64)}, {"url": pa.array(urls)}
        )


def test_a_column_that_is_not_stored_is_decided_again(inputs: dict[str, list[str]], tmp_path: Path) -> None:
    def recipe(min_characters: int) -> Recipe:
        steps = [Address(), make_step("extract", min_characters=min_characters)]
        return Recipe(steps, {"c4": source_class("c4")()}, Options(name="m"))

    files = {"c4": inputs["c4"]}
    old = run_tasks(tmp_path / "old", recipe(40), files)
    run_tasks(tmp_path / "expected", recipe(60), files)
    run_tasks(tmp_path / "decided", recipe(60), files, MeasuredBefore(str(tmp_path / "old"), old))
    assert written(tmp_path / "decided") == written(tmp_path / "expected")
    assert counted(tmp_path / "decided")["address"][0] == 0
    assert counted(tmp_path / "decided")["extract"][0] > 0


def test_what_is_not_there_is_measured(folder: Path, inputs: dict[str, list[str]], tmp_path: Path) -> None:
    """A run whose files are gone, or were made of other input, gives nothing; the outcome is the same."""
    old, plan = finished(folder, inputs, {}, "early")
    copy = tmp_path / "copy"
    shutil.copytree(old, copy)
    (path,) = copy.glob("stages/*/00000.score.parquet")
    path.unlink()
    (path,) = copy.glob("stages/*line_dedup.units@*/00001.json")
    manifest = json.loads(path.read_bytes())
    path.write_text(json.dumps({**manifest, "input": "another"}))
    recipe = recipe_of({"swap.max_swapped": 3}, "early")
    expected, _ = finished(folder, inputs, {"swap.max_swapped": 3}, "early")
    run_tasks(tmp_path / "decided", recipe, inputs, MeasuredBefore(str(copy), plan))
    assert written(tmp_path / "decided") == written(expected)
    assert counted(tmp_path / "decided")["swap"][0] == 0


ELSEWHERE = ("check", "_check", "compile", "__init__", "_ordered", "_one_way")
"""Functions that run before any document is measured, besides those of classes of parameters."""


def test_no_step_looks_at_its_thresholds_where_it_measures() -> None:
    """Else a signal would depend on them. `line_dedup` compares documents, so what it measured is never taken over."""
    found = {}
    for name in registry.STEPS.values():
        module = importlib.import_module(name.partition(":")[0])
        steps = [
            value for value in vars(module).values() if isinstance(value, type) and issubclass(value, MapStep)
        ]
        thresholds = {rule.name for step in steps for rule in step.rules}
        tree = ast.parse(inspect.getsource(module))
        kept = [node for node in tree.body if not getattr(node, "name", "").endswith("Parameters")]
        for function in (node for top in kept for node in ast.walk(top) if isinstance(node, ast.FunctionDef)):
            for node in ast.walk(function):
                looks = isinstance(node, ast.Attribute) and node.attr in thresholds
                if looks and "parameters" in ast.unparse(node.value):
                    found.setdefault(f"{name.rpartition(':')[2]}.{function.name}", node.attr)
    assert {name: rule for name, rule in found.items() if not name.split(".")[1].startswith(ELSEWHERE)} == {
        "LineDedup.measure": "min_remaining_sentences"
    }


PLUGIN = """
from functools import cached_property
import numpy as np
from corpusforge.step import MapStep, Measured, Rule, Signal, StepParameters

class Parameters(StepParameters):
    min_length: int = 3

    def doubled(self):
        return 2 * self.min_length

class Long(MapStep):
    name = "long"
    Parameters = Parameters
    signals = (Signal("length"),)
    rules = (Rule("min_length", "length", "below"),)

    def measure(self, rows):
        return Measured({"length": np.array([self.count(size) for size in rows.texts.sizes], np.int64)})

    @staticmethod
    def count(size):
        return size

    @cached_property
    def factor(self):
        return 1
"""


@pytest.mark.parametrize(
    ("changed", "to", "measured"),
    [
        ("return size", "return size + 0", False),
        ("return size", "return [size for one in [Parameters()] if one.min_length][0]", True),
        ("return 1", "return self.parameters.min_length", True),
    ],
)
def test_a_plugin_that_names_its_threshold_measures_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: str, to: str, measured: bool
) -> None:
    monkeypatch.setattr(registry, "_plugins", {})
    monkeypatch.setattr(registry, "STEPS", dict(registry.STEPS))
    (tmp_path / "long.py").write_text(PLUGIN.replace(changed, to))
    registry.load_plugin(tmp_path / "long.py")
    assert names_thresholds(make_step("long", min_length=5)) == measured
