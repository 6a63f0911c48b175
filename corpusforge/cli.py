"""The command line: thin functions over the Python API."""

from __future__ import annotations

import errno
import importlib
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from corpusforge import __version__
from corpusforge.arguments import parse_inputs, parse_options
from corpusforge.errors import CorpusforgeError, UsageError
from corpusforge.submit import options as cloud

app = typer.Typer(
    help="Turn raw text dumps into training shards, and account for every document.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
out = Console()
err = Console(stderr=True)

COMMANDS = {
    "models": "models.commands:app",
    "tokenizer": "tokenize.command:app",
    "train": "train.command:app",
    "sample": "sample.command:sample",
    "show-batch": "report.show_batch_command:show_batch",
    "export": "export.command:export",
    "attach": "submit.options:attach",
    "plan": "projection.plan_command:plan",
    "bench": "train.bench_command:bench",
    "eval-pack": "train.bench_command:eval_pack",
    "tune": "report.tune_command:command",
    "decide": "rerun.decide_command:command",
    "takedown": "rerun.takedown_command:command",
    "replace": "rerun.replace_command:command",
    "audit": "report.audit_command:audit",
}
"""Commands that have modules of their own, imported when they are asked for: a line each."""


def main() -> None:
    """Entry point: errors that a user can act on are one message and an exit status, never a traceback."""
    _mount(sys.argv[1] if len(sys.argv) > 1 else None)
    try:
        app()
    except CorpusforgeError as error:
        err.print(f"[bold red]error:[/] {_escape(str(error))}", highlight=False, soft_wrap=True)
        sys.exit(error.exit_status)
    except OSError as error:
        err.print(f"[bold red]error:[/] {_escape(_file_trouble(error))}", highlight=False, soft_wrap=True)
        sys.exit(1)


def _mount(wanted: str | None = None) -> None:
    """Add the commands that have modules of their own: all, or only the one of that name.

    Importing all of them takes longer than some of them do. A name that is none of theirs adds all: help lists
    them, and a mistyped name is compared with them.
    """
    own = {command.name or getattr(command.callback, "__name__", "") for command in app.registered_commands}
    if wanted in own:
        return
    for name, place in COMMANDS.items():
        if wanted in COMMANDS and name != wanted:
            continue
        module, _, attribute = place.partition(":")
        command = getattr(importlib.import_module(f"corpusforge.{module}"), attribute)
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name)
        else:
            app.command(name)(command)


def _file_trouble(error: OSError) -> str:
    """What the operating system refused, and where: a full disk, a folder without permission."""
    reason = error.strerror or str(error) or type(error).__name__
    if error.errno == errno.ENOSPC:
        reason += "; make room and run the same command again"
    return f"{error.filename}: {reason}" if error.filename is not None else reason


def _escape(text: str) -> str:
    from rich.markup import escape

    return escape(text)


