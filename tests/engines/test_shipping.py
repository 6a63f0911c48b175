"""Steps from outside the package, on a worker that has neither their file nor the folder that it came from."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"

DRIVER = """
import sys
from pathlib import Path
from corpusforge.engines.shipping import ship_plan
from corpusforge.listing import list_shards
from corpusforge.plan import compile_plan
from corpusforge.recipe import load_text
from corpusforge.registry import load_plugin

for path in sys.argv[4:]:
    load_plugin(Path(path))
recipe = load_text(f"name: r\\nsources: {{c4: {{}}}}\\nsteps: [extract, {sys.argv[3]}]\\n", "r.yaml")
print(ship_plan(compile_plan(recipe, list_shards(recipe, {"c4": [sys.argv[2]]})), sys.argv[1]))
"""
WORKER = """
import sys
from corpusforge.engines.shipping import load_plan
from corpusforge.errors import UsageError
from corpusforge.step import LiveRows
from corpusforge.texts import Texts

try:
    plan = load_plan(sys.argv[1])
except UsageError as error:
    sys.exit(f"refused: {error}")
(step,) = [step for stage in plan.stages for step in getattr(stage.body, "steps", ()) if step.name == sys.argv[2]]
measured = step.measure(LiveRows(Texts.from_strings(["One.\\nAdvertisement\\nTwo.", "BUY"]), {}))
print({name: values.tolist() for name, values in measured.signals.items()})
"""
STEP = """
import numpy as np
from corpusforge.step import LiveRows, MapStep, Measured, Signal, StepParameters

class Lines(MapStep):
    name = "count_lines"
    Parameters = StepParameters
    signals = (Signal("lines", description="line feeds"),)
    def measure(self, rows: LiveRows) -> Measured:
        texts = (rows.texts.bytes_of(row) for row in range(len(rows)))
        return Measured(signals={"lines": np.array([text.count(b"\\n") for text in texts], np.int64)})
"""


def python(script: str, *arguments: object, path: Path, code: int = 0) -> str:
    """Run a script in a process of its own, with `path` first among the places of modules; gives what it says."""
    command = [sys.executable, "-c", script, *map(str, arguments)]
    places = ":".join(place for place in (str(path), *sys.path) if place)
    done = subprocess.run(
        command, cwd=path, env={"PYTHONPATH": places, "PATH": ""}, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == code, done.stdout + done.stderr
    return (done.stdout or done.stderr).strip()


@pytest.fixture
def nowhere(tmp_path: Path) -> Path:
    """An empty folder to work in."""
    folder = tmp_path / "nowhere"
    folder.mkdir()
    (tmp_path / "in.jsonl").write_text('{"text": "a"}\n')
    return folder


def test_a_plugin_file_travels_with_the_plan(tmp_path: Path, nowhere: Path) -> None:
    own = tmp_path / "driver" / "drop_notices.py"
    own.parent.mkdir()
    shutil.copy(EXAMPLES / "drop_notices.py", own)
    location = python(DRIVER, tmp_path / "run", tmp_path / "in.jsonl", "drop_notices", own, path=nowhere)
    shutil.rmtree(own.parent)
    assert python(WORKER, location, "drop_notices", path=nowhere) == "{'notices': [1, 0]}"


def test_a_package_is_found_by_its_entry_point_and_missed_by_name(tmp_path: Path, nowhere: Path) -> None:
    installed = tmp_path / "site"
    (installed / "line_counter-1.0.dist-info").mkdir(parents=True)
    (installed / "line_counter.py").write_text(STEP)
    facts = installed / "line_counter-1.0.dist-info"
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: line-counter\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text("[corpusforge.steps]\ncount_lines = line_counter:Lines\n")
    location = python(DRIVER, tmp_path / "run", tmp_path / "in.jsonl", "count_lines", path=installed)
    assert python(WORKER, location, "count_lines", path=installed) == "{'lines': [2, 0]}"
    refused = python(WORKER, location, "count_lines", path=nowhere, code=1)
    assert "has no module 'line_counter'" in refused
    assert "--plugin" in refused
