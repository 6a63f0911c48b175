"""Kills are recorded whole, and say which step must not see which document."""

from __future__ import annotations

import pytest

from corpusforge import kills
from corpusforge.errors import RunFailedError
from corpusforge.heartbeat import Busy
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


def test_a_torn_last_line_is_no_kill_yet():
    whole = b'{"locator":"a","source":"web","step":"c4"}\n'
    assert len(kills.parse(whole + whole[:20])) == 1
    assert kills.parse(b"") == {}


def test_giving_up_the_same_document_twice_or_outside_of_steps_is_an_error(tmp_path):
    layout = RunLayout(str(tmp_path))
    busy = Busy("web", "c4", "a@0", 1.0)
    given_up = kills.give_up(layout, "00-read@x", 0, busy, 60.0)
    assert given_up == entry("web", "c4", "a@0")
    with pytest.raises(RunFailedError, match="stuck again"):
        kills.give_up(layout, "00-read@x", 0, busy, 60.0)
    with pytest.raises(RunFailedError, match="outside of any step"):
        kills.give_up(layout, "00-read@x", 0, Busy("web", "", "a@0", 1.0), 60.0)
    assert len(kills.read(layout)) == 1
