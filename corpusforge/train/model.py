"""A LLaMA-style language model in one file: what is computed, its loss, and its first weights.

Pre-norm RMSNorm, rotary positions, SwiGLU, grouped-query attention, no biases (Touvron et al. 2023,
arXiv 2302.13971, section 2.2; Ainslie et al. 2023, arXiv 2305.13245). The rotary halves lie as in Hugging Face's
implementation, so weights can be copied both ways without a permutation.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as functional
from torch import Tensor, nn

ChunkLoss = Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]
"""(states, weight, targets) to the summed loss and its gradient by the logits: `chunk_loss`."""

CHUNK = 4096
"""Predictions whose logits exist at a time: 4,096 x 32,768 float32 are half a GiB."""

INITIAL_DEVIATION = 0.02
"""Standard deviation of first weights; those that write to the residual get this / sqrt(2 x layers), as in GPT-2."""


@dataclass(frozen=True)
class ModelConfig:
    """The shape of a model. `hidden` is the width inside the SwiGLU; `context` the longest sequence."""

    vocabulary_size: int
    layers: int
    width: int
    heads: int
    key_value_heads: int
    hidden: int
    context: int
    rope_theta: float = 10000.0
    tied: bool = True
    norm_epsilon: float = 1e-5

    def __post_init__(self) -> None:
        """Raise `ValueError` for a shape that no model can have."""
        numbers = (
            self.vocabulary_size, self.layers, self.width, self.heads, self.key_value_heads, self.hidden,
            self.context,
        )  # fmt: skip
        if min(numbers) < 1 or self.rope_theta <= 0 or self.norm_epsilon <= 0:
            raise ValueError(f"every number of a model's shape must be positive: {self}")
        if self.width % self.heads or (self.width // self.heads) % 2:
            raise ValueError(f"width {self.width} is not {self.heads} heads of an even size")
        if self.heads % self.key_value_heads:
            raise ValueError(f"{self.heads} heads do not share {self.key_value_heads} key-value heads evenly")

    @property
    def head_size(self) -> int:
        """Width of one head."""
        return self.width // self.heads

    @property
    def block_parameters(self) -> int:
        """Parameters without embeddings and head (the N of Kaplan et al. and of Step Law)."""
        attention = 2 * self.width * self.head_size * (self.heads + self.key_value_heads)
        return self.layers * (attention + 3 * self.width * self.hidden + 2 * self.width) + self.width

    @property
    def parameters(self) -> int:
        """All parameters, a tied embedding once."""
        return self.block_parameters + (1 if self.tied else 2) * self.vocabulary_size * self.width

    @property
    def flops_per_token(self) -> int:
        """Floating-point operations to train on one token, as PaLM counts them (arXiv 2204.02311, appendix B).

        6 per parameter of a matrix product (the head counts, looking up an embedding does not), and
        12 x layers x width x context for attention, not halved for the causal mask.
        """
        norms = (2 * self.layers + 1) * self.width
        matrices = self.block_parameters - norms + self.vocabulary_size * self.width
        return 6 * matrices + 12 * self.layers * self.width * self.context


class RMSNorm(nn.Module):
    """x / sqrt(mean(x²) + ε) x weight, computed in float32 (Zhang and Sennrich 2019, arXiv 1910.07467)."""

    def __init__(self, width: int, epsilon: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.epsilon = epsilon

    def forward(self, states: Tensor) -> Tensor:
        """Normalize the last axis of [..., width]; the type stays."""
        wide = states.float()
        wide = wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + self.epsilon)
        return self.weight.to(states.dtype) * wide.to(states.dtype)


def rotations(config: ModelConfig) -> tuple[Tensor, Tensor]:
    """Cosines and sines float32[context, head size] of rotary positions (Su et al. 2021, arXiv 2104.09864)."""
    half = np.arange(0, config.head_size, 2, dtype=np.float64) / config.head_size
    angles = np.outer(np.arange(config.context, dtype=np.float64), config.rope_theta**-half)
    angles = np.concatenate([angles, angles], axis=1)
    return torch.from_numpy(np.cos(angles).astype(np.float32)), torch.from_numpy(
        np.sin(angles).astype(np.float32)
    )


def rotate(states: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
    """Turn [B, heads, T, head size] by the angles [T, head size] of its positions."""
    first, second = states.chunk(2, dim=-1)
    return states * cosines + torch.cat([-second, first], dim=-1) * sines


class Attention(nn.Module):
    """Causal attention in which groups of query heads share keys and values."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.heads, self.key_value_heads = config.heads, config.key_value_heads
        shared = config.key_value_heads * config.head_size
        self.query = nn.Linear(config.width, config.width, bias=False)
        self.key = nn.Linear(config.width, shared, bias=False)
        self.value = nn.Linear(config.width, shared, bias=False)
        self.output = nn.Linear(config.width, config.width, bias=False)

    def forward(self, states: Tensor, cosines: Tensor, sines: Tensor, mask: Tensor | None) -> Tensor:
        """[B, T, width] to [B, T, width]; `mask` bool[B, 1, T, T] is True where a query sees a key."""
        batch, length, width = states.shape
        query = self.query(states).view(batch, length, self.heads, -1).transpose(1, 2)
        key = self.key(states).view(batch, length, self.key_value_heads, -1).transpose(1, 2)
        value = self.value(states).view(batch, length, self.key_value_heads, -1).transpose(1, 2)
        mixed = functional.scaled_dot_product_attention(
            rotate(query, cosines, sines),
            rotate(key, cosines, sines),
            value,
            attn_mask=mask,
            is_causal=mask is None,
            enable_gqa=self.heads != self.key_value_heads,
        )
        return self.output(mixed.transpose(1, 2).reshape(batch, length, width))


