"""Declarations that ship with the project: recipes, rule sets, tokenizer recipes, found by name.

They stand at the top level of the source tree and inside the package once it is installed from a wheel.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml

from corpusforge.errors import UsageError
from corpusforge.names import nearest

_PACKAGE = Path(__file__).parent

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The same as the other in C, where PyYAML was built with it: a tenth of the time."""


def folder(kind: str) -> Path:
    """The folder of `pipelines`, `filters` or `tokenizers` declarations."""
    installed = _PACKAGE / "declarations" / kind
    return installed if installed.is_dir() else _PACKAGE.parent / kind


def names(kind: str) -> list[str]:
    """Names of the declaration files of a kind, sorted."""
    return sorted(path.stem for path in folder(kind).glob("*.yaml"))


@cache
def rule_sets() -> dict[str, dict[str, Any]]:
    """All sections of all ``filters/*.yaml``: name to {step, source, note, thresholds}."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted(folder("filters").glob("*.yaml")):
        for section, body in yaml.load(path.read_text(encoding="utf-8"), _LOADER).items():
            if section in found:
                raise UsageError(f"{path}: rule set {section!r} is defined twice")
            found[section] = body
    return found


def thresholds(section: str, step: str) -> dict[str, Any]:
    """The parameters that a rule set gives to a step. Raises `UsageError` for an unknown or foreign section."""
    sections = rule_sets()
    if section not in sections:
        raise UsageError(f"unknown rule set {section!r}{nearest(section, sections)}")
    body = sections[section]
    if body["step"] != step:
        raise UsageError(f"rule set {section!r} is for step {body['step']!r}, not {step!r}")
    return dict(body["thresholds"])
