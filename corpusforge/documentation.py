"""Makes the reference pages of the documentation from the classes and declarations themselves.

``python -m corpusforge.documentation docs`` writes ``docs/steps/*.md``, ``docs/sources.md``,
``docs/recipe-options.md`` and ``docs/rule-sets.md``; a test compares them with what the code says.
"""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
import types
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pyarrow as pa
import yaml
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from corpusforge import recipe as recipes
from corpusforge import registry, rulesets
from corpusforge.operations import Emitter, Folder, Keeper, Reducer, SingleTask
from corpusforge.plan import PlanBuilder, Stage
from corpusforge.sources.base import Shard
from corpusforge.step import MICRO, RATIO, MapStep, Rule, Signal, Step
from corpusforge.tasks.body import Body

GENERATED = "<!-- Made by `make docs` from the code: change it there. -->"

COMPARISONS = {
    "below": "is below",
    "at_most": "is at most",
    "above": "is above",
    "at_least": "is at least",
    "not_in": "is not one of",
    "is_in": "is one of",
    "is_true": "is not 0 and the parameter is",
}
_PLAIN = {int: "integer", float: "number", str: "text", bool: "true or false", type(None): "null"}
_BOUNDS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}


@dataclass
class Parts:
    """What one step adds to a plan."""

    maps: list[MapStep] = field(default_factory=list)
    operations: list[tuple[str, str]] = field(default_factory=list)
    views: list[str] = field(default_factory=list)
    """Views of the text that it reads."""


class Recorder(PlanBuilder):
    """A plan builder that notes what a step adds: its map steps, and the other operations by name."""

    def __init__(self, recipe: recipes.Recipe, shards: Sequence[Shard]) -> None:
        # Documentation needs no model files: without their hashes the plan is only good for looking at.
        super().__init__(recipe, shards, fingerprints=False)
        self.parts = Parts()

    def record(self, step: Step) -> Parts:
        """Compile one step and give what it added."""
        self.parts = Parts()
        self.compile_step(step)
        return self.parts

    def map(self, step: MapStep) -> None:
        """Note a map step."""
        self.parts.maps.append(step)
        self.parts.views.append(step.reads)
        self.parts.operations.append(("map", step.instance))
        super().map(step)

    def exchange(self, emitter: Emitter) -> None:
        """Note an exchange with its budget."""
        output = emitter.output
        self.parts.views.append(emitter.reads)
        self.parts.operations.append(("exchange", f"{output.name}, {output.bytes_per_row} bytes per row"))
        super().exchange(emitter)

    def join(self, exchange: str) -> None:
        """Note a join."""
        self.parts.operations.append(("join", exchange))
        super().join(exchange)

    def reduce(
        self,
        exchange: str,
        reducer: Reducer,
        keeper: Keeper | None = None,
        also: Sequence[str] = (),
        met: bool = True,
    ) -> None:
        """Note a reduction."""
        outputs = ", ".join(spec.name for spec in reducer.outputs)
        self.parts.operations.append(("reduce", f"{exchange} to {outputs}" if outputs else exchange))
        super().reduce(exchange, reducer, keeper, also, met)

    def fold(self, name: str, folder: Folder) -> None:
        """Note a fold."""
        self.parts.views.append(folder.reads)
        self.parts.operations.append(("fold", name))
        super().fold(name, folder)

    def single(self, name: str, task: SingleTask) -> None:
        """Note a single task."""
        self.parts.operations.append(("single task", name))
        super().single(name, task)

    def add(self, name: str, body: Body, tasks: int) -> Stage:
        """Note a stage with a body of its own."""
        self.parts.operations.append((body.operation, name))
        return super().add(name, body, tasks)