class SwiGLU(nn.Module):
    """down(silu(gate(x)) x up(x)) (Shazeer 2020, arXiv 2002.05202)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.gate = nn.Linear(config.width, config.hidden, bias=False)
        self.up = nn.Linear(config.width, config.hidden, bias=False)
        self.down = nn.Linear(config.hidden, config.width, bias=False)

    def forward(self, states: Tensor) -> Tensor:
        """[B, T, width] to [B, T, width]."""
        return self.down(functional.silu(self.gate(states)) * self.up(states))


class Block(nn.Module):
    """One layer: attention and SwiGLU, each normalized before and added after."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.attention_norm = RMSNorm(config.width, config.norm_epsilon)
        self.attention = Attention(config)
        self.feed_norm = RMSNorm(config.width, config.norm_epsilon)
        self.feed = SwiGLU(config)

    def forward(self, states: Tensor, cosines: Tensor, sines: Tensor, mask: Tensor | None) -> Tensor:
        """[B, T, width] to [B, T, width]."""
        states = states + self.attention(self.attention_norm(states), cosines, sines, mask)
        return states + self.feed(self.feed_norm(states))


class Llama(nn.Module):
    """The model. Weights are float32; under autocast the matrix products are bfloat16."""

    cosines: Tensor
    sines: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocabulary_size, config.width)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = RMSNorm(config.width, config.norm_epsilon)
        self.head = None if config.tied else nn.Linear(config.width, config.vocabulary_size, bias=False)
        self.chunk_loss: ChunkLoss = chunk_loss
        """Loss and gradient of one chunk; the loop puts a compiled one here."""
        cosines, sines = rotations(config)
        self.register_buffer("cosines", cosines, persistent=False)
        self.register_buffer("sines", sines, persistent=False)

    @property
    def head_weight(self) -> Tensor:
        """float[V, width]: the embedding's own weight when tied."""
        return self.embedding.weight if self.head is None else self.head.weight

    def hidden(self, tokens: Tensor, documents: Tensor | None = None) -> Tensor:
        """Normalized states [B, T, width] for `tokens` int[B, T].

        With `documents` int[B, T] (a number per token, -1 for padding) a token sees only its own document.
        Raises `ValueError` for sequences longer than the context.
        """
        length = tokens.shape[1]
        if length > self.config.context:
            raise ValueError(f"{length} tokens do not fit a context of {self.config.context}")
        states = self.embedding(tokens)
        if torch.is_autocast_enabled(states.device.type):
            states = states.to(torch.get_autocast_dtype(states.device.type))
        cosines, sines = self.cosines[:length].to(states.dtype), self.sines[:length].to(states.dtype)
        mask = None if documents is None else document_mask(documents)
        for block in self.blocks:
            states = block(states, cosines, sines, mask)
        return self.norm(states)

    def forward(self, tokens: Tensor, documents: Tensor | None = None) -> Tensor:
        """Logits [B, T, V] for `tokens` int[B, T]; position t predicts token t + 1. See `hidden`."""
        return functional.linear(self.hidden(tokens, documents), self.head_weight)

    def loss(
        self,
        tokens: Tensor,
        documents: Tensor | None = None,
        reduction: str = "mean",
        ignore: Tensor | None = None,
        chunk: int = CHUNK,
    ) -> Tensor:
        """Cross-entropy in nats of predicting `tokens` int[B, T + 1] from those before, without all logits at once.

        `documents` int[B, T + 1] masks attention and, where it is -1 (padding), the prediction; `ignore`
        bool[B, T] leaves out further predictions without masking attention. `reduction`: "mean" over what is
        predicted (NaN if that is nothing), "sum" (both float32 scalars), or "none" (float32[B, T], 0 where left
        out). Raises `ValueError` for another reduction.
        """
        targets = tokens[:, 1:].long()
        if documents is not None:
            targets = targets.masked_fill(documents[:, 1:] < 0, -100)
        if ignore is not None:
            targets = targets.masked_fill(ignore, -100)
        states = self.hidden(tokens[:, :-1], None if documents is None else documents[:, :-1])
        states, flat = states.reshape(-1, states.shape[-1]), targets.reshape(-1)
        if reduction == "none":
            return _each_loss(states, self.head_weight, flat, chunk).view(targets.shape)
        total = SummedCrossEntropy.apply(states, self.head_weight, flat, chunk, self.chunk_loss)
        if reduction == "sum":
            return total
        if reduction == "mean":
            return total / (flat >= 0).sum()
        raise ValueError(f'reduction must be "mean", "sum" or "none", not {reduction!r}')


