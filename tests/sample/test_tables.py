"""Sample rows in the formats of C4, Wikipedia, Stack Exchange and Reddit, read by their sources."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from corpusforge.sample.containers import Folder
from corpusforge.sample.tables import write_c4, write_dialogue, write_stackexchange, write_wikipedia


def kinds(folder: Folder) -> Counter[str]:
    return Counter(fact["kind"] for fact in folder.facts)


def test_c4_has_bad_rows_and_a_shard_that_breaks_off(read, tmp_path: Path) -> None:
    folder = Folder(tmp_path, "c4", 3)
    write_c4(folder)
    records, _, damaged = read(folder)
    assert damaged == {"bad_json": 1, "no_text": 1, "damaged_stream": 1} or damaged == {
        "bad_json": 2,
        "no_text": 1,
        "damaged_stream": 1,
    }, "the line at which the stream breaks off may be half a row"
    assert 80 < len(records) < 118
    assert all(record.url and record.date for record in records)
    assert kinds(folder)["in_wikipedia"] == 10


def test_wikipedia_has_pages_that_are_none_and_texts_of_c4(read, tmp_path: Path) -> None:
    pytest.importorskip("mwparserfromhell")
    folder, other = Folder(tmp_path, "wikipedia", 3), Folder(tmp_path, "c4", 3)
    write_wikipedia(folder)
    write_c4(other)
    records, skipped, damaged = read(folder)
    assert damaged == {"bad_xml": 1}
    assert skipped == {"siteinfo": 1, "end": 1, "redirect": 3, "disambiguation": 3, "namespace_1": 3}
    noted = kinds(folder)
    assert len(records) == noted["good"] + noted["in_commoncrawl"]
    texts = [record.payload.decode() for record in records]
    assert not any("[[" in text or "{{" in text or "<ref" in text for text in texts)
    copies, _, _ = read(other)
    paragraphs = {text.split("\n\n")[-1] for text in texts}
    shared = [copy for copy in copies if copy.payload.decode().split("\n")[-1] in paragraphs]
    assert len(shared) >= 5, "some of the ten copies lie behind the cut"


def test_stackexchange_has_answers_before_their_question(read, tmp_path: Path) -> None:
    folder = Folder(tmp_path, "stackexchange", 3)
    write_stackexchange(folder)
    records, skipped, damaged = read(folder)
    assert damaged == {"bad_xml": 1}
    assert skipped["no_row"] == 3 or skipped["no_row"] == 4
    order = [record.meta["post"] for record in records]
    assert order != sorted(order)
    questions = {record.meta["question"] for record in records if record.meta["kind"] == "question"}
    asked = {record.meta["question"] for record in records}
    assert asked - questions, "some questions are deleted"
    assert any(record.meta["score"] < 0 for record in records)


def test_dialogue_has_what_is_left_out(read, tmp_path: Path) -> None:
    folder = Folder(tmp_path, "dialogue", 3)
    write_dialogue(folder)
    records, skipped, damaged = read(folder)
    assert damaged == {"bad_json": 2}
    assert skipped["deleted"] == 5
    assert skipped["bot"] in (4, 5)
    assert skipped["score"] > 5
    assert sum(record.meta["parent"] is None for record in records) == kinds(folder)["good"]


def test_facts_are_plain_and_name_files_that_are_there(tmp_path: Path) -> None:
    folder = Folder(tmp_path, "dialogue", 3)
    write_dialogue(folder)
    for fact in folder.facts:
        assert json.loads(json.dumps(fact)) == fact
        assert (tmp_path / fact["file"]).is_file()
