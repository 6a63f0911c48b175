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

from corpusforge.recipe import load_text
from corpusforge.report.html import render, script_hash
from corpusforge.report.thresholds import State, bounds, sections
from corpusforge.report.tune import tune
from corpusforge.report.tune_page import write_page

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


def moved(page: str, sliders: dict[str, int], where: str = '[data-name="{}"] input') -> str:
    """The page with a script that moves sliders, by the names of their rules, as a hand would; its policy allows it."""
    script = "".join(
        f"var slider = document.querySelector('{where.format(name)}'); slider.value = {place}; "
        "slider.dispatchEvent(new Event('input'));"
        for name, place in sliders.items()
    )
    page = page.replace("script-src ", f"script-src '{script_hash(script)}' ")
    return page.replace("</body>", f"<script>{script}</script></body>")


def words(document: str, start: str) -> str:
    """The text of the element that begins with `start`."""
    found = re.search(rf"{re.escape(start)}[^>]*>([^<]*)<", document)
    assert found is not None, f"{start} is not in the document"
    return found[1]


def span(low: int, high: int) -> str:
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def test_the_script_makes_tabs_sorting_a_theme_and_sliders(
    dump: Dump, report: dict[str, Any], run_parts: Any
) -> None:
    (step,) = [step for step in sections(report) if step["step"] == "gopher"]
    rules = {rule["rule"]: rule for rule in step["rules"]}
    to = {"min_words": rules["min_words"]["start"] + 3, "min_alphabetic_words": 2}
    page = render(report, run_parts.timings, run_parts.environment)
    document = dump(moved(page, {f"gopher.{name}": place for name, place in to.items()}), "")
    places = {
        name: rule["places"][to.get(name, rule["start"])] for name, rule in rules.items() if rule["places"]
    }
    found = bounds(
        step["kept"],
        step["dropped"],
        [State(rule["decided"], rule["was"], places.get(name)) for name, rule in rules.items()],
    )
    assert found.gone[0] > 0
    assert found.back[1] > 0
    kept = report["summary"]["documents_kept"]
    gone = max(found.gone[0] - step["later"], 0)
    assert words(document, '<b id="kept-now"') == span(kept - found.gone[1], kept - gone + found.back[1])
    section = document[document.index('data-name="gopher.min_words"') :]
    strict = places["min_words"]
    assert words(section, '<output class="limit"') == f"below {strict.limit}"
    assert f"matches {strict.kept + strict.dropped:,} of" in words(section, '<output class="alone"')
    settings = words(document, '<code id="settings"')
    assert f"--set gopher.min_words={strict.limit} " in settings
    assert "--set gopher.min_alphabetic_words=0." in settings
    assert settings.count("--set") == 2
    tabs = re.findall(r'<button[^>]*role="tab"[^>]*>([^<]*)</button>', document)
    assert tabs == ["Funnel", "Steps", "Thresholds", "Corpus", "Duplicates", "Tokens", "Speed", "Accounts"]
    assert re.search(r'<button[^>]*aria-selected="true"[^>]*>Funnel</button>', document)
    assert '<button type="button" class="sort">' in document
    assert 'id="theme"' in document
    assert not hidden(document, "funnel")
    assert hidden(document, "step-3")
    assert hidden(document, "thresholds")
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
    for identifier in ("funnel", "step-3", "thresholds", "timing", "ledger"):
        assert not hidden(document, identifier)


def test_the_sliders_of_tune_count_what_tune_counts(dump: Dump, alike: Path, tmp_path: Path) -> None:
    text = (alike / "recipe.yaml").read_text(encoding="utf-8")
    before = load_text(text, "recipe.yaml")
    target = tmp_path / "tune.html"
    write_page(alike, before, tune(alike, before, before), target)
    page = target.read_text(encoding="utf-8")
    still = dump(page, "")
    assert words(still, '<code id="settings"') == "nothing changed"
    assert words(still, '<span class="kept" id="kept"') == words(still, '<span id="before"')
    # Places are hundredths from 0.5 on.
    for place, threshold in ((0, "0.5"), (40, "0.9")):
        setting = f"minhash_dedup.threshold={threshold}"
        told = tune(alike, before, load_text(text, "recipe.yaml", [setting]))
        assert told.exact
        assert told.kept != told.kept_before
        sliders = {"minhash_dedup.threshold": place}
        document = dump(moved(page, sliders, 'input[aria-label="{}"]'), "")
        kept = f"{100 * told.kept / told.documents:.1f} %"
        assert words(document, '<span class="kept" id="kept"') == kept
        assert words(document, '<code id="settings"') == f"--set {setting}"
        assert f"similarity at least {threshold}" in document
        changes = told.newly_dropped + told.newly_kept
        assert f"{changes} documents of the sample change sides" in document
