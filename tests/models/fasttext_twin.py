"""A writer of small fastText model files, and prediction written down slowly from fastText's rules."""

from __future__ import annotations

import math
import re
import struct
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

HIERARCHICAL, NEGATIVE_SAMPLING, SOFTMAX, ONE_AGAINST_ALL = 1, 2, 3, 4


@dataclass
class Twin:
    """A model as Python values; `pruned` maps kept buckets to rows behind the words', None keeps all buckets."""

    words: list[bytes]
    labels: list[str]
    counts: list[int]
    matrix: npt.NDArray[np.float32]
    output: npt.NDArray[np.float32]
    layer: int = HIERARCHICAL
    buckets: int = 50
    shortest: int = 2
    longest: int = 4
    word_ngrams: int = 1
    pruned: dict[int, int] | None = None

    def file(self) -> bytes:
        """The bytes of a ``.bin`` file, or of an ``.ftz`` file where buckets are pruned."""
        dimension = self.matrix.shape[1]
        parts = [struct.pack("<ii", 793712314, 12)]
        settings = (self.word_ngrams, self.layer, 3, self.buckets, self.shortest, self.longest)
        parts.append(struct.pack("<12id", dimension, 5, 5, 1, 5, *settings, 100, 1e-4))
        size = len(self.words) + len(self.labels)
        pruned = -1 if self.pruned is None else len(self.pruned)
        parts.append(struct.pack("<iiiqq", size, len(self.words), len(self.labels), 100, pruned))
        parts += [word + b"\0" + struct.pack("<qb", 1, 0) for word in self.words]
        for label, count in zip(self.labels, self.counts):
            parts.append(b"__label__" + label.encode() + b"\0" + struct.pack("<qb", count, 1))
        parts += [struct.pack("<ii", *pair) for pair in (self.pruned or {}).items()]
        if self.pruned is None:
            parts.append(b"\0" + dense(self.matrix))
        else:
            parts.append(b"\1" + quantised(self.matrix))
        parts.append(b"\0" + dense(self.output))
        return b"".join(parts)

    def rows(self, line: bytes) -> list[int]:
        """Rows of the input matrix for one line and its end, in fastText's order."""
        found: list[int] = []
        hashes: list[int] = []
        for token in [*(token for token in re.split(rb"[ \t\n\v\f\r\0]", line) if token), b"</s>"]:
            if token.startswith(b"__label__"):
                continue
            if token in self.words:
                found.append(self.words.index(token))
            if token != b"</s>":
                found += self.character_rows(b"<" + token + b">")
            hashes.append(signed(fnv(token)))
            if token == b"</s>":
                break
        for first in range(len(hashes)):
            state = hashes[first] % 2**64
            for last in range(first + 1, min(len(hashes), first + self.word_ngrams)):
                state = (state * 116049371 + hashes[last]) % 2**64
                found += self.bucket(state)
        return found

    def character_rows(self, word: bytes) -> list[int]:
        found: list[int] = []
        characters = re.findall(rb"[^\x80-\xbf][\x80-\xbf]*", word)
        for first in range(len(characters)):
            for length in range(max(self.shortest, 1), self.longest + 1):
                last = first + length
                if last > len(characters) or (length == 1 and (first == 0 or last == len(characters))):
                    continue
                found += self.bucket(fnv(b"".join(characters[first:last])))
        return found

    def bucket(self, hashed: int) -> list[int]:
        number = hashed % self.buckets
        if self.pruned is None:
            return [len(self.words) + number]
        return [len(self.words) + self.pruned[number]] if number in self.pruned else []

    def probabilities(self, line: bytes) -> dict[str, float]:
        """Probability of every label, plus the 1e-5 of fastText's logarithms; empty where no row was found."""
        rows = self.rows(line)
        if not rows:
            return {}
        hidden = self.matrix[rows].astype(np.float64).mean(axis=0)
        scores = self.output.astype(np.float64) @ hidden
        if self.layer == HIERARCHICAL:
            return self._tree(scores)
        if self.layer == SOFTMAX:
            powers = np.exp(scores - scores.max())
            return dict(zip(self.labels, powers / powers.sum() + 1e-5))
        grid = np.clip(np.floor((scores + 8) * 32) / 32 - 8, -8, 8)
        return {
            label: (0.0 if score < -8 else 1.0 if score > 8 else 1 / (1 + math.exp(-point))) + 1e-5
            for label, score, point in zip(self.labels, scores, grid)
        }

    def _tree(self, scores: npt.NDArray[np.float64]) -> dict[str, float]:
        nodes: list[tuple[int, int, object]] = [
            (count, number, label) for number, (label, count) in enumerate(zip(self.labels, self.counts))
        ]
        # Huffman's algorithm with fastText's order: leaves from the rarest label, inner nodes as they are made,
        # and of equal counts the inner node.
        leaves, inner = nodes[::-1], []
        for number in range(len(self.labels) - 1):
            pair = []
            for _ in range(2):
                take_leaf = bool(leaves) and (not inner or leaves[0][0] < inner[0][0])
                pair.append((leaves if take_leaf else inner).pop(0))
            inner.append((pair[0][0] + pair[1][0], number, pair))
        found: dict[str, float] = {}

        def walk(node: tuple[int, int, object], probability: float) -> None:
            if isinstance(node[2], str):
                found[node[2]] = probability
                return
            right = 1 / (1 + math.exp(-scores[node[1]]))
            left_node, right_node = node[2]  # type: ignore[misc]
            walk(left_node, probability * (1 - right + 1e-5))
            walk(right_node, probability * (right + 1e-5))

        walk((inner or leaves)[0], 1.0)
        return found


