"""Perplexity under a language model of reference text, and CCNet's buckets: head, middle, tail.

Source: CCNet (Wenzek et al., LREC 2020, section 3.3, and ``cc_net/perplexity.py``): SentencePiece pieces, a
5-gram model, perplexity = 10^(-log10 P / (tokens + 1)), cut-offs at percentiles 30 and 60 per language, here of
each source.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field, model_validator

from corpusforge.errors import MissingExtraError, MissingModelError, UsageError
from corpusforge.filters.cutoffs import (
    CutoffFolder,
    CutoffsBy,
    Pairs,
    digest,
    fitted_before,
    model_hashes,
    pairs_of,
)
from corpusforge.model_store import LanguageModelFiles, language_models, sha256_of
from corpusforge.models.ngram_model import NgramModel, PieceIds
from corpusforge.models.normalization import Normalization, cut, cut_ends, line_spans, sentences
from corpusforge.models.train_lm import as_words
from corpusforge.step import (
    MICRO,
    LiveRows,
    MapStep,
    Measured,
    Rule,
    RunContext,
    Signal,
    Step,
    StepParameters,
)
from corpusforge.texts import Texts

if TYPE_CHECKING:
    from corpusforge.plan import PlanBuilder

Int64 = npt.NDArray[np.int64]

Bucket = Literal["head", "middle", "tail", "all"]

_KEPT: tuple[Bucket, ...] = ("head", "middle", "all")

Cutoff = Annotated[list[float], Field(min_length=2, max_length=2)]


class PerplexityParameters(StepParameters):
    """Parameters of `Perplexity`."""

    models: str = "store"
    """Folder of ``<language>.sp.model`` and ``<language>.arpa``, or "store" for the model store."""
    rules: str = "perplexity@fit"
    """The section of ``filters/perplexity.yaml`` that gives the thresholds not set here."""
    languages: list[str] | None = None
    """Languages to measure; None measures every language that has a model."""
    normalization: Normalization = "ccnet"
    """`ccnet` makes a document one sentence; `lines` each line that holds something; `none` clears controls."""
    cutoffs: Literal["fit"] | dict[str, Cutoff] = "fit"
    """Percentiles of this run's documents ("fit"), or language: [head ends, middle ends] as perplexities."""
    cutoffs_by: CutoffsBy = "source"
    """What is fitted on: the documents of a language in each `source`, or of a `language` in all sources together."""
    cutoffs_from: str | None = None
    """A finished run (folder or URL) whose fitted cut-offs are used in place of fitting; its models must be these."""
    head_percentile: Annotated[int, Field(ge=1, le=99)] = 30
    middle_percentile: Annotated[int, Field(ge=1, le=99)] = 60
    keep: list[Bucket] = Field(default_factory=lambda: list(_KEPT))
    """Buckets that are kept; `all` is that of documents whose language has no model, or no cut-offs in their source."""
    max_bytes: Annotated[int, Field(ge=1)] = 262_144
    """Bytes of a document, from its start, that are scored."""
    backend: Literal["kernel", "kenlm"] = "kernel"
    """Own kernels for ARPA files, or KenLM, which scores the same within 0.0001; its binary files need KenLM."""

    @model_validator(mode="after")
    def _ordered(self) -> PerplexityParameters:
        if self.head_percentile > self.middle_percentile:
            raise ValueError("head_percentile is above middle_percentile")
        for language, (head, middle) in self.cutoffs.items() if isinstance(self.cutoffs, dict) else ():
            if not 0 < head <= middle < math.inf:
                raise ValueError(f"cut-offs of {language!r} are not two rising perplexities above 0")
        if self.cutoffs_from is not None and self.cutoffs != "fit":
            raise ValueError("cutoffs_from names cut-offs that were fitted, and cutoffs gives others")
        return self


