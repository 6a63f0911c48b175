"""Guards: benchmarks of the benchmark, with answers that are known before.

- `aa`: the same corpus twice, with independent draws. A verdict is false; how many may be, a binomial says.
- `ladder`: clean text, 4 times duplicated, 30 % noise, shuffled words: each must beat the next, and with labels
  swapped the guard must fail.
- `power`: the smallest share of noise that is found in at least 80 % of benchmarks, and what one costs.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from corpusforge import __version__
from corpusforge.document import text_hash
from corpusforge.errors import UsageError
from corpusforge.tokenize.loading import load_tokenizer
from corpusforge.train.bench import DIALS, FULL, Progress
from corpusforge.train.bench_data import TokenSource
from corpusforge.train.bench_result import CANNOT_TELL, compare, machine
from corpusforge.train.bench_runs import Arm, RunRecord, load_record, train_arm
from corpusforge.train.corpora import index, open_corpus
from corpusforge.train.eval_pack import EvaluationPack, make_pack
from corpusforge.train.model import ModelConfig
from corpusforge.train.panel import DOCUMENTS, Panel, Passage, limited, read_panel
from corpusforge.train.settings import TrainConfig, settings_hash
from corpusforge.train.sizes import configuration
from corpusforge.train.spoiled import duplicated, keyed, noisy, pieces, shuffled
from corpusforge.train.statistics import binomial_interval, binomial_tail

NOMINAL = 0.05
"""Share of false verdicts that a 95 % interval allows."""

SHARES = (0.01, 0.03, 0.1, 0.3)
"""Shares of noise whose detection `power` measures."""

WANTED_POWER = 0.8
RUNGS = ("clean", "duplicated", "noise", "shuffled")
"""Corpora of the ladder, best first."""

LADDER_CONFIDENCE = 0.99
LADDER_NOISE = 0.3

_A, _B = 1, 2
"""Salts of the two draws of A/A."""


@dataclass(frozen=True)
class Scale:
    """Shape and training of the models of a guard, bytes of panel, pieces of the tokenizer."""

    model: ModelConfig
    training: TrainConfig
    vocabulary: int
    panel_bytes: int

    @property
    def rows(self) -> int:
        """Rows that a run reads."""
        return self.training.steps(self.model.context) * self.training.batch


TOY_TOKENS = {"aa": 4_096, "ladder": 262_144, "power": 65_536}
"""Tokens of a run of each guard: A/A holds at any length, the others need models that have learned some order."""

TOY_VOCABULARY = {"aa": 512, "ladder": 1024, "power": 512}
"""Pieces of each guard's tokenizer. With 512 a piece is two bytes, and most of what a toy model learns is spelling,
which shuffled words keep; with 1,024 many words are one piece, and their order is what is left to learn."""


def toy_scale(guard: str, tokens: int | None = None) -> Scale:
    """Models of 0.1 to 0.2 M parameters and seconds of training: many runs in minutes on one core."""
    vocabulary = TOY_VOCABULARY[guard]
    model = ModelConfig(vocabulary, 1, 64, 4, 4, hidden=192, context=64, tied=False)
    training = TrainConfig(tokens=tokens or TOY_TOKENS[guard], batch=4, learning_rate=0.003)
    return Scale(model, training, vocabulary, 4_000)


def scale_of(guard: str, size: str | None, tokens: int | None) -> Scale:
    """The scale of a size by name, or the toy one."""
    if size is None:
        return toy_scale(guard, tokens)
    dial = DIALS.get(size.lower(), FULL)
    model, training = configuration(size, dial.vocabulary, dial.context, tokens or dial.tokens)
    return Scale(model, training, dial.vocabulary, dial.panel_bytes)


@dataclass(frozen=True)
class Material:
    """A corpus of a guard, and the SHA-256 of its documents."""

    source: TokenSource
    digest: str


class Laboratory:
    """Corpora made of one clean one, a tokenizer and a panel for all of them, and runs on them."""

    def __init__(
        self,
        spec: str,
        panel: Path | None,
        scale: Scale,
        folder: Path,
        device: str,
        keep: Path | None = None,
        tokenizer: Path | None = None,
    ) -> None:
        """Read the clean corpus into memory, in pieces; finished runs are kept below `keep` and not done again.

        Without a `tokenizer` one of the scale's size is trained on the corpus. Raises `UsageError` when that is too
        small.
        """
        corpus = open_corpus(spec)
        whole = sorted({document.text for document in corpus.documents()}, key=text_hash)
        if panel is None:
            count = min(DOCUMENTS, len(whole) // 10)
            if not count:
                raise UsageError(f"{spec} is too small to hold documents out: give --panel")
            passages = [Passage("held out", text.decode("utf-8")) for text in whole[:count]]
            whole = whole[count:]
        else:
            passages = list(read_panel(panel).passages)
        self.texts = [piece for text in whole for piece in pieces(text.decode("utf-8"))]
        self.texts.sort(key=lambda text: text_hash(text.encode("utf-8")))
        beginnings = Panel(tuple(Passage(one.domain, next(pieces(one.text))) for one in passages))
        self.encoder = load_tokenizer(
            self._trained(scale.vocabulary) if tokenizer is None else tokenizer.read_bytes()
        )
        model = dataclasses.replace(scale.model, vocabulary_size=self.encoder.vocabulary_size)
        self.scale = dataclasses.replace(scale, model=model)
        self.pack: EvaluationPack = make_pack(self.encoder, limited(beginnings, scale.panel_bytes))
        self.folder, self.device = folder, device
        self.keep = None if keep is None else keep / self._conditions()
        self.seconds = 0.0
        self.runs = 0

    def _trained(self, vocabulary: int) -> bytes:
        from corpusforge.tokenize.sentencepiece_bpe import TokenizerParameters, train

        sample = "".join(self.texts)[: 1500 * vocabulary]
        return train([sample], TokenizerParameters(vocabulary_size=vocabulary))

    def within(self, tokens: int) -> list[str]:
        """The first texts that hold about so many tokens. Raises `UsageError` when all hold fewer."""
        chosen, have = [], 0
        for text in self.texts:
            ids, _ = self.encoder.encode(_column([text]))
            chosen.append(text)
            have += len(ids)
            if have >= tokens:
                return chosen
        raise UsageError(f"the corpus has {have:,} tokens, the guard needs {tokens:,}")

    def material(self, name: str, texts: Iterable[tuple[str, str]]) -> Material:
        """A corpus of (id, text) as it would be read from a file."""
        path = self.folder / f"{name}.jsonl"
        with path.open("w", encoding="utf-8") as file:
            for key, text in texts:
                file.write(json.dumps({"id": key, "text": text}) + "\n")
        corpus = open_corpus(str(path))
        listed = index(corpus)
        return Material(TokenSource(corpus, listed, self.encoder), listed.digest)

    def records(
        self, name: str, material: Material, seeds: Sequence[int], salt: int = 0
    ) -> dict[Arm, RunRecord]:
        """A run per seed."""
        found = {Arm(name, seed): self._kept(seed, material, salt) for seed in seeds}
        missing = [arm.seed for arm, path in found.items() if path is None or not path.is_file()]
        scale = self.scale
        drawn = material.source.draw(missing, scale.rows, scale.model.context + 1, salt) if missing else {}
        records: dict[Arm, RunRecord] = {}
        for arm, path in found.items():
            if path is not None and arm.seed not in drawn:
                records[arm] = dataclasses.replace(load_record(path), arm=arm)
            else:
                rows = drawn[arm.seed].rows
                records[arm] = train_arm(arm, rows, self.pack, scale.model, scale.training, self.device, 1)
                if path is not None:
                    records[arm].save(path)
            self.seconds += float(records[arm].facts["seconds"])
            self.runs += 1
        return records

    def _conditions(self) -> str:
        """A name for everything but the corpus that a run's result depends on."""
        settings = settings_hash(self.scale.model, self.scale.training)
        values = [settings, self.encoder.sha256, self.pack.digest, self.device, __version__, machine()]
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode("utf-8")).hexdigest()[:16]

    def _kept(self, seed: int, material: Material, salt: int) -> Path | None:
        """Where a run on these documents is kept."""
        return None if self.keep is None else self.keep / f"{material.digest[:16]}-{salt}-seed{seed}.npz"

    def facts(self) -> dict[str, Any]:
        """Conditions, for the result."""
        return {
            "model": dataclasses.asdict(self.scale.model),
            "training": dataclasses.asdict(self.scale.training),
            "panel_bytes": int(self.pack.panel_bytes.sum()),
            "passages": len(self.pack.panel_bytes),
            "runs": self.runs,
            "training_seconds": round(self.seconds, 1),
            "machine": machine(),
        }


