"""Evaluation from the command line, while training and afterwards."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

torch = pytest.importorskip("torch", reason="the extra `train` (torch) is not installed")

from toys import LENGTH, toy_rows  # noqa: E402

from corpusforge.errors import UsageError  # noqa: E402
from corpusforge.sample.draw import Draw  # noqa: E402
from corpusforge.sample.pages import LANGUAGES  # noqa: E402
from corpusforge.sample.text import plain_text  # noqa: E402
from corpusforge.tokenize.encoder import Encoder  # noqa: E402
from corpusforge.tokenize.sentencepiece_bpe import TokenizerParameters  # noqa: E402
from corpusforge.tokenize.sentencepiece_bpe import train as train_tokenizer  # noqa: E402
from corpusforge.train.command import app  # noqa: E402
from corpusforge.train.eval_pack import make_pack  # noqa: E402
from corpusforge.train.evaluate_command import finite  # noqa: E402
from corpusforge.train.journal import read_journal  # noqa: E402
from corpusforge.train.panel import Panel, Passage  # noqa: E402
from corpusforge.train.tasks import Item, Task  # noqa: E402

PANEL = Panel((Passage("b", "One sentence.\nTwo."), Passage("a", "Another one.")))
ITEMS = (
    Item("", (("The cat ", "sat"), ("The cat ", "ran off")), ("sat", "ran off"), 1),
    Item("", (("", " A dog."), ("", " Dog a.")), ("A dog.", "Dog a."), 0),
)


def call(*arguments: object) -> str:
    """Standard output of the command. Raises what it raised."""
    torch.set_num_threads(1)
    done = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def write_shards(folder: Path, tokenizer: dict[str, object]) -> Path:
    folder.mkdir()
    rows = toy_rows()
    np.save(folder / "rows.npy", np.stack([rows.row(index).tokens for index in range(len(rows))]))
    (folder / "manifest.json").write_text(json.dumps({"tokenizer": tokenizer}))
    return folder


def test_a_pack_is_scored_while_training_and_afterwards(tmp_path: Path) -> None:
    text = plain_text(LANGUAGES["en"], Draw(0, "evaluate"), 20_000)
    encoder = Encoder(train_tokenizer([text], TokenizerParameters(vocabulary_size=400)))
    pack = tmp_path / "pack.npz"
    pack.write_bytes(make_pack(encoder, PANEL, [Task("piqa", ITEMS)]).dump())
    facts = {"vocabulary_size": encoder.vocabulary_size, "sha256": encoder.sha256}
    shards = write_shards(tmp_path / "rows", facts)
    small = ("--set", "layers=1", "--set", "width=16", "--set", "hidden=24", "--set", "batch=4")
    arguments = (*small, "--tokens", 5 * 4 * LENGTH, "--device", "cpu", "--pack", pack)
    output = tmp_path / "model"
    trained = json.loads(call(shards, "--output", output, *arguments, "--evaluate-every", 2, "--json"))
    assert [one["at_step"] for one in trained["evaluations"]] == [2, 4, 5]
    assert ["tasks" in one for one in trained["evaluations"]] == [False, False, True]
    assert set(trained["evaluations"][0]["bits_per_byte"]) == {"macro", "domain:a", "domain:b"}
    logged = [entry for entry in read_journal(output / "log.jsonl") if entry.get("event") == "evaluation"]
    assert [entry["bits_per_byte"] for entry in logged] == [
        one["bits_per_byte"] for one in trained["evaluations"]
    ]
    assert "bits per byte, domain:a" in (output / "report.html").read_text()
    found = json.loads(call("evaluate", output, pack, "--device", "cpu", "--json"))
    last = trained["evaluations"][-1]
    assert found["bits_per_byte"] == pytest.approx(last["bits_per_byte"])
    assert found["tasks"]["piqa"] == pytest.approx(last["tasks"]["piqa"])
    shown = call("evaluate", output, pack, "--device", "cpu")
    assert "bits per byte" in shown
    assert "piqa" in shown
    other = write_shards(tmp_path / "other", {**facts, "sha256": "0" * 64})
    with pytest.raises(UsageError, match="another tokenizer"):
        call(other, "--output", tmp_path / "x", *arguments)
    with pytest.raises(UsageError, match="is no evaluation pack"):
        call("evaluate", output, output / "log.jsonl")
    small_one = write_shards(tmp_path / "few", {"vocabulary_size": 61})
    with pytest.raises(UsageError, match="the pack's tokenizer has 400 tokens, the model 61"):
        call(small_one, "--output", tmp_path / "y", *arguments)


def test_numbers_that_are_none_are_told_as_none() -> None:
    assert finite({"a": {"b": math.inf, "c": 1.5}, "d": math.nan, "e": 2}) == {
        "a": {"b": None, "c": 1.5},
        "d": None,
        "e": 2,
    }
