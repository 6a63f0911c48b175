"""`corpusforge list` and `corpusforge doctor`: every name with a line, every gap with its remedy."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import io

import pytest
from rich.console import Console

from corpusforge import doctor, registry, rulesets
from corpusforge.catalog import catalog


def test_everything_has_a_name_and_one_line():
    found = catalog()
    assert list(found) == ["recipes", "sources", "steps", "rule sets", "tokenizers"]
    for rows in found.values():
        assert rows
        for name, line in rows:
            assert line, f"{name} has no line"
            assert "\n" not in line
    assert [name for name, _ in found["steps"]] == registry.step_names()
    assert {name for name, _ in found["rule sets"]} == set(rulesets.rule_sets())
    assert dict(found["steps"])["pii"].endswith("[extra pii]")


@pytest.fixture
def shown(monkeypatch, tmp_path):
    """What the doctor prints, without models and on a wide terminal."""
    monkeypatch.setenv("CORPUSFORGE_MODELS", str(tmp_path))

    def show() -> str:
        console = Console(file=io.StringIO(), width=200)
        doctor.examine(console)
        return console.file.getvalue()  # type: ignore[attr-defined]

    return show


def test_a_missing_extra_is_shown_with_the_command_that_gets_it(monkeypatch, shown):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "kenlm" else object())
    text = shown()
    assert "missing kenlm" in text
    assert 'pip install "corpusforge[quality]"' in text
    assert 'pip install "corpusforge[pii]"' not in text


def test_distributions_that_overwrite_each_other_are_told(monkeypatch, shown):
    assert "several distributions" not in shown()

    def version(name: str) -> str:
        if name in ("fasttext", "fasttext-community"):
            return "1"
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    assert "several distributions provide the module fasttext (fasttext-community, fasttext)" in shown()


def test_every_extra_of_the_doctor_can_be_installed():
    declared = set(importlib.metadata.metadata("corpusforge").get_all("Provides-Extra") or [])
    assert set(doctor.EXTRAS) <= declared
