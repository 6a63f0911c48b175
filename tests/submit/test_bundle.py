"""The archive holds a package that runs, whatever way it was made."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from corpusforge.recipe import load_text
from corpusforge.submit import bundle

ROOT = Path(__file__).parents[2]


def modules() -> set[str]:
    return {path.relative_to(ROOT).as_posix() for path in (ROOT / "corpusforge").rglob("*.py")}


def works_from(archive: bytes, folder: Path) -> str:
    """Unpack and ask the unpacked package for its recipes, with the source tree out of sight."""
    zipfile.ZipFile(io.BytesIO(archive)).extractall(folder)
    code = (
        f"import sys; sys.path.insert(0, {str(folder)!r}); import corpusforge, corpusforge.rulesets as r; "
        "print(corpusforge.__file__, *r.names('pipelines'), *r.rule_sets())"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], cwd="/", capture_output=True, text=True, check=True
    )
    return done.stdout


def test_the_package_zipped_as_it_is(tmp_path: Path) -> None:
    archive = bundle._zip_package()
    assert archive == bundle._zip_package()
    names = set(zipfile.ZipFile(io.BytesIO(archive)).namelist())
    assert modules() <= names
    assert not [name for name in names if "__pycache__" in name or name.endswith((".pyc", ".nbi", ".nbc"))]
    shown = works_from(archive, tmp_path)
    assert shown.startswith(str(tmp_path))
    assert "cc_pipeline" in shown
    assert "gopher_quality@paper" in shown


@pytest.mark.slow
def test_the_wheel_is_built_twice_the_same_and_leaves_nothing_behind(tmp_path: Path) -> None:
    pytest.importorskip("build", reason="the package build is not installed")
    pytest.importorskip("setuptools")
    before = {path.name for path in ROOT.iterdir()}
    archive = bundle.code_archive()
    assert archive == bundle.code_archive()
    assert {path.name for path in ROOT.iterdir()} == before
    names = set(zipfile.ZipFile(io.BytesIO(archive)).namelist())
    assert modules() <= names
    assert any(name.endswith(".dist-info/METADATA") for name in names)
    assert "cc_pipeline" in works_from(archive, tmp_path)


def test_without_the_tools_the_files_are_zipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        bundle, "_build_commands", lambda source, target: iter([[sys.executable, "-c", "1/0"]])
    )
    assert bundle.code_archive() == bundle._zip_package()


def test_what_is_staged_is_named_by_its_hash_and_its_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle, "code_archive", lambda: b"wheel")
    recipe = load_text("sources: {commoncrawl: {}}\nsteps: [extract]\n", "r.yaml")
    plugin = tmp_path / "mine.py"
    plugin.write_text("x = 1\n")
    made = bundle.make_bundle(recipe, "recipe", [plugin], f"file://{tmp_path}/s/", "job-1", False)
    assert made.code is not None
    assert made.code.sha256[:16] in made.code.location
    assert [sent for _, sent in bundle.upload(made)] == [True] * 4
    assert [sent for _, sent in bundle.upload(made)] == [False, True, True, True]
    staged = sorted(path.relative_to(tmp_path / "s").as_posix() for path in (tmp_path / "s").rglob("*.*"))
    assert staged[1:] == ["jobs/job-1/main.py", "jobs/job-1/mine.py", "jobs/job-1/recipe.yaml"]
    assert bundle.make_bundle(recipe, "recipe", [], "gs://b", "j", True).code is None
