"""`corpusforge takedown`: a run without some documents, and every fate that changes with it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from corpusforge.errors import UsageError
from corpusforge.report.terminal import plain
from corpusforge.rerun.options import FinishedRun, InputsFound, NewOutput, Plugins, Workers


def takedown_recipe(text: str, domains: str | None, ids: str | None, sources: list[str]) -> Any:
    """The recipe of a run with the step `takedown` behind its extraction.

    Raises `UsageError` when nothing is to go, or a source is none of the recipe's.
    """
    from corpusforge import recipe as recipes
    from corpusforge.filters.takedown import NAME
    from corpusforge.names import nearest

    if not (domains or ids or sources):
        raise UsageError("what is to go? give --domains FILE, --ids FILE or --source NAME")
    recipe = recipes.load_text(text, "recipe.yaml")
    for name in sources:
        if name not in recipe.sources:
            raise UsageError(f"the recipe has no source {name!r}{nearest(name, recipe.sources)}")
    taken = {step.instance for step in recipe.steps}
    instance = next(
        name
        for number in range(1, len(taken) + 2)
        if (name := NAME if number == 1 else f"{NAME}_{number}") not in taken
    )
    step = recipes.make_step(NAME, instance, domains=domains, ids=ids, sources=tuple(sources))
    behind = [number for number, one in enumerate(recipe.steps) if getattr(one, "materializes", False)]
    place = behind[0] + 1 if behind else 0
    steps = [*recipe.steps[:place], step, *recipe.steps[place:]]
    return recipes.Recipe(steps, recipe.sources, recipe.options)


def command(
    run: FinishedRun,
    output: NewOutput,
    domains: Annotated[
        Path | None, typer.Option(help="File of domains, one a line; subdomains go too.")
    ] = None,
    ids: Annotated[Path | None, typer.Option(help="File of document ids, one a line.")] = None,
    source: Annotated[
        list[str] | None, typer.Option(help="A source that goes as a whole; may be repeated.")
    ] = None,
    input: InputsFound = None,
    against: Annotated[
        list[str] | None,
        typer.Option(help="Earlier runs in place of those that the run was made against; may be repeated."),
    ] = None,
    workers: Workers = None,
    plugin: Plugins = None,
) -> None:
    """Take documents out of a finished run: a new run without them, and a table of all fates that change."""
    from corpusforge import registry
    from corpusforge.arguments import parse_inputs
    from corpusforge.live import announce, conclude, interruptible
    from corpusforge.plan import Plan
    from corpusforge.rerun.changes import FOLDER, KINDS, compare
    from corpusforge.rerun.decide import decide, recorded_inputs

    for path in plugin or []:
        registry.load_plugin(path)
    if not (run / "manifest.json").exists():
        raise UsageError(f"{run} holds no manifest.json: is it a run directory, and did the run end?")
    hosts, documents = (str(path.resolve()) if path is not None else None for path in (domains, ids))
    text = (run / "recipe.yaml").read_text(encoding="utf-8")
    recipe = takedown_recipe(text, hosts, documents, source or [])
    inputs = parse_inputs(input) if input else recorded_inputs(run, recipe)
    out, err = Console(), Console(stderr=True)
    settings: dict[str, Any] = {"workers": workers}
    if against:
        settings["against"] = against

    def tell(plan: Plan, resumed: bool, taken: int) -> None:
        announce(err, plan, resumed)
        err.print(plain(f"{taken} of {len(plan.stages)} stages are those of {run}"))

    with interruptible(err) as progress:
        summary = decide(run, recipe, inputs, output, tell, progress=progress, **settings)
    conclude(out, summary)
    table = Table("documents", "change", title="Fates that changed", title_justify="left")
    for kind, count in compare(run, output).items():
        table.add_row(str(count), f"{kind}: {KINDS[kind]}")
    out.print(table)
    out.print(plain(f"each of them: {output / FOLDER}"))
    out.print(
        plain(f"their texts are still in {run} and in {output / 'stages'}: see `corpusforge clean --all`")
    )
