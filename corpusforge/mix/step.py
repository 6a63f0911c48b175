"""The steps `pack` and `mix`: from token sidecars to packed rows in their final order, and document streams."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from corpusforge.apportion import Apportionment
from corpusforge.errors import UsageError
from corpusforge.mix.bodies import MixtureBody, PackBody, RowsBody, ShardBody, row_exchange
from corpusforge.mix.index import IndexBody
from corpusforge.mix.packing import WINDOW
from corpusforge.names import nearest
from corpusforge.step import Step, StepParameters

if TYPE_CHECKING:
    from corpusforge.plan import PlanBuilder

Format = Literal["mds", "parquet", "litdata", "megatron", "datatrove", "llmc", "nanogpt", "olmo"]
"""Shard formats that `mix` writes: packed rows (the first three), and document streams."""


class PackParameters(StepParameters):
    """Parameters of `pack`."""

    sequence_length: int = Field(2048, ge=1, description="predicted tokens per row; a row stores one more")
    mode: Literal["best_fit", "concatenate"] = "best_fit"
    window: int = Field(WINDOW, ge=1, description="pieces sorted together by best_fit")
    epochs: dict[str, Annotated[float, Field(ge=0, le=1000)]] = Field(
        default_factory=dict, description="passes over a source; 1 where not named"
    )


class Pack(Step):
    """Packs each shard's documents to rows, as an index; no token moves."""

    name: ClassVar[str] = "pack"
    summary: ClassVar[str] = "pack documents into rows of fixed length, boundaries kept, none cut that fits"
    limitable: ClassVar[bool] = False
    Parameters = PackParameters

    def compile(self, builder: PlanBuilder) -> None:
        """One packing task per shard: a shard holds one source."""
        parameters = self.parameters
        if builder.tokens is None:
            raise UsageError("the step `pack` needs the step `tokenize` before it")
        epochs = _by_source(builder, self.instance, "epochs", parameters.epochs)
        capacity = parameters.sequence_length + 1
        body = PackBody(builder.tokens, capacity, parameters.mode, parameters.window, epochs)
        builder.packing = builder.add(self.instance, body, len(builder.shards))


class MixParameters(StepParameters):
    """Parameters of `mix`."""

    weights: dict[str, Annotated[float, Field(ge=0, allow_inf_nan=False)]] = Field(
        default_factory=dict,
        description="shares of the sources in tokens, padding left out; may be empty with one source",
    )
    formats: list[Format] = Field(
        default_factory=lambda: list[Format](["mds", "megatron"]),
        description="packed rows: mds, parquet, litdata; document streams: megatron, datatrove, llmc, nanogpt, olmo",
    )
    files: int | None = Field(None, ge=1, description="folders of packed rows; null: one per input shard")
    token_type: Literal["int32", "uint16"] = Field(
        "int32", description="what MDS and LitData rows store (int32: llm-foundry)"
    )


class Mix(Step):
    """Puts packed rows into their final order and writes the shard formats."""

    name: ClassVar[str] = "mix"
    summary: ClassVar[str] = (
        "interleave the sources by weight in a seeded order and write MDS and Megatron shards"
    )
    version: ClassVar[int] = 2
    limitable: ClassVar[bool] = False
    Parameters = MixParameters

    def compile(self, builder: PlanBuilder) -> None:
        """Fold the rows to a mixture, send each row to its file, write files, then their index."""
        if builder.packing is None:
            raise UsageError("the step `mix` needs the step `pack` before it")
        weights = self._weights(builder)
        packing = builder.packing
        files = self.parameters.files or len(builder.shards)
        value = f"{self.instance}.mixture"
        assert isinstance(packing.body, PackBody)
        tokens, capacity = packing.body.step, packing.body.capacity
        token_type = self.parameters.token_type
        mixture = builder.add(value, MixtureBody(packing.id, packing.tasks, weights, tokens, token_type), 1)
        builder.register_value(value, mixture)
        spec = row_exchange(f"{self.instance}.rows")
        rows_body = RowsBody(tokens, packing.id, value, spec, capacity, files, self.parameters.formats)
        rows = builder.add(f"{self.instance}.rows", rows_body, len(builder.shards))
        builder.register_exchange(spec, rows, files)
        written = builder.add(
            f"{self.instance}.shards",
            ShardBody(spec.name, self.parameters.formats, token_type),
            files,
        )
        builder.add(
            f"{self.instance}.index",
            IndexBody(value, tokens, written.id, rows.id, self.parameters.formats, token_type),
            1,
        )

    def _weights(self, builder: PlanBuilder) -> dict[str, Fraction]:
        """Exact weights of the sources that are listed: a run limited to the first shards may lack some."""
        listed = sorted({shard.source for shard in builder.shards})
        weights = _by_source(builder, self.instance, "weights", self.parameters.weights)
        if not weights and len(listed) > 1:
            raise UsageError(f"`{self.instance}` needs weights for the sources {', '.join(listed)}")
        weights = weights or {name: Fraction(1) for name in listed}
        try:
            Apportionment(weights)
            present = {name: weight for name, weight in weights.items() if name in listed}
            Apportionment(present)
        except ValueError as error:
            raise UsageError(f"`{self.instance}` cannot use these weights: {error}") from error
        return present


def _by_source(
    builder: PlanBuilder, step: str, parameter: str, values: Mapping[str, float]
) -> dict[str, Fraction]:
    """Decimal fractions as written, by source. Raises `UsageError` for a source that the recipe has not."""
    for name in values:
        if name not in builder.recipe.sources:
            raise UsageError(
                f"{step}.{parameter}: the recipe has no source {name!r}{nearest(name, builder.recipe.sources)}"
            )
    return {name: Fraction(str(value)) for name, value in values.items()}
