"""Reading the packed rows of a run, as a training loop would: no iterator, a step number says what to read.

python examples/read_shards.py runs/cc_pipeline
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import sentencepiece

from corpusforge.mix.loader import PackedRows


def documents_of(run: Path, step: int, batch: int = 4, seed: int = 0) -> list[str]:
    """The texts in the rows of one training step; the same for every process that asks."""
    folders = sorted(path for path in (run / "shards" / "packed").iterdir() if path.is_dir())
    rows = PackedRows(folders, verify=True)
    tokenizer = sentencepiece.SentencePieceProcessor(model_file=str(run / "shards" / "tokenizer.model"))
    texts = []
    for row in rows.batch(step, batch, seed):
        # Boundaries are where documents start, and the end of the last one; padding lies behind it.
        for start, end in zip(row.boundaries, row.boundaries[1:]):
            texts.append(tokenizer.decode(np.asarray(row.tokens[start:end]).tolist()))
    return texts


if __name__ == "__main__":
    for text in documents_of(Path(sys.argv[1]), step=0):
        print(repr(text[:100]))
