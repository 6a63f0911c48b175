"""Projections: exact where the model is exact, within a stated factor of a real run of ten times the size."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from runs import CORE_RECIPE

from corpusforge.errors import UsageError
from corpusforge.projection.plan_command import parse_size
from corpusforge.projection.probe import MemoryWatch, Probe, StageCost, _text_bytes, choose, run_probe
from corpusforge.projection.project import OWN_PRICES, Prices, cost, describe, load_prices, project
from corpusforge.recipe import Recipe, load_text
from corpusforge.sample.command import write_sample

PLAIN = Prices(
    currency="EUR",
    example=True,
    source="",
    date="",
    vcpu_hour=2.0,
    memory_gib_hour=0.0,
    storage_gib_month=3.0,
)


def stage(operation: str, *seconds: float, step: str = "") -> StageCost:
    steps = tuple({"s": second / 2} for second in seconds) if operation == "map" else ({},) * len(seconds)
    return StageCost(operation, operation, seconds, steps, step)


def probe(*stages: StageCost, shard_bytes: tuple[int, ...] = (100, 100, 100, 100, 100)) -> Probe:
    return Probe(
        shard_bytes=shard_bytes, listed_bytes=1000, listed_shards=10, stages=stages, text_bytes=50,
        exchanges={"e": 20}, stored_bytes={"documents": 1 << 30}, peak_memory=1 << 30, wall_seconds=1.0,
    )  # fmt: skip


@pytest.fixture
def recipe() -> Recipe:
    return load_text("sources: {commoncrawl: {}}\nsteps: [extract]\n", "r.yaml")


def test_maps_grow_with_bytes_and_what_a_process_does_once_does_not(recipe: Recipe) -> None:
    found = project(probe(stage("map", 7.0, 2.0, 2.0, 2.0, 2.0)), recipe, 5000, 10, PLAIN)
    # 2 s for 100 bytes; 5 s once in each of 10 processes; 50 tasks in 5 waves.
    assert found.stages[0].core_seconds == pytest.approx(100.0)
    assert found.core_seconds == pytest.approx(100.0 + 5.0 * 10)
    assert found.wall_seconds == pytest.approx(5 * 2.0 + 5.0)
    assert found.interval == pytest.approx((150.0, 150.0))
    assert found.steps == pytest.approx({"s": 50.0, "reading, writing, exchanging": 50.0})
    assert found.exchanged_bytes == pytest.approx(200.0)
    assert found.memory_per_process == (1 << 30) + recipe.options.exchange_memory_bytes
    assert cost(found, PLAIN) == pytest.approx(
        {"vcpu": 150.0 / 3600 * 2.0, "memory": 0.0, "shuffle": 0.0, "storage": 30.0}
    )
    assert json.loads(json.dumps(describe(found, PLAIN)))["cost"]["total"] == pytest.approx(30.0 + 1 / 12)


def test_reducers_grow_with_bytes_and_folds_and_singles_do_not(recipe: Recipe) -> None:
    found = project(
        probe(stage("reduce", 1.0, 3.0), stage("fold", 1.0), stage("single", 5.0)), recipe, 5000, 4, PLAIN
    )
    assert [entry.core_seconds for entry in found.stages] == pytest.approx([40.0, 1.0, 5.0])
    assert found.wall_seconds == pytest.approx(20.0 + 1.0 + 5.0)  # 2 partitions of 20 s each at once
    assert found.sort_factor > 1.0


def test_a_sample_that_is_not_full_grows_until_it_is() -> None:
    recipe = load_text(
        "sources: {commoncrawl: {}}\nsteps: [extract, {tokenize: {sample_bytes: 200}}]\n", "r.yaml"
    )
    training = stage("single", 5.0, step="tokenize")
    assert project(probe(training), recipe, 5000, 1, PLAIN).core_seconds == pytest.approx(5.0 * 200 / 50)


def test_the_interval_is_wider_for_shards_that_differ_and_absent_for_few(recipe: Recipe) -> None:
    def interval(*seconds: float) -> tuple[float, float] | None:
        measured = probe(stage("map", *seconds), shard_bytes=(100,) * len(seconds))
        return project(measured, recipe, 1000, 1, PLAIN).interval

    near, far = interval(2.0, 2.1, 1.9, 2.0, 2.0), interval(2.0, 4.0, 1.0, 1.0, 2.0)
    assert near is not None
    assert far is not None
    assert near == interval(2.0, 2.1, 1.9, 2.0, 2.0)
    assert far[0] < near[0] < 20.0 < near[1] < far[1]
    assert interval(2.0, 2.0, 2.0) is None


def test_the_engine_and_the_cores_of_the_cluster_count(recipe: Recipe) -> None:
    prices = PLAIN.model_copy(update={"engine_overhead": 1.5, "core_speed": 0.5})
    measured = probe(stage("map", 2.0, 2.0, 2.0, 2.0, 2.0))
    plain = project(measured, recipe, 1000, 1, PLAIN)
    assert project(measured, recipe, 1000, 1, prices).core_seconds == pytest.approx(3 * plain.core_seconds)


def test_the_shipped_prices_say_that_they_are_an_example(tmp_path: Path) -> None:
    assert load_prices(None).example
    assert "EXAMPLE" in OWN_PRICES.read_text(encoding="utf-8")
    values = yaml.safe_load(OWN_PRICES.read_text(encoding="utf-8"))
    path = tmp_path / "prices.yaml"
    for wrong in ({"example": False}, {"vcpu_hour": -1}, {"vcpu_our": 1}, {"core_speed": 0}):
        path.write_text(yaml.safe_dump({**values, **wrong}))
        with pytest.raises(UsageError, match=r"prices\.yaml"):
            load_prices(path)
    path.write_text(yaml.safe_dump({**values, "example": False, "source": "contract", "date": "2026-01-01"}))
    assert load_prices(path).source == "contract"


@pytest.mark.parametrize(
    ("text", "size"), [("100TB", 10**14), ("1.5 GiB", 3 << 29), ("7", 7), ("2kb", 2000), ("3PB", 3 * 10**15)]
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "TB", "-1GB", "1 XB", "0", "1e3"])
def test_wrong_sizes(text: str) -> None:
    with pytest.raises(UsageError):
        parse_size(text)


def test_the_probe_spreads_over_the_input_and_takes_every_source(tmp_path: Path) -> None:
    for number in range(20):
        (tmp_path / f"{number:02d}.warc.gz").write_bytes(b"x" * 10)
    recipe = load_text("shard_bytes: 10\nsources: {commoncrawl: {}}\nsteps: [extract]\n", "r.yaml")
    chosen, everything = choose(recipe, {"commoncrawl": [str(tmp_path)]}, 4)
    assert [shard.index for shard in chosen] == [2, 7, 12, 17]
    assert len(everything) == 20
    assert len(choose(recipe, {"commoncrawl": [str(tmp_path)]}, 100)[0]) == 20


def test_equal_names_in_different_folders_are_told(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.warc.gz").write_bytes(b"x" * 10)
    recipe = load_text("shard_bytes: 10\nsources: {commoncrawl: {}}\nsteps: [extract]\n", "r.yaml")
    with pytest.raises(UsageError, match="equal names"):
        run_probe(recipe, {"commoncrawl": [str(tmp_path)]}, 2, tmp_path / "out")


def test_the_memory_of_a_grandchild_is_seen() -> None:
    if not Path("/proc/self/status").exists():
        pytest.skip("no /proc")
    inner = "import time; x = bytearray(200 << 20); time.sleep(1)"
    outer = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {inner!r}])"
    # In a process of its own: this one may have other children.
    watching = (
        "import subprocess, sys\n"
        "from corpusforge.projection.probe import MemoryWatch\n"
        "with MemoryWatch() as watch:\n"
        f"    subprocess.run([sys.executable, '-c', {outer!r}], check=True, timeout=60)\n"
        "print(watch.peak)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", watching], capture_output=True, text=True, check=True, timeout=120
    )
    assert 200 << 20 < int(done.stdout) < 300 << 20


def test_text_is_what_extraction_made_and_what_was_text_before() -> None:
    def account(had: int, converted: int, made: int) -> dict[str, object]:
        return {"bytes_in": had, "converted": {"from_bytes": converted, "to_bytes": made}}

    records = {"web": {"payload_bytes": 900}, "c4": {"payload_bytes": 100}}
    before = {"sources": {"web": account(1000, 0, 0), "c4": account(100, 0, 0)}}
    extract = {"sources": {"web": account(900, 900, 300), "c4": account(100, 40, 30)}}
    assert _text_bytes({"records": records, "steps": [before, extract]}) == 300 + 60 + 30
    assert _text_bytes({"records": records, "steps": [before]}) == 1000


def watched(processes: Path) -> MemoryWatch:
    with MemoryWatch(processes) as watch:
        pass  # it looks once more when it is over
    return watch


def test_memory_that_cannot_be_read_is_not_measured_and_why_is_told(tmp_path: Path) -> None:
    nothing = watched(tmp_path)
    assert nothing.peak is None
    assert "names no process" in nothing.trouble
    child = tmp_path / "77777"
    child.mkdir()
    assert watched(tmp_path).trouble == nothing.trouble  # it ended before its file was read
    (child / "stat").write_text(f"77777 (a) b) S {os.getpid()} 1 1")
    (child / "status").write_text("VmHWM:\t  2048 kB\n")
    assert watched(tmp_path).peak == 2 << 20
    (child / "stat").write_text("of another form")
    broken = watched(tmp_path)
    assert broken.peak is None
    assert str(tmp_path) in broken.trouble
    (child / "stat").unlink()
    (child / "stat").mkdir()
    assert "stat" in watched(tmp_path).trouble


SMALL_SHARDS = CORE_RECIPE.replace("shard_bytes: 150000", "shard_bytes: 1000")
"""One file a shard."""


@pytest.fixture(scope="module")
def ten_shards(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, list[str]], float, int]:
    """(inputs, CPU seconds, exchanged bytes) of a whole run of ten shards with one worker."""
    folder = tmp_path_factory.mktemp("ten")
    write_sample(folder / "sample", seed=3, pages=1000, files=10)
    inputs = {"commoncrawl": [f"{folder}/sample/warc/*.warc.gz"]}
    load_text(SMALL_SHARDS, "core.yaml").run(inputs, folder / "run", workers=1)
    timings = json.loads((folder / "run" / "timings.json").read_bytes())
    ledger = json.loads((folder / "run" / "ledger.json").read_bytes())
    spent = sum(entry["seconds_cpu"] for entry in timings["stages"])
    return inputs, spent, sum(entry["bytes"] for entry in ledger["exchanges"])


@pytest.mark.slow
@pytest.mark.parametrize("shards", [1, 4])
def test_a_small_probe_foretells_a_run_of_ten_shards(
    shards: int,
    ten_shards: tuple[dict[str, list[str]], float, int],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """CPU seconds of the whole run, and bytes through exchanges, from 1 and from 4 of its 10 shards."""
    inputs, spent, moved = ten_shards
    recipe = load_text(SMALL_SHARDS, "core.yaml")
    measured = run_probe(recipe, inputs, shards, tmp_path / "probe")
    assert (len(measured.shard_bytes), measured.listed_shards) == (shards, 10)
    found = project(measured, recipe, measured.listed_bytes, 1, PLAIN)
    with capsys.disabled():
        print(
            f"\n{shards} of 10 shards: CPU seconds projected {found.core_seconds:.2f}, spent {spent:.2f} "
            f"({found.core_seconds / spent - 1:+.0%}); exchanged {found.exchanged_bytes / moved - 1:+.0%}"
        )
    # How near the seconds come is measured by benchmarks/projection.py: other work on the machine moves them.
    assert 0 < found.core_seconds < math.inf
    assert 0.5 < found.exchanged_bytes / moved < 2.0
    assert measured.peak_memory is not None
    assert measured.text_bytes > 0
