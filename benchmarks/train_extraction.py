"""Grow the trees that judge blocks of pages: `corpusforge/extract/block_model.json`.

    pip install lightgbm scipy trafilatura
    python benchmarks/train_extraction.py [--data FOLDER]

Only the tuning half of the gold sets is seen (`benchmarks/extraction.py` tells how they are cut). A block is main
content where at least half of its words are aligned with the gold text: that of aeb-50 and readability-50, and for
trafilatura-240, which has segments only, the text that Trafilatura extracts, corrected by the segments. Prints the
scores of five-fold cross-validation within the tuning half, then trains on all of it.
"""

from __future__ import annotations

import argparse
import difflib
import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import numpy.typing as npt
from extraction import Page, domain, extracted, load, mean_score, overlap, segments, total_score

from corpusforge.extract.blocks import choose_blocks
from corpusforge.extract.charset import decode_to_utf8
from corpusforge.extract.html import Limits, walk_page
from corpusforge.extract.metadata import page_title
from corpusforge.extract.step import Parameters
from corpusforge.kernels.html_blocks import Walked
from corpusforge.kernels.html_features import FEATURES, block_features

OUTPUT = Path(__file__).resolve().parents[1] / "corpusforge" / "extract" / "block_model.json"
LIMITS = Limits()
ROUNDS, FOLDS = 400, 5
SETTINGS: dict[str, Any] = {
    "objective": "binary", "learning_rate": 0.05, "num_leaves": 7, "min_data_in_leaf": 15, "lambda_l2": 5,
    "extra_trees": True, "feature_fraction": 0.3, "bagging_fraction": 0.7, "bagging_freq": 1, "max_bin": 63,
    "seed": 7, "verbosity": -1, "deterministic": True, "force_row_wise": True, "num_threads": 1,
}  # fmt: skip
# A block's logit (millionths) from which it is kept, and what holds where nearly nothing is; see `choose_blocks`.
THRESHOLD, MARGIN, LEAST = 0, 2_000_000, -5_000_000
LOOKED, HOPELESS = 100, -3_000_000
WEIGHT = {"aeb-50": 3.0, "readability-50": 1.0, "trafilatura-240": 1.0}


class Sample:
    """A page with features float[b, f], labels and weights float[b] of its blocks."""

    def __init__(self, page: Page, gold: str) -> None:
        self.page = page
        html, _ = decode_to_utf8(page.record.payload, page.record.charset)
        self.walked: Walked = walk_page(html, LIMITS)
        title = " ".join(page_title(html, self.walked.marks).split()).encode()
        self.table = block_features(
            self.walked.text, self.walked.blocks, self.walked.elements, np.frombuffer(title, np.uint8)
        )
        data = bytes(self.walked.text)
        self.texts = [data[begin:end].decode() for begin, end in self.walked.blocks[:, :2].tolist()]
        self.labels, self.weights = self._label(gold)

    def _label(self, gold: str) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        words = [_words(text) for text in self.texts]
        shares = aligned(words, _words(gold))
        labels = (shares >= 0.5).astype(float)
        weights = np.sqrt([len(one) for one in words]) + 0.3
        weights *= WEIGHT[self.page.collection] * len(words) / weights.sum()
        for k, text in enumerate(self.texts):
            joined = " ".join(text.split())
            for segment_list, label in ((self.page.kept, 1.0), (self.page.dropped, 0.0)):
                if any(segment in joined for segment in segment_list):
                    labels[k] = label
                    weights[k] *= 3
        return labels, weights


def _words(text: str) -> list[str]:
    return ["".join(c for c in word if c.isalnum()) for word in text.lower().split()]


def aligned(blocks: Sequence[Sequence[str]], gold: Sequence[str]) -> npt.NDArray[np.float64]:
    """Share of each block's words that the longest common runs in order put into the gold text."""
    flat = [word for block in blocks for word in block]
    owner = np.repeat(np.arange(len(blocks)), [len(block) for block in blocks])
    hit = np.zeros(len(flat))
    for begin, _, size in difflib.SequenceMatcher(None, flat, gold, autojunk=False).get_matching_blocks():
        hit[begin : begin + size] = 1
    sums = np.bincount(owner, hit, len(blocks))
    return sums / np.maximum(np.bincount(owner, minlength=len(blocks)), 1)


