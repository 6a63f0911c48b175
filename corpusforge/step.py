"""The step contract: what a step declares, what it is given, what it returns.

A step that looks at documents one by one derives from `MapStep`: it declares parameters, signals and rules,
and measures a batch. Scores are not verdicts: `measure` only returns numbers (and edits); the rules compare
them with the thresholds of the recipe, here and nowhere else.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_FLOOR, Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import BaseModel, ConfigDict

from corpusforge.edits import Edits
from corpusforge.heartbeat import Heartbeat
from corpusforge.texts import Texts

if TYPE_CHECKING:
    from corpusforge.plan import PlanBuilder

RATIO = 1_000_000_000
"""Scale of ratio signals: 1.0 is stored as this integer (floor of the exact quotient)."""

MICRO = 1_000_000
"""Scale of logarithms and scores."""


class StepParameters(BaseModel):
    """Base of every step's parameters: strict types, unknown keys are errors, values never change."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


@dataclass(frozen=True)
class Signal:
    """A measurement per document. `scale` > 0: stored as int64, `value * scale`; 0: stored as `type`."""

    name: str
    scale: int = 1
    type: pa.DataType = field(default_factory=pa.int64)
    description: str = ""


Comparison = Literal["below", "at_most", "above", "at_least", "not_in", "is_in", "is_true"]


@dataclass(frozen=True)
class Rule:
    """Drop a document when `signal` compares so with the parameter called `name`.

    The rule's name is the parameter that holds its threshold and the second half of the verdict
    (``step.name``). A threshold of None switches the rule off; a null signal (not measured) never drops.
    Comparison is in the signal's fixed-point integers: the threshold is multiplied by the signal's scale.
    """

    name: str
    signal: str
    comparison: Comparison


@dataclass
class Measured:
    """What `MapStep.measure` returns for the n live rows it was given.

    `signals`: name to an int64 array [n] or an Arrow array [n] (nulls mean not measured).
    `columns`: typed document columns that this step decides (`lang`; extraction sets `text`), Arrow arrays [n].
    `edits`: spans to replace, rows numbered 0..n-1, in the coordinates of the view the step read.
    `failures`: row to error (``kind: detail``); these documents are quarantined and counted by kind.
    `twins`: for deduplication, a binary(16) array [n]: the id of the survivor, null where there is none.
    """

    signals: Mapping[str, npt.NDArray[np.int64] | pa.Array] = field(default_factory=dict)
    columns: Mapping[str, pa.Array] = field(default_factory=dict)
    edits: Edits | None = None
    failures: Mapping[int, str] = field(default_factory=dict)
    twins: pa.Array | None = None


class LiveRows:
    """The rows of a batch that are still kept, as a step sees them.

    `texts` holds the view that the step reads. `addresses` int64[n] tells where the rows stand in the run
    (see `corpusforge.operations`). `column` gives a document column, or before extraction `payload`
    (large_binary), `content_type` and `charset` (string); `signal` what an earlier step measured (as
    ``step.signal``), all as Arrow arrays of length n. `joined` gives the rows that an exchange addressed to
    these documents, with a column `row` int64: the position among the live rows. `generation` numbers the dump
    that they belong to.
    """

    def __init__(
        self,
        texts: Texts,
        columns: Mapping[str, pa.Array],
        signals: Mapping[str, pa.Array] | None = None,
        addresses: npt.NDArray[np.int64] | None = None,
        joined: Mapping[str, pa.RecordBatch] | None = None,
        generation: int = 0,
    ) -> None:
        self.texts = texts
        self.generation = generation
        self.addresses = addresses if addresses is not None else np.arange(len(texts), dtype=np.int64)
        self._columns = columns
        self._signals = signals or {}
        self._joined = joined or {}

    def __len__(self) -> int:
        return len(self.texts)

    def column(self, name: str) -> pa.Array:
        """Give a document column by name. Raises `KeyError` for an unknown one."""
        return self._columns[name]

    def signal(self, name: str) -> pa.Array:
        """Give a signal of an earlier step by ``step.signal``. Raises `KeyError` for an unknown one."""
        return self._signals[name]

    def joined(self, exchange: str) -> pa.RecordBatch:
        """Give the rows that the exchange of that name addressed to these documents, sorted by its order."""
        return self._joined[exchange]


