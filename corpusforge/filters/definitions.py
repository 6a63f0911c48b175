"""Steps whose measurements other projects define in other ways.

A step of this kind takes the parameter `definitions`: whose way of measuring it follows. What changes a
measurement is part of the signal's name: `gopher_quality.words` by our own definitions is
``gopher_quality.words[datatrove]`` by theirs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from corpusforge.errors import UsageError
from corpusforge.filters.spacy_words import splitter
from corpusforge.names import nearest
from corpusforge.step import MapStep, StepParameters

PLAIN = "plain"
"""Our own definitions: they need nothing besides this package, and are the fastest."""


class DefinedStep(MapStep):
    """A step with the parameter `definitions`; `defined` says which signals each of them has."""

    defined: ClassVar[Mapping[str, Sequence[str]]] = {}
    """Definitions besides the plain ones to the names of the signals that they have."""
    elsewhere: ClassVar[Sequence[str]] = ()
    """Signals that the plain definitions lack."""

    def __init__(self, parameters: StepParameters | None = None, instance: str | None = None) -> None:
        super().__init__(parameters, instance)
        definitions = self.parameters.definitions
        if definitions == PLAIN:
            names = [signal.name for signal in type(self).signals if signal.name not in self.elsewhere]
        else:
            names = list(self.defined[definitions])
        for rule in type(self).rules:
            if rule.signal not in names and getattr(self.parameters, rule.name) is not None:
                own = [other.name for other in type(self).rules if other.signal in names]
                raise UsageError(
                    f"step {self.instance!r}: {rule.name} compares what the definitions {definitions!r} do not "
                    f"measure{nearest(rule.name, own)}"
                )
        # What a recipe's step measures differs from what its class can: both lists are the instance's.
        self.__dict__["signals"] = tuple(
            replace(signal, name=self.signal_name(signal.name))
            for signal in type(self).signals
            if signal.name in names
        )
        self.__dict__["rules"] = tuple(
            replace(rule, signal=self.signal_name(rule.signal))
            for rule in type(self).rules
            if rule.signal in names
        )

    def check(self) -> None:
        """Raise `MissingExtraError` when the definitions need spaCy and it is not installed."""
        if self.parameters.definitions == "datatrove":
            splitter(self.name)

    def signal_name(self, name: str) -> str:
        """A signal's name with the definitions that it follows."""
        definitions = self.parameters.definitions
        return name if definitions == PLAIN else f"{name}[{definitions}]"

    def named(self, signals: Mapping[str, Any]) -> dict[str, Any]:
        """Measurements by the names of the signals."""
        return {self.signal_name(name): values for name, values in signals.items()}
