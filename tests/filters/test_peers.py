"""Our variants against the verdicts that the peers themselves gave on generated text.

`peer_verdicts.jsonl` was written by `benchmarks/peers/conformance.py --goldens`; the verdicts in it are those of
datatrove 0.10.1 and Dolma 1.2.1.
"""

from __future__ import annotations

import importlib.util
import json
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from corpusforge.recipe import make_step

ROOT = Path(__file__).parents[2]


def load(name: str) -> ModuleType:
    specification = importlib.util.spec_from_file_location(name, ROOT / "benchmarks" / "peers" / f"{name}.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def goldens() -> list[dict[str, Any]]:
    with (ROOT / "tests" / "filters" / "peer_verdicts.jsonl").open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def test_the_texts_are_those_that_the_script_makes(goldens: list[dict[str, Any]]) -> None:
    assert [golden["text"] for golden in goldens] == [text for _, text in load("texts").texts()]


@pytest.mark.parametrize(
    ("peer", "rule_set", "least_reasons"),
    [
        ("datatrove", "gopher_quality", 9),
        ("datatrove", "gopher_repetition", 5),
        ("datatrove", "c4", 3),
        ("datatrove", "fineweb", 4),
        ("dolma", "gopher_quality", 6),
        ("dolma", "gopher_repetition", 6),
    ],
)
def test_every_verdict_is_equal(
    peer: str, rule_set: str, least_reasons: int, goldens: list[dict[str, Any]]
) -> None:
    if peer == "datatrove":
        pytest.importorskip("spacy")
    conformance = load("conformance")
    texts = [golden["text"] for golden in goldens]
    ours = conformance.matching_rules(make_step(rule_set, rules=f"{rule_set}@{peer}"), texts)
    theirs = [golden[peer][rule_set] for golden in goldens]
    different = [
        (theirs[index], ours[index], text)
        for index, text in enumerate(texts)
        if not conformance.is_equal(peer, theirs[index], ours[index], text)
    ]
    assert different == []
    # Both sides of many rules are there, or the comparison would say little.
    assert 40 < sum(not verdict for verdict in theirs) < len(theirs) - 40
    reasons = Counter(
        reason for verdict in theirs for reason in (verdict if isinstance(verdict, list) else [verdict])
    )
    assert len(reasons) > least_reasons


def test_results_do_not_depend_on_batches(goldens: list[dict[str, Any]]) -> None:
    pytest.importorskip("spacy")
    conformance = load("conformance")
    texts = [golden["text"] for golden in goldens][::7]
    for rule_set in ("gopher_quality@datatrove", "gopher_repetition@datatrove", "gopher_repetition@dolma"):
        step = make_step(rule_set.partition("@")[0], rules=rule_set)
        assert conformance.matching_rules(step, texts) == conformance.matching_rules(step, texts, batch=3)
