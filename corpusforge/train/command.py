"""`corpusforge train`: train on a run's shards; plan, fit, profile and export around it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from typer.core import TyperGroup

from corpusforge.arguments import parse_options
from corpusforge.errors import MissingExtraError, UsageError
from corpusforge.train.evaluate_command import evaluate, evaluation
from corpusforge.train.evaluate_command import show as show_evaluation

if TYPE_CHECKING:
    from corpusforge.train.laws import Allocation, LossLaw
    from corpusforge.train.records import TrainResult


class _TrainGroup(TyperGroup):
    """`train DATA` is short for `train run DATA`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put `run` in front of what is not the name of a command."""
        if args and args[0] not in self.commands and args[0] != "--help":
            args = ["run", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    help="Train a small language model on the shards of a run: corpusforge train DATA --output FOLDER.",
    cls=_TrainGroup,
    no_args_is_help=True,
)

app.command()(evaluate)

AsJson = Annotated[bool, typer.Option("--json", help="Print plain values.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]


def _need_torch() -> None:
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("train", "train") from error


@app.command()
def run(
    data: Annotated[Path, typer.Argument(help="Run directory, or folder of MDS, Megatron or .npy rows.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for checkpoints, log and report.")],
    size: Annotated[str, typer.Option(help="1m, 3m, 13m, 27m, 42m, 71m, 124m, 350m, 760m, 1.5b.")] = "1m",
    tokens: Annotated[str | None, typer.Option(help="100m, 1.5b; default: 20 per parameter.")] = None,
    set: Annotated[list[str] | None, typer.Option("--set", help="setting=value; may be repeated.")] = None,
    recipe: Annotated[Path | None, typer.Option(help="YAML file of settings; --set goes before it.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where a checkpoint stands.")] = False,
    context: Annotated[int | None, typer.Option(min=1, help="Length of rows of document streams.")] = None,
    vocabulary_size: Annotated[
        int | None, typer.Option(min=1, help="Default: what the shards' manifest says.")
    ] = None,
    device: Device = "auto",
    parallel: Annotated[str, typer.Option(help="Under torchrun: ddp or fsdp.")] = "ddp",
    compile: Annotated[
        bool | None, typer.Option("--compile/--no-compile", help="torch.compile; default: on a GPU.")
    ] = None,
    checkpoint_every: Annotated[int | None, typer.Option(min=1, help="Steps between checkpoints.")] = None,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Write scalars for it, too.")] = False,
    pack: Annotated[
        Path | None,
        typer.Option(help="File of eval-pack: score its panel while training, its tasks at the end."),
    ] = None,
    evaluate_every: Annotated[
        int | None, typer.Option(min=1, help="Steps between evaluations; default: a fifth of all.")
    ] = None,
    verify: Annotated[
        bool,
        typer.Option("--verify/--no-verify", help="Compare the shards with their hashes, beside training."),
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Train a model on DATA; the same settings and data give the same model, also after interruptions."""
    _need_torch()
    from corpusforge.train.data import open_rows, row_length
    from corpusforge.train.loop import TrainSettings, train
    from corpusforge.train.report import write_report
    from corpusforge.train.settings import override, parse_count
    from corpusforge.train.sizes import configuration
    from corpusforge.train.verify import listed_files

    values = {**_read_recipe(recipe), **parse_options("--set", set or [], "setting=value")}
    rows = _usable(lambda: open_rows(data, context))
    length = _usable(lambda: row_length(rows))
    if context is not None and context != length:
        raise UsageError(
            f"{data} holds rows with a context of {length}; --context is for streams of documents"
        )
    vocabulary = vocabulary_size or _vocabulary_size(data)
    wanted = None if tokens is None else parse_count(tokens)
    model, training = override(*configuration(size, vocabulary, length, wanted), values)
    steps = training.steps(model.context)
    settings = TrainSettings(
        rows,
        model,
        training,
        output=output,
        resume=resume,
        device=device,
        parallel=parallel,
        compile=compile,
        checkpoint_every=checkpoint_every,
        live=not as_json,
        tensorboard=tensorboard,
        verify=_usable(lambda: listed_files(data)) if verify else (),
        on_evaluate=None if pack is None else evaluation(pack, _tokenizer(data), steps),
        evaluate_every=None if pack is None else evaluate_every or -(-steps // 5),
    )
    result = _usable(lambda: train(settings))
    if os.environ.get("RANK", "0") != "0":
        return
    page = write_report(output)
    if as_json:
        print(json.dumps(_plain(result)))
    else:
        _show(Console(), result, len(rows) * length, page)
        if result.evaluations:
            show_evaluation(Console(), result.evaluations[-1])


def _usable(call: Any) -> Any:
    """What the call gives; damaged shards are the user's to know, not a traceback."""
    try:
        return call()
    except ValueError as error:
        raise UsageError(str(error)) from error


def _read_recipe(path: Path | None) -> dict[str, Any]:
    """Settings of a YAML file. Raises `UsageError` for what is no flat mapping."""
    if path is None:
        return {}
    import yaml

    try:
        values = yaml.safe_load(path.read_bytes())
    except yaml.YAMLError as error:
        raise UsageError(f"{path}: {error}") from error
    if not isinstance(values, dict) or not all(isinstance(name, str) for name in values):
        raise UsageError(f"{path} is no mapping of settings to values")
    return values


def _tokenizer(data: Path) -> dict[str, Any]:
    """What the manifest beside the shards says of their tokenizer; empty where there is none."""
    from corpusforge.train.verify import manifest_beside

    _, manifest = manifest_beside(data)
    found = manifest.get("tokenizer")
    return dict(found) if isinstance(found, dict) else {}


def _vocabulary_size(data: Path) -> int:
    """What the manifest beside the shards says. Raises `UsageError` where there is none."""
    try:
        return int(_tokenizer(data)["vocabulary_size"])
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{data} does not say how large its vocabulary is: give --vocabulary-size"
        ) from error


