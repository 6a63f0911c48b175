"""Training needs torch and numpy and, of this project, the loader; a benchmark no step and no command line."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the extra `train` (torch) is not installed")

from corpusforge.sample.draw import Draw
from corpusforge.sample.pages import LANGUAGES
from corpusforge.sample.text import Writer
from corpusforge.tokenize.sentencepiece_bpe import TokenizerParameters, train

WITHOUT = """
import sys

class Without:
    def __init__(self, finder):
        self.finder = finder

    def find_spec(self, name, path=None, target=None):
        return None if name.partition(".")[0] in NEEDLESS else self.finder.find_spec(name, path, target)

# Not among them: fsspec and jinja2, which torch itself brings.
NEEDLESS = {
    "tokenizers", "pydantic", "typer", "click", "rich", "yaml", "zstandard", "brotli", "fastwarc", "resiliparse",
    "pandas", *sys.argv[2:],
}
sys.meta_path[:] = [Without(finder) for finder in sys.meta_path]

from pathlib import Path

import numpy as np
import torch

torch.set_num_threads(1)
folder = Path(sys.argv[1])
"""

TRAINING = """
from corpusforge.train import export, report
from corpusforge.train.checkpoint import newest_checkpoint
from corpusforge.train.data import open_rows
from corpusforge.train.loop import TrainSettings, train
from corpusforge.train.profile import profile
from corpusforge.train.evaluate import evaluate
from corpusforge.train.eval_pack import load_pack
from corpusforge.train.sizes import configuration
from corpusforge.train.settings import override

np.save(folder / "rows.npy", np.arange(160, dtype=np.uint16).reshape(20, 8) % 50)
shape, training = override(*configuration("1m", 50, 7, 140), {"layers": 1, "width": 16, "hidden": 16, "batch": 4})
settings = TrainSettings(folder, shape, training, folder / "model", device="cpu", measure=False, live=True)
result = train(settings)
export.export(export.load_model(newest_checkpoint(folder / "model")), folder / "public")
report.write_report(folder / "model")
print(result.steps)
"""


BENCH = """
from corpusforge.train.bench import BenchSettings, bench
from corpusforge.train.guards import run_guard

corpora = (str(folder / "a.jsonl.gz"), str(folder / "b.jsonl.gz"))
given = {"panel": folder / "panel.jsonl", "tokenizer": folder / "tokenizer.model"}
shape = {"layers": 1, "width": 16, "hidden": 16, "heads": 2, "key_value_heads": 2, "batch": 2}
settings = BenchSettings(
    corpora, "1m", 64, 1, context=16, max_overlap=1.0, robustness=0.0, overrides=shape, **given
)
bench(settings, folder / "bench", "cpu")
run_guard("aa", corpora[0], given["panel"], print, replicates=1, seeds=1, tokens=256, device="cpu",
          tokenizer=given["tokenizer"])
print((folder / "bench" / "report.html").is_file())
"""


def run(program: str, folder: Path, *needless: str) -> str:
    """Standard output of a program in a Python that lacks some packages."""
    words = [sys.executable, "-c", WITHOUT + program, str(folder), *needless]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_training_and_export_import_nothing_else(tmp_path: Path) -> None:
    assert run(TRAINING, tmp_path, "pyarrow", "numba", "llvmlite", "sentencepiece") == "5\n"


@pytest.mark.slow
def test_a_benchmark_with_a_tokenizer_needs_neither_steps_nor_the_command_line(tmp_path: Path) -> None:
    writer = Writer(LANGUAGES["en"], Draw(0, "imports"))
    texts = [writer.paragraph(4) for _ in range(60)]
    for name, part in (("a", texts[:25]), ("b", texts[25:50])):
        lines = "".join(json.dumps({"text": text}) + "\n" for text in part)
        (tmp_path / f"{name}.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    held_out = [json.dumps({"domain": "some", "text": text}) + "\n" for text in texts[50:]]
    (tmp_path / "panel.jsonl").write_text("".join(held_out))
    model = train(["\n".join(texts)], TokenizerParameters(vocabulary_size=400))
    (tmp_path / "tokenizer.model").write_bytes(model)
    assert run(BENCH, tmp_path) == "True\n"
