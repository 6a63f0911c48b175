from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from corpusforge.dedup.minhash import MinhashDedup, MinhashParameters
from corpusforge.document import document_id
from corpusforge.errors import UsageError
from corpusforge.report.why import Fate, print_fate, thresholds_of, why
from corpusforge.step import RATIO, LiveRows, MapStep, Measured, Rule, Signal, StepParameters

THRESHOLDS = {
    "gopher.word_count": [("min_words", "below", 50, 1), ("max_words", "above", 100_000, 1)],
    "gopher.alphabetic": [("min_alphabetic", "below", 0.8, RATIO)],
    "language.language": [("", "", None, 0)],
}
IDS = [document_id("s", str(number)) for number in range(6)]


def rows(numbers: list[int], words: list[int | None], **more: Any) -> pa.Table:
    return pa.table(
        {
            "id": pa.array([IDS[number] for number in numbers], pa.binary(16)),
            "source": ["s"] * len(numbers),
            "locator": [f"a.warc.gz#{number}" for number in numbers],
            "url": [f"https://example.org/{number % 4}" for number in numbers],
            "lang": ["en"] * len(numbers),
            "text": pa.array(["secret text"] * len(numbers), pa.large_string()),
            "language.language": ["en"] * len(numbers),
            "gopher.word_count": pa.array(words, pa.int64()),
            "gopher.alphabetic": pa.array([RATIO // 2] * len(numbers), pa.int64()),
            **more,
        }
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("run")
    for name in ("documents", "dropped", "quarantine"):
        (root / name).mkdir()
    pq.write_table(rows([0, 1], [70, 80]), root / "documents" / "00000.parquet", row_group_size=1)
    dropped = {
        "verdict": ["gopher.min_words", "minhash.near_duplicate", "minhash.near_duplicate"],
        "duplicate_of": pa.array([None, IDS[1], b"\xff" * 16], pa.binary(16)),
    }
    pq.write_table(
        rows([2, 3, 4], [12, 90, None], **dropped), root / "dropped" / "00000.parquet", row_group_size=2
    )
    lines = [
        {
            "locator": "a.warc.gz#77",
            "step": "extract",
            "kind": "too_deep",
            "error": "too_deep: 900",
            "source": "s",
        },
        {
            "locator": "a.warc.gz#78",
            "step": "pii",
            "kind": "x",
            "error": "x: y",
            "source": "s",
            "id": IDS[5].hex(),
        },
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (root / "quarantine" / "00000.jsonl").write_text(text + '{"torn')
    return root


def shown(fate: Fate) -> str:
    stream = io.StringIO()
    print_fate(fate, Console(file=stream, width=200, color_system=None))
    return stream.getvalue()


def test_a_kept_document_with_its_signals_beside_their_thresholds(run: Path) -> None:
    fate = why(run, IDS[0].hex(), THRESHOLDS)
    assert (fate.outcome, fate.verdict, fate.locator, fate.file) == (
        "kept",
        None,
        "a.warc.gz#0",
        "documents/00000.parquet",
    )
    text = shown(fate)
    assert "a.warc.gz#0" in text
    (words,) = [line for line in text.splitlines() if "word_count" in line]
    assert "70" in words
    assert "below 50" in words
    (alphabetic,) = [line for line in text.splitlines() if "alphabetic" in line]
    assert "0.5" in alphabetic
    assert "below 0.8" in alphabetic
    assert "secret text" not in text


@pytest.mark.parametrize("length", [6, 7, 13, 31, 32])
def test_the_beginning_of_an_id_is_enough(run: Path, length: int) -> None:
    for number, outcome in ((1, "kept"), (2, "dropped"), (5, "quarantined")):
        fate = why(run, IDS[number].hex()[:length].upper(), THRESHOLDS)
        assert (fate.id, fate.outcome) == (IDS[number].hex(), outcome)


def test_the_rule_that_decided_is_marked(run: Path) -> None:
    fate = why(run, IDS[2].hex(), THRESHOLDS)
    decided = [
        (reading.step, limit.rule) for reading in fate.readings for limit in reading.limits if limit.decided
    ]
    assert decided == [("gopher", "min_words")]
    text = shown(fate)
    assert "dropped: gopher.min_words" in text
    assert "below 50  ← min_words dropped it" in text


def test_a_duplicate_names_its_surviving_twin(run: Path) -> None:
    fate = why(run, IDS[3].hex(), THRESHOLDS)
    assert fate.twin is not None
    assert (fate.twin.id, fate.twin.outcome, fate.twin.locator) == (IDS[1].hex(), "kept", "a.warc.gz#1")
    text = shown(fate)
    assert IDS[1].hex() in text
    assert "https://example.org/1" in text
    lost = why(run, IDS[4].hex(), THRESHOLDS)
    assert lost.twin is not None
    assert lost.twin.outcome == "absent"
    assert "not measured" in shown(lost)


def test_a_url_finds_all_documents_that_have_it(run: Path) -> None:
    fate = why(run, "https://example.org/0", THRESHOLDS)
    assert fate.id == IDS[0].hex()
    assert fate.others == (f"dropped {IDS[4].hex()}",)
    assert IDS[4].hex() in shown(fate)


def test_a_locator_finds_documents_and_quarantined_records(run: Path) -> None:
    assert why(run, "a.warc.gz#3").id == IDS[3].hex()
    fate = why(run, "a.warc.gz#77")
    assert (fate.outcome, fate.id) == ("quarantined", None)
    text = shown(fate)
    assert "too_deep: 900" in text
    assert "extract" in text


def test_unknown_and_ambiguous_queries_are_clear_errors(run: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no document 'ffffffff'"):
        why(run, "ffffffff")
    with pytest.raises(UsageError, match="no document 'https://nowhere'"):
        why(run, "https://nowhere")
    with pytest.raises(UsageError, match="6 to 32 hexadecimal digits"):
        why(run, "abc")
    with pytest.raises(UsageError, match="is it a run directory"):
        why(tmp_path, "abcdef")


def test_an_ambiguous_beginning_lists_the_candidates(tmp_path: Path) -> None:
    (tmp_path / "documents").mkdir()
    table = rows([0, 1], [1, 2])
    twins = pa.array([bytes(15) + b"\x01", bytes(15) + b"\x02"], pa.binary(16))
    pq.write_table(table.set_column(0, "id", twins), tmp_path / "documents" / "00000.parquet")
    with pytest.raises(UsageError, match=r"2 documents begin with '000000': 0{31}1, 0{31}2"):
        why(tmp_path, "000000")
    assert why(tmp_path, "0" * 31 + "2").locator == "a.warc.gz#1"


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "documents").mkdir()
    (tmp_path / "documents" / "00000.parquet").write_bytes(b"PAR1 but not really")
    with pytest.raises(UsageError, match=r"00000\.parquet cannot be read"):
        why(tmp_path, "abcdef")


def test_damaged_quarantine_lines_are_named_where_a_document_is_not_found(tmp_path: Path) -> None:
    folder = tmp_path / "quarantine"
    folder.mkdir()
    (folder / "00000.jsonl").write_text('{"id": "abcdef01", "locator": "a#1"}\n{"id": "ab\n[]\n')
    assert why(tmp_path, "abcdef").locator == "a#1"
    with pytest.raises(UsageError, match=r"damaged lines: line 2 of quarantine/00000\.jsonl, line 3 of"):
        why(tmp_path, "fedcba")


class _Parameters(StepParameters):
    min_words: int | None = 50


class _Counting(MapStep):
    name = "counting"
    Parameters = _Parameters
    signals = (Signal("words"), Signal("share", RATIO))
    rules = (Rule("min_words", "words", "below"),)

    def measure(self, rows: LiveRows) -> Measured:
        return Measured()


def test_thresholds_come_from_the_steps_of_a_recipe() -> None:
    assert thresholds_of([_Counting(_Parameters(min_words=7), "again")]) == {
        "again.words": [("min_words", "below", 7, 1)],
        "again.share": [("", "", None, RATIO)],
    }


def test_the_similarity_of_a_duplicate_stands_beside_its_threshold(run: Path) -> None:
    found = thresholds_of([MinhashDedup(MinhashParameters(threshold=0.8))])
    assert found["minhash_dedup.similarity"] == [("threshold", "at_least", 0.8, RATIO)]
    assert found["minhash_dedup.duplicate"] == [("duplicate", "is_true", True, 1)]


def test_rules_that_are_off_are_told_only_where_no_other_is_on(run: Path) -> None:
    off = ("longest", "above", None, 1)
    thresholds = {**THRESHOLDS, "gopher.word_count": [*THRESHOLDS["gopher.word_count"], off]}
    assert "switched off" not in shown(why(run, IDS[0].hex(), thresholds))
    assert shown(why(run, IDS[0].hex(), {"gopher.word_count": [off, off]})).count("switched off") == 1


def test_a_url_in_another_form(run: Path) -> None:
    expected = why(run, "https://example.org/2").id
    for query in ("http://www.example.org/2", "example.org/2", "https://EXAMPLE.org/2#top"):
        assert why(run, query).id == expected
    for query in ("https://example.org/99", "https://[bad", "nothing", "example.com/2"):
        with pytest.raises(UsageError, match="no document"):
            why(run, query)
