"""The page in a real browser: what the script makes is there, and what documents hold stays text."""

from __future__ import annotations

import copy
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from corpusforge.report.html import render

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
Dump = Callable[[str, str], str]


@pytest.fixture(scope="module")
def dump(tmp_path_factory: pytest.TempPathFactory) -> Dump:
    """Give a function that opens a page and returns the document after its script has run."""
    browser = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if browser is None:
        pytest.skip(f"no browser: none of {', '.join(BROWSERS)} is on PATH")
    folder = tmp_path_factory.mktemp("browser")

    def opened(page: str, fragment: str = "") -> str:
        file = folder / "report.html"
        file.write_text(page, encoding="utf-8")
        command = [
            browser,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            f"--user-data-dir={folder / 'profile'}",
            "--virtual-time-budget=2000",
            "--dump-dom",
            f"{file.as_uri()}{fragment}",
        ]
        done = subprocess.run(command, capture_output=True, timeout=120, check=True)
        return done.stdout.decode("utf-8")

    return opened


def hidden(document: str, identifier: str) -> bool:
    """Whether the element of that id carries the attribute `hidden`."""
    tag = re.search(rf'<[a-z]+ [^>]*id="{identifier}"[^>]*>', document)
    assert tag is not None, f"{identifier} is not in the document"
    return re.search(r"\shidden(=|\s|>)", tag[0]) is not None


def test_the_script_makes_tabs_sorting_and_a_theme(
    dump: Dump, report: dict[str, Any], run_parts: Any
) -> None:
    document = dump(render(report, run_parts.timings, run_parts.environment), "")
    tabs = re.findall(r'<button[^>]*role="tab"[^>]*>([^<]*)</button>', document)
    assert tabs == ["Funnel", "Steps", "Corpus", "Tokens", "Speed", "Accounts"]
    assert re.search(r'<button[^>]*aria-selected="true"[^>]*>Funnel</button>', document)
    assert '<button type="button" class="sort">' in document
    assert 'id="theme"' in document
    assert not hidden(document, "funnel")
    assert hidden(document, "step-3")
    assert hidden(document, "timing")


def test_all_parts_of_the_report_are_in_the_document(
    dump: Dump, report: dict[str, Any], run_parts: Any
) -> None:
    document = dump(render(report, run_parts.timings, run_parts.environment), "")
    for identifier in (
        "funnel",
        "rules",
        "languages",
        "domains",
        "clusters",
        "pii",
        "tokens",
        "timing",
        "ledger",
    ):
        assert f'id="{identifier}"' in document
    for step in report["steps"]:
        assert f">{step['step']}</a>" in document
    assert document.count('<line class="threshold"') >= 6
    assert document.count('<figure class="chart"') >= 6
    for words in ("ledger closed", "threshold 50", "Kept, nearest to the threshold", "MB/s"):
        assert words in document


def test_a_link_opens_the_tab_and_the_rule_that_it_names(dump: Dump, report: dict[str, Any]) -> None:
    document = dump(render(report), "#step-3-5")
    assert re.search(r'<button[^>]*aria-selected="true"[^>]*>Steps</button>', document)
    assert not hidden(document, "step-3")
    assert hidden(document, "funnel")
    assert re.search(r'<details[^>]*id="step-3-5"[^>]*\sopen', document)


def test_hostile_documents_cannot_run(dump: Dump, report: dict[str, Any]) -> None:
    owned = "document.title='owned'"
    hostile = f'</blockquote></script><script>{owned}</script><img src=x onerror="{owned}">'
    changed = copy.deepcopy(report)
    for step in changed["steps"]:
        for rule in step["rules"]:
            for example in [*rule["dropped_examples"], *rule["nearest_examples"]]:
                example.update(excerpt=hostile, url=hostile, lang=hostile)
    changed["domains"]["values"][0]["value"] = hostile
    document = dump(render(changed), "")
    assert "<title>cc_pipeline · corpusforge report</title>" in document
    assert "<img" not in document
    assert document.count("<script>") == 1


def test_the_policy_stops_what_escaping_would_let_through(dump: Dump, report: dict[str, Any]) -> None:
    page = render(report).replace("</footer>", "</footer><script>document.title='owned'</script>")
    document = dump(page, "")
    assert "document.title='owned'" in document, (
        "the script must stand in the page for this test to mean anything"
    )
    assert "<title>cc_pipeline · corpusforge report</title>" in document


def test_without_a_script_everything_is_shown(dump: Dump, report: dict[str, Any], tmp_path: Path) -> None:
    page = re.sub(r"<script>.*?</script>", "", render(report), flags=re.DOTALL)
    document = dump(page, "")
    for identifier in ("funnel", "step-3", "timing", "ledger"):
        assert not hidden(document, identifier)
