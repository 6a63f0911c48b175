"""Language identification with a fastText model: a language, how sure the model is of it, and other languages in it.

The model file is read and applied here (`corpusforge.models.fasttext_model`); fastText's own binding remains as
a reference and a fallback.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field

from corpusforge.errors import MissingExtraError, MissingModelError
from corpusforge.kernels.word_table import are_blank
from corpusforge.model_store import find, sha256_of
from corpusforge.models.fasttext_model import FastTextModel
from corpusforge.models.normalization import cut, cut_ends
from corpusforge.step import (
    MICRO,
    RATIO,
    LiveRows,
    MapStep,
    Measured,
    Rule,
    RunContext,
    Signal,
    StepParameters,
    fixed_ratio,
)

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]

_LABEL = "__label__"


class LanguageParameters(StepParameters):
    """Parameters of `Language`."""

    model: str = "lid.176"
    """A model of the store, or the path of a supervised fastText model whose labels are language codes."""
    rules: str = "language@fineweb"
    """The section of ``filters/language.yaml`` that gives the thresholds not set here."""
    languages: list[str] | None = None
    """Drop documents in other languages; None keeps all."""
    min_score: Annotated[float, Field(ge=0, le=1)] | None = 0.65
    """Drop documents of which the model is less sure."""
    max_bytes: Annotated[int, Field(ge=1)] = 65_536
    """Bytes of a document, from its start, that the model is shown."""
    line_bytes: Annotated[int, Field(ge=1)] | None = 200
    """Shortest line whose own language is looked at for `mixed`; None leaves `mixed` out."""
    backend: Literal["kernel", "binding"] = "kernel"
    """Own kernels, or fastText's binding: the same labels, scores within 0.001; the binding gives no `mixed`."""


class Language(MapStep):
    """Say which language a document is in, write it to the column `lang`, and drop the others.

    Source: Joulin et al., "Bag of Tricks for Efficient Text Classification" (2016), model lid.176. A document
    without a word has no language and score 0. Any supervised fastText model whose labels are languages will do
    (OpenLID, GlotLID).
    """

    name: ClassVar[str] = "language"
    summary: ClassVar[str] = "fastText language identification; drops by language and score"
    version: ClassVar[int] = 3
    Parameters: ClassVar[type[StepParameters]] = LanguageParameters
    signals: ClassVar[Sequence[Signal]] = (
        Signal("score", MICRO, description="probability of the most probable language"),
        Signal("language", 0, pa.string(), description="code of the most probable language"),
        Signal(
            "mixed", RATIO, description="bytes of its long lines that are in other languages / of all those"
        ),
    )
    columns: ClassVar[Sequence[str]] = ("lang",)
    rules: ClassVar[Sequence[Rule]] = (
        Rule("languages", "language", "not_in"),
        Rule("min_score", "score", "below"),
    )

    def check(self) -> None:
        """Raise when the model, or the binding asked for, is missing."""
        if self.parameters.backend == "binding":
            _import_fasttext()
        find(self.parameters.model)

    def fingerprint(self) -> dict[str, str]:
        """SHA-256 of the model."""
        return {"model": sha256_of(find(self.parameters.model))}

    def open(self, context: RunContext) -> None:
        """Load the model, once per process."""
        self._model()

    def measure(self, rows: LiveRows) -> Measured:
        """Give every document the most probable label and its probability."""
        if self.parameters.backend == "binding":
            return self._measure_with_binding(rows)
        model = self._model()
        data, offsets = rows.texts.data, rows.texts.offsets
        ends = cut_ends(data, offsets, self.parameters.max_bytes)
        mixed = pa.nulls(len(rows), pa.int64())
        if self.parameters.line_bytes is None:
            labels, probabilities = model.predict(data, offsets[:-1], ends)
        else:
            lines = rows.texts.lines
            # Lines behind the part of a text that is shown become empty.
            line_ends = np.minimum(lines.ends, np.repeat(ends, np.diff(lines.document_offsets)))
            line_starts = np.minimum(lines.starts, line_ends)
            labels, probabilities, line_labels = model.predict_lines(
                data, lines.document_offsets, line_starts, line_ends, self.parameters.line_bytes
            )
            mixed = _mixed(lines.document_offsets, line_ends - line_starts, line_labels, labels)
        labels = np.where(are_blank(data, offsets[:-1], ends), -1, labels)
        scores = np.clip(np.rint(probabilities.astype(np.float64) * MICRO), 0, MICRO).astype(np.int64)
        names = pa.array(model.labels, pa.string())
        languages = names.take(pa.array(labels, mask=labels < 0))
        return Measured(
            signals={"score": np.where(labels < 0, 0, scores), "language": languages, "mixed": mixed},
            columns={"lang": languages},
        )

    def _model(self) -> Any:
        path = find(self.parameters.model)
        load = _load_binding if self.parameters.backend == "binding" else _load
        return load(path, sha256_of(path))

    def _measure_with_binding(self, rows: LiveRows) -> Measured:
        model = self._model()
        scores = np.zeros(len(rows), np.int64)
        languages: list[str | None] = [None] * len(rows)
        for row in range(len(rows)):
            line = _line(rows, row, self.parameters.max_bytes)
            if line.isspace():
                continue
            found = model.f.predict(line, 1, 0.0, "strict")
            if found:
                probability, label = found[0]
                languages[row] = label.removeprefix(_LABEL)
                scores[row] = _fixed(probability)
        column = pa.array(languages, pa.string())
        mixed = pa.nulls(len(rows), pa.int64())
        return Measured(
            signals={"score": scores, "language": column, "mixed": mixed}, columns={"lang": column}
        )


