"""CPU seconds of `corpusforge decide` beside a run from the beginning, for a tighter and a looser threshold.

    python benchmarks/decide.py FOLDER --models FOLDER [--rounds 3] [--data FOLDER]

cc_pipeline on the pages of three gold sets of articles (DATA/commoncrawl, each set twice), and FineWeb's recipe on the
first 8,000 documents of DATA/bench/corpus.jsonl.zst (CORPUSFORGE_DATA, or ../shared/data beside the checkout). All in
one process, so that starting up is not counted, and kernels are loaded by a run before. `decide` is measured as it is,
and without the measurements of the old run, so that it only links stages. All ways must write the same documents.
FOLDER is for scratch.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import itertools
import os
import shutil
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from unittest import mock

import zstandard
from steps import calibration

from corpusforge.engines.base import Engine, Progress
from corpusforge.plan import Plan, Stage
from corpusforge.recipe import Recipe, load, load_of_run
from corpusforge.rerun.decide import decide
from corpusforge.tasks.body import execute
from corpusforge.tasks.context import TaskContext

SETS = ("aeb-50", "readability-50", "trafilatura-240")
DOCUMENTS = 8_000
CHANGES = {"tighter": "gopher_quality.min_words=100", "looser": "gopher_quality.min_words=30"}

FINEWEB = """\
name: fineweb
shard_bytes: 20000000
sources: {{c4: {{}}}}
steps:
  - extract
  - language: {{model: {model}}}
  - gopher_repetition
  - gopher_quality
  - c4: {{rules: c4@no_terminal}}
  - fineweb: {{rules: fineweb@datatrove}}
  - minhash_dedup
  - pii
"""


def recipes(options: argparse.Namespace) -> dict[str, tuple[str, list[str], dict[str, list[str]]]]:
    """Recipe, settings and inputs by what they are shown as."""
    pages, documents = options.folder / "pages", options.folder / "documents.jsonl"
    pages.mkdir(exist_ok=True)
    for number, name in itertools.product(range(2), SETS):
        shutil.copy(options.data / "commoncrawl" / f"{name}.warc.gz", pages / f"{number}-{name}.warc.gz")
    with zstandard.open(options.data / "bench" / "corpus.jsonl.zst", "rb") as stream:
        documents.write_bytes(b"".join(itertools.islice(io.BufferedReader(stream), DOCUMENTS)))
    recipe = options.folder / "fineweb.yaml"
    recipe.write_text(FINEWEB.format(model=options.models / "lid.176.ftz"), encoding="utf-8")
    small = ["tokenize.vocabulary_size=8000", "pack.sequence_length=512", "shard_bytes=16000000"]
    return {
        "FineWeb's recipe, text": (str(recipe), [], {"c4": [str(documents)]}),
        "cc_pipeline, pages": ("cc_pipeline", small, {"commoncrawl": [f"{pages}/*.warc.gz"]}),
    }


def contents(run: Path) -> str:
    """Hash of the documents of a run."""
    total = hashlib.sha256()
    for path in sorted([*run.glob("documents/*"), *run.glob("dropped/*"), run / "ledger.json"]):
        total.update(path.read_bytes())
    return total.hexdigest()


class InProcess(Engine):
    """Does each task where it stands."""

    def __init__(self, plan: Plan, root: str) -> None:
        self.plan, self.root = plan, root

    def run_stage(self, stage: Stage, tasks: Sequence[int], progress: Progress) -> None:
        for task in tasks:
            execute(stage.body, TaskContext(self.plan, self.root, stage, task))

    def close(self) -> None:
        """Nothing is open."""


def spent(work: Callable[[Path], object], output: Path) -> float:
    """CPU seconds of a run into an empty folder."""
    shutil.rmtree(output, ignore_errors=True)
    before = time.process_time()
    work(output)
    return time.process_time() - before


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--models", type=Path, required=True)
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("CORPUSFORGE_DATA", beside)))
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    options.folder = options.folder.resolve()
    options.folder.mkdir(parents=True, exist_ok=True)
    os.environ["CORPUSFORGE_MODELS"] = str(options.models.resolve())
    old = options.folder / "old"
    print(
        "| recipe | threshold | run | decide, stages only | decide | calibration ms |\n|---|---|---|---|---|---|"
    )
    engine = mock.patch("corpusforge.run.make_engine", lambda name, plan, root, *more: InProcess(plan, root))
    with engine:
        for name, (recipe, settings, inputs) in recipes(options).items():
            spent(partial(load(recipe, settings).run, inputs), old)
            for kind, setting in CHANGES.items():
                print(
                    line(
                        f"{name} | {kind}: {setting}",
                        load_of_run(old, [setting]),
                        inputs,
                        old,
                        options.rounds,
                    )
                )


def line(name: str, recipe: Recipe, inputs: dict[str, list[str]], old: Path, rounds: int) -> str:
    """Measure the three ways in turns, and tell."""
    seconds: dict[str, list[float]] = {"run": [], "stages": [], "decide": []}
    states = []
    output = old.with_name("output")
    deciding = partial(decide, old, recipe, inputs)
    for _ in range(rounds):
        states.append(calibration())
        seconds["run"].append(spent(partial(recipe.run, inputs), output))
        made = {contents(output)}
        with mock.patch("corpusforge.rerun.decide._measured_in", return_value=None):
            seconds["stages"].append(spent(deciding, output))
        made.add(contents(output))
        seconds["decide"].append(spent(deciding, output))
        made.add(contents(output))
        if len(made) != 1:
            raise SystemExit(f"{name}: the ways differ")
    told = [
        f"{statistics.median(values):.1f} ({min(values):.1f} to {max(values):.1f})"
        for values in seconds.values()
    ]
    return f"| {name} | {' | '.join(told)} | {min(states):.0f} to {max(states):.0f} |"


if __name__ == "__main__":
    main()
