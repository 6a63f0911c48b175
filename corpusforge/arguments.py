"""Options of the command line that several commands take."""

from __future__ import annotations

from corpusforge.errors import UsageError


def parse_inputs(values: list[str]) -> dict[str, list[str]]:
    """``source=PATH`` options to source → paths. Raises `UsageError`."""
    inputs: dict[str, list[str]] = {}
    for value in values:
        source, separator, path = value.partition("=")
        if not separator or not path:
            raise UsageError(f"--input takes source=PATH_OR_GLOB, not {value!r}")
        inputs.setdefault(source, []).append(path)
    return inputs


def parse_options(values: list[str]) -> dict[str, str]:
    """``name=value`` options to a mapping. Raises `UsageError`."""
    options = {}
    for value in values:
        name, separator, text = value.partition("=")
        if not separator or not name:
            raise UsageError(f"--engine-option takes name=value, not {value!r}")
        options[name] = text
    return options