class Perplexity(Step):
    """Measure perplexity, fit the cut-offs if none are given, and put documents into buckets."""

    name: ClassVar[str] = "perplexity"
    summary: ClassVar[str] = "perplexity under a reference language model; CCNet's head, middle and tail"
    version: ClassVar[int] = 2
    Parameters: ClassVar[type[StepParameters]] = PerplexityParameters

    def check(self) -> None:
        """Raise when the folder of models, a language's model asked for, or KenLM where it is needed is missing.

        And when `cutoffs_from` names no run with cut-offs of this step and these models.
        """
        _check(self.parameters)
        if self.parameters.cutoffs_from is not None:
            _earlier_cutoffs(self.parameters, self.instance)

    def fingerprint(self) -> dict[str, str]:
        """SHA-256 of every model file that can be used, and of cut-offs of an earlier run."""
        hashes = _fingerprint(self.parameters)
        if self.parameters.cutoffs_from is not None:
            hashes["cutoffs"] = digest(_earlier_cutoffs(self.parameters, self.instance))
        return hashes

    def compile(self, builder: PlanBuilder) -> None:
        """Join the stage that is open with the measure; fitted cut-offs need all of it before the buckets."""
        builder.map(PerplexityMeasure(self.parameters, self.instance))
        if self.parameters.cutoffs == "fit" and self.parameters.cutoffs_from is None:
            builder.fold(f"{self.instance}.cutoffs", CutoffFolder(self.instance, self.parameters))
        builder.map(PerplexityBucket(self.parameters, f"{self.instance}_bucket", self.instance))


class PerplexityMeasure(MapStep):
    """log10 of the perplexity of each document under the model of its language; null where there is none."""

    name: ClassVar[str] = "perplexity"
    version: ClassVar[int] = 2
    Parameters: ClassVar[type[StepParameters]] = PerplexityParameters
    signals: ClassVar[Sequence[Signal]] = (
        Signal("log10_perplexity", MICRO, description="log10 of perplexity per token and sentence end"),
        Signal("tokens", 1, description="SentencePiece pieces that were scored"),
    )
    deciding: ClassVar[Sequence[str]] = (
        "keep",
        "cutoffs",
        "cutoffs_by",
        "cutoffs_from",
        "head_percentile",
        "middle_percentile",
    )

    def check(self) -> None:
        """Raise as `Perplexity.check`."""
        _check(self.parameters)

    def fingerprint(self) -> dict[str, str]:
        """SHA-256 of every model file that can be used."""
        return _fingerprint(self.parameters)

    def open(self, context: RunContext) -> None:
        """Find the models. Each is loaded when the first document of its language comes."""
        _check(self.parameters)
        self._files = _chosen(self.parameters)

    def measure(self, rows: LiveRows) -> Measured:
        """Score every document as one sentence, or as the sum of its lines."""
        scores = np.zeros(len(rows), np.int64)
        tokens = np.zeros(len(rows), np.int64)
        unknown = np.ones(len(rows), np.bool_)
        languages = np.array(rows.column("lang").to_pylist(), object)
        for language, files in self._files.items():
            chosen = np.flatnonzero(languages == language)
            if not len(chosen):
                continue
            score = _score_with_kenlm if _needs_kenlm(self.parameters, files) else _score
            log10, pieces, ends = score(files, self.parameters, rows.texts, chosen)
            scores[chosen] = np.maximum(np.rint(-log10 / (pieces + ends) * MICRO), 0).astype(np.int64)
            tokens[chosen] = pieces
            unknown[chosen] = False
        return Measured(
            signals={
                "log10_perplexity": pa.array(scores, mask=unknown),
                "tokens": pa.array(tokens, mask=unknown),
            }
        )