def fnv(data: bytes) -> int:
    """FNV-1a of 32 bits over signed bytes."""
    state = 2166136261
    for byte in data:
        state = ((state ^ (byte if byte < 128 else byte - 256)) * 16777619) % 2**32
    return state


def signed(value: int) -> int:
    return value - 2**32 if value >= 2**31 else value


def dense(matrix: npt.NDArray[np.float32]) -> bytes:
    return struct.pack("<qq", *matrix.shape) + matrix.astype("<f4").tobytes()


def quantised(matrix: npt.NDArray[np.float32]) -> bytes:
    """At most 256 rows, each its own centroid, in parts of two columns and norms of 1 or 2."""
    rows, columns = matrix.shape
    norms = 1 + np.arange(rows) % 2
    parts = (columns + 1) // 2
    last = columns - 2 * (parts - 1)
    centroids = b""
    for part in range(parts):
        width = last if part == parts - 1 else 2
        table = np.zeros((256, width), np.float32)
        table[:rows] = matrix[:, 2 * part : 2 * part + width] / norms[:, None]
        centroids += table.tobytes()
    codes = np.repeat(np.arange(rows, dtype=np.uint8), parts).tobytes()
    norm_table = np.zeros(256, np.float32)
    norm_table[:2] = 1, 2
    return (
        struct.pack("<bqqi", 1, rows, columns, len(codes)) + codes
        + struct.pack("<4i", columns, parts, 2, last) + centroids
        + (norms - 1).astype(np.uint8).tobytes() + struct.pack("<4i", 1, 1, 1, 1) + norm_table.tobytes()
    )  # fmt: skip


def small_model(seed: int, pruned: bool = False, dimension: int = 5, **settings: int) -> Twin:
    """A model of random numbers with some words and five labels."""
    random = np.random.default_rng(seed)
    words = [b"</s>", b"the", b"der", "für".encode(), "中文".encode()][seed % 2 :]
    buckets = settings.pop("buckets", 50)
    kept = None
    if pruned:
        numbers = random.permutation(buckets)[: buckets // 2].tolist()
        kept = dict(zip(numbers, random.permutation(len(numbers)).tolist()))
    rows = len(words) + (buckets if kept is None else len(kept))
    return Twin(
        words,
        ["en", "de", "fr", "zh", "xx"],
        [90, 40, 40, 12, 3],
        (random.normal(size=(rows, dimension)) * 2).astype(np.float32),
        random.normal(size=(5, dimension)).astype(np.float32),
        buckets=buckets,
        pruned=kept,
        **settings,
    )
