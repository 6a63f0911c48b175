"""What a run costs before it has read anything to speak of: CPU seconds of commands on ten documents.

    python benchmarks/startup.py FOLDER [--rounds 5] [--data FOLDER] [--models FOLDER] [--against CHECKOUT]

User and system seconds of the driver, and of the fork server with its workers, medians over rounds; caches of
kernels are warmed by a first run that does not count. `--against`: another checkout, say of an older commit, that
takes turns with this one, because on a busy machine only ratios within a run mean anything. Documents are the first
of DATA/c4/olmo-c4-sample.01.json.gz, pages those of DATA/commoncrawl/readability-50.warc.gz (CORPUSFORGE_DATA, or
../shared/data beside the checkout); `cc_pipeline` runs where MODELS has its models. FOLDER is for scratch. Linux.
"""

from __future__ import annotations

import argparse
import ctypes
import gzip
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from fastwarc.warc import ArchiveIterator, WarcRecordType
from steps import calibration

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = 10
PR_SET_CHILD_SUBREAPER = 36

FILTERS = """\
name: startup
sources: {c4: {}}
steps: [extract, gopher_repetition, gopher_quality, c4, fineweb, exact_dedup"""

RECIPES = {
    "four rule sets, exact duplicates": FILTERS + "]\n",
    "and near duplicates, lines": FILTERS + ", minhash_dedup, line_dedup]\n",
}


def cpu_seconds(command: Sequence[str], checkout: Path) -> tuple[float, float]:
    """User and system seconds of a command, and of the processes that outlive it: the fork server and its workers."""
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    started = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment, cwd=checkout
    )
    driver = others = 0.0
    while True:
        try:
            pid, status, usage = os.wait4(-1, 0)
        except ChildProcessError:
            return driver, others
        spent = usage.ru_utime + usage.ru_stime
        if pid != started.pid:
            others += spent
            continue
        driver = spent
        if status:
            raise SystemExit(f"{' '.join(command)} failed:\n{started.stderr.read()[-2000:]}")  # type: ignore[union-attr]


def inputs(data: Path, folder: Path) -> tuple[Path, Path]:
    """Files of the first documents, and of the first pages."""
    documents, pages = folder / "documents.jsonl", folder / "pages.warc.gz"
    with gzip.open(data / "c4" / "olmo-c4-sample.01.json.gz") as lines:
        documents.write_bytes(b"".join(islice(lines, DOCUMENTS)))
    with (
        (data / "commoncrawl" / "readability-50.warc.gz").open("rb") as stream,
        gzip.open(pages, "wb") as out,
    ):
        records = ArchiveIterator(stream, record_types=WarcRecordType.response, parse_http=False)
        for record in islice(records, DOCUMENTS):
            record.write(out)
    return documents, pages


def commands(options: argparse.Namespace) -> dict[str, list[str]]:
    """Arguments of `corpusforge` by what they are shown as."""
    documents, pages = inputs(options.data, options.folder)
    runs = ["--output", str(options.folder / "run"), "--workers", "1"]
    found = {"--help": ["--help"]}
    for number, (name, text) in enumerate(RECIPES.items()):
        recipe = options.folder / f"recipe{number}.yaml"
        recipe.write_text(text, encoding="utf-8")
        found[name] = ["run", str(recipe), "--input", f"c4={documents}", *runs]
    if options.models is not None:
        os.environ["CORPUSFORGE_MODELS"] = str(options.models)
        found["cc_pipeline"] = ["run", "cc_pipeline", "--input", f"commoncrawl={pages}", *runs]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    beside = ROOT.parent / "shared" / "data"
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("CORPUSFORGE_DATA", beside)))
    parser.add_argument("--models", type=Path)
    parser.add_argument("--against", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    options.folder = options.folder.resolve()
    options.folder.mkdir(parents=True, exist_ok=True)
    # Processes that outlive their parent become ours, so that their seconds can be asked for.
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    checkouts = {"this": ROOT} | ({"the other": options.against.resolve()} if options.against else {})
    print("| what | checkout | driver | fork server and worker | together | calibration ms |")
    print("|---|---|---|---|---|---|")
    for name, arguments in commands(options).items():
        spent: dict[str, list[tuple[float, float]]] = {which: [] for which in checkouts}
        states = []
        for turn in range(options.rounds + 1):
            states.append(calibration())
            for which, checkout in checkouts.items():
                shutil.rmtree(options.folder / "run", ignore_errors=True)
                seconds = cpu_seconds([sys.executable, "-m", "corpusforge.cli", *arguments], checkout)
                spent[which] += [seconds] if turn else []
        for which, rounds in spent.items():
            driver, others = (statistics.median(values) for values in zip(*rounds, strict=True))
            totals = [sum(values) for values in rounds]
            print(
                f"| {name} | {which} | {driver:.2f} | {others:.2f} | {statistics.median(totals):.2f}"
                f" ({min(totals):.2f} to {max(totals):.2f}) | {min(states):.0f} to {max(states):.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
