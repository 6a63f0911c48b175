from __future__ import annotations

import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="the extra `train` (torch) is not installed")

from corpusforge.errors import UsageError  # noqa: E402
from corpusforge.train.journal import Board, Journal, duration, read_journal, taken_steps  # noqa: E402


def test_a_resumed_log_goes_on_behind_its_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    first = Journal(path)
    first.write({"step": 0, "loss": 3.0})
    size = first.size()
    first.write({"step": 1, "loss": 2.0})
    first.close()
    second = Journal(path, size)
    second.write({"step": 1, "loss": 2.5})
    second.close()
    assert [entry["loss"] for entry in read_journal(path)] == [3.0, 2.5]


def test_a_rewind_takes_steps_back() -> None:
    entries = [{"step": step} for step in range(4)]
    entries += [{"event": "rewind", "to_step": 2}, {"step": 2, "loss": 1.0}]
    assert taken_steps(entries) == [{"step": 0}, {"step": 1}, {"step": 2, "loss": 1.0}]


def test_durations_are_read_by_people() -> None:
    assert [duration(seconds) for seconds in (59.6, 90, 7260)] == ["1 min 0 s", "1 min 30 s", "2 h 1 min"]


def test_without_tensorboard_the_option_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(UsageError, match=r"corpusforge\[tensorboard\]"):
        Board(tmp_path, 0)


def test_tensorboard_reads_what_was_finally_taken(tmp_path: Path) -> None:
    """By its own reader: steps that a rewind or a resumption took back are not shown."""
    reading = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator", reason="TensorBoard is not installed"
    )
    board = Board(tmp_path, 0)
    for step in range(5):
        board.write(step, {"step": step, "loss": 3.0 - step / 10, "taken": True, "mfu": None})
    board.go_back(3)
    board.write(3, {"loss": 1.0, "bits_per_byte": {"macro": 2.0}})
    board.close()
    again = Board(tmp_path, 2)
    again.write(2, {"loss": 0.5})
    again.close()
    found = reading.EventAccumulator(str(tmp_path))
    found.Reload()
    assert [(one.step, round(one.value, 3)) for one in found.Scalars("loss")] == [
        (0, 3.0),
        (1, 2.9),
        (2, 0.5),
    ]
    assert set(found.Tags()["scalars"]) == {"loss", "bits_per_byte/macro"}
