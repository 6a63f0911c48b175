"""Cut-offs of perplexity: fitted per source and language in a run, kept with the hash of their model, and used again.

Source: CCNet (Wenzek et al., LREC 2020, section 3.3) ends the head and the middle at percentiles of each language. A
percentile of one source says nothing of another (encyclopedias beside web pages), so each source has its own here.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from corpusforge import storage
from corpusforge.document import canonical_json
from corpusforge.errors import UsageError
from corpusforge.model_store import LanguageModelFiles, language_models, sha256_of
from corpusforge.operations import Folder
from corpusforge.redaction import redacted
from corpusforge.step import LiveRows

BIN_WIDTH = 1000
"""Width of the fixed bins that cut-offs are fitted on: millionths of log10, 0.23 % of a perplexity."""

CutoffsBy = Literal["source", "language"]

Pairs = dict[tuple[str | None, str], tuple[int, int]]
"""(source, or None for any; language) to where the head and the middle end, in millionths of log10."""

SCORING = ("normalization", "max_bytes")
"""Parameters of the step, besides its models, that its perplexities depend on."""


class CutoffFolder(Folder):
    """Count log10 perplexities per source and language in fixed bins, and read percentiles off the counts.

    The counts are integers, so any order of merging gives the same cut-offs: the upper edges of the bins in
    which the percentiles fall. `step` is the instance name of the step, `parameters` are the step's.
    """

    def __init__(self, step: str, parameters: Any) -> None:
        self.step = step
        self.signal = f"{step}.log10_perplexity"
        self.parameters = parameters

    def partial(self, rows: LiveRows) -> Mapping[str, int]:
        """Counts by JSON ``[source, language, bin]``; documents without a perplexity are left out."""
        languages = rows.column("lang").to_pylist()
        by_source = self.parameters.cutoffs_by == "source"
        sources = rows.column("source").to_pylist() if by_source else [None] * len(rows)
        counts = Counter(
            (source, language, score // BIN_WIDTH)
            for score, language, source in zip(rows.signal(self.signal).to_pylist(), languages, sources)
            if score is not None and language is not None
        )
        return {canonical_json(list(key)): count for key, count in counts.items()}

    def finish(self, totals: Mapping[str, int]) -> Any:
        """Make the value that is committed and stands in the report.

        ``fitted`` has a row for each source and language, in that order: ``source`` (None where all are taken
        together), ``language``, ``head_below`` and ``middle_below`` (millionths of log10), ``documents``, and
        ``model``: file name to SHA-256. Beside it stand ``step`` and the parameters that perplexities depend on.
        """
        bins: dict[tuple[str | None, str], dict[int, int]] = {}
        for key, count in totals.items():
            source, language, number = json.loads(key)
            bins.setdefault((source, language), {})[number] = count
        models = language_models(self.parameters.models) if bins else {}
        return {
            "step": self.step,
            **{name: getattr(self.parameters, name) for name in SCORING},
            "fitted": [
                {
                    "source": source,
                    "language": language,
                    "head_below": _percentile(counts, self.parameters.head_percentile),
                    "middle_below": _percentile(counts, self.parameters.middle_percentile),
                    "documents": sum(counts.values()),
                    "model": model_hashes(models[language]),
                }
                for (source, language), counts in sorted(bins.items(), key=lambda item: _order(*item[0]))
            ],
        }


def _order(source: str | None, language: str) -> tuple[str, str]:
    return source or "", language


def _percentile(counts: Mapping[int, int], percentile: int) -> int:
    """Upper edge, in millionths, of the first bin up to which at least `percentile` % of documents lie."""
    numbers = sorted(counts)
    reached = np.cumsum([counts[number] for number in numbers], dtype=np.int64)
    index = int(np.searchsorted(reached * 100, percentile * int(reached[-1])))
    return (numbers[index] + 1) * BIN_WIDTH


def model_hashes(files: LanguageModelFiles) -> dict[str, str]:
    """SHA-256 of the files of one language's model, by their names."""
    return {path.name: sha256_of(path) for path in (files.pieces, files.ngrams)}


def pairs_of(fitted: Iterable[Mapping[str, Any]]) -> Pairs:
    """Rows of ``fitted`` by source and language."""
    return {(row["source"], row["language"]): (row["head_below"], row["middle_below"]) for row in fitted}


def fitted_before(run: str, step: str, parameters: Any, models: Mapping[str, LanguageModelFiles]) -> Any:
    """Rows of ``fitted`` in the report of a finished run (a folder or a URL), for languages among `models`.

    Raises `UsageError` when it has none of a step of that name, and when they were fitted with another model or
    other parameters: perplexities of different models are not comparable.
    """
    where = f"cutoffs_from: {redacted(run)}"
    try:
        report = json.loads(storage.read_bytes(storage.join(run, "report.json")))
        values = report.get("cutoffs", {})
        if step not in values:
            raise UsageError(
                f"{where} has no cut-offs that a step {step!r} fitted (steps with some: {', '.join(values) or 'none'})"
            )
        found = values[step]
        for name in SCORING:
            if found[name] != getattr(parameters, name):
                raise UsageError(
                    f"{where} fitted its cut-offs with {name} {found[name]!r}, this step has "
                    f"{getattr(parameters, name)!r}"
                )
        rows: Sequence[Any] = [row for row in found["fitted"] if row["language"] in models]
        for row in rows:
            _compare(where, row, model_hashes(models[row["language"]]))
        pairs_of(rows)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(
            f"{where} has no report with fitted cut-offs ({type(error).__name__}: {error})"
        ) from error
    return rows


def _compare(where: str, row: Mapping[str, Any], here: Mapping[str, str]) -> None:
    if not all(type(row[name]) is int for name in ("head_below", "middle_below")):
        raise ValueError("a cut-off is no integer")
    for name in sorted({*here, *row["model"]}):
        ours, theirs = here.get(name, "absent"), row["model"].get(name, "absent")
        if ours != theirs:
            raise UsageError(
                f"{where} fitted its cut-offs for {row['language']!r} with another model: {name} was "
                f"{theirs[:12]}, here it is {ours[:12]}; fit them again, or use that model"
            )


def digest(rows: Any) -> str:
    """SHA-256 of rows of ``fitted``."""
    return hashlib.sha256(canonical_json(rows).encode()).hexdigest()
