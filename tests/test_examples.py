"""The examples run as they are printed."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from corpusforge.sample.command import write_sample
from corpusforge.step import LiveRows, MapStep
from corpusforge.texts import Texts

EXAMPLES = Path(__file__).parent.parent / "examples"


def load(name: str) -> ModuleType:
    specification = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def python(*arguments: str, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sample where the examples expect it."""
    folder = tmp_path_factory.mktemp("examples")
    write_sample(folder / "runs" / "sample", seed=3, pages=60, files=2)
    return folder


@pytest.fixture(scope="module")
def printed(workplace: Path) -> str:
    """What `python_api.py` prints; it leaves the run `runs/python_api`."""
    pattern = "runs/sample/warc/*.warc.gz"
    return python(str(EXAMPLES / "python_api.py"), pattern, "runs/python_api", folder=workplace)


@pytest.mark.slow
def test_the_python_api_example_prints_a_funnel_and_a_closed_ledger(printed: str) -> None:
    lines = printed.splitlines()
    assert [line.split()[0] for line in lines[:-1]] == [
        "extract",
        "gopher_quality",
        "minhash_dedup",
        "tokenize",
    ]
    assert lines[-1] == "ledger closed: True"


@pytest.mark.slow
def test_the_reader_gives_back_texts_of_the_run(workplace: Path, printed: str) -> None:
    run = workplace / "runs" / "python_api"
    texts = load("read_shards").documents_of(run, step=0, batch=6)
    kept = " ".join(
        " ".join(text.split())
        for path in sorted((run / "documents").glob("*.parquet"))
        for text in pq.read_table(path, columns=["text"]).column("text").to_pylist()
    )
    assert len(texts) >= 6
    found = [text for text in texts if " ".join(text.split())[:60] in kept]
    # A piece that begins in mid-word may differ in its first characters; most pieces are whole documents.
    assert len(found) >= len(texts) // 2


@pytest.mark.slow
def test_the_custom_recipe_runs_with_the_plugin_step_in_it(workplace: Path) -> None:
    text = (EXAMPLES / "custom_recipe.yaml").read_text(encoding="utf-8")
    recipe = workplace / "with_plugin.yaml"
    step = "  - drop_notices: {notices: [log in, 0 comments, all rights reserved.]}\n"
    recipe.write_text(text.replace("  - gopher_quality:", step + "  - gopher_quality:"), encoding="utf-8")
    arguments = ["-m", "corpusforge.cli", "run", str(recipe), "--plugin", str(EXAMPLES / "drop_notices.py")]
    arguments += ["--input", "commoncrawl=runs/sample/warc/*.warc.gz", "-o", "runs/custom"]
    python(*arguments, folder=workplace)
    ledger = json.loads((workplace / "runs" / "custom" / "ledger.json").read_bytes())
    assert ledger["closed"] is True
    steps = [row["step"] for row in ledger["steps"]]
    assert steps[1:3] == ["extract", "drop_notices"]
    assert "one_page_per_url" in steps
    account = ledger["steps"][2]["sources"]["commoncrawl"]
    assert account["removed"]["notice"] > 100


def test_the_plugin_step_removes_notices_and_nothing_else() -> None:
    step_class = load("drop_notices").DropNotices
    assert issubclass(step_class, MapStep)
    texts = [
        "One.\n Advertisement \nTwo.",
        "Read more about this",
        "",
        "read more",
        "advertisement\nadvertisement\n",
    ]
    column = Texts.from_arrow(pa.array(texts, pa.large_string()))
    measured = step_class().measure(LiveRows(column, {}))
    np.testing.assert_array_equal(measured.signals["notices"], [1, 0, 0, 1, 2])
    edits = measured.edits
    left = [list(text) for text in texts]
    for row, start, end in zip(edits.rows[::-1], edits.starts[::-1], edits.ends[::-1]):
        del left[row][start:end]
    assert ["".join(characters) for characters in left] == ["One.\nTwo.", "Read more about this", "", "", ""]


def test_every_example_is_listed() -> None:
    table = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    files = {path.name for path in EXAMPLES.iterdir() if path.is_file() and path.name != "README.md"}
    assert files == {line.split("`")[1] for line in table.splitlines() if line.startswith("| `")}
