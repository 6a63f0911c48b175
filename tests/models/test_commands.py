"""The commands as a user runs them."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from corpusforge.errors import UsageError
from corpusforge.models.commands import app

runner = CliRunner()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CORPUSFORGE_MODELS", str(tmp_path / "store"))
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path / "store"


def test_get_and_list(shared_data: Path, folder: Path) -> None:
    before = runner.invoke(app, ["list"])
    assert "corpusforge models get lid.176" in before.output
    copy = shared_data / "models" / "lid.176.ftz"
    done = runner.invoke(app, ["get", "lid.176", "--from", str(copy)])
    assert done.exit_code == 0
    assert "CC-BY-SA-3.0" in done.output
    assert "fastText" in done.output
    after = runner.invoke(app, ["list"])
    assert "installed" in after.output
    (folder / "lid.176.ftz").write_bytes(b"x")
    assert "damaged" in runner.invoke(app, ["list"]).output


def test_train_and_list(shared_data: Path, tmp_path: Path, folder: Path) -> None:
    text = str(shared_data / "models" / "cs336-german.txt")
    arguments = ["train-lm", "--text", text, "--language", "de", "--order", "3", "--vocabulary-size", "300"]
    kept = runner.invoke(app, [*arguments, "--output", str(tmp_path / "out")])
    assert kept.exit_code == 0, kept.output
    assert "fallback discounts" in kept.output
    assert (tmp_path / "out" / "de.arpa").is_file()
    assert not folder.exists()
    stored = runner.invoke(app, [*arguments, "--install", "--piece-type", "unigram", "--prune", "0,0,1"])
    assert stored.exit_code == 0, stored.output
    assert (folder / "lm" / "de" / "de.sp.model").is_file()
    assert "lm/de" in runner.invoke(app, ["list"]).output


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ([], "--output DIR or --install"),
        (["--output", "x", "--install"], "--output DIR or --install"),
        (["--install", "--piece-type", "char"], "neither bpe nor unigram"),
        (["--install", "--normalization", "nfc"], "none of ccnet, lines, none"),
        (["--install", "--prune", "0,x"], "no list of numbers"),
        (["--output", "x", "--language", "../en"], "no language code"),
        (["--output", "x", "--scratch", "nowhere"], "--scratch nowhere is no folder"),
    ],
)
def test_refuses(tmp_path: Path, more: list[str], message: str) -> None:
    (tmp_path / "a.txt").write_text("some text", encoding="utf-8")
    done = runner.invoke(app, ["train-lm", "--text", str(tmp_path / "a.txt"), "--language", "en", *more])
    assert isinstance(done.exception, UsageError)
    assert message in str(done.exception)
