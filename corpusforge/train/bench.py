"""The benchmark: which of several corpora trains the better model, with error bars.

Everything but the documents is the same for all corpora: tokenizer, first weights of a seed, schedule, evaluation
bytes. Three stages, each resumable: prepare (tokenizer, panel, rows of tokens), run (a model per corpus, seed and
learning rate), conclude (`bench_result`).
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from corpusforge import __version__, storage
from corpusforge.errors import UsageError
from corpusforge.layout import dump_json
from corpusforge.train.bench_data import PANEL_DRAW, TokenSource, tokenizer_texts
from corpusforge.train.bench_runs import Arm, RunRecord, load_record, train_arm
from corpusforge.train.corpora import Corpus, Index, index, open_corpus, sample_order
from corpusforge.train.distributed import joined
from corpusforge.train.eval_pack import EvaluationPack, load_pack, make_pack
from corpusforge.train.model import ModelConfig
from corpusforge.train.panel import (
    DOCUMENTS,
    Overlap,
    Panel,
    Passage,
    decontaminate,
    limited,
    read_panel,
    shorten,
)
from corpusforge.train.settings import TrainConfig, override
from corpusforge.train.sizes import SIZES, configuration
from corpusforge.train.tasks import read_tasks

if TYPE_CHECKING:
    from corpusforge.tokenize.tokenizer import Tokenizer

Progress = Callable[[str], None]

PLAN, RESULT, PAGE = "plan.json", "result.json", "report.html"
LABELS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
HELD_OUT_SHARE = 20
"""Without a panel, one document in so many is held out of each corpus, at most `panel.DOCUMENTS`."""


@dataclass(frozen=True)
class Dial:
    """What a size implies for a benchmark: tokens, context, vocabulary, and bytes of panel per domain."""

    tokens: int
    context: int
    vocabulary: int
    panel_bytes: int


DIALS = {"1m": Dial(40_000, 128, 2048, 20_000), "3m": Dial(1_000_000, 256, 4096, 100_000)}
"""Toy sizes for CPUs; larger ones take `FULL`."""

FULL = Dial(100_000_000, 2048, 32_000, 1_000_000)


@dataclass(frozen=True)
class BenchSettings:
    """What to compare, and how. None takes the size's own value (`DIALS`, `FULL`)."""

    corpora: tuple[str, ...]
    size: str = "27m"
    tokens: int | None = None
    seeds: int = 3
    panel: Path | None = None
    """Panel file or folder; None: documents held out of the corpora themselves."""
    tasks: Path | None = None
    """Folder of zero-shot evaluation sets, or None."""
    items: int | None = None
    """Items of each task at most; None: all."""
    tokenizer: Path | None = None
    """SentencePiece model, tokenizer.json or tiktoken's ranks; None: one is trained on equal parts of all corpora."""
    scheme: str | None = None
    """Of tiktoken's ranks."""
    end_token: str | None = None
    """Of a tokenizer.json that leaves open which token ends a document."""
    context: int | None = None
    vocabulary: int | None = None
    panel_bytes: int | None = None
    max_overlap: float = 0.0
    """A panel text of whose 13-grams a corpus shares more than this is taken out for all."""
    robustness: float = 0.1
    """Factor of the learning rate of the second arm; 0: no such arm."""
    confidence: float = 0.95
    overrides: Mapping[str, Any] = field(default_factory=dict)
    """Settings of model and training by name."""

    def __post_init__(self) -> None:
        """Raise `UsageError` for settings that cannot be."""
        if not 2 <= len(self.corpora) <= len(LABELS):
            raise UsageError(f"a benchmark compares 2 to {len(LABELS)} corpora, not {len(self.corpora)}")
        if self.size.lower() not in SIZES:
            raise UsageError(f"no size {self.size!r}; there are {', '.join(SIZES)}")
        if self.seeds < 1 or (self.tokens is not None and self.tokens < 1):
            raise UsageError("seeds and tokens are at least 1")
        if not 0 <= self.max_overlap <= 1 or not 0 < self.confidence < 1 or not 0 <= self.robustness < 1:
            raise UsageError("max-overlap lies in [0, 1], confidence in (0, 1), robustness in [0, 1)")
        if "seed" in self.overrides:
            raise UsageError("the benchmark sets the seed: give --seeds")

    @property
    def dial(self) -> Dial:
        """The size's values, with those that were given in their place."""
        dial = DIALS.get(self.size.lower(), FULL)
        given = {
            "tokens": self.tokens,
            "context": self.context,
            "vocabulary": self.vocabulary,
            "panel_bytes": self.panel_bytes,
        }
        return dataclasses.replace(
            dial, **{name: value for name, value in given.items() if value is not None}
        )

    @property
    def labels(self) -> tuple[str, ...]:
        """Letters of the corpora."""
        return tuple(LABELS[: len(self.corpora)])

    @property
    def factors(self) -> tuple[float, ...]:
        """Factors of the learning rate, the main one first."""
        return (1.0, self.robustness) if self.robustness else (1.0,)

    def arms(self) -> list[Arm]:
        """All runs: corpora next to each other, so that a difference is there early."""
        return [
            Arm(label, seed, factor)
            for factor in self.factors
            for seed in range(self.seeds)
            for label in self.labels
        ]

    def describe(self) -> dict[str, Any]:
        """Plain values, with names and sizes of all files that are read."""
        values = {
            name: str(value) if isinstance(value, Path) else value
            for name, value in dataclasses.asdict(self).items()
        }
        corpora = [open_corpus(spec) for spec in self.corpora]
        files = [file for corpus in corpora for file in corpus.files]
        for path in (self.panel, self.tasks, self.tokenizer):
            if path is not None:
                files += sorted(path.rglob("*")) if path.is_dir() else [path]
        listed = [[str(file), file.stat().st_size] for file in files if file.is_file()]
        digest = hashlib.sha256(json.dumps(listed).encode("utf-8")).hexdigest()
        return {**values, "files": digest, "version": __version__}