def _plain(result: TrainResult) -> dict[str, Any]:
    return {
        "loss": result.loss,
        "steps": result.steps,
        "tokens": result.tokens,
        "seconds": result.seconds,
        "flops": result.flops,
        "checkpoint": None if result.checkpoint is None else str(result.checkpoint),
        "fingerprint": result.fingerprint,
        "initial_hash": result.initial_hash,
        "skipped_steps": result.skipped_steps,
        "rewinds": result.rewinds,
        "evaluations": result.evaluations,
        **result.speed,
    }


def _show(out: Console, result: TrainResult, available: int, page: Path) -> None:
    from corpusforge.train.journal import duration

    table = Table("", show_header=False, box=None)
    table.add_column(overflow="fold")
    table.add_row("loss", f"{result.loss:.4f} nats per token (mean of the last 5 % of the steps)")
    epochs = result.tokens / available
    table.add_row(
        "tokens", f"{result.tokens:,} ({epochs:.2f} passes over the data) in {duration(result.seconds)}"
    )
    speed = result.speed
    if speed["tokens_per_second"] is not None:
        table.add_row("speed", f"{speed['tokens_per_second']:,.0f} tokens/s")
    for name, label in (
        ("mfu", "MFU, data sheet"),
        ("mfu_measured", "MFU, measured peak"),
        ("waiting", "waiting for data"),
    ):
        if speed[name] is not None:
            table.add_row(label, f"{speed[name]:.2%}")
    if result.skipped_steps:
        table.add_row("spikes", f"{result.skipped_steps} steps not taken, {result.rewinds} rewinds")
    table.add_row("checkpoint", str(result.checkpoint))
    table.add_row("report", str(page))
    out.print(table, highlight=False)


@app.command()
def plan(
    compute: Annotated[float | None, typer.Option(help="FLOPs, as in 1e20.")] = None,
    gpu_hours: Annotated[float | None, typer.Option(help="Hours of one GPU instead.")] = None,
    gpu: Annotated[str, typer.Option(help="Which GPU: its name in the table of peaks.")] = "H200",
    utilization: Annotated[float, typer.Option(help="Share of the peak that training reaches.")] = 0.4,
    law: Annotated[Path | None, typer.Option(help="A law that `train fit --output` wrote, first.")] = None,
    as_json: AsJson = False,
) -> None:
    """How large a model, how many tokens, what loss: by the published laws, or by your own."""
    from corpusforge.train import laws
    from corpusforge.train.devices import DATA_SHEET, data_sheet_peak

    if (compute is None) == (gpu_hours is None):
        raise UsageError("give --compute or --gpu-hours")
    budget = compute
    if budget is None:
        peak = data_sheet_peak(gpu)
        if peak is None or gpu_hours is None:
            raise UsageError(f"no peak is known for {gpu!r}: give --compute (known: {', '.join(DATA_SHEET)})")
        budget = laws.gpu_compute(gpu_hours, peak, utilization)
    found = laws.plan(budget)
    if law is not None:
        found.insert(0, _read_law(law).best(budget))
    _print_plan(budget, found, as_json)


def _print_plan(budget: float, found: list[Allocation], as_json: bool) -> None:
    if as_json:
        print(json.dumps([vars(one) for one in found], indent=2))
        return
    table = Table("parameters", "tokens", "tokens per parameter", "loss (nats/token)", "law", box=None)
    for one in found:
        table.add_row(
            _count(one.parameters),
            _count(one.tokens),
            f"{one.tokens / one.parameters:.1f}",
            f"{one.loss:.3f}",
            one.source,
        )
    out = Console()
    out.print(f"{budget:.3g} FLOPs, as 6 x parameters x tokens", highlight=False)
    out.print(table, highlight=False)
    out.print(
        "Losses hold for the data and tokenizer of the law's own paper; compare models, not losses.",
        style="dim",
    )


def _count(value: float) -> str:
    for unit, name in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if value >= unit:
            return f"{value / unit:.3g} {name}"
    return f"{value:.0f}"


