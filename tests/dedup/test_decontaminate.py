from __future__ import annotations

import json
import pickle
import re
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from corpusforge.dedup.decontaminate import Decontaminate, DecontaminateParameters
from corpusforge.dedup.evaluation import evaluation_items
from corpusforge.dedup.ngram_index import FILES, BuildIndex
from corpusforge.errors import UsageError
from corpusforge.recipe import make_step
from corpusforge.sample.command import write_sample
from corpusforge.sample.pages import SCHEDULE, page
from corpusforge.step import RATIO, LiveRows, Measured, RunContext
from corpusforge.texts import Texts
from corpusforge.verdicts import drops


class Builder:
    """Notes what a step asks of a plan."""

    def __init__(self) -> None:
        self.singles: dict[str, BuildIndex] = {}
        self.mapped: list[Any] = []
        self.folders: dict[str, Any] = {}

    def single(self, name: str, task: BuildIndex) -> None:
        self.singles[name] = task

    def fold(self, name: str, folder: Any) -> None:
        self.folders[name] = folder

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
    files = {f"{name}/{file}": target / file for file in FILES}
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
    files = {f"decontaminate.index/{file}": tmp_path / file for file in FILES}
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


def preset(name: str, against: Path | dict[str, str], target: Path, **parameters: Any) -> Decontaminate:
    """The step with a rule set of filters/decontaminate.yaml and its index, without ignored n-grams."""
    place = {key: str(value) for key, value in against.items()} if isinstance(against, dict) else str(against)
    step = make_step("decontaminate", rules=f"decontaminate@{name}", against=place, **parameters)
    assert isinstance(step, Decontaminate)
    builder = Builder()
    step.compile(builder)  # type: ignore[arg-type]
    [(index, task)] = builder.singles.items()
    task.build(target)
    files = {f"{index}/{file}": target / file for file in FILES}
    common: dict[str, Any] = {}
    if step.parameters.max_documents is not None:
        common[f"{step.instance}.common"] = []
    step.open(RunContext(values=common, files=files))
    return step


def numbered(first: int, last: int, stem: str = "word") -> str:
    return " ".join(f"{stem}{number}" for number in range(first, last))


def evaluation_file(folder: Path, *items: str) -> Path:
    path = folder / "items.jsonl"
    path.write_text("".join(json.dumps({"text": item}) + "\n" for item in items), encoding="utf-8")
    return path


def verdict(step: Decontaminate, result: Measured, row: int) -> str | None:
    for rule in step.rules:
        (signal,) = [one for one in step.signals if one.name == rule.signal]
        values = result.signals[rule.signal]
        array = values if isinstance(values, pa.Array) else pa.array(values)
        threshold = getattr(step.parameters, rule.name)
        if threshold is not None and drops(rule, signal, array, threshold)[row]:
            return rule.name
    return None


def test_palm_drops_documents_with_seven_tenths_of_an_item(tmp_path: Path) -> None:
    """An item of 107 words has 100 8-grams; 77 words of it in a row hold 70 of them."""
    step = preset("palm", evaluation_file(tmp_path, numbered(0, 107)), tmp_path)
    texts = [f"a {numbered(0, 77)} b", f"a {numbered(0, 76)} b", f"{numbered(0, 50)} and {numbered(50, 92)}"]
    result = measured(step, texts)
    assert [int(share) for share in result.signals["item_share"]] == [700_000_000, 690_000_000, 780_000_000]
    assert [verdict(step, result, row) for row in range(3)] == [
        "contaminated_share", None, "contaminated_share"
    ]  # fmt: skip


def test_llama3_counts_words_in_matches(tmp_path: Path) -> None:
    step = preset("llama3", evaluation_file(tmp_path, numbered(0, 100)), tmp_path)
    result = measured(
        step, [numbered(0, 80), numbered(0, 79), " , ".join([numbered(0, 7), numbered(50, 57)])]
    )
    assert [int(share) for share in result.signals["item_share"]] == [800_000_000, 790_000_000, 0]
    assert [verdict(step, result, row) for row in range(3)] == ["contaminated_share", None, None]


def test_llama2_allows_four_words_that_differ(tmp_path: Path) -> None:
    words = numbered(0, 50).split()
    step = preset("llama2", evaluation_file(tmp_path, " ".join(words)), tmp_path)

    def changed(*places: int) -> str:
        return " ".join("other" if place in places else word for place, word in enumerate(words))

    texts = [
        changed(12, 20, 30, 40),
        changed(12, 20, 30, 40, 45),
        changed(5, 12, 25, 36, 48),
        changed(10, 21, 32, 43),
        " ".join(words[:10]),
        " ".join(words[:11]),
        changed(49),
    ]
    result = measured(step, texts)
    # The second ends before its fifth difference; the third has no ten equal words in a row before the 13th; in the
    # last the match does not end with a word that differs.
    assert [int(share) for share in result.signals["item_share"]] == [
        1_000_000_000, 900_000_000, 740_000_000, 1_000_000_000, 0, 220_000_000, 980_000_000
    ]  # fmt: skip
    assert [verdict(step, result, row) is not None for row in range(7)] == [
        True, True, False, True, False, False, True
    ]  # fmt: skip


