from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_tokenizers import rank_file, tokenizer_json
from typer.testing import CliRunner

from corpusforge import cli
from corpusforge.errors import UsageError
from corpusforge.sample.draw import Draw
from corpusforge.sample.pages import LANGUAGES
from corpusforge.sample.text import plain_text
from corpusforge.tokenize.encoder import Encoder
from corpusforge.tokenize.loading import load_tokenizer
from corpusforge.tokenize.sentencepiece_bpe import TokenizerParameters, train
from corpusforge.train.eval_pack import EvaluationPack, load_pack, make_pack
from corpusforge.train.panel import Panel, Passage
from corpusforge.train.tasks import Item, Task

PANEL = Panel((Passage("b", "Ein Satz – kürzer."), Passage("a", "One sentence.\nTwo.")))
ITEMS = (
    Item("", (("The cat ", "sat"), ("The cat ", "ran off")), ("sat", "ran off"), 1),
    Item("", (("", " A dog."), ("", " Dog a.")), ("A dog.", "Dog a."), 0),
)


@pytest.fixture(scope="module")
def model() -> bytes:
    return train(
        [plain_text(LANGUAGES["en"], Draw(0, "pack"), 20_000)], TokenizerParameters(vocabulary_size=400)
    )


@pytest.fixture(scope="module")
def encoder(model: bytes) -> Encoder:
    return Encoder(model)


@pytest.fixture(scope="module")
def pack(encoder: Encoder) -> EvaluationPack:
    return make_pack(encoder, PANEL, [Task("piqa", ITEMS)])


def request(pack: EvaluationPack, number: int) -> list[int]:
    return [int(one) for one in pack.tokens[pack.offsets[number] : pack.offsets[number + 1]]]


def test_one_prefix_and_spaces_in_the_continuation(pack: EvaluationPack, encoder: Encoder) -> None:
    whole = request(pack, 0)
    assert whole[0] == encoder.eos_id == pack.prefix_id
    assert encoder.eos_id not in whole[1:]
    assert encoder.decode(np.array(whole[1:])) == "The cat sat"
    # The context's trailing space is scored with what follows it.
    assert encoder.decode(np.array(whole[-int(pack.scored[0]) :])).strip() == "sat"
    assert len(whole) - int(pack.scored[0]) == 1 + len(encoder._processor.encode("The cat"))
    # Without a context only the prefix stands before.
    assert len(request(pack, 2)) == 1 + int(pack.scored[2])


def test_panel_tokens_are_those_of_its_texts(pack: EvaluationPack, encoder: Encoder) -> None:
    assert pack.domains == ("a", "b")
    assert pack.panel_domains.tolist() == [1, 0]
    assert pack.panel_bytes.tolist() == [len(one.text.encode()) for one in PANEL.passages]
    first = pack.panel_tokens[: pack.panel_offsets[1]]
    assert encoder.decode(first) == PANEL.passages[0].text


def test_another_prefix(encoder: Encoder) -> None:
    assert make_pack(encoder, PANEL, prefix_id=encoder.bos_id).prefix_id == encoder.bos_id
    with pytest.raises(UsageError, match="no such prefix"):
        make_pack(encoder, PANEL, prefix_id=encoder.vocabulary_size)


def test_equal_packs_are_equal_bytes(pack: EvaluationPack, encoder: Encoder, tmp_path: Path) -> None:
    again = make_pack(encoder, PANEL, [Task("piqa", ITEMS)])
    assert again.dump() == pack.dump()
    (tmp_path / "p.npz").write_bytes(pack.dump())
    assert load_pack(tmp_path / "p.npz").digest == pack.digest


def changed(pack: EvaluationPack, **arrays: Any) -> bytes:
    with np.load(io.BytesIO(pack.dump())) as file:
        content = {name: file[name] for name in file.files}
    stream = io.BytesIO()
    np.savez(stream, **{**content, **arrays})
    return stream.getvalue()


@pytest.mark.parametrize(
    "arrays",
    [
        {"offsets": np.array([0, 5, 3, 9, 12])},
        {"scored": np.array([1])},
        {"scored": np.array([100, 1, 1, 1])},
        {"panel_domains": np.array([0, 7])},
        {"panel_tokens": np.array([999_999], np.uint32)},
        {"facts": np.frombuffer(b"{}", np.uint8)},
        {"facts": np.frombuffer(b"[1]", np.uint8)},
        {"unknown": np.zeros(1)},
    ],
)
def test_damaged_packs_are_refused(pack: EvaluationPack, arrays: Any, tmp_path: Path) -> None:
    (tmp_path / "p.npz").write_bytes(changed(pack, **arrays))
    with pytest.raises(UsageError, match=r"p\.npz"):
        load_pack(tmp_path / "p.npz")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"not a pack"])
def test_other_files_are_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "p.npz").write_bytes(content)
    with pytest.raises(UsageError, match="no evaluation pack"):
        load_pack(tmp_path / "p.npz")


def test_the_command(model: bytes, tmp_path: Path) -> None:
    (tmp_path / "t.model").write_bytes(model)
    (tmp_path / "panel.jsonl").write_bytes(PANEL.lines())
    row = {"goal": "What shines?", "sol1": "the sun", "sol2": "a stone", "label": 0}
    (tmp_path / "piqa.jsonl").write_text(json.dumps(row) + "\n")
    files = ["--tokenizer", str(tmp_path / "t.model"), "--output", str(tmp_path / "p.npz")]
    both = ["--panel", str(tmp_path / "panel.jsonl"), "--tasks", str(tmp_path / "piqa.jsonl")]
    cli._mount()
    done = CliRunner().invoke(cli.app, ["eval-pack", *files, *both])
    assert done.exit_code == 0, done.output
    pack = load_pack(tmp_path / "p.npz")
    assert (len(pack.panel_bytes), pack.tasks) == (2, ("piqa",))
    assert isinstance(CliRunner().invoke(cli.app, ["eval-pack", *files]).exception, UsageError)


@pytest.mark.parametrize("kind", ["json", "tiktoken"])
def test_the_command_with_other_tokenizers(kind: str, tmp_path: Path) -> None:
    (tmp_path / "t").write_bytes(tokenizer_json() if kind == "json" else rank_file())
    (tmp_path / "panel.jsonl").write_bytes(PANEL.lines())
    line = ["eval-pack", "--tokenizer", str(tmp_path / "t"), "--output", str(tmp_path / "p.npz")]
    line += ["--panel", str(tmp_path / "panel.jsonl")]
    cli._mount()
    if kind == "tiktoken":
        assert isinstance(CliRunner().invoke(cli.app, line).exception, UsageError)
        line += ["--scheme", "cl100k"]
    done = CliRunner().invoke(cli.app, line)
    assert done.exit_code == 0, done.output
    used = load_tokenizer((tmp_path / "t").read_bytes(), "cl100k" if kind == "tiktoken" else None)
    pack = load_pack(tmp_path / "p.npz")
    assert (pack.tokenizer, pack.prefix_id, pack.vocabulary_size) == (
        used.sha256,
        used.eos_id,
        used.vocabulary_size,
    )
    assert used.decode(pack.panel_tokens) == "".join(passage.text for passage in PANEL.passages)
