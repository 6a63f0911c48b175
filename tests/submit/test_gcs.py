"""The same way with gs:// URLs: code, recipe, the driver's output and the report in an emulated object store."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from corpusforge import storage
from corpusforge.recipe import load_text
from corpusforge.submit import bundle as bundles
from corpusforge.submit.command import Run, Session, submit
from corpusforge.submit.dataproc import Target


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
