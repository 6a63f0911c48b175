"""`corpusforge decide`: other thresholds applied to a finished run, in a new run directory."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from corpusforge.errors import UsageError
from corpusforge.report.terminal import plain


def command(
    run: Annotated[Path, typer.Argument(help="Run directory of a finished run.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="New run directory.")],
    set: Annotated[
        list[str] | None, typer.Option("--set", help="step.parameter=value; may be repeated.")
    ] = None,
    input: Annotated[
        list[str] | None,
        typer.Option(
            "--input", "-i", help="source=PATH_OR_GLOB; only where the run's own cannot be found again."
        ),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Worker processes; default: one per processor.")
    ] = None,
    plugin: Annotated[
        list[Path] | None, typer.Option(help="Python file with steps that the run used; may be repeated.")
    ] = None,
) -> None:
    """Apply other thresholds to a finished run: a new run that does again only what depends on them."""
    from corpusforge import recipe as recipes
    from corpusforge import registry
    from corpusforge.arguments import parse_inputs
    from corpusforge.live import LiveProgress, announce, conclude
    from corpusforge.plan import Plan
    from corpusforge.rerun.decide import decide, recorded_inputs

    for path in plugin or []:
        registry.load_plugin(path)
    if not (run / "recipe.yaml").exists():
        raise UsageError(f"{run} holds no recipe.yaml: is it a run directory?")
    text = (run / "recipe.yaml").read_text(encoding="utf-8")
    recipe = recipes.load_text(text, "recipe.yaml", set or [])
    inputs = parse_inputs(input) if input else recorded_inputs(run, recipe)
    out, err = Console(), Console(stderr=True)

    def tell(plan: Plan, resumed: bool, taken: int) -> None:
        announce(err, plan, resumed)
        err.print(plain(f"{taken} of {len(plan.stages)} stages are those of {run}"))

    try:
        with LiveProgress(err) as progress:
            summary = decide(run, recipe, inputs, output, tell, workers=workers, progress=progress)
    except KeyboardInterrupt:
        err.print("interrupted; run the same command again to go on where this stopped")
        raise typer.Exit(130) from None
    conclude(out, summary)
