"""What there is: recipes, sources, steps, rule sets, tokenizer recipes, a line each."""

from __future__ import annotations

import yaml

from corpusforge import registry, rulesets


def catalog() -> dict[str, list[tuple[str, str]]]:
    """Title to (name, line) rows."""
    return {
        "recipes": [(name, _first_line("pipelines", name)) for name in rulesets.names("pipelines")],
        "sources": [(name, registry.source_class(name).summary) for name in registry.source_names()],
        "steps": [(name, _step_line(name)) for name in registry.step_names()],
        "rule sets": [(name, _rule_set_line(body)) for name, body in rulesets.rule_sets().items()],
        "tokenizers": [(name, _first_line("tokenizers", name)) for name in rulesets.names("tokenizers")],
    }


def _first_line(kind: str, name: str) -> str:
    path = rulesets.folder(kind) / f"{name}.yaml"
    content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    return str(content.get("description") or content.get("source", "")).strip().split("\n")[0]


def _step_line(name: str) -> str:
    step = registry.step_class(name)
    extra = f" [extra {step.extra}]" if step.extra else ""
    summary = step.summary or (step.__doc__ or "").strip().split("\n")[0]
    return summary + extra


def _rule_set_line(body: dict[str, object]) -> str:
    return f"{body['step']}: {str(body.get('source', '')).strip()}"
