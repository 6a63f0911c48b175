"""Evaluation sets as tokens, made ahead: what training reads needs no tokenizer.

A pack is one .npz file of plain arrays: the panel's passages, and the requests of zero-shot tasks encoded by the
rules of lm-evaluation-harness (0.4.13, `TemplateLM.loglikelihood` and `_encode_pair`): a context's trailing spaces
belong to the continuation, both are encoded together and split at the length of the context alone, and one prefix
token stands before everything.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from corpusforge.errors import UsageError

if TYPE_CHECKING:
    from corpusforge.tokenize.tokenizer import Tokenizer
    from corpusforge.train.panel import Panel
    from corpusforge.train.tasks import Item, Task

Int64 = npt.NDArray[np.int64]
UInt32 = npt.NDArray[np.uint32]

VERSION = 1
"""Of the file format and of the rules by which texts became tokens."""

_BATCH = 2048


def _none() -> Int64:
    return np.zeros(0, np.int64)


def _start() -> Int64:
    return np.zeros(1, np.int64)


@dataclass(frozen=True)
class EvaluationPack:
    """Passages p, requests r and items i, as arrays.

    Passage k has the tokens ``panel_tokens[panel_offsets[k]:panel_offsets[k + 1]]``, `panel_bytes` bytes of text
    and the domain ``domains[panel_domains[k]]``. Request k has ``tokens[offsets[k]:offsets[k + 1]]``, prefix
    included, of which the last `scored[k]` are the continuation; `choice_characters` and `choice_bytes` count its
    choice.
    Item k has the requests ``item_offsets[k]`` to ``item_offsets[k + 1]``, of which `gold[k]` (from 0) is right, the
    task ``tasks[item_tasks[k]]`` and the group ``groups[item_groups[k]]``.
    """

    prefix_id: int
    vocabulary_size: int
    tokenizer: str
    """SHA-256 in hex of the tokenizer."""
    panel_digest: str
    domains: tuple[str, ...]
    panel_tokens: UInt32
    panel_offsets: Int64
    panel_bytes: Int64
    panel_domains: Int64
    tasks: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    tokens: UInt32 = field(default_factory=lambda: np.zeros(0, np.uint32))
    offsets: Int64 = field(default_factory=_start)
    scored: Int64 = field(default_factory=_none)
    choice_characters: Int64 = field(default_factory=_none)
    choice_bytes: Int64 = field(default_factory=_none)
    item_offsets: Int64 = field(default_factory=_start)
    gold: Int64 = field(default_factory=_none)
    item_tasks: Int64 = field(default_factory=_none)
    item_groups: Int64 = field(default_factory=_none)

    def dump(self) -> bytes:
        """The file's bytes: equal packs give equal bytes."""
        arrays: dict[str, Any] = {}
        facts: dict[str, Any] = {"version": VERSION}
        for one in fields(self):
            value = getattr(self, one.name)
            if isinstance(value, np.ndarray):
                arrays[one.name] = value
            else:
                facts[one.name] = value
        text = json.dumps(facts, sort_keys=True).encode("utf-8")
        stream = io.BytesIO()
        np.savez(stream, facts=np.frombuffer(text, np.uint8), **arrays)
        return stream.getvalue()

    @property
    def digest(self) -> str:
        """SHA-256 in hex of the file's bytes."""
        return hashlib.sha256(self.dump()).hexdigest()


