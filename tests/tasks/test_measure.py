"""One bad document costs that document, whatever batch it stands in."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusforge.edits import Edits
from corpusforge.errors import StepContractError
from corpusforge.step import LiveRows, MapStep, Measured, Signal
from corpusforge.tasks.measure import measure_rows, told
from corpusforge.texts import Texts

texts = st.lists(
    st.sampled_from(["good", "bad", "a longer good text", "", "bad and worse", "fail"]), max_size=24
)


class Fragile(MapStep):
    """Raises on a batch that holds a bad text, fails on its own terms, edits the first letter."""

    name = "fragile"
    edits = True
    columns = ("lang",)
    signals = (Signal("length"), Signal("note", scale=0, type=pa.string()))

    def measure(self, rows: LiveRows) -> Measured:
        strings = rows.texts.strings()
        if any("bad" in text for text in strings):
            raise ValueError(f"cannot read {strings!r} at {object()!r}")
        spans = [(row, 0, 1, "X", "first") for row, text in enumerate(strings) if text]
        return Measured(
            signals={
                "length": np.array([len(text) for text in strings]),
                "note": pa.array([t[:3] for t in strings]),
            },
            columns={"lang": pa.array(["en"] * len(rows))},
            edits=Edits.from_spans(spans),
            failures={row: "own: failed" for row, text in enumerate(strings) if text == "fail"},
        )


def rows_of(strings: list[str]):
    column = Texts.from_strings(strings)
    return lambda positions: LiveRows(column.take(positions), {})


def facts(strings: list[str], killed: dict[int, str]) -> list[tuple[object, ...]]:
    """All that was measured, one tuple a row."""
    measured = measure_rows(Fragile(), rows_of(strings), len(strings), killed)
    edits = measured.edits or Edits.empty()
    spans = {
        int(row): (int(start), int(end), text)
        for row, start, end, text in zip(edits.rows, edits.starts, edits.ends, edits.replacements)
    }
    assert list(measured.failures) == sorted(measured.failures) or len(measured.failures) < 2
    columns = {**measured.signals, **measured.columns}

    def value(name: str, row: int) -> object:
        return pa.array(columns[name])[row].as_py() if name in columns else None

    return [
        (
            measured.failures.get(row),
            value("length", row),
            value("note", row),
            value("lang", row),
            spans.get(row),
        )
        for row in range(len(strings))
    ]


@given(strings=texts, data=st.data())
def test_the_same_rows_are_quarantined_and_measured_in_any_batches(strings, data):
    killed = (
        data.draw(st.dictionaries(st.integers(0, len(strings) - 1), st.just("watchdog: late")))
        if strings
        else {}
    )
    whole = facts(strings, killed)
    for row, text in enumerate(strings):
        if row in killed:
            assert whole[row] == ("watchdog: late", None, None, None, None)
        elif "bad" in text:
            assert whole[row][0].startswith("step_error: ValueError: cannot read")
            assert whole[row][1:] == (None, None, None, None)
        else:
            failure = "own: failed" if text == "fail" else None
            assert whole[row] == (failure, len(text), text[:3], "en", (0, 1, "X") if text else None)
    cut = data.draw(st.integers(0, len(strings)))
    first = facts(strings[:cut], {row: error for row, error in killed.items() if row < cut})
    second = facts(strings[cut:], {row - cut: error for row, error in killed.items() if row >= cut})
    assert first + second == whole


def test_errors_are_told_without_text_of_the_document_and_without_addresses():
    error = told(KeyError("a secret word"))
    assert error == "step_error: KeyError: '…'"
    assert told(ValueError(f"at {object()!r}")) == "step_error: ValueError: at <object object at 0x…>"
    assert len(told(ValueError("x" * 5000))) < 250
    assert told(ValueError()) == "step_error: ValueError"
    told(ValueError("\udcff")).encode("utf-8")


@pytest.mark.parametrize(
    "error", [MemoryError(), OSError(28, "No space left on device"), ImportError("no module")]
)
def test_errors_of_the_machine_fail_the_task(error):
    class Broken(MapStep):
        name = "broken"

        def measure(self, rows: LiveRows) -> Measured:
            raise error

    with pytest.raises(type(error)):
        measure_rows(Broken(), rows_of(["a", "b"]), 2, {})


@pytest.mark.parametrize(
    ("measured", "words"),
    [
        (
            Measured(signals={"length": np.zeros(1, np.int64)}),
            "1 values of the signal 'length' for 2 documents",
        ),
        (Measured(signals={"lenght": np.zeros(2, np.int64)}), "'lenght', which it does not declare"),
        (Measured(columns={"lang": pa.array(["en"])}), "1 values of the column 'lang'"),
        (Measured(columns={"date": pa.array(["a", "b"])}), "returned and does not declare the column 'date'"),
        (Measured(twins=pa.nulls(3, pa.binary(16))), "3 twins for 2 documents"),
        (Measured(failures={2: "x: y"}), "failure of a document"),
        (Measured(edits=Edits.from_spans([(0, 0, 99, "", "r")])), "outside of its text"),
        (Measured(edits=Edits.from_spans([(5, 0, 1, "", "r")])), "outside of its text"),
        (
            Measured(edits=Edits(np.array([0, 0]), np.array([0, 1]), np.array([2, 2]), ["", ""], ["r", "r"])),
            "overlap or are not sorted",
        ),
        (Measured(edits=Edits(np.array([0]), np.array([0]), np.array([1]), [], [])), "unequal lengths"),
    ],
)
def test_a_step_that_breaks_its_contract_is_named(measured, words):
    class Careless(MapStep):
        name = "careless"
        edits = True
        signals = (Signal("length"),)

        def measure(self, rows: LiveRows) -> Measured:
            return measured

    with pytest.raises(StepContractError, match="careless") as caught:
        measure_rows(Careless(), rows_of(["abc", "def"]), 2, {})
    assert words in str(caught.value)


def test_edits_of_a_step_that_declares_none_are_an_error():
    class Sly(MapStep):
        name = "sly"

        def measure(self, rows: LiveRows) -> Measured:
            return Measured(edits=Edits.from_spans([(0, 0, 1, "", "r")]))

    with pytest.raises(StepContractError, match="does not declare"):
        measure_rows(Sly(), rows_of(["abc"]), 1, {})
