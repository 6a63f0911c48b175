"""The house's rules about who knows whom: folders without cycles, steps without engines, engines without text."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "corpusforge"

TEXT = {"dedup", "extract", "filters", "kernels", "mix", "pii", "sources", "tokenize"}
"""Folders that work on text."""

ENTRIES = {("submit.driver", "cli"), ("recipe", "run")}
"""Arrows that run back up: the program that a cloud starts calls the command line, and `Recipe.run` runs a recipe."""

LOADING = {"kernels.loading", "kernels.stored_code"}
"""How kernels get into a process, whatever they do: engines see to it."""


def module_names() -> dict[str, Path]:
    names = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        names[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return names


MODULES = module_names()


def imports(node: ast.AST) -> Iterator[str]:
    """Modules that are imported below a node, inside functions too; those for type checkers are left out."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
            continue
        if isinstance(child, ast.ImportFrom) and (child.module or "").split(".")[0] == "corpusforge":
            base = (child.module or "").removeprefix("corpusforge").lstrip(".")
            for alias in child.names:
                inner = f"{base}.{alias.name}".lstrip(".")
                yield inner if inner in MODULES else base
        elif isinstance(child, ast.Import):
            for alias in child.names:
                if alias.name.startswith("corpusforge."):
                    yield alias.name.removeprefix("corpusforge.")
        yield from imports(child)


@cache
def arrows() -> frozenset[tuple[str, str]]:
    found = set()
    for name, path in MODULES.items():
        for target in imports(ast.parse(path.read_text(encoding="utf-8"))):
            if target and target != name and (name, target) not in ENTRIES:
                found.add((name, target))
    return frozenset(found)


def place(module: str) -> str:
    """The folder of a module, or the module itself where it stands at the top."""
    return module.split(".")[0]


def knot(graph: dict[str, set[str]]) -> list[str]:
    """What is left after taking away, again and again, what nothing points to or what points to nothing."""
    graph = {node: set(targets) for node, targets in graph.items()}
    while True:
        pointed_to = {target for targets in graph.values() for target in targets}
        ends = [node for node, targets in graph.items() if not targets or node not in pointed_to]
        if not ends:
            return sorted(graph)
        for node in ends:
            del graph[node]
        for targets in graph.values():
            targets.difference_update(ends)


def test_a_knot_is_found() -> None:
    tied = {"a": {"b"}, "b": {"c"}, "c": {"b", "d"}, "d": set()}
    assert knot(tied) == ["b", "c"]
    assert knot({"a": {"b"}, "b": set()}) == []


def test_no_cycles_between_folders() -> None:
    graph: dict[str, set[str]] = {place(name): set() for name in MODULES if name}
    for name, target in arrows():
        if place(name) != place(target):
            graph[place(name)].add(place(target))
    assert knot(graph) == []


@pytest.mark.parametrize(
    ("folders", "unknown"),
    [
        (TEXT, {"engines", "run", "submit", "report", "rerun", "projection", "live", "cli", "books"}),
        ({"engines"}, TEXT),
        ({"kernels"}, (TEXT - {"kernels"}) | {"tasks", "plan", "recipe", "registry"}),
        ({"train"}, {"engines", "plan", "tasks", "report"}),
    ],
)
def test_who_must_not_know_whom(folders: set[str], unknown: set[str]) -> None:
    wrong = [(a, b) for a, b in arrows() if place(a) in folders and place(b) in unknown and b not in LOADING]
    assert sorted(wrong) == []
