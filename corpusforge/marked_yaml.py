"""YAML with line numbers: values as plain Python, and where each of them stands."""

from __future__ import annotations

from typing import Any

import yaml

from corpusforge.errors import UsageError

Path = tuple[str | int, ...]


def load(text: str, name: str) -> tuple[Any, dict[Path, int]]:
    """Parse YAML to (value, {path: line}), lines from 1, paths as in ``("steps", 2, "c4")``.

    Raises `UsageError` naming file and line for malformed YAML and for keys that stand twice.
    """
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise UsageError(f"{name}:{line}: {error.problem or 'malformed YAML'}") from error
    except yaml.YAMLError as error:
        raise UsageError(f"{name}: {error}") from error
    lines: dict[Path, int] = {(): 1}
    if node is None:
        return None, lines
    constructor = yaml.SafeLoader("")
    try:
        return _construct(constructor, node, (), lines, name), lines
    except RecursionError as error:
        raise UsageError(f"{name}: nested without end") from error


def _construct(constructor: Any, node: yaml.Node, path: Path, lines: dict[Path, int], name: str) -> Any:
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        result: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            key = _scalar(constructor, key_node, name)
            line = key_node.start_mark.line + 1
            if not isinstance(key, str):
                raise UsageError(f"{name}:{line}: the key {key!r} is not a string")
            if key in result:
                raise UsageError(f"{name}:{line}: the key {key!r} stands twice")
            lines[(*path, key)] = line
            result[key] = _construct(constructor, value_node, (*path, key), lines, name)
        return result
    if isinstance(node, yaml.SequenceNode):
        return [
            _construct(constructor, item, (*path, index), lines, name)
            for index, item in enumerate(node.value)
        ]
    return _scalar(constructor, node, name)


def _scalar(constructor: Any, node: yaml.Node, name: str) -> Any:
    try:
        return constructor.construct_object(node, deep=True)
    except (yaml.YAMLError, ValueError) as error:
        # A date that no calendar has, a tag that is not known.
        reason = getattr(error, "problem", None) or error
        raise UsageError(f"{name}:{node.start_mark.line + 1}: {reason}") from error


def line_of(lines: dict[Path, int], path: Path) -> int:
    """The line of a path, or of its nearest ancestor that stands in the file."""
    while path not in lines and path:
        path = path[:-1]
    return lines.get(path, 1)