def test_gpt3_cuts_matches_out_and_drops_what_is_in_too_many_pieces(tmp_path: Path) -> None:
    step = preset("gpt3", evaluation_file(tmp_path, numbered(0, 13, "eval")), tmp_path)
    item = numbered(0, 13, "eval")
    filler = "x" * 449 + " "
    texts = [
        f"{filler}{item} {filler}",
        item,
        (filler + item + " ") * 10 + filler,
        (filler + item + " ") * 9 + filler,
        "nothing of the kind " * 30,
        numbered(0, 12, "eval"),
    ]
    result = measured(step, texts)
    assert result.edits is not None
    assert result.signals["pieces"].tolist() == [2, 0, 11, 10, 1, 1]
    assert result.signals["kept_pieces"].tolist() == [2, 0, 2, 2, 1, 1]
    assert [verdict(step, result, row) for row in range(6)] == [
        None, "min_kept_pieces", "max_pieces", None, None, None
    ]  # fmt: skip
    edits = result.edits
    assert edits.rows.tolist() == [0, 1, 2, 3]
    assert edits.replacements == ["\n\n", "", "\n\n", "\n\n"]
    first = texts[0][: edits.starts[0]] + "\n\n" + texts[0][edits.ends[0] :]
    assert first == f"{filler[:250]}\n\n{filler[200 - 1 :]}"


def test_common_ngrams_are_counted_once_a_document_and_ignored(tmp_path: Path) -> None:
    against = evaluation_file(tmp_path, numbered(0, 13), numbered(0, 13, "rare"))
    step = make_step(
        "decontaminate",
        against=str(against),
        rules="decontaminate@gpt3",
        max_documents=2,
        margin=0,
        min_piece=1,
    )
    assert isinstance(step, Decontaminate)
    builder = Builder()
    step.compile(builder)  # type: ignore[arg-type]
    builder.singles["decontaminate.index"].build(tmp_path)
    files = {f"decontaminate.index/{file}": tmp_path / file for file in FILES}
    folder = pickle.loads(pickle.dumps(builder.folders["decontaminate.common"]))
    folder.open(RunContext(files=files))
    common, rare = f"a {numbered(0, 13)} b", f"a {numbered(0, 13, 'rare')} b {numbered(0, 13, 'rare')} c"
    totals: dict[str, int] = {}
    for batch in ([common, common], [common, rare], [rare]):
        for key, count in folder.partial(LiveRows(Texts.from_strings(batch), {})).items():
            totals[key] = totals.get(key, 0) + count
    assert sorted(totals.values()) == [2, 3]
    found = folder.finish(totals)
    assert len(found) == 1
    step.open(RunContext(values={"decontaminate.common": found}, files=files))
    result = measured(step, [common, rare])
    assert result.signals["matched_ngrams"].tolist() == [0, 2]
    assert result.signals["kept_pieces"].tolist() == [1, 3]


def test_rules_of_pieces_need_the_action() -> None:
    with pytest.raises(ValidationError, match="max_pieces and min_kept_pieces"):
        DecontaminateParameters(max_pieces=10)
    with pytest.raises(ValidationError, match="differing_words needs"):
        DecontaminateParameters(differing_words=4)
    with pytest.raises(ValidationError, match="ngram is at least 1"):
        DecontaminateParameters(ngram=0)


@pytest.mark.parametrize("name", ["gpt3", "gpt3_overlap", "palm", "llama2", "llama3"])
def test_every_rule_set_finds_an_item_of_real_sets_and_nothing_in_other_text(
    shared_data: Path, tmp_path: Path, name: str
) -> None:
    folder = shared_data / "eval"
    sets = {"hellaswag": folder / "hellaswag-500.jsonl.gz", "piqa": folder / "piqa.jsonl.gz"}
    step = preset(name, {key: str(value) for key, value in sets.items()}, tmp_path)
    index = step._index
    assert index is not None
    items = [item.text for item in evaluation_items({k: str(v) for k, v in sets.items()}, None, "paragraph")]
    long = [text for text in items if len(text.split()) > 60][:20]
    texts = [f"Before it stands this. {text} And after it stands that." for text in long]
    texts.append("A page about nothing that any of these sets asks, with some more words to be long enough.")
    result = measured(step, texts)
    assert result.signals["item_share"].tolist()[:-1] == [RATIO] * len(long)
    assert result.signals["matched_ngrams"].tolist()[-1] == 0
    assert all(verdict(step, result, row) for row in range(len(long)))
    assert verdict(step, result, len(long)) is None
