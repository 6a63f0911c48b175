"""From WARC files to kept text by FineWeb's recipe: pages per CPU second, and what starting up costs.

    python benchmarks/pages.py FOLDER [--rounds 3] [--copies 8] [--data FOLDER] [--datatrove PYTHON]

Pages are those of three gold sets of articles in DATA/commoncrawl (CORPUSFORGE_DATA, or ../shared/data beside the
checkout), written with the payload type that Common Crawl's own files name. It is `corpusforge run` with one worker:
URLs, extraction, language (labelled, none dropped), Gopher's two rule sets, C4 without its rule of the last mark,
FineWeb, Parquet. FOLDER is for scratch.

CPU seconds are those of the whole tree of processes, as `benchmarks/engines.py` counts them. Starting up is measured
by a run on one page and taken off; every page is read `--copies` times, lest start-up hides it. A run before warms the
caches of both. `--datatrove` is the interpreter of an environment made of `peers/pages_datatrove.lock`: the same files,
once, by datatrove's own recipe.
"""

from __future__ import annotations

import argparse
import gzip
import io
import itertools
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pq
from engines import ControlGroup, reap_all
from fastwarc.warc import ArchiveIterator, WarcRecordType
from steps import calibration

SETS = ("aeb-50", "readability-50", "trafilatura-240")

RECIPE = """\
name: pages
shard_bytes: 16000000
sources: {{commoncrawl: {{}}}}
steps:
  - url_filter
  - extract: {{extractor: {extractor}}}
  - language: {{model: {model}, min_score: null, line_bytes: null}}
  - gopher_repetition
  - gopher_quality
  - c4: {{rules: c4@no_terminal}}
  - fineweb: {{rules: fineweb@datatrove}}
"""


def pages_of(paths: Sequence[Path]) -> int:
    """Responses in WARC files."""
    count = 0
    for path in paths:
        with path.open("rb") as stream:
            count += sum(1 for _ in ArchiveIterator(stream, record_types=WarcRecordType.response))
    return count


def written(path: Path, target: Path, limit: int | None = None) -> Path:
    """The responses of a WARC file, or the first of them, with a payload type in each."""
    with path.open("rb") as stream, target.open("wb") as out:
        records = ArchiveIterator(stream, record_types=WarcRecordType.response, parse_http=False)
        for record in itertools.islice(records, limit):
            record.headers["WARC-Identified-Payload-Type"] = "text/html"
            member = io.BytesIO()
            record.write(member)
            out.write(gzip.compress(member.getvalue()))
    return target


def seconds(group: ControlGroup, command: Sequence[str]) -> float:
    """CPU seconds of a command and all that it starts."""
    begun = group.seconds()
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    reap_all()
    return group.seconds() - begun


def ours(recipe: Path, inputs: Sequence[Path], output: Path) -> list[str]:
    shutil.rmtree(output, ignore_errors=True)
    command = [
        sys.executable,
        "-m",
        "corpusforge.cli",
        "run",
        str(recipe),
        "-o",
        str(output),
        "--workers",
        "1",
    ]
    return [*command, *(part for path in inputs for part in ("--input", f"commoncrawl={path}"))]


def kept_by_us(output: Path) -> int:
    return sum(pq.read_metadata(path).num_rows for path in sorted((output / "documents").rglob("*.parquet")))


def theirs(python: Path, folder: Path, model: Path) -> list[str]:
    shutil.rmtree(folder.with_name("theirs"), ignore_errors=True)
    script = Path(__file__).with_name("peers") / "pages_datatrove.py"
    return [str(python), str(script), str(folder), str(folder.with_name("theirs")), str(model)]


def kept_by_them(folder: Path) -> int:
    files = sorted((folder.with_name("theirs") / "kept").glob("*.jsonl.gz"))
    return sum(gzip.decompress(path.read_bytes()).count(b"\n") for path in files)


def line(
    name: str, rates: Sequence[float], starts: Sequence[float], kept: float, states: Sequence[float]
) -> str:
    rate = f"{statistics.median(rates):.1f} ({min(rates):.1f} to {max(rates):.1f})"
    told = f"| {name} | {rate} | {statistics.median(starts):.1f} | {kept:.0f} |"
    return f"{told} {min(states):.0f} to {max(states):.0f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("CORPUSFORGE_DATA", beside)))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--copies", type=int, default=8)
    parser.add_argument("--datatrove", type=Path)
    options = parser.parse_args()
    model = options.data / "models" / "lid.176.ftz"
    folder = options.folder.resolve()
    originals = [options.data / "commoncrawl" / f"{name}.warc.gz" for name in SETS]
    pages = pages_of(originals)
    for name in ("one", "all"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    first = written(originals[0], folder / "one" / "one.warc.gz", 1)
    inputs = [written(path, folder / "all" / path.name) for path in originals]
    copies = [
        Path(shutil.copy(path, folder / f"{number}-{path.name}"))
        for number in range(options.copies)
        for path in inputs
    ]
    group = ControlGroup()
    print(f"{pages} pages; each read {options.copies} times by corpusforge")
    print(
        "| what | pages per CPU second | start-up, CPU s | pages kept | calibration ms |\n|---|---|---|---|---|"
    )
    medians = {}
    for extractor in ("resiliparse", "blocks"):
        recipe = folder / f"{extractor}.yaml"
        recipe.write_text(RECIPE.format(extractor=extractor, model=model), encoding="utf-8")
        output = folder / "ours"
        seconds(group, ours(recipe, [first], output))
        starts, rates, states = [], [], []
        for _ in range(options.rounds):
            states.append(calibration())
            starts.append(seconds(group, ours(recipe, [first], output)))
            spent = seconds(group, ours(recipe, copies, output))
            rates.append((pages * options.copies - 1) / (spent - starts[-1]))
        kept = kept_by_us(output) / options.copies
        medians[extractor] = statistics.median(rates)
        print(line(f"corpusforge, {extractor}", rates, starts, kept, states), flush=True)
    if options.datatrove is None:
        return
    seconds(group, theirs(options.datatrove, folder / "one", model))
    starts, rates, states = [], [], []
    for _ in range(options.rounds):
        states.append(calibration())
        starts.append(seconds(group, theirs(options.datatrove, folder / "one", model)))
        spent = seconds(group, theirs(options.datatrove, folder / "all", model))
        rates.append((pages - 1) / (spent - starts[-1]))
    print(line("datatrove", rates, starts, kept_by_them(folder / "all"), states))
    for extractor, rate in medians.items():
        print(f"{extractor}: {rate / statistics.median(rates):.1f} times datatrove")


if __name__ == "__main__":
    main()
