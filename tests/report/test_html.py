from __future__ import annotations

import copy
import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest

from corpusforge.report.html import render

HOSTILE = "</script><script>document.title='owned'</script><img src=x onerror=alert(1)>\u202e\x1b\"'`{{7*7}}"


class Page(HTMLParser):
    """Tags and attributes as a browser's tokenizer would see them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.identifiers: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attributes]
        self.identifiers |= {value or "" for name, value in attributes if name == "id"}


@pytest.fixture(scope="module")
def page(report: dict[str, Any], run_parts: Any) -> str:
    return render(report, run_parts.timings, run_parts.environment)


def poisoned(value: Any) -> Any:
    """Every string and every key that a document or a list could reach, replaced by a hostile one."""
    fixed = {"level", "comparison", "signal", "kind"}
    if isinstance(value, dict):
        return {key: value[key] if key in fixed else poisoned(value[key]) for key in value}
    if isinstance(value, list):
        return [poisoned(item) for item in value]
    return value + HOSTILE if isinstance(value, str) else value


def test_all_parts_are_there(page: str) -> None:
    wanted = {
        "summary",
        "warnings",
        "tabs",
        "funnel",
        "rules",
        "languages",
        "domains",
        "clusters",
        "pii",
        "tokens",
    }
    wanted |= {"shards", "timing", "sources", "ledger", "exchanges", "environment", "ledger-badge", "step-7"}
    assert wanted <= Page(page).identifiers
    for words in ("ledger closed", "threshold 50", "Kept, nearest to the threshold", "MB/s", "EMAIL_ADDRESS"):
        assert words in page


def test_nothing_is_loaded_from_anywhere(page: str) -> None:
    for name, value in Page(page).attributes:
        assert name not in ("src", "srcset", "action", "formaction", "background", "poster", "data", "style")
        if name in ("href", "xlink:href"):
            assert value.startswith("#")
    assert "@import" not in page
    assert "url(" not in page


def test_hostile_strings_stay_text(report: dict[str, Any], run_parts: Any) -> None:
    text = render(
        poisoned(copy.deepcopy(report)), poisoned(run_parts.timings), poisoned(run_parts.environment)
    )
    parsed = Page(text)
    assert parsed.tags.count("script") == 1
    assert "img" not in parsed.tags
    assert not [name for name, _ in parsed.attributes if name.startswith("on")]
    assert "\u202e" not in text
    assert "\x1b" not in text
    assert "{{7*7}}" in text


def test_the_policy_allows_only_the_script_of_the_page(page: str) -> None:
    import base64
    import hashlib

    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert policy is not None
    assert f"script-src 'sha256-{digest}'" in policy[1]
    assert policy[1].startswith("default-src 'none'")


def test_an_open_ledger_cannot_be_overlooked(report: dict[str, Any]) -> None:
    broken = copy.deepcopy(report)
    broken["closed"] = False
    broken["checks"][0]["ok"] = False
    text = render(broken)
    assert "✗ ledger open" in text
    assert "✗ differs" in text
    assert "ledger closed" not in text


def test_a_report_read_back_from_its_file_gives_the_same_page(
    report: dict[str, Any], page: str, run_parts: Any
) -> None:
    again = json.loads(json.dumps(report, sort_keys=True))
    assert render(again, run_parts.timings, run_parts.environment) == page


def test_an_empty_run_and_missing_files_are_no_error() -> None:
    from corpusforge.report.build import build_report

    text = render(build_report({}, {"closed": False, "checks": [], "records": {}, "steps": []}, []))
    assert "No timings were given" in text
    assert "did not tokenize" in text