def load_pack(path: Path) -> EvaluationPack:
    """Read a pack. Raises `UsageError` for what is none, is damaged, or was made by another version."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        facts = json.loads(arrays.pop("facts").tobytes())
        if facts.pop("version") != VERSION:
            raise UsageError(f"{path} was made by another version: run corpusforge eval-pack again")
        for name in ("domains", "tasks", "groups"):
            facts[name] = tuple(facts[name])
        pack = EvaluationPack(**facts, **arrays)
        _check(pack)
    except (OSError, EOFError, KeyError, TypeError, ValueError, AttributeError, BadZipFile) as error:
        raise UsageError(f"{path} is no evaluation pack: {error}") from error
    return pack


def _check(pack: EvaluationPack) -> None:
    """Raise `ValueError` where arrays do not fit together."""
    spans = [(pack.panel_offsets, len(pack.panel_tokens)), (pack.offsets, len(pack.tokens))]
    for offsets, size in [*spans, (pack.item_offsets, len(pack.scored))]:
        if offsets.ndim != 1 or len(offsets) < 1 or offsets[0] != 0 or offsets[-1] != size:
            raise ValueError("offsets do not span their array")
        if np.any(np.diff(offsets) < 0):
            raise ValueError("offsets fall")
    passages, requests, items = (len(x) - 1 for x in (pack.panel_offsets, pack.offsets, pack.item_offsets))
    lengths = [(pack.panel_bytes, passages), (pack.panel_domains, passages)]
    lengths += [(array, requests) for array in (pack.scored, pack.choice_characters, pack.choice_bytes)]
    lengths += [(array, items) for array in (pack.gold, pack.item_tasks, pack.item_groups)]
    if any(array.shape != (size,) for array, size in lengths):
        raise ValueError("arrays of different lengths")
    for ids in (pack.panel_tokens, pack.tokens):
        if len(ids) and int(ids.max()) >= pack.vocabulary_size:
            raise ValueError("a token that the vocabulary does not have")
    if np.any(pack.scored >= np.diff(pack.offsets)) or np.any(pack.scored < 0):
        raise ValueError("a request that scores more tokens than it has")
    for array, names in (
        (pack.panel_domains, pack.domains),
        (pack.item_tasks, pack.tasks),
        (pack.item_groups, pack.groups),
    ):
        if len(array) and not 0 <= int(array.min()) <= int(array.max()) < len(names):
            raise ValueError("a number without a name")


def make_pack(
    encoder: Tokenizer, panel: Panel, tasks: Sequence[Task] = (), prefix_id: int | None = None
) -> EvaluationPack:
    """Encode a panel and tasks.

    `prefix_id` defaults to the tokenizer's end token, which stands before every document in training data. Raises
    `UsageError` when the tokenizer has no such token.
    """
    prefix = encoder.eos_id if prefix_id is None else prefix_id
    if not 0 <= prefix < encoder.vocabulary_size:
        raise UsageError("the tokenizer has no such prefix token")
    passages = _encode(encoder, [one.text for one in panel.passages])
    domains = panel.domains
    groups = sorted({item.group for task in tasks for item in task.items})
    items = [(number, item) for number, task in enumerate(tasks) for item in task.items]
    pieces, scored = _requests(encoder, prefix, [item for _, item in items])
    choices = [choice for _, item in items for choice in item.choices]
    return EvaluationPack(
        prefix_id=prefix,
        vocabulary_size=encoder.vocabulary_size,
        tokenizer=encoder.sha256,
        panel_digest=panel.digest,
        domains=tuple(domains),
        panel_tokens=_joined(passages),
        panel_offsets=_offsets([len(one) for one in passages]),
        panel_bytes=np.array([len(one.text.encode("utf-8")) for one in panel.passages], np.int64),
        panel_domains=np.array([domains.index(one.domain) for one in panel.passages], np.int64),
        tasks=tuple(task.name for task in tasks),
        groups=tuple(groups),
        tokens=_joined(pieces),
        offsets=_offsets([len(piece) for piece in pieces]),
        scored=np.array(scored, np.int64),
        choice_characters=np.array([len(choice) for choice in choices], np.int64),
        choice_bytes=np.array([len(choice.encode("utf-8")) for choice in choices], np.int64),
        item_offsets=_offsets([len(item.requests) for _, item in items]),
        gold=np.array([item.gold for _, item in items], np.int64),
        item_tasks=np.array([number for number, _ in items], np.int64),
        item_groups=np.array([groups.index(item.group) for _, item in items], np.int64),
    )


def _requests(encoder: Tokenizer, prefix: int, items: Sequence[Item]) -> tuple[list[UInt32], list[int]]:
    """Tokens of each request with the prefix, and how many at the end are scored."""
    pairs = [_spaces_moved(*request) for item in items for request in item.requests]
    whole = _encode(encoder, [context + continuation for context, continuation in pairs])
    contexts = sorted({context for context, _ in pairs})
    lengths = dict(zip(contexts, (len(ids) for ids in _encode(encoder, contexts)), strict=True))
    before = [0 if context == "" else lengths[context] for context, _ in pairs]
    start = np.array([prefix], np.uint32)
    return [np.concatenate([start, ids]) for ids in whole], [
        max(0, len(ids) - length) for ids, length in zip(whole, before, strict=True)
    ]


def _spaces_moved(context: str, continuation: str) -> tuple[str, str]:
    bare = context.rstrip()
    return bare, context[len(bare) :] + continuation


def _encode(encoder: Tokenizer, texts: Sequence[str]) -> list[UInt32]:
    from corpusforge.texts import Texts

    result: list[UInt32] = []
    for first in range(0, len(texts), _BATCH):
        ids, offsets = encoder.encode(Texts.from_strings(list(texts[first : first + _BATCH])), end=False)
        result += [
            ids[begin:end].astype(np.uint32) for begin, end in zip(offsets[:-1], offsets[1:], strict=True)
        ]
    return result


def _joined(pieces: Sequence[UInt32]) -> UInt32:
    return np.concatenate([np.zeros(0, np.uint32), *pieces])


def _offsets(lengths: Sequence[int]) -> Int64:
    return np.concatenate([[0], np.cumsum(np.array(lengths, np.int64))]).astype(np.int64)
