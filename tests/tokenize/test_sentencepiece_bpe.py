from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from corpusforge.document import document_id
from corpusforge.errors import MissingModelError, RunFailedError, UsageError
from corpusforge.operations import DocumentReader
from corpusforge.step import LiveRows, RunContext
from corpusforge.texts import Texts
from corpusforge.tokenize.encoder import Encoder
from corpusforge.tokenize.sample import TokenizerSample, select
from corpusforge.tokenize.sentencepiece_bpe import (
    MODEL_NAME,
    NO_TOKENIZER,
    RESERVED,
    TokenizerParameters,
    TrainTokenizer,
    sentences,
    train,
)

SMALL = TokenizerParameters(vocabulary_size=400, character_coverage=1.0, sample_bytes=3000)
RECIPES = Path(__file__).parent.parent.parent / "tokenizers"


def documents(count: int = 200) -> list[tuple[str, str]]:
    return [
        (f"s{number % 2}", f"The quick brown fox number {number}\njumps over été {number * 7} dogs.\n")
        for number in range(count)
    ]


class Batches(DocumentReader):
    def __init__(self, given: list[tuple[str, str]], size: int) -> None:
        self.given, self.size = given, size

    def __iter__(self) -> Iterator[LiveRows]:
        for first in range(0, len(self.given), self.size):
            part = self.given[first : first + self.size]
            yield LiveRows(
                Texts.from_strings([text for _, text in part]),
                {
                    "id": pa.array([document_id(*document) for document in part], pa.binary(16)),
                    "source": pa.array([source for source, _ in part], pa.string()),
                },
            )


def context(given: list[tuple[str, str]]) -> RunContext:
    folder = TokenizerSample(5, SMALL.sample_bytes, bins=1024)
    (rows,) = Batches(given, len(given))
    return RunContext(seed=5, values={"tokenizer_sample": folder.finish(folder.partial(rows))})


@given(st.text(st.sampled_from("aé漢🙂 \n\r▅"), max_size=80), st.integers(4, 30))
@settings(max_examples=500, deadline=None)
def test_sentences_lose_only_what_they_say(text: str, maximum: int) -> None:
    parts = list(sentences(text, maximum))
    assert all(0 < len(part.encode()) <= maximum for part in parts)
    assert all(RESERVED not in part and "\n" not in part for part in parts)
    dropped = str.maketrans("", "", " \n\r▅")
    assert "".join(parts).translate(dropped) == text.translate(dropped)
    if all(len(line.encode()) <= maximum for line in text.split("\n")):
        lines = [line.rstrip("\r") for line in text.replace(RESERVED, "\n").split("\n")]
        assert parts == [line for line in lines if line]


def test_long_lines_are_cut_at_spaces() -> None:
    assert list(sentences("aaa bbb ccc", 7)) == ["aaa bbb", "ccc"]
    assert list(sentences("aaa bbb ccc", 6)) == ["aaa", "bbb", "ccc"]
    assert list(sentences("ab" * 5, 4)) == ["abab", "abab", "ab"]
    assert list(sentences("é漢🙂" * 2, 4)) == ["é", "漢", "🙂"] * 2


def test_sentencepiece_takes_every_sentence(capfd: pytest.CaptureFixture[str]) -> None:
    """Its own log says how many sentences it loaded and skipped: none may be missing."""
    from sentencepiece import SentencePieceTrainer

    texts = ["word " * 5000, "x" * 9000, f"before {RESERVED} after", "tab\there", "nul\0here", " ", "a\r\nb"]
    texts += [text for _, text in documents()]
    parts = [part for text in texts for part in sentences(text, 4192)]
    SentencePieceTrainer.train(
        minloglevel=0,
        sentence_iterator=iter(parts),
        model_writer=io.BytesIO(),
        vocab_size=400,
        model_type="bpe",
        byte_fallback=True,
        hard_vocab_limit=False,
        max_sentence_length=4192,
        remove_extra_whitespaces=False,
    )
    log = capfd.readouterr().err
    assert f"Loaded all {len(parts)} sentences" in log
    assert "kipped" not in log


def test_equal_texts_give_equal_bytes_in_any_process() -> None:
    texts = [text for _, text in documents()]
    model = train(texts, SMALL)
    assert train(texts, SMALL) == model
    code = (
        "import sys, hashlib; sys.path.insert(0, sys.argv[1]); "
        "from corpusforge.tokenize.sentencepiece_bpe import *; "
        "parameters = TokenizerParameters(vocabulary_size=400, character_coverage=1.0, sample_bytes=3000); "
        "texts = sys.stdin.read().split('|')[:-1]; "
        "print(hashlib.sha256(train(texts, parameters)).hexdigest())"
    )
    root = str(Path(__file__).parent.parent.parent)
    result = subprocess.run(
        [sys.executable, "-c", code, root],
        input="".join(text + "|" for text in texts),
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "77"},
    )
    assert result.stdout.strip() == hashlib.sha256(model).hexdigest()


