"""A made-up run's batches and statistics."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from made_run import gopher_batch, gopher_statistics, make_run


@pytest.fixture(scope="session")
def made() -> SimpleNamespace:
    """Makers of made-up data."""
    return SimpleNamespace(gopher_batch=gopher_batch, gopher_statistics=gopher_statistics, make_run=make_run)
