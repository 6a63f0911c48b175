"""One dial: the name of a size gives a model's shape, and its learning rate and batch follow from that."""

from __future__ import annotations

from dataclasses import dataclass

from corpusforge.errors import UsageError
from corpusforge.train.model import ModelConfig
from corpusforge.train.settings import TrainConfig

TOKENS_PER_PARAMETER = 20
"""Tokens where none are given: about what Hoffmann et al. 2022 (arXiv 2203.15556, table 3) find best for compute."""

LARGEST_RATE = 1e-2
"""Step Law was fitted to models of 60 M parameters and more; below, its rates would go on rising."""


@dataclass(frozen=True)
class Shape:
    """Layers, width, heads and the width inside the SwiGLU."""

    layers: int
    width: int
    heads: int
    hidden: int


SIZES = {
    "1m": Shape(4, 128, 4, 352),
    "3m": Shape(5, 192, 6, 512),
    "13m": Shape(6, 256, 4, 704),
    "27m": Shape(8, 384, 6, 1024),
    "42m": Shape(8, 512, 8, 1408),
    "71m": Shape(10, 640, 10, 1728),
    "124m": Shape(12, 768, 12, 2048),
    "350m": Shape(24, 1024, 16, 2816),
    "760m": Shape(24, 1536, 16, 4096),
    "1.5b": Shape(28, 2048, 16, 5632),
}
"""Names count parameters with a tied embedding of 32,768 tokens; 1m and 3m of 4,000, 124m of GPT-2's 50,257."""


def configuration(
    size: str, vocabulary_size: int, context: int, tokens: int | None = None
) -> tuple[ModelConfig, TrainConfig]:
    """Shape and training of a size by name; change what you like with `dataclasses.replace` or `override`.

    `tokens` defaults to 20 per parameter. Learning rate and batch are Step Law's optima (Li et al. 2025, arXiv
    2503.04715: 1.79 N^-0.713 D^0.307, and 0.58 D^0.571 tokens), N without embeddings, the rate at most 0.01.
    Raises `UsageError` for an unknown size and `ValueError` for a vocabulary or context below 1.
    """
    shape = SIZES.get(size.lower())
    if shape is None:
        raise UsageError(f"there is no size {size!r}, only {', '.join(SIZES)}")
    model = ModelConfig(
        vocabulary_size, shape.layers, shape.width, shape.heads, shape.heads, shape.hidden, context
    )
    total = TOKENS_PER_PARAMETER * model.parameters if tokens is None else tokens
    if total < 1:
        raise UsageError(f"training needs at least one token, not {total}")
    rate = min(1.79 * model.block_parameters**-0.713 * total**0.307, LARGEST_RATE)
    batch = max(1, round(0.58 * total**0.571 / context))
    # Three digits: what is printed is what is used.
    return model, TrainConfig(tokens=total, batch=batch, learning_rate=float(f"{rate:.2e}"))
