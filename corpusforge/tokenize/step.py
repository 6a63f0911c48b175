"""The tokenize step: a tokenizer for the kept text, trained on a sample of it or loaded, and every token."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar

import pyarrow as pa
import pyarrow.compute as pc

from corpusforge.step import LiveRows, MapStep, Measured, RunContext, Signal, Step
from corpusforge.tokenize.encoder import token_array
from corpusforge.tokenize.loading import kept_file, load_tokenizer
from corpusforge.tokenize.sample import TokenizerSample
from corpusforge.tokenize.sentencepiece_bpe import TokenizerParameters, TrainTokenizer

if TYPE_CHECKING:
    from corpusforge.plan import PlanBuilder
    from corpusforge.tokenize.tiktoken_file import Scheme
    from corpusforge.tokenize.tokenizer import Tokenizer


class Tokenize(Step):
    """Chooses training documents by a fold, trains (or loads) one model, encodes all kept documents."""

    name: ClassVar[str] = "tokenize"
    summary: ClassVar[str] = (
        "train a SentencePiece BPE on the kept text, or load one, and encode all documents"
    )
    limitable: ClassVar[bool] = False
    Parameters = TokenizerParameters

    def fingerprint(self) -> dict[str, str]:
        """Hash of the model file when one is loaded."""
        if self.parameters.model is None:
            return {}
        from corpusforge.model_store import find, sha256_of

        return {"model": sha256_of(find(self.parameters.model))}

    def compile(self, builder: PlanBuilder) -> None:
        """Fold the sample's cut-offs, train on one task, encode in a map."""
        training = f"{self.instance}.training"
        if self.parameters.model is None:
            sample = f"{self.instance}.sample"
            builder.fold(sample, TokenizerSample(builder.recipe.options.seed, self.parameters.sample_bytes))
            builder.single(training, TrainTokenizer(self.parameters, sample))
        else:
            builder.single(training, TrainTokenizer(self.parameters, None))
        builder.map(Encode(self.parameters, self.instance))
        builder.tokens = self.instance


@lru_cache(maxsize=1)
def _loaded(data: bytes, scheme: Scheme | None, end_token: str | None) -> Tokenizer:
    """The tokenizer, which a worker keeps from task to task with the chunks it knows: one, however many tasks."""
    return load_tokenizer(data, scheme, end_token)


class Encode(MapStep):
    """Encodes documents; the ids are a signal like any other, one list per document, end token included."""

    name: ClassVar[str] = "tokenize"
    signals: ClassVar[Sequence[Signal]] = (
        Signal("tokens", description="tokens without the end token"),
        Signal("ids", scale=0, type=pa.large_list(pa.uint32()), description="token ids with the end token"),
    )
    Parameters = TokenizerParameters

    def open(self, context: RunContext) -> None:
        """Load the model that the training task committed; there is none where no document was kept."""
        path = kept_file(context, f"{self.instance}.training")
        parameters = self.parameters
        self._encoder = (
            _loaded(path.read_bytes(), parameters.scheme, parameters.end_token) if path is not None else None
        )

    def measure(self, rows: LiveRows) -> Measured:
        """Encode the latest view."""
        if self._encoder is None:
            return Measured()
        ids, offsets = self._encoder.encode(rows.texts)
        array = token_array(ids, offsets).cast(pa.large_list(pa.uint32()))
        counts = pc.subtract(pc.list_value_length(array), 1)
        return Measured(signals={"tokens": counts, "ids": array})
