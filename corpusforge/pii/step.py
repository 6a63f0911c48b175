"""Personal data: found by presidio's pattern recognizers, replaced by typed placeholders, counted by type."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field

from corpusforge.edits import Edits
from corpusforge.errors import UsageError
from corpusforge.heartbeat import Heartbeat
from corpusforge.pii.detect import Detector, Finding
from corpusforge.pii.recognizers import ENTITIES, recognizer
from corpusforge.step import LiveRows, MapStep, Measured, Rule, RunContext, Signal, StepParameters

Int64 = npt.NDArray[np.int64]


class PiiParameters(StepParameters):
    """What to look for and how sure to be."""

    rules: str = "pii@default"
    """Section of ``filters/pii.yaml`` that gives the thresholds."""
    entities: list[str] = Field(default_factory=lambda: list(ENTITIES))
    """Types to look for, by presidio's names."""
    minimum_scores: dict[str, float] = Field(default_factory=dict)
    """Least score per entity, 0 to 1; every entity needs one."""
    max_found: int | None = None
    """Drop a document with more findings than this; None keeps all."""
    placeholder: str = "<{type}>"
    """What replaces a finding; ``{type}`` is the entity's name."""
    phone_regions: list[str] = Field(default_factory=lambda: ["US", "GB", "DE", "FR", "IL", "IN", "CA", "BR"])
    """Regions (ISO 3166) whose national telephone numbers are found; presidio's own list."""
    keep_unrouted_addresses: bool = True
    """Leave IP addresses that name no host on the Internet (private, loopback, …) in the text."""
    max_window_bytes: int = 262_144
    """Bytes of one document that recognizers may see; a document with more candidates is quarantined."""


class Pii(MapStep):
    """Replaces personal data by placeholders.

    A byte scan finds candidates (`corpusforge.kernels.pii_candidates`); the recognizers of presidio see only
    windows around them. Guards discard what is no personal data (`corpusforge.pii.guards`). Names of people
    and postal addresses need a language model and are not looked for.
    """

    name = "pii"
    summary = "replace e-mail addresses, telephone, card and account numbers, IP addresses by placeholders"
    extra = "pii"
    edits = True
    Parameters = PiiParameters
    signals: ClassVar[Sequence[Signal]] = (
        *(
            Signal(
                f"count_{entity.lower()}", description=f"findings of type {entity}; null when not looked for"
            )
            for entity in ENTITIES
        ),
        Signal("found", description="findings of all types"),
    )
    rules: ClassVar[Sequence[Rule]] = (Rule("max_found", "found", "above"),)

    _detector: Detector | None = None
    _heartbeat: Heartbeat = Heartbeat()

    def check(self) -> None:
        """Raise `UsageError` for entities without a minimum score and placeholders that are no template."""
        parameters: PiiParameters = self.parameters
        for entity in parameters.entities:
            if entity not in ENTITIES:
                raise UsageError(f"pii knows no entity {entity!r}, only {', '.join(ENTITIES)}")
            if entity not in parameters.minimum_scores:
                raise UsageError(f"pii needs a minimum score for {entity} (see filters/pii.yaml)")
        try:
            parameters.placeholder.format(type="TYPE")
        except (KeyError, IndexError, ValueError) as error:
            raise UsageError(
                f"pii placeholder {parameters.placeholder!r} is no template of {{type}}"
            ) from error

    def open(self, context: RunContext) -> None:
        """Import presidio and make the recognizers, once per process."""
        self._heartbeat = context.heartbeat
        if self._detector is None:
            self.check()
            parameters: PiiParameters = self.parameters
            made = {entity: recognizer(entity, parameters.phone_regions) for entity in parameters.entities}
            self._detector = Detector(
                made,
                parameters.minimum_scores,
                parameters.keep_unrouted_addresses,
                parameters.max_window_bytes,
            )

    def measure(self, rows: LiveRows) -> Measured:
        """Findings as edits (rule: the entity in lower case) and counts per entity."""
        if self._detector is None:
            raise RuntimeError("pii was not opened")
        locators = rows.column("locator")

        def begin(row: int) -> None:
            self._heartbeat.begin(locators[row].as_py())

        found, excessive = self._detector.detect(rows.texts, begin)
        self._heartbeat.done()
        failures = {
            row: f"too_many_candidates: {size} bytes could hold personal data, more than max_window_bytes"
            for row, size in excessive.items()
        }
        return Measured(signals=self._counts(found), edits=self._edits(found), failures=failures)

    def _counts(self, found: list[list[Finding]]) -> dict[str, Int64 | pa.Array]:
        signals: dict[str, Int64 | pa.Array] = {}
        for entity in ENTITIES:
            if entity in self.parameters.entities:
                counts = [sum(finding.entity == entity for finding in findings) for findings in found]
                signals[f"count_{entity.lower()}"] = np.array(counts, np.int64)
            else:
                signals[f"count_{entity.lower()}"] = pa.nulls(len(found), pa.int64())
        signals["found"] = np.array([len(findings) for findings in found], np.int64)
        return signals

    def _edits(self, found: list[list[Finding]]) -> Edits:
        placeholder: str = self.parameters.placeholder
        return Edits.from_spans(
            [
                (row, one.start, one.end, placeholder.format(type=one.entity), one.entity.lower())
                for row, findings in enumerate(found)
                for one in findings
            ]
        )

    def __getstate__(self) -> dict[str, object]:
        """Recognizers stay in their process: a step travels without them."""
        return {**self.__dict__, "_detector": None, "_heartbeat": Heartbeat()}
