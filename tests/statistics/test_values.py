from __future__ import annotations

from collections import Counter
from urllib.parse import urlsplit

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from corpusforge.statistics.values import ValueCounts, domains_of, merge_counts


def counted(values: list[str | None], limit: int = 4) -> dict[str, object]:
    counts = ValueCounts(limit)
    counts.add(pa.array(values, pa.string()))
    return counts.to_json()


VALUES = st.lists(st.one_of(st.none(), st.sampled_from("abcdefgh")), max_size=40)


@given(VALUES)
def test_the_most_frequent_values_are_named_and_the_rest_is_summed(values: list[str | None]) -> None:
    found = counted(values)
    truth = Counter(value for value in values if value is not None)
    named = sorted(truth, key=lambda value: (-truth[value], value))[:4]
    assert found["counts"] == {value: truth[value] for value in sorted(named)}
    assert found["other"] == sum(truth.values()) - sum(truth[value] for value in named)
    assert found["missing"] == values.count(None)


@given(VALUES, VALUES, VALUES)
def test_merging_is_associative_and_commutative(
    first: list[str | None], second: list[str | None], third: list[str | None]
) -> None:
    a, b, c = counted(first), counted(second), counted(third)
    together = merge_counts([a, b, c])
    assert together == merge_counts([c, a, b]) == merge_counts([merge_counts([c, b]), a])
    assert merge_counts([together]) == together


@given(st.lists(VALUES, min_size=1, max_size=5))
def test_merged_counts_are_too_low_by_no_more_than_the_uncertainty(shards: list[list[str | None]]) -> None:
    merged = merge_counts([counted(shard, 2) for shard in shards])
    truth = Counter(value for shard in shards for value in shard if value is not None)
    for value, count in truth.items():
        assert merged["counts"].get(value, 0) <= count
        assert count - merged["counts"].get(value, 0) <= merged["uncertainty"]


def test_batches_make_no_difference() -> None:
    values = ["en", None, "de", "en", "fr"]
    counts = ValueCounts(4)
    for value in values:
        counts.add(pa.array([value], pa.string()))
    assert counts.to_json() == counted(values)


def test_long_values_are_cut() -> None:
    (name,) = counted(["x" * 5_000])["counts"]  # type: ignore[misc]
    assert len(name) == 100


def test_domains_are_hosts_without_what_stands_around_them() -> None:
    urls = [
        "https://www.Example.org/a?b=https://other.example",
        "http://user:secret@example.org:8080/",
        "ftp://[2001:db8::1]:21/x",
        "https://example.org",
        "no url at all",
        "http://",
        None,
        "javascript:alert(1)",
    ]
    hosts = ["example.org", "example.org", "[2001:db8::1]", "example.org", None, None, None, None]
    assert domains_of(pa.array(urls)).to_pylist() == hosts


@given(
    st.from_regex(
        r"https?://[a-z0-9.\-]{1,20}(:[0-9]{1,4})?(/[a-z@:]{0,5})?(\?[a-z@:/]{0,5})?", fullmatch=True
    )
)
def test_domains_agree_with_the_standard_library(url: str) -> None:
    expected = urlsplit(url).hostname
    assert domains_of(pa.array([url])).to_pylist() == [(expected or "").removeprefix("www.") or None]
