"""Dialogues from Reddit's submissions and comments as Pushshift dumps them: reply trees to linear conversations.

JSON lines, plain or compressed (``RS_2015-01.zst``, ``RC_2015-01.zst``; https://arxiv.org/abs/2001.08435). A submission
has id, title, selftext, a comment id, link_id ("t3_" and the submission's id), parent_id ("t3_…" or "t1_…") and body;
both have author, score, subreddit and created_utc. Types of all months from 2005 on are
those of https://github.com/ArthurHeitmann/arctic_shift/tree/master/schemas: a score may be null, created_utc a number
or a string, and a submission may have no author or subreddit. Speakers are numbered, their names are left out.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO, ClassVar

from pydantic import Field

from corpusforge.sources.base import Damaged, GroupingSource, Record, Skipped, SourceFile
from corpusforge.sources.c4 import iso_date
from corpusforge.sources.decompress import DECOMPRESSION_ERRORS, bounded_lines, decompressed
from corpusforge.step import StepParameters

SUBMISSION, COMMENT = "t3_", "t1_"
_SUBMISSION_PLACE = -1
_DELETED = frozenset({"[deleted]", "[removed]", "[deleted by user]", "[ removed by reddit ]"})
_BOT_NAME = re.compile(r"^automoderator$|(?:^|[-_])bot(?:$|[-_])|[a-z]Bot$|bot$", re.IGNORECASE)
_BOT_TEXT = re.compile(
    r"\bI am a bot\b|\bI'm a bot\b|\bthis action was performed automatically\b", re.IGNORECASE
)
_IDENTITY = re.compile(r"[0-9a-z]{1,12}")


class Parameters(StepParameters):
    """Parameters of `Dialogue`."""

    min_score: int = Field(
        1, description="submissions and comments below are left out, comments with their replies"
    )
    min_turns: int = Field(
        2, ge=1, description="a conversation of fewer turns, the submission included, is none"
    )
    max_depth: int = Field(32, ge=1, description="replies in a row that are followed")
    max_conversations: int = Field(
        1,
        ge=1,
        description="conversations of a tree, each from another first reply, and each with the submission again",
    )
    max_comments: int = Field(
        20_000, ge=1, description="comments of a tree that are looked at, the oldest first"
    )
    max_tree_bytes: int = Field(64 << 20, gt=0, description="bytes of a tree's comments that are looked at")
    max_line_bytes: int = Field(4 << 20, gt=0, description="a longer row is given up")
    bots: list[str] = Field([], description="names of further bots; those that call themselves one are known")
    keep_over_18: bool = Field(False, description="keep submissions marked as not for the young")


@dataclass
class _Node:
    """One comment in its tree."""

    order: int
    author: str
    text: str
    score: int
    children: list[str] = field(default_factory=list)
    best: int = 0
    """Greatest sum of scores from here down to a leaf or to the depth that is allowed."""
    next: str | None = None


class Dialogue(GroupingSource):
    """Reads submissions and comments, and makes conversations of a submission's reply tree.

    Fields and their types were held against the published schemas of the dumps from 2005 on. No dump itself was at
    hand: this source was tested on files made in their layout, and on no real ones.
    """

    name = "dialogue"
    summary = "Reddit submissions and comments (Pushshift): the best replies of each tree as a conversation"
    suffixes: ClassVar[tuple[str, ...]] = (
        ".jsonl",
        ".json",
        ".ndjson",
        *(f"{kind}.gz" for kind in (".jsonl", ".json", ".ndjson")),
        ".zst",
        ".bz2",
        ".xz",
    )
    Parameters = Parameters

    def records(self, file: SourceFile, stream: BinaryIO) -> Iterator[Record | Skipped | Damaged]:
        """Iterate submissions and comments in the file's order."""
        done = 0
        limit = self.parameters.max_line_bytes
        try:
            for line in bounded_lines(decompressed(stream), limit):
                done += line.size
                locator = f"{file.path}#{line.number}"
                if line.data is None:
                    yield Damaged(
                        locator, "line_too_long", f"{line.size} bytes, {limit} are allowed", line.size
                    )
                elif not line.data.strip():
                    yield Skipped("empty_line", line.size)
                else:
                    yield self._post(locator, line.data, line.size)
        except (*DECOMPRESSION_ERRORS, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise
            yield Damaged(
                f"{file.path}#after-{done}", "damaged_stream", f"behind {done} bytes: {error}"[:300], 0
            )

    def _post(self, locator: str, data: bytes, size: int) -> Record | Skipped | Damaged:
        try:
            row = json.loads(data)
        except (ValueError, RecursionError) as error:
            return Damaged(locator, "bad_json", f"{type(error).__name__}: {error}"[:300], size)
        if not isinstance(row, dict):
            return Damaged(locator, "bad_json", f"a row is an object, not {type(row).__name__}", size)
        own, author, score = row.get("id"), row.get("author"), row.get("score")
        score = 1 if score is None else score  # not known, or not shown: what every post begins with
        is_comment = "body" in row
        tree = str(row.get("link_id", "")).removeprefix(SUBMISSION) if is_comment else own
        if not (
            _is_identity(own)
            and _is_identity(tree)
            and isinstance(score, int)
            and not isinstance(score, bool)
        ):
            return Damaged(locator, "no_post", "id, link_id or score are none", size)
        text = str(row.get("body") if is_comment else row.get("selftext") or "")
        author = author if isinstance(author, str) else "[deleted]"
        left_out = self._left_out(author, text, score, row)
        if left_out is not None:
            return Skipped(left_out, size)
        meta = {
            "tree": tree,
            "id": own,
            "parent": str(row.get("parent_id", "")) if is_comment else None,
            "author": author,
            "score": max(-(1 << 31), min(1 << 31, score)),
            "title": _plain(row.get("title")) if not is_comment else None,
            "subreddit": _plain(row.get("subreddit")),
        }
        seconds = row.get("created_utc")
        seconds = (
            int(seconds)
            if isinstance(seconds, str) and seconds.isdecimal() and len(seconds) < 12
            else seconds
        )
        return Record(
            origin_key=f"{COMMENT if is_comment else SUBMISSION}{own}",
            locator=locator,
            payload=_plain(text).encode("utf-8", "replace"),
            size=size,
            content_type="text/plain",
            charset="utf-8",
            url=f"https://www.reddit.com/comments/{tree}",
            date=iso_date(seconds),
            meta=meta,
        )

    def _left_out(self, author: str, text: str, score: int, row: Mapping[str, Any]) -> str | None:
        """Why a post takes no part in any conversation, if so."""
        if author.lower() in _DELETED or text.strip().lower() in _DELETED or _deleted_later(row):
            return "deleted"
        if row.get("promoted") is True:
            return "promoted"
        if author in self.parameters.bots or _BOT_NAME.search(author[:50]) or _BOT_TEXT.search(text[:20_000]):
            return "bot"
        if row.get("over_18") is True and not self.parameters.keep_over_18:
            return "over_18"
        return "score" if score < self.parameters.min_score else None

    def container(self, record: Record) -> tuple[str, int]:
        """The submission's tree; the submission first, then comments by id, which is by age."""
        meta = record.meta
        return meta["tree"], _SUBMISSION_PLACE if meta["parent"] is None else int(meta["id"], 36)

    def assemble(self, container: str, parts: Iterator[Record]) -> Iterator[Record | Skipped | Damaged]:
        """The best conversations of a tree: from the submission down, by the sum of scores."""
        first = next(parts)
        if first.meta["parent"] is not None:
            yield Skipped("submission_missing", first.size)
            return
        nodes = self._tree(parts)
        roots = self._roots(nodes, container)
        written = 0
        for root in roots[: self.parameters.max_conversations]:
            turns = _path(nodes, root)
            if len(turns) + 1 >= self.parameters.min_turns:
                yield _conversation(first, turns, written)
                written += 1
        if not written and self.parameters.min_turns <= 1:
            yield _conversation(first, [], 0)
        elif not written:
            yield Skipped("no_replies", first.size)

    def _tree(self, parts: Iterator[Record]) -> dict[str, _Node]:
        """Comments by id, each once, as many as are allowed, with the parents that they name."""
        nodes: dict[str, _Node] = {}
        parents: dict[str, str] = {}
        size = 0
        for part in parts:
            meta = part.meta
            if meta["parent"] is None or meta["id"] in nodes:
                continue
            size += len(part.payload)
            if len(nodes) >= self.parameters.max_comments or size > self.parameters.max_tree_bytes:
                break
            text = part.payload.decode("utf-8", "replace").strip()
            nodes[meta["id"]] = _Node(int(meta["id"], 36), meta["author"], text, meta["score"])
            parents[meta["id"]] = meta["parent"]
        for child, parent in parents.items():
            above = nodes.get(parent.removeprefix(COMMENT)) if parent.startswith(COMMENT) else None
            if above is not None:
                above.children.append(child)
            elif parent.startswith(SUBMISSION):
                nodes[child].best = -1
        return nodes

    def _roots(self, nodes: dict[str, _Node], container: str) -> list[str]:
        """First replies, the best first. What does not hang on the submission (orphans, circles) is never reached."""
        roots = [name for name, node in nodes.items() if node.best == -1]
        order: list[tuple[str, int]] = []
        stack = [(name, 1) for name in roots]
        while stack:
            name, depth = stack.pop()
            order.append((name, depth))
            if depth < self.parameters.max_depth:
                stack.extend((child, depth + 1) for child in nodes[name].children)
        for name, depth in reversed(order):
            node = nodes[name]
            below = node.children if depth < self.parameters.max_depth else []
            node.next = min(below, key=lambda child: (-nodes[child].best, nodes[child].order), default=None)
            node.best = node.score + (nodes[node.next].best if node.next is not None else 0)
        return sorted(roots, key=lambda name: (-nodes[name].best, nodes[name].order))


def _deleted_later(row: Mapping[str, Any]) -> bool:
    """Whether a post was taken back whose text the dump still has."""
    about = row.get("_meta")
    deleted = isinstance(about, Mapping) and about.get("was_deleted_later") is True
    return deleted or isinstance(row.get("removed_by_category"), str)


def _is_identity(value: Any) -> bool:
    return isinstance(value, str) and _IDENTITY.fullmatch(value) is not None


def _plain(value: Any) -> str:
    """A string of the dump: the interface escapes &, < and >."""
    if not isinstance(value, str):
        return ""
    try:
        return html.unescape(value)
    except ValueError:  # a numeric entity of more digits than Python converts
        return value


def _path(nodes: Mapping[str, _Node], root: str) -> list[_Node]:
    found, name = [], root
    while True:
        found.append(nodes[name])
        following = nodes[name].next
        if following is None:
            return found
        name = following


def _conversation(first: Record, turns: list[_Node], number: int) -> Record:
    """One document: the submission, then a paragraph a turn, speakers by number in the order in which they speak."""
    speakers = {first.meta["author"]: 1}
    opening = first.payload.decode("utf-8", "replace").strip()
    pieces = [
        f"{first.meta['title']}\n\nUser 1: {opening}".strip() if opening else f"User 1: {first.meta['title']}"
    ]
    for turn in turns:
        speaker = speakers.setdefault(turn.author, len(speakers) + 1)
        pieces.append(f"User {speaker}: {turn.text}")
    meta = {
        "subreddit": first.meta["subreddit"],
        "title": first.meta["title"],
        "score": first.meta["score"],
        "turn_scores": [turn.score for turn in turns],
        "speakers": len(speakers),
    }
    return Record(
        origin_key=f"{first.origin_key}/{number}",
        locator=first.locator,
        payload="\n\n".join(pieces).encode("utf-8", "replace"),
        size=first.size if number == 0 else 0,
        content_type="text/plain",
        charset="utf-8",
        url=first.url,
        date=first.date,
        meta=meta,
    )
