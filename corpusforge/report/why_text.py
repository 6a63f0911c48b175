"""The text of one document at each step: what extraction gave, and what each editing step took and put in its place.

Steps never overwrite: their edits lie beside the extracted text in the run's stages. So the text at every step is
there as it was in the run, also behind steps that compare documents with each other, and nothing runs again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from rich.console import Console
from rich.text import Text

from corpusforge import claim
from corpusforge.edits import Edits
from corpusforge.errors import UsageError
from corpusforge.layout import RunLayout
from corpusforge.places import readable
from corpusforge.report.terminal import plain
from corpusforge.report.why import Fate
from corpusforge.step import MapStep
from corpusforge.tasks.sidecar import DOCUMENTS_FILE
from corpusforge.texts import Texts
from corpusforge.views import Views, from_arrow

CONTEXT_LINES = 1
"""Unchanged lines shown around a changed one."""


@dataclass(frozen=True)
class Piece:
    """A part of a text: `kind` is "same", "removed" or "inserted"; `rule` says what asked for a change."""

    kind: str
    text: str
    rule: str = ""


@dataclass(frozen=True)
class TextStep:
    """What one step did to a document's text. `pieces` is empty where it edits nothing; `text` is what it left."""

    step: str
    verdict: str | None
    pieces: tuple[Piece, ...]
    text: str


def text_steps(run: Path, fate: Fate, steps: Sequence[MapStep]) -> Iterator[TextStep]:
    """Give the extracted text, then what each later step did to it, up to where the document ended.

    `steps`: those of the run's recipe (`corpusforge.plan.map_steps`). Raises `UsageError` where the document never
    got a text, or where the run's stages were cleaned away.
    """
    if fate.id is None or fate.outcome == "quarantined":
        raise UsageError(f"{fate.locator} is in quarantine: no text of it was kept")
    stages = [run / "stages" / name for name in claim.current_stages(RunLayout(str(run)))]
    path, row = _place(stages, fate)
    document = _row(path, row, ["text", "verdict"]).to_pylist()[0]
    yield TextStep("extract", document["verdict"], (), document["text"] or "")
    if document["verdict"] is not None:
        return
    views = Views(Texts.from_strings([document["text"] or ""]))
    shard = path.name.partition(".")[0]
    for step in _behind_extraction(steps):
        name = f"{shard}.{step.instance}.parquet"
        sidecar = next((stage / name for stage in stages if (stage / name).exists()), None)
        if sidecar is None:
            continue
        stored = _row(sidecar, row, ["@verdict", "@edits"] if step.edits else ["@verdict"])
        verdict = stored.column("@verdict")[0].as_py()
        pieces: tuple[Piece, ...] = ()
        if step.edits:
            edits = from_arrow(stored.column("@edits").combine_chunks())
            pieces = tuple(_pieces(views.base.bytes_of(0), views.edits, edits)) if len(edits) else ()
            views.replay(step.instance, edits)
        yield TextStep(step.instance, verdict, pieces, views.text().string(0))
        if verdict is not None:
            return


def _behind_extraction(steps: Sequence[MapStep]) -> Sequence[MapStep]:
    last = max((index for index, step in enumerate(steps) if step.materializes), default=-1)
    return steps[last + 1 :]


def _place(stages: Sequence[Path], fate: Fate) -> tuple[Path, int]:
    """The stored documents that hold a document, and its row there."""
    assert fate.id is not None
    files = sorted(found for stage in stages for found in stage.glob(f"*.{DOCUMENTS_FILE}"))
    if not files:
        raise UsageError(
            "the stages of this run are gone (`corpusforge clean --all`), and with them the text between steps"
        )
    # An output file has the number of the shard that it was made from, so this one most likely.
    number = Path(fate.file).name.partition(".")[0]
    for path in sorted(files, key=lambda path: path.name.partition(".")[0] != number):
        with pq.ParquetFile(readable(path)) as file:
            first = 0
            for group in range(file.num_row_groups):
                table = file.read_row_group(group, columns=["id", "locator"])
                same = pc.and_(
                    pc.equal(table.column("id").cast(pa.binary()), bytes.fromhex(fate.id)),
                    pc.equal(table.column("locator"), fate.locator),
                )
                rows = np.flatnonzero(same.to_numpy())
                if len(rows):
                    return path, first + int(rows[0])
                first += table.num_rows
    raise UsageError(f"the stages of this run hold no document {fate.id}: are they those of another run?")


