"""Steps and sources by name, and plugins that bring their own."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from corpusforge import registry
from corpusforge.errors import UsageError
from corpusforge.sources.base import Source
from corpusforge.step import Step

PLUGIN = """
from corpusforge.step import LiveRows, MapStep, Measured

class Mine(MapStep):
    name = "NAME"
    def measure(self, rows: LiveRows) -> Measured:
        return Measured()
"""


@pytest.fixture(autouse=True)
def forget(monkeypatch):
    """Plugins of a test are gone after it."""
    monkeypatch.setattr(registry, "STEPS", dict(registry.STEPS))
    monkeypatch.setattr(registry, "_plugins", {})
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith("corpusforge_plugin"):
            del sys.modules[name]


def plugin(folder: Path, text: str) -> Path:
    path = folder / "mine.py"
    path.write_text(text)
    return path


def test_every_built_in_name_leads_to_its_class():
    for name in registry.STEPS:
        found = registry.step_class(name)
        assert issubclass(found, Step)
        assert found.name == name
        assert found.summary or found.__doc__
    for name in registry.SOURCES:
        assert issubclass(registry.source_class(name), Source)
    assert registry.step_names()[: len(registry.STEPS)] == list(registry.STEPS)


def test_unknown_names_get_a_suggestion():
    with pytest.raises(UsageError, match="did you mean 'minhash_dedup'"):
        registry.step_class("minhash_dedupe")
    with pytest.raises(UsageError, match="unknown source"):
        registry.source_class("commoncrawls")


def test_a_plugin_brings_steps_and_its_hash(tmp_path):
    registry.load_plugin(plugin(tmp_path, PLUGIN.replace("NAME", "mine")))
    first = registry.plugin_hashes()
    assert registry.step_class("mine").name == "mine"
    registry.load_plugin(tmp_path / "mine.py")
    assert registry.plugin_hashes() == first, "the same file is loaded once"
    registry.load_plugin(plugin(tmp_path, PLUGIN.replace("NAME", "mine") + "# changed\n"))
    assert len(registry.plugin_hashes()) == 2
    assert all(str(tmp_path) not in name for name in registry.plugin_hashes()), (
        "no path gets into a stage's hash"
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (PLUGIN.replace("NAME", "extract"), "'extract', which is built in"),
        ("import nothing_of_this_name\n", "nothing_of_this_name"),
        ("def broken(:\n", "SyntaxError"),
        ("raise SystemExit(3)\n", "SystemExit: 3"),
    ],
)
def test_a_bad_plugin_is_named_and_not_taken_for_loaded(tmp_path, text, words):
    path = plugin(tmp_path, text)
    for _ in range(2):
        with pytest.raises(UsageError, match=r"mine\.py") as caught:
            registry.load_plugin(path)
        assert words in str(caught.value)
    assert registry.plugin_hashes() == {}


def test_a_missing_plugin_is_named(tmp_path):
    with pytest.raises(UsageError, match="cannot read plugin"):
        registry.load_plugin(tmp_path / "none.py")


def test_names_that_are_no_classes_of_theirs_are_refused(monkeypatch):
    monkeypatch.setitem(registry.STEPS, "odd", "corpusforge.names:nearest")
    with pytest.raises(UsageError, match="is not a Step"):
        registry.step_class("odd")
    assert importlib.import_module("corpusforge.names")
