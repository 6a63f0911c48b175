"""Recipes: a short YAML file or a Python list of steps, checked in full before any work starts."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from corpusforge import marked_yaml, registry, rulesets
from corpusforge.errors import UsageError
from corpusforge.names import nearest
from corpusforge.sources.base import Source
from corpusforge.step import Step, StepParameters

if TYPE_CHECKING:
    from corpusforge.run import RunSummary


class Options(BaseModel):
    """What a recipe says besides sources and steps."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    name: str = "unnamed"
    description: str = ""
    seed: int = Field(
        0, ge=0, lt=2**63, description="all randomness is a function of this and of document ids"
    )
    shard_bytes: int = Field(
        256 << 20, gt=0, description="input files are grouped to shards of about this size"
    )
    batch_documents: int = Field(512, gt=0, description="documents per batch and Parquet row group")
    batch_bytes: int = Field(32 << 20, gt=0, description="payload bytes that close a batch early")
    partitions: int | None = Field(
        None, gt=0, description="exchange partitions, a power of two; null: from input size"
    )
    exchange_memory_bytes: int = Field(
        128 << 20, gt=0, description="memory of one task's exchange before it spills"
    )
    evaluate: Literal["early", "all"] = Field("early", description="all: measure dropped documents too")
    keep_dropped: str = Field("all", pattern=r"^(all|none|sample:(0(\.\d+)?|1(\.0+)?))$")
    frozen: bool = Field(
        True, description="false: documents of a later dump may displace those of earlier ones"
    )
    error_budget: float = Field(
        0.05, ge=0, le=1, description="share of records that may be damaged or quarantined"
    )
    watchdog_seconds: float = Field(
        60.0, gt=0, description="a worker busy longer with one document is killed"
    )


RESERVED = ("sources", "steps")
"""Keys of a recipe that are no options."""

INSTANCE = re.compile(r"[a-z][a-z0-9_]{0,63}")
"""Names of steps: they become names of files, of columns and of verdicts."""

TAKEN = frozenset({"documents", "segments", "table", "latest", "none", "read"})
"""Names that files, views and the ledger use themselves."""


class Recipe:
    """Options, sources and steps. `run` is what the command line stands on."""

    def __init__(
        self,
        steps: Sequence[Step],
        sources: Mapping[str, Source] | None = None,
        options: Options | None = None,
    ) -> None:
        self.options = options or Options()
        self.sources = dict(sources or {})
        self.steps = list(steps)
        seen: set[str] = set()
        for step in self.steps:
            self._check_name(step.instance)
            if step.instance in seen:
                raise UsageError(f"two steps are called {step.instance!r}: give one another name with `as:`")
            seen.add(step.instance)
            trouble = _limit_trouble(step, self.sources)
            if trouble:
                raise UsageError(trouble)
        if self.options.partitions is not None and self.options.partitions & (self.options.partitions - 1):
            raise UsageError(f"partitions must be a power of two, not {self.options.partitions}")

    def _check_name(self, name: str) -> None:
        if not INSTANCE.fullmatch(name) or name in TAKEN:
            raise UsageError(
                f"a step cannot be called {name!r}: names are lower case letters, digits and underscores, and none "
                f"of {', '.join(sorted(TAKEN))}"
            )

    def check(self) -> None:
        """Let every step look for its models and extras. Raises `UsageError`."""
        for step in self.steps:
            step.check()

    def resolved(self) -> dict[str, Any]:
        """The recipe with every parameter spelled out, as plain values."""
        steps = []
        for step in self.steps:
            body = step.parameters.model_dump(mode="json")
            if step.only:
                body = {"only": list(step.only), **body}
            if step.instance != step.name:
                body = {"as": step.instance, **body}
            steps.append({step.name: body})
        sources = {name: source.parameters.model_dump(mode="json") for name, source in self.sources.items()}
        options = self.options.model_dump(mode="json")
        if self.options.frozen:
            # A younger option: recipes without it stay what they were, to the byte.
            del options["frozen"]
        return {**options, "sources": sources, "steps": steps}

    def to_yaml(self) -> str:
        """The resolved recipe as YAML that `load_text` reads back."""
        return yaml.safe_dump(self.resolved(), sort_keys=False, allow_unicode=True, width=110)

    def run(
        self, inputs: Mapping[str, Sequence[str]], output: str | os.PathLike[str], **settings: Any
    ) -> RunSummary:
        """Run on inputs (source name to paths, globs or URLs); see `corpusforge.run.run_recipe` for settings."""
        from corpusforge.run import run_recipe

        return run_recipe(self, inputs, str(output), **settings)


