from __future__ import annotations

import copy
from typing import Any

from corpusforge.report.warnings import find_warnings


def kinds(report: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(warning["kind"], warning["step"], warning["rule"]) for warning in find_warnings(report)]


def test_a_sound_run_is_warned_of_dead_rules_and_unscored_languages(report: dict[str, Any]) -> None:
    assert kinds(report) == [
        ("language_without_model", "perplexity", ""),
        ("rule_never", "gopher", "max_words"),
        ("rule_never", "gopher", "max_symbol_to_word_ratio"),
        ("rule_never", "perplexity", "max_perplexity"),
    ]
    assert not any(rule == "min_stop_words" for _, _, rule in kinds(report)), "a rule that is off is not dead"


def test_an_open_ledger_comes_first(report: dict[str, Any]) -> None:
    broken = copy.deepcopy(report)
    broken["closed"] = False
    broken["checks"][1].update(ok=False, left=10, right=7)
    found = find_warnings(broken)
    assert [warning["kind"] for warning in found[:2]] == ["ledger_open", "check_failed"]
    assert "10 against 7 (difference +3)" in found[1]["message"]
    assert {warning["level"] for warning in found[:2]} == {"error"}


def test_a_rule_that_drops_more_than_half(report: dict[str, Any]) -> None:
    changed = copy.deepcopy(report)
    step = changed["steps"][2]
    seen = step["funnel"]["documents_in"]
    step["rules"][0]["documents"] = seen // 2
    assert ("rule_often", "gopher", "min_words") not in kinds(changed)
    step["rules"][0]["documents"] = seen // 2 + 1
    assert ("rule_often", "gopher", "min_words") in kinds(changed)


def test_a_shadowed_rule_is_told_from_a_dead_one(report: dict[str, Any]) -> None:
    changed = copy.deepcopy(report)
    changed["steps"][2]["rules"][1]["matched"] = 17
    messages = [warning["message"] for warning in find_warnings(changed)]
    assert any("applies to 17, which earlier rules" in message for message in messages)


def test_quarantine_exchanges_and_empty_steps(report: dict[str, Any]) -> None:
    changed = copy.deepcopy(report)
    changed["sources"]["synthetic"]["lost"] = 40
    changed["exchanges"][0]["bytes"] = 42_000 * 32 + (1 << 20) + 1
    changed["steps"][5]["funnel"]["documents_kept"] = 0
    found = {kind for kind, _, _ in kinds(changed)}
    assert {"quarantine", "exchange_budget", "nothing_kept"} <= found
    changed["sources"]["synthetic"]["lost"] = 1
    changed["exchanges"][0]["bytes"] -= 1
    assert not {"quarantine", "exchange_budget"} & {kind for kind, _, _ in kinds(changed)}


def test_a_signal_that_was_never_measured(report: dict[str, Any]) -> None:
    changed = copy.deepcopy(report)
    signal = changed["steps"][2]["signals"]["stop_words"]
    for side in ("kept", "dropped"):
        signal[side].update(bins=[], count=0, sum=0, min=None, max=None)
    signal["missing"] = 4_000
    assert ("never_measured", "gopher", "") not in kinds(changed), "no rule that is on looks at it"
    changed["steps"][2]["rules"][5]["on"] = True
    assert ("never_measured", "gopher", "") in kinds(changed)