def _version(value: bool) -> None:
    if value:
        out.print(f"corpusforge {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


@app.command()
def run(
    recipe: Annotated[str, typer.Argument(help="Name of a shipped recipe, or a YAML file.")],
    input: Annotated[
        list[str] | None,
        typer.Option(
            "--input", "-i", help="source=PATH_OR_GLOB, or source@N=... for dump N; may be repeated."
        ),
    ] = None,
    output: Annotated[str | None, typer.Option("--output", "-o", help="Run directory.")] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Worker processes; default: one per processor.")
    ] = None,
    set: Annotated[
        list[str] | None, typer.Option("--set", help="step.parameter=value; may be repeated.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first N shards.")] = None,
    against: Annotated[
        list[str] | None,
        typer.Option(help="Run directory of earlier dumps, which this one is added to; may be repeated."),
    ] = None,
    engine: Annotated[str, typer.Option(help="Where tasks run.")] = "local",
    engine_option: Annotated[
        list[str] | None, typer.Option(help="name=value, a setting of the engine's own; may be repeated.")
    ] = None,
    plugin: Annotated[
        list[Path] | None, typer.Option(help="Python file with steps or sources of your own.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show recipe and plan; do nothing.")] = False,
    on: cloud.On = None,
    project: cloud.Project = None,
    region: cloud.Region = None,
    cluster: cloud.Cluster = None,
    serverless: cloud.Serverless = False,
    image: cloud.Image = None,
    temp_location: cloud.TempLocation = None,
    property: cloud.Property = None,
    cloud_option: cloud.CloudOption = None,
    staging: cloud.Staging = None,
    installed: cloud.Installed = False,
    cancel_on_interrupt: cloud.CancelOnInterrupt = False,
    report_to: cloud.ReportTo = None,
) -> None:
    """Run a recipe on inputs, or go on with an interrupted run."""
    from corpusforge import recipe as recipes
    from corpusforge import registry

    for path in plugin or []:
        registry.load_plugin(path)
    loaded = recipes.load(recipe, set or [])
    inputs = parse_inputs(input or [])
    if on is not None:
        from corpusforge.submit.command import Run, Session

        if output is None:
            raise UsageError("where to? give --output gs://BUCKET/PATH")
        if against:
            raise UsageError("--on submits runs of their own only: run with --against on a cluster's driver")
        wanted = Run(
            loaded,
            inputs,
            output,
            plugin or [],
            limit,
            workers,
            parse_options("--engine-option", engine_option or []),
        )
        where = (on, project, region, cluster, serverless, image, temp_location)
        more = (property or [], cloud_option or [], staging, installed)
        session = Session(err, cancel_on_interrupt, report_to)
        raise typer.Exit(cloud.submit_run(wanted, *where, *more, dry_run, session))
    if dry_run:
        _dry_run(loaded, inputs, limit, against or [])
        return
    if output is None:
        raise UsageError("where to? give --output DIR")
    settings = {
        "engine": engine,
        "engine_options": parse_options("--engine-option", engine_option or []),
        "workers": workers,
    }
    _run_here(loaded, inputs, output, {**settings, "limit": limit, "against": against or []})


def _run_here(loaded: Any, inputs: dict[str, list[str]], output: str, settings: dict[str, Any]) -> None:
    """Run in this process's name, with live progress, and say how it ended."""
    from corpusforge.lean_imports import arrow_without_pandas, workers_without_program
    from corpusforge.live import announce, conclude, interruptible

    # In a program of others that calls the command, their functions and their pandas must be found as before.
    ours = getattr(sys.modules["__main__"], "main", None) is main
    if settings["engine"] == "local" and ours:
        arrow_without_pandas()
        workers_without_program()
    with interruptible(err) as progress:
        summary = loaded.run(
            inputs,
            output,
            **settings,
            progress=progress,
            on_plan=lambda plan, resumed: announce(err, plan, resumed),
        )
    conclude(out, summary)


def _dry_run(loaded: Any, inputs: dict[str, list[str]], limit: int | None, against: list[str]) -> None:
    """Print the resolved recipe, and the plan when inputs are given."""
    from corpusforge.earlier import load_earlier, next_generation
    from corpusforge.listing import list_shards
    from corpusforge.plan import compile_plan
    from corpusforge.sources.base import Shard

    out.print("# resolved recipe", style="bold")
    out.print(loaded.to_yaml(), highlight=False, markup=False, soft_wrap=True)
    loaded.check()
    earlier = load_earlier(against)
    if inputs:
        shards = list_shards(loaded, inputs, next_generation(earlier), partial=bool(earlier))[:limit]
    else:
        shards = [Shard(index, name, ()) for index, name in enumerate(loaded.sources)]
        out.print("# no --input given: the plan below is for one empty shard a source")
    plan = compile_plan(loaded, shards, earlier)
    table = Table("stage", "operation", "tasks", "steps", title=f"plan: {len(shards)} shards")
    shown = {step.instance: _with_sources(step) for step in loaded.steps}
    for stage in plan.describe():
        steps = ", ".join(shown.get(name, name) for name in stage["steps"])
        table.add_row(stage["id"], stage["operation"], str(stage["tasks"]), steps)
    out.print(table)


