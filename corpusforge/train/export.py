"""Export: a checkpoint as a Hugging Face LLaMA folder, `config.json` and `model.safetensors`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from corpusforge.atomic_file import AtomicFile, write_atomically
from corpusforge.errors import UsageError
from corpusforge.tokenize.loading import file_name_of
from corpusforge.train.checkpoint import load_checkpoint
from corpusforge.train.model import Llama, ModelConfig

PARTS = {
    "attention_norm": "input_layernorm",
    "attention.query": "self_attn.q_proj",
    "attention.key": "self_attn.k_proj",
    "attention.value": "self_attn.v_proj",
    "attention.output": "self_attn.o_proj",
    "feed_norm": "post_attention_layernorm",
    "feed.gate": "mlp.gate_proj",
    "feed.up": "mlp.up_proj",
    "feed.down": "mlp.down_proj",
}
"""Parts of a block here and in transformers' LlamaForCausalLM; the matrices are the same, rotary halves included."""


def load_model(path: Path) -> Llama:
    """The model of a checkpoint, on the CPU, in float32.

    Raises `UsageError` where there is none, and `RunFailedError` for a damaged file.
    """
    state = load_checkpoint(path)
    model = Llama(ModelConfig(**state["settings"]["model"]))
    model.load_state_dict(state["model"])
    return model


def public_names(config: ModelConfig) -> dict[str, str]:
    """Name of each weight here to its name in transformers."""
    names = {"embedding.weight": "model.embed_tokens.weight", "norm.weight": "model.norm.weight"}
    if not config.tied:
        names["head.weight"] = "lm_head.weight"
    for layer in range(config.layers):
        for part, public in PARTS.items():
            names[f"blocks.{layer}.{part}.weight"] = f"model.layers.{layer}.{public}.weight"
    return names


def public_config(config: ModelConfig, begin: int | None, end: int | None) -> dict[str, Any]:
    """What `config.json` says. The rotary base stands in both places where versions of transformers look."""
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": config.vocabulary_size,
        "hidden_size": config.width,
        "intermediate_size": config.hidden,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "num_key_value_heads": config.key_value_heads,
        "head_dim": config.head_size,
        "hidden_act": "silu",
        "max_position_embeddings": config.context,
        "rms_norm_eps": config.norm_epsilon,
        "rope_theta": config.rope_theta,
        "rope_parameters": {"rope_type": "default", "rope_theta": config.rope_theta},
        "attention_bias": False,
        "attention_dropout": 0.0,
        "mlp_bias": False,
        "tie_word_embeddings": config.tied,
        "initializer_range": 0.02,
        "bos_token_id": begin,
        "eos_token_id": end,
        "use_cache": True,
        "torch_dtype": "float32",
    }


def export(
    model: Llama,
    folder: Path,
    begin: int | None = None,
    end: int | None = None,
    tokenizer: Path | None = None,
) -> None:
    """Write a folder that ``LlamaForCausalLM.from_pretrained`` reads, weights in float32.

    `begin` and `end` are the ids of the tokens around documents; `tokenizer` is a file to lie beside it: a
    SentencePiece model as ``tokenizer.model``, Hugging Face's as ``tokenizer.json``, tiktoken's ranks as
    ``tokenizer.tiktoken``. Raises `UsageError` when the folder holds a model already, and for a tokenizer that cannot
    be read.
    """
    if (folder / "model.safetensors").exists():
        raise UsageError(f"{folder} holds a model already")
    try:
        ids = None if tokenizer is None else tokenizer.read_bytes()
    except OSError as error:
        raise UsageError(f"{tokenizer} cannot be read: {error}") from error
    folder.mkdir(parents=True, exist_ok=True)
    names = public_names(model.config)
    weights = {names[name]: weight for name, weight in model.named_parameters()}
    if ids is not None:
        write_atomically(folder / file_name_of(ids), ids)
    config = json.dumps(public_config(model.config, begin, end), indent=2) + "\n"
    write_atomically(folder / "config.json", config.encode())
    write_safetensors(folder / "model.safetensors", weights)


def write_safetensors(path: Path, weights: Mapping[str, Tensor]) -> None:
    """Write float32 tensors in the safetensors format.

    uint64 length of the header, little-endian; the header, JSON padded with spaces to 8 bytes; the tensors, row
    by row, one after the other in the order of their names (layout: README of huggingface/safetensors).
    """
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    place = 0
    ordered = sorted(weights.items())
    for name, weight in ordered:
        size = 4 * weight.numel()
        header[name] = {"dtype": "F32", "shape": list(weight.shape), "data_offsets": [place, place + size]}
        place += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with AtomicFile(path) as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for _, weight in ordered:
            values = weight.detach().to("cpu", torch.float32).numpy()
            file.write(np.ascontiguousarray(values, "<f4").tobytes())
        file.commit(0)
