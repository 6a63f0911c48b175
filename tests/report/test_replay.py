"""Verdicts replayed from stored signals, against runs with these thresholds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from corpusforge.errors import UsageError
from corpusforge.recipe import Recipe, load_text
from corpusforge.report.replay import KEPT, Judge, changed_thresholds, stored_tables, twins_gone


def recipe_of(run: Path, *settings: str) -> Recipe:
    return load_text((run / "recipe.yaml").read_text(encoding="utf-8"), "recipe.yaml", settings)


def outcomes(run: Path) -> dict[bytes, str]:
    found = {}
    for name in ("documents", "dropped"):
        for path in sorted((run / name).glob("*.parquet")):
            table = pq.read_table(path)
            verdicts = table["verdict"].to_pylist() if name == "dropped" else ["kept"] * len(table)
            found.update(zip(table["id"].to_pylist(), verdicts))
    return found


def replayed(run: Path, *settings: str) -> dict[bytes, str]:
    judge = Judge(recipe_of(run, *settings))
    found = {}
    for table in stored_tables(run, judge):
        fates = judge.fates(table, judge.matches(table))
        found.update(zip(table["id"].to_pylist(), map(judge.told, fates.tolist())))
    return found


def test_equal_thresholds_give_the_run_back(small_run: Path) -> None:
    assert replayed(small_run) == outcomes(small_run)


def test_tightened_thresholds_give_what_a_run_gives(small_run: Path, tighter_run: Path) -> None:
    found = replayed(small_run, "gopher_quality.min_words=70", "fineweb.min_terminal_line_ratio=0.9")
    expected = outcomes(tighter_run)
    assert found == expected
    assert found != outcomes(small_run)


def test_loosened_thresholds_are_unknown_where_nothing_was_measured(small_run: Path) -> None:
    before, found = outcomes(small_run), replayed(small_run, "gopher_quality.min_words=30")
    freed = {identity for identity in found if found[identity] != before[identity]}
    assert freed
    later = {"unknown: c4 never saw it", "gopher_quality.min_stop_words"}
    assert {found[identity] for identity in freed} == later
    assert {before[identity] for identity in freed} == {"gopher_quality.min_words"}


def test_rules_that_are_off_drop_nothing(small_run: Path) -> None:
    found = replayed(small_run, "fineweb.max_duplicate_line_character_ratio=null")
    assert "fineweb.max_duplicate_line_character_ratio" not in found.values()


def test_only_thresholds_may_change(small_run: Path) -> None:
    before = Judge(recipe_of(small_run))
    after = Judge(recipe_of(small_run, "gopher_quality.min_words=70"))
    assert changed_thresholds(before, after) == {"gopher_quality.min_words": (50, 70)}
    with pytest.raises(UsageError, match="changes a measurement"):
        changed_thresholds(before, Judge(recipe_of(small_run, "fineweb.short_line_characters=20")))
    fewer = load_text("sources: {c4: {}}\nsteps: [extract, gopher_quality]\n", "other.yaml")
    with pytest.raises(UsageError, match="only in one of the recipes"):
        changed_thresholds(before, Judge(fewer))


def test_files_of_another_recipe_are_refused(small_run: Path, tmp_path: Path) -> None:
    (tmp_path / "documents").mkdir()
    pq.write_table(pa.table({"id": [b"x"]}), tmp_path / "documents" / "00000.parquet")
    with pytest.raises(UsageError, match="run of this recipe"):
        list(stored_tables(tmp_path, Judge(recipe_of(small_run))))
    (tmp_path / "documents" / "00000.parquet").write_bytes(b"damaged")
    with pytest.raises(UsageError, match="cannot be read"):
        list(stored_tables(tmp_path, Judge(recipe_of(small_run))))
    with pytest.raises(UsageError, match="of no step"):
        Judge(recipe_of(small_run)).step_of("nowhere.rule")


def test_twins_that_go() -> None:
    old = np.array([KEPT, 3, 3, KEPT])
    new = np.array([1, 3, 3, KEPT])
    gone = twins_gone([b"a", b"b", b"c", b"d"], [None, b"a", b"d", None], old, new)
    assert gone.tolist() == [False, True, False, False]
