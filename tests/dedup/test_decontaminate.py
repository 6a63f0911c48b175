from __future__ import annotations

import json
import pickle
import re
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from corpusforge.dedup.decontaminate import Decontaminate, DecontaminateParameters
from corpusforge.dedup.evaluation import BuildIndex
from corpusforge.errors import UsageError
from corpusforge.sample.command import write_sample
from corpusforge.sample.pages import SCHEDULE, page
from corpusforge.step import LiveRows, Measured, RunContext
from corpusforge.texts import Texts


class Builder:
    """Notes what a step asks of a plan."""

    def __init__(self) -> None:
        self.singles: dict[str, BuildIndex] = {}
        self.mapped: list[Any] = []

    def single(self, name: str, task: BuildIndex) -> None:
        self.singles[name] = task

    def map(self, step: Any) -> None:
        self.mapped.append(step)


def opened(against: Path, target: Path, instance: str = "decontaminate", **parameters: Any) -> Decontaminate:
    """The step with its index built, by the way that a plan takes."""
    step = Decontaminate(DecontaminateParameters(against=str(against), **parameters), instance)
    step.check()
    builder = Builder()
    step.compile(builder)  # type: ignore[arg-type]
    assert builder.mapped == [step]
    [(name, task)] = builder.singles.items()
    task.run(RunContext(), None, target)  # type: ignore[arg-type]
    files = {f"{name}/{file}": target / file for file in ("ngrams.npy", "items.json")}
    step.open(RunContext(files=files))
    return step


def measured(step: Decontaminate, texts: list[str]) -> Measured:
    return step.measure(LiveRows(Texts.from_strings(texts), {}))


