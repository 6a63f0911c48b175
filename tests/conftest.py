"""Fixtures that every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real test data, or a skip with the reason."""
    named = os.environ.get("CORPUSFORGE_DATA")
    folder = Path(named) if named else Path(__file__).parent.parent.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no real test data at {folder} (set CORPUSFORGE_DATA)")
    return folder