@dataclass(frozen=True)
class Prepared:
    """What a finished preparation left in the output folder."""

    output: Path
    plan: Mapping[str, Any]
    pack: EvaluationPack
    model: ModelConfig
    training: TrainConfig

    def rows(self, label: str, seed: int) -> Path:
        """File of the rows of a corpus and seed."""
        return rows_path(self.output, label, seed)


def rows_path(output: Path, label: str, seed: int) -> Path:
    """Where rows are kept."""
    return output / "rows" / f"{label}-seed{seed}.npy"


def prepare(settings: BenchSettings, output: Path, progress: Progress) -> Prepared:
    """Make tokenizer, panel, pack and rows, or find them made. `plan.json` is written last.

    Raises `UsageError` when the folder holds a benchmark with other settings or inputs.
    """
    described = settings.describe()
    plan_path = output / PLAN
    if plan_path.exists():
        plan = dict(json.loads(plan_path.read_bytes()))
        if plan["settings"] != json.loads(json.dumps(described)):
            raise UsageError(f"{output} holds a benchmark of other settings or inputs: give another --output")
    else:
        plan = _Preparation(settings, output, progress).make(described)
        storage.commit_bytes(str(plan_path), dump_json(plan))
    pack = load_pack(output / "pack.npz")
    return Prepared(output, plan, pack, *configured(settings, pack.vocabulary_size))


def configured(settings: BenchSettings, vocabulary: int) -> tuple[ModelConfig, TrainConfig]:
    """Shape and training of the size, for the tokens of the benchmark, with the overrides."""
    dial = settings.dial
    model, training = configuration(settings.size, vocabulary, dial.context, dial.tokens)
    return override(model, training, settings.overrides)