def test_parameters_reach_the_model() -> None:
    encoder = Encoder(train([text for _, text in documents()], SMALL))
    pieces = {piece for piece, _ in encoder.file.pieces}
    assert encoder.vocabulary_size <= 400
    assert (encoder.unknown_id, encoder.bos_id, encoder.eos_id, encoder.pad_id) == (0, 1, 2, -1)
    assert "▁quick" in pieces
    assert not any(sum(character.isdigit() for character in piece) > 1 for piece in pieces if piece[0] != "<")
    changed = TokenizerParameters(
        vocabulary_size=400, pad_id=3, control_symbols=["<fim>"], split_digits=False
    )
    other = Encoder(train([text for _, text in documents()], changed))
    assert other.pad_id == 3
    assert "<fim>" in {piece for piece, _ in other.file.pieces}


def test_what_cannot_be_trained_on() -> None:
    with pytest.raises(RunFailedError, match="could not be trained"):
        train([], SMALL)
    with pytest.raises(RunFailedError, match="could not be trained"):
        train(["".join(chr(0x4E00 + number) for number in range(900))], SMALL)
    with pytest.raises(ValidationError):
        TokenizerParameters.model_validate({"vocabulary_size": 400, "threads": 4})


def test_the_task_trains_on_the_sample_whatever_the_order_of_shards(tmp_path: Path) -> None:
    given = documents()
    values = []
    for name, order, size in (("a", given, 200), ("b", given[::-1], 13)):
        (tmp_path / name).mkdir()
        task = TrainTokenizer(SMALL)
        values.append(task.run(context(given), Batches(order, size), tmp_path / name))
    assert values[0] == values[1]
    data = (tmp_path / "a" / MODEL_NAME).read_bytes()
    assert (tmp_path / "b" / MODEL_NAME).read_bytes() == data
    (rows,) = Batches(given, 200)
    mask = select(rows, context(given).values["tokenizer_sample"])
    sizes = [len(text.encode()) for taken, (_, text) in zip(mask, given, strict=True) if taken]
    assert 0 < len(sizes) < 200
    assert values[0] == {
        "sha256": hashlib.sha256(data).hexdigest(),
        "vocabulary_size": Encoder(data).vocabulary_size,
        "end_id": 2,
        "padding_id": 2,
        "documents": len(sizes),
        "bytes": sum(sizes),
    }


def test_a_corpus_of_which_nothing_was_kept_has_no_tokenizer(tmp_path: Path) -> None:
    value = TrainTokenizer(SMALL).run(context(documents()), Batches([], 1), tmp_path)
    assert value == NO_TOKENIZER
    assert list(tmp_path.iterdir()) == []


def test_the_task_copies_a_model(tmp_path: Path) -> None:
    model = train([text for _, text in documents()], SMALL)
    (tmp_path / "given.model").write_bytes(model)
    (tmp_path / "out").mkdir()
    task = TrainTokenizer(TokenizerParameters(model=str(tmp_path / "given.model")), None)
    value = task.run(RunContext(), Batches([], 1), tmp_path / "out")
    assert (tmp_path / "out" / MODEL_NAME).read_bytes() == model
    assert (value["documents"], value["bytes"]) == (0, 0)


def test_models_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="needs a sample"):
        TrainTokenizer(SMALL, None)
    missing = TokenizerParameters(model=str(tmp_path / "missing.model"))
    with pytest.raises(MissingModelError):
        TrainTokenizer(missing, None).run(RunContext(), Batches([], 1), tmp_path)
    (tmp_path / "bad.model").write_bytes(b"text")
    with pytest.raises(UsageError, match="not a SentencePiece model"):
        TrainTokenizer(TokenizerParameters(model=str(tmp_path / "bad.model")), None).run(
            RunContext(), Batches([], 1), tmp_path
        )
    endless = TokenizerParameters(vocabulary_size=400, end_id=-1)
    (tmp_path / "endless.model").write_bytes(train([text for _, text in documents()], endless))
    with pytest.raises(UsageError, match="no end-of-text token"):
        TrainTokenizer(TokenizerParameters(model=str(tmp_path / "endless.model")), None).run(
            RunContext(), Batches([], 1), tmp_path
        )
    assert not (tmp_path / MODEL_NAME).exists()


def test_the_recipe_is_valid_and_is_the_default() -> None:
    recipe = yaml.safe_load((RECIPES / "llama_bpe.yaml").read_text())
    assert set(recipe) == {"name", "source", "parameters"}
    assert TokenizerParameters.model_validate(recipe["parameters"]) == TokenizerParameters()
