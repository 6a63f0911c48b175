"""The report's part on cut-offs that steps fitted, as tables of words, the same on the page and in the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from corpusforge.report import numbers
from corpusforge.report.dedup_tables import WordTable
from corpusforge.step import MICRO

_HASH_SHOWN = 8


def cutoff_tables(report: Mapping[str, Any]) -> Iterator[WordTable]:
    """Perplexities at which the head and the middle of each source and language end, a table for each step."""
    for step, value in report.get("cutoffs", {}).items():
        yield WordTable(
            f"Cut-offs fitted by {step}",
            "Perplexities at which head and middle end; first digits of the SHA-256 of n-grams and pieces.",
            ("Source", "Language", "Documents", "Head", "Middle", "Model"),
            [_row(row) for row in value["fitted"]],
        )


def _row(row: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        "all sources" if row["source"] is None else row["source"],
        row["language"],
        numbers.integer(row["documents"]),
        *(numbers.decimal(10 ** (row[name] / MICRO)) for name in ("head_below", "middle_below")),
        " ".join(sha256[:_HASH_SHOWN] for _, sha256 in sorted(row["model"].items())),
    )