def document_mask(documents: Tensor) -> Tensor:
    """bool[B, 1, T, T] from document numbers int[B, T]: causal, and inside one document."""
    same = documents[:, None, :, None] == documents[:, None, None, :]
    return same & torch.ones(same.shape[-2:], dtype=torch.bool, device=documents.device).tril()


def _each_loss(states: Tensor, weight: Tensor, targets: Tensor, chunk: int) -> Tensor:
    """Loss float32[n] of each prediction from states [n, width] and targets int64[n] (-100: none, 0)."""
    pieces = [
        functional.cross_entropy(
            functional.linear(states[begin : begin + chunk], weight).float(),
            targets[begin : begin + chunk],
            reduction="none",
        )
        for begin in range(0, len(targets), chunk)
    ]
    return torch.cat(pieces)


def chunk_loss(states: Tensor, weight: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Summed loss (float32 scalar) of one chunk and its gradient by the logits [n, V], in the states' type."""
    logits = functional.linear(states, weight).float()
    peak = logits.amax(-1, keepdim=True)
    normalizer = peak + (logits - peak).exp().sum(-1, keepdim=True).log()
    wanted = (targets >= 0)[:, None]
    places = targets.clamp(min=0)[:, None]
    loss = torch.where(wanted, normalizer - logits.gather(-1, places), 0.0).sum()
    gradient = (logits - normalizer).exp()
    gradient = gradient - torch.zeros_like(gradient).scatter_(-1, places, 1.0)
    return loss, torch.where(wanted, gradient, 0.0).to(states.dtype)


class SummedCrossEntropy(torch.autograd.Function):
    """Sum of cross-entropies whose gradients are made chunk by chunk on the way forward.

    The logits of one chunk exist at a time and are never computed twice. (The idea is Liger Kernel's fused
    linear cross-entropy, arXiv 2410.10989, section 3.2; here in plain PyTorch.)
    """

    @staticmethod
    def forward(
        context: Any, states: Tensor, weight: Tensor, targets: Tensor, chunk: int, one_chunk: ChunkLoss
    ) -> Tensor:
        """Loss float32 scalar of states [n, width] against targets int64[n] (-100: left out)."""
        device = states.device.type
        if torch.is_autocast_enabled(device):
            kind = torch.get_autocast_dtype(device)
            cast_states, cast_weight = states.to(kind), weight.to(kind)
        else:
            cast_states, cast_weight = states, weight
        total = torch.zeros((), dtype=torch.float32, device=states.device)
        needed = context.needs_input_grad[0] or context.needs_input_grad[1]
        states_gradient = torch.empty_like(cast_states) if needed else None
        weight_gradient = torch.zeros_like(weight, dtype=torch.float32) if needed else None
        with torch.no_grad(), torch.autocast(device, enabled=False):
            for begin in range(0, len(targets), chunk):
                end = begin + chunk
                loss, gradient = one_chunk(cast_states[begin:end], cast_weight, targets[begin:end])
                total += loss
                if states_gradient is not None and weight_gradient is not None:
                    states_gradient[begin:end] = gradient @ cast_weight
                    weight_gradient += gradient.t() @ cast_states[begin:end]
        context.save_for_backward(states_gradient, weight_gradient)
        context.types = states.dtype, weight.dtype
        return total

    @staticmethod
    def backward(context: Any, upstream: Tensor) -> tuple[Tensor, Tensor, None, None, None]:
        """Scale what was made on the way forward."""
        states_gradient, weight_gradient = context.saved_tensors
        states_type, weight_type = context.types
        return (
            (states_gradient * upstream).to(states_type),
            (weight_gradient * upstream).to(weight_type),
            None,
            None,
            None,
        )


def initialize(model: Llama, seed: int) -> None:
    """Set every weight as a function of (seed, its name, its shape): the same bits on every device.

    Normal with deviation 0.02 from numpy's Philox, matrices that write to the residual / sqrt(2 x layers);
    norms are 1.
    """
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.ndim == 1:
                weight.fill_(1.0)
                continue
            key = hashlib.blake2b(f"{seed}\0{name}".encode(), digest_size=16).digest()
            generator = np.random.Generator(np.random.Philox(key=int.from_bytes(key, "little")))
            values = generator.standard_normal(tuple(weight.shape), dtype=np.float32)
            residual = name.endswith(("attention.output.weight", "feed.down.weight"))
            scale = INITIAL_DEVIATION / (math.sqrt(2 * model.config.layers) if residual else 1.0)
            weight.copy_(torch.from_numpy(values * np.float32(scale)))


def weights_hash(model: nn.Module) -> str:
    """SHA-256 in hex over names, shapes and bytes of all weights, in order of their names."""
    digest = hashlib.sha256()
    for name, weight in sorted(model.named_parameters()):
        values = np.ascontiguousarray(weight.detach().cpu().numpy())
        digest.update(f"{name}\0{values.shape}\0{values.dtype}\0".encode())
        digest.update(values.tobytes())
    return digest.hexdigest()