def _score(
    files: LanguageModelFiles, parameters: Any, texts: Texts, chosen: Int64
) -> tuple[npt.NDArray[np.float64], Int64, Int64]:
    """log10 probability float64[m], number of pieces int64[m] and of sentences int64[m] of the chosen texts."""
    pieces, ngrams = _load_arrays(files, parameters.normalization)
    ends = cut_ends(texts.data, texts.offsets, parameters.max_bytes)
    starts, ends = texts.offsets[:-1][chosen], ends[chosen]
    if parameters.normalization != "lines":
        ids, offsets, totals = pieces.encode(texts.data, starts, ends)
        return ngrams.score(ids, offsets), totals, np.ones(len(chosen), np.int64)
    text_of_line, starts, ends = line_spans(texts.data, starts, ends)
    ids, offsets, found = pieces.encode(texts.data, starts, ends)
    counted = _counted(text_of_line, found, len(chosen))
    text_of_line = text_of_line[counted]
    log10 = np.zeros(len(chosen), np.float64)
    np.add.at(log10, text_of_line, ngrams.score(ids, offsets)[counted])
    totals = np.zeros(len(chosen), np.int64)
    np.add.at(totals, text_of_line, found[counted])
    return log10, totals, np.bincount(text_of_line, minlength=len(chosen)).astype(np.int64)


def _counted(text_of_line: Int64, pieces: Int64, texts: int) -> npt.NDArray[np.bool_]:
    """Which lines are sentences: those with a piece, and the first one of a text that has none, bool[lines]."""
    holds = pieces > 0
    empty = np.bincount(text_of_line[holds], minlength=texts) == 0
    is_first = np.diff(text_of_line, prepend=-1) > 0
    return np.asarray(holds | (is_first & empty[text_of_line]), np.bool_)


def _score_with_kenlm(
    files: LanguageModelFiles, parameters: Any, texts: Texts, chosen: Int64
) -> tuple[npt.NDArray[np.float64], Int64, Int64]:
    """The same by SentencePiece and KenLM, text by text."""
    pieces, ngrams = _load_files(files)
    log10 = np.zeros(len(chosen), np.float64)
    totals, ends = np.zeros((2, len(chosen)), np.int64)
    for place, row in enumerate(chosen.tolist()):
        text = cut(texts.bytes_of(row), parameters.max_bytes).decode("utf-8", "replace")
        lines = [pieces.encode(part, out_type=str) for part in sentences(text, parameters.normalization)]
        for words in [words for words in lines if words] or [[]]:
            log10[place] += ngrams.score(as_words(words))
            totals[place] += len(words)
            ends[place] += 1
    return log10, totals, ends


class PerplexityBucket(MapStep):
    """The bucket of each document, from the signal of the measure and the cut-offs of its source and language."""

    name: ClassVar[str] = "perplexity_bucket"
    reads: ClassVar[str] = "none"
    Parameters: ClassVar[type[StepParameters]] = PerplexityParameters
    signals: ClassVar[Sequence[Signal]] = (
        Signal("bucket", 0, pa.string(), description="head, middle, tail, or all: no model or no cut-offs"),
    )
    rules: ClassVar[Sequence[Rule]] = (Rule("keep", "bucket", "not_in"),)

    def __init__(
        self,
        parameters: StepParameters | None = None,
        instance: str | None = None,
        measure: str = PerplexityMeasure.name,
    ) -> None:
        super().__init__(parameters, instance)
        self.measure_instance = measure
        self._cutoffs: Pairs = {}

    def open(self, context: RunContext) -> None:
        """Take the cut-offs from the parameters, or the fitted ones from this run or an earlier one."""
        given = self.parameters.cutoffs
        if given != "fit":
            self._cutoffs = {
                (None, name): (_fixed_log10(head), _fixed_log10(middle))
                for name, (head, middle) in given.items()
            }
        elif self.parameters.cutoffs_from is not None:
            self._cutoffs = pairs_of(_earlier_cutoffs(self.parameters, self.measure_instance))
        else:
            self._cutoffs = pairs_of(context.values[f"{self.measure_instance}.cutoffs"]["fitted"])

    def measure(self, rows: LiveRows) -> Measured:
        """Compare the fixed-point signal with the fixed-point cut-offs."""
        scores = rows.signal(f"{self.measure_instance}.log10_perplexity").to_pylist()
        languages = rows.column("lang").to_pylist()
        sources = rows.column("source").to_pylist()
        buckets = [self._bucket(*document) for document in zip(scores, sources, languages)]
        return Measured(signals={"bucket": pa.array(buckets, pa.string())})

    def _bucket(self, score: int | None, source: str, language: str | None) -> str:
        if score is None or language is None:
            return "all"
        found = self._cutoffs.get((source, language)) or self._cutoffs.get((None, language))
        if found is None:
            return "all"
        head, middle = found
        return "head" if score < head else "middle" if score < middle else "tail"