def find(name_or_path: str) -> Path:
    """The file of a recipe: a path, or the name of one that ships with the project. Raises `UsageError`."""
    path = Path(name_or_path)
    if path.suffix in (".yaml", ".yml"):
        if not path.is_file():
            raise UsageError(f"no recipe file {name_or_path}")
        return path
    shipped = rulesets.folder("pipelines") / f"{name_or_path}.yaml"
    if not shipped.is_file():
        raise UsageError(
            f"unknown recipe {name_or_path!r}{nearest(name_or_path, rulesets.names('pipelines'))}"
        )
    return shipped


def load(name_or_path: str, settings: Sequence[str] = ()) -> Recipe:
    """Load a recipe file and apply ``step.parameter=value`` settings. Raises `UsageError`."""
    path = find(name_or_path)
    return load_text(_text_of(path), path.name, settings)


def load_of_run(run: Path, settings: Sequence[str] = ()) -> Recipe:
    """The recipe that a run directory holds, with settings applied. Raises `UsageError`."""
    path = run / "recipe.yaml"
    if not path.is_file():
        raise UsageError(f"{run} holds no recipe.yaml: is it a run directory?")
    return load_text(_text_of(path), path.name, settings)


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 text (byte {error.start})") from error


def load_text(text: str, name: str, settings: Sequence[str] = ()) -> Recipe:
    """Build a recipe from YAML. Every error names `name`, the line, and the nearest valid name."""
    value, lines = marked_yaml.load(text, name)
    where = _Where(name, lines)
    if not isinstance(value, dict):
        raise UsageError(f"{name}:1: a recipe is a mapping with `steps`")
    overrides = _parse_settings(settings)
    top = {key: item for key, item in value.items() if key not in RESERVED}
    top.update({key: item for (owner, key), item in overrides.items() if owner == ""})
    options = where.validate(Options, top, (), "option")
    of_sources = _of_sources(overrides, value.get("sources"))
    steps = _build_steps(
        value.get("steps"), where, {at: item for at, item in overrides.items() if at not in of_sources}
    )
    instances = {step.instance for step in steps}
    of_others = {at: item for at, item in overrides.items() if at in of_sources or at[0] not in instances}
    sources = _build_sources(value.get("sources") or {}, where, of_others)
    for index, step in enumerate(steps):
        trouble = _limit_trouble(step, sources)
        if trouble:
            raise where.error(("steps", index, step.name, "only"), trouble)
    known = instances | set(sources) | {""}
    for owner, key in overrides:
        if (owner, key) in of_sources and any(
            step.instance == owner and key in step.Parameters.model_fields for step in steps
        ):
            raise UsageError(
                f"--set {owner}.{key}: a step and a source called {owner!r} both have it; name the step with `as:`"
            )
        if owner not in known:
            raise UsageError(
                f"--set {owner}.{key}: no step or source {owner!r} in {name}{nearest(owner, known - {''})}"
            )
    return Recipe(steps, sources, options)


class _Where:
    """Turns positions in a recipe file into error messages."""

    def __init__(self, name: str, lines: dict[marked_yaml.Path, int]) -> None:
        self.name = name
        self.lines = lines

    def error(self, path: marked_yaml.Path, message: str) -> UsageError:
        return UsageError(f"{self.name}:{marked_yaml.line_of(self.lines, path)}: {message}")

    def validate(
        self, model: type[BaseModel], values: Mapping[str, Any], path: marked_yaml.Path, owner: str
    ) -> Any:
        """Validate values against a model; the first error names the line and the nearest valid key."""
        for key in values:
            if key not in model.model_fields:
                raise self.error((*path, key), f"unknown {owner} {key!r}{nearest(key, model.model_fields)}")
        try:
            return model.model_validate(dict(values))
        except ValidationError as failure:
            first = failure.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            given = f" (given: {first['input']!r})" if first["type"] != "missing" else ""
            raise self.error((*path, *first["loc"]), f"{owner} {place!r}: {first['msg']}{given}") from failure


def _build_steps(value: Any, where: _Where, overrides: Mapping[tuple[str, str], Any]) -> list[Step]:
    if not isinstance(value, list) or not value:
        raise where.error(("steps",), "`steps` must be a list of at least one step")
    steps = []
    for index, item in enumerate(value):
        path: marked_yaml.Path = ("steps", index)
        if isinstance(item, str):
            item = {item: {}}
        if not isinstance(item, dict) or len(item) != 1:
            raise where.error(path, "a step is its name, or one name with a mapping of parameters")
        ((name, body),) = item.items()
        body = {} if body is None else body
        if not isinstance(body, dict):
            raise where.error((*path, name), f"the parameters of step {name!r} must be a mapping")
        try:
            steps.append(build_step(name, body, where, (*path, name), overrides))
        except UsageError as error:
            if str(error).startswith(where.name):
                raise
            raise where.error((*path, name), str(error)) from error
    return steps