def words_of(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def slow_matches(text: str, items: list[str], ngram: int, min_words: int) -> tuple[int, set[int], set[int]]:
    """(matching places over all widths, items, words covered) by comparing words themselves."""
    index: dict[tuple[str, ...], set[int]] = {}
    number = 0
    for item in items:
        words = words_of(item)
        if len(words) < min_words:
            continue
        width = min(ngram, len(words))
        for start in range(len(words) - width + 1):
            index.setdefault(tuple(words[start : start + width]), set()).add(number)
        number += 1
    words, places, found, covered = words_of(text), 0, set[int](), set[int]()
    for width in {len(key) for key in index}:
        for start in range(len(words) - width + 1):
            if owners := index.get(tuple(words[start : start + width])):
                places += 1
                found |= owners
                covered |= set(range(start, start + width))
    return places, found, covered


WORDS = st.lists(st.sampled_from(["a", "B", "b,", "c!", "ß", "d"]), max_size=14).map(" ".join)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(WORDS, max_size=4), st.lists(WORDS, min_size=1, max_size=4), st.integers(1, 5), st.integers(1, 4)
)
def test_matches_are_those_of_a_slow_twin(
    texts: list[str], items: list[str], ngram: int, min_words: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        against, target = Path(folder) / "eval", Path(folder) / "index"
        against.mkdir()
        target.mkdir()
        (against / "a.jsonl").write_text(
            "".join(json.dumps({"t": item}) + "\n" for item in items), encoding="utf-8"
        )
        step = opened(against, target, ngram=ngram, min_words=min_words)
        result = measured(step, texts)
        expected = [slow_matches(text, items, ngram, min_words) for text in texts]
        assert result.signals["matched_ngrams"].tolist() == [places for places, _, _ in expected]
        assert result.signals["matched_items"].tolist() == [len(found) for _, found, _ in expected]
        assert result.signals["matched_words"].tolist() == [len(covered) for _, _, covered in expected]
        assert result.edits is None

        spanning = opened(against, target, ngram=ngram, min_words=min_words, action="span")
        edits = measured(spanning, texts).edits
        assert edits is not None
        removed = [""] * len(texts)
        for row, start, end in zip(edits.rows.tolist(), edits.starts.tolist(), edits.ends.tolist()):
            removed[row] += " " + texts[row].encode()[start:end].decode()
        for text, words, (_, _, covered) in zip(texts, removed, expected):
            assert words_of(words) == [word for place, word in enumerate(words_of(text)) if place in covered]


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("sample")
    write_sample(directory, pages=1, files=1)
    return directory


def test_contaminated_pages_of_the_sample_are_found_and_no_others(sample: Path, tmp_path: Path) -> None:
    step = opened(sample / "eval", tmp_path)
    texts = [page(0, number).text for number in range(240)]
    result = measured(step, texts)
    hit = {row for row, count in enumerate(result.signals["matched_ngrams"].tolist()) if count}
    assert hit == {number for number in range(240) if SCHEDULE[number % 40] == "contaminated"}
    names = [json.loads(value) for value in result.signals["items"].to_pylist() if value]
    assert len(names) == len(hit)
    assert all(
        re.fullmatch(r"(reading\.txt|questions\.jsonl)#\d+", name) for listed in names for name in listed
    )
    assert {step.rules[0].name, step.rules[0].comparison} == {"max_matched_ngrams", "above"}


def test_results_do_not_depend_on_batches(sample: Path, tmp_path: Path) -> None:
    step = opened(sample / "eval", tmp_path, action="span")
    texts = [page(0, number).text for number in range(16, 26)]
    whole = measured(step, texts)
    for row, text in enumerate(texts):
        alone = measured(step, [text])
        assert alone.edits is not None
        assert whole.edits is not None
        mine = whole.edits.rows == row
        assert whole.edits.starts[mine].tolist() == alone.edits.starts.tolist()
        assert whole.signals["matched_ngrams"][row] == alone.signals["matched_ngrams"][0]


def test_spans_are_removed_and_nothing_is_dropped(sample: Path, tmp_path: Path) -> None:
    step = opened(sample / "eval", tmp_path, action="span")
    assert step.parameters.max_matched_ngrams is None
    number = SCHEDULE.index("contaminated")
    text = page(0, number).text
    edits = measured(step, ["Ünrelated.", text]).edits
    assert edits is not None
    assert len(edits) == 1
    assert edits.rules == ["contaminated"]
    removed = text.encode("utf-8")[edits.starts[0] : edits.ends[0]].decode("utf-8")
    passage = (sample / "eval" / "reading.txt").read_text(encoding="utf-8").split("\n\n")[0]
    assert removed == passage.rstrip(".")


def test_without_evaluation_texts_nothing_is_measured() -> None:
    step = Decontaminate()
    step.open(RunContext())
    builder = Builder()
    step.compile(builder)  # type: ignore[arg-type]
    result = measured(step, ["one", "two"])
    assert not builder.singles
    assert step.fingerprint() == {}
    assert all(values.null_count == 2 for values in result.signals.values())


def test_two_instances_have_an_index_each(sample: Path, tmp_path: Path) -> None:
    step = opened(sample / "eval", tmp_path, instance="strict", ngram=5)
    assert measured(step, ["nothing of the kind"]).signals["matched_ngrams"].tolist() == [0]


def test_an_opened_step_can_be_pickled(sample: Path, tmp_path: Path) -> None:
    step = opened(sample / "eval", tmp_path)
    copy = pickle.loads(pickle.dumps(step))
    files = {f"decontaminate.index/{file}": tmp_path / file for file in ("ngrams.npy", "items.json")}
    copy.open(RunContext(files=files))
    text = page(0, SCHEDULE.index("contaminated")).text
    assert (
        measured(copy, [text]).signals["matched_ngrams"].tolist()
        == measured(step, [text]).signals["matched_ngrams"].tolist()
    )


def test_wrong_parameters(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="drops nothing"):
        DecontaminateParameters(action="span", max_matched_ngrams=3)
    with pytest.raises(UsageError):
        Decontaminate(DecontaminateParameters(against=str(tmp_path))).check()
