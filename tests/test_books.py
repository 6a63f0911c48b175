"""The error budget: small inputs may be odd, large ones may not rot."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from corpusforge import storage
from corpusforge.books import ALWAYS_ACCEPTED, ErrorBudget
from corpusforge.errors import RunFailedError
from corpusforge.layout import RunLayout, dump_json


def stage(
    root: Path, index: int, operation: str, records: int, damaged: int, quarantined: int
) -> SimpleNamespace:
    """A finished stage of two tasks, each with half of the losses."""
    made = SimpleNamespace(
        id=f"{index:02d}-s@x", index=index, tasks=2, body=SimpleNamespace(operation=operation)
    )
    for task in range(2):
        account = {"records": records // 2, "damaged": {"torn": damaged // 2}}
        step = {"web": {"quarantined": {"step_error": {"documents": quarantined // 2}}}}
        ledger = {"records": {"web": account} if records else {}, "steps": {"c4": step}}
        storage.commit_bytes(RunLayout(str(root)).manifest(made.id, task), dump_json({"ledger": ledger}))
    return made


def test_losses_add_up_over_stages_until_the_budget_is_spent(tmp_path):
    budget = ErrorBudget(RunLayout(str(tmp_path)), 0.05)
    budget.check(stage(tmp_path, 0, "read", 1000, 30, 0))
    budget.check(stage(tmp_path, 1, "reduce", 0, 500, 0))
    budget.check(stage(tmp_path, 2, "map", 0, 0, 20))
    with pytest.raises(
        RunFailedError, match=r"52 of 1000 records.*by the end of 03-s@x; the recipe allows 5\.0%"
    ):
        budget.check(stage(tmp_path, 3, "map", 0, 0, 2))


def test_a_few_losses_never_stop_a_run(tmp_path):
    budget = ErrorBudget(RunLayout(str(tmp_path)), 0.0)
    budget.check(stage(tmp_path, 0, "read", 30, ALWAYS_ACCEPTED, 0))
    with pytest.raises(RunFailedError, match="22 of 30"):
        budget.check(stage(tmp_path, 1, "map", 0, 0, 2))


def test_an_input_of_which_nothing_can_be_read_is_no_success(tmp_path):
    with pytest.raises(RunFailedError, match="4 of 4"):
        ErrorBudget(RunLayout(str(tmp_path)), 0.5).check(stage(tmp_path, 0, "read", 4, 4, 0))
    ErrorBudget(RunLayout(str(tmp_path)), 1.0).check(stage(tmp_path, 0, "read", 4, 4, 0))
