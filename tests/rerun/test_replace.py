"""A dump that may displace documents of earlier runs: the result is one run over everything, and all of it is told."""

from __future__ import annotations

import json
import random
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from in_process import fates, here, run_here
from rich.console import Console
from runs import digests

from corpusforge import kills
from corpusforge.errors import UsageError
from corpusforge.report.retractions import FILE
from corpusforge.report.why import print_fate, why
from corpusforge.rerun.changes import FOLDER
from corpusforge.rerun.decide import decide, recorded_inputs
from corpusforge.rerun.replace import Known, Union, replace_run, replacing_recipe, union_of

RECIPE = """\
name: dumps
shard_bytes: 3000
batch_documents: 7
partitions: {partitions}
error_budget: 1
sources: {{c4: {{}}}}
steps:
  - extract
  - gopher_quality: {{min_words: null, max_words: null, min_mean_word_length: null, max_mean_word_length: null,
      max_hash_ratio: null, max_ellipsis_ratio: null, max_bullet_line_ratio: null, max_ellipsis_line_ratio: null,
      min_alphabetic_word_ratio: null, min_stop_words: null}}
  - exact_dedup: {{normalization: whitespace, quality: gopher_quality.stop_words, prefer: newest}}
  - minhash_dedup: {{ngram: 1, bands: 80, rows: 1, threshold: 0.5, prefer: newest, quality: gopher_quality.words,
      max_leaders: 100, comparison_budget: 1000}}
"""
"""Bands of one row: two documents at the threshold are missed once in 2^80."""

EXACT = """\
name: exact
partitions: 1
error_budget: 1
sources: {c4: {}}
steps: [extract, {exact_dedup: {prefer: newest}}]
"""

DUMPS = 3
EACH = 60


def rows_of(dump: int, draw: random.Random, pool: list[list[str]]) -> list[dict[str, Any]]:
    """Exact copies with other white space and near ones of all dumps so far, with dates that mostly grow."""
    words = [f"w{number}" for number in range(200)]
    rows = []
    for at in range(EACH):
        kind = draw.random()
        text = list(draw.choice(pool)) if pool and kind < 0.7 else draw.sample(words, draw.randint(8, 14))
        for _ in range(0 if kind < 0.25 else draw.randint(1, 3)):
            place = draw.randrange(len(text))
            text[place : place + draw.randint(0, 1)] = [draw.choice(words)]
        pool.append(text)
        day = draw.choice([1 + dump, 1 + dump, draw.randint(1, 9)])
        space = draw.choice([" ", "  "])
        rows.append(
            {
                "text": space.join(text),
                "url": f"http://h.org/{dump}/{at}",
                "timestamp": f"2024-01-0{day}T00:00:00Z",
            }
        )
    return rows