def _column(texts: Sequence[str]) -> Any:
    from corpusforge.texts import Texts

    return Texts.from_strings(list(texts))


def aa(lab: Laboratory, replicates: int, seeds: int, progress: Progress) -> dict[str, Any]:
    """The same corpus against itself, `replicates` times with `seeds` pairs each."""
    source = lab.material("clean", keyed(lab.texts))
    outcomes = []
    for replicate in range(replicates):
        own = range(replicate * seeds, (replicate + 1) * seeds)
        records = {**lab.records("A", source, own, _A), **lab.records("B", source, own, _B)}
        outcomes.append(compare(records, lab.pack, ("A", "B"), own, 1 - NOMINAL))
        if (replicate + 1) % 10 == 0:
            progress(f"{replicate + 1} of {replicates} A/A benchmarks")
    return {**judge_aa(outcomes), **lab.facts()}


def judge_aa(outcomes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Count false verdicts. The guard fails when a sound benchmark would give so many in fewer than 1 of 20 guards.

    `outside_seeds` counts the intervals over seeds alone that miss zero: about the nominal share of them should.
    """
    count = len(outcomes)
    wrong = sum(outcome["verdict"] != CANNOT_TELL for outcome in outcomes)
    outside = sum(_misses_zero(outcome["interval_over_seeds"]) for outcome in outcomes)
    chance = binomial_tail(wrong, count, NOMINAL)
    low, high = binomial_interval(wrong, count)
    passed = chance >= NOMINAL
    summary = (
        f"A/A: {wrong} of {count} benchmarks of a corpus against itself gave a verdict ({wrong / count:.1%}, 95 % "
        f"bound {low:.1%} to {high:.1%}; nominal {NOMINAL:.0%}): {'passed' if passed else 'FAILED'}"
    )
    return {
        "guard": "aa",
        "passed": passed,
        "summary": summary,
        "replicates": count,
        "false_verdicts": wrong,
        "outside_seeds": outside,
        "bound": [low, high],
        "chance_of_as_many": chance,
        "differences": [outcome["difference"] for outcome in outcomes],
    }


def _misses_zero(ends: Sequence[float | None]) -> bool:
    return ends[0] is not None and ends[1] is not None and (ends[0] > 0 or ends[1] < 0)


def ladder(lab: Laboratory, replicates: int, seeds: int, progress: Progress) -> dict[str, Any]:
    """The known-answer ladder with `seeds` seeds, at least five; `replicates` is not used.

    The corpus is as large as a run, so that duplicates are read.
    """
    texts = lab.within(lab.scale.rows * (lab.scale.model.context + 1))
    made = {
        "clean": keyed(texts),
        "duplicated": duplicated(texts),
        "noise": noisy(texts, LADDER_NOISE),
        "shuffled": shuffled(texts),
    }
    own = range(max(seeds, 5))
    records: dict[Arm, RunRecord] = {}
    for name in RUNGS:
        progress(f"ladder: {name}")
        records.update(lab.records(name, lab.material(name, made[name]), own))
    found = [compare(records, lab.pack, pair, own, LADDER_CONFIDENCE) for pair in zip(RUNGS, RUNGS[1:])]
    means = {name: float(np.mean([records[Arm(name, seed)].macro for seed in own])) for name in RUNGS}
    return {**judge_ladder(found), "bits_per_byte": means, "seeds": len(own), **lab.facts()}


def judge_ladder(found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Each pair must be won by its first corpus; and the same comparisons with labels swapped must be refused."""
    right = [outcome["verdict"] == outcome["pair"][0] for outcome in found]
    swapped = [{**outcome, "pair": outcome["pair"][::-1]} for outcome in found]
    refused = not all(outcome["verdict"] == outcome["pair"][0] for outcome in swapped)
    steps = [
        f"{outcome['pair'][0]} > {outcome['pair'][1]} ({outcome['difference']:+.4f}): {outcome['verdict']}"
        for outcome in found
    ]
    passed = all(right) and refused
    return {
        "guard": "ladder",
        "passed": passed,
        "summary": f"ladder: {'; '.join(steps)}: {'passed' if passed else 'FAILED'}",
        "comparisons": [dict(outcome) for outcome in found],
        "swapped_labels_refused": refused,
    }


def power(lab: Laboratory, replicates: int, seeds: int, progress: Progress) -> dict[str, Any]:
    """How often each share of noise is found, over `replicates` benchmarks of `seeds` pairs."""
    clean = lab.material("clean", keyed(lab.texts))
    spoiled = {share: lab.material(f"noise-{share:g}", noisy(lab.texts, share)) for share in SHARES}
    found: dict[float, list[bool]] = {share: [] for share in SHARES}
    for replicate in range(replicates):
        own = range(replicate * seeds, (replicate + 1) * seeds)
        records = lab.records("clean", clean, own)
        for share, source in spoiled.items():
            records.update(lab.records("noisy", source, own))
            outcome = compare(records, lab.pack, ("clean", "noisy"), own, 1 - NOMINAL)
            found[share].append(outcome["verdict"] == "clean")
        if (replicate + 1) % 5 == 0:
            progress(f"{replicate + 1} of {replicates} power benchmarks")
    seconds = lab.seconds / max(1, lab.runs) * 2 * seeds
    return {**judge_power(found, seconds), **lab.facts()}


def judge_power(found: Mapping[float, Sequence[bool]], seconds: float) -> dict[str, Any]:
    """Share of benchmarks that found each noise; passed when the largest is found as often as wanted.

    `seconds` is the training time of one benchmark: two corpora, all seeds.
    """
    rates = {share: sum(hits) / len(hits) for share, hits in found.items()}
    enough = [share for share, rate in sorted(rates.items()) if rate >= WANTED_POWER]
    least = enough[0] if enough else None
    listed = ", ".join(f"{share:.0%}: {rate:.0%}" for share, rate in rates.items())
    word = "none" if least is None else f"{least:.0%}"
    return {
        "guard": "power",
        "passed": rates[max(rates)] >= WANTED_POWER,
        "summary": f"power: noise found in benchmarks of {seconds / 60:.2f} minutes of training: {listed}; smallest "
        f"share found in {WANTED_POWER:.0%}: {word}",
        "rates": {f"{share:g}": rate for share, rate in rates.items()},
        "intervals": {f"{share:g}": binomial_interval(sum(hits), len(hits)) for share, hits in found.items()},
        "smallest_detected": least,
        "minutes_per_benchmark": seconds / 60,
    }


GUARDS: Mapping[str, Callable[[Laboratory, int, int, Progress], dict[str, Any]]] = {
    "aa": aa,
    "ladder": ladder,
    "power": power,
}


def run_guard(
    name: str,
    spec: str,
    panel: Path | None,
    progress: Progress,
    *,
    replicates: int = 100,
    seeds: int = 3,
    size: str | None = None,
    tokens: int | None = None,
    device: str = "auto",
    keep: Path | None = None,
    tokenizer: Path | None = None,
) -> dict[str, Any]:
    """Run a guard on a corpus of clean text; `result["passed"]` says whether the benchmark can be trusted.

    Finished runs are kept below `keep`, so that an interrupted guard goes on. Raises `UsageError` for a corpus that
    is too small.
    """
    with tempfile.TemporaryDirectory(prefix="corpusforge-guard-") as folder:
        scale = scale_of(name, size, tokens)
        lab = Laboratory(spec, panel, scale, Path(folder), device, keep, tokenizer)
        return {
            **GUARDS[name](lab, replicates, seeds, progress),
            "corpus": spec,
            "seeds_per_benchmark": seeds,
        }
