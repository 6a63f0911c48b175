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


def parse_options(option: str, values: list[str], form: str = "name=value") -> dict[str, str]:
    """``name=value`` arguments of an option to a mapping. Raises `UsageError`, which names the option and the form."""
    options = {}
    for value in values:
        name, separator, text = value.partition("=")
        if not separator or not name:
            raise UsageError(f"{option} takes {form}, not {value!r}")
        options[name] = text
    return options
