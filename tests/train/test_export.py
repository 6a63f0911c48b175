from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `train` (torch) is not installed")

from toys import LENGTH, VOCABULARY, toy_model, toy_rows, toy_training  # noqa: E402

from corpusforge.errors import UsageError  # noqa: E402
from corpusforge.train.checkpoint import newest_checkpoint  # noqa: E402
from corpusforge.train.export import export, load_model, write_safetensors  # noqa: E402
from corpusforge.train.loop import TrainSettings, train  # noqa: E402
from corpusforge.train.model import Llama, initialize, weights_hash  # noqa: E402


def large(**changes: object) -> Llama:
    """A model whose weights are large enough for its logits to differ."""
    torch.set_num_threads(1)
    model = Llama(toy_model(**changes))
    initialize(model, 0)
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(5 if weight.ndim == 2 else 1.3)
    return model


@pytest.mark.parametrize("changes", [{}, {"tied": False, "key_value_heads": 4, "rope_theta": 500.0}], ids=str)
def test_transformers_computes_the_same_logits(changes: dict[str, object], tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    model = large(**changes)
    export(model, tmp_path, begin=1, end=2)
    theirs, report = transformers.LlamaForCausalLM.from_pretrained(
        str(tmp_path), output_loading_info=True, local_files_only=True
    )
    assert not any(report.values()), report
    tokens = torch.from_numpy(np.random.default_rng(0).integers(0, VOCABULARY, (3, LENGTH)))
    with torch.no_grad():
        expected, found = theirs(tokens).logits, model(tokens)
    assert found.std() > 0.3
    assert (found - expected).abs().max() < 1e-4
    assert theirs.config.eos_token_id == 2


def test_the_library_reads_the_file(tmp_path: Path) -> None:
    safetensors = pytest.importorskip("safetensors.torch", reason="safetensors is not installed")
    weights = {"b": torch.arange(6.0).reshape(2, 3).t(), "a": torch.tensor([1.5])}
    write_safetensors(tmp_path / "some.safetensors", weights)
    found = safetensors.load_file(tmp_path / "some.safetensors")
    assert sorted(found) == ["a", "b"]
    assert all(torch.equal(found[name], weights[name]) for name in weights)


def test_the_layout_is_the_published_one(tmp_path: Path) -> None:
    write_safetensors(tmp_path / "some", {"b": torch.tensor([[1.0, 2.0]]), "a": torch.tensor([3.0])})
    data = (tmp_path / "some").read_bytes()
    size = int.from_bytes(data[:8], "little")
    assert size % 8 == 0
    header = json.loads(data[8 : 8 + size])
    assert header["a"] == {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
    assert header["b"] == {"dtype": "F32", "shape": [1, 2], "data_offsets": [4, 12]}
    assert np.frombuffer(data[8 + size :], "<f4").tolist() == [3.0, 1.0, 2.0]


def test_a_checkpoint_becomes_its_model(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    training = toy_training(2)
    result = train(
        TrainSettings(toy_rows(), toy_model(), training, tmp_path / "run", device="cpu", measure=False)
    )
    model = load_model(newest_checkpoint(tmp_path / "run"))
    assert weights_hash(model) == weights_hash(result.model)
    export(model, tmp_path / "public")
    assert json.loads((tmp_path / "public" / "config.json").read_text())["num_key_value_heads"] == 2
    with pytest.raises(UsageError, match="holds a model"):
        export(model, tmp_path / "public")


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"\x0a\x0epieces", "tokenizer.model"),
        (b' {"version": "1.0"}', "tokenizer.json"),
        (b"IQ== 0\nIg== 1\n", "tokenizer.tiktoken"),
    ],
)
def test_a_tokenizer_lies_beside_the_model_under_its_kinds_name(
    data: bytes, name: str, tmp_path: Path
) -> None:
    (tmp_path / "some.file").write_bytes(data)
    export(large(), tmp_path / "public", tokenizer=tmp_path / "some.file")
    kept = {path.name for path in (tmp_path / "public").iterdir()}
    assert kept == {"config.json", "model.safetensors", name}
    assert (tmp_path / "public" / name).read_bytes() == data
    with pytest.raises(UsageError, match="cannot be read"):
        export(large(), tmp_path / "other", tokenizer=tmp_path / "none.json")


def test_transformers_loads_the_tokenizer_json_beside_the_model(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    tokenizers = pytest.importorskip("tokenizers", reason="tokenizers is not installed")
    made = tokenizers.Tokenizer(tokenizers.models.BPE())
    made.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = tokenizers.decoders.ByteLevel()
    alphabet = tokenizers.pre_tokenizers.ByteLevel.alphabet()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=300, special_tokens=["<|endoftext|>"], initial_alphabet=alphabet, show_progress=False
    )
    made.train_from_iterator(["the cat and the hat"] * 9, trainer)
    made.save(str(tmp_path / "mine"))
    export(large(), tmp_path / "public", end=0, tokenizer=tmp_path / "mine")
    theirs = transformers.AutoTokenizer.from_pretrained(str(tmp_path / "public"), local_files_only=True)
    text = "The cat's hat, and 7 others"
    assert theirs(text, add_special_tokens=False)["input_ids"] == made.encode(text).ids