def build_step(
    name: str,
    body: Mapping[str, Any],
    where: _Where,
    path: marked_yaml.Path,
    overrides: Mapping[tuple[str, str], Any],
) -> Step:
    """Make a step: rule set below recipe below ``--set``. `as` and `only` are no parameters of the step's own."""
    found = registry.step_class(name)
    body = dict(body)
    instance = str(body.pop("as", name))
    body.update({key: item for (owner, key), item in overrides.items() if owner == instance})
    only = _sources_named(body.pop("only", None), instance)
    merged = {**_rule_set_values(found, body), **body}
    parameters = where.validate(found.Parameters, merged, path, f"parameter of step {instance!r}")
    step = found(parameters, instance)
    step.only = only
    return step


def _sources_named(value: Any, instance: str) -> tuple[str, ...]:
    """The sources of `only`; null for all of them."""
    if value is None:
        return ()
    if not isinstance(value, list) or not value or not all(isinstance(name, str) for name in value):
        raise UsageError(f"`only` of step {instance!r} is a list of at least one source, not {value!r}")
    return tuple(dict.fromkeys(value))


def _limit_trouble(step: Step, sources: Mapping[str, Source]) -> str | None:
    """Why a step cannot be limited as the recipe says, or None."""
    if step.only and (not step.limitable or getattr(step, "materializes", False)):
        return f"step {step.instance!r} cannot be limited with `only`: later steps need its result of every source"
    for name in step.only:
        if name not in sources:
            return (
                f"`only` of step {step.instance!r}: the recipe has no source {name!r}{nearest(name, sources)}"
            )
    return None


def _rule_set_values(found: type[Step], body: Mapping[str, Any]) -> dict[str, Any]:
    declared = found.Parameters.model_fields.get("rules")
    if declared is None:
        return {}
    section = body.get("rules", declared.default)
    return rulesets.thresholds(section, found.name) if isinstance(section, str) else {}


def make_step(name: str, instance: str | None = None, **parameters: Any) -> Step:
    """Make a step from Python by name and parameters, with its rule set's thresholds. Raises `UsageError`.

    `only`, a list, limits it to these sources.
    """
    body = dict(parameters) if instance is None else {"as": instance, **parameters}
    return build_step(name, body, _Where("recipe", {}), (), {})


def _build_sources(value: Any, where: _Where, overrides: Mapping[tuple[str, str], Any]) -> dict[str, Source]:
    if not isinstance(value, dict):
        raise where.error(("sources",), "`sources` must be a mapping of names to parameters")
    sources: dict[str, Source] = {}
    for name, body in value.items():
        if not isinstance(body, dict | None):
            raise where.error(("sources", name), f"the parameters of source {name!r} must be a mapping")
        try:
            found = registry.source_class(name)
        except UsageError as error:
            raise where.error(("sources", name), str(error)) from error
        merged = {**(body or {}), **{key: item for (owner, key), item in overrides.items() if owner == name}}
        parameters: StepParameters = where.validate(
            found.Parameters, merged, ("sources", name), f"parameter of source {name!r}"
        )
        sources[name] = found(parameters)
    return sources


def _of_sources(overrides: Mapping[tuple[str, str], Any], sources: Any) -> set[tuple[str, str]]:
    """Settings of parameters that a source of the recipe has, whose name a step may share."""
    found = set()
    for owner, key in overrides:
        if isinstance(sources, dict) and owner in sources:
            with suppress(UsageError):  # no such source: `_build_sources` says so
                if key in registry.source_class(owner).Parameters.model_fields:
                    found.add((owner, key))
    return found


def _parse_settings(settings: Sequence[str]) -> dict[tuple[str, str], Any]:
    """``step.parameter=value`` (or ``option=value``), the value in YAML."""
    parsed: dict[tuple[str, str], Any] = {}
    for setting in settings:
        name, separator, text = setting.partition("=")
        owner, _, key = name.rpartition(".")
        if not separator or not key:
            raise UsageError(f"--set takes step.parameter=value, not {setting!r}")
        try:
            parsed[(owner, key)] = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise UsageError(f"--set {name}: the value is not valid YAML: {text!r}") from error
    return parsed


def difference(old: Any, new: Any, path: str = "") -> list[str]:
    """Where two resolved recipes differ, as ``path: old -> new`` lines."""
    if isinstance(old, dict) and isinstance(new, dict):
        lines = []
        for key in sorted(set(old) | set(new), key=str):
            lines += difference(old.get(key), new.get(key), f"{path}.{key}" if path else str(key))
        return lines
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        lines = []
        for index, (before, after) in enumerate(zip(old, new)):
            lines += difference(before, after, f"{path}[{index}]")
        return lines
    return [] if old == new else [f"{path}: {old!r} -> {new!r}"]
