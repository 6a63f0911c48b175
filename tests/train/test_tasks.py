from __future__ import annotations

import gzip
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from corpusforge.errors import UsageError
from corpusforge.train.tasks import Item, Task, drawn, read_tasks, task_name

ARC = Item(
    "",
    (("Question: What shines?\nAnswer:", " the sun"), ("Question: What shines?\nAnswer:", " a stone")),
    ("the sun", "a stone"),
    0,
)
WINO = Item(
    "", (("Ann met Bea, so Ann", " smiled."), ("Ann met Bea, so Bea", " smiled.")), ("smiled.",) * 2, 1
)
LAYOUTS: list[tuple[str, dict[str, Any], Item]] = [
    (
        "ARC-Easy-Test.jsonl",
        {
            "question": {
                "stem": "What shines?",
                "choices": [{"text": "the sun", "label": "A"}, {"text": "a stone", "label": "B"}],
            },
            "answerKey": "A",
        },
        ARC,
    ),
    (
        "arc_easy.jsonl",
        {
            "question": "What shines?",
            "choices": {"text": ["the sun", "a stone"], "label": ["1", "2"]},
            "answerKey": "1",
        },
        ARC,
    ),
    (
        "arc_easy.jsonl",
        {"query": "Question: What shines?", "choices": ["the sun", "a stone"], "gold": 0},
        ARC,
    ),
    (
        "piqa.jsonl",
        {"goal": "What shines?", "sol1": "the sun", "sol2": "a stone", "label": 0},
        ARC,
    ),
    (
        "piqa.jsonl",
        {"query": "Question: What shines?\n", "choices": ["the sun", "a stone"], "gold": 0},
        ARC,
    ),
    (
        "winogrande_xl_dev.jsonl",
        {"sentence": "Ann met Bea, so _ smiled.", "option1": "Ann", "option2": "Bea", "answer": "2"},
        WINO,
    ),
    (
        "winogrande.jsonl",
        {
            "context_options": ["Ann met Bea, so Ann", "Ann met Bea, so Bea"],
            "continuation": "smiled.",
            "gold": 1,
        },
        WINO,
    ),
    (
        "lambada_test.jsonl",
        {"text": "It was the old dog"},
        Item("", (("It was the old", " dog"),), ("dog",), 0),
    ),
    (
        "lambada_openai.jsonl",
        {"context": "It was the old", "continuation": "dog"},
        Item("", (("It was the old", " dog"),), ("dog",), 0),
    ),
    (
        "hellaswag_val.jsonl",
        {
            "activity_label": "Baking",
            "ctx_a": "[header] How to bake [title] Mix.",
            "ctx_b": "the cook",
            "endings": ["stirs [step] well.", " sleeps."],
            "label": "1",
        },
        Item(
            "",
            (
                ("Baking: How to bake. Mix. The cook", " stirs well."),
                ("Baking: How to bake. Mix. The cook", " sleeps."),
            ),
            ("stirs well.", "sleeps."),
            1,
        ),
    ),
]


@pytest.mark.parametrize(("name", "row", "expected"), LAYOUTS)
def test_published_layouts(name: str, row: dict[str, Any], expected: Item, tmp_path: Path) -> None:
    (tmp_path / name).write_text(json.dumps(row) + "\n\n", encoding="utf-8")
    (task,) = read_tasks(tmp_path)
    assert task.items == (expected,)


def test_labels_of_piqa_may_stand_beside_it(tmp_path: Path) -> None:
    row = {"goal": "What shines?", "sol1": "the sun", "sol2": "a stone"}
    (tmp_path / "piqa-valid.jsonl").write_text(json.dumps(row) + "\n")
    (tmp_path / "piqa-valid-labels.lst").write_text("0\n")
    assert read_tasks(tmp_path)[0].items == (ARC,)


