"""Extraction by blocks: one pass over the page's bytes, then a verdict on each block.

A block is what a browser shows as a paragraph, an item of a list or a row of a table. Boosted trees judge each from
what it is, what stands around it and what the publisher calls the elements it stands in; no tree of nodes is built.
How the trees were grown: `benchmarks/train_extraction.py`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np
import numpy.typing as npt

from corpusforge.extract.html import clean_text
from corpusforge.extract.metadata import page_date, page_language, page_title
from corpusforge.kernels.html_blocks import Walked
from corpusforge.kernels.html_features import FEATURES, block_features
from corpusforge.kernels.html_layout import BEGIN, CHARACTERS, END, LINKED, PREFORMATTED
from corpusforge.kernels.html_trees import Forest, join_blocks, make_forest, score_trees

_BULLET = re.compile(r"^(?:[-•‣◦*]|\d{1,4}\.) ")

PARAGRAPH = 80
"""Code points outside of links from which a block may be a paragraph."""
SENTENCE = 40
"""The same for a sentence, which counts where the page has no paragraph."""


@dataclass(frozen=True, slots=True)
class Model:
    """Trees, and when to stop, as `corpusforge.kernels.html_trees.score_trees` takes them.

    Blocks that score `threshold` or more (millionths of a logit) are kept. Where these hold less than a tenth of the
    text that is no link, so are those that come within `margin` of the best paragraph, if that scores `least`.
    """

    forest: Forest
    looked: int
    hopeless: int
    threshold: int
    margin: int
    least: int


@dataclass(frozen=True, slots=True)
class Extracted:
    """What is taken of a page; `published` is ISO 8601, `language` a primary subtag."""

    text: str
    title: str
    published: str | None
    language: str | None


@cache
def block_model() -> Model:
    """Load the model of the package. Raises `ValueError` when it asks for features that are not measured."""
    stored = json.loads(
        resources.files("corpusforge.extract").joinpath("block_model.json").read_text(encoding="utf-8")
    )
    columns = {name: column for column, name in enumerate(FEATURES)}
    missing = [name for name in stored["features"] if name not in columns]
    if missing:
        raise ValueError(f"the model of blocks asks for features that are not measured: {missing}")
    nodes = np.array(stored["nodes"], np.int32).reshape(-1, 4)
    inner = nodes[:, 0] >= 0
    nodes[inner, 0] = np.array([columns[name] for name in stored["features"]], np.int32)[nodes[inner, 0]]
    roots = np.array(stored["roots"], np.int32)
    numbers = (int(stored[name]) for name in ("looked", "hopeless", "threshold", "margin", "least"))
    return Model(make_forest(nodes, roots), *numbers)


def choose_blocks(
    blocks: npt.NDArray[np.int64], scores: npt.NDArray[np.int64], threshold: int, margin: int, least: int
) -> npt.NDArray[np.bool_]:
    """Tell from scores int64[b] which blocks are kept, bool[b]; the numbers are those of `Model`."""
    kept: npt.NDArray[np.bool_] = scores >= threshold
    plain = blocks[:, CHARACTERS] - blocks[:, LINKED]
    if int(plain[kept].sum()) * 10 >= int(plain.sum()):
        return kept
    paragraphs = scores[plain >= PARAGRAPH]
    if not len(paragraphs):
        paragraphs = scores[plain >= SENTENCE]
    best = int(paragraphs.max()) if len(paragraphs) else least - 1
    if best >= least:
        kept |= scores >= best - margin
    return kept


def keep_blocks(walked: Walked, title: str, model: Model) -> npt.NDArray[np.bool_]:
    """Tell which blocks are main content, bool[b]."""
    if not len(walked.blocks):
        return np.zeros(0, np.bool_)
    name = np.frombuffer(" ".join(title.split()).encode("utf-8", "replace"), np.uint8)
    table = block_features(walked.text, walked.blocks, walked.elements, name)
    scores = score_trees(table, model.forest, model.looked, model.hopeless)
    return choose_blocks(walked.blocks, scores, model.threshold, model.margin, model.least)


def text_lines(text: str) -> frozenset[str]:
    """Lines of a text with single spaces, without the bullets and numbers that Resiliparse gives to items of lists."""
    lines = (_BULLET.sub("", " ".join(line.split())) for line in text.splitlines())
    return frozenset(line for line in lines if line)


def blocks_among(walked: Walked, lines: frozenset[str]) -> npt.NDArray[np.bool_]:
    """Tell which blocks consist of such lines, bool[b]."""
    data = bytes(walked.text)
    found = np.zeros(len(walked.blocks), np.bool_)
    for k, (begin, end) in enumerate(walked.blocks[:, (BEGIN, END)].tolist()):
        own = text_lines(data[begin:end].decode("utf-8", "replace"))
        found[k] = bool(own) and own <= lines
    return found


def extract_blocks(
    page: bytes,
    walked: Walked,
    main_content: bool,
    bullets: bool,
    url: str | None = None,
    others: str = "",
) -> Extracted:
    """Take text, title, date and language of a page in UTF-8 that was walked over.

    Blocks whose lines stand in `others`, another extractor's text of the page, are main content too.
    """
    marks = walked.marks.tolist()
    title = page_title(page, marks)
    every = np.ones(len(walked.blocks), np.bool_)
    kept = keep_blocks(walked, title, block_model()) if main_content else every
    if others and main_content:
        kept |= blocks_among(walked, text_lines(others))
    text = bytes(join_blocks(walked.text, walked.blocks, walked.elements, kept, bullets)).decode(
        "utf-8", "replace"
    )
    is_verbatim = bool(walked.blocks[kept, PREFORMATTED].any())
    return Extracted(
        clean_text(text) if is_verbatim else text.strip(" "),
        title,
        page_date(page, marks, url),
        page_language(page, marks),
    )
