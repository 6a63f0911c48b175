from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from corpusforge.errors import UsageError
from corpusforge.report.status import read_status, status


def stage(run: Path, folder: str, tasks: int, done: list[int], failures: list[object] | None = None) -> Path:
    path = run / "stages" / folder
    path.mkdir(parents=True)
    name, operation = folder.split("@")[0], "map"
    (path / "stage.json").write_text(json.dumps({"name": name, "operation": operation, "tasks": tasks}))
    for task in done:
        (path / f"{task:05}.json").write_text("{}")
    if failures:
        (path / "failures.jsonl").write_text("".join(json.dumps(line) + "\n" for line in failures))
    return path


@pytest.fixture
def run(tmp_path: Path) -> Path:
    (tmp_path / "recipe.yaml").write_text("name: x\n")
    stage(tmp_path, "01-read@aa", 3, [0, 1, 2], [{"task": 1, "attempt": 1, "error": "old", "time": "t"}])
    stage(
        tmp_path,
        "02-map@bb",
        4,
        [0],
        [
            {"task": 2, "attempt": 1, "error": "first", "time": "t1"},
            {"task": 2, "attempt": 2, "error": "Traceback\nValueError: \x1b[31mbad shard", "time": "t2"},
        ],
    )
    stage(tmp_path, "03-write@cc", 4, [])
    return tmp_path


def shown(run: Path) -> str:
    stream = io.StringIO()
    status(run, Console(file=stream, width=160, color_system=None))
    return stream.getvalue()


def test_stages_tell_done_waiting_and_failed(run: Path) -> None:
    found = read_status(run)
    assert [(item.name, item.done, item.tasks, item.complete) for item in found.stages] == [
        ("01-read", 3, 3, True),
        ("02-map", 1, 4, False),
        ("03-write", 0, 4, False),
    ]
    assert found.stages[0].failed == ()
    assert found.stages[0].attempts_failed == 1
    (failure,) = found.stages[1].failed
    assert (failure.task, failure.attempt) == (2, 2)
    assert found.closed is None


def test_failures_are_printed_with_their_last_line(run: Path) -> None:
    text = shown(run)
    assert "02-map, shard 00002, attempt 2, t2: ValueError: \ufffd[31mbad shard" in text
    assert "shards have failed" in text
    for words in ("3 / 3", "complete", "1 / 4", "waiting"):
        assert words in text


def test_the_ledger_ends_a_run(run: Path) -> None:
    (run / "ledger.json").write_text('{"closed": true}')
    assert "its ledger is closed" in shown(run)
    (run / "ledger.json").write_text('{"closed": false}')
    assert "does not close" in shown(run)


def test_what_a_kill_left_half_written_is_no_error(run: Path) -> None:
    (run / "ledger.json").write_text('{"closed": tr')
    (run / "stages" / "03-write@cc" / "stage.json").write_text("{")
    with (run / "stages" / "02-map@bb" / "failures.jsonl").open("a") as file:
        file.write('{"task": 3, "att')
    (run / "kills.jsonl").write_text('{"locator": "a"}\n{"loc')
    found = read_status(run)
    assert found.closed is None
    assert found.stages[2].tasks is None
    assert len(found.stages[1].failed) == 1
    assert found.kills == 1
    assert "missing or damaged" in shown(run)
    # Cut-off last lines are what a kill leaves; files that appear whole or not at all are another matter.
    assert sorted(sentence.split(" cannot")[0].split("/")[-1] for sentence in found.damage) == [
        "ledger.json",
        "stage.json",
    ]


def test_lines_that_no_kill_explains_are_told(run: Path) -> None:
    log = run / "stages" / "02-map@bb" / "failures.jsonl"
    log.write_bytes(b"\x00\xff\n[1]\n\n" + log.read_bytes() + b'{"task": 3, "att')
    (run / "kills.jsonl").mkdir()
    found = read_status(run)
    assert len(found.stages[1].failed) == 1
    assert found.stages[1].attempts_failed == 2
    assert [sentence for sentence in found.damage if "failures.jsonl: 2 lines are damaged" in sentence]
    text = shown(run)
    assert "2 lines are damaged and not counted" in text
    assert "kills.jsonl cannot be read" in text


def test_a_run_without_damage_says_nothing_of_it(run: Path) -> None:
    assert read_status(run).damage == ()
    assert "damaged" not in shown(run)


def test_another_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not a run directory"):
        read_status(tmp_path)
