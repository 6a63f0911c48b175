"""Duplicates in the report: largest clusters, who shares what with whom, what it cost to find, and error rates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from corpusforge.dedup.sampling import RunSample
from corpusforge.layout import RunLayout
from corpusforge.report.dedup_errors import error_rates
from corpusforge.report.sampled import batches_at
from corpusforge.statistics.clusters import EARLIER, labels_of, merge
from corpusforge.statistics.examples import excerpt, shown_url
from corpusforge.statistics.shared_parts import merge_parts
from corpusforge.tasks.context import TaskContext

if TYPE_CHECKING:
    from corpusforge.plan import Plan, Stage

Json = Mapping[str, Any]

PAIRS_SHOWN = 30
"""Pairs of sources or of dumps that the report names, those with the most documents."""


class DuplicateBooks:
    """Adds up what committed tasks told of duplicates."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._dumps = labels_of(plan.shards)["dumps"]
        self._tables: dict[str, list[Json]] = {}
        self._parts: dict[str, list[Json]] = {}
        self._samples: dict[str, RunSample] = {}
        self._seen: dict[str, dict[str, int]] = {}
        """Documents that each step took in, by dump."""

    def add(self, stage: Stage, manifest: Json) -> None:
        """Take the manifest of a task."""
        if stage.body.operation in ("read", "map"):
            dump = self._dumps[manifest["task"]]
            for step, sources in manifest["ledger"].get("steps", {}).items():
                seen = self._seen.setdefault(step, {})
                seen[dump] = seen.get(dump, 0) + sum(source["documents_in"] for source in sources.values())
        value = manifest["value"] if isinstance(manifest["value"], dict) else {}
        for told, name in ((self._tables, "clusters"), (self._parts, "parts")):
            if name in value:
                told.setdefault(stage.steps[0] if stage.steps else stage.name, []).append(value[name])
        emitter = getattr(stage.body, "emitter", None)
        if "sample" in value and emitter is not None:
            step = emitter.output.name.rpartition(".")[0]
            self._samples.setdefault(step, RunSample()).add(value["sample"])

    def details(self, layout: RunLayout) -> dict[str, dict[str, Any]]:
        """What the report says by step, for `deduplication`; reads the few documents that it shows or measures on."""
        rates = error_rates(layout, self._plan, self._samples)
        found: dict[str, dict[str, Any]] = {}
        for step in sorted({*self._tables, *self._parts, *rates}):
            merged = merge(self._tables.get(step, []))
            found[step] = {
                "largest": self._described(layout, merged["largest"]),
                "sources": merged["sources"],
                "dumps": merged["dumps"],
                "documents_by_dump": self._seen.get(step, {}),
                "parts": merge_parts(self._parts.get(step, [])),
                "errors": rates.get(step),
            }
        return found

    def _described(self, layout: RunLayout, clusters: Sequence[Any]) -> list[dict[str, Any]]:
        wanted = {
            address for survivor, _, shown in clusters for address in (survivor, *shown) if address >= 0
        }
        task = TaskContext(self._plan, layout.root, self._plan.stages[-1], 0)
        described: dict[int, dict[str, Any]] = {}
        for batch, rows in batches_at(task, np.array(sorted(wanted), np.int64)):
            live = batch.rows(rows, "latest")
            columns = [live.column(name).to_pylist() for name in ("id", "source", "url", "lang")]
            for at, (identifier, source, url, lang) in enumerate(zip(*columns)):
                described[int(live.addresses[at])] = {
                    "id": identifier.hex(),
                    "source": source,
                    "url": shown_url(url),
                    "lang": lang,
                    "bytes": int(live.texts.sizes[at]),
                    "excerpt": excerpt(live.texts.bytes_of(at)),
                }
        nobody = {"id": None, "source": EARLIER, "url": None, "lang": None, "bytes": None, "excerpt": ""}
        return [
            {
                "size": dropped + 1,
                "survivor": described.get(survivor, nobody),
                "dropped": [described[address] for address in shown if address in described],
            }
            for survivor, dropped, shown in clusters
        ]


def deduplication(report: Json, details: Mapping[str, Json]) -> dict[str, Any]:
    """The report's part on duplicates by step, from the rest of the report and what `DuplicateBooks.details` gave.

    A step has an entry when it moved rows between documents. ``moved`` holds the bytes of its exchanges beside those
    of the text that it took in. ``sources`` and ``dumps`` tell how many documents of one were dropped for a document
    of the other, and ``of``, how many documents of the first the step saw. ``parts`` tells the same of lines, n-grams
    or passages that were found in a document of the other, each counted once for each document that has it; its ``of``
    is 0 where the step does not compare them all.
    """
    found = {}
    for step in report["steps"]:
        name = step["step"]
        moved = [entry for entry in report["exchanges"] if entry["name"].rpartition(".")[0] == name]
        told = details.get(name, {})
        if not moved and not told:
            continue
        sources = {source: entry["documents_in"] for source, entry in step["sources"].items()}
        found[name] = {
            "moved": {
                "bytes": sum(entry["bytes"] for entry in moved),
                "rows": sum(entry["rows"] for entry in moved),
                "text_bytes": step["funnel"]["bytes_in"],
            },
            "largest": list(told.get("largest", [])),
            "sources": _pairs(told.get("sources", []), sources),
            "dumps": _pairs(told.get("dumps", []), told.get("documents_by_dump", {})),
            "parts": _part_pairs(told.get("parts")),
            "errors": told.get("errors"),
        }
    return found


def _part_pairs(parts: Json | None) -> dict[str, Any] | None:
    if parts is None:
        return None
    compared = parts["compared"]
    return {
        "kind": parts["kind"],
        **{kind: _pairs(parts[kind], compared[kind], "parts") for kind in ("sources", "dumps")},
    }


def _pairs(pairs: Sequence[Any], whole: Mapping[str, int], counted: str = "documents") -> dict[str, Any]:
    rows = [
        {"dropped": dropped, "kept": kept, counted: count, "of": whole.get(dropped, 0)}
        for dropped, kept, count in pairs
    ]
    rest = rows[PAIRS_SHOWN:]
    return {"pairs": rows[:PAIRS_SHOWN], "other": sum(row[counted] for row in rest)}
