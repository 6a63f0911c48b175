from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpusforge.dedup.audit import DOCUMENT_SCHEMA, EXCERPT, RULES, Audit, audit_rules
from corpusforge.dedup.decontaminate import DecontaminateParameters
from corpusforge.errors import UsageError
from corpusforge.report.audit_command import audit, parse_against, recorded_against
from corpusforge.writer import commit_parquet

RATIO = 1_000_000_000


def identity(number: int) -> bytes:
    return number.to_bytes(16, "big")


def numbered(first: int, last: int, stem: str = "word") -> str:
    return " ".join(f"{stem}{number}" for number in range(first, last))


def evaluation_file(folder: Path, items: list[str], name: str = "mine.jsonl") -> Path:
    path = folder / name
    path.write_text("".join(json.dumps({"text": item}) + "\n" for item in items), encoding="utf-8")
    return path


def words_of(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def slow_items(
    texts: list[str], items: list[str], ngram: int, min_words: int, by_words: bool
) -> dict[int, tuple[int, int, int, int]]:
    """By item touched: share met anywhere, documents, greatest share in one, the first document that has it."""

    def share_in(documents: list[list[str]], item: list[str]) -> int:
        width = min(ngram, len(item))
        held = {tuple(words[at : at + width]) for words in documents for at in range(len(words) - width + 1)}
        starts = [at for at in range(len(item) - width + 1) if tuple(item[at : at + width]) in held]
        covered = {at + step for at in starts for step in range(width)}
        whole = len(item) if by_words else len(item) - width + 1
        return (len(covered) if by_words else len(starts)) * RATIO // whole

    documents = [words_of(text) for text in texts]
    found = {}
    for number, item in enumerate(map(words_of, items)):
        if len(item) >= min_words and share_in(documents, item):
            alone = [share_in([words], item) for words in documents]
            count = sum(share > 0 for share in alone)
            found[number] = (share_in(documents, item), count, max(alone), alone.index(max(alone)))
    return found


TEXTS = st.lists(
    st.lists(st.sampled_from(["a", "B", "b,", "c!", "d"]), max_size=12).map(" ".join), max_size=5
)


@settings(deadline=None, max_examples=60)
@given(texts=TEXTS, items=TEXTS.filter(bool), ngram=st.integers(1, 4), by_words=st.booleans())
def test_items_are_those_of_brute_force(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], items: list[str], ngram: int, by_words: bool
) -> None:
    folder = tmp_path_factory.mktemp("audit")
    rule = DecontaminateParameters(
        ngram=ngram, min_words=2, share_of="words" if by_words else "ngrams", contaminated_share=0.5
    )
    done = Audit(str(evaluation_file(folder, items)), {"mine": rule}, folder)
    half = len(texts) // 2
    done.add((identity(number), text.encode()) for number, text in enumerate(texts[:half]))
    done.add((identity(half + number), text.encode()) for number, text in enumerate(texts[half:]))
    expected = slow_items(texts, items, ngram, 2, by_words)
    table = {int(row["item"].rpartition("#")[2]): row for row in done.items().to_pylist()}
    found = {
        number: (
            row["mine.share"],
            row["mine.documents"],
            row["mine.best_share"],
            int.from_bytes(row["mine.best_document"], "big"),
        )
        for number, row in table.items()
    }
    assert found == expected
    summary = done.summary()["sets"]["mine.jsonl"]["rules"]["mine"]
    assert summary["touched"] == len(expected)
    assert summary["contaminated"] == sum(share >= RATIO // 2 for share, _, _, _ in expected.values())
    assert summary["compared"] + summary["too_short"] == len(items)


def test_each_paper_has_its_own_verdict_over_the_whole_corpus(tmp_path: Path) -> None:
    """A document holds at most half of an item, two of them together all: no step sees it, the audit does."""
    item = numbered(0, 100)
    short = numbered(0, 9, "short")
    against = {"mine": str(evaluation_file(tmp_path, [item, short, "too short", numbered(0, 40, "rare")]))}
    done = Audit(against, audit_rules(RULES), tmp_path)
    texts = [
        f"a {numbered(0, 54)}",
        f"b {numbered(46, 100)}",
        f"c {short} d",
        f"e {numbered(0, 9, 'rare')}",
        "f",
    ]
    done.add((identity(number), text.encode()) for number, text in enumerate(texts))
    summary = done.summary(worst=2)
    assert (summary["documents"], summary["bytes"]) == (5, sum(map(len, texts)))
    entry = summary["sets"]["mine"]
    counts = {rule: (one["touched"], one["contaminated"]) for rule, one in entry["rules"].items()}
    assert counts == {"gpt3_overlap": (3, 3), "palm": (3, 2), "llama2": (1, 1), "llama3": (3, 2)}
    assert entry["items"] == 4
    assert {rule: one["too_short"] for rule, one in entry["rules"].items()} == {
        "gpt3_overlap": 1, "palm": 1, "llama2": 2, "llama3": 1
    }  # fmt: skip
    first, second = entry["worst"]
    assert first["item"] == "mine/mine.jsonl#0"
    assert first["contaminated_by"] == list(RULES)
    assert first["documents"] == 2
    assert first["document"] in (identity(0).hex(), identity(1).hex())
    assert first["text"] == item[:EXCERPT] + "…"
    assert (second["item"], second["text"], second["document"]) == (
        "mine/mine.jsonl#1",
        short,
        identity(2).hex(),
    )


def test_batches_do_not_matter_and_documents_are_listed(tmp_path: Path) -> None:
    against = str(evaluation_file(tmp_path, [numbered(0, 20), numbered(10, 30), numbered(50, 60)]))
    texts = [numbered(5, 25), "nothing", numbered(50, 60), numbered(12, 29)] * 3
    results = []
    for size in (1, 5, len(texts)):
        place = tmp_path / f"documents{size}.parquet"
        with commit_parquet(str(place), DOCUMENT_SCHEMA) as writer:
            done = Audit(against, audit_rules(["palm"]), tmp_path, matched=writer)
            for start in range(0, len(texts), size):
                part = texts[start : start + size]
                done.add((identity(start + number), text.encode()) for number, text in enumerate(part))
        rows = pq.read_table(place).to_pylist()
        results.append((rows, done.items().to_pylist(), done.summary()))
    assert results[0] == results[1] == results[2]
    rows = results[0][0]
    assert len(rows) == 9
    assert rows[0] == {
        "id": identity(0),
        "rule": "palm",
        "items_met": 2,
        "share": 8 * RATIO // 13,
        "items": ["mine.jsonl#0", "mine.jsonl#1"],
    }


def test_a_corpus_without_matches_and_sets_without_items(tmp_path: Path) -> None:
    done = Audit(str(evaluation_file(tmp_path, ["too short"])), audit_rules(RULES), tmp_path)
    done.add([])
    done.add([(identity(0), b""), (identity(1), b"\xff\xfe no UTF-8 \x00")])
    assert done.items().num_rows == 0
    entry = done.summary()["sets"]["mine.jsonl"]
    assert entry["items"] == 1
    assert entry["worst"] == []
    assert all(
        one["touched"] == one["contaminated"] == one["compared"] == 0 for one in entry["rules"].values()
    )


def test_rules_by_name() -> None:
    with pytest.raises(UsageError, match="unknown rule 'plam'; did you mean 'palm'"):
        audit_rules(["plam"])
    with pytest.raises(UsageError, match="filter of documents"):
        audit_rules(["gpt3"])


def test_what_to_compare_with() -> None:
    assert parse_against(["a=x", "b=s3://c/d=e"]) == {"a": "x", "b": "s3://c/d=e"}
    assert parse_against(["/folder/run=1/eval"]) == "/folder/run=1/eval"
    for values, message in ((["a=x", "y"], "several"), (["a=x", "a=y"], "twice"), (["a="], "no place")):
        with pytest.raises(UsageError, match=message):
            parse_against(values)


def corpus(folder: Path) -> Path:
    path = folder / "corpus.jsonl"
    rows: list[dict[str, Any]] = [
        {"id": "one", "text": f"[bold]Look: {numbered(0, 30)}"},
        {"id": "two", "text": "no match"},
        {"id": "three"},
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_the_command_writes_and_prints(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    against = evaluation_file(tmp_path, [numbered(0, 30), "[red]" + numbered(40, 60)])
    settings: dict[str, Any] = {"against": [f"mine={against}"], "rule": ["palm", "llama3"], "worst": 5}
    audit(str(corpus(tmp_path)), output=tmp_path / "out", **settings)
    printed = capsys.readouterr().out
    assert "2 documents" in printed
    assert "contaminated by palm, llama3" in printed
    assert "word0 word1 word2" in printed
    summary = json.loads((tmp_path / "out" / "audit.json").read_bytes())
    assert summary["without_text"] == 1
    assert summary["sets"]["mine"]["rules"]["palm"]["contaminated"] == 1
    assert pq.read_table(tmp_path / "out" / "items.parquet").num_rows == 1
    assert pq.read_table(tmp_path / "out" / "documents.parquet").num_rows == 2
    audit(str(corpus(tmp_path)), as_json=True, **settings)
    assert json.loads(capsys.readouterr().out)["sets"] == summary["sets"]


def test_a_run_knows_what_it_was_compared_with(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="names no evaluation sets"):
        recorded_against(tmp_path)
    recipe = "steps:\n- extract: {}\n- decontaminate: {against: {piqa: /x}, fields: null, text_items: file}\n"
    (tmp_path / "recipe.yaml").write_text(recipe, encoding="utf-8")
    assert recorded_against(tmp_path) == {"against": {"piqa": "/x"}, "text_items": "file"}
    (tmp_path / "recipe.yaml").write_text("steps:\n- decontaminate: {against: null}\n", encoding="utf-8")
    with pytest.raises(UsageError, match="names no evaluation sets"):
        recorded_against(tmp_path)


def test_real_text_that_holds_a_real_set(shared_data: Path, tmp_path: Path) -> None:
    """The text of a set is met whole by every rule, and a set that has nothing to do with it is hardly touched."""
    sets = {
        "hellaswag": str(shared_data / "eval" / "hellaswag-500.jsonl.gz"),
        "winogrande": str(shared_data / "eval" / "winogrande.jsonl.gz"),
    }
    from corpusforge.dedup.evaluation import evaluation_items

    texts = [item.text for item in evaluation_items({"hellaswag": sets["hellaswag"]}, None, "paragraph")]
    done = Audit(sets, audit_rules(RULES), tmp_path)
    done.add((identity(number), text.encode()) for number, text in enumerate(texts))
    counted = done.summary()["sets"]
    for one in counted["hellaswag"]["rules"].values():
        assert one["touched"] == one["contaminated"] == one["compared"] >= 495
    assert all(one["contaminated"] == 0 for one in counted["winogrande"]["rules"].values())
