"""Zero-shot tasks from local files: their published layouts, and what is scored, by lm-evaluation-harness' rules.

Prompts and targets are those of the harness' task files (version 0.4.13: blimp, lambada_openai, arc_easy, piqa,
winogrande, hellaswag). Each task is read from the layout that its authors publish and, where given, from that of
llm-foundry's `local_data` (`query`, `choices`, `gold`).
"""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from corpusforge.errors import UsageError
from corpusforge.train.corpora import bare_name, open_stream, read_json_lines

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Item:
    """One question: requests (context, continuation) to be scored, and which one is right.

    `choices` are the texts whose characters and bytes normalize a score. A task without choices (LAMBADA) has one
    request, right when every token of it is the most likely one.
    """

    group: str
    requests: tuple[tuple[str, str], ...]
    choices: tuple[str, ...]
    gold: int


@dataclass(frozen=True)
class Task:
    """A named task with its items in the order of the file."""

    name: str
    items: tuple[Item, ...]


class _LayoutError(Exception):
    """A row that has none of a task's layouts."""


def read_tasks(folder: Path, count: int | None = None) -> list[Task]:
    """Tasks of a folder (or of one file), found by their files' names, in order of the names of tasks.

    Of each task all items, or those `count` that `drawn` takes.

    Known are blimp (a .zip or folder of .jsonl files), lambada, arc_easy, piqa, winogrande and hellaswag
    (.jsonl, also .gz and .zst). PIQA's own files need the labels beside them (`valid-labels.lst` beside
    `valid.jsonl`). Raises `UsageError` that names file and line for a row of unknown layout, and when there is
    no task.
    """
    if not folder.exists():
        raise UsageError(f"no evaluation sets at {folder}")
    tasks = []
    for path in [folder] if folder.is_file() else sorted(folder.iterdir()):
        name = task_name(path)
        if name is None:
            continue
        items = tuple(_blimp(path) if name == "blimp" else _read(path, name))
        if not items:
            raise UsageError(f"{path} holds no item")
        tasks.append(Task(name, items))
    if not tasks:
        raise UsageError(f"{folder} holds no known evaluation set ({', '.join(READERS)}, blimp)")
    doubled = {task.name for task in tasks if sum(other.name == task.name for other in tasks) > 1}
    if doubled:
        raise UsageError(f"{folder} holds more than one file for {', '.join(sorted(doubled))}")
    tasks = [task if count is None else drawn(task, count) for task in tasks]
    return sorted(tasks, key=lambda task: task.name)


