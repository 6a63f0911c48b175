"""Paths of a run directory: names sort as numbers do, and JSON is the same everywhere."""

from __future__ import annotations

import pytest

from corpusforge.layout import RunLayout, dump_json, number


def test_paths():
    layout = RunLayout("/runs/a/")
    assert layout.file("documents", "x") == "/runs/a/documents/x"
    assert (
        layout.task_file("00-read@a", 7, "documents.parquet")
        == "/runs/a/stages/00-read@a/00007.documents.parquet"
    )
    assert layout.manifest("00-read@a", 123_456) == "/runs/a/stages/00-read@a/123456.json"
    assert RunLayout("gs://bucket/run").stage("s") == "gs://bucket/run/stages/s"
    names = [number(index) for index in (0, 9, 10, 99_999)]
    assert names == sorted(names)


def test_json_of_ours_is_sorted_readable_and_whole():
    assert (
        dump_json({"b": 1, "a": {"é": [1]}})
        == '{\n  "a": {\n    "é": [\n      1\n    ]\n  },\n  "b": 1\n}\n'.encode()
    )
    with pytest.raises(ValueError, match="not JSON compliant"):
        dump_json({"a": float("inf")})


def test_manifests_are_read_back(tmp_path):
    layout = RunLayout(str(tmp_path))
    path = tmp_path / "stages" / "s" / "00003.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(dump_json({"value": 1}))
    assert layout.read_manifest("s", 3) == {"value": 1}
