from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpusforge.document import canonical_json
from corpusforge.statistics.histogram import Histogram
from corpusforge.statistics.steps import StepStatistics, _distances, merge, merge_by_step
from corpusforge.step import Rule, Signal


@settings(max_examples=15, deadline=None)
@given(cuts=st.lists(st.integers(0, 300), max_size=6))
def test_batch_boundaries_make_no_difference(made: Any, cuts: list[int]) -> None:
    batch = made.gopher_batch(300)
    edges = [0, *sorted(cuts), 300]
    statistics = made.gopher_statistics()
    for start, stop in zip(edges, edges[1:]):
        batch.rows(start, stop).add_to(statistics)
    whole = batch.add_to(made.gopher_statistics())
    assert canonical_json(statistics.to_json()) == canonical_json(whole.to_json())


@settings(max_examples=12, deadline=None)
@given(order=st.permutations(range(5)), cut=st.integers(0, 5))
def test_merging_is_associative_and_commutative(made: Any, order: list[int], cut: int) -> None:
    parts = [made.gopher_batch(40, seed).add_to(made.gopher_statistics()).to_json() for seed in range(5)]
    shuffled = [parts[position] for position in order]
    grouped = merge([merge(shuffled[:cut]), merge(shuffled[cut:])])
    assert canonical_json(grouped) == canonical_json(merge(parts))
    assert canonical_json(merge([grouped])) == canonical_json(grouped)


def test_counts_agree_with_a_slow_count(made: Any) -> None:
    batch = made.gopher_batch(500)
    found = batch.add_to(made.gopher_statistics()).to_json()
    verdicts, sizes = batch.verdicts.to_pylist(), batch.texts.sizes.tolist()
    assert found["documents"] == {
        "kept": verdicts.count(None),
        "dropped": sum(verdict is not None for verdict in verdicts),
    }
    assert sum(found["bytes"].values()) == sum(sizes)
    for name, rule in found["rules"].items():
        rows = [row for row, verdict in enumerate(verdicts) if verdict == f"gopher.{name}"]
        assert rule["documents"] == len(rows)
        assert rule["bytes"] == sum(sizes[row] for row in rows)
        assert {example["id"] for example in rule["examples"]} <= {
            batch.ids[row].as_py().hex() for row in rows
        }
        assert len(rule["examples"]) == min(5, len(rows))
    words = batch.signals["word_count"].to_pylist()
    slow = Histogram(1)
    slow.add(np.array([value for value, verdict in zip(words, verdicts) if verdict is None]))
    assert found["signals"]["word_count"]["kept"] == slow.to_json()
    assert found["rules"]["min_words"]["matched"] == sum(value < 50 for value in words)
    kept = sorted(value for value, verdict in zip(words, verdicts) if verdict is None)
    nearest = [example["values"]["word_count"] for example in found["rules"]["min_words"]["nearest"]]
    assert nearest == kept[:3]


def test_languages_and_domains_add_up_on_both_sides(made: Any) -> None:
    found = made.gopher_batch(500).add_to(made.gopher_statistics()).to_json()
    for key in ("languages", "domains"):
        for side in ("kept", "dropped"):
            counts = found[key][side]
            together = sum(counts["counts"].values()) + counts["other"] + counts["missing"]
            assert together == found["documents"][side]


def test_nothing_personal_and_nothing_unprintable_enters_examples(made: Any) -> None:
    batch = made.gopher_batch(6)
    text = canonical_json(batch.add_to(made.gopher_statistics()).to_json())
    for secret in ("jane", "123 456", "192.168", "\u202e", "\\u001b"):
        assert secret not in text


def test_missing_and_unmeasured_signals_are_counted(made: Any) -> None:
    statistics = StepStatistics(
        "s", [Signal("a"), Signal("b"), Signal("c", 0, pa.string())], [Rule("low", "a", "below")], {"low": 2}
    )
    batch = made.gopher_batch(3)
    batch.signals = {"a": pa.array([1, None, 5]), "c": pa.array(["x", None, "x"])}
    batch.verdicts = pa.array(["s.low", None, None])
    found = batch.add_to(statistics).to_json()
    assert {name: signal["missing"] for name, signal in found["signals"].items()} == {"a": 1, "b": 3, "c": 1}
    assert found["signals"]["a"]["kept"]["count"] == 1
    assert found["signals"]["c"]["kept"]["counts"] == {"x": 1}
    assert len(found["rules"]["low"]["nearest"]) == 1


def test_lists_and_mappings_as_thresholds(made: Any) -> None:
    signals = [Signal("bucket", 0, pa.string()), Signal("score")]
    rules = [Rule("buckets", "bucket", "is_in"), Rule("score_above", "score", "above")]
    batch = made.gopher_batch(3)
    batch.signals = {"bucket": pa.array(["tail", "head", "tail"]), "score": pa.array([1, 2, 3])}
    batch.verdicts = pa.array(["s.buckets", None, "s.buckets"])
    found = batch.add_to(
        StepStatistics("s", signals, rules, {"buckets": ("tail",), "score_above": {"en": 1}})
    )
    rule = found.to_json()["rules"]
    assert (rule["buckets"]["threshold"], rule["buckets"]["matched"]) == (["tail"], 2)
    assert (rule["score_above"]["threshold"], rule["score_above"]["matched"]) == ({"en": 1}, None)
    assert merge([found.to_json()] * 2)["rules"]["score_above"]["matched"] is None


def test_statistics_travel_between_processes(made: Any) -> None:
    statistics = made.gopher_batch(50).add_to(made.gopher_statistics())
    assert pickle.loads(pickle.dumps(statistics)).to_json() == statistics.to_json()


def test_an_empty_batch_changes_nothing(made: Any) -> None:
    statistics = made.gopher_statistics()
    made.gopher_batch(5).rows(2, 2).add_to(statistics)
    assert statistics.to_json() == made.gopher_statistics().to_json()


def test_different_steps_scales_and_thresholds_do_not_merge() -> None:
    def of(step: str, scale: int, limit: int) -> dict[str, Any]:
        return StepStatistics(
            step, [Signal("a", scale)], [Rule("low", "a", "below")], {"low": limit}
        ).to_json()

    for other in (of("t", 1, 2), of("s", 10, 2), of("s", 1, 3)):
        with pytest.raises(ValueError, match="merge"):
            merge([of("s", 1, 2), other])


def test_steps_are_merged_by_name() -> None:
    one = {"b": StepStatistics("b", [], [], {}).to_json(), "a": StepStatistics("a", [], [], {}).to_json()}
    assert list(merge_by_step([one, {"a": one["a"]}])) == ["a", "b"]
    assert merge([]) == {}


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1), st.integers(-(2**63), 2**63 - 1))
def test_distances_are_exact_over_all_of_int64(values: list[int], position: int) -> None:
    found = _distances(np.array(values, np.int64), position)
    assert found.tolist() == [abs(value - position) for value in values]
