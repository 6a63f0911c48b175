"""Commands for tokenizers: the model of a run again, bit by bit, and errors that name what is wrong."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import pytest
from typer.testing import CliRunner

from corpusforge.errors import UsageError
from corpusforge.tokenize.command import app, load_parameters, mixture_weights, parse_weights


def invoke(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(item) for item in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


def corpus(folder: Path) -> Path:
    words = ["the cat sat on the mat", "a dog ran to the old mill", "numbers like 1234 and 99", "où est-ce"]
    lines = [json.dumps({"text": f"{words[number % 4]} {number}"}) for number in range(300)]
    (folder / "web.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "notes.txt").write_text("\n\n".join(words * 20), encoding="utf-8")
    return folder


def test_training_gives_equal_bytes_and_tells_of_its_sample(tmp_path):
    folder = corpus(tmp_path)
    files = (folder / "web.jsonl", folder / "notes.txt")
    options = (
        "--set",
        "vocabulary_size=320",
        "--weight",
        "web=3",
        "--weight",
        "notes=1",
        "--sample-bytes",
        4000,
    )
    for name in ("one", "two"):
        status, printed = invoke("train", *files, "--output", tmp_path / name, *options)
        assert status == 0
        assert "wanted bytes" in printed
    assert (tmp_path / "one/tokenizer.model").read_bytes() == (tmp_path / "two/tokenizer.model").read_bytes()
    facts = json.loads((tmp_path / "one/training.json").read_text())
    assert facts["wanted_bytes"] == {"notes": 1000, "web": 3000}
    assert facts["taken_bytes"]["web"] <= 3000
    assert facts["parameters"]["split_digits"] is True
    status, _ = invoke(
        "report", *files, "--model", tmp_path / "one/tokenizer.model", "-o", tmp_path / "fit.json"
    )
    fit = json.loads((tmp_path / "fit.json").read_text())
    assert status == 0
    assert fit["sha256"] == facts["sha256"]
    assert fit["kept"]["web"]["documents"] == 300
    assert fit["kept"]["web"]["bytes_per_token"] > 1
    with pytest.raises(UsageError, match="is not an empty folder"):
        invoke("train", *files, "--output", tmp_path / "one")


@pytest.mark.slow
def test_a_finished_run_gives_its_own_tokenizer_again(finished_run, tmp_path):
    """The recipe's quota and parameters, and its documents as they were written: the same model."""
    settings = ("--set", "vocabulary_size=600", "--set", "sample_bytes=200000")
    invoke("train", finished_run, "-o", tmp_path / "out", *settings, "--sample-bytes", 200_000)
    again = (tmp_path / "out/tokenizer.model").read_bytes()
    assert again == (finished_run / "shards/tokenizer.model").read_bytes()
    status, printed = invoke("report", finished_run, "--dropped")
    assert status == 0
    assert "dropped" in printed
    assert mixture_weights([finished_run]) == {"commoncrawl": Fraction(1_000_000)}


def test_parameters_come_from_the_recipe_then_from_settings(tmp_path):
    assert load_parameters("llama_bpe", []).vocabulary_size == 32_000
    assert load_parameters("llama_bpe", ["split_digits=false"]).split_digits is False
    (tmp_path / "mine.yaml").write_text("parameters: {model_type: unigram}\n")
    assert load_parameters(str(tmp_path / "mine.yaml"), []).model_type == "unigram"


@pytest.mark.parametrize(
    ("recipe", "settings", "words"),
    [
        ("llama_bpo", [], "did you mean 'llama_bpe'"),
        ("llama_bpe", ["vocabulary=5"], "vocabulary_size"),
        ("llama_bpe", ["vocabulary_size"], "parameter=value"),
        ("llama_bpe", ["vocabulary_size=[1"], "not valid YAML"),
        ("nowhere.yaml", [], "cannot read"),
    ],
)
def test_mistakes_in_recipes_are_named(recipe, settings, words):
    with pytest.raises(UsageError) as caught:
        load_parameters(recipe, settings)
    assert words in str(caught.value)


@pytest.mark.parametrize("text", ["web", "web=", "=3", "web=-1", "web=1/0", "web=many"])
def test_mistakes_in_weights_are_named(text):
    with pytest.raises(UsageError, match="source=NUMBER"):
        parse_weights([text])


def test_a_report_needs_a_model(tmp_path):
    (tmp_path / "a.txt").write_text("text")
    with pytest.raises(UsageError, match="name one with --model"):
        invoke("report", tmp_path / "a.txt")