def recorded() -> dict[str, tuple[Step, Parts]]:
    """Every built-in step, with default parameters, and what it adds to the plan.

    Steps are compiled in the order of a shipped recipe that names them, as some need others before them; a step
    that no recipe names is compiled on its own.
    """
    found: dict[str, tuple[Step, Parts]] = {}
    orders = [[step.name for step in recipes.load(name).steps] for name in rulesets.names("pipelines")]
    for names in [*orders, *([name] for name in registry.STEPS)]:
        steps = [recipes.make_step(name) for name in dict.fromkeys(names)]
        recipe = recipes.Recipe(steps, {"commoncrawl": registry.source_class("commoncrawl")()})
        recorder = Recorder(recipe, [Shard(0, "commoncrawl", ())])
        if not all(name in found for name in names):
            for step in steps:
                found.setdefault(step.name, (step, recorder.record(step)))
    return {name: found[name] for name in registry.STEPS}


def attribute_descriptions(model: type[BaseModel]) -> dict[str, str]:
    """What stands below each attribute as a string, from the class and those it derives from."""
    found: dict[str, str] = {}
    for owner in reversed(model.__mro__):
        if not issubclass(owner, BaseModel) or owner is BaseModel:
            continue
        body = ast.parse(textwrap.dedent(inspect.getsource(owner))).body[0]
        assert isinstance(body, ast.ClassDef)
        for statement, following in zip(body.body, body.body[1:]):
            if not isinstance(statement, ast.AnnAssign) or not isinstance(statement.target, ast.Name):
                continue
            if isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant):
                found[statement.target.id] = _markdown(_one_line(str(following.value.value)))
    return found


def readable_type(annotation: Any, metadata: Iterable[Any] = ()) -> str:
    """A type in the words of a recipe's author: text, integer, list of text, one of …, bounds behind it."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        text = readable_type(arguments[0], _flat(arguments[1:]))
    elif origin in (Union, types.UnionType):
        text = " or ".join(readable_type(argument) for argument in arguments)
    elif origin is Literal:
        text = " or ".join(f"`{_value(argument)}`" for argument in arguments)
    elif origin in (list, tuple):
        inner = [argument for argument in arguments if argument is not Ellipsis]
        if origin is tuple and Ellipsis not in arguments:
            text = "[" + ", ".join(readable_type(argument) for argument in inner) + "]"
        else:
            text = f"list of {readable_type(inner[0])}"
    elif origin is dict:
        text = f"{readable_type(arguments[0])}: {readable_type(arguments[1])}"
    else:
        text = _PLAIN.get(annotation, getattr(annotation, "__name__", str(annotation)))
    bounds = [
        f"{sign} {getattr(item, bound)}"
        for item in _flat(metadata)
        for bound, sign in _BOUNDS.items()
        if getattr(item, bound, None) is not None
    ]
    return f"{text} {', '.join(bounds)}" if bounds else text


def _flat(metadata: Iterable[Any]) -> list[Any]:
    """Constraints, with those inside pydantic's `Field` unpacked."""
    found: list[Any] = []
    for item in metadata:
        found += getattr(item, "metadata", None) or [item]
    return found