class _Preparation:
    def __init__(self, settings: BenchSettings, output: Path, progress: Progress) -> None:
        self.settings, self.output, self.progress = settings, output, progress
        self.corpora = {label: open_corpus(spec) for label, spec in zip(settings.labels, settings.corpora)}
        # What is wrong with settings and files is told before corpora are read and a tokenizer is trained.
        configured(settings, settings.dial.vocabulary)
        self.panel = None if settings.panel is None else read_panel(settings.panel)
        self.tasks = [] if settings.tasks is None else read_tasks(settings.tasks, settings.items)

    def make(self, described: Mapping[str, Any]) -> dict[str, Any]:
        self.progress("reading the corpora")
        indexes = {label: index(corpus) for label, corpus in self.corpora.items()}
        encoder = self._encoder(indexes)
        panel, held_out = self._panel(indexes)
        panel = limited(panel, self.settings.dial.panel_bytes)
        self.progress("drawing and encoding documents")
        overlaps = {label: Overlap(panel) for label in self.corpora}
        drawn = self._rows(indexes, encoder, held_out, overlaps)
        clean = decontaminate(panel, overlaps, self.settings.max_overlap)
        storage.commit_bytes(str(self.output / "panel.jsonl"), clean.panel.lines())
        pack = self._pack(encoder, clean.panel)
        model, training = configured(self.settings, encoder.vocabulary_size)
        corpora = {
            label: {
                "spec": corpus.spec,
                "documents": len(indexes[label]),
                "bytes": int(indexes[label].sizes.sum()),
                "distinct_texts": len(np.unique(indexes[label].texts, axis=0)),
                "skipped": indexes[label].skipped,
                "sha256": indexes[label].digest,
                "overlap": clean.by_corpus[label],
                "drawn": drawn[label],
            }
            for label, corpus in self.corpora.items()
        }
        return {
            "settings": dict(described),
            "corpora": corpora,
            "panel": {
                "source": "held out of the corpora"
                if self.settings.panel is None
                else str(self.settings.panel),
                "sha256": clean.panel.digest,
                "removed_for_overlap": clean.removed,
                "domains": clean.panel.counts(),
            },
            "tokenizer": {"sha256": encoder.sha256, "vocabulary_size": encoder.vocabulary_size},
            "pack": pack.digest,
            "model": dataclasses.asdict(model),
            "training": dataclasses.asdict(training),
        }

    def _encoder(self, indexes: Mapping[str, Index]) -> Tokenizer:
        from corpusforge.tokenize.loading import load_tokenizer, scheme_named

        settings = self.settings
        if settings.tokenizer is not None:
            model = settings.tokenizer.read_bytes()
        else:
            self.progress("training a tokenizer")
            model = train_tokenizer(self.corpora, indexes, settings.dial.vocabulary)
        try:
            encoder = load_tokenizer(model, scheme_named(settings.scheme), settings.end_token)
        except UsageError as error:
            raise UsageError(f"{settings.tokenizer or 'the tokenizer that was trained'}: {error}") from error
        if encoder.eos_id < 0:
            raise UsageError("the tokenizer has no end-of-text token (eos), which ends every document")
        storage.commit_bytes(str(self.output / encoder.file_name), model)
        return encoder

    def _panel(self, indexes: Mapping[str, Index]) -> tuple[Panel, frozenset[bytes]]:
        """The panel, and the hashes of texts that no run may read."""
        if self.panel is not None:
            return self.panel, frozenset()
        passages: list[Passage] = []
        held_out: set[bytes] = set()
        for label, corpus in self.corpora.items():
            one = indexes[label]
            count = min(DOCUMENTS, len(one) // HELD_OUT_SHARE)
            if count < 1:
                raise UsageError(
                    f"{corpus.spec} is too small to hold documents out ({len(one)}): give --panel"
                )
            wanted = set(sample_order(one.ids, 0, salt=PANEL_DRAW)[:count].tolist())
            for row, document in enumerate(corpus.documents()):
                if row in wanted and one.texts[row].tobytes() not in held_out:
                    held_out.add(one.texts[row].tobytes())
                    passages.append(Passage(f"held out of {label}", shorten(document.text.decode("utf-8"))))
        return Panel(tuple(passages)), frozenset(held_out)

    def _rows(
        self,
        indexes: Mapping[str, Index],
        encoder: Tokenizer,
        held_out: frozenset[bytes],
        overlaps: Mapping[str, Overlap],
    ) -> dict[str, dict[str, Any]]:
        model, training = configured(self.settings, encoder.vocabulary_size)
        count = training.steps(model.context) * training.batch
        facts: dict[str, dict[str, Any]] = {}
        for label, corpus in self.corpora.items():
            source = TokenSource(corpus, indexes[label], encoder, held_out, overlaps[label])
            drawn = source.draw(range(self.settings.seeds), count, model.context + 1)
            facts[label] = {}
            for seed, one in drawn.items():
                path = rows_path(self.output, label, seed)
                with storage.commit(str(path)) as file:
                    np.save(file, one.rows, allow_pickle=False)
                facts[label][str(seed)] = one.facts()
        return facts

    def _pack(self, encoder: Tokenizer, panel: Panel) -> EvaluationPack:
        pack = make_pack(encoder, panel, self.tasks)
        storage.commit_bytes(str(self.output / "pack.npz"), pack.dump())
        return pack


def train_tokenizer(corpora: Mapping[str, Corpus], indexes: Mapping[str, Index], vocabulary: int) -> bytes:
    """A SentencePiece model of so many pieces, trained on equal parts of all corpora."""
    from corpusforge.tokenize.sentencepiece_bpe import TokenizerParameters, train

    texts = tokenizer_texts(corpora, indexes, min(1500 * vocabulary, 50_000_000))
    return train(texts, TokenizerParameters(vocabulary_size=vocabulary))


def run_arms(settings: BenchSettings, prepared: Prepared, device: str, progress: Progress) -> list[RunRecord]:
    """Train what is not trained yet, and give all records in the order of `BenchSettings.arms`."""
    records = []
    arms = settings.arms()
    for number, arm in enumerate(arms, 1):
        path = prepared.output / "runs" / f"{arm.name}.npz"
        if not path.exists():
            progress(
                f"run {number} of {len(arms)}: corpus {arm.corpus}, seed {arm.seed}, rate x {arm.factor:g}"
            )
            rows = np.load(prepared.rows(arm.corpus, arm.seed), mmap_mode="r", allow_pickle=False)
            # The curve is for the main arm; the other one is only asked for its end.
            points = 4 if arm.factor == 1.0 else 1
            record = train_arm(arm, rows, prepared.pack, prepared.model, prepared.training, device, points)
            record.save(path)
        records.append(load_record(path))
        check_same(records, prepared)
    return records


def check_same(records: list[RunRecord], prepared: Prepared) -> None:
    """Raise `UsageError` when runs of one seed did not begin with the same weights, or took other steps."""
    starts: dict[int, str] = {}
    for record in records:
        first = starts.setdefault(record.arm.seed, record.facts["initial_weights"])
        if record.facts["initial_weights"] != first or record.facts["steps"] != records[0].facts["steps"]:
            raise UsageError(
                f"{record.arm.name} did not begin or end as the other runs of its seed: remove its file below "
                f"{prepared.output / 'runs'} and run again"
            )


def bench(
    settings: BenchSettings, output: Path, device: str = "auto", progress: Progress = lambda line: None
) -> dict[str, Any]:
    """Run a benchmark, or go on with one; writes `result.json` and `report.html`, and gives the former."""
    from corpusforge.train.bench_report import render
    from corpusforge.train.bench_result import conclude

    with joined(device):  # A device that is not there is told before anything is read.
        prepared = prepare(settings, output, progress)
    records = run_arms(settings, prepared, device, progress)
    result = conclude(settings, prepared, records)
    storage.commit_bytes(str(output / RESULT), dump_json(result))
    storage.commit_bytes(str(output / PAGE), render(result).encode("utf-8"))
    return result


__all__ = ["BenchSettings", "Corpus", "Prepared", "bench", "prepare", "run_arms"]
