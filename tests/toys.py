"""Toy rows and settings for tests of the trainer."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from corpusforge.train.data import TokenRows
from corpusforge.train.model import ModelConfig
from corpusforge.train.settings import TrainConfig

VOCABULARY = 61
LENGTH = 16


def toy_rows(count: int = 120, seed: int = 0) -> TokenRows:
    """Rows in which the next token is one of three: there is something to learn. Three documents a row, padding."""
    steps = np.random.default_rng(seed).integers(0, 3, (count, LENGTH + 1))
    tokens = (np.cumsum(steps, 1) % VOCABULARY).astype(np.uint32)
    boundaries = [np.array([0, 5, 9, LENGTH - row % 3], np.int32) for row in range(count)]
    columns = [{"source": "even" if row % 2 == 0 else "odd"} for row in range(count)]
    return TokenRows(tokens, boundaries, columns)


def toy_model(**changes: Any) -> ModelConfig:
    """Two small layers with grouped queries."""
    base = ModelConfig(VOCABULARY, layers=2, width=16, heads=4, key_value_heads=2, hidden=24, context=LENGTH)
    return dataclasses.replace(base, **changes)


def toy_training(steps: int = 10, **changes: Any) -> TrainConfig:
    """`steps` steps of eight rows."""
    base = TrainConfig(tokens=steps * 8 * LENGTH, batch=8, learning_rate=1e-2)
    return dataclasses.replace(base, **changes)
