"""`corpusforge replace`: a dump whose documents may displace earlier ones, and a table of what they displaced."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from corpusforge.report.terminal import plain
from corpusforge.rerun.options import NewOutput, Plugins, Settings, Workers


def command(
    run: Annotated[
        Path, typer.Argument(help="Run directory of the last earlier run: it leads to the others.")
    ],
    output: NewOutput,
    input: Annotated[
        list[str] | None,
        typer.Option("--input", "-i", help="source=PATH_OR_GLOB of the new dump; may be repeated."),
    ] = None,
    set: Settings = None,
    against: Annotated[
        list[str] | None,
        typer.Option(help="Further earlier runs, or where one is that moved; may be repeated."),
    ] = None,
    workers: Workers = None,
    plugin: Plugins = None,
) -> None:
    """Add a dump whose documents may displace earlier ones: a new run of all dumps, and a table of retractions."""
    from corpusforge import registry
    from corpusforge.arguments import parse_inputs
    from corpusforge.live import announce, conclude, interruptible
    from corpusforge.plan import Plan
    from corpusforge.report.retractions import FILE
    from corpusforge.rerun.changes import FOLDER, KINDS
    from corpusforge.rerun.replace import replace_run, replacing_recipe, union_of

    for path in plugin or []:
        registry.load_plugin(path)
    recipe = replacing_recipe(run, set or [])
    union = union_of(recipe, [str(run), *(against or [])], parse_inputs(input or []), output)
    out, err = Console(), Console(stderr=True)

    def tell(plan: Plan, resumed: bool, taken: int) -> None:
        announce(err, plan, resumed)
        err.print(plain(f"{taken} of {len(plan.shards)} shards were extracted by the earlier runs"))

    with interruptible(err) as progress:
        summary, counts = replace_run(recipe, union, output, tell, workers=workers, progress=progress)
    conclude(out, summary)
    table = Table(
        "documents", "change", title="Fates of earlier documents that changed", title_justify="left"
    )
    for kind, count in counts.items():
        table.add_row(str(count), f"{kind}: {KINDS[kind]}")
    out.print(table)
    out.print(plain(f"retracted: {counts.get('dropped', 0)} documents, see {output / FILE}"))
    out.print(plain(f"each change: {output / FOLDER}"))