def _with_sources(step: Any) -> str:
    """A step's name, and the sources that it is limited to."""
    return f"{step.instance} ({', '.join(step.only)} only)" if step.only else str(step.instance)


def _place(location: str) -> Path:
    from corpusforge.places import place

    return place(location)


RunDirectory = Annotated[
    Path, typer.Argument(help="Run directory: a folder, or a URL of one.", parser=_place, metavar="RUN")
]


def _existing_run(path: Path, need: str) -> Path:
    if not (path / need).exists():
        raise UsageError(f"{path} holds no {need}: is it a run directory, and did the run get that far?")
    return path


@app.command()
def report(run: RunDirectory) -> None:
    """Show what each step kept and removed; writes RUN/report.html anew."""
    import json

    from corpusforge.report.html import render
    from corpusforge.report.terminal import print_report

    def read(name: str) -> dict[str, Any]:
        return dict(json.loads((_existing_run(run, name) / name).read_bytes()))

    content = read("report.json")
    (run / "report.html").write_text(
        render(content, read("timings.json"), read("environment.json")), encoding="utf-8"
    )
    print_report(content, out)
    out.print(f"report: {run / 'report.html'}")


@app.command()
def why(
    run: RunDirectory,
    query: Annotated[str, typer.Argument(help="Document id (hex, or its beginning), URL or locator.")],
    text: Annotated[
        bool, typer.Option("--text", help="Show the text at each step, and what each removed or inserted.")
    ] = False,
    plugin: Annotated[
        list[Path] | None, typer.Option(help="Python file with steps that the run used; may be repeated.")
    ] = None,
) -> None:
    """Tell the fate of one document: every signal beside its threshold, the verdict, the surviving twin."""
    from corpusforge import recipe as recipes
    from corpusforge import registry
    from corpusforge.plan import map_steps
    from corpusforge.report.why import print_fate, thresholds_of
    from corpusforge.report.why import why as explain
    from corpusforge.report.why_text import print_text, text_steps

    for path in plugin or []:
        registry.load_plugin(path)
    steps = map_steps(recipes.load_of_run(_existing_run(run, "recipe.yaml")))
    fate = explain(run, query, thresholds_of(steps))
    print_fate(fate, out)
    if text:
        print_text(text_steps(run, fate, steps), out)


@app.command()
def status(run: RunDirectory) -> None:
    """Show stages, tasks done, and what failed and why."""
    from corpusforge.report.status import status as show

    show(_existing_run(run, "stages"), out)


@app.command()
def clean(
    run: RunDirectory,
    all: Annotated[
        bool,
        typer.Option(
            "--all",
            help="Remove the sidecars and tables too: the run cannot resume, and no run be made against it.",
        ),
    ] = False,
) -> None:
    """Remove what a finished run no longer needs: exchange files, and stages that no longer belong to it."""
    from corpusforge.housekeeping import clean as remove

    freed = remove(_existing_run(run, "manifest.json"), everything=all)
    out.print(f"removed {freed / 1e6:.1f} MB below {run / 'stages'}")


@app.command(name="list")
def list_everything() -> None:
    """List recipes, sources, steps and rule sets, a line each."""
    from corpusforge.catalog import catalog

    for title, rows in catalog().items():
        table = Table("name", "what it is", title=title, title_justify="left", box=None, show_header=False)
        for name, line in rows:
            table.add_row(f"[bold]{_escape(name)}[/]", _escape(line))
        out.print(table)
        out.print()


@app.command()
def doctor(
    warm: Annotated[
        bool, typer.Option("--warm", help="Compile all kernels now, so that no run waits for it.")
    ] = False,
) -> None:
    """Show what is installed, which models are present, and the command that gets what is missing."""
    from corpusforge.doctor import examine, warm_kernels

    examine(out)
    if warm:
        warm_kernels(out)


if __name__ == "__main__":
    main()