def drawn(task: Task, count: int) -> Task:
    """At most `count` items of a task, or one of each group if there are more groups, in their order.

    They are those of least hash, so the same ones whatever else the file holds; groups (BLiMP's paradigms) give as many
    each as there is room for.
    """
    groups: dict[str, list[tuple[bytes, int]]] = {}
    for number, item in enumerate(task.items):
        digest = hashlib.blake2b(repr((item.requests, item.choices)).encode(), digest_size=16).digest()
        groups.setdefault(item.group, []).append((digest, number))
    each = max(1, count // len(groups))
    chosen = sorted(number for members in groups.values() for _, number in sorted(members)[:each])
    return Task(task.name, tuple(task.items[number] for number in chosen))


def task_name(path: Path) -> str | None:
    """Which task a file holds, by its name; None for other files."""
    plain = re.sub(r"[^a-z]", "", path.name.lower())
    if plain.startswith("blimp") and (path.is_dir() or path.suffix == ".zip"):
        return "blimp"
    if not path.is_file() or not bare_name(path).endswith(".jsonl"):
        return None
    return next((name for name in READERS if plain.startswith(name.replace("_", ""))), None)


def _read(path: Path, name: str) -> Iterator[Item]:
    labels = _labels_beside(path) if name == "piqa" else None
    for number, row in read_json_lines(path):
        try:
            if row is None:
                raise _LayoutError
            if labels is not None:
                row = {**row, "label": labels[number - 1]}
            yield READERS[name](row)
        except (_LayoutError, KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise UsageError(f"{path}, line {number}: not a layout of {name} that is known") from error


def _labels_beside(path: Path) -> list[str] | None:
    labels = path.with_name(bare_name(path).removesuffix(".jsonl") + "-labels.lst")
    return labels.read_text(encoding="utf-8").split() if labels.is_file() else None


def _blimp(path: Path) -> Iterator[Item]:
    """BLiMP (Warstadt et al., arXiv:1912.00582): a file per paradigm; the first sentence is the right one."""
    if path.is_dir():
        for file in sorted(path.rglob("*.jsonl")):
            with open_stream(file) as stream:
                yield from _paradigm(file.name, stream)
        return
    try:
        with zipfile.ZipFile(path) as archive:
            for name in sorted(archive.namelist()):
                if name.endswith(".jsonl") and "__MACOSX" not in name:
                    with archive.open(name) as member:
                        yield from _paradigm(Path(name).name, io.BufferedReader(member))
    except (zipfile.BadZipFile, EOFError, OSError) as error:
        raise UsageError(f"cannot read {path}: {error}") from error


def _paradigm(name: str, stream: Any) -> Iterator[Item]:
    import json

    for number, line in enumerate(stream, 1):
        try:
            row = json.loads(line)
            pair = (_text(row["sentence_good"]), _text(row["sentence_bad"]))
        except (_LayoutError, KeyError, TypeError, ValueError) as error:
            raise UsageError(f"{name}, line {number}: not BLiMP's layout") from error
        yield Item(name.removesuffix(".jsonl"), tuple(("", f" {text}") for text in pair), pair, 0)


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise _LayoutError
    return value


def _multiple_choice(context: str, choices: list[str], gold: int) -> Item:
    texts = tuple(_text(choice) for choice in choices)
    if not 0 <= gold < len(texts) or len(texts) < 2:
        raise _LayoutError
    return Item("", tuple((context, f" {text}") for text in texts), texts, gold)


def _lambada(row: Row) -> Item:
    """LAMBADA (Paperno et al., arXiv:1606.06031; OpenAI's detokenized version): the last word of a passage."""
    if "text" in row:
        words = _text(row["text"]).split(" ")
        context, target = " ".join(words[:-1]), words[-1]
    else:
        context, target = _text(row["context"]), _text(row["continuation"]).strip()
    return Item("", ((context, f" {_text(target)}"),), (target,), 0)


def _arc_easy(row: Row) -> Item:
    """ARC-easy (Clark et al., arXiv:1803.05457): AI2's files, the hub's columns, or query and choices."""
    if "query" in row:
        return _multiple_choice(
            _text(row["query"]).rstrip("\n") + "\nAnswer:", row["choices"], int(row["gold"])
        )
    question, choices = row["question"], row.get("choices")
    if isinstance(question, Mapping):
        question, pairs = question["stem"], [(one["label"], one["text"]) for one in question["choices"]]
    elif isinstance(choices, Mapping):
        pairs = list(zip(choices["label"], choices["text"], strict=True))
    else:
        raise _LayoutError
    gold = [label for label, _ in pairs].index(row["answerKey"])
    return _multiple_choice(f"Question: {_text(question)}\nAnswer:", [text for _, text in pairs], gold)


def _piqa(row: Row) -> Item:
    """PIQA (Bisk et al., arXiv:1911.11641): goal, two solutions, label; or query and choices."""
    if "query" in row:
        return _multiple_choice(
            _text(row["query"]).rstrip("\n") + "\nAnswer:", row["choices"], int(row["gold"])
        )
    choices = [row["sol1"], row["sol2"]]
    return _multiple_choice(f"Question: {_text(row['goal'])}\nAnswer:", choices, int(row["label"]))


def _winogrande(row: Row) -> Item:
    """WinoGrande (Sakaguchi et al., arXiv:1907.10641): both options are filled in, and what follows is scored."""
    if "context_options" in row:
        contexts = [_text(context) for context in row["context_options"]]
        suffix, gold = _text(row["continuation"]).strip(), int(row["gold"])
    else:
        before, blank, after = _text(row["sentence"]).partition("_")
        if not blank:
            raise _LayoutError
        contexts = [before + _text(row["option1"]), before + _text(row["option2"])]
        suffix, gold = after.strip(), {"1": 0, "2": 1}[row["answer"]]
    if len(contexts) != 2 or gold not in (0, 1):
        raise _LayoutError
    return Item("", tuple((context, f" {suffix}") for context in contexts), (suffix, suffix), gold)


def _hellaswag(row: Row) -> Item:
    """HellaSwag (Zellers et al., arXiv:1905.07830): the authors' columns, or query and choices made of them."""
    if "query" in row:
        return _multiple_choice(_text(row["query"]), row["choices"], int(row["gold"]))
    context = f"{_text(row['activity_label'])}: {_text(row['ctx_a'])} {row['ctx_b'].capitalize()}"
    return _multiple_choice(
        _wikihow(context), [_wikihow(ending) for ending in row["endings"]], int(row["label"])
    )


def _wikihow(text: str) -> str:
    """Takes out the brackets that WikiHow's markup left."""
    text = text.strip().replace(" [title]", ". ")
    return re.sub(r"\[.*?\]", "", text).replace("  ", " ")


READERS: Mapping[str, Callable[[Row], Item]] = {
    "arc_easy": _arc_easy,
    "hellaswag": _hellaswag,
    "lambada": _lambada,
    "piqa": _piqa,
    "winogrande": _winogrande,
}
"""Task names, and what makes an item of a row."""
