"""Fixtures that every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# Work is bounded by what a test draws, not by the clock of a busy machine.
# A check of a change draws the same examples every time; at a desk each run looks at new ones.
settings.register_profile("corpusforge", deadline=None)
settings.register_profile("check", deadline=None, derandomize=True)
settings.load_profile("check" if os.environ.get("CI") else "corpusforge")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real test data, or a skip with the reason."""
    named = os.environ.get("CORPUSFORGE_DATA")
    folder = Path(named) if named else Path(__file__).parent.parent.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no real test data at {folder} (set CORPUSFORGE_DATA)")
    return folder


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generated sample: 160 pages in 4 WARC files, a WET file, lists, evaluation texts, truth."""
    from corpusforge.sample.command import write_sample

    folder = tmp_path_factory.mktemp("sample")
    write_sample(folder, seed=1, pages=160, files=4)
    return folder


@pytest.fixture(scope="session")
def core_recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe file with every kind of operation and no optional dependency."""
    from runs import CORE_RECIPE

    path = tmp_path_factory.mktemp("recipe") / "core.yaml"
    path.write_text(CORE_RECIPE)
    return path


@pytest.fixture(scope="session")
def finished_run(sample: Path, core_recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An uninterrupted run of the core recipe with two workers: what others are compared with."""
    from runs import command, run_cli

    output = tmp_path_factory.mktemp("finished") / "run"
    done = run_cli(command(core_recipe, f"{sample}/warc/*.warc.gz", output, "--workers", "2"))
    assert done.returncode == 0, done.stderr
    return output


@pytest.fixture(scope="session")
def small_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of `small_runs.STEPS` in three shards."""
    from small_runs import make_small_run

    return make_small_run(tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="session")
def tighter_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As `small_run`, with two thresholds that drop more."""
    from small_runs import STEPS, make_small_run

    steps = STEPS.replace("- gopher_quality\n", "- gopher_quality: {min_words: 70}\n")
    steps = steps.replace("min_terminal_line_ratio: 0.3", "min_terminal_line_ratio: 0.9")
    return make_small_run(tmp_path_factory.mktemp("tighter"), steps)
