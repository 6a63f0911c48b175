"""Language identification with fastText: a language and how sure the model is of it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
import pyarrow as pa
from pydantic import Field

from corpusforge.errors import MissingExtraError, MissingModelError
from corpusforge.models.normalization import cut
from corpusforge.models.store import find, sha256_of
from corpusforge.step import MICRO, LiveRows, MapStep, Measured, Rule, RunContext, Signal, StepParameters

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


class Language(MapStep):
    """Say which language a document is in, write it to the column `lang`, and drop the others.

    Source: Joulin et al., "Bag of Tricks for Efficient Text Classification" (2016), model lid.176. A document
    without a word has no language and score 0.
    """

    name: ClassVar[str] = "language"
    summary: ClassVar[str] = "fastText language identification; drops by language and score"
    extra: ClassVar[str | None] = "quality"
    Parameters: ClassVar[type[StepParameters]] = LanguageParameters
    signals: ClassVar[Sequence[Signal]] = (
        Signal("score", MICRO, description="probability of the most probable language"),
        Signal("language", 0, pa.string(), description="code of the most probable language"),
    )
    rules: ClassVar[Sequence[Rule]] = (
        Rule("languages", "language", "not_in"),
        Rule("min_score", "score", "below"),
    )

    def check(self) -> None:
        """Raise when fastText or the model is missing."""
        _import_fasttext()
        find(self.parameters.model)

    def fingerprint(self) -> dict[str, str]:
        """SHA-256 of the model."""
        return {"model": sha256_of(find(self.parameters.model))}

    def open(self, context: RunContext) -> None:
        """Load the model, once per process."""
        path = find(self.parameters.model)
        _load(path, sha256_of(path))

    def measure(self, rows: LiveRows) -> Measured:
        """Give every document the most probable label and its probability."""
        path = find(self.parameters.model)
        model = _load(path, sha256_of(path))
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
        return Measured(signals={"score": scores, "language": column}, columns={"lang": column})


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
def _load(path: Path, sha256: str) -> Any:
    """Load a model; the hash is part of the cache's key, so that a replaced file is loaded again."""
    fasttext = _import_fasttext()
    if hasattr(fasttext.FastText, "eprint"):
        # Older bindings warn on standard error at every load about a change of their return type.
        fasttext.FastText.eprint = lambda *_: None
    try:
        return fasttext.load_model(str(path))
    except (ValueError, RuntimeError) as error:
        raise MissingModelError(f"{path} is not a fastText model: {error}") from error
