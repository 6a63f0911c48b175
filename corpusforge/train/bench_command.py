"""`corpusforge bench` and `corpusforge eval-pack`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from corpusforge.errors import MissingExtraError, UsageError

Scheme = Annotated[str | None, typer.Option(help="Of tiktoken's ranks: gpt2, cl100k, llama3, o200k.")]
EndToken = Annotated[
    str | None, typer.Option(help="Of a tokenizer.json that leaves open which token ends a document.")
]
HELP_TOKENIZER = "A SentencePiece model, a tokenizer.json, or tiktoken's ranks"
Items = Annotated[
    int | None, typer.Option(min=1, help="Items of each task at most, those of least hash; default: all.")
]
HELP_CORPORA = "RUN, RUN:kept, RUN:dropped, RUN:raw, or a folder or file of .parquet or .jsonl (.gz, .zst)."


def eval_pack(
    tokenizer: Annotated[Path, typer.Option(help=f"{HELP_TOKENIZER}.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The pack, an .npz file.")],
    panel: Annotated[
        Path | None, typer.Option(help="Panel (.jsonl with domain and text) or folder of texts.")
    ] = None,
    tasks: Annotated[Path | None, typer.Option(help="Folder of zero-shot evaluation sets.")] = None,
    items: Items = None,
    prefix: Annotated[
        int | None, typer.Option(min=0, help="Token before every text; default: the end token.")
    ] = None,
    scheme: Scheme = None,
    end_token: EndToken = None,
) -> None:
    """Encode evaluation sets ahead, so that training and evaluation need no tokenizer."""
    from corpusforge import storage
    from corpusforge.tokenize.loading import load_tokenizer, scheme_named
    from corpusforge.train.eval_pack import make_pack
    from corpusforge.train.panel import Panel, read_panel
    from corpusforge.train.tasks import read_tasks

    if panel is None and tasks is None:
        raise UsageError("nothing to encode: give --panel, --tasks or both")
    texts = Panel(()) if panel is None else read_panel(panel)
    sets = [] if tasks is None else read_tasks(tasks, items)
    encoder = load_tokenizer(
        _existing(tokenizer).read_bytes(), scheme_named(scheme), end_token, needs_end=prefix is None
    )
    pack = make_pack(encoder, texts, sets, prefix)
    storage.commit_bytes(str(output), pack.dump())
    found = ", ".join(f"{task.name} {len(task.items):,}" for task in sets) or "no tasks"
    Console().print(
        f"{output}: {len(texts.passages):,} passages in {len(texts.domains)} domains, {found}, "
        f"{len(pack.tokens) + len(pack.panel_tokens):,} tokens",
        highlight=False,
    )


def bench(
    corpora: Annotated[list[str] | None, typer.Argument(help=HELP_CORPORA)] = None,
    size: Annotated[
        str | None, typer.Option(help="Size of the models, 1m to 1.5b; default: 27m, smaller for guards.")
    ] = None,
    tokens: Annotated[str | None, typer.Option(help="Tokens per run, as in 100m; default: by size.")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Runs per corpus and learning rate.")] = 3,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for everything that is made.")
    ] = Path("bench"),
    panel: Annotated[
        Path | None, typer.Option(help="Held-out texts: .jsonl with domain and text, or a folder of texts.")
    ] = None,
    tasks: Annotated[Path | None, typer.Option(help="Folder of zero-shot evaluation sets.")] = None,
    items: Items = None,
    tokenizer: Annotated[
        Path | None, typer.Option(help=f"{HELP_TOKENIZER}; default: trained on all corpora alike.")
    ] = None,
    scheme: Scheme = None,
    end_token: EndToken = None,
    context: Annotated[int | None, typer.Option(min=8, help="Tokens of a row; default: by size.")] = None,
    vocabulary: Annotated[
        int | None, typer.Option(min=300, help="Pieces to train; default: by size.")
    ] = None,
    panel_bytes: Annotated[
        int | None, typer.Option(min=1, help="Panel bytes per domain; default: by size.")
    ] = None,
    max_overlap: Annotated[
        float, typer.Option(help="Share of a passage's 13-grams that a corpus may hold.")
    ] = 0.0,
    robustness: Annotated[
        float, typer.Option(help="Learning rate of the second arm as a factor; 0: no second arm.")
    ] = 0.1,
    confidence: Annotated[float, typer.Option(help="Of all verdicts together.")] = 0.95,
    set: Annotated[
        list[str] | None, typer.Option("--set", help="setting=value of model or training.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    ablate: Annotated[
        str | None, typer.Option(help="Recipe whose filters are taken out one at a time.")
    ] = None,
    input: Annotated[
        list[str] | None, typer.Option("--input", "-i", help="With --ablate: source=PATH.")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="With --ablate: worker processes.")] = None,
    guard: Annotated[str | None, typer.Option(help="aa, ladder or power: test the benchmark itself.")] = None,
    replicates: Annotated[int, typer.Option(min=1, help="With --guard: benchmarks to repeat.")] = 100,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Tell which corpus trains the better model, with error bars; "cannot tell" is an answer."""
    from corpusforge.arguments import parse_inputs, parse_options

    _need_torch()
    from corpusforge.train.bench import BenchSettings
    from corpusforge.train.settings import parse_count

    err = Console(stderr=True)

    def progress(line: str) -> None:
        err.print(line, highlight=False, markup=False)

    specs = tuple(corpora or ())
    if guard is not None:
        plan: dict[str, Any] = {"replicates": replicates, "seeds": seeds, "size": size, "device": device}
        plan["tokens"] = None if tokens is None else parse_count(tokens)
        plan["tokenizer"] = None if tokenizer is None else _existing(tokenizer)
        _guard(guard, specs, panel, output, plan, progress, as_json)
        return
    shared: dict[str, Any] = {
        "size": size or "27m",
        "tokens": None if tokens is None else parse_count(tokens),
        "seeds": seeds,
        "panel": None if panel is None else _existing(panel),
        "tasks": None if tasks is None else _existing(tasks),
        "items": items,
        "tokenizer": None if tokenizer is None else _existing(tokenizer),
        "scheme": scheme,
        "end_token": end_token,
        "context": context,
        "vocabulary": vocabulary,
        "panel_bytes": panel_bytes,
        "max_overlap": max_overlap,
        "robustness": robustness,
        "confidence": confidence,
        "overrides": parse_options("--set", set or [], "setting=value"),
    }
    if ablate is not None:
        from corpusforge.train.bench_ablation import ablate as run_ablation

        if specs:
            raise UsageError("--ablate makes its own corpora from --input: name none")
        result = run_ablation(ablate, parse_inputs(input or []), output, shared, workers, device, progress)
        _print_ablation(Console(), result, output, as_json)
        return
    from corpusforge.train.bench import bench as run_bench

    result = run_bench(BenchSettings(specs, **shared), output, device, progress)
    _print(Console(), result, output, as_json)


