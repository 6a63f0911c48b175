"""Cut-offs of perplexity: percentiles of each source and language, their model's hash, and their use in later runs."""

from __future__ import annotations

import io
import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from in_process import fates, run_here
from rich.console import Console

from corpusforge.errors import UsageError
from corpusforge.filters.cutoffs import BIN_WIDTH, CutoffFolder, digest
from corpusforge.filters.perplexity import Perplexity, PerplexityBucket, PerplexityParameters
from corpusforge.model_store import sha256_of
from corpusforge.models.train_lm import train_language_model
from corpusforge.report.fitted import cutoff_tables
from corpusforge.report.terminal import print_report
from corpusforge.step import MICRO, LiveRows, RunContext
from corpusforge.texts import Texts

SIGNAL = "perplexity.log10_perplexity"

Document = tuple[int | None, str | None, str]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    train_language_model(["it was the best of times, it was the worst of times"], "en", 2, folder)
    for name in ("sp.model", "arpa"):
        shutil.copy(folder / f"en.{name}", folder / f"de.{name}")
    return folder


def rows_of(documents: list[Document]) -> LiveRows:
    scores, languages, sources = ([document[part] for document in documents] for part in range(3))
    return LiveRows(
        Texts.from_strings([""] * len(documents)),
        {"lang": pa.array(languages, pa.string()), "source": pa.array(sources, pa.string())},
        {SIGNAL: pa.array(scores, pa.int64())},
    )


def folder_of(models: Path, **parameters: Any) -> CutoffFolder:
    return CutoffFolder("perplexity", PerplexityParameters(models=str(models), **parameters))


scored = st.lists(
    st.tuples(
        st.one_of(st.none(), st.integers(0, 8 * MICRO)),
        st.sampled_from(["en", "de", None]),
        st.sampled_from(["web", "books:old", 'a"b']),
    ),
    max_size=40,
)


@given(
    documents=scored,
    split=st.integers(0, 40),
    percentiles=st.tuples(st.integers(1, 99), st.integers(1, 99)).map(sorted),
    by=st.sampled_from(["source", "language"]),
)
def test_cutoffs_are_percentiles_however_they_are_merged(
    models: Path, documents: list[Document], split: int, percentiles: list[int], by: str
) -> None:
    head, middle = percentiles
    folder = folder_of(models, head_percentile=head, middle_percentile=middle, cutoffs_by=by)
    totals: Counter[str] = Counter()
    for part in (documents[split:], documents[:split]):
        totals.update(folder.partial(rows_of(part)))
    found = folder.finish(totals)
    assert found == folder.finish(folder.partial(rows_of(documents)))
    expected: dict[tuple[str | None, str], list[int]] = {}
    for score, language, source in documents:
        if score is not None and language is not None:
            expected.setdefault((source if by == "source" else None, language), []).append(score)
    keys = [(row["source"], row["language"]) for row in found["fitted"]]
    assert keys == sorted(expected, key=lambda key: (key[0] or "", key[1]))
    for key, row in zip(keys, found["fitted"]):
        scores = expected[key]
        assert row["documents"] == len(scores)
        for name, percentile in (("head_below", head), ("middle_below", middle)):
            edge = row[name]
            assert edge % BIN_WIDTH == 0
            assert sum(score < edge for score in scores) * 100 >= percentile * len(scores)
            assert sum(score < edge - BIN_WIDTH for score in scores) * 100 < percentile * len(scores)


def test_partial_counts_bins_and_finish_adds_the_model(models: Path) -> None:
    folder = folder_of(models)
    rows = rows_of(
        [
            (999, "en", "web"),
            (1000, "en", "web"),
            (1999, "en", "web"),
            (None, "en", "web"),
            (5, "zh-x", "web"),
            (7, None, "web"),
            (1500, "en", "books"),
        ]
    )
    counts = folder.partial(rows)
    assert counts == {
        '["web","en",0]': 1,
        '["web","en",1]': 2,
        '["web","zh-x",0]': 1,
        '["books","en",1]': 1,
    }
    del counts['["web","zh-x",0]']  # type: ignore[attr-defined]
    model = {name: sha256_of(models / name) for name in ("en.sp.model", "en.arpa")}
    assert folder.finish(counts) == {
        "step": "perplexity",
        "normalization": "ccnet",
        "max_bytes": 262_144,
        "fitted": [
            {"source": "books", "language": "en", "head_below": 2000, "middle_below": 2000, "documents": 1}
            | {"model": model},
            {"source": "web", "language": "en", "head_below": 1000, "middle_below": 2000, "documents": 3}
            | {"model": model},
        ],
    }


def test_nothing_to_fit_on(models: Path) -> None:
    assert folder_of(models).finish({})["fitted"] == []


def test_one_source_gives_what_all_together_give(models: Path) -> None:
    documents: list[Document] = [(number * 777, "en", "web") for number in range(50)]
    by_source, by_language = (
        folder.finish(folder.partial(rows_of(documents)))["fitted"]
        for folder in (folder_of(models), folder_of(models, cutoffs_by="language"))
    )
    assert [row | {"source": None} for row in by_source] == by_language


def write_run(folder: Path, report: Any) -> Path:
    folder.mkdir()
    (folder / "report.json").write_text(json.dumps(report))
    return folder


