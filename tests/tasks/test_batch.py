"""A batch on its way through steps: rules, edits, columns, failures, and accounts that always balance."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusforge import ledger
from corpusforge.document import DOCUMENT_SCHEMA, document_id
from corpusforge.edits import Edits
from corpusforge.operations import address_of
from corpusforge.step import MICRO, RATIO, LiveRows, MapStep, Measured, Rule, Signal, StepParameters
from corpusforge.tasks.batch import Batch, run_step
from corpusforge.verdicts import drops

WORDS = ["", "short", "bad", "a longer text", "drop me", "ünïcode text"]


def batch_of(texts: list[str], first_row: int = 0) -> Batch:
    count = len(texts)
    given_columns = {
        "id": [document_id("web", str(row)) for row in range(count)],
        "source": ["web" if row % 3 else "books" for row in range(count)],
        "locator": [f"a@{row}" for row in range(count)],
        "text": texts,
    }
    arrays = [
        pa.array(given_columns[field.name], field.type)
        if field.name in given_columns
        else pa.nulls(count, field.type)
        for field in DOCUMENT_SCHEMA
    ]
    sizes = np.array([len(text.encode()) for text in texts], np.int64)
    return Batch(3, first_row, pa.RecordBatch.from_arrays(arrays, schema=DOCUMENT_SCHEMA), sizes)


class Parameters(StepParameters):
    min_length: int | None = 4
    forbidden: bool = True


class Cut(MapStep):
    """Cuts the first letter, puts two in, drops by length and by word, fails on "bad"."""

    name = "cut"
    edits = True
    columns = ("lang",)
    Parameters = Parameters
    signals = (Signal("length"), Signal("forbidden"))
    rules = (Rule("min_length", "length", "below"), Rule("forbidden", "forbidden", "is_true"))

    def measure(self, rows: LiveRows) -> Measured:
        texts = rows.texts.strings()
        ends = {row: len(text[:1].encode()) for row, text in enumerate(texts) if text}
        return Measured(
            signals={
                "length": np.array([len(text) for text in texts], np.int64),
                "forbidden": np.array(["drop" in text for text in texts], np.int64),
            },
            columns={"lang": pa.array(["en"] * len(texts))},
            edits=Edits.from_spans([(row, 0, end, "<>", "first") for row, end in ends.items()]),
            failures={row: "own: refused" for row, text in enumerate(texts) if "bad" in text},
        )


@given(texts=st.lists(st.sampled_from(WORDS), max_size=12), measure_all=st.booleans(), data=st.data())
def test_documents_and_bytes_balance_over_two_steps_whatever_happens(texts, measure_all, data):
    batch = batch_of(texts)
    killed = {f"a@{row}": "watchdog: late" for row in data.draw(st.sets(st.integers(0, 11)))}
    first, second = Cut(instance="one"), Cut(Parameters(min_length=8), instance="two")
    accounts: list[dict[str, ledger.Account]] = [{}, {}]
    run_step(batch, first, measure_all, accounts[0], killed)
    run_step(batch, second, measure_all, accounts[1])
    sources = batch.columns["source"].to_pylist()
    records = {
        source: {
            **ledger.new_record_account(),
            "documents": sources.count(source),
            "payload_bytes": sum(len(text.encode()) for text, its in zip(texts, sources) if its == source),
        }
        for source in set(sources)
    }
    checks = ledger.Checks()
    ledger.check_steps(
        checks, records, [{"step": "one", "sources": accounts[0]}, {"step": "two", "sources": accounts[1]}]
    )
    assert checks.closed, [row for row in checks.rows if not row["ok"]]
    for row, (text, verdict) in enumerate(zip(texts, batch.verdicts)):
        if f"a@{row}" in killed:
            assert verdict == "quarantine:watchdog"
        elif "bad" in text:
            assert verdict == "quarantine:own"
        elif len(text) < 4:
            assert verdict == "one.min_length"
        elif "drop" in text:
            assert verdict == "one.forbidden"
        elif len(text) + 1 < 8:
            assert verdict == "two.min_length"
        else:
            assert verdict is None
            assert batch.views.text().string(row) == "<>" + text[1:], (
                "the second cut takes the whole of the first"
            )
            assert batch.sizes[row] == len(batch.views.text().bytes_of(row))
    assert [error["locator"] for error in batch.errors] == sorted(
        (error["locator"] for error in batch.errors), key=lambda name: int(name[2:])
    )


def test_what_was_dropped_is_not_measured_unless_all_is_asked_for():
    for measure_all in (False, True):
        batch = batch_of(["drop this", "keep this text"])
        run_step(batch, Cut(instance="one"), measure_all, {})
        output = run_step(batch, Cut(instance="two"), measure_all, {})
        assert output.signals["length"].null_count == (0 if measure_all else 1)
        assert batch.verdicts == ["one.forbidden", None]
        assert output.edits.rows.tolist() == [1], "edits of dropped documents are not kept"


def test_the_first_rule_that_fires_names_the_verdict_and_none_switches_a_rule_off():
    batch = batch_of(["drp", "dropped"])
    run_step(batch, Cut(Parameters(min_length=None)), False, {})
    assert batch.verdicts == [None, "cut.forbidden"]
    batch = batch_of(["drop"])
    run_step(batch, Cut(Parameters(min_length=99)), False, {})
    assert batch.verdicts == ["cut.min_length"]


def test_rows_know_where_they_stand_and_get_what_is_addressed_to_them():
    batch = batch_of(["a", "b", "c"], first_row=10)
    batch.verdicts[1] = "x.y"
    batch.joined["rows"] = pa.RecordBatch.from_pydict({"row": [10, 11, 12, 12], "value": [1, 2, 3, 4]})
    rows = batch.rows(batch.kept(), "latest")
    assert rows.texts.strings() == ["a", "c"]
    assert rows.addresses.tolist() == address_of(3, np.array([10, 12])).tolist()
    assert rows.joined("rows").to_pydict() == {"row": [0, 1, 1], "value": [1, 3, 4]}
    assert len(batch.rows(batch.kept(), "none")) == 2


@pytest.mark.parametrize(
    ("comparison", "scale", "values", "threshold", "expected"),
    [
        ("below", 1, [1, 2, None], 2, [True, False, False]),
        ("at_most", 1, [1, 2, 3], 2, [True, True, False]),
        ("above", RATIO, [300_000_000, 300_000_001], 0.3, [False, True]),
        ("at_least", RATIO, [299_999_999, 300_000_000], 0.3, [False, True]),
        ("below", MICRO, [-1, 0], -0.0000005, [False, False]),
        ("is_true", 1, [0, 1, 2, None], True, [False, True, True, False]),
        ("is_true", 1, [1], False, [False]),
        ("above", 1, [5], None, [False]),
    ],
)
def test_rules_compare_in_integers_of_the_signal(comparison, scale, values, threshold, expected):
    signal = Signal("x", scale=scale)
    found = drops(Rule("limit", "x", comparison), signal, pa.array(values, pa.int64()), threshold)
    assert found.tolist() == expected


def test_lists_of_values():
    signal, values = Signal("lang", 0, pa.string()), pa.array(["en", "de", None])
    assert drops(Rule("l", "lang", "not_in"), signal, values, ["en"]).tolist() == [False, True, False]
    assert drops(Rule("l", "lang", "is_in"), signal, values, ["en"]).tolist() == [True, False, False]


def test_rows_of_other_sources_are_kept_without_signals():
    batch = batch_of(["drop me", "drop me", "a longer text"])
    step = Cut()
    step.only = ("web",)
    accounts: dict[str, ledger.Account] = {}
    output = run_step(batch, step, False, accounts)
    assert batch.columns["source"].to_pylist() == ["books", "web", "web"]
    assert batch.verdicts == [None, "cut.forbidden", None]
    assert output.signals["length"].to_pylist() == [None, 7, 13]
    assert batch.views.text().strings()[0] == "drop me"
    assert accounts["books"]["documents_kept"] == 1
    assert accounts["books"]["bytes_in"] == accounts["books"]["bytes_kept"] == 7
    assert batch.limited(np.array([0, 2]), ("books",)).tolist() == [0]
    assert batch.limited(np.array([0, 2]), ()).tolist() == [0, 2]
