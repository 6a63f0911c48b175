"""Documents outside of a run: the same sample that a run takes, and quotas that add up."""

from __future__ import annotations

import gzip
import json
from fractions import Fraction
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusforge.document import document_id
from corpusforge.errors import UsageError
from corpusforge.tokenize.corpus import Corpus, decide, quotas, sampled, sizes_of


def run_with(folder: Path, texts: dict[str, list[str]], name: str = "documents") -> Path:
    """A run directory that holds nothing but documents, in two files."""
    rows = [(source, number, text) for source, found in texts.items() for number, text in enumerate(found)]
    (folder / name).mkdir(parents=True)
    for part in range(2):
        chosen = rows[part::2]
        table = pa.table(
            {
                "id": pa.array(
                    [document_id(source, str(number)) for source, number, _ in chosen], pa.binary(16)
                ),
                "source": pa.array([source for source, _, _ in chosen], pa.string()),
                "text": pa.array([text for _, _, text in chosen], pa.large_string()),
            }
        )
        pq.write_table(table, folder / name / f"{part:05d}.parquet", row_group_size=7)
    return folder


TEXTS = {
    "web": [f"web page {number} " * 5 for number in range(40)],
    "code": ["x = 1\n" * 9 for _ in range(11)],
}


def test_a_sample_takes_the_quota_of_each_source_whatever_the_files(tmp_path):
    run = run_with(tmp_path / "run", TEXTS)
    corpus = Corpus([run])
    sizes = sizes_of(corpus)
    assert sizes == {source: sum(map(len, texts)) for source, texts in TEXTS.items()}
    value = decide(corpus, 7, {"web": 1000, "code": 10_000})
    documents = sampled(corpus, value)
    assert documents == sorted(documents)
    taken = {name: sum(len(text) for _, source, text in documents if source == name) for name in TEXTS}
    assert taken == value["bytes"]
    assert 0 < taken["web"] <= 1000
    assert taken["code"] == sizes["code"], "a source smaller than its quota gives all"
    other = run_with(tmp_path / "other", {"code": TEXTS["code"], "web": TEXTS["web"]})
    assert sampled(Corpus([other]), value) == documents
    assert sampled(corpus, decide(corpus, 8, {"web": 1000, "code": 10_000})) != documents


def test_text_files_are_sources_of_their_own(tmp_path):
    (tmp_path / "letters.txt").write_text("one\nletter\n\nanother\n")
    with gzip.open(tmp_path / "notes.jsonl.gz", "wt") as file:
        file.write(json.dumps({"text": "a note"}) + "\n")
    corpus = Corpus([tmp_path / "letters.txt", tmp_path / "notes.jsonl.gz"])
    assert set(sizes_of(corpus)) == {"letters", "notes"}
    documents = sampled(corpus, decide(corpus, 0, {"letters": 1000, "notes": 1000}))
    assert {text for _, _, text in documents} == {b"one\nletter\n", b"another\n", b"a note"}


@given(st.dictionaries(st.sampled_from("abcd"), st.integers(1, 10**9), min_size=1), st.integers(1, 10**12))
def test_quotas_add_up(sizes, sample_bytes):
    found = quotas(sizes, sample_bytes)
    assert sum(found.values()) == sample_bytes
    assert set(found) == set(sizes)


def test_weights_of_sources_that_are_not_there_are_named():
    assert quotas({"web": 5, "code": 5}, 100, {"web": Fraction(3), "code": Fraction(1)}) == {
        "code": 25,
        "web": 75,
    }
    with pytest.raises(UsageError, match="no document has the source 'wbe'; did you mean 'web'"):
        quotas({"web": 5}, 100, {"wbe": Fraction(1)})
    with pytest.raises(UsageError, match="positive weight"):
        quotas({"web": 5}, 100, {"web": Fraction(0)})


def test_what_is_no_run_and_what_is_damaged_is_named(tmp_path):
    with pytest.raises(UsageError, match="there is no"):
        Corpus([tmp_path / "nowhere"])
    with pytest.raises(UsageError, match="holds no folder 'documents'"):
        Corpus([tmp_path])
    (tmp_path / "documents").mkdir()
    (tmp_path / "documents" / "00000.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(UsageError, match="cannot read"):
        sizes_of(Corpus([tmp_path]))
