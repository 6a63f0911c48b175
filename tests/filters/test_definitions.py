"""Steps with several definitions of their measurements."""

from __future__ import annotations

import builtins
import pickle
from typing import Any

import pytest

from corpusforge.errors import MissingExtraError, UsageError
from corpusforge.filters.spacy_words import splitter
from corpusforge.recipe import load_text, make_step
from corpusforge.step import MapStep


def signals_of(step: Any) -> list[str]:
    assert isinstance(step, MapStep)
    return [signal.name for signal in step.signals]


def test_definitions_are_part_of_the_names_of_signals() -> None:
    plain = make_step("gopher_quality")
    dolma = make_step("gopher_quality", rules="gopher_quality@dolma")
    assert "median_word_length" in signals_of(plain)
    assert "symbol_word_ratio" not in signals_of(plain)
    assert "median_word_length[dolma]" in signals_of(dolma)
    assert "mean_word_length[dolma]" not in signals_of(dolma)
    assert isinstance(dolma, MapStep)
    assert {rule.signal for rule in dolma.rules} <= set(signals_of(dolma))
    assert signals_of(pickle.loads(pickle.dumps(dolma))) == signals_of(dolma)


def test_a_threshold_on_what_is_not_measured_is_an_error() -> None:
    with pytest.raises(UsageError, match="max_mean_word_length compares what the definitions 'dolma'"):
        make_step("gopher_quality", rules="gopher_quality@dolma", max_mean_word_length=9)
    with pytest.raises(UsageError, match=r"recipe\.yaml:3"):
        load_text("steps:\n  - extract\n  - gopher_repetition: {definitions: dolma}\n", "recipe.yaml")


@pytest.mark.parametrize("name", ["gopher_quality", "gopher_repetition", "fineweb", "c4"])
def test_missing_spacy_is_told_before_any_work(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    original = builtins.__import__

    def refuse(module: str, *arguments: Any) -> Any:
        if module.partition(".")[0] == "spacy":
            raise ImportError(module)
        return original(module, *arguments)

    splitter.cache_clear()
    monkeypatch.setattr(builtins, "__import__", refuse)
    step = make_step(name, rules=f"{name}@datatrove")
    with pytest.raises(MissingExtraError, match=name):
        step.check()
    make_step(name).check()