def _existing(path: Path) -> Path:
    if not path.exists():
        raise UsageError(f"there is nothing at {path}")
    return path


def _need_torch() -> None:
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("bench", "train") from error


def _print(out: Console, result: dict[str, Any], output: Path, as_json: bool) -> None:
    from corpusforge.train.bench_report import describe, name_of, sentence

    if as_json:
        print(json.dumps(result, indent=2, sort_keys=True))
        return
    plan = result["plan"]

    def show(text: str) -> None:
        out.print(text, highlight=False, markup=False, soft_wrap=True)

    for label, one in plan["corpora"].items():
        overlap = one["overlap"]
        show(
            f"{name_of(label, plan)}: {result['bits_per_byte'][label]:.4f} bits per byte; panel passages that overlap: "
            f"{overlap['passages_overlapping']}, {overlap['mean_share_of_ngrams']:.2%} of 13-grams"
        )
    show(f"panel: {plan['panel']['removed_for_overlap']} passages taken out for overlap")
    for found in result["comparisons"]:
        show(describe(found))
        arm = found["robustness"]
        if arm is not None:
            word = "stable" if arm["stable"] else "not stable"
            show(f"at {arm['factor']:g} times the learning rate: {arm['difference']:+.4f}, {word}")
        for note in found["notes"]:
            show(f"note: {note}")
    out.print(f"[bold]{_plain(sentence(result))}[/]", highlight=False, soft_wrap=True)
    show(f"{output / 'result.json'}, {output / 'report.html'}")


def _print_ablation(out: Console, result: dict[str, Any], output: Path, as_json: bool) -> None:
    if as_json:
        print(json.dumps(result, indent=2, sort_keys=True))
        return
    from rich.table import Table

    table = Table(
        "without", "worth, bits per byte", "interval over seeds", "verdict", title="what each filter is worth"
    )
    for row in result["ranking"]:
        low, high = row["interval_over_seeds"]
        ends = "" if low is None else f"[{low:+.4f}, {high:+.4f}]"
        table.add_row(row["step"], f"{row['worth']:+.4f}", _plain(ends), row["verdict"])
    out.print(table)
    out.print(f"{output / 'ablation.json'}", highlight=False, markup=False)


def _plain(text: str) -> str:
    from rich.markup import escape

    return escape(text)


def _guard(
    name: str,
    specs: tuple[str, ...],
    panel: Path | None,
    output: Path,
    plan: dict[str, Any],
    progress: Any,
    as_json: bool,
) -> None:
    from corpusforge import storage
    from corpusforge.layout import dump_json
    from corpusforge.train.guards import GUARDS, run_guard

    if name not in GUARDS:
        raise UsageError(f"--guard is one of {', '.join(GUARDS)}, not {name!r}")
    if len(specs) != 1:
        raise UsageError("a guard takes one corpus, of clean text")
    result = run_guard(name, specs[0], panel, progress, keep=output / "guard-runs", **plan)
    path = output / f"guard-{name}.json"
    storage.commit_bytes(str(path), dump_json(result))
    out = Console()
    if as_json:
        print(json.dumps(result, indent=2, sort_keys=True))
    else:
        out.print(result["summary"], highlight=False, markup=False, soft_wrap=True)
        out.print(str(path), highlight=False, markup=False)
    if not result["passed"]:
        raise typer.Exit(1)
