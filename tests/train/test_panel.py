from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from corpusforge.errors import UsageError
from corpusforge.train.panel import (
    DOCUMENT_BYTES,
    DOCUMENTS,
    Overlap,
    Panel,
    Passage,
    decontaminate,
    limited,
    read_panel,
)

WORDS = [f"word{number}" for number in range(60)]


def run_of(begin: int, end: int) -> str:
    return " ".join(WORDS[begin:end])


def test_a_panel_file_is_read_in_its_order(tmp_path: Path) -> None:
    path = tmp_path / "panel.jsonl.gz"
    rows = [{"domain": "b", "text": "später"}, {"domain": "a", "text": "x"}, {"domain": "a", "text": "  "}]
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.write("\n".join(json.dumps(row) for row in rows) + "\n")
    panel = read_panel(path)
    assert [one.domain for one in panel.passages] == ["b", "a"]
    assert panel.domains == ["a", "b"]
    assert panel.counts()["b"] == {"documents": 1, "bytes": 7}
    again = tmp_path / "again.jsonl"
    again.write_bytes(panel.lines())
    assert read_panel(again) == panel
    assert read_panel(again).digest == panel.digest


def test_a_folder_of_texts_is_a_panel(tmp_path: Path) -> None:
    (tmp_path / "books.txt").write_text("One paragraph\nof two lines.\n\nAnother.\n")
    (tmp_path / "web.jsonl").write_text("".join(json.dumps({"text": f"page {n}"}) + "\n" for n in range(500)))
    (tmp_path / "notes.md").write_text("not read")
    panel = read_panel(tmp_path)
    counts = panel.counts()
    assert counts["books"]["documents"] == 2
    assert counts["web"]["documents"] == DOCUMENTS
    assert set(counts) == {"books", "web"}
    lines = (tmp_path / "web.jsonl").read_text().splitlines()
    (tmp_path / "web.jsonl").write_text("\n".join(reversed(lines)))
    assert read_panel(tmp_path) == panel


def test_long_texts_end_at_a_space(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("größer " * DOCUMENT_BYTES)
    (passage,) = read_panel(tmp_path).passages
    assert len(passage.text.encode()) <= DOCUMENT_BYTES
    assert passage.text.endswith("größer")


@pytest.mark.parametrize("line", ['{"text": "x"}', '{"domain": 1, "text": "x"}', "nonsense", '["x"]'])
def test_bad_lines_are_named(line: str, tmp_path: Path) -> None:
    path = tmp_path / "panel.jsonl"
    path.write_text('{"domain": "a", "text": "x"}\n' + line + "\n")
    with pytest.raises(UsageError, match="line 2"):
        read_panel(path)


def test_nothing_is_no_panel(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no panel at"):
        read_panel(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="holds no text"):
        read_panel(tmp_path)


def test_thirteen_words_in_a_row_are_an_overlap() -> None:
    panel = Panel((Passage("a", run_of(0, 20)), Passage("a", run_of(30, 50)), Passage("b", run_of(20, 29))))
    overlap = Overlap(panel)
    overlap.scan([f"before {run_of(2, 15)} after"])
    assert overlap.shares().tolist() == [1 / 8, 0.0, 0.0]
    overlap.scan([f"Before, {run_of(30, 42)}; after", ""])
    assert overlap.shares().tolist()[1] == 0.0
    # A passage of 9 words matches as a whole.
    overlap.scan([f"x {run_of(20, 29).upper()} y"])
    assert overlap.shares().tolist() == [1 / 8, 0.0, 1.0]


def test_a_passage_that_one_corpus_knows_is_out_for_all() -> None:
    panel = Panel((Passage("a", run_of(0, 20)), Passage("a", run_of(30, 50))))
    first, second = Overlap(panel), Overlap(panel)
    first.scan([run_of(0, 13)])
    result = decontaminate(panel, {"A": first, "B": second}, 0.0)
    assert [one.text for one in result.panel.passages] == [run_of(30, 50)]
    assert result.removed == 1
    assert result.by_corpus["A"] == {"passages_overlapping": 1, "mean_share_of_ngrams": 0.0625}
    assert result.by_corpus["B"]["passages_overlapping"] == 0
    assert decontaminate(panel, {"A": first, "B": second}, 0.2).removed == 0


def test_a_domain_that_is_gone_is_an_error() -> None:
    panel = Panel((Passage("a", run_of(0, 20)), Passage("b", run_of(30, 50))))
    overlap = Overlap(panel)
    overlap.scan([run_of(0, 20)])
    with pytest.raises(UsageError, match="text of a shares more than 0%"):
        decontaminate(panel, {"A": overlap}, 0.0)


def test_limits_are_by_domain() -> None:
    panel = Panel(tuple(Passage(domain, "x" * 10) for domain in "aaabbb"))
    assert [one.domain for one in limited(panel, 25).passages] == ["a", "a", "b", "b"]
    assert [one.domain for one in limited(panel, 1).passages] == ["a", "b"]
