"""`corpusforge decide`: other thresholds applied to a finished run, in a new run directory."""

from __future__ import annotations

from rich.console import Console

from corpusforge.report.terminal import plain
from corpusforge.rerun.options import FinishedRun, InputsFound, NewOutput, Plugins, Settings, Workers


def command(
    run: FinishedRun,
    output: NewOutput,
    set: Settings = None,
    input: InputsFound = None,
    workers: Workers = None,
    plugin: Plugins = None,
) -> None:
    """Apply other thresholds to a finished run: a new run that does again only what depends on them."""
    from corpusforge import recipe as recipes
    from corpusforge import registry
    from corpusforge.arguments import parse_inputs
    from corpusforge.live import announce, conclude, interruptible
    from corpusforge.plan import Plan
    from corpusforge.rerun.decide import decide, recorded_inputs, reuse

    for path in plugin or []:
        registry.load_plugin(path)
    recipe = recipes.load_of_run(run, set or [])
    inputs = parse_inputs(input) if input else recorded_inputs(run, recipe)
    out, err = Console(), Console(stderr=True)
    plans: list[Plan] = []

    def tell(plan: Plan, resumed: bool, taken: int) -> None:
        plans.append(plan)
        announce(err, plan, resumed)
        err.print(plain(f"{taken} of {len(plan.stages)} stages are those of {run}"))

    with interruptible(err) as progress:
        summary = decide(run, recipe, inputs, output, tell, workers=workers, progress=progress)
    conclude(out, summary)
    found = reuse(run, output, plans[0])
    if (found.taken or found.measured) and not summary.complete_before:
        steps = ", ".join(f"{step} {count:,}" for step, count in found.measured.items())
        out.print(
            plain(
                f"signals of {found.documents:,} documents taken over ({found.taken:,} measurements), "
                f"{sum(found.measured.values()):,} measured{f': {steps}' if steps else ''}"
            )
        )
