"""Training needs torch and numpy and, of this project, the loader: no tokenizer, no step, no command line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the extra `train` (torch) is not installed")

PROGRAM = """
import sys

class Without:
    def __init__(self, finder):
        self.finder = finder

    def find_spec(self, name, path=None, target=None):
        return None if name.partition(".")[0] in NEEDLESS else self.finder.find_spec(name, path, target)

# Not among them: fsspec and jinja2, which torch itself brings.
NEEDLESS = {
    "pyarrow", "numba", "llvmlite", "sentencepiece", "tokenizers", "pydantic", "typer", "click", "rich", "yaml",
    "zstandard", "brotli", "fastwarc", "resiliparse", "pandas",
}
sys.meta_path[:] = [Without(finder) for finder in sys.meta_path]

from pathlib import Path

import numpy as np
import torch

from corpusforge.train import export, report
from corpusforge.train.checkpoint import newest_checkpoint
from corpusforge.train.data import open_rows
from corpusforge.train.loop import TrainSettings, train
from corpusforge.train.profile import profile
from corpusforge.train.evaluate import evaluate
from corpusforge.train.eval_pack import load_pack
from corpusforge.train.sizes import configuration
from corpusforge.train.settings import override

torch.set_num_threads(1)
folder = Path(sys.argv[1])
np.save(folder / "rows.npy", np.arange(160, dtype=np.uint16).reshape(20, 8) % 50)
shape, training = override(*configuration("1m", 50, 7, 140), {"layers": 1, "width": 16, "hidden": 16, "batch": 4})
settings = TrainSettings(folder, shape, training, folder / "model", device="cpu", measure=False, live=True)
result = train(settings)
export.export(export.load_model(newest_checkpoint(folder / "model")), folder / "public")
report.write_report(folder / "model")
print(result.steps)
"""


def test_training_and_export_import_nothing_else(tmp_path: Path) -> None:
    words = [sys.executable, "-c", PROGRAM, str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "5\n"
