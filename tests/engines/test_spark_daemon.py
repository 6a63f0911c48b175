"""The process that Spark forks its workers from."""

from __future__ import annotations

import sys
import zipfile
import zipimport
from pathlib import Path

import pytest

pytest.importorskip("pyspark", reason='Spark is not installed (pip install "corpusforge[spark]")')
pytest.importorskip("pandas")


def test_sparks_archives_are_forgotten_and_the_users_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from corpusforge.engines.spark_daemon import forget_archives

    names = ["pyspark.zip", "py4j-0.10.9.7-src.zip", "spark-core_2.12-3.5.9.jar", "users.zip"]
    for name in names:
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.writestr("pyspark/sql/nothing.py", "")
    paths = [str(tmp_path / name) for name in names]
    inside = [f"{tmp_path}/pyspark.zip/pyspark/sql"]
    monkeypatch.setattr(sys, "path", [*paths, *sys.path])
    known = {path: zipimport.zipimporter(path) for path in paths + inside}
    monkeypatch.setattr(sys, "path_importer_cache", {**sys.path_importer_cache, **known})
    before = len(sys.path)
    forget_archives()
    assert len(sys.path) == before - 3
    assert [path for path in paths + inside if path in sys.path_importer_cache] == [paths[-1]]
    assert paths[-1] in sys.path