def recipe(partitions: int) -> str:
    return RECIPE.format(partitions=partitions)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Dumps as files; a run of each but the last against the one before it; `new` replaces all of them."""
    folder = tmp_path_factory.mktemp("replaced")
    draw = random.Random(1)
    pool: list[list[str]] = []
    for dump in range(DUMPS):
        rows = rows_of(dump, draw, pool)
        (folder / f"dump{dump}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    for dump, partitions in enumerate([4, 2]):
        against = [str(folder / f"run{dump - 1}")] if dump else []
        inputs = {"c4": [str(folder / f"dump{dump}.jsonl")]}
        run_here(recipe(partitions), inputs, folder / f"run{dump}", against=against)
    replaced(folder / "run1", {"c4": [str(folder / "dump2.jsonl")]}, folder / "new")
    return folder


def replaced(
    run: Path, dump: dict[str, list[str]], output: Path, *settings: str
) -> tuple[dict[str, int], int]:
    """(changes by kind, shards that were taken over)."""
    taken: list[int] = []
    chosen = replacing_recipe(run, settings)
    union = union_of(chosen, [str(run)], dump, output)
    with here():
        _, counts = replace_run(chosen, union, output, lambda _plan, _resumed, shards: taken.append(shards))
    return counts, taken[0]


def retractions(run: Path) -> list[dict[str, Any]]:
    return list(pq.read_table(run / FILE).to_pylist())


def kept(run: Path) -> set[tuple[str, bytes]]:
    return {key for key, row in fates(run).items() if row["folder"] == "documents"}


def test_the_fates_are_those_of_one_run_over_everything(made: Path, tmp_path: Path) -> None:
    files = [str(made / f"dump{dump}.jsonl") for dump in range(DUMPS)]
    run_here(recipe(8), {"c4": files}, tmp_path / "whole")
    assert fates(made / "new") == fates(tmp_path / "whole")
    assert json.loads((made / "new" / "ledger.json").read_bytes())["closed"]


def test_what_is_kept_is_what_a_brute_force_keeps(made: Path) -> None:
    found = fates(made / "new")
    texts = {}
    for dump in range(DUMPS):
        for line in (made / f"dump{dump}.jsonl").read_text().splitlines():
            texts[json.loads(line)["url"]] = json.loads(line)["text"].split()
    ordered = sorted(found.values(), key=lambda row: row["id"])
    ordered.sort(key=lambda row: row["date"], reverse=True)
    survivors: dict[str, dict[str, Any]] = {}
    for row in sorted(ordered, key=lambda row: -row["gopher_quality.stop_words"]):
        survivors.setdefault(" ".join(texts[row["url"]]), row)
    ordered.sort(key=lambda row: -row["gopher_quality.words"])
    alone: dict[bytes, set[str]] = {}
    for row in ordered:
        words = texts[row["url"]]
        owner = survivors[" ".join(words)]
        if owner is not row:
            assert (row.get("verdict"), row["duplicate_of"]) == ("exact_dedup.duplicate", owner["id"])
            continue
        shingles = set(words)
        similar = {
            identity
            for identity, other in alone.items()
            if len(shingles & other) >= 0.5 * len(shingles | other)
        }
        if similar:
            assert row.get("verdict") == "minhash_dedup.duplicate"
            assert row["duplicate_of"] in similar
        else:
            assert row["folder"] == "documents"
            alone[row["id"]] = shingles


def test_retractions_are_what_was_kept_and_is_dropped(made: Path) -> None:
    after = fates(made / "new")
    expected = {
        (*key, str(made / f"run{dump}"))
        for dump in range(DUMPS - 1)
        for key in kept(made / f"run{dump}") - kept(made / "new")
    }
    rows = retractions(made / "new")
    assert {(row["locator"], row["id"], row["run"]) for row in rows} == expected
    assert len(rows) == len(expected) > 10
    held = {row["id"]: row for row in after.values()}
    runs = Counter()
    for row in rows:
        fate = after[(row["locator"], row["id"])]
        assert (row["verdict"], row["survivor"]) == (fate["verdict"], fate["duplicate_of"])
        assert row["step"] in ("exact_dedup", "minhash_dedup")
        survivor = held[row["survivor"]]
        assert survivor["locator"] == row["survivor_locator"]
        number = int(survivor["locator"].partition(".")[0].removeprefix("dump"))
        assert row["survivor_run"] == str(made / ("new" if number == DUMPS - 1 else f"run{number}"))
        runs[row["survivor_run"]] += 1
    assert len(runs) > 1, "few survivors of other runs: the comparison shows little"
    told = [
        row
        for path in sorted((made / "new" / FOLDER).glob("*.parquet"))
        for row in pq.read_table(path).to_pylist()
    ]
    assert {row["change"] for row in told} >= {"dropped", "returned", "survivor"}
    assert {(row["locator"], row["id"]) for row in told if row["change"] == "returned"} == {
        key
        for dump in range(DUMPS - 1)
        for key in (kept(made / "new") & set(fates(made / f"run{dump}"))) - kept(made / f"run{dump}")
    }


def test_why_tells_what_the_earlier_run_held(made: Path, tmp_path: Path) -> None:
    row = next(
        row for row in retractions(made / "new") if row["survivor_run"] != row["run"] == str(made / "run0")
    )
    fate = why(made / "new", row["id"].hex())
    assert fate.retracted_from == row["run"]
    assert fate.twin is not None
    assert fate.twin.locator == row["survivor_locator"]
    console = Console(width=300, record=True, file=(tmp_path / "printed").open("w"))
    print_fate(fate, console)
    assert f"kept in {row['run']}, which this run replaces" in console.export_text()
    assert why(Path(row["run"]), row["id"].hex()).outcome == "kept"
    dropped = [key for key, fate in fates(made / "run0").items() if fate["folder"] == "dropped"]
    assert all(why(made / "new", identity.hex()).retracted_from is None for _, identity in dropped)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two dumps of one line texts, added one after the other, and `new`, which replaces both."""
    folder = tmp_path_factory.mktemp("small")
    for number, texts in enumerate(["abc", "bcd", "cde", "aef", "bfg"]):
        rows = [{"text": text, "timestamp": f"2024-01-0{1 + number}"} for text in texts]
        (folder / f"dump{number}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    run_here(EXACT, given(folder, 0), folder / "run0")
    run_here(EXACT, given(folder, 1), folder / "run1", against=[str(folder / "run0")])
    replaced(folder / "run1", given(folder, 2), folder / "new")
    return folder


def given(folder: Path, *numbers: int) -> dict[str, list[str]]:
    return {"c4": [str(folder / f"dump{number}.jsonl") for number in numbers]}


def places(run: Path) -> list[str]:
    return sorted(locator for locator, _ in kept(run))


def test_bytes_are_those_of_a_run_that_took_nothing_over(small: Path, tmp_path: Path) -> None:
    inputs = {f"c4@{dump}": given(small, dump)["c4"] for dump in range(3)}
    run_here("frozen: false\n" + EXACT, inputs, tmp_path / "same")
    assert digests(small / "new") == digests(tmp_path / "same")


def test_going_on_is_the_same_and_settings_count(small: Path, tmp_path: Path) -> None:
    new = tmp_path / "new"
    first = replaced(small / "run1", given(small, 2), new)
    assert first == ({"returned": 1, "dropped": 3, "survivor": 1}, 2)
    assert digests(new) == digests(small / "new")
    before = (new / FILE).read_bytes()
    assert replaced(small / "run1", given(small, 2), new) == first
    assert (new / FILE).read_bytes() == before
    other, _ = replaced(small / "run1", given(small, 2), tmp_path / "oldest", "exact_dedup.prefer=oldest")
    assert other == {}
    assert places(tmp_path / "oldest") == [
        *(f"dump0.jsonl#{row}" for row in range(3)),
        "dump1.jsonl#2",
        "dump2.jsonl#2",
    ]


def test_the_new_run_is_a_run_like_others(small: Path, tmp_path: Path) -> None:
    new = small / "new"
    assert places(new) == ["dump0.jsonl#0", "dump1.jsonl#0", *(f"dump2.jsonl#{row}" for row in range(3))]
    chosen = replacing_recipe(new)
    with here():
        decide(new, chosen, recorded_inputs(new, chosen), tmp_path / "again")
    assert digests(tmp_path / "again") == digests(new)
    # A frozen dump behind it, and one that replaces them all.
    run_here(EXACT, given(small, 3), tmp_path / "frozen", against=[str(new)])
    assert places(tmp_path / "frozen") == ["dump3.jsonl#2"]
    counts, taken = replaced(tmp_path / "frozen", given(small, 4), tmp_path / "all")
    assert taken == 4
    assert counts == {"returned": 2, "dropped": 4, "survivor": 1}
    assert places(tmp_path / "all") == [
        *("dump2.jsonl#0", "dump2.jsonl#1", "dump3.jsonl#0", "dump3.jsonl#1"),
        *(f"dump4.jsonl#{row}" for row in range(3)),
    ]
    with pytest.raises(UsageError, match="frozen: see `corpusforge replace`"):
        run_here("frozen: false\n" + EXACT, given(small, 3), tmp_path / "refused", against=[str(new)])


def test_missing_pieces_are_made_again(small: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(small, tmp_path / "copy"))
    (stored,) = (folder / "run0" / "stages").glob("00-*/00000.documents.parquet")
    stored.unlink()
    kill = {"source": "c4", "step": "exact_dedup", "locator": "dump0.jsonl#0", "seconds": 1.0}
    (folder / "run1" / kills.KILLS_FILE).write_text(json.dumps(kill) + "\n")
    chosen = replacing_recipe(folder / "run1")
    new = {"c4@1": given(small, 2)["c4"]}
    roots = [str(folder / "run1"), str(folder / "run0")]
    union = union_of(chosen, roots, new, tmp_path / "new")
    heard: list[int] = []
    with here():
        summary, counts = replace_run(
            chosen, union, tmp_path / "new", lambda _plan, _resumed, taken: heard.append(taken)
        )
    assert summary.ledger["closed"]
    assert heard == [1]
    assert counts == {"dropped": 3, "no_row": 1, "returned": 1, "survivor": 1}
    assert "dump0.jsonl#0" in (tmp_path / "new" / "quarantine" / "00000.jsonl").read_text()
    # A file that was written again since is read again.
    inputs = folder / "run1" / "stages" / "inputs.json"
    recorded = json.loads(inputs.read_text())
    inputs.write_text(json.dumps({**recorded, "modified": dict.fromkeys(recorded["modified"], 1)}))
    assert [run.touched for run in union_of(chosen, roots, new, tmp_path / "new").runs] == [set(), {0}]
    assert replaced(folder / "run1", new, tmp_path / "again")[1] == 1  # run0 of the folder that was copied
    (row,) = [row for row in retractions(tmp_path / "new") if row["locator"] == "dump0.jsonl#1"]
    assert (row["run"], row["survivor_run"]) == (str(folder / "run0"), str(folder / "run1"))


def test_what_cannot_be_replaced_is_refused(small: Path, tmp_path: Path) -> None:
    dump, run, new = given(small, 2), small / "run1", tmp_path / "new"
    with pytest.raises(UsageError, match="keep_dropped=all"):
        replaced(run, dump, new, "keep_dropped=none")
    with pytest.raises(UsageError, match=r"no manifest\.json"):
        replaced(small, dump, new)
    with pytest.raises(UsageError, match="what is added"):
        replaced(run, {}, new)
    with pytest.raises(UsageError, match="a generation is a number"):
        replaced(run, {"c4@x": dump["c4"]}, new)
    with pytest.raises(UsageError, match="against itself"):
        replaced(run, dump, run)
    copy = Path(shutil.copytree(run, tmp_path / "copy"))
    text = (copy / "recipe.yaml").read_text()
    (copy / "recipe.yaml").write_text(text.replace("sources:\n", "sources:\n  dialogue: {}\n"))
    with pytest.raises(UsageError, match="'dialogue' makes documents of parts"):
        replacing_recipe(copy)
    chosen = replacing_recipe(run)
    run_here(EXACT, given(small, 0), tmp_path / "twice", against=[str(run)])
    with pytest.raises(UsageError, match="read by another of these runs"):
        union_of(chosen, [str(tmp_path / "twice")], dump, new)
    inputs = copy / "stages" / "inputs.json"
    inputs.write_text(inputs.read_text().replace("dump1", "gone"))
    with pytest.raises(UsageError, match="every file that the earlier runs read"):
        union_of(chosen, [str(copy)], dump, new)
    assert not new.exists()


def test_a_shard_is_of_the_run_that_read_it() -> None:
    union = Union({}, (Known(Path("a"), 0, 2), Known(Path("b"), 2, 1)))
    assert [str(union.root_of(shard, Path("new"))) for shard in range(4)] == ["a", "a", "b", "new"]