def test_cutoffs_of_an_earlier_run(models: Path, tmp_path: Path) -> None:
    folder = folder_of(models)
    value = folder.finish(
        folder.partial(
            rows_of([(5_000, "en", "web"), (9_000, "en", "web"), (1, "de", "web"), (1, "en", "books")])
        )
    )
    run = write_run(tmp_path / "run", {"cutoffs": {"perplexity": value}})
    parameters = PerplexityParameters(models=str(models), cutoffs_from=str(run))
    step = Perplexity(parameters)
    step.check()
    assert step.fingerprint()["cutoffs"] == digest(value["fitted"])
    bucket = PerplexityBucket(parameters)
    bucket.open(RunContext())
    rows = rows_of(
        [
            (5_999, "en", "web"),
            (6_000, "en", "web"),
            (10_000, "en", "web"),
            (6_000, "en", "books"),
            (5_000, "en", "new"),
            (5_000, "fr", "web"),
        ]
    )
    found = bucket.measure(rows).signals["bucket"].to_pylist()  # type: ignore[union-attr]
    assert found == ["head", "middle", "tail", "tail", "all", "all"]

    other = tmp_path / "models"
    shutil.copytree(models, other)
    with (other / "de.arpa").open("a") as file:
        file.write("\n")
    changed = PerplexityParameters(models=str(other), cutoffs_from=str(run))
    with pytest.raises(UsageError, match=r"'de' with another model: de\.arpa was .*, here it is"):
        Perplexity(changed).check()
    # The model of English is still the one.
    Perplexity(changed.model_copy(update={"languages": ["en"]})).check()
    for name, value in (("normalization", "none"), ("max_bytes", 1000)):
        with pytest.raises(UsageError, match=f"fitted its cut-offs with {name}"):
            Perplexity(parameters.model_copy(update={name: value})).check()
    with pytest.raises(UsageError, match=r"a step 'quality' fitted \(steps with some: perplexity\)"):
        Perplexity(parameters, "quality").check()


@pytest.mark.parametrize(
    "report",
    [
        [],
        {"cutoffs": []},
        {"cutoffs": {"perplexity": {}}},
        {"cutoffs": {"perplexity": {"normalization": "ccnet", "max_bytes": 262_144, "fitted": 7}}},
        {"cutoffs": {"perplexity": {"normalization": "ccnet", "max_bytes": 262_144, "fitted": [{"language": "en"}]}}},
        {
            "cutoffs": {
                "perplexity": {
                    "normalization": "ccnet",
                    "max_bytes": 262_144,
                    "fitted": [{"language": "en", "source": "x", "head_below": "1", "middle_below": 2, "model": {}}],
                }
            }
        },
    ],
)  # fmt: skip
def test_damaged_reports(models: Path, tmp_path: Path, report: Any) -> None:
    run = write_run(tmp_path / "run", report)
    with pytest.raises(UsageError, match="cutoffs_from"):
        Perplexity(PerplexityParameters(models=str(models), cutoffs_from=str(run))).check()
    with pytest.raises(UsageError, match="has no report"):
        Perplexity(PerplexityParameters(models=str(models), cutoffs_from=str(tmp_path / "none"))).check()


def test_runs_with_two_sources(models: Path, shared_data: Path, tmp_path: Path) -> None:
    sentence = "it was the best of times it was the worst of times and nobody knew why it should be so"
    words = sentence.split()
    texts = [" ".join((words * 3)[start : start + 24 + start]) + "." for start in range(16)]
    (tmp_path / "c4.jsonl").write_text("\n".join(json.dumps({"text": text}) for text in texts[:10]))
    for number, text in enumerate(texts[10:]):
        (tmp_path / f"{number}.txt").write_text(f"{text}\n\n{text}\n")
    inputs = {"c4": [str(tmp_path / "c4.jsonl")], "books": [str(tmp_path / "*.txt")]}

    def run(name: str, **parameters: Any) -> Path:
        step = json.dumps({"models": str(models), "head_percentile": 20, **parameters})
        lid = shared_data / "models" / "lid.176.ftz"
        steps = f"[extract, {{language: {{model: {lid}, min_score: null}}}}, {{perplexity: {step}}}]"
        run_here(f"name: two\nsources: {{c4: {{}}, books: {{}}}}\nsteps: {steps}\n", inputs, tmp_path / name)
        return tmp_path / name

    first = run("first")
    report = json.loads((first / "report.json").read_bytes())
    rows = report["cutoffs"]["perplexity"]["fitted"]
    assert [(row["source"], row["language"], row["documents"]) for row in rows] == [
        ("books", "en", 6),
        ("c4", "en", 10),
    ]
    model = {name: sha256_of(models / name) for name in ("en.sp.model", "en.arpa")}
    assert all(row["model"] == model for row in rows)
    assert rows[0]["head_below"] != rows[1]["head_below"]
    page = (first / "report.html").read_text()
    (table,) = cutoff_tables(report)
    assert all(cell in page for row in table.rows for cell in row)
    console = Console(file=io.StringIO(), width=80)
    print_report(report, console)
    printed = console.file.getvalue().partition("Cut-offs fitted by perplexity")[2]  # type: ignore[attr-defined]
    assert all(cell in printed for row in table.rows for cell in row)
    expected = fates(first, ("@seconds",))
    for row in rows:
        of_source = [fate for fate in expected.values() if fate["source"] == row["source"]]
        heads = sum(fate["perplexity_bucket.bucket"] == "head" for fate in of_source)
        assert 100 * heads >= 20 * row["documents"]

    assert fates(run("again", cutoffs_from=str(first)), ("@seconds",)) == expected

    pooled = json.loads((run("pooled", cutoffs_by="language") / "report.json").read_bytes())
    assert [(row["source"], row["documents"]) for row in pooled["cutoffs"]["perplexity"]["fitted"]] == [
        (None, 16)
    ]
