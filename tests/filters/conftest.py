"""What tests of filters share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from corpusforge.rulesets import thresholds
from corpusforge.step import LiveRows, MapStep, Measured
from corpusforge.texts import Texts
from corpusforge.verdicts import drops


def rows_of(strings: Sequence[str], languages: Sequence[str | None] | None = None) -> LiveRows:
    """Live rows with a text and perhaps a language each."""
    langs = pa.array(languages or [None] * len(strings), pa.string())
    return LiveRows(Texts.from_strings(strings), {"lang": langs})


def with_rule_set(step: type[MapStep], section: str, **overrides: Any) -> MapStep:
    """A step as a recipe gets it that names a section of the rule sets."""
    return step(step.Parameters(**{"rules": section} | thresholds(section, step.name) | overrides))


@pytest.fixture
def measure() -> Callable[..., Measured]:
    """Measure strings with a step."""

    def function(
        step: MapStep, strings: Sequence[str], languages: Sequence[str | None] | None = None
    ) -> Measured:
        measured = step.measure(rows_of(strings, languages))
        assert list(measured.signals) == [s.name for s in step.signals] or set(measured.signals) == {
            s.name for s in step.signals
        }
        assert all(len(values) == len(strings) for values in measured.signals.values())
        return measured

    return function


@pytest.fixture
def dropped_by(measure: Callable[..., Measured]) -> Callable[..., list[set[str]]]:
    """For each text the names of all rules of a rule set that drop it."""

    def function(
        step: type[MapStep], section: str, strings: Sequence[str], **overrides: Any
    ) -> list[set[str]]:
        built = with_rule_set(step, section, **overrides)
        measured = measure(built, strings)
        signals = {signal.name: signal for signal in built.signals}
        found: list[set[str]] = [set() for _ in strings]
        for rule in built.rules:
            values = pa.array(measured.signals[rule.signal])
            threshold = getattr(built.parameters, rule.name)
            for row in np.flatnonzero(drops(rule, signals[rule.signal], values, threshold)):
                found[row].add(rule.name)
        return found

    return function
