"""`corpusforge tune`: what other thresholds would do to a finished run, without running it again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from corpusforge.errors import UsageError
from corpusforge.places import place
from corpusforge.report import numbers
from corpusforge.report.terminal import plain
from corpusforge.report.tune import NUMERIC, Tuning, tune
from corpusforge.step import RATIO


def command(
    run: Annotated[
        Path,
        typer.Argument(
            help="Run directory of a finished run: a folder, or a URL.", parser=place, metavar="RUN"
        ),
    ],
    set: Annotated[
        list[str] | None, typer.Option("--set", help="step.threshold=value; may be repeated.")
    ] = None,
    recipe: Annotated[
        str | None, typer.Option(help="Compare with the thresholds of another recipe, by name or file.")
    ] = None,
    curve: Annotated[
        list[str] | None,
        typer.Option(
            help="step.rule (or minhash_dedup.threshold): show its retention curve; may be repeated."
        ),
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Write a page with a slider for every rule.")] = None,
    plugin: Annotated[
        list[Path] | None, typer.Option(help="Python file with steps that the run used; may be repeated.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print plain values.")] = False,
) -> None:
    """Count what other thresholds would do to a finished run, from its stored signals.

    "matches": documents that meet a rule's condition, "alone": those that meet no other, "decides": dropped by it,
    "did": dropped by it in the run.
    """
    from corpusforge import recipe as recipes
    from corpusforge import registry

    for path in plugin or []:
        registry.load_plugin(path)
    if not (run / "recipe.yaml").exists() or not (run / "manifest.json").exists():
        raise UsageError(f"{run} holds no finished run (recipe.yaml and manifest.json)")
    text = (run / "recipe.yaml").read_text(encoding="utf-8")
    before = recipes.load_text(text, "recipe.yaml")
    after = recipes.load(recipe, set or []) if recipe else recipes.load_text(text, "recipe.yaml", set or [])
    found = tune(run, before, after, curve or [])
    names = [rule.rule.name for rule in found.rules] + [
        f"{step.instance}.{name}" for step in found.judge.steps for name in step.replayed
    ]
    for name in curve or []:
        if name not in names:
            from corpusforge.names import nearest

            raise UsageError(f"--curve {name}: no such rule{nearest(name, names)}")
    if html is not None:
        from corpusforge.report.tune_page import write_page

        write_page(run, before, found, html)
    if as_json:
        typer.echo(json.dumps(plain_values(found), indent=2, sort_keys=True))
        return
    print_tuning(found, Console(), curve or [])
    if html is not None:
        Console().print(plain(f"sliders: {html}"))


def plain_values(found: Tuning) -> dict[str, Any]:
    """What was found as plain values; signals and thresholds of curves in the fixed point of `scale`."""
    return {
        "documents": found.documents,
        "kept_before": found.kept_before,
        "kept": found.kept,
        "newly_dropped": found.newly_dropped,
        "newly_kept": found.newly_kept,
        "unknown": dict(found.unknown),
        "arrivals": found.arrivals,
        "as_they_were": found.as_they_were,
        "exact": found.exact,
        "similarity": {name: [list(point) for point in points] for name, points in found.similarity.items()},
        "changes": {name: list(change) for name, change in found.changes.items()},
        "rules": {
            count.rule.name: {
                "threshold": count.rule.threshold,
                "scale": count.rule.signal.scale,
                "measured": count.measured,
                "matched": count.matched,
                "alone": count.alone,
                "decides": count.decides,
                "decided": count.decided,
                "curve": [list(point) for point in found.curve(number)],
                "jointly": {
                    other.rule.name: int(found.joint[number, index])
                    for index, other in enumerate(found.rules)
                    if index != number and found.joint[number, index]
                },
            }
            for number, count in enumerate(found.rules)
            if count.rule.threshold is not None or count.rule.name in found.changes
        },
        "examples": [
            {
                "id": change.id.hex(),
                "url": change.url,
                "before": change.before,
                "after": change.after,
                "rule": change.rule,
                "value": change.value,
                "scale": change.scale,
            }
            for change in found.examples
        ],
    }


def print_tuning(found: Tuning, console: Console, curves: list[str]) -> None:
    """Print the counts, the rules, the curves of what changes, and documents that change sides."""
    for name, (old, new) in found.changes.items():
        console.print(plain(f"{name}: {numbers.threshold(old)} → {numbers.threshold(new)}", "bold"))
    console.print(
        plain(
            f"kept {numbers.integer(found.kept_before)} of {numbers.integer(found.documents)} documents "
            f"({numbers.percent(found.kept_before, found.documents)}) in the run"
        )
    )
    if found.changes:
        console.print(
            plain(
                f"kept {numbers.integer(found.kept)} ({numbers.percent(found.kept, found.documents)}) with these "
                f"thresholds: {numbers.integer(found.newly_dropped)} go, {numbers.integer(found.newly_kept)} stay "
                f"that went"
            )
        )
    for reason, amount in sorted(found.unknown.items()):
        console.print(plain(f"unknown for {numbers.integer(amount)}: {reason}", "yellow"))
    for step, amount in found.arrivals.items():
        console.print(
            plain(
                f"{numbers.integer(amount)} may newly reach {step}, which compared them with nothing: what they "
                "duplicate, and which others they would displace, is not counted",
                "yellow",
            )
        )
    if found.as_they_were:
        console.print(
            plain(
                f"{', '.join(found.as_they_were)}: would see other documents; counted as in the run", "yellow"
            )
        )
    if found.changes and found.exact:
        console.print(plain("exact: a run with these thresholds keeps these documents"))
    if found.unknown and not found.measured_all:
        console.print(
            plain("a run with evaluate=all measures every document up to the first comparison of documents")
        )
    console.print(_rules_table(found))
    for number, count in enumerate(found.rules):
        points = found.curve(number) if count.rule.name in (*found.changes, *curves) else []
        if points:
            console.print(_curve_table(found, number, points))
        elif count.rule.name in curves:
            told = (
                "was measured for no document"
                if count.rule.rule.comparison in NUMERIC
                else "compares no number"
            )
            console.print(plain(f"{count.rule.name} has no curve: it {told}", "yellow"))
    for name, points in found.similarity.items():
        if name in (*found.changes, *curves):
            console.print(_similarity_table(name, points))
    if found.examples:
        console.print(_examples_table(found))


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", header_style="dim", box=SIMPLE_HEAD)
    for position, column in enumerate(columns):
        side: Any = "left" if position == 0 else "right"
        table.add_column(column, justify=side, overflow="fold", no_wrap=position > 0)
    return table


def _rules_table(found: Tuning) -> Table:
    """Rules by step; those that match nothing are only counted."""
    table = _table("Rules", "rule", "drops when", "measured", "matches", "alone", "decides", "did")
    step, silent = None, 0
    for count in found.rules:
        is_changed = count.rule.name in found.changes
        if not (is_changed or count.matched or count.decided):
            silent += count.rule.threshold is not None
            continue
        if count.rule.instance != step:
            step = count.rule.instance
            table.add_row(plain(step, "bold"))
        style = "bold yellow" if is_changed else ""
        cells = (count.measured, count.matched, count.alone, count.decides, count.decided)
        table.add_row(
            plain(f"  {count.rule.rule.name}", style),
            plain(numbers.drops_when(count.rule.rule.comparison, count.rule.threshold), style),
            *(plain(numbers.integer(cell), style) for cell in cells),
        )
    if silent:
        table.caption = f"{silent} more rules match no document"
        table.caption_justify = "left"
    return table


def _curve_table(found: Tuning, number: int, points: list[tuple[int, int]]) -> Table:
    count = found.rules[number]
    table = _table(f"Kept by {count.rule.name} alone", "threshold", "documents", "of those measured")
    for at, kept in points:
        table.add_row(
            plain(numbers.measured(at, count.rule.signal.scale)),
            plain(numbers.integer(kept)),
            plain(numbers.percent(kept, count.measured)),
        )
    return table


def _similarity_table(name: str, points: list[tuple[int, int]]) -> Table:
    # As wide as its title, which is a name and does not wrap well.
    table = _table(f"Kept at {name}", "similarity".ljust(len(name) - 4), "documents")
    for at, kept in points:
        table.add_row(plain(numbers.measured(at, RATIO)), plain(numbers.integer(kept)))
    return table


def _examples_table(found: Tuning) -> Table:
    table = _table("Documents that change sides", "URL", "id", "before", "now", "value")
    for change in found.examples:
        table.add_row(
            plain(change.url or "no URL"),
            change.id.hex()[:12],
            plain(change.before),
            plain(change.after),
            plain(numbers.measured(change.value, change.scale)),
        )
    return table