def test_paradigms_of_blimp_from_a_zip_or_folder(tmp_path: Path) -> None:
    line = json.dumps({"sentence_good": "They run.", "sentence_bad": "They runs."}) + "\n"
    for folder in ("zip", "dir/blimp"):
        (tmp_path / folder).mkdir(parents=True)
    with zipfile.ZipFile(tmp_path / "zip" / "BLiMP.zip", "w") as archive:
        archive.writestr("data/b.jsonl", line)
        archive.writestr("data/a.jsonl", line)
    for name in ("a", "b"):
        (tmp_path / "dir" / "blimp" / f"{name}.jsonl").write_text(line)
    zipped, plain = read_tasks(tmp_path / "zip"), read_tasks(tmp_path / "dir")
    assert zipped == plain
    assert [item.group for item in zipped[0].items] == ["a", "b"]
    assert zipped[0].items[0].requests == (("", " They run."), ("", " They runs."))


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("arc_easy.jsonl", '{"query": "Q", "choices": ["a", "b"], "gold": 2}'),
        (
            "arc_easy.jsonl",
            '{"question": "Q", "choices": {"text": ["a"], "label": ["A", "B"]}, "answerKey": "A"}',
        ),
        ("arc_easy.jsonl", "[1, 2]"),
        ("arc_easy.jsonl", '{"query": 5, "choices": ["a", "b"], "gold": 0}'),
        ("piqa.jsonl", '{"goal": "Q", "sol1": "a", "sol2": "", "label": 0}'),
        ("winogrande.jsonl", '{"sentence": "no blank", "option1": "a", "option2": "b", "answer": "1"}'),
        ("winogrande.jsonl", '{"context_options": ["a"], "continuation": "b", "gold": 0}'),
        ("hellaswag.jsonl", '{"query": "Q", "choices": "ab", "gold": -1}'),
        ("lambada.jsonl", '{"text": 7}'),
        ("lambada.jsonl", "{"),
    ],
)
def test_a_bad_row_is_named(name: str, line: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(line + "\n")
    with pytest.raises(UsageError, match=rf"{name}, line 1"):
        read_tasks(tmp_path)


def test_bad_files_and_folders(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no known evaluation set"):
        read_tasks(tmp_path)
    with pytest.raises(UsageError, match="no evaluation sets at"):
        read_tasks(tmp_path / "nowhere")
    (tmp_path / "blimp.zip").write_bytes(b"PK not a zip")
    with pytest.raises(UsageError, match=r"cannot read .*blimp\.zip"):
        read_tasks(tmp_path)
    (tmp_path / "blimp.zip").unlink()
    (tmp_path / "piqa.jsonl").write_text("")
    with pytest.raises(UsageError, match="holds no item"):
        read_tasks(tmp_path)
    row = json.dumps(LAYOUTS[3][1]) + "\n"
    (tmp_path / "piqa.jsonl").write_text(row)
    with gzip.open(tmp_path / "piqa-2.jsonl.gz", "wt") as file:
        file.write(row)
    with pytest.raises(UsageError, match="more than one file for piqa"):
        read_tasks(tmp_path)


def test_other_files_are_no_tasks(tmp_path: Path) -> None:
    for name in ("readme.jsonl", "piqa.txt", "blimp.jsonl"):
        (tmp_path / name).write_text("x")
        assert task_name(tmp_path / name) is None


def test_real_sets(shared_data: Path) -> None:
    tasks = {task.name: task for task in read_tasks(shared_data / "eval")}
    sizes = {name: len(task.items) for name, task in tasks.items()}
    assert sizes == {
        "arc_easy": 2376,
        "blimp": 34_000,
        "hellaswag": 500,
        "lambada": 5153,
        "piqa": 1838,
        "winogrande": 1267,
    }
    assert len({item.group for item in tasks["blimp"].items}) == 34
    assert all(context.endswith("\nAnswer:") for item in tasks["piqa"].items for context, _ in item.requests)


def task_of(groups: dict[str, int]) -> Task:
    items = [
        Item(group, (("", f" {group} {number}"),), (f"{group} {number}",), 0)
        for group, count in groups.items()
        for number in range(count)
    ]
    return Task("some", tuple(items))


def test_a_few_items_are_the_same_ones_whatever_else_is_there() -> None:
    task = task_of({"": 40})
    few = drawn(task, 10)
    assert len(few.items) == 10
    assert [item for item in task.items if item in few.items] == list(few.items)
    assert set(drawn(task, 5).items) <= set(few.items)
    rest = Task("some", tuple(item for number, item in enumerate(task.items) if number % 2))
    assert set(few.items) & set(rest.items) <= set(drawn(rest, 10).items)
    assert drawn(task, 100) == task


def test_every_group_gives_as_many_items() -> None:
    task = task_of({"a": 5, "b": 50, "c": 50})
    counts = [sum(item.group == group for item in drawn(task, 30).items) for group in "abc"]
    assert counts == [5, 10, 10]
    assert len(drawn(task, 1).items) == 3


def test_fewer_items_of_every_file(tmp_path: Path) -> None:
    rows = [{"goal": f"Question {number}", "sol1": "a", "sol2": "b", "label": 0} for number in range(9)]
    (tmp_path / "piqa.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (found,) = read_tasks(tmp_path, 4)
    assert len(found.items) == 4
