"""The script that a submitted job starts: fetches code and recipe, runs the command line, leaves the exit status.

It is sent to the cluster as a file of its own, so nothing of the package is imported before the code is there;
it needs fsspec and the store's own fsspec library, which the cluster or image has among the dependencies.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path


def fetch(url: str) -> bytes:
    """The bytes of a staged file."""
    import fsspec

    with fsspec.open(url, "rb") as stream:
        return bytes(stream.read())


def install_code(url: str, sha256: str, folder: Path) -> None:
    """Unpack the package and put it before any that is installed, for this process and its children.

    Raises `ValueError` when the archive is not the one that was staged.
    """
    data = fetch(url)
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise ValueError(f"{url} has the hash {found}, wanted {sha256}")
    archive = folder / "code.zip"
    archive.write_bytes(data)
    target = folder / "code"
    zipfile.ZipFile(archive).extractall(target)
    sys.path.insert(0, str(target))
    earlier = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(target), *([earlier] if earlier else [])])


def check_installed(version: str) -> None:
    """Raise `RuntimeError` when the package that the cluster has is not of that version."""
    import corpusforge

    if corpusforge.__version__ != version:
        raise RuntimeError(
            f"the job was submitted by corpusforge {version}, installed here is {corpusforge.__version__}"
        )


def place(url: str, folder: Path) -> str:
    """Copy a staged file into a folder under its own name; gives the path."""
    path = folder / url.rsplit("/", 1)[-1]
    path.write_bytes(fetch(url))
    return str(path)


def run_command(arguments: Sequence[str]) -> int:
    """Run the package's command line in this process; gives its exit status."""
    from corpusforge.cli import main as command_line

    sys.argv = ["corpusforge", *arguments]
    try:
        command_line()
    except SystemExit as ended:
        if ended.code is None:
            return 0
        if isinstance(ended.code, int):
            return ended.code
        print(ended.code, file=sys.stderr)
        return 1
    return 0


def leave_result(url: str, exit_status: int) -> None:
    """Write the exit status where the submitting side looks for it."""
    import fsspec

    with fsspec.open(url, "wb", auto_mkdir=True) as stream:
        stream.write(json.dumps({"exit_status": exit_status}).encode("utf-8"))


def main(arguments: Sequence[str]) -> int:
    """Run a submitted job; gives its exit status."""
    parser = argparse.ArgumentParser(description="Runs a staged corpusforge job.")
    parser.add_argument("--code")
    parser.add_argument("--code-sha256", default="")
    parser.add_argument("--installed-version", default="")
    parser.add_argument("--environment", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--recipe", required=True)
    parser.add_argument("--plugin", action="append", default=[])
    parser.add_argument("--result", required=True)
    parser.add_argument("arguments", nargs="*")
    given = parser.parse_args(arguments)
    os.environ.update(item.split("=", 1) for item in given.environment)
    exit_status = 1
    with tempfile.TemporaryDirectory(prefix="corpusforge-driver-") as name:
        folder = Path(name)
        try:
            if given.code:
                install_code(given.code, given.code_sha256, folder)
            elif given.installed_version:
                check_installed(given.installed_version)
            plugins = [f"--plugin={place(url, folder)}" for url in given.plugin]
            command = ["run", place(given.recipe, folder), *plugins, *given.arguments]
            exit_status = run_command(command)
        finally:
            leave_result(given.result, exit_status)
    return exit_status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
