"""The whole benchmark at the smallest size: from folders to a verdict, a page, and back after an interruption."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_tokenizers import rank_file
from typer.testing import CliRunner

torch = pytest.importorskip("torch", reason="the extra `train` (torch) is not installed")

from corpusforge import cli  # noqa: E402
from corpusforge.errors import UsageError  # noqa: E402
from corpusforge.sample.draw import Draw  # noqa: E402
from corpusforge.sample.pages import LANGUAGES  # noqa: E402
from corpusforge.sample.text import Writer  # noqa: E402
from corpusforge.train.bench import BenchSettings, bench, prepare  # noqa: E402
from corpusforge.train.bench_report import render  # noqa: E402
from corpusforge.train.bench_runs import load_record, thinned  # noqa: E402

SMALL = {
    "layers": "1",
    "width": "16",
    "heads": "2",
    "key_value_heads": "2",
    "hidden": "32",
    "batch": "2",
    "learning_rate": "0.01",
}


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def write_corpus(path: Path, texts: Sequence[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = ({"id": f"d{number}", "text": text} for number, text in enumerate(texts))
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """English, the same with letters shifted, and a panel of English."""
    folder = tmp_path_factory.mktemp("corpora")
    writer = Writer(LANGUAGES["en"], Draw(0, "bench"))
    english = [writer.paragraph(3) for _ in range(120)]
    shift = {ord(letter): chr((ord(letter) - 97 + 7) % 26 + 97) for letter in "abcdefghijklmnopqrstuvwxyz"}
    write_corpus(folder / "english" / "x.jsonl", english)
    write_corpus(folder / "shifted" / "x.jsonl", [text.translate(shift) for text in english])
    other = Writer(LANGUAGES["en"], Draw(1, "bench"))
    rows = [{"domain": f"part {n % 2}", "text": other.paragraph(3)} for n in range(12)]
    (folder / "panel.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def settings(corpora: Path, *names: str, **more: Any) -> BenchSettings:
    values: dict[str, Any] = {
        "size": "1m",
        "tokens": 1500,
        "seeds": 3,
        "panel": corpora / "panel.jsonl",
        "context": 32,
        "vocabulary": 400,
        "panel_bytes": 1500,
        "max_overlap": 1.0,
        "overrides": SMALL,
        **more,
    }
    return BenchSettings(tuple(str(corpora / name) for name in names), **values)


@pytest.fixture(scope="module")
def output(corpora: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bench")
    bench(settings(corpora, "english", "shifted"), folder, "cpu")
    return folder


@pytest.fixture(scope="module")
def result(output: Path) -> dict[str, Any]:
    return dict(json.loads((output / "result.json").read_bytes()))


def test_the_corpus_like_the_panel_wins(result: dict[str, Any]) -> None:
    (found,) = result["comparisons"]
    assert result["verdict"] == found["verdict"] == "A"
    assert result["bits_per_byte"]["A"] < result["bits_per_byte"]["B"]
    assert max(found["by_seed"]) < 0
    assert found["interval_over_seeds"][1] < 0
    assert found["interval_bootstrap"][1] < 0
    assert set(found["domains"]) == {"part 0", "part 1"}
    assert 0 < found["minimum_detectable_effect"] < 5


def test_all_but_the_documents_is_the_same(result: dict[str, Any]) -> None:
    runs = result["runs"]
    assert len(runs) == 2 * 3 * 2
    by_seed = {seed: [run for run in runs if run["seed"] == seed] for seed in range(3)}
    for inside in by_seed.values():
        assert len({run["initial_weights"] for run in inside}) == 1
        assert len({run["fingerprint"] for run in inside}) == 2
    assert len({inside[0]["initial_weights"] for inside in by_seed.values()}) == 3
    assert len({(run["steps"], run["tokens"], run["flops"]) for run in runs}) == 1
    rates = {run["rate_factor"]: run["learning_rate"] for run in runs}
    assert rates[0.1] == pytest.approx(0.1 * rates[1.0])
    assert {len(run["evaluations"]) for run in runs if run["rate_factor"] == 1.0} == {4}
    assert result["cost"]["tokens"] == sum(run["tokens"] for run in runs)


def test_what_was_read_is_told(result: dict[str, Any]) -> None:
    plan = result["plan"]
    for one in plan["corpora"].values():
        assert one["documents"] == 120
        for drawn in one["drawn"].values():
            assert drawn["tokens"] == drawn["rows"] * 33
            assert drawn["epochs"] == pytest.approx(drawn["tokens"] / drawn["unique_tokens"], abs=1e-3)
    assert plan["panel"]["removed_for_overlap"] == 0
    assert set(plan["corpora"]["A"]["overlap"]) == {"passages_overlapping", "mean_share_of_ngrams"}
    assert result["comparisons"][0]["robustness"]["factor"] == 0.1


def test_a_page_without_anything_from_outside(result: dict[str, Any], output: Path) -> None:
    page = (output / "report.html").read_text(encoding="utf-8")
    tags: list[str] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            tags.append(tag)
            assert not {name for name, _ in attrs} & {"src", "href", "onload", "onclick"}

    Reader().feed(page)
    assert not set(tags) & {"script", "link", "img", "iframe"}
    assert tags.count("polyline") == 2 * 6
    hostile = json.loads(json.dumps(result))
    hostile["plan"]["corpora"]["A"]["spec"] = "<script>alert(1)</script>"
    assert "<script" not in render(hostile)


def test_a_finished_benchmark_is_not_done_again(output: Path, corpora: Path, result: dict[str, Any]) -> None:
    before = {path: path.stat().st_mtime_ns for path in output.rglob("*.np*")}
    lines: list[str] = []
    assert bench(settings(corpora, "english", "shifted"), output, "cpu", lines.append) == result
    assert lines == []
    assert {path: path.stat().st_mtime_ns for path in output.rglob("*.np*")} == before


def test_a_lost_run_is_done_again_to_the_bit(output: Path, corpora: Path) -> None:
    path = output / "runs" / "B-seed1-rate1.npz"
    before = load_record(path)
    path.unlink()
    bench(settings(corpora, "english", "shifted"), output, "cpu")
    after = load_record(path)
    np.testing.assert_array_equal(after.bits, before.bits)
    assert after.facts["fingerprint"] == before.facts["fingerprint"]
    assert after.facts["curve"] == before.facts["curve"]


def test_other_settings_or_inputs_need_another_folder(output: Path, corpora: Path) -> None:
    with pytest.raises(UsageError, match="other settings or inputs"):
        prepare(settings(corpora, "english", "shifted", seeds=4), output, print)


def test_a_corpus_against_itself_cannot_be_told_apart(corpora: Path, tmp_path: Path) -> None:
    same = settings(corpora, "english", "english", seeds=2, robustness=0.0, tokens=300)
    found = bench(same, tmp_path, "cpu")
    assert found["verdict"] == "cannot tell"
    assert found["comparisons"][0]["difference"] == 0.0


def test_repetition_is_named(corpora: Path, tmp_path: Path) -> None:
    few = ["A short text about the old mill.", "Another one, about the river and its boats."]
    write_corpus(tmp_path / "few" / "x.jsonl", few)
    specs = (str(tmp_path / "few"), str(corpora / "english"))
    values = {
        **vars(settings(corpora, "english", "english")),
        "corpora": specs,
        "seeds": 1,
        "robustness": 0.0,
    }
    found = bench(BenchSettings(**values), tmp_path / "out", "cpu")
    (comparison,) = found["comparisons"]
    assert any("limited by repetition: A" in note for note in comparison["notes"])
    assert any("one seed" in note for note in comparison["notes"])
    assert found["verdict"] == "cannot tell"
    assert found["plan"]["corpora"]["A"]["drawn"]["0"]["epochs"] > 4


def test_without_a_panel_documents_are_held_out(corpora: Path, tmp_path: Path) -> None:
    held = settings(corpora, "english", "shifted", panel=None, seeds=1, robustness=0.0, tokens=300)
    found = bench(held, tmp_path, "cpu")
    assert set(found["plan"]["panel"]["domains"]) == {"held out of A", "held out of B"}
    panel = (tmp_path / "panel.jsonl").read_text(encoding="utf-8")
    passages = {json.loads(line)["text"] for line in panel.splitlines()}
    encoder_rows = np.load(tmp_path / "rows" / "A-seed0.npy")
    from corpusforge.tokenize.encoder import Encoder

    text = Encoder((tmp_path / "tokenizer.model").read_bytes()).decode(encoder_rows.ravel())
    assert not any(passage in text for passage in passages)
    assert any("held out of the corpora themselves" in note for note in found["comparisons"][0]["notes"])


def test_a_tokenizer_that_is_not_sentencepieces(corpora: Path, tmp_path: Path) -> None:
    (tmp_path / "ranks").write_bytes(rank_file())
    given = {"tokenizer": tmp_path / "ranks", "scheme": "gpt2", "seeds": 1, "robustness": 0.0, "tokens": 300}
    found = bench(settings(corpora, "english", "shifted", **given), tmp_path / "out", "cpu")
    assert found["plan"]["tokenizer"] == {
        "sha256": hashlib.sha256(rank_file()).hexdigest(),
        "vocabulary_size": 256 + 17 + 1,
    }
    assert (tmp_path / "out" / "tokenizer.tiktoken").read_bytes() == rank_file()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": "2m"}, "no size '2m'"),
        ({"seeds": 0}, "at least 1"),
        ({"max_overlap": 2.0}, "max-overlap"),
        ({"overrides": {"seed": "1"}}, "sets the seed"),
        ({"corpora": ("a",)}, "compares 2 to"),
    ],
)
def test_settings_that_cannot_be(change: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        BenchSettings(**{"corpora": ("a", "b"), **change})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"overrides": {"widht": "3"}}, "did you mean 'width'"),
        ({"panel": "panel"}, "line 1: a panel's lines are objects"),
        ({"tasks": "empty"}, "holds no known evaluation set"),
        ({"tokenizer": "panel"}, r"panel\.jsonl: "),
    ],
)
def test_mistakes_are_told_before_work(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    (tmp_path / "x.jsonl").write_text(json.dumps({"text": "one text"}) + "\n")
    (tmp_path / "panel.jsonl").write_text('{"text": "no domain"}\n')
    (tmp_path / "empty").mkdir()
    places = {"panel": tmp_path / "panel.jsonl", "empty": tmp_path / "empty"}
    change = {name: places[value] if isinstance(value, str) else value for name, value in change.items()}
    lines: list[str] = []
    settings = BenchSettings((str(tmp_path / "x.jsonl"),) * 2, size="1m", **change)
    with pytest.raises(UsageError, match=message):
        bench(settings, tmp_path / "output", "cpu", lines.append)
    assert "training a tokenizer" not in lines
    assert lines == (["reading the corpora"] if "tokenizer" in change else [])


def test_the_command_on_the_parts_of_a_run(finished_run: Path, tmp_path: Path) -> None:
    cli._mount()
    arguments = [
        "bench",
        f"{finished_run}:kept",
        f"{finished_run}:dropped",
        "--size",
        "1m",
        "--tokens",
        "300",
    ]
    arguments += ["--seeds", "2", "--context", "32", "--vocabulary", "400", "--panel-bytes", "500"]
    arguments += [
        "--max-overlap",
        "1",
        "--robustness",
        "0",
        "--device",
        "cpu",
        "--output",
        str(tmp_path / "out"),
    ]
    for name, value in SMALL.items():
        arguments += ["--set", f"{name}={value}"]
    done = CliRunner().invoke(cli.app, arguments)
    assert done.exit_code == 0, (done.output, done.exception)
    assert "bits per byte" in done.output
    assert (tmp_path / "out" / "report.html").is_file()


def test_curves_keep_their_ends() -> None:
    curve = [(step, float(step)) for step in range(1000)]
    points = thinned(curve, 200)
    assert len(points) == 200
    assert points[-1] == [1000, 997.0]
    assert thinned([(0, None)], 5) == [[1, None]]
