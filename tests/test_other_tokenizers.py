"""Whole runs with tokenizers that are not SentencePiece's: from texts to shards, and from a batch back to the texts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from in_process import run_here
from small_tokenizers import rank_file, tokenizer_json
from typer.testing import CliRunner

from corpusforge import cli
from corpusforge.mix.loader import PackedRows
from corpusforge.report.show_batch_command import rows_of_step
from corpusforge.sample.draw import Draw
from corpusforge.sample.pages import LANGUAGES
from corpusforge.sample.text import Writer
from corpusforge.tokenize.loading import tokenizer_of

RECIPE = """\
name: other
sources:
  c4: {}
steps:
  - extract
  - tokenize: {%s}
  - pack: {sequence_length: 64}
  - mix: {formats: [mds, nanogpt]}
"""


@pytest.mark.parametrize(
    ("name", "content", "more"),
    [
        ("tokenizer.json", tokenizer_json(), {}),
        ("tokenizer.tiktoken", rank_file(), {"scheme": "cl100k"}),
    ],
)
def test_from_texts_to_shards_and_back(
    name: str, content: bytes, more: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "given").write_bytes(content)
    writer = Writer(LANGUAGES["en"], Draw(0, "other tokenizers"))
    texts = [f"{writer.paragraph(3)}\nNaïve 🙂 {number} <|endoftext|>" for number in range(20)]
    given = {f"https://a.example/{number}": text for number, text in enumerate(texts)}
    lines = [json.dumps({"text": text, "url": url}) for url, text in given.items()]
    (tmp_path / "in.jsonl").write_text("\n".join(lines), encoding="utf-8")
    settings = {"model": str(tmp_path / "given"), **more}
    recipe = RECIPE % ", ".join(f"{key}: {json.dumps(value)}" for key, value in settings.items())
    run = tmp_path / "run"
    run_here(recipe, {"c4": [str(tmp_path / "in.jsonl")]}, run)

    assert (run / "shards" / name).read_bytes() == content
    tokenizer = tokenizer_of(run / "shards")
    assert tokenizer is not None
    reader = PackedRows([path.parent for path in sorted((run / "shards").glob("packed/*/index.json"))])
    ends = 0
    pieces: dict[str, dict[int, str]] = {}
    for entry in rows_of_step(run, 0, len(reader), None):
        tokens = reader.row(entry["row"]).tokens
        for segment in entry["segments"]:
            ids = tokens[segment["first"] : segment["last"]]
            ends += int((ids == tokenizer.eos_id).sum())
            whole = given[segment["url"]].encode()
            part = whole[segment["start"] : segment["end"]]
            assert tokenizer.decode(ids) == segment["text"] == part.decode("utf-8", "replace")
            pieces.setdefault(segment["url"], {})[segment["start"]] = part
    # The end token closes every text, and its spelling in a text is text.
    assert ends == len(texts)
    assert {
        url: b"".join(found[at] for at in sorted(found)).decode() for url, found in pieces.items()
    } == given

    cli._mount()
    shown = CliRunner().invoke(cli.app, ["show-batch", str(run), "0", "--json"])
    assert shown.exit_code == 0, shown.output
    assert json.loads(shown.output.splitlines()[0])["segments"]
