"""What is built can be installed and used from anywhere, and the declarations of versions agree."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
KINDS = ("pipelines", "filters", "tokenizers")
ASKED_FOR = (
    "corpusforge/engines/spark",
    "corpusforge/engines/beam",
    "corpusforge/submit",
    "corpusforge/train/",
    "corpusforge/extract/wikitext_tokens",
)
EXTRAS = {
    "quality",
    "sources",
    "pii",
    "tokenizers",
    "spark",
    "spark-jre",
    "beam",
    "cloud",
    "train",
    "tensorboard",
    "dev",
    "all",
}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def requirement_names(requirements: list[str]) -> set[str]:
    return {normal(re.split(r"[\[<>=!~; ]", requirement, maxsplit=1)[0]) for requirement in requirements}


def test_the_base_is_light() -> None:
    heavy = {
        "torch",
        "pyspark",
        "apache-beam",
        "spacy",
        "presidio-analyzer",
        "pandas",
        "scipy",
        "fasttext-community",
    }
    assert not requirement_names(PROJECT["dependencies"]) & heavy


def test_the_extras_are_the_declared_ones_and_all_holds_them() -> None:
    extras = PROJECT["optional-dependencies"]
    assert set(extras) == EXTRAS
    (everything,) = extras["all"]
    named = everything.partition("[")[2].rstrip("]").split(",")
    assert set(named) == EXTRAS - {"dev", "all"}


def test_the_constraints_pin_every_requirement() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line.split("==")[0] for line in lines if not line.startswith("#")]
    assert len(pins) == len(set(pins))
    extras = [
        item for name, items in PROJECT["optional-dependencies"].items() if name != "all" for item in items
    ]
    wanted = requirement_names([*PROJECT["dependencies"], *extras])
    assert wanted - set(pins) == set()


def test_the_code_imports_only_what_is_declared() -> None:
    """Imports at the top of modules are satisfied by the base; what extras bring is imported in functions.

    Except in modules that are an engine's own, the trainer's or wikitext's: they are imported when those are asked for.
    """
    provided = {
        "numpy", "pyarrow", "numba", "fastwarc", "resiliparse", "sentencepiece", "typer", "rich", "pydantic",
        "pydantic_core", "yaml", "jinja2", "markupsafe", "zstandard", "brotli", "fsspec", "corpusforge",
    }  # fmt: skip
    found: dict[str, str] = {}
    for path in sorted((ROOT / "corpusforge").rglob("*.py")):
        for statement in ast.parse(path.read_text(encoding="utf-8")).body:
            names = [alias.name for alias in statement.names] if isinstance(statement, ast.Import) else []
            names += [statement.module or ""] if isinstance(statement, ast.ImportFrom) else []
            for name in names:
                found.setdefault(name.partition(".")[0], str(path.relative_to(ROOT)))
    foreign = {
        name: path
        for name, path in found.items()
        if name not in provided and name not in sys.stdlib_module_names and not path.startswith(ASKED_FOR)
    }
    assert foreign == {}


def test_a_local_run_loads_no_extra() -> None:
    modules = [
        "corpusforge.cli",
        "corpusforge.run",
        "corpusforge.engines.local",
        "corpusforge.engines.preload",
    ]
    # Packages of Google put the namespace `google` into every process, by files that Python reads when it starts.
    heavy = ["pyspark", "apache_beam", "torch", "pandas", "spacy", "google.auth", "google.api_core", "grpc"]
    heavy += ["gcsfs", "s3fs"]
    code = f"import sys, {', '.join(modules)}; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


def test_the_licence_is_apache_2() -> None:
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in text.splitlines()[1]
    assert "END OF TERMS AND CONDITIONS" in text
    assert PROJECT["license"] == "Apache-2.0"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tracked and new files: building leaves nothing in the source tree."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if listed.returncode:
        pytest.skip("not a git checkout")
    target = tmp_path_factory.mktemp("source")
    for name in listed.stdout.split("\0"):
        if name and (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, target / name)
    return target


def build(folder: Path, kind: str, target: Path) -> Path:
    command = [
        sys.executable,
        "-m",
        "build",
        f"--{kind}",
        "--no-isolation",
        "--outdir",
        str(target),
        str(folder),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=540, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = target.iterdir()
    return built


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built without the network."""
    return build(source, "wheel", tmp_path_factory.mktemp("wheel"))