def _value(value: Any) -> str:
    """A value as YAML on one line."""
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json")
    if isinstance(value, tuple):
        value = list(value)
    text = yaml.safe_dump(value, default_flow_style=True, width=10_000, allow_unicode=True)
    return text.removesuffix("...\n").strip()


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _cell(text: str) -> str:
    """Text for a table's cell: bars are escaped outside of code, where the renderer takes them as they are."""
    parts = _one_line(text).split("`")
    return "`".join(part if index % 2 else part.replace("|", "\\|") for index, part in enumerate(parts))


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A Markdown table with an empty line behind it; nothing when there are no rows."""
    body = ["| " + " | ".join(_cell(cell) for cell in row) + " |" for row in rows]
    if not body:
        return []
    return ["| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns), *body, ""]


def parameter_table(model: type[BaseModel], given: Mapping[str, Any]) -> list[str]:
    """Parameters with type, default (`given` by a rule set, else the model's) and description."""
    written = attribute_descriptions(model)
    rows = []
    for name, entry in model.model_fields.items():
        default = entry.get_default(call_default_factory=True)
        text = "required" if default is PydanticUndefined else f"`{_value(given.get(name, default))}`"
        kind = readable_type(entry.annotation, entry.metadata)
        rows.append([f"`{name}`", kind, text, entry.description or written.get(name, "")])
    return table(["parameter", "type", "default", "what it is"], rows)


def unit_of(signal: Signal) -> str:
    """How a signal is stored."""
    if signal.scale == RATIO:
        return "ratio, int64 in units of 10⁻⁹"
    if signal.scale == MICRO:
        return "number, int64 in units of 10⁻⁶"
    if signal.scale == 0:
        return "list of token ids" if pa.types.is_nested(signal.type) else str(signal.type)
    return "count, int64" if signal.scale == 1 else f"int64 in units of 1/{signal.scale}"


def _rule_rows(part: MapStep) -> Iterable[list[str]]:
    for rule in part.rules:
        threshold = getattr(part.parameters, rule.name)
        yield [
            f"`{part.instance}.{rule.name}`",
            _condition(rule),
            "off" if threshold is None else f"`{_value(threshold)}`",
        ]


def _condition(rule: Rule) -> str:
    return f"`{rule.signal}` {COMPARISONS[rule.comparison]}"


def _texts_of(found: type, parts: Sequence[MapStep]) -> list[str]:
    """Docstrings of the step's module and class, and of the map steps it is made of."""
    module = inspect.getmodule(found)
    paragraphs = [inspect.getdoc(module) or "", inspect.getdoc(found) or ""]
    for part in parts:
        if type(part) is not found:
            paragraphs.append(f"`{part.instance}`: {inspect.getdoc(type(part)) or ''}")
    return [line for text in dict.fromkeys(paragraphs) for line in [_markdown(text), ""]]


def _markdown(text: str) -> str:
    """A docstring as Markdown: only the doubled backticks differ."""
    return text.replace("``", "`")


def _facts(step: Step, parts: Parts) -> list[str]:
    extra = f'`pip install "corpusforge[{step.extra}]"`' if step.extra else "none: part of the base"
    rows = [["extra", extra]]
    views = [f"the view `{view}`" for view in dict.fromkeys(parts.views) if view != "none"]
    if any(part.materializes for part in parts.maps):
        rows.append(
            ["reads", "the record's payload; its texts are stored, and every later stage starts from them"]
        )
    elif parts.views:
        rows.append(["reads", ", ".join(views) or "no text"])
    if any(part.edits for part in parts.maps):
        rows.append(["edits", "spans of the text, kept beside it"])
    rows.append(["version of its results", str(type(step).version)])
    return table(["fact", "value"], rows)


def step_page(step: Step, parts: Parts) -> str:
    """The reference page of one step."""
    found = type(step)
    section = getattr(step.parameters, "rules", None)
    given = rulesets.thresholds(section, found.name) if isinstance(section, str) else {}
    lines = [f"# {found.name}", "", GENERATED, "", f"{found.summary[:1].upper()}{found.summary[1:]}.", ""]
    lines += _facts(step, parts)
    lines += _texts_of(found, parts.maps)
    lines += ["## Parameters", ""]
    if given:
        link = f"[`{section}`](../rule-sets.md#{anchor(str(section))})"
        lines += [f"Defaults are those of the rule set {link}.", ""]
    lines += parameter_table(found.Parameters, given) or ["None.", ""]
    signals = [
        [f"`{part.instance}.{item.name}`", unit_of(item), item.description]
        for part in parts.maps
        for item in part.signals
    ]
    if signals:
        lines += ["## Signals", "", *table(["signal", "stored as", "what it is"], signals)]
    rules = [row for part in parts.maps for row in _rule_rows(part)]
    if rules:
        lines += ["## Rules", "", "A document is dropped when the signal compares so with the threshold.", ""]
        lines += table(["verdict", "when", "default threshold"], rules)
    lines += _rule_set_links(found.name)
    operations = [[kind, f"`{what}`"] for kind, what in parts.operations]
    lines += ["## In the plan", "", *table(["operation", "on"], operations)]
    return "\n".join(lines).rstrip() + "\n"


def _rule_set_links(step: str) -> list[str]:
    names = [name for name, body in rulesets.rule_sets().items() if body["step"] == step]
    if not names:
        return []
    links = [f"- [`{name}`](../rule-sets.md#{anchor(name)})" for name in names]
    return ["## Rule sets", "", *links, ""]


def anchor(title: str) -> str:
    """The id that the Markdown renderer gives a heading."""
    kept = "".join(character for character in title.lower() if character.isalnum() or character in "_- ")
    return kept.strip().replace(" ", "-")


def steps_index() -> str:
    """The page that lists all steps."""
    rows = []
    for name in registry.STEPS:
        found = registry.step_class(name)
        rows.append([f"[`{name}`]({name}.md)", found.summary, found.extra or ""])
    lines = ["# Steps", "", GENERATED, "", "In the order in which data usually meets them.", ""]
    return "\n".join([*lines, *table(["step", "what it does", "extra"], rows)]).rstrip() + "\n"


def rule_sets_page() -> str:
    """The page of all rule sets with their thresholds and sources."""
    lines = ["# Rule sets", "", GENERATED, ""]
    lines += ["Thresholds by name, from `filters/*.yaml`. A step takes one with its parameter `rules`", ""]
    lines[-2] += (
        " where it has one; the others are for copying: `corpusforge run` does not read them by name."
    )
    for name, body in rulesets.rule_sets().items():
        lines += [f"## {name}", "", f"Step [`{body['step']}`](steps/{body['step']}.md).", ""]
        lines += [f"Source: {_one_line(body['source'])}", ""]
        if body.get("note"):
            lines += [_one_line(body["note"]), ""]
        values = [[f"`{key}`", f"`{_value(value)}`"] for key, value in body["thresholds"].items()]
        lines += table(["parameter", "value"], values)
    return "\n".join(lines).rstrip() + "\n"


def sources_page() -> str:
    """The page of all sources with their parameters."""
    lines = ["# Sources", "", GENERATED, ""]
    for name in registry.SOURCES:
        found = registry.source_class(name)
        lines += [f"## {name}", "", f"{found.summary}.", "", _markdown(inspect.getdoc(found) or ""), ""]
        lines += [
            f"Files that a folder is searched for: {', '.join(f'`*{end}`' for end in found.suffixes) or 'all'}.",
            "",
        ]
        lines += parameter_table(found.Parameters, {})
    return "\n".join(lines).rstrip() + "\n"


def options_page() -> str:
    """The page of what a recipe says besides sources and steps."""
    lines = ["# Recipe options", "", GENERATED, ""]
    lines += [
        "Top-level keys of a recipe besides `sources` and `steps`; `--set name=value` sets them too.",
        "",
    ]
    return "\n".join([*lines, *parameter_table(recipes.Options, {})]).rstrip() + "\n"


def pages() -> dict[str, str]:
    """Every generated page by its path below the documentation's folder."""
    made = {
        "steps/index.md": steps_index(),
        "rule-sets.md": rule_sets_page(),
        "sources.md": sources_page(),
        "recipe-options.md": options_page(),
    }
    for name, (step, parts) in recorded().items():
        made[f"steps/{name}.md"] = step_page(step, parts)
    return made


def write(folder: Path) -> list[Path]:
    """Write the pages, remove pages of steps that are gone, and give what changed."""
    changed = []
    made = pages()
    for path in sorted((folder / "steps").glob("*.md")):
        if f"steps/{path.name}" not in made:
            path.unlink()
            changed.append(path)
    for name, text in made.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            changed.append(path)
    return changed


if __name__ == "__main__":
    for changed_path in write(Path(sys.argv[1])):
        print(changed_path)
