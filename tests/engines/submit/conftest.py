from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def dataproc_server(tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Starts a server with a list of states; a skip where the client library is not installed."""
    pytest.importorskip("google.cloud.dataproc_v1", reason="the extra cloud is not installed")
    path = Path(__file__).parent / "dataproc_server.py"
    spec = importlib.util.spec_from_file_location("dataproc_server", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["dataproc_server"] = module
    spec.loader.exec_module(module)
    started = []

    def start(*states: str) -> Any:
        started.append(module.DataprocServer(tmp_path, list(states)))
        return started[-1]

    yield start
    for server in started:
        server.stop()
