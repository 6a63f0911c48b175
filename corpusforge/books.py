"""Closing the books of a run: ledger, report, manifest, and what stands outside the comparison of bytes."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import time
from collections.abc import Callable, Iterator
from typing import Any

from corpusforge import __version__, ledger, storage
from corpusforge.earlier import TABLES_FILE, kept_tables
from corpusforge.errors import RunFailedError
from corpusforge.layout import RunLayout, dump_json
from corpusforge.plan import Plan, Stage
from corpusforge.recipe import Recipe
from corpusforge.redaction import redacted
from corpusforge.report.build import build_report
from corpusforge.report.dedup import DuplicateBooks
from corpusforge.report.html import render
from corpusforge.report.personal_data import personal_data
from corpusforge.report.similarities import similarities
from corpusforge.statistics.steps import merge_by_step
from corpusforge.tasks.context import exchange_facts

PACKAGES = (
    "numpy",
    "pyarrow",
    "numba",
    "fastwarc",
    "resiliparse",
    "sentencepiece",
    "fasttext-community",
    "ufal-kenlm",
    "presidio-analyzer",
)
"""Distributions whose versions go to ``environment.json``."""

READING = ("collect", "read", "map")
"""Operations whose tasks read records or documents and may quarantine some."""

ALWAYS_ACCEPTED = 20
"""Lost records that never stop a run."""


def _manifests(layout: RunLayout, stage: Stage) -> Iterator[dict[str, Any]]:
    for task in range(stage.tasks):
        yield layout.read_manifest(stage.id, task)


class ErrorBudget:
    """Adds up what the stages of a run lost, stage by stage.

    The few records of a small input may be odd: `ALWAYS_ACCEPTED` lost records are no reason to stop, unless
    nothing else was read.
    """

    def __init__(self, layout: RunLayout, share: float) -> None:
        self._layout = layout
        self._share = share
        self._records = self._lost = 0

    def check(self, stage: Stage) -> None:
        """Add a finished stage.

        Raises `RunFailedError` when more than the share of all records were damaged or quarantined so far.
        """
        if stage.body.operation not in READING:
            return
        for manifest in _manifests(self._layout, stage):
            for account in manifest["ledger"].get("records", {}).values():
                self._records += account["records"]
                self._lost += sum(account["damaged"].values())
            for sources in manifest["ledger"].get("steps", {}).values():
                for account in sources.values():
                    self._lost += sum(entry["documents"] for entry in account["quarantined"].values())
        everything = self._share < 1 and self._lost == self._records > 0
        if everything or self._lost > max(ALWAYS_ACCEPTED, self._share * self._records):
            raise RunFailedError(
                f"error budget spent: {self._lost} of {self._records} records were damaged or quarantined by the "
                f"end of {stage.id}; the recipe allows {self._share:.1%} (error_budget). "
                f"See *.errors.jsonl below {self._layout.file('stages')}"
            )


def close(
    layout: RunLayout,
    plan: Plan,
    recipe: Recipe,
    started: float,
    call: Callable[..., Any] = lambda function, *arguments: function(*arguments),
) -> None:
    """Sum the committed manifests, check all balances, write the results, the manifest of the run last.

    `call` has what needs kernels called elsewhere: `Engine.call`.
    """
    books = _Books(layout, plan)
    ledger_json = books.ledger()
    report = build_report(
        recipe.resolved(),
        ledger_json,
        list(books.statistics.values()),
        books.clusters(),
        books.shards(),
        call(books.duplicates.details, layout),
        books.cutoffs,
    )
    report["personal_data"] = personal_data(layout, plan, recipe.steps, report, call)
    report["similarities"] = similarities(layout, plan, recipe.steps, report)
    timings = books.timings(started)
    environment = _environment(layout, plan)
    manifest = books.manifest(recipe)
    if plan.kept:
        storage.commit_bytes(layout.file(*TABLES_FILE), dump_json(kept_tables(plan, recipe.steps)))
    storage.commit_bytes(layout.file("ledger.json"), dump_json(ledger_json))
    storage.commit_bytes(layout.file("report.json"), dump_json(report))
    storage.commit_bytes(layout.file("timings.json"), dump_json(timings))
    storage.commit_bytes(layout.file("environment.json"), dump_json(environment))
    storage.commit_bytes(layout.file("report.html"), render(report, timings, environment).encode("utf-8"))
    storage.commit_bytes(layout.file("manifest.json"), dump_json(manifest))


class _Books:
    """All committed manifests of a run, added up once."""

    def __init__(self, layout: RunLayout, plan: Plan) -> None:
        self.layout, self.plan = layout, plan
        self.records: dict[str, Any] = {}
        self.steps: dict[str, Any] = {}
        self.tokens: dict[str, int] = {}
        self.written: dict[str, Any] = {}
        self.outputs: dict[str, Any] = {}
        self.inputs: list[dict[str, Any]] = []
        self.counts: dict[str, dict[str, int]] = {}
        self.exchanges: dict[str, dict[str, int]] = {}
        self.statistics: dict[str, Any] = {}
        self.cutoffs: dict[str, Any] = {}
        self.duplicates = DuplicateBooks(plan)
        for stage in plan.stages:
            for manifest in _manifests(layout, stage):
                self._add(stage, manifest)

    def _add(self, stage: Stage, manifest: dict[str, Any]) -> None:
        accounts = manifest["ledger"]
        self.records = ledger.add(self.records, accounts.get("records", {}))
        self.steps = ledger.add(self.steps, accounts.get("steps", {}))
        self.tokens = ledger.add(self.tokens, accounts.get("tokens", {}))
        self.exchanges = ledger.add(self.exchanges, exchange_facts(manifest["files"]))
        if manifest["counts"]:
            self.counts[stage.name] = ledger.add(self.counts.get(stage.name, {}), manifest["counts"])
        if manifest["statistics"]:
            self.statistics = merge_by_step([self.statistics, manifest["statistics"]])
        self.duplicates.add(stage, manifest)
        value = manifest["value"]
        if isinstance(value, dict):
            self.outputs.update(value.get("outputs", {}))
            self.written = ledger.add(self.written, value.get("written", {}))
            self.inputs += value.get("inputs", [])
            if "fitted" in value:
                self.cutoffs[value["step"]] = value

    def ledger(self) -> dict[str, Any]:
        """The ledger with its checks."""
        order = [item.step for item in self.plan.sidecars]
        steps = [{"step": step, "sources": self.steps.get(step, {})} for step in order]
        checks = ledger.Checks()
        ledger.check_records(checks, self.records)
        ledger.check_steps(checks, self.records, steps)
        written = {
            source: self.written.get(
                source, dict.fromkeys(("documents", "document_bytes", "dropped", "quarantined"), 0)
            )
            for source in self.records
        }
        ledger.check_written(checks, steps, written)
        if "cells" in self.tokens:
            ledger.check_tokens(checks, self.tokens)
        exchanges = [
            {
                "name": name,
                "rows": facts["rows"],
                "bytes": facts["bytes"],
                "budget_bytes_per_row": self.plan.exchanges[name].spec.bytes_per_row,
            }
            for name, facts in sorted(self.exchanges.items())
        ]
        return {
            "closed": checks.closed,
            "checks": checks.rows,
            "records": self.records,
            "steps": steps,
            "tokens": self.tokens,
            "exchanges": exchanges,
            "counts": self.counts,
        }

    def clusters(self) -> dict[str, dict[str, int]]:
        """Clusters of duplicates by size and deduplicating step."""
        found = {step: part.get("clusters", {}) for step, part in self.statistics.items()}
        return {step: sizes for step, sizes in found.items() if sizes}

    def shards(self) -> dict[str, Any]:
        """What the report says about token shards."""
        details: dict[str, Any] = {}
        for name in ("shards/manifest.json",):
            if name in self.outputs:
                manifest = json.loads(storage.read_bytes(self.layout.file(name)))
                details = {
                    "rows": manifest["rows"],
                    "tokens_by_source": manifest["tokens_by_source"],
                    "mixture": manifest["mixture"],
                    "tokenizer": manifest["tokenizer"],
                    "files": {
                        kind: sum(1 for path in manifest["files"] if path.startswith(f"shards/{kind}/"))
                        for kind in ("packed", "documents")
                    },
                }
        return details

    def timings(self, started: float) -> dict[str, Any]:
        """Seconds by stage and step, from the files beside the manifests."""
        stages: list[dict[str, Any]] = []
        steps: dict[str, dict[str, float]] = {}
        for stage in self.plan.stages:
            entry = {
                "stage": stage.id,
                "tasks": stage.tasks,
                "seconds_wall": 0.0,
                "seconds_cpu": 0.0,
                "bytes_in": 0.0,
            }
            for task in range(stage.tasks):
                spent = json.loads(storage.read_bytes(self.layout.task_file(stage.id, task, "timings.json")))
                entry["seconds_wall"] += spent["seconds_wall"]
                entry["seconds_cpu"] += spent["seconds_cpu"]
                for index, (step, numbers) in enumerate(spent["steps"].items()):
                    total = steps.setdefault(step, {"seconds_cpu": 0.0, "bytes_in": 0.0})
                    total["seconds_cpu"] += numbers["seconds_cpu"]
                    total["bytes_in"] += numbers["bytes_in"]
                    if index == 0:
                        entry["bytes_in"] += numbers["bytes_in"]
            stages.append(entry)
        order = [item.step for item in self.plan.sidecars if item.step in steps]
        return {
            "wall_seconds": time.time() - started,
            "stages": stages,
            "steps": [{"step": step, **steps[step]} for step in order],
        }

    def manifest(self, recipe: Recipe) -> dict[str, Any]:
        """What the run read, by hash, and what it wrote, by hash and logical digest."""
        against = {"against": [run.identity for run in self.plan.earlier]} if self.plan.earlier else {}
        return {
            "version": 1,
            **against,
            "recipe": recipe.resolved()["name"],
            "recipe_digest": self.plan.recipe_digest,
            "plan": self.plan.digest,
            "inputs": self.inputs,
            "fingerprints": {
                step.instance: step.fingerprint() for step in recipe.steps if step.fingerprint()
            },
            "outputs": dict(sorted(self.outputs.items())),
            "documents": sum(entry["documents"] for entry in self.written.values()),
            "tokens": self.tokens,
        }


def _environment(layout: RunLayout, plan: Plan) -> dict[str, Any]:
    versions: dict[str, str | None] = {}
    for name in PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = None
    return {
        "corpusforge": __version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "system": platform.platform(),
        "host": platform.node(),
        "root": redacted(layout.root),
        "packages": versions,
        "against": [{"run": run.identity, "root": redacted(run.root)} for run in plan.earlier],
        "inputs": [redacted(file.url) for shard in (*plan.collected, *plan.shards) for file in shard.files],
    }