@dataclass(frozen=True)
class RunContext:
    """What a step may know about its run when it opens: never engines, never worker counts."""

    seed: int = 0
    values: Mapping[str, Any] = field(default_factory=dict)
    """Committed values of folds and single tasks, by the name the step gave them."""
    files: Mapping[str, Path] = field(default_factory=dict)
    """Committed files of single tasks (a trained tokenizer), by ``name/file``."""
    heartbeat: Heartbeat = field(default_factory=Heartbeat)
    """Call `heartbeat.begin(locator)` before work that could hang on one document, and `done()` after it."""


class Step(ABC):
    """A named, parametrized part of a recipe. Subclasses say how they enter a plan in `compile`."""

    name: ClassVar[str]
    """Name in recipes and verdicts: lower case with underscores."""
    summary: ClassVar[str] = ""
    """One line for `corpusforge list`."""
    extra: ClassVar[str | None] = None
    """The optional dependency group that the step needs, if any."""
    version: ClassVar[int] = 1
    """Raised whenever the step's results change for equal parameters; part of every stage hash."""
    limitable: ClassVar[bool] = True
    """False for steps whose result later steps need of every document: no recipe can limit them to sources."""
    only: tuple[str, ...] = ()
    """The sources that the recipe limits the step to (`only:`); empty for all. Other documents pass untouched."""
    Parameters: ClassVar[type[StepParameters]] = StepParameters

    def __init__(self, parameters: StepParameters | None = None, instance: str | None = None) -> None:
        self.parameters: Any = parameters if parameters is not None else self.Parameters()
        self.instance = instance or self.name
        """Unique in a recipe; differs from `name` when a step stands twice."""

    def fingerprint(self) -> dict[str, str]:
        """Hashes of all that the result depends on besides parameters and version: models, lists, folders."""
        return {}

    def check(self) -> None:  # noqa: B027
        """Raise `corpusforge.errors.UsageError` when something the step needs is missing, before any work."""

    def compile(self, builder: PlanBuilder) -> None:
        """Add this step's operations to the plan."""
        raise TypeError(f"step {self.name!r} declares no way into a plan")


class MapStep(Step):
    """A step over single documents: measures, edits, and drops by rules."""

    signals: ClassVar[Sequence[Signal]] = ()
    rules: ClassVar[Sequence[Rule]] = ()
    reads: ClassVar[str] = "latest"
    """The view measured: `extract`, the instance name of an editing step, `latest`, or `none` (no text at all)."""
    edits: ClassVar[bool] = False
    """True when the step returns edits; it must then read `latest`."""
    columns: ClassVar[Sequence[str]] = ()
    """The document columns that `measure` returns each time, besides the `text` of extraction."""
    deciding: ClassVar[Sequence[str]] = ()
    """Parameters besides the rules' thresholds that `measure` does not look at."""
    replayed: ClassVar[Sequence[str]] = ()
    """Parameters besides the rules' thresholds at which `corpusforge tune` can replay the step."""
    materializes: ClassVar[bool] = False
    """True for extraction: the stage ends behind the step, and its texts are stored."""

    def open(self, context: RunContext) -> None:
        """Load models, once per process and stage. Must be cheap to repeat."""

    @abstractmethod
    def measure(self, rows: LiveRows) -> Measured:
        """Measure the live rows: a pure function of them, the opened models and the parameters in `measuring`."""

    def measuring(self) -> dict[str, Any]:
        """The parameters that measurements depend on, as plain values: with equal ones they need not be made again."""
        others = {rule.name for rule in self.rules} | set(self.deciding)
        return {
            name: value
            for name, value in self.parameters.model_dump(mode="json").items()
            if name not in others
        }

    def compile(self, builder: PlanBuilder) -> None:
        """Join the stage that is open."""
        builder.map(self)


def fixed_point(value: Any, scale: int) -> int | None:
    """Give a threshold in the integers of its signal: its decimal digits times the scale, floored; None if no number.

    Signals of `scale` 0 are not numbers.
    """
    if scale < 1 or isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int((Decimal(str(value)) * scale).to_integral_value(ROUND_FLOOR))


def fixed_ratio(
    numerator: npt.NDArray[np.int64], denominator: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Floor of numerator / denominator in units of 1 / `RATIO`, in integers; 0 where the denominator is 0.

    Exact for numerators within 2^63 / `RATIO` (9.2e9) of 0. Raises `OverflowError` outside.
    """
    numerator = np.asarray(numerator, np.int64)
    denominator = np.asarray(denominator, np.int64)
    if numerator.size and max(int(numerator.max()), -int(numerator.min())) > (2**63 - 1) // RATIO:
        raise OverflowError("numerator too large for a fixed-point ratio")
    safe = np.where(denominator == 0, 1, denominator)
    return np.where(denominator == 0, 0, numerator * RATIO // safe)
