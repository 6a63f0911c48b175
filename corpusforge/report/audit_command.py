"""`corpusforge audit`: which evaluation items a finished corpus holds, and in which documents."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from rich.console import Console
from rich.table import Table

from corpusforge.errors import UsageError

DOCUMENTS_FILE, ITEMS_FILE, SUMMARY_FILE = "documents.parquet", "items.parquet", "audit.json"


def audit(
    corpus: Annotated[
        str, typer.Argument(help="RUN, RUN:kept, RUN:dropped, RUN:raw, or Parquet or JSON lines with `text`.")
    ],
    against: Annotated[
        list[str] | None,
        typer.Option(
            help="SET=PATH_OR_GLOB, or one place of texts; may be repeated. Default: what RUN's recipe names."
        ),
    ] = None,
    rule: Annotated[
        list[str] | None,
        typer.Option(help="Rule set without decontaminate@; default: gpt3_overlap, palm, llama2, llama3."),
    ] = None,
    worst: Annotated[int, typer.Option(min=0, help="Items of each set shown with matching text.")] = 20,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder for audit.json, items.parquet, documents.parquet."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print plain values.")] = False,
) -> None:
    """Compare a corpus with evaluation sets: items met, items contaminated by published rules, and where."""
    from corpusforge import storage
    from corpusforge.dedup.audit import DOCUMENT_SCHEMA, RULES, Audit, audit_rules
    from corpusforge.layout import dump_json
    from corpusforge.train.corpora import open_corpus
    from corpusforge.writer import commit_parquet

    rules = audit_rules(rule or RULES)
    found = open_corpus(corpus)
    settings = {"against": parse_against(against)} if against else recorded_against(found.root)
    with tempfile.TemporaryDirectory(prefix="corpusforge-audit-") as folder, ExitStack() as stack:
        matched = None
        if output is not None:
            matched = stack.enter_context(commit_parquet(str(output / DOCUMENTS_FILE), DOCUMENT_SCHEMA))
        done = Audit(rules=rules, folder=Path(folder), matched=matched, **settings)
        done.add((document.id, document.text) for document in found.documents())
        summary = {"corpus": corpus, "without_text": found.skipped, **done.summary(worst)}
        items = done.items()
    if output is not None:
        with commit_parquet(str(output / ITEMS_FILE), items.schema) as writer:
            for batch in items.to_batches():
                writer.write(batch)
        storage.commit_bytes(str(output / SUMMARY_FILE), dump_json(summary))
    if as_json:
        print(json.dumps(summary, indent=2, ensure_ascii=False))
        return
    show(Console(), summary)
    if output is not None:
        Console().print(f"audit: {output}", highlight=False, soft_wrap=True, markup=False)


def parse_against(values: list[str]) -> str | dict[str, str]:
    """``SET=PATH`` options to a mapping, or a single place as it stands. Raises `UsageError`."""
    sets: dict[str, str] = {}
    for value in values:
        name, separator, place = value.partition("=")
        if not separator or not name or "/" in name:
            if len(values) > 1:
                raise UsageError(f"--against takes SET=PATH_OR_GLOB where there are several, not {value!r}")
            return value
        if not place or name in sets:
            raise UsageError(f"--against {value!r}: {'this set is named twice' if place else 'no place'}")
        sets[name] = place
    return sets


def recorded_against(run: Path) -> dict[str, Any]:
    """What the first `decontaminate` step of a run's recipe compares with. Raises `UsageError` where none does."""
    path = run / "recipe.yaml"
    recipe = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else None
    for entry in (recipe or {}).get("steps", []):
        for name, values in entry.items() if isinstance(entry, dict) else ():
            if name == "decontaminate" and values and values.get("against"):
                return {key: values[key] for key in ("against", "fields", "text_items") if values.get(key)}
    raise UsageError(f"{run} names no evaluation sets: give --against SET=PATH")


def show(out: Console, summary: dict[str, Any]) -> None:
    """Print a summary."""
    out.print(
        f"{summary['corpus']}: {summary['documents']:,} documents, {summary['bytes'] / 1e6:,.1f} MB",
        highlight=False, soft_wrap=True, markup=False,
    )  # fmt: skip
    rules = list(dict.fromkeys(rule for entry in summary["sets"].values() for rule in entry["rules"]))
    table = Table(
        "set", "items", title="touched / contaminated items by rule", title_justify="left", box=None
    )
    for rule in rules:
        table.add_column(rule, justify="right")
    for name, entry in summary["sets"].items():
        cells = []
        for rule in rules:
            counts = entry["rules"][rule]
            short = f" ({counts['too_short']:,} too short)" if counts["too_short"] else ""
            cells.append(f"{counts['touched']:,} / {counts['contaminated']:,}{short}")
        table.add_row(_plain(name), f"{entry['items']:,}", *cells)
    out.print(table)
    for name, entry in summary["sets"].items():
        for line in _worst_lines(name, entry["worst"]):
            out.print(line, highlight=False, soft_wrap=True, markup=False)


def _plain(text: str) -> str:
    from rich.markup import escape

    from corpusforge.statistics.examples import visible

    return escape(visible(text))


def _worst_lines(name: str, entries: list[dict[str, Any]]) -> Iterator[str]:
    from corpusforge.statistics.examples import visible

    if entries:
        yield f"\n{visible(name)}: items met most"
    for entry in entries:
        shares = ", ".join(f"{rule} {share / 1e9:.0%}" for rule, share in entry["shares"].items())
        by = f"; contaminated by {', '.join(entry['contaminated_by'])}" if entry["contaminated_by"] else ""
        yield f"  {visible(entry['item'])}: {shares}{by}; {entry['documents']:,} documents, most in {entry['document']}"
        yield f"    {visible(' '.join(entry['text'].split()))}"
