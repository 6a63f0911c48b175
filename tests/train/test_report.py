from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

torch = pytest.importorskip("torch", reason="the extra `train` (torch) is not installed")

from toys import toy_model, toy_rows, toy_training  # noqa: E402

from corpusforge.train.journal import duration, read_journal, taken_steps  # noqa: E402
from corpusforge.train.loop import TrainSettings, train  # noqa: E402
from corpusforge.train.report import POINTS, chart, render, thinned, write_report  # noqa: E402


def test_the_page_of_a_run_stands_alone(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    settings = TrainSettings(
        toy_rows(),
        toy_model(),
        toy_training(8),
        tmp_path,
        device="cpu",
        evaluate_every=4,
        on_evaluate=lambda model, step: {"bits <b>": step / 4, "name": "text"},
    )
    result = train(settings)
    page = write_report(tmp_path).read_text()
    assert f"{result.loss:.4f} nats per token" in page
    assert result.fingerprint in page
    assert "Evaluation: bits &lt;b&gt;" in page
    assert not re.search(r"(src|href)=|@import|url\(", page)
    for svg in re.findall(r"<svg.*?</svg>", page, re.S):
        ElementTree.fromstring(svg)


def test_spikes_are_marked() -> None:
    entries = [
        *({"step": step, "loss": 3.0 + step} for step in range(5)),
        {"event": "step not taken", "at_step": 4, "batch": 4, "rows": []},
        {"event": "rewind", "at_step": 4, "to_step": 2, "batches": [2, 9]},
        *({"step": step, "loss": 2.0} for step in range(2, 6)),
    ]
    page = render("a < b", entries)
    assert "batches 2 to 8 left out" in page
    assert "a &lt; b" in page
    assert page.count('class="mark"') == 1
    assert [entry["loss"] for entry in taken_steps(entries)] == [3.0, 4.0, 2.0, 2.0, 2.0, 2.0]


@pytest.mark.parametrize(
    "curve",
    [
        [(0.0, 1.0)],
        [(0.0, 0.0), (1.0, 0.0)],
        [(0.0, 1e-300), (1.0, 1e300)],
        [(5.0, float("nan")), (6.0, 2.0), (7.0, float("inf"))],
    ],
)
def test_odd_curves_are_drawn(curve: list[tuple[float, float]]) -> None:
    svg = chart("title", curve)
    assert "nan" not in svg
    assert "inf" not in svg
    ElementTree.fromstring(re.search(r"<svg.*</svg>", svg)[0])  # type: ignore[index]
    assert chart("title", []) == ""


def test_long_curves_are_thinned_to_means() -> None:
    curve = [(float(step), float(step % 2)) for step in range(10 * POINTS)]
    found = thinned(curve)
    assert len(found) == POINTS
    assert {y for _, y in found} == {0.5}
    assert thinned(curve[:POINTS]) == curve[:POINTS]


def test_a_log_that_was_cut_is_read_and_a_damaged_one_named(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    assert read_journal(path) == []
    path.write_text('{"step": 0}\n{"step": 1}\n{"st')
    assert [entry["step"] for entry in read_journal(path)] == [0, 1]
    for damaged in ('{"step": 0}\n{"st\n{"step": 2}\n', "[]\n"):
        path.write_text(damaged)
        with pytest.raises(ValueError, match="line"):
            read_journal(path)


def test_durations() -> None:
    assert [duration(seconds) for seconds in (0.4, 59, 90, 7260)] == [
        "0 s",
        "59 s",
        "1 min 30 s",
        "2 h 1 min",
    ]
