"""The driver script: it finds staged code, refuses other code, and always leaves an exit status."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

from corpusforge.submit import driver

PACKAGE = {
    "corpusforge/__init__.py": "__version__ = '9'\n",
    "corpusforge/cli.py": (
        "import os, pathlib, sys\n"
        "def main():\n"
        "    recipe = pathlib.Path(sys.argv[2]).read_text()\n"
        "    print('ran', *sys.argv[1:2], recipe, *sys.argv[3:], os.environ.get('MODELS'))\n"
        "    sys.exit(4)\n"
    ),
}


def archive(folder: Path) -> tuple[str, str]:
    """(URL, hash) of a staged package whose command line prints its arguments and ends with 4."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, text in PACKAGE.items():
            file.writestr(name, text)
    (folder / "code.zip").write_bytes(buffer.getvalue())
    return f"file://{folder}/code.zip", hashlib.sha256(buffer.getvalue()).hexdigest()


def start(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    (folder / "recipe.yaml").write_text("the recipe")
    (folder / "mine.py").write_text("")
    command = [
        sys.executable, driver.__file__, *arguments, "--recipe", f"file://{folder}/recipe.yaml",
        "--plugin", f"file://{folder}/mine.py", "--result", f"file://{folder}/new/result.json",
        "--", "--input=a=b c", "--limit=3",
    ]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)


def result(folder: Path) -> int:
    return int(json.loads((folder / "new" / "result.json").read_bytes())["exit_status"])


def test_the_staged_code_runs_with_the_staged_recipe(tmp_path: Path) -> None:
    url, sha256 = archive(tmp_path)
    done = start(tmp_path, "--code", url, "--code-sha256", sha256, "--environment", "MODELS=a=b")
    assert done.returncode == result(tmp_path) == 4, done.stderr
    words = done.stdout.split(" ")
    assert words[:4] == ["ran", "run", "the", "recipe"]
    assert words[4].startswith("--plugin=")
    assert words[4].endswith("/mine.py")
    assert done.stdout.endswith("--input=a=b c --limit=3 a=b\n")


def test_other_code_than_the_staged_does_not_run(tmp_path: Path) -> None:
    url, _ = archive(tmp_path)
    done = start(tmp_path, "--code", url, "--code-sha256", "0" * 64)
    assert done.returncode == 1
    assert result(tmp_path) == 1
    assert "has the hash" in done.stderr
    assert "ran" not in done.stdout


def test_another_installed_version_does_not_run(tmp_path: Path) -> None:
    done = start(tmp_path, "--installed-version", "0.0.0.1")
    assert done.returncode == 1
    assert result(tmp_path) == 1
    assert "submitted by corpusforge 0.0.0.1" in done.stderr


def test_the_script_needs_nothing_of_the_package_to_start() -> None:
    """Imports at its top are of the standard library only."""
    lines = Path(driver.__file__).read_text(encoding="utf-8").splitlines()
    names = {line.split()[1].partition(".")[0] for line in lines if line.startswith(("import ", "from "))}
    assert names - {"__future__"} <= sys.stdlib_module_names