def _fixed_log10(perplexity: float) -> int:
    return round(math.log10(perplexity) * MICRO)


def _chosen(parameters: Any) -> dict[str, LanguageModelFiles]:
    """Models of the languages asked for. Raises `MissingModelError` when one has none."""
    found = language_models(parameters.models)
    wanted = sorted(set(parameters.languages)) if parameters.languages is not None else list(found)
    for language in wanted:
        if language not in found:
            raise MissingModelError(
                f"there is no perplexity model for {language!r} in {parameters.models!r}; train one with: "
                f"corpusforge models train-lm --text FILE --language {language} "
                + ("--install" if parameters.models == "store" else f"--output {parameters.models}")
            )
    return {language: found[language] for language in wanted}


def _fingerprint(parameters: Any) -> dict[str, str]:
    hashes: dict[str, str] = {}
    for files in _chosen(parameters).values():
        hashes.update(model_hashes(files))
    return hashes


def _earlier_cutoffs(parameters: Any, instance: str) -> Any:
    return fitted_before(parameters.cutoffs_from, instance, parameters, _chosen(parameters))


def _needs_kenlm(parameters: Any, files: LanguageModelFiles) -> bool:
    return parameters.backend == "kenlm" or files.ngrams.suffix != ".arpa"


def _check(parameters: Any) -> None:
    if any(_needs_kenlm(parameters, files) for files in _chosen(parameters).values()):
        _import_kenlm()


def _import_kenlm() -> Any:
    try:
        import kenlm
    except ImportError as error:
        raise MissingExtraError(Perplexity.name, "quality") from error
    return kenlm


def _load_arrays(files: LanguageModelFiles, normalization: Normalization) -> tuple[PieceIds, NgramModel]:
    """Give (encoder, n-gram model) of a language."""
    return _load_own(
        files.pieces, files.ngrams, sha256_of(files.pieces), sha256_of(files.ngrams), normalization
    )


@lru_cache(maxsize=16)
def _load_own(
    pieces: Path, ngrams: Path, pieces_sha256: str, ngrams_sha256: str, normalization: Normalization
) -> tuple[PieceIds, NgramModel]:
    """Load one language's models; the hashes are part of the key, so that replaced files are loaded again."""
    try:
        model = NgramModel(ngrams)
        return PieceIds(pieces.read_bytes(), model, normalization), model
    except (OSError, RuntimeError, ValueError, UsageError) as error:
        raise MissingModelError(f"the perplexity model {ngrams} cannot be loaded: {error}") from error


def _load_files(files: LanguageModelFiles) -> tuple[Any, Any]:
    """Give (SentencePiece processor, KenLM model) of a language."""
    return _load(files.pieces, files.ngrams, sha256_of(files.pieces), sha256_of(files.ngrams))


@lru_cache(maxsize=16)
def _load(pieces: Path, ngrams: Path, pieces_sha256: str, ngrams_sha256: str) -> tuple[Any, Any]:
    """Load one language's models; the hashes are part of the key, so that replaced files are loaded again."""
    import sentencepiece

    kenlm = _import_kenlm()
    config = kenlm.Config()
    config.show_progress = False
    config.arpa_complain = kenlm.ARPALoadComplain.NONE
    try:
        processor = sentencepiece.SentencePieceProcessor(model_proto=pieces.read_bytes())
        return processor, kenlm.Model(str(ngrams), config)
    except (OSError, RuntimeError) as error:
        raise MissingModelError(f"the perplexity model {ngrams} cannot be loaded: {error}") from error