@pytest.mark.slow
def test_the_wheel_holds_the_declarations_and_all_data(source: Path, wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for kind in KINDS:
        files = {path.name for path in (ROOT / kind).glob("*.yaml")}
        assert files
        assert {f"corpusforge/declarations/{kind}/{name}" for name in files} <= names
    files = {str(path.relative_to(source)) for path in (source / "corpusforge").rglob("*") if path.is_file()}
    assert "corpusforge/py.typed" in files
    assert files - names == set(), "a kind of data file that pyproject.toml does not name"
    outside = {name for name in names if not name.startswith(("corpusforge/", "corpusforge-"))}
    assert outside == set()
    assert not [name for name in names if "__pycache__" in name or name.endswith((".pyc", ".nbi", ".nbc"))]


@pytest.mark.slow
def test_the_source_distribution_builds_the_same_wheel(
    source: Path, wheel: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    archive = build(source, "sdist", tmp_path_factory.mktemp("sdist"))
    with tarfile.open(archive) as file:
        file.extractall(tmp_path, filter="data")
    (unpacked,) = tmp_path.iterdir()
    again = zipfile.ZipFile(build(unpacked, "wheel", tmp_path_factory.mktemp("again")))
    first = zipfile.ZipFile(wheel)
    assert sorted(again.namelist()) == sorted(first.namelist())
    assert [name for name in first.namelist() if first.read(name) != again.read(name)] == []


@pytest.mark.slow
def test_the_installed_wheel_works_from_another_folder(
    wheel: Path, sample: Path, shared_data: Path, tmp_path: Path
) -> None:
    """In an environment that sees this one's packages, but not the source tree."""
    pytest.importorskip("fasttext")
    pytest.importorskip("kenlm")
    pytest.importorskip("presidio_analyzer")
    model = shared_data / "models" / "lid.176.ftz"
    if not model.exists():
        pytest.skip(f"no language model at {model}")
    forge = install(wheel, tmp_path)
    environment = {**os.environ, "CORPUSFORGE_MODELS": str(tmp_path / "models"), "COLUMNS": "200"}
    environment.pop("PYTHONPATH", None)

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [str(forge), *arguments], cwd=tmp_path, env=environment,
            capture_output=True, text=True, timeout=540, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    where = [
        str(forge.parent / "python"),
        "-c",
        "import corpusforge.rulesets as r; print(r.folder('pipelines'))",
    ]
    folder = subprocess.run(where, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert folder.stdout.strip() == str(
        next(tmp_path.glob("venv/lib/*/site-packages/corpusforge/declarations/pipelines"))
    )
    listed = run("list")
    assert "cc_pipeline" in listed
    assert "gopher_quality@paper" in listed
    run("models", "get", "lid.176", "--from", str(model))
    text = str(sample / "text" / "en.txt")
    run(
        "models",
        "train-lm",
        "--text",
        text,
        "--language",
        "en",
        "--vocabulary-size",
        "500",
        "--order",
        "3",
        "--install",
    )
    run(
        "run", "cc_pipeline", "-i", f"commoncrawl={sample}/warc/sample-00000.warc.gz", "-o", "out",
        "--set", "tokenize.vocabulary_size=600", "--set", "pack.sequence_length=128", "--set", "error_budget=0.5",
    )  # fmt: skip
    assert json.loads((tmp_path / "out" / "ledger.json").read_bytes())["closed"] is True
    assert (tmp_path / "out" / "report.html").stat().st_size > 10_000
    assert (tmp_path / "out" / "shards" / "tokenizer.model").exists()


def install(wheel: Path, folder: Path) -> Path:
    """Install the wheel alone into a new environment on top of this one; give its `corpusforge`."""
    made = [sys.executable, "-m", "venv", "--without-pip", str(folder / "venv")]
    subprocess.run(made, check=True, timeout=300)
    (packages,) = (folder / "venv").glob("lib/*/site-packages")
    ours = next(path for path in map(Path, sys.path) if path.name == "site-packages")
    # Packages of this environment, without its link to the source tree.
    links = "\n".join(str(path) for path in [ours])
    (packages / "base.pth").write_text(links + "\n", encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        str(folder / "venv"),
        "install",
        "--quiet",
        "--no-deps",
    ]
    command += ["--no-index", "--force-reinstall", "--disable-pip-version-check", str(wheel)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "venv" / "bin" / "corpusforge"
