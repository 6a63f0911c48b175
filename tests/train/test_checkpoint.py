from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="the extra `train` (torch) is not installed")

from corpusforge.errors import RunFailedError, UsageError  # noqa: E402
from corpusforge.train.checkpoint import Checkpoints, load_checkpoint, newest_checkpoint  # noqa: E402


class Evil:
    """What a pickle can do: call anything when it is read."""

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (Path("evil"),))


def test_a_checkpoint_comes_back(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path / "checkpoints", 10)
    weights = torch.arange(6.0).reshape(2, 3)
    checkpoints.save(7, {"weights": weights, "gaps": [[1, 2]], "name": "é"})
    state = checkpoints.load(7)
    checkpoints.close()
    assert torch.equal(state["weights"], weights)
    assert (state["step"], state["gaps"], state["name"]) == (7, [[1, 2]], "é")
    assert newest_checkpoint(tmp_path) == tmp_path / "checkpoints" / "000000007.pt"
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["000000007.pt"]


def test_the_last_ones_are_kept_and_one_before(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, 10)
    for step in range(0, 60, 4):
        checkpoints.save(step, {})
        checkpoints.wait()
        steps = checkpoints.steps()
        assert steps[-1] == step
        assert [one for one in steps if one > step - 10] == [
            one for one in range(0, step + 1, 4) if one > step - 10
        ]
        assert step < 10 or steps[0] <= step - 10
        assert len(steps) <= 5
    checkpoints.forget_after(49)
    assert checkpoints.steps()[-1] == 48
    checkpoints.close()


def test_damaged_and_foreign_files_are_named(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, 10)
    checkpoints.save(3, {"weights": torch.zeros(1000)})
    checkpoints.close()
    path = checkpoints.path(3)
    whole = path.read_bytes()
    for damage in (whole[: len(whole) // 2], b"", b"\0" * 100, whole[:-200] + b"x" * 200):
        path.write_bytes(damage)
        with pytest.raises(RunFailedError, match="000000003"):
            load_checkpoint(path)
    torch.save({"format": 99}, path)
    with pytest.raises(RunFailedError, match="format"):
        load_checkpoint(path)
    with pytest.raises(UsageError, match="no checkpoint"):
        load_checkpoint(tmp_path / "none.pt")
    with pytest.raises(UsageError, match="no checkpoints"):
        newest_checkpoint(tmp_path / "nothing")


def test_reading_runs_no_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"format": 1, "evil": Evil()}, tmp_path / "evil.pt")
    with pytest.raises(RunFailedError, match=r"evil\.pt"):
        load_checkpoint(tmp_path / "evil.pt")
    assert not (tmp_path / "evil").exists()


def test_a_write_that_fails_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path / "checkpoints", 10)
    (tmp_path / "checkpoints").write_text("a file where the folder should be")
    checkpoints.save(1, {})
    with pytest.raises(OSError, match="checkpoints"):
        checkpoints.wait()
    checkpoints.close()
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoints"]
