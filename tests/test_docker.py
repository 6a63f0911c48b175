"""The Dockerfile as far as it can be checked without an engine: its instructions, and what it copies."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
FILE = ROOT / "docker" / "Dockerfile"
INSTRUCTIONS = {
    "ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL", "ONBUILD", "RUN",
    "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR",
}  # fmt: skip


def instructions() -> list[tuple[str, str]]:
    """(instruction, rest) with continued lines joined."""
    text = re.sub(r"^\s*#.*\n", "", FILE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", " ", text).splitlines()
    return [(name, rest.strip()) for name, _, rest in (line.partition(" ") for line in lines if line.strip())]


def test_all_instructions_are_known_and_the_first_names_an_image() -> None:
    found = instructions()
    assert {name for name, _ in found} <= INSTRUCTIONS
    assert found[0] == ("FROM", "python:3.11-slim AS build")


def test_everything_copied_is_there() -> None:
    stages = {rest.split(" AS ")[1] for name, rest in instructions() if name == "FROM" and " AS " in rest}
    copied = 0
    for name, rest in instructions():
        if name != "COPY":
            continue
        *sources, _ = rest.split()
        if sources[0].startswith("--from="):
            assert sources[0].removeprefix("--from=") in stages
            continue
        for source in sources:
            assert (ROOT / source).exists(), source
            copied += 1
    assert copied >= 10


def test_the_wheel_of_the_image_holds_all_declarations() -> None:
    copied = {rest.split()[0] for name, rest in instructions() if name == "COPY"}
    assert {"pipelines", "filters", "tokenizers", "corpusforge"} <= copied


def test_the_ignored_files_are_not_copied() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    sources = {part for name, rest in instructions() if name == "COPY" for part in rest.split()}
    assert not sources & set(ignored)
    assert {".git", ".venv", "runs"} <= set(ignored)
