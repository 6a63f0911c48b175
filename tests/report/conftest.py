"""A made-up run for the tests of reports."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from alike_runs import run_of
from made_run import Run, gopher_batch, gopher_statistics, make_run


@pytest.fixture(scope="session")
def made() -> SimpleNamespace:
    """The makers of this module, for tests that need data of their own."""
    return SimpleNamespace(gopher_batch=gopher_batch, gopher_statistics=gopher_statistics, make_run=make_run)


@pytest.fixture(scope="session")
def run_parts() -> Run:
    """A closed run of seven steps."""
    return make_run()


@pytest.fixture(scope="session")
def report(run_parts: Run) -> dict[str, Any]:
    """The report of that run."""
    return run_parts.report()


@pytest.fixture(scope="session")
def alike(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with exact and near duplicates."""
    return run_of(tmp_path_factory.mktemp("alike"), 0.75)
