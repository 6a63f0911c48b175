"""URL filter: lists in UT1's layout, words in addresses."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from corpusforge import rulesets
from corpusforge.errors import UsageError
from corpusforge.filters.url import BlockList, Parameters, UrlFilter, list_files
from corpusforge.step import LiveRows, RunContext
from corpusforge.texts import Texts


def measure(step: UrlFilter, urls: list[str | None]) -> dict[str, list[int]]:
    step.open(RunContext())
    rows = LiveRows(Texts.from_strings([""] * len(urls)), {"url": pa.array(urls, pa.string())})
    return {name: list(values) for name, values in step.measure(rows).signals.items()}


@pytest.fixture
def lists(tmp_path: Path) -> Path:
    for category, domains, urls in (
        (
            "bad",
            "Bad.example\n# comment\n\nwww.worse.example # why\n10.0.0.1\n",
            "mixed.example/bad\nmixed.example/q?a=1\n",
        ),
        ("dull", "dull.example\n", None),
    ):
        (tmp_path / category).mkdir()
        (tmp_path / category / "domains").write_text(domains)
        if urls:
            (tmp_path / category / "urls").write_text(urls)
    return tmp_path


def test_domains_and_their_subdomains(lists: Path) -> None:
    step = UrlFilter(Parameters(blocklists=[str(lists)]))
    urls = [
        "http://bad.example/x", "https://a.b.BAD.example:8080/", "http://notbad.example/", "http://example/",
        "http://worse.example/", "http://10.0.0.1/x", "http://dull.example", None, "junk", "",
    ]  # fmt: skip
    assert measure(step, urls)["listed_domain"] == [1, 1, 0, 0, 1, 1, 1, 0, 0, 0]


def test_categories(lists: Path) -> None:
    step = UrlFilter(Parameters(blocklists=[str(lists)], categories=["dull"]))
    assert measure(step, ["http://bad.example", "http://dull.example"])["listed_domain"] == [0, 1]
    with pytest.raises(UsageError, match="no list of category missing"):
        UrlFilter(Parameters(blocklists=[str(lists)], categories=["missing", "dull"])).check()


def test_addresses_and_what_lies_below(lists: Path) -> None:
    step = UrlFilter(Parameters(blocklists=[str(lists / "bad")]))
    urls = [
        "http://mixed.example/bad", "https://www.mixed.example/bad/deeper/x?y=z", "http://mixed.example/badly",
        "http://mixed.example/q?a=1&utm_source=x", "http://mixed.example/q?a=2", "http://mixed.example/", None,
    ]  # fmt: skip
    found = measure(step, urls)
    assert found["listed_url"] == [1, 1, 0, 1, 0, 0, 0]
    assert found["listed_domain"] == [0] * 7


def test_a_single_file_may_mix_both(tmp_path: Path) -> None:
    file = tmp_path / "list.txt"
    file.write_text("one.example\nhttp://two.example/page\nhttps://three.example\n")
    found = BlockList(list_files([str(file)], None))
    assert found.domains == {"one.example", "three.example"}
    assert found.addresses == {"example,two)/page"}


def test_words() -> None:
    step = UrlFilter(Parameters(hard_words=["Hard"], soft_words=["soft", "weak"]))
    urls = [
        "http://a.hard.com/x-hard",
        "http://hardly.com/software",
        "http://a.com/soft_weak/soft",
        "http://soft.com",
        None,
    ]
    found = measure(step, urls)
    assert found["hard_words"] == [2, 0, 0, 0, 0]
    assert found["soft_words"] == [0, 0, 2, 1, 0]


def test_default_words_spare_ordinary_addresses() -> None:
    defaults = Parameters(**rulesets.thresholds("url@default", "url_filter"))
    step = UrlFilter(defaults)
    ordinary = [
        "https://www.middlesex.ac.uk/study", "https://www.essex.gov.uk/", "https://en.wikipedia.org/wiki/Sex_education",
        "https://scunthorpe.example/analysis", "https://example.org/torrential-rain", "https://a.org/xxxl-shirts",
    ]  # fmt: skip
    found = measure(step, [*ordinary, "http://free-porn.example", "http://a.com/casino-bonus"])
    assert found["hard_words"] == [0] * 6 + [1, 0]
    assert all(count <= defaults.max_soft_words for count in found["soft_words"][:7])
    assert found["soft_words"][7] > defaults.max_soft_words


def test_rules_name_parameters_and_signals() -> None:
    signals = {signal.name for signal in UrlFilter.signals}
    for rule in UrlFilter.rules:
        assert rule.name in Parameters.model_fields
        assert rule.signal in signals


def test_fingerprints_follow_the_lists(lists: Path) -> None:
    step = UrlFilter(Parameters(blocklists=[str(lists)]))
    before = step.fingerprint()
    assert sorted(before) == ["0:bad/domains", "1:bad/urls", "2:dull/domains"]
    (lists / "dull" / "domains").write_text("other.example\n")
    after = step.fingerprint()
    assert [name for name in before if before[name] != after[name]] == ["2:dull/domains"]


def test_a_missing_list_is_told_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no block list"):
        UrlFilter(Parameters(blocklists=[str(tmp_path / "none")])).check()


def test_real_lists(shared_data: Path) -> None:
    step = UrlFilter(Parameters(blocklists=[str(shared_data / "blocklists" / "ut1")]))
    urls = [
        "http://sub.007agent-russian-women.net/x",
        "https://020sextoy.com/sk",
        "https://020sextoy.com/",
        "http://kernel.org",
    ]
    found = measure(step, urls)
    assert found["listed_domain"] == [1, 0, 0, 0]
    assert found["listed_url"] == [0, 1, 0, 0]
