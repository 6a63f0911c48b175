"""The report's part on duplicates as tables of words, the same on the page and in the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from corpusforge.report import numbers
from corpusforge.report.intervals import MILLION

Json = Mapping[str, Any]


@dataclass(frozen=True)
class WordTable:
    """A table of strings: what each row is about stands in its first column."""

    title: str
    note: str
    head: tuple[str, ...]
    rows: list[tuple[str, ...]]


def moved(entry: Json) -> str:
    """What finding the duplicates moved, in one sentence."""
    amount = entry["moved"]
    if not amount["rows"]:
        return "Looks at one document at a time."
    text = f"Moved {numbers.size(amount['bytes'])} in {numbers.integer(amount['rows'])} rows"
    if not amount["text_bytes"]:
        return f"{text}."
    share = amount["bytes"] / amount["text_bytes"]
    return f"{text}: {numbers.decimal(share)} bytes per byte of the {numbers.size(amount['text_bytes'])} of text."


def pair_tables(entry: Json) -> Iterator[WordTable]:
    """Documents of one source that were dropped for documents of another; of dumps, where there are several.

    The same of lines, n-grams or passages, where the step compares these.
    """
    for one, rows in _pair_rows(entry, "documents"):
        yield WordTable(
            f"Duplicates by {one}",
            f"The share is that of the dropped documents in all that the step saw of their {one}.",
            (f"dropped {one}", "in favour of", "documents", "share"),
            rows,
        )
    # Reports of earlier versions have no such part.
    parts = entry.get("parts")
    if parts is None:
        return
    kind = parts["kind"]
    for one, rows in _pair_rows(parts, "parts"):
        yield WordTable(
            f"Shared {kind} by {one}",
            "What stands in a preferred document too, counted once for each document that has it. The share is that in "
            f"all {kind} of the {one}, where the step compares them all.",
            (one, "stands in", kind, "share"),
            rows,
        )


def _pair_rows(told: Json, counted: str) -> Iterator[tuple[str, list[tuple[str, ...]]]]:
    """Rows of the tables by source and, where there are several, by dump."""
    for kind in ("sources", "dumps"):
        pairs, other = told[kind]["pairs"], told[kind]["other"]
        sides = {side for row in pairs for side in (row["dropped"], row["kept"])}
        if not pairs or (kind == "dumps" and len(sides) < 2):
            continue
        rows: list[tuple[str, ...]] = [
            (
                row["dropped"],
                row["kept"],
                numbers.integer(row[counted]),
                numbers.percent(row[counted], row["of"]) if row["of"] else "–",
            )
            for row in pairs
        ]
        if other:
            rows.append(("all other pairs", "", numbers.integer(other), ""))
        yield kind.removesuffix("s"), rows


def error_tables(entry: Json) -> Iterator[WordTable]:
    """Estimated recall and precision; nothing where the step was not measured."""
    errors = entry["errors"]
    if errors is None:
        return
    planted, compared = errors["planted"], errors["compared"]
    if compared is None:
        yield from _planted_tables(planted)
        return
    if "threshold" not in errors:
        yield from _copy_tables(planted, compared)
        return
    head = ("", "pairs", "found", "share", "95 % interval")
    limit = numbers.decimal(errors["threshold"] / MILLION)
    if planted["documents"]:
        yield WordTable(
            "Planted copies",
            f"{numbers.integer(planted['documents'])} documents that this step kept "
            f"({numbers.size(planted['bytes'])}) got a copy with some words replaced, and the step's own code decided "
            f"over all of them. Pairs are copies that are still at least {limit} similar to their document.",
            head,
            [
                *(
                    _row(f"{numbers.decimal(100 * row['edited'] / MILLION)} % of words replaced", row)
                    for row in planted["edits"]
                ),
                *_similarities(planted),
                _row("decisions that are right", planted["decisions"]),
            ],
        )
    if compared["documents"]:
        yield WordTable(
            "All pairs of a sample",
            f"{numbers.integer(compared['documents'])} documents of this run ({numbers.size(compared['bytes'])}), "
            f"chosen so that near-duplicates stand together, compared exactly. Pairs are at least {limit} similar; "
            "one is found when not both of its documents were kept.",
            head,
            [*_similarities(compared), _row("decisions that are right", compared["decisions"])],
        )


def _copy_tables(planted: Json, compared: Json) -> Iterator[WordTable]:
    """Of a step that removes what is equal: documents, lines, passages."""
    if planted["documents"]:
        yield WordTable(
            "Planted copies",
            f"Parts of documents that this step kept were put into others, {numbers.integer(planted['documents'])} in "
            f"all ({numbers.size(planted['bytes'])}), and the step's own code decided over them. A copy is found when "
            "one of its two places is gone; what was changed is to be left alone.",
            _CASES,
            [*_forms(planted), *_copies(planted)],
        )
    if compared["documents"]:
        yield WordTable(
            "Compared by their text",
            f"{numbers.integer(compared['documents'])} documents of this run ({numbers.size(compared['bytes'])}), "
            "chosen so that equal parts stand together, and what this run removed from them.",
            _CASES,
            list(_copies(compared)),
        )


def _planted_tables(planted: Json) -> Iterator[WordTable]:
    """Of a step that looks at one document at a time."""
    if not planted["documents"]:
        return
    note = (
        f"Put into {numbers.integer(planted['documents'])} documents that this run kept, and looked for by the step's "
        "own code. Found: the document is dropped, or every word of it removed."
    )
    if "index_ngrams" in planted:
        # Matches by chance in 10^12 words: hashes of 64 bits are not compared with the text.
        expected = planted["index_ngrams"] * 10**12 / 2**64
        note += (
            f" Documents are compared with {numbers.integer(planted['index_ngrams'])} n-grams by hashes of 64 bits: in "
            f"10^12 words {numbers.decimal(expected)} matches by chance are to be expected."
        )
    yield WordTable("Planted in kept documents", note, _CASES, list(_forms(planted)))


_CASES = ("", "cases", "right", "share", "95 % interval")


def _forms(planted: Json) -> Iterator[tuple[str, ...]]:
    for row in planted["forms"]:
        yield _row(f"{row['form']}: {'found' if row['expected'] == 'removed' else 'left alone'}", row)


def _copies(part: Json) -> Iterator[tuple[str, ...]]:
    yield _row("copies: gone", part["copies"])
    yield _row("removed: stands elsewhere", part["removed"])
    if part["unjudged"]:
        yield ("removed: other copy not in the sample", numbers.integer(part["unjudged"]), "–", "–", "–")


def _similarities(part: Json) -> Iterator[tuple[str, ...]]:
    for row in part["similarity"]:
        low, high = (numbers.decimal(row[side] / MILLION) for side in ("from", "to"))
        yield _row(f"similarity {low}" if low == high else f"similarity {low} to {high}", row)


def _row(label: str, row: Json) -> tuple[str, ...]:
    if not row["pairs"]:
        return (label, "0", "–", "–", "–")
    bounds = " to ".join(_bound(row[side]) for side in ("low", "high"))
    return (
        label,
        numbers.integer(row["pairs"]),
        numbers.integer(row["found"]),
        numbers.percent(row["found"], row["pairs"]),
        bounds,
    )


def _bound(value: int) -> str:
    return f"{100 * value / MILLION:.1f} %"
