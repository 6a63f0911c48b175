"""Kills are recorded whole, and say which step must not see which document."""

from __future__ import annotations

from corpusforge import kills
from corpusforge.layout import RunLayout


def entry(source: str, step: str, locator: str) -> dict[str, object]:
    return {
        "source": source,
        "step": step,
        "locator": locator,
        "stage": "00-read@x",
        "task": 0,
        "seconds": 60.0,
    }


def test_added_kills_are_read_back_by_source_step_and_locator(tmp_path):
    layout = RunLayout(str(tmp_path))
    assert kills.read(layout) == {}
    for one in (entry("web", "extract", "a@0"), entry("web", "pii", "a@0"), entry("books", "pii", "a@0")):
        kills.add(layout, one)
        assert kills.read(layout)[kills.key_of(one)] == one
    found = kills.read(layout)
    assert len(found) == 3
    assert kills.reasons(found, "web", "pii") == {"a@0": "watchdog: busy for more than 60.0 s"}
    assert kills.reasons(found, "web", "c4") == {}
    assert [path.name for path in tmp_path.iterdir()] == ["kills.jsonl"]
