"""What travels with a submitted run: the package as one archive, the resolved recipe, plugins, the driver script.

The archive is the package's wheel under the ending ``.zip``, for Spark and Dataproc unpack archives by their
ending and a wheel is a zip file. Its name holds the hash of its bytes, so it is uploaded once.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import io
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import corpusforge
from corpusforge import rulesets, storage
from corpusforge.errors import MissingExtraError, UsageError
from corpusforge.recipe import Recipe
from corpusforge.submit import driver
from corpusforge.submit.errors import CREDENTIALS_HELP

PACKAGE = Path(corpusforge.__file__).parent
DECLARATIONS = ("pipelines", "filters", "tokenizers")
BUILD_INPUTS = (
    "pyproject.toml",
    "setup.py",
    "README.md",
    "LICENSE",
    "MANIFEST.in",
    "corpusforge",
    *DECLARATIONS,
)
"""What of a source checkout a wheel is made from."""

EPOCH = "315532800"
"""1980-01-01 in Unix seconds, the earliest time that a zip file can hold: the same files give the same archive."""

BUILD_SECONDS = 300


@dataclass(frozen=True)
class Upload:
    """One file to stage: where, and its bytes."""

    location: str
    data: bytes

    @property
    def sha256(self) -> str:
        """Hash of the bytes."""
        return hashlib.sha256(self.data).hexdigest()


@dataclass(frozen=True)
class Bundle:
    """All files of one submission."""

    driver: Upload
    recipe: Upload
    plugins: tuple[Upload, ...]
    code: Upload | None
    """None: the cluster or image has the package installed."""
    result: str
    """Where the driver script leaves the exit status."""

    def uploads(self) -> list[Upload]:
        """Every file, the largest first."""
        code = [self.code] if self.code is not None else []
        return [*code, self.recipe, *self.plugins, self.driver]


def make_bundle(
    recipe: Recipe, name: str, plugins: Sequence[Path], staging: str, job: str, installed: bool
) -> Bundle:
    """Collect what `job` needs below `staging`. `installed`: leave the code out.

    Raises `UsageError` for two plugins of one name.
    """
    if len({path.name for path in plugins}) < len(plugins):
        raise UsageError("two plugins have the same file name: they are staged into one folder")
    folder = storage.join(staging, "jobs", job)
    code = None
    if not installed:
        data = code_archive()
        digest = hashlib.sha256(data).hexdigest()[:16]
        code = Upload(
            storage.join(staging, "code", f"corpusforge-{corpusforge.__version__}-{digest}.zip"), data
        )
    return Bundle(
        driver=Upload(storage.join(folder, "main.py"), Path(driver.__file__).read_bytes()),
        recipe=Upload(storage.join(folder, f"{name}.yaml"), recipe.to_yaml().encode("utf-8")),
        plugins=tuple(Upload(storage.join(folder, path.name), path.read_bytes()) for path in plugins),
        code=code,
        result=storage.join(folder, "result.json"),
    )


def upload(bundle: Bundle) -> Iterator[tuple[Upload, bool]]:
    """Stage every file that is not there yet; gives each with whether it was sent.

    Raises `UsageError` where the store refuses.
    """
    for item in bundle.uploads():
        try:
            present = item is bundle.code and storage.exists(item.location)
            present = present and storage.size(item.location) == len(item.data)
            if not present:
                storage.commit_bytes(item.location, item.data)
        except ImportError as error:
            raise MissingExtraError("--on dataproc", "cloud") from error
        except Exception as error:
            # Each store's library has exceptions of its own.
            raise UsageError(
                f"cannot stage {item.location}: {error}{_store_hint(item.location, error)}"
            ) from error
        yield item, not present


def _store_hint(location: str, error: Exception) -> str:
    """What a refusal of a Google bucket most often means: gcsfs goes on without credentials when it finds none."""
    text = str(error).lower()
    if not location.startswith(("gs://", "gcs://")):
        return ""
    if "anonymous caller" in text or "401" in text:
        return f"\nThere were no Google credentials, or they have ended. {CREDENTIALS_HELP}"
    if "forbidden" in text or "403" in text or "does not have storage" in text:
        return (
            "\nThe account needs the role Storage Object User on the bucket; --staging names another place."
        )
    if isinstance(error, FileNotFoundError) or "404" in text or "does not exist" in text:
        return "\nIs the bucket there? Buckets are not made here."
    return ""


def code_archive() -> bytes:
    """The package as the bytes of a wheel.

    From a source checkout the wheel is built from a copy (by ``build``, else by ``pip``); an installed package,
    or a machine without either, zips the files that are there.
    """
    checkout = PACKAGE.parent
    if (checkout / "pyproject.toml").is_file() and (checkout / "setup.py").is_file():
        with tempfile.TemporaryDirectory(prefix="corpusforge-wheel-") as folder:
            built = _build_wheel(checkout, Path(folder))
            if built is not None:
                return built
    return _zip_package()


def _build_wheel(checkout: Path, folder: Path) -> bytes | None:
    """Build in a copy: a build leaves files behind, and finds those that an earlier one left."""
    source, target = folder / "source", folder / "wheel"
    source.mkdir()
    for name in BUILD_INPUTS:
        path = checkout / name
        if path.is_dir():
            shutil.copytree(path, source / name, ignore=shutil.ignore_patterns("__pycache__", "*.nb[ic]"))
        elif path.is_file():
            shutil.copyfile(path, source / name)
    environment = {**os.environ, "SOURCE_DATE_EPOCH": EPOCH}
    for command in _build_commands(str(source), str(target)):
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, timeout=BUILD_SECONDS, check=False
        )
        wheels = sorted(target.glob("*.whl")) if target.is_dir() else []
        if done.returncode == 0 and wheels:
            return wheels[0].read_bytes()
    return None


def _build_commands(source: str, target: str) -> Iterator[list[str]]:
    python = sys.executable
    if importlib.util.find_spec("build") and importlib.util.find_spec("setuptools"):
        yield [python, "-m", "build", "--wheel", "--no-isolation", "--outdir", target, source]
    if importlib.util.find_spec("pip"):
        yield [python, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", target, source]


def _zip_package() -> bytes:
    """The package's files, its declarations and its metadata, as a wheel would hold them."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, path in sorted(_package_files()):
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes())
    return buffer.getvalue()


def _package_files() -> Iterator[tuple[str, Path]]:
    declarations = PACKAGE / "declarations"
    for path in PACKAGE.rglob("*"):
        travels = path.is_file() and "__pycache__" not in path.parts and path.suffix not in (".nbi", ".nbc")
        if travels and not path.is_relative_to(declarations):
            yield f"corpusforge/{path.relative_to(PACKAGE).as_posix()}", path
    for kind in DECLARATIONS:
        for path in rulesets.folder(kind).glob("*.yaml"):
            yield f"corpusforge/declarations/{kind}/{path.name}", path
    for file in importlib.metadata.files("corpusforge") or []:
        located = Path(str(file.locate()))
        if file.parts[0].endswith(".dist-info") and located.is_file():
            yield f"{file.parts[0]}/{located.name}", located
