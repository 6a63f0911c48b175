"""Deduplication replayed over a whole run, against runs that were really made with the new thresholds."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from alike_runs import STEPS, run_of

from corpusforge.errors import UsageError
from corpusforge.recipe import load_text
from corpusforge.report.replay import Judge, stored_tables
from corpusforge.report.replay_across import Replayed, replay_run
from corpusforge.report.tune import tune


def replayed(run: Path, *settings: str, curves: Sequence[str] = ()) -> tuple[Replayed, dict[bytes, str]]:
    text = (run / "recipe.yaml").read_text(encoding="utf-8")
    before, after = (load_text(text, "recipe.yaml", chosen) for chosen in ([], settings))
    judge = Judge(after)
    found = replay_run(run, before, Judge(before), judge, curves)
    ids = [one for table in stored_tables(run, judge) for one in table.column("id").to_pylist()]
    return found, dict(zip(ids, map(judge.told, found.fates.tolist()), strict=True))


def outcomes(run: Path) -> dict[bytes, str]:
    found = {}
    for name in ("documents", "dropped"):
        for path in sorted((run / name).glob("*.parquet")):
            table = pq.read_table(path)
            verdicts = table["verdict"].to_pylist() if name == "dropped" else ["kept"] * len(table)
            found.update(zip(table["id"].to_pylist(), verdicts))
    return found


def test_equal_thresholds_decide_anew_as_the_run_did(alike: Path) -> None:
    found, fates = replayed(alike, curves=["minhash_dedup.threshold"])
    assert found.exact
    assert fates == outcomes(alike)
    kept = dict(found.curves["minhash_dedup.threshold"])
    assert kept[750_000_000] == sum(fate == "kept" for fate in fates.values())
    assert sorted(kept.values()) == list(kept.values())


@pytest.mark.parametrize(("threshold", "min_words", "alphabetic"), [(0.4, 30, 0.5), (0.85, 55, 0.98)])
def test_what_is_exact_is_what_a_run_gives(
    alike: Path, tmp_path: Path, threshold: float, min_words: int, alphabetic: float
) -> None:
    found, fates = replayed(
        alike,
        f"minhash_dedup.threshold={threshold}",
        f"gopher_quality.min_words={min_words}",
        f"gopher_quality.min_alphabetic_word_ratio={alphabetic}",
    )
    really = outcomes(run_of(tmp_path, threshold, min_words, alphabetic))
    unknown = {name for name, fate in fates.items() if fate.startswith("unknown")}
    # Rules on texts take equal ones together: no copy is kept by `exact_dedup` now and arrives behind it.
    assert found.exact
    assert not unknown
    assert fates == really != outcomes(alike)
    text = (alike / "recipe.yaml").read_text(encoding="utf-8")
    settings = [f"minhash_dedup.threshold={threshold}", f"gopher_quality.min_words={min_words}"]
    settings.append(f"gopher_quality.min_alphabetic_word_ratio={alphabetic}")
    told = tune(alike, load_text(text, "a"), load_text(text, "a", settings))
    assert told.exact
    assert told.kept == sum(fate == "kept" for fate in really.values())
    (rule,) = [one for one in told.rules if one.rule.name == "minhash_dedup.duplicate"]
    assert rule.decides == rule.matched == sum(fate == rule.rule.name for fate in really.values())


def test_documents_that_arrive_are_unknown(alike: Path, tmp_path: Path) -> None:
    fewer = run_of(tmp_path, 0.75, 55)
    found, fates = replayed(fewer, "gopher_quality.min_words=30")
    assert not found.exact
    arrived = [name for name, fate in fates.items() if fate == "unknown: exact_dedup never saw it"]
    assert found.arrivals["exact_dedup"] == len(arrived) > 0
    assert set(arrived) == {
        name for name, fate in outcomes(fewer).items() if fate == "gopher_quality.min_words"
    }


def test_steps_before_the_one_that_nobody_knows_of_saw_what_they_saw(tmp_path: Path) -> None:
    quality = next(line for line in STEPS.splitlines(keepends=True) if "gopher_quality" in line)
    lines = "  - line_dedup: {unit: line, min_remaining_words: MIN}\n"
    run = run_of(tmp_path, 0.5, 3, steps=STEPS.replace(quality, lines) + quality)
    found, fates = replayed(run, "minhash_dedup.threshold=0.9")
    assert "unknown: gopher_quality never saw it" in fates.values()
    assert found.as_they_were == []


def test_without_what_was_compared(alike: Path, tmp_path: Path) -> None:
    cleaned = tmp_path / "run"
    shutil.copytree(alike, cleaned)
    shutil.rmtree(cleaned / "stages")
    with pytest.raises(UsageError, match="does not keep what was compared"):
        replayed(cleaned, "minhash_dedup.threshold=0.9")
    unknown = "unknown: minhash_dedup did not compare all that would decide"
    found, fates = replayed(cleaned, "gopher_quality.min_words=50")
    known, sure = replayed(alike, "gopher_quality.min_words=50")
    assert known.exact
    assert not found.exact
    assert unknown in fates.values()
    assert unknown not in sure.values()
    # Where no document goes that another one was dropped for, the verdicts are enough.
    found, fates = replayed(cleaned, "gopher_quality.min_words=45")
    assert found.exact
    assert fates == replayed(alike, "gopher_quality.min_words=45")[1]