def _mixed(offsets: Int64, sizes: Int64, line_labels: Int32, labels: Int32) -> pa.Array:
    """Bytes of the lines that have another label than their text / of those that have one; null without such lines."""
    counted = np.where(line_labels >= 0, sizes, 0)
    differing = np.where(line_labels != np.repeat(labels, np.diff(offsets)), counted, 0)
    totals, others = (
        np.diff(np.concatenate([[0], np.cumsum(values)])[offsets]) for values in (counted, differing)
    )
    return pa.array(fixed_ratio(others, totals), mask=totals == 0)


def _line(rows: LiveRows, row: int, maximum: int) -> str:
    """Make the start of a text one line that ends with a line feed, as fastText reads it."""
    start = int(rows.texts.offsets[row])
    # One byte more than the maximum lets `cut` see whether a character goes on.
    end = min(int(rows.texts.offsets[row + 1]), start + maximum + 1)
    text = cut(rows.texts.data[start:end].tobytes(), maximum)
    return text.replace(b"\n", b" ").decode("utf-8", "replace") + "\n"


def _fixed(probability: float) -> int:
    """Convert to millionths; fastText's softmax can exceed 1 by a rounding error."""
    return min(max(round(probability * MICRO), 0), MICRO)


def _import_fasttext() -> Any:
    try:
        import fasttext
    except ImportError as error:
        raise MissingExtraError(Language.name, "quality") from error
    return fasttext


@lru_cache(maxsize=4)
def _load(path: Path, sha256: str) -> FastTextModel:
    """Load a model; the hash is part of the cache's key, so that a replaced file is loaded again."""
    try:
        return FastTextModel(path)
    except ValueError as error:
        raise MissingModelError(f"{path} is not a fastText model that this step can use: {error}") from error


@lru_cache(maxsize=4)
def _load_binding(path: Path, sha256: str) -> Any:
    """Load a model with fastText itself."""
    fasttext = _import_fasttext()
    if hasattr(fasttext.FastText, "eprint"):
        # Older bindings warn on standard error at every load about a change of their return type.
        fasttext.FastText.eprint = lambda *_: None
    try:
        return fasttext.load_model(str(path))
    except (ValueError, RuntimeError) as error:
        raise MissingModelError(f"{path} is not a fastText model: {error}") from error
