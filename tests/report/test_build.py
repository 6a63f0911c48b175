from __future__ import annotations

import json
import random
from typing import Any

from corpusforge.document import canonical_json
from corpusforge.report.build import build_report


def test_the_funnel_hands_on_what_it_kept(report: dict[str, Any]) -> None:
    rows = [step["funnel"] for step in report["steps"]]
    for before, after in zip(rows, rows[1:]):
        assert after["documents_in"] == before["documents_kept"]
    for row in rows:
        gone = row["documents_dropped"] + row["documents_quarantined"]
        assert row["documents_in"] == row["documents_kept"] + gone
    assert report["summary"]["documents"] == rows[0]["documents_in"]
    assert report["summary"]["documents_kept"] == rows[-1]["documents_kept"]


def test_steps_stand_in_the_order_of_the_ledger(report: dict[str, Any]) -> None:
    names = ["url_filter", "extract", "gopher", "perplexity", "minhash", "line_dedup", "pii"]
    assert [step["step"] for step in report["steps"]] == names


def test_the_order_of_statistics_makes_no_difference(run_parts: Any) -> None:
    parts = list(run_parts.statistics)
    random.Random(1).shuffle(parts)
    again = build_report(run_parts.recipe, run_parts.ledger, parts, run_parts.clusters, run_parts.tokens)
    assert canonical_json(again) == canonical_json(run_parts.report())


def test_the_report_is_json_and_holds_no_rank(report: dict[str, Any]) -> None:
    text = canonical_json(report)
    assert json.loads(text) == report
    assert '"rank"' not in text


def test_rules_take_documents_from_the_ledger_and_signals_from_the_statistics(report: dict[str, Any]) -> None:
    steps = {step["step"]: step for step in report["steps"]}
    rules = {rule["rule"]: rule for rule in steps["gopher"]["rules"]}
    assert list(rules) == [
        "min_words",
        "max_words",
        "min_mean_word_length",
        "max_symbol_to_word_ratio",
        "min_alphabetic_words",
        "min_stop_words",
    ]
    assert sum(rule["documents"] for rule in rules.values()) == steps["gopher"]["funnel"]["documents_dropped"]
    assert rules["min_words"]["dropped_examples"]
    assert not rules["min_stop_words"]["on"]
    (twins,) = steps["minhash"]["rules"]
    assert (twins["rule"], twins["on"], twins["signal"]) == ("near_duplicate", True, None)


def test_rules_keep_their_order_through_files_with_sorted_keys(
    run_parts: Any, report: dict[str, Any]
) -> None:
    parts = json.loads(json.dumps(run_parts.statistics, sort_keys=True))
    again = build_report(run_parts.recipe, run_parts.ledger, parts, run_parts.clusters, run_parts.tokens)
    assert canonical_json(again) == canonical_json(report)


def test_tokens_are_exact_at_the_end_and_unknown_before_extraction(report: dict[str, Any]) -> None:
    tokens = [step["funnel"]["tokens_kept"] for step in report["steps"]]
    assert tokens[0] is None
    assert tokens[-1] == report["tokens"]["tokenized"]
    assert tokens[1:] == sorted(tokens[1:], reverse=True)


def test_languages_and_domains_account_for_all_measured_documents(report: dict[str, Any]) -> None:
    for key in ("languages", "domains"):
        table = report[key]
        assert table["kept_by"] == "perplexity"
        for side in ("kept", "dropped"):
            total = sum(row[side] for row in table["values"]) + table["other"][side] + table["missing"][side]
            steps = [step for step in report["steps"] if step["step"] in ("gopher", "perplexity")]
            expected = (
                steps[-1]["funnel"]["documents_kept"]
                if side == "kept"
                else sum(step["funnel"]["documents_dropped"] for step in steps)
            )
            assert total == expected


def test_clusters_are_gathered_by_size(report: dict[str, Any]) -> None:
    found = report["clusters"]["minhash"]
    assert found["clusters"] == 251
    assert found["documents"] == 2 * 190 + 3 * 41 + 4 * 12 + 6 * 5 + 11 * 2 + 40
    assert found["largest"] == 40
    assert [(size["from"], size["to"]) for size in found["sizes"]] == [
        (2, 2),
        (3, 3),
        (4, 4),
        (5, 8),
        (9, 16),
        (33, 64),
    ]


def test_a_run_without_steps_or_statistics_has_a_report() -> None:
    empty = build_report({}, {"closed": True, "checks": [], "records": {}, "steps": []}, [])
    assert empty["summary"]["documents"] == 0
    assert empty["warnings"] == []
    assert empty["languages"]["values"] == []