def train(samples: Sequence[Sample]) -> Any:
    data = lightgbm.Dataset(
        np.concatenate([sample.table for sample in samples]),
        np.concatenate([sample.labels for sample in samples]),
        weight=np.concatenate([sample.weights for sample in samples]),
    )
    return lightgbm.train(SETTINGS, data, ROUNDS)


def report(samples: Sequence[Sample], scores: Sequence[npt.NDArray[np.int64]]) -> None:
    """Print precision, recall and F1 of each set."""
    for name in WEIGHT:
        counts = []
        for sample, score in zip(samples, scores):
            if sample.page.collection == name:
                kept = choose_blocks(sample.walked.blocks, score, THRESHOLD, MARGIN, LEAST)
                text = "\n".join(text for text, keep in zip(sample.texts, kept) if keep)
                gold = sample.page.text
                counts.append(segments(sample.page, text) if gold is None else overlap(gold, text))
        score = total_score(counts) if name == "trafilatura-240" else mean_score(counts)
        print(name, "precision {:.3f} recall {:.3f} F1 {:.3f}".format(*score))


def logits(model: Any, table: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
    """Scores int64[b] with the early end that the kernel applies."""
    early = model.predict(table, num_iteration=LOOKED, raw_score=True) * 1e6
    whole = model.predict(table, raw_score=True) * 1e6
    return np.where(early < HOPELESS, early, whole).astype(np.int64)


def site(page: Page) -> str:
    """What tells a page's site: its domain; for readability-50 the page's name without its number ("nytimes-1")."""
    if page.collection != "readability-50":
        return domain(page.url)
    return page.url.split("/")[4].rstrip("0123456789").rstrip("-")


def cross_validate(samples: Sequence[Sample]) -> None:
    keys = [site(sample.page) for sample in samples]
    folds = [hashlib.sha256(f"fold {key}".encode()).digest()[0] % FOLDS for key in keys]
    scores: dict[int, npt.NDArray[np.int64]] = {}
    for fold in range(FOLDS):
        model = train([sample for sample, own in zip(samples, folds) if own != fold])
        scores |= {k: logits(model, samples[k].table) for k, own in enumerate(folds) if own == fold}
    report(samples, [scores[k] for k in range(len(samples))])


def store(model: Any) -> None:
    """Write the trees with whole thresholds and leaves in millionths."""
    nodes: list[list[int]] = []
    columns = sorted(int(column) for column in np.nonzero(model.feature_importance("split"))[0])

    def add(tree: dict[str, Any]) -> int:
        number = len(nodes)
        nodes.append([])
        if "leaf_value" in tree:
            nodes[number] = [-1, 0, round(tree["leaf_value"] * 1e6), 0]
        else:
            place = columns.index(tree["split_feature"])
            threshold = int(np.floor(tree["threshold"]))
            nodes[number] = [place, threshold, add(tree["left_child"]), add(tree["right_child"])]
        return number

    roots = [add(tree["tree_structure"]) for tree in model.dump_model()["tree_info"]]
    stored = {
        "features": [FEATURES[column] for column in columns],
        "looked": LOOKED, "hopeless": HOPELESS, "threshold": THRESHOLD, "margin": MARGIN, "least": LEAST,
        "roots": roots, "nodes": nodes,
    }  # fmt: skip
    OUTPUT.write_text(json.dumps(stored, separators=(",", ":")) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("CORPUSFORGE_DATA", beside)))
    pages = [page for page in load(parser.parse_args().data / "commoncrawl") if page.half == "tuning"]
    silver = Parameters(extractor="trafilatura", comments=False, main_content=False)
    without = [page for page in pages if page.text is None]
    golds = dict(zip((page.url for page in without), extracted([page.record for page in without], silver)))
    samples = [Sample(page, golds[page.url] if page.text is None else page.text) for page in pages]
    cross_validate(samples)
    store(train(samples))


if __name__ == "__main__":
    main()
