from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the extra `train` (torch) is not installed")

from corpusforge.errors import UsageError  # noqa: E402
from corpusforge.sample.draw import Draw  # noqa: E402
from corpusforge.sample.pages import LANGUAGES  # noqa: E402
from corpusforge.sample.text import Writer  # noqa: E402
from corpusforge.train import guards  # noqa: E402
from corpusforge.train.bench_runs import Arm, RunRecord  # noqa: E402
from corpusforge.train.guards import judge_aa, judge_ladder, judge_power  # noqa: E402


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def texts() -> list[str]:
    writer = Writer(LANGUAGES["en"], Draw(0, "guards"))
    return [writer.paragraph(4) for _ in range(300)]


@pytest.fixture(scope="module")
def corpus(texts: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clean") / "x.jsonl"
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    return path


def outcome(verdict: str, pair: tuple[str, str] = ("A", "B"), low: float = -1.0, high: float = 1.0) -> dict:
    return {
        "verdict": verdict,
        "pair": list(pair),
        "difference": -0.1,
        "interval_over_seeds": [low, high],
    }


def test_few_false_verdicts_pass_and_many_fail() -> None:
    calm = [outcome("cannot tell")] * 95 + [outcome("A", high=-0.5)] * 5
    assert judge_aa(calm)["passed"]
    assert judge_aa(calm)["outside_seeds"] == 5
    excited = [outcome("cannot tell")] * 88 + [outcome("B")] * 12
    found = judge_aa(excited)
    assert not found["passed"]
    assert found["false_verdicts"] == 12
    assert found["bound"][0] > 0.05


def test_the_ladder_passes_only_in_its_own_order() -> None:
    pairs = list(zip(guards.RUNGS, guards.RUNGS[1:]))
    right = [outcome(pair[0], pair) for pair in pairs]
    assert judge_ladder(right)["passed"]
    assert judge_ladder(right)["swapped_labels_refused"]
    swapped = [outcome(one["verdict"], (one["pair"][1], one["pair"][0])) for one in right]
    assert not judge_ladder(swapped)["passed"]
    unsure = [*right[:2], outcome("cannot tell", pairs[2])]
    assert not judge_ladder(unsure)["passed"]


def test_power_names_the_smallest_share_that_is_found() -> None:
    found = judge_power({0.01: [False] * 10, 0.1: [True] * 8 + [False] * 2, 0.3: [True] * 10}, 60.0)
    assert found["passed"]
    assert found["smallest_detected"] == 0.1
    assert found["minutes_per_benchmark"] == 1.0
    assert not judge_power({0.3: [True] * 7 + [False] * 3}, 1.0)["passed"]


def test_a_guard_from_end_to_end(corpus: Path) -> None:
    lines: list[str] = []
    found = guards.run_guard(
        "aa", str(corpus), None, lines.append, replicates=3, seeds=2, tokens=512, device="cpu"
    )
    assert found["replicates"] == 3
    assert found["runs"] == 12
    assert len(set(found["differences"])) == 3
    again = guards.run_guard(
        "aa", str(corpus), None, lines.append, replicates=3, seeds=2, tokens=512, device="cpu"
    )
    assert again["differences"] == found["differences"]


def test_an_interrupted_guard_goes_on(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(replicates: int, tokens: int = 512) -> dict[str, Any]:
        options: dict[str, Any] = {"seeds": 2, "tokens": tokens, "device": "cpu", "keep": tmp_path}
        return guards.run_guard("aa", str(corpus), None, print, replicates=replicates, **options)

    trained: list[str] = []
    train_arm = guards.train_arm

    def counting(arm: Arm, *arguments: Any) -> RunRecord:
        trained.append(arm.name)
        return train_arm(arm, *arguments)

    monkeypatch.setattr(guards, "train_arm", counting)
    first = run(1)
    assert len(trained) == 4
    both = run(2)
    assert len(trained) == 8
    assert both["differences"][:1] == first["differences"]
    assert run(2) == both
    assert len(trained) == 8
    # Other settings are other runs.
    run(1, 1024)
    assert len(trained) == 12


def test_noise_everywhere_is_found(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guards, "SHARES", (1.0,))
    found = guards.run_guard(
        "power", str(corpus), None, print, replicates=2, seeds=3, tokens=4096, device="cpu"
    )
    assert found["rates"] == {"1": 1.0}
    assert found["passed"]


def test_the_ladder_runs_all_rungs(corpus: Path) -> None:
    found = guards.run_guard("ladder", str(corpus), None, print, seeds=2, tokens=512, device="cpu")
    assert set(found["bits_per_byte"]) == set(guards.RUNGS)
    assert (found["seeds"], found["runs"]) == (5, 20)
    assert len(found["comparisons"]) == 3


def test_too_little_text_is_an_error(tmp_path: Path, corpus: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(json.dumps({"text": "one text"}) + "\n")
    with pytest.raises(UsageError, match="too small to hold documents out"):
        guards.run_guard("aa", str(path), None, print)
    with pytest.raises(UsageError, match="the guard needs"):
        guards.run_guard("ladder", str(corpus), None, print, tokens=10_000_000, device="cpu")
