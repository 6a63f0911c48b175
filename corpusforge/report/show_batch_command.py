"""The command ``corpusforge show-batch``: what a training step read, back to the records that it came from."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from corpusforge.errors import UsageError

if TYPE_CHECKING:
    from corpusforge.mix.provenance import RowTokenizer

EXCERPT = 100
"""Characters of a segment's text that are shown from its start and from its end."""


def show_batch(
    run: Annotated[Path, typer.Argument(help="Run directory.")],
    step: Annotated[int, typer.Argument(min=0, help="Training step, from 0.")],
    batch: Annotated[int, typer.Option(min=1, help="Rows of a step, over all workers.")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="The loader's seed.")] = 0,
    stored: Annotated[
        bool, typer.Option("--stored", help="Rows in the order in which they are stored, not drawn.")
    ] = False,
    full: Annotated[bool, typer.Option("--full", help="All of the text.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON object per row.")] = False,
) -> None:
    """Show the documents of a training step: sources, locators, byte spans, text."""
    rows = rows_of_step(run, step, batch, None if stored else seed)
    for entry in rows:
        if as_json:
            typer.echo(json.dumps(entry, ensure_ascii=False, sort_keys=True))
        else:
            _print(entry, full)


def rows_of_step(run: Path, step: int, batch: int, seed: int | None) -> list[dict[str, Any]]:
    """The rows of a step in the loader's order: ``row``, ``padding`` (tokens), and ``segments``.

    Raises `UsageError` for a run without packed rows that can be followed back.
    """
    from corpusforge.mix.loader import PackedRows
    from corpusforge.mix.provenance import Known, Provenance

    # Folder by folder, as the trainer opens them: the order depends on the indexes that are read.
    folders = [path.parent for path in sorted((run / "shards" / "packed").glob("*/index.json"))]
    if not folders:
        raise UsageError(f"{run} holds no packed rows (shards/packed/*/index.json)")
    provenance = Provenance(run, _tokenizer(run / "shards"))
    reader = PackedRows(folders)
    found = []
    try:
        order = reader.order(step, batch, seed)
    except ValueError as error:
        raise UsageError(str(error)) from error
    for index in order.tolist():
        row = reader.row(index)
        known = Known(row.columns["source"], row.boundaries.tolist()) if "source" in row.columns else None
        segments = provenance.segments(index, row.tokens, known)
        padding = len(row.tokens) - int(row.boundaries[-1])
        found.append({"row": index, "padding": padding, "segments": [asdict(item) for item in segments]})
    return found


def _tokenizer(shards: Path) -> RowTokenizer | None:
    """The run's tokenizer: of a SentencePiece model the library alone, which is loaded fastest."""
    from corpusforge.mix.provenance import SentencePieces
    from corpusforge.tokenize.loading import tokenizer_of

    model = shards / "tokenizer.model"
    if not model.is_file():
        return tokenizer_of(shards)
    from sentencepiece import SentencePieceProcessor

    return SentencePieces(SentencePieceProcessor(model_file=str(model)))


def _print(entry: dict[str, Any], full: bool) -> None:
    from rich.console import Console

    from corpusforge.report.terminal import plain

    console = Console()
    console.print(plain(f"row {entry['row']}, {entry['padding']} tokens of padding", "bold"))
    for segment in entry["segments"]:
        known = segment["start"] is not None
        span = f"bytes {segment['start']} to {segment['end']}" if known else "bytes not known"
        where = f"tokens {segment['first']} to {segment['last']}, {span}"
        console.print(plain(f"{segment['source']}  {segment['locator']}  {where}", "cyan"), soft_wrap=True)
        console.print(plain(f"  {segment['document']}  {segment['url'] or ''}", "dim"), soft_wrap=True)
        text = segment["text"]
        if not full and len(text) > 2 * EXCERPT + 3:
            text = f"{text[:EXCERPT]} … {text[-EXCERPT:]}"
        for line in text.split("\n"):
            console.print(plain(f"  {line}"), soft_wrap=True)
