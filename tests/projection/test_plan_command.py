from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from corpusforge.projection.plan_command import _show
from corpusforge.projection.probe import Probe, StageCost
from corpusforge.projection.project import Prices, load_prices, project
from corpusforge.recipe import load_text

RECIPE = "shard_bytes: 1000\nerror_budget: 0.5\nsources: {commoncrawl: {}}\nsteps: [extract, exact_dedup]\n"


def shown(prices: Prices, shards: int) -> str:
    stage = StageCost("read", "read", (9.0,) + (2.0,) * (shards - 1), ({"extract": 1.0},) * shards, "extract")
    probe = Probe(
        (10**9,) * shards, 10**12, 1000, (stage,), 10**8, {"e": 10**7}, {"documents": 10**7}, None, 60.0
    )
    projection = project(probe, load_text(RECIPE, "r.yaml"), 10**14, 100, prices)
    text = io.StringIO()
    _show(Console(file=text, width=160), probe, projection, prices)
    return text.getvalue()


def test_everything_that_was_asked_for_is_shown() -> None:
    text = shown(load_prices(None), 5)
    for part in (
        "5 of 1000 shards", "100.0 TB of input on 100 vCPUs", "extract", "core-hours", "90 % interval", "wall time",
        "log N / log n", "0.100 bytes per byte of text", "not measured", "documents 200.0 GB", "EXAMPLE prices",
    ):  # fmt: skip
        assert part in text
    assert "its shards are small" not in text


def test_few_shards_give_no_interval_and_own_prices_their_source() -> None:
    own = load_prices(None).model_copy(
        update={"example": False, "source": "contract 7", "date": "2026-11-01"}
    )
    text = shown(own, 2)
    assert "no interval: give more --shards" in text
    assert "contract 7, 2026-11-01" in text
    assert "EXAMPLE" not in text


def test_what_makes_a_probe_a_poor_one_is_told() -> None:
    stage = StageCost("read", "read", (9.0,), ({},), "")
    probe = Probe((10**5,), 10**9, 10, (stage,), 10**5, {}, {"documents": 10}, None, 60.0, "hidden")
    projection = project(probe, load_text(RECIPE, "r.yaml"), 10**9, 1, load_prices(None))
    text = io.StringIO()
    _show(Console(file=text, width=400), probe, projection, load_prices(None))
    assert "One shard does not tell" in text.getvalue()
    assert "its shards are small (100.0 kB each here)" in text.getvalue()
    assert "not measured (hidden)" in text.getvalue()
    assert "One shard" not in shown(load_prices(None), 2)


@pytest.mark.slow
def test_the_command(sample: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "small.yaml"
    recipe.write_text(RECIPE)
    command = [
        sys.executable, "-m", "corpusforge.cli", "plan", str(recipe), "-i", f"commoncrawl={sample}/warc/*.warc.gz",
        "--size", "1TB", "--shards", "2", "--vcpus", "10", "--json", "--probe", str(tmp_path / "probe"),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["size_bytes"] == 10**12
    assert found["core_hours"] > 0
    assert found["core_hours_interval"] is None
    assert found["prices"]["example"] is True
    assert set(found["core_hours_by_step"]) == {"extract", "exact_dedup", "reading, writing, exchanging"}
    assert (tmp_path / "probe" / "ledger.json").exists()
