from __future__ import annotations

import copy
import io
from typing import Any

import pytest
from rich.console import Console

from corpusforge.report.dedup import PAIRS_SHOWN, deduplication
from corpusforge.report.dedup_tables import error_tables, moved, pair_tables
from corpusforge.report.html import render
from corpusforge.report.intervals import share
from corpusforge.report.terminal import print_report

HOSTILE = "<script>alert(1)</script>[bold]\u202e"


def document(number: int) -> dict[str, Any]:
    return {
        "id": f"{number:032x}",
        "source": "web",
        "url": None,
        "lang": "en",
        "bytes": 40,
        "excerpt": f"{HOSTILE} text {number}",
    }


def details() -> dict[str, Any]:
    part = {
        "documents": 9,
        "bytes": 900,
        "similarity": [
            {"from": 750_000, "to": 800_000} | share(4, 5),
            {"from": 1_000_000, "to": 1_000_000} | share(0, 0),
        ],
        "decisions": share(8, 8),
    }
    return {
        "minhash": {
            "largest": [{"size": 4, "survivor": document(1), "dropped": [document(2), document(3)]}],
            "sources": [
                ["web", HOSTILE, 7],
                *(["books", f"s{number}", 1] for number in range(PAIRS_SHOWN + 2)),
            ],
            "dumps": [["web 1", "web 2", 5]],
            "documents_by_dump": {"web 1": 50},
            "errors": {
                "threshold": 750_000,
                "planted": part | {"edits": [{"edited": 30_000, "copies": 6} | share(5, 5)]},
                "compared": part | {"missed": [{"similarity": 760_000, "ids": ["aa", "bb"]}]},
            },
        }
    }


@pytest.fixture
def told(report: dict[str, Any]) -> dict[str, Any]:
    changed = copy.deepcopy(report)
    changed["deduplication"] = deduplication(changed, details())
    return changed


def test_a_step_that_moved_rows_has_an_entry_of_its_own(report: dict[str, Any]) -> None:
    found = deduplication(report, {})
    assert list(found) == ["minhash"]
    assert found["minhash"]["moved"]["bytes"] == 1_008_000
    assert found["minhash"]["errors"] is None
    assert moved(found["minhash"]).startswith("Moved 1.01 MB in 42,000 rows: ")
    assert list(pair_tables(found["minhash"])) == []
    assert list(error_tables(found["minhash"])) == []


def test_pairs_beyond_those_shown_are_summed(told: dict[str, Any]) -> None:
    entry = told["deduplication"]["minhash"]
    assert len(entry["sources"]["pairs"]) == PAIRS_SHOWN
    assert entry["sources"]["other"] == 3
    sources, dumps = pair_tables(entry)
    assert sources.rows[-1] == ("all other pairs", "", "3", "")
    assert dumps.rows == [("web 1", "web 2", "5", "10.0 %")]


def test_shares_come_with_their_interval(told: dict[str, Any]) -> None:
    planted, compared = error_tables(told["deduplication"]["minhash"])
    rows = {row[0]: row[1:] for row in planted.rows}
    assert rows["3 % of words replaced"] == ("5", "5", "100 %", "56.6 % to 100.0 %")
    assert rows["similarity 0.75 to 0.8"][:3] == ("5", "4", "80.0 %")
    assert rows["similarity 1"] == ("0", "–", "–", "–")
    assert "at least 0.75 similar" in compared.note


def test_nothing_measured_makes_no_table(told: dict[str, Any]) -> None:
    entry = told["deduplication"]["minhash"]
    entry["errors"]["planted"]["documents"] = entry["errors"]["compared"]["documents"] = 0
    assert list(error_tables(entry)) == []


def test_rates_of_copies_and_of_planted_items_have_their_words(told: dict[str, Any]) -> None:
    entry = told["deduplication"]["minhash"]
    judged = {"copies": share(7, 8), "removed": share(9, 9), "unjudged": 3}
    forms = [
        {"form": "as it stands", "expected": "removed"} | share(3, 4),
        {"form": "with a word more", "expected": "left"} | share(4, 4),
    ]
    part = {"documents": 9, "bytes": 900}
    entry["errors"] = {"planted": part | judged | {"forms": forms}, "compared": part | judged}
    planted, compared = error_tables(entry)
    rows = {row[0]: row[1:3] for row in planted.rows}
    assert rows["as it stands: found"] == ("4", "3")
    assert rows["with a word more: left alone"] == ("4", "4")
    assert [row[:3] for row in compared.rows] == [
        ("copies: gone", "8", "7"),
        ("removed: stands elsewhere", "9", "9"),
        ("removed: other copy not in the sample", "3", "–"),
    ]
    entry["errors"] = {"planted": part | {"forms": forms, "index_ngrams": 10**6}, "compared": None}
    entry["moved"] = {"bytes": 0, "rows": 0, "text_bytes": 0}
    (single,) = error_tables(entry)
    assert "1,000,000 n-grams" in single.note
    assert "0.05421 matches by chance" in single.note
    assert moved(entry) == "Looks at one document at a time."
    page = render(told)
    assert "Planted in kept documents" in page


def test_no_bytes_of_text_is_no_division(told: dict[str, Any]) -> None:
    entry = told["deduplication"]["minhash"]
    entry["moved"]["text_bytes"] = 0
    assert moved(entry).endswith("rows.")


def test_page_and_terminal_show_it_and_hostile_texts_stay_text(told: dict[str, Any]) -> None:
    page = render(told)
    assert 'id="deduplication"' in page
    for words in ("Planted copies", "All pairs of a sample", "3 dropped, some of them", "Duplicates by dump"):
        assert words in page
    assert "<script>alert" not in page
    assert "\u202e" not in page
    stream = io.StringIO()
    print_report(told, Console(file=stream, width=200, force_terminal=False, legacy_windows=False))
    text = stream.getvalue()
    for words in ("Planted copies", "80.0 %", "bytes per byte of", "[bold]"):
        assert words in text
    assert "\u202e" not in text


def test_shared_lines_have_tables_on_the_page_and_in_the_terminal(report: dict[str, Any]) -> None:
    changed = copy.deepcopy(report)
    told = details()
    told["minhash"]["parts"] = {
        "kind": "lines",
        "sources": [["web", HOSTILE, 3]],
        "dumps": [["web 1", "web 2", 3]],
        "compared": {"sources": {"web": 12}, "dumps": {}},
    }
    changed["deduplication"] = deduplication(changed, told)
    *_, sources, dumps = pair_tables(changed["deduplication"]["minhash"])
    assert sources.rows == [("web", HOSTILE, "3", "25.0 %")]
    assert dumps.rows == [("web 1", "web 2", "3", "–")]
    page = render(changed)
    stream = io.StringIO()
    print_report(changed, Console(file=stream, width=200, force_terminal=False, legacy_windows=False))
    for text in (page, stream.getvalue()):
        assert "Shared lines by source" in text
        assert "\u202e" not in text
    assert "<script>alert" not in page


def test_reports_of_earlier_versions_are_shown(report: dict[str, Any]) -> None:
    older = {name: value for name, value in report.items() if name != "deduplication"}
    assert "No step compared documents" in render(older)
    print_report(older, Console(file=io.StringIO()))