def _row(path: Path, row: int, columns: Sequence[str]) -> pa.Table:
    """One row of a stored file; a row group at a time is read."""
    with pq.ParquetFile(readable(path)) as file:
        for group in range(file.num_row_groups):
            count = file.metadata.row_group(group).num_rows
            if row < count:
                return file.read_row_group(group, columns=list(columns)).slice(row, 1)
            row -= count
    raise UsageError(f"{path} ends before the document's row: is it damaged?")


def _pieces(base: bytes, before: Edits, edits: Edits) -> Iterator[Piece]:
    """The text before a step, cut at its edits; both edits in coordinates of the extracted text `base`."""
    at = 0
    for start, end, replacement, rule in zip(
        edits.starts.tolist(), edits.ends.tolist(), edits.replacements, edits.rules
    ):
        for kind, text in (
            ("same", _between(base, before, at, start)),
            ("removed", _between(base, before, start, end)),
            ("inserted", replacement),
        ):
            if text:
                yield Piece(kind, text, "" if kind == "same" else rule)
        at = end
    rest = _between(base, before, at, len(base) + 1)
    if rest:
        yield Piece("same", rest)


def _between(base: bytes, before: Edits, start: int, end: int) -> str:
    """What earlier edits left of ``base[start:end]``."""
    parts = []
    at = start
    for first, last, replacement in zip(before.starts.tolist(), before.ends.tolist(), before.replacements):
        if first >= at and last <= end and first < end:
            parts += [base[at:first], replacement.encode("utf-8")]
            at = last
    parts.append(base[at:end])
    return b"".join(parts).decode("utf-8", "replace")


def print_text(steps: Iterable[TextStep], console: Console) -> None:
    """Print the extracted text, then each step's changes with a line of context, as [-removed-] and {+inserted+}."""
    for number, step in enumerate(steps):
        removed = sum(len(piece.text) for piece in step.pieces if piece.kind == "removed")
        inserted = sum(len(piece.text) for piece in step.pieces if piece.kind == "inserted")
        facts = [f"{len(step.text):,} characters"]
        facts += [f"{removed:,} removed"] if removed else []
        facts += [f"{inserted:,} inserted"] if inserted else []
        facts += [f"dropped: {step.verdict}"] if step.verdict else []
        if number and not step.pieces and not step.verdict:
            console.print(plain(f"── {step.step}: text unchanged", "dim"))
            continue
        console.print(plain(f"── {step.step}: {', '.join(facts)}", "bold"), soft_wrap=True)
        if number == 0:
            console.print(plain(step.text), soft_wrap=True)
        elif step.pieces:
            console.print(_marked(step.pieces), soft_wrap=True)


def _marked(pieces: Sequence[Piece]) -> Text:
    text = Text()
    for index, piece in enumerate(pieces):
        if piece.kind == "removed":
            text.append_text(plain(f"[-{piece.text}-]({piece.rule})", "red"))
        elif piece.kind == "inserted":
            text.append_text(plain(f"{{+{piece.text}+}}", "green"))
        else:
            text.append_text(plain(_shortened(piece.text, index > 0, index < len(pieces) - 1)))
    return text


def _shortened(text: str, follows: bool, goes_on: bool) -> str:
    """An unchanged part without the lines that are far from a change."""
    lines = text.split("\n")
    head = CONTEXT_LINES + 1 if follows else 0
    tail = CONTEXT_LINES + 1 if goes_on else 0
    left = len(lines) - head - tail
    if left <= 1:
        return text
    note = f"… {left} lines unchanged …"
    return "\n".join([*lines[:head], note, *lines[len(lines) - tail :]])