def _read_law(path: Path) -> Any:
    from corpusforge.train.laws import LossLaw

    try:
        return LossLaw(**json.loads(path.read_bytes()))
    except (ValueError, TypeError) as error:
        raise UsageError(f"{path} is no law that `corpusforge train fit --output` wrote: {error}") from error


@app.command()
def fit(
    runs: Annotated[list[Path], typer.Argument(help="Folders of finished training runs, or a JSON list.")],
    compute: Annotated[float | None, typer.Option(help="Plan for so many FLOPs by the fitted law.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write the law as JSON.")] = None,
    as_json: AsJson = False,
) -> None:
    """Fit L(N, D) = E + A/N^alpha + B/D^beta to a ladder of runs."""
    _need_torch()
    from corpusforge.train.fit import fit as fitted
    from corpusforge.train.fit import read_points

    points = read_points(runs)
    law = fitted(points)
    if output is not None:
        output.write_text(json.dumps(vars(law), indent=2) + "\n")
    if as_json:
        best = {} if compute is None else {"best": vars(law.best(compute))}
        print(json.dumps({"law": vars(law), **best}, indent=2))
        return
    out = Console()
    out.print(
        f"L = {law.floor:.4f} + {law.model_factor:.4g} / N^{law.model_exponent:.4f} "
        f"+ {law.data_factor:.4g} / D^{law.data_exponent:.4f}",
        highlight=False,
    )
    out.print(_errors(law), highlight=False)
    table = Table("run", "parameters", "tokens", "loss", "law", box=None)
    for point in points:
        expected = law.loss(point.parameters, point.tokens)
        numbers = (_count(point.parameters), _count(point.tokens), f"{point.loss:.4f}", f"{expected:.4f}")
        table.add_row(point.name, *numbers)
    out.print(table, highlight=False)
    if compute is not None:
        _print_plan(compute, [law.best(compute)], False)


def _errors(law: LossLaw) -> str:
    """The line that says how sure the five numbers are."""
    if law.errors is None:
        return "standard errors: none, since without one of the runs no law of this form fits"
    named = (
        ("E", "floor"),
        ("A", "model_factor"),
        ("alpha", "model_exponent"),
        ("B", "data_factor"),
        ("beta", "data_exponent"),
    )
    return "standard errors: " + ", ".join(f"{short} {law.errors[name]:.2g}" for short, name in named)


@app.command()
def profile(
    sizes: Annotated[str, typer.Option(help="Sizes, separated by commas.")] = "13m,27m,124m,350m",
    context: Annotated[int, typer.Option(min=1, help="Predicted tokens per row.")] = 2048,
    vocabulary_size: Annotated[int, typer.Option(min=2)] = 32_768,
    steps: Annotated[int, typer.Option(min=4, help="Steps; the first three do not count.")] = 30,
    batch_tokens: Annotated[int, typer.Option(min=1, help="Tokens per step.")] = 131_072,
    microbatch: Annotated[int | None, typer.Option(min=1, help="Rows per forward pass.")] = None,
    device: Device = "auto",
    compile: Annotated[
        bool | None, typer.Option("--compile/--no-compile", help="torch.compile; default: on a GPU.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Tokens per second and FLOPs utilization of sizes on this device, by the real loop on random tokens."""
    _need_torch()
    from corpusforge.train.profile import profile as profiled

    table = Table("size", "parameters", "tokens/s", "TFLOP/s", "MFU", "of measured peak", "waiting", box=None)
    for size in sizes.split(","):
        name = size.strip()
        found = profiled(name, context, vocabulary_size, steps, batch_tokens, microbatch, device, compile)
        if as_json:
            print(json.dumps(found), flush=True)
        shares = [_share(found[key]) for key in ("mfu", "mfu_measured", "waiting")]
        speed = f"{found['tokens_per_second']:,.0f}", f"{found['flops_per_second'] / 1e12:.3g}"
        table.add_row(name, _count(found["parameters"]), *speed, *shares)
    if not as_json:
        Console().print(table, highlight=False)


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"


@app.command()
def export(
    run: Annotated[Path, typer.Argument(help="Folder of a training run, or one of its checkpoints.")],
    folder: Annotated[Path, typer.Argument(help="Folder to write.")],
    begin: Annotated[int | None, typer.Option(help="Id of the token before documents, if any.")] = None,
    end: Annotated[int | None, typer.Option(help="Id of the token behind documents.")] = None,
    tokenizer: Annotated[
        Path | None, typer.Option(help="Tokenizer to lie beside it: any of the three kinds.")
    ] = None,
) -> None:
    """Write a checkpoint as a LLaMA folder for Hugging Face transformers: config.json, model.safetensors."""
    _need_torch()
    from corpusforge.train.checkpoint import newest_checkpoint
    from corpusforge.train.export import export as exported
    from corpusforge.train.export import load_model

    checkpoint = newest_checkpoint(run) if run.is_dir() else run
    exported(load_model(checkpoint), folder, begin, end, tokenizer)
    Console().print(f"{checkpoint} → {folder}", highlight=False)
