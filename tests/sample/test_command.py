from __future__ import annotations

import hashlib
import io
import json
import zlib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from fastwarc.warc import ArchiveIterator, WarcRecordType

from corpusforge.errors import UsageError
from corpusforge.sample.command import write_sample
from corpusforge.sample.pages import LANGUAGES


def truth_of(directory: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (directory / "truth.jsonl").read_text(encoding="utf-8").splitlines()]


def digests(directory: Path) -> dict[str, str]:
    files = sorted(path for path in directory.rglob("*") if path.is_file())
    return {str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("sample")
    write_sample(directory, seed=4, pages=80, files=3)
    return directory


def test_equal_seeds_give_equal_bytes_and_others_do_not(sample: Path, tmp_path: Path) -> None:
    write_sample(tmp_path / "again", seed=4, pages=80, files=3)
    write_sample(tmp_path / "other", seed=5, pages=80, files=3)
    assert digests(tmp_path / "again") == digests(sample)
    assert digests(tmp_path / "other")["truth.jsonl"] != digests(sample)["truth.jsonl"]


def test_forty_pages_hold_every_kind(tmp_path: Path) -> None:
    summary = write_sample(tmp_path, pages=40, files=2)
    kinds = Counter(fact["kind"] for fact in truth_of(tmp_path))
    expected = (
        "good boilerplate exact_duplicate near_duplicate near_duplicate_chain pii contaminated blocklisted"
    )
    expected += " short symbols repeated_lines garbled charset not_found image redirect deeply_nested long_line damaged"
    expected += " warcinfo request metadata revisit"
    assert set(expected.split()) == set(kinds)
    assert summary.records == sum(kinds.values())
    assert kinds["damaged"] == 2


def test_records_stand_where_the_truth_says(sample: Path) -> None:
    for fact in truth_of(sample):
        data = (sample / fact["file"]).read_bytes()[fact["offset"] :]
        if fact["kind"] == "damaged":
            with pytest.raises(zlib.error):
                zlib.decompress(data, wbits=31)
            continue
        member = zlib.decompressobj(wbits=31).decompress(data)
        assert f"WARC-Record-ID: {fact['record_id']}\r\n".encode() in member
        assert f"WARC-Type: {fact['type']}\r\n".encode() in member


def test_undamaged_files_read_as_warc(sample: Path) -> None:
    facts = [fact for fact in truth_of(sample) if fact["file"] == "warc/sample-00001.warc.gz"]
    stream = io.BytesIO((sample / "warc/sample-00001.warc.gz").read_bytes())
    found = []
    for record in ArchiveIterator(stream, record_types=WarcRecordType.response, parse_http=False):
        assert record.verify_block_digest()
        record.parse_http()
        found.append((record.record_id, record.http_headers.status_code))
    expected = [(fact["record_id"], fact["status"]) for fact in facts if fact["type"] == "response"]
    assert found == expected


def test_wet_records_hold_plain_text(sample: Path) -> None:
    path = sample / "wet/sample-00000.warc.wet.gz"
    stream = io.BytesIO(path.read_bytes())
    texts = {
        record.record_id: record.reader.read().decode("utf-8")
        for record in ArchiveIterator(stream, record_types=WarcRecordType.conversion)
    }
    facts = [fact for fact in truth_of(sample) if fact["type"] == "conversion"]
    assert [fact["record_id"] for fact in facts] == list(texts)
    assert {fact["language"] for fact in facts} == set(LANGUAGES)
    for fact in facts:
        for planted in fact.get("pii", []):
            assert planted["value"] in texts[fact["record_id"]]


def test_content_encodings_decode(sample: Path) -> None:
    encodings = {fact.get("encoding") for fact in truth_of(sample) if fact["type"] == "response"}
    assert {None, "gzip", "br", "deflate"} == encodings


def test_evaluation_texts_stand_in_contaminated_pages_only(sample: Path) -> None:
    items = (sample / "eval/reading.txt").read_text(encoding="utf-8").strip().split("\n\n")
    stream = io.BytesIO((sample / "warc/sample-00001.warc.gz").read_bytes())
    contaminated = {fact["record_id"] for fact in truth_of(sample) if fact["kind"] == "contaminated"}
    assert contaminated
    for record in ArchiveIterator(stream, record_types=WarcRecordType.response):
        body = record.reader.read().decode("utf-8", "replace")
        if any(item in body for item in items):
            assert record.record_id in contaminated


def test_texts_and_blocklists_are_there(sample: Path) -> None:
    for code in LANGUAGES:
        assert (sample / "text" / f"{code}.txt").stat().st_size > 100_000
    blocked = set((sample / "blocklists/gambling/domains").read_text(encoding="utf-8").split())
    assert blocked
    urls = [fact["url"] for fact in truth_of(sample) if fact["kind"] == "blocklisted"]
    assert urls


def test_a_folder_with_content_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep me", encoding="utf-8")
    with pytest.raises(UsageError, match="not an empty directory"):
        write_sample(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(("pages", "files"), [(0, 1), (10, 0), (3, 4)])
def test_impossible_counts_are_refused(tmp_path: Path, pages: int, files: int) -> None:
    with pytest.raises(UsageError):
        write_sample(tmp_path, pages=pages, files=files)


def test_every_source_has_a_folder_and_facts_about_its_records(sample: Path) -> None:
    facts = [json.loads(line) for line in (sample / "sources.jsonl").read_text(encoding="utf-8").splitlines()]
    by_source = Counter(fact["source"] for fact in facts)
    assert set(by_source) == {"c4", "github", "wikipedia", "arxiv", "books", "stackexchange", "dialogue"}
    for source in by_source:
        assert any(fact["kind"] == "damaged" for fact in facts if fact["source"] == source), source
    assert all((sample / fact["file"]).is_file() for fact in facts)
