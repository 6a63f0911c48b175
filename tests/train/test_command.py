"""`corpusforge train` and its subcommands, as a user calls them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

torch = pytest.importorskip("torch", reason="the extra `train` (torch) is not installed")

from toys import LENGTH, VOCABULARY, toy_rows  # noqa: E402

from corpusforge.errors import UsageError  # noqa: E402
from corpusforge.train.command import app  # noqa: E402
from corpusforge.train.export import load_model  # noqa: E402


def call(*arguments: object) -> str:
    """Standard output of the command. Raises what it raised."""
    torch.set_num_threads(1)
    done = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    """A folder of rows with a manifest that says how large the vocabulary is."""
    folder = tmp_path / "rows"
    folder.mkdir()
    rows = toy_rows()
    np.save(folder / "rows.npy", np.stack([rows.row(index).tokens for index in range(len(rows))]))
    (folder / "manifest.json").write_text(json.dumps({"tokenizer": {"vocabulary_size": VOCABULARY}}))
    return folder


SMALL = (
    "--set",
    "layers=1",
    "--set",
    "width=16",
    "--set",
    "hidden=24",
    "--set",
    "batch=4",
    "--device",
    "cpu",
)


def test_train_resume_and_export(shards: Path, tmp_path: Path) -> None:
    output = tmp_path / "model"
    recipe = tmp_path / "train.yaml"
    recipe.write_text("layers: 3\nwarmup: 0.2\n")
    arguments = (shards, "--output", output, "--tokens", 8 * 4 * LENGTH, "--recipe", recipe, *SMALL, "--json")
    values = json.loads(call(*arguments))
    assert values["steps"] == 8
    assert Path(values["checkpoint"]).is_file()
    assert "Training run model" in (output / "report.html").read_text()
    with pytest.raises(UsageError, match="--resume"):
        call(*arguments)
    again = json.loads(call("run", *arguments, "--resume"))
    assert again["loss"] == values["loss"]
    call("export", output, tmp_path / "public", "--end", 2)
    config = json.loads((tmp_path / "public" / "config.json").read_text())
    assert (config["num_hidden_layers"], config["eos_token_id"]) == (1, 2)
    assert load_model(Path(values["checkpoint"])).config.vocabulary_size == VOCABULARY


def test_the_table_for_people(shards: Path, tmp_path: Path) -> None:
    shown = call(shards, "--output", tmp_path / "model", "--tokens", 5 * 4 * LENGTH, *SMALL)
    for word in ("nats per token", "passes over the data", "tokens/s", "report.html"):
        assert word in shown.replace("\n", "")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--set", "layers"], "setting=value"),
        (["--set", "lairs=2"], "did you mean 'layers'"),
        (["--size", "9m"], "there is no size '9m'"),
        (["--tokens", "many"], "a count looks like"),
        (["--vocabulary-size", "20"], "outside the vocabulary of 20"),
        (["--context", "17"], "holds rows with a context of 16"),
    ],
)
def test_mistakes_are_usage_errors(shards: Path, tmp_path: Path, arguments: list[str], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        call(shards, "--output", tmp_path / "model", *SMALL, *arguments)


def test_recipes_and_manifests_that_are_none_are_usage_errors(shards: Path, tmp_path: Path) -> None:
    for text, words in (("- 1", "no mapping"), ("a: [", "line 1"), ("layers: two", "layers takes")):
        (tmp_path / "train.yaml").write_text(text)
        with pytest.raises(UsageError, match=words):
            call(shards, "--output", tmp_path / "model", "--recipe", tmp_path / "train.yaml")
    (shards / "manifest.json").write_text("{}")
    with pytest.raises(UsageError, match="--vocabulary-size"):
        call(shards, "--output", tmp_path / "model")
    (shards / "rows.npy").write_bytes(b"damaged")
    with pytest.raises(UsageError, match=r"rows\.npy"):
        call(shards, "--output", tmp_path / "model")


def test_plan_by_flops_and_gpu_hours() -> None:
    laws = json.loads(call("plan", "--compute", "1e20", "--json"))
    assert [law["source"].split()[0] for law in laws] == ["Besiroglu", "Hoffmann", "Kaplan"]
    hours = json.loads(call("plan", "--gpu-hours", 2, "--gpu", "H100 PCIe", "--utilization", 0.5, "--json"))
    assert hours[0]["compute"] == 756e12 * 3600
    assert "tokens per" in call("plan", "--compute", "1e20")
    for wrong in (["--compute", "1e20", "--gpu-hours", "1"], [], ["--gpu-hours", "1", "--gpu", "Abacus"]):
        with pytest.raises(UsageError, match="--compute"):
            call("plan", *wrong)


def test_fit_writes_a_law_that_plan_reads(tmp_path: Path) -> None:
    from corpusforge.train.laws import HOFFMANN

    ladder = [(size, tokens) for size in (1e7, 1e8, 1e9) for tokens in (2e8, 2e10)]
    points = [{"parameters": n, "tokens": d, "loss": HOFFMANN.loss(n, d)} for n, d in (*ladder, (1e8, 1e9))]
    (tmp_path / "ladder.json").write_text(json.dumps(points))
    law = tmp_path / "law.json"
    assert "L = 1.69" in call("fit", tmp_path / "ladder.json", "--output", law, "--compute", "1e20")
    mine, *published = json.loads(call("plan", "--compute", "1e20", "--law", law, "--json"))
    assert mine["parameters"] == pytest.approx(published[1]["parameters"], rel=0.02)
    law.write_text("{}")
    with pytest.raises(UsageError, match="no law"):
        call("plan", "--compute", "1e20", "--law", law)
    (tmp_path / "ladder.json").write_text('[{"loss": 1}]')
    with pytest.raises(UsageError, match="is no list"):
        call("fit", tmp_path / "ladder.json")
    with pytest.raises(UsageError, match="no finished training run"):
        call("fit", tmp_path)


def test_profile_measures_the_loop() -> None:
    small = ("--context", 32, "--vocabulary-size", 64, "--steps", 6, "--batch-tokens", 128, "--device", "cpu")
    lines = call("profile", "--sizes", "1m", *small, "--json").splitlines()
    found = json.loads(lines[0])
    assert (found["size"], found["steps"], found["mfu"]) == ("1m", 6, None)
    assert 0 < found["mfu_measured"] < 2
    # Six FLOPs per parameter and token at least.
    assert found["flops_per_second"] > 6 * found["tokens_per_second"] * 0.8e6
    assert found["tokens_per_second"] > 0
