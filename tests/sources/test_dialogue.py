"""Reply trees to conversations, in the layout of Pushshift's dumps."""

from __future__ import annotations

import gzip
import io
import json
import random

import zstandard

from corpusforge.sources.base import Damaged, Record, SourceFile
from corpusforge.sources.dialogue import Dialogue, Parameters


def submission(name: str = "aa", **fields: object) -> dict:
    row = {"id": name, "title": "Why &amp; how?", "selftext": "Tell me.", "author": "alice", "score": 10}
    return row | {"subreddit": "ask", "created_utc": 1420070400, "over_18": False} | fields


def comment(name: str, parent: str, score: int = 1, author: str = "bob", **fields: object) -> dict:
    parent = parent if parent.startswith("t3_") else f"t1_{parent}"
    row = {"id": name, "link_id": "t3_aa", "parent_id": parent, "body": f"text {name}", "author": author}
    return row | {"score": score, "subreddit": "ask", "created_utc": "1420070500"} | fields


TREE = [
    submission(),
    comment("b", "t3_aa", 3),
    comment("c", "b", 2, "alice"),
    comment("d", "b", 9, "carol"),
    comment("e", "d", 1, "alice"),
    comment("f", "t3_aa", 8, "dan"),
    comment("g", "e", 0),
    comment("h", "g", 100),
]


def read(data: bytes, name: str = "RC_2015-01.jsonl", **parameters: object) -> list:
    source = Dialogue(Parameters(**parameters))
    return list(source.records(SourceFile(name, name, len(data)), io.BufferedReader(io.BytesIO(data))))


def packed(rows: list) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def conversations(rows: list, **parameters: object) -> list:
    """Collect, sort and assemble as the exchange does."""
    source = Dialogue(Parameters(**parameters))
    containers: dict[str, list] = {}
    for sequence, post in enumerate(
        item for item in read(packed(rows), **parameters) if isinstance(item, Record)
    ):
        name, place = source.container(post)
        containers.setdefault(name, []).append((place, sequence, post))
    found = []
    for name, parts in sorted(containers.items()):
        ordered = sorted(parts, key=lambda part: part[:2])
        found += list(source.assemble(name, iter([post for *_, post in ordered])))
    return found


def test_the_path_with_the_greatest_sum_of_scores():
    for seed in range(3):
        rows = list(TREE)
        random.Random(seed).shuffle(rows)
        (found,) = conversations(rows)
        assert found.payload.decode() == (
            "Why & how?\n\nUser 1: Tell me.\n\nUser 2: text b\n\nUser 3: text d\n\nUser 1: text e"
        )
    assert found.meta["turn_scores"] == [3, 9, 1]
    assert found.meta["speakers"] == 3
    assert found.date == "2015-01-01T00:00:00Z"
    assert found.origin_key == "t3_aa/0"
    assert "bob" not in json.dumps(found.meta)


def test_parameters():
    first, second = conversations(TREE, max_conversations=5)
    assert second.payload.decode().endswith("User 1: Tell me.\n\nUser 2: text f")
    assert (first.origin_key, second.origin_key) == ("t3_aa/0", "t3_aa/1")
    assert second.size == 0
    (shallow,) = conversations(TREE, max_depth=1)
    assert shallow.payload.decode().endswith("text f")
    (high,) = conversations(TREE, min_score=4)
    assert high.payload.decode().endswith("Tell me.\n\nUser 2: text f")
    assert [item.kind for item in conversations(TREE, min_turns=9)] == ["no_replies"]
    (alone,) = conversations([submission(selftext="")], min_turns=1)
    assert alone.payload == b"User 1: Why & how?"
    (few,) = conversations(TREE, max_comments=1)
    assert few.meta["turn_scores"] == [3]


def test_bots_deleted_and_marked_posts_are_left_out():
    rows = [
        submission("b1", over_18=True),
        submission("b2", selftext="[removed]"),
        comment("b", "t3_aa", author="AutoModerator"),
        comment("c", "t3_aa", author="remind_me_bot"),
        comment("d", "t3_aa", body="I am a bot, beep"),
        comment("e", "t3_aa", author="[deleted]"),
        comment("f", "t3_aa", body="[removed]"),
        comment("g", "t3_aa", score=0),
        comment("h", "t3_aa", author="helper9"),
        comment("i", "t3_aa", author="abbott"),
    ]
    found = read(packed(rows), bots=["helper9"])
    kinds = [item.kind for item in found if not isinstance(item, Record)]
    assert kinds == ["over_18", "deleted", "bot", "bot", "bot", "deleted", "deleted", "score", "bot"]
    assert isinstance(found[-1], Record)
    assert sum(item.size for item in found) == len(packed(rows))


def test_what_the_schemas_of_single_months_allow():
    """No author (2005), a null score, times as numbers or strings, advertisements, posts taken back later."""
    rows = [
        submission(author=None),
        submission("ab", score=None, created_utc=1420070400.0),
        submission("ac", promoted=True),
        submission("ad", removed_by_category="moderator"),
        submission("ae", removed_by_category=None, promoted=None, subreddit=None),
        comment("b", "t3_ab", score=None, _meta={"retrieved_2nd_on": 5}),
        comment("c", "t3_ab", _meta={"was_deleted_later": True}),
    ]
    found = read(packed(rows))
    assert [getattr(item, "kind", "record") for item in found] == [
        *("deleted", "record", "promoted", "deleted", "record", "record", "deleted"),
    ]
    assert {item.meta["score"] for item in found if isinstance(item, Record)} == {1, 10}
    assert found[1].date == "2015-01-01T00:00:00Z"
    assert [item.kind for item in read(packed([comment("b", "t3_aa", score="3")]))] == ["no_post"]


def test_circles_orphans_and_repeated_ids_are_never_followed():
    rows = [
        submission(),
        comment("b", "c"),
        comment("c", "b"),
        comment("d", "d", 50),
        comment("e", "zz", 50),
        comment("f", "t3_aa", 2),
        comment("f", "f", 99),
    ]
    (found,) = conversations(rows)
    assert found.payload.decode().endswith("User 2: text f")
    assert [item.kind for item in conversations(rows[1:])] == ["submission_missing"]


def test_a_chain_of_replies_is_bounded():
    names = [f"b{number:05d}" for number in range(20_000)]
    rows = [submission(), comment(names[0], "t3_aa")]
    rows += [comment(name, above) for above, name in zip(names, names[1:])]
    (found,) = conversations(rows, max_depth=1000)
    assert len(found.meta["turn_scores"]) == 1000


def test_each_bad_row_costs_itself():
    bad = [
        b"{",
        b"[1]",
        b"{}",
        b'{"id": 5}',
        b'{"id": "a b", "title": ""}',
        b'{"id": "a", "score": 1e99}',
        b"[" * 100_000,
    ]
    bad += [b'{"id": "a", "body": "x", "link_id": null}', b"", b"x" * 5000]
    data = b"\n".join(bad) + b"\n" + packed([submission()])
    found = read(data, max_line_bytes=200_000)
    assert isinstance(found[-1], Record)
    kinds = [item.kind for item in found[:-1]]
    assert kinds == [
        "bad_json",
        "bad_json",
        *["no_post"] * 4,
        "bad_json",
        "no_post",
        "empty_line",
        "bad_json",
    ]
    assert sum(item.size for item in found) == len(data)
    endless = read(b'{"id": "' + b"a" * 10_000, max_line_bytes=1000)
    assert [item.kind for item in endless] == ["line_too_long"]


def test_compressions_and_cuts():
    data = packed(TREE)
    for name, pack in (("RC_2015-01.zst", zstandard.ZstdCompressor().compress), ("x.json.gz", gzip.compress)):
        assert len(read(pack(data), name)) == len(TREE)
    noise = packed([submission(selftext=random.Random(1).randbytes(50_000).hex())] * 2)
    assert isinstance(read(gzip.compress(noise)[:-1000])[-1], Damaged)
    bomb = gzip.compress(b" " * (32 << 20))
    assert [item.kind for item in read(bomb, max_line_bytes=1 << 20)] == ["line_too_long"]


def test_an_entity_of_endless_digits_stays() -> None:
    entity = f"&#{'9' * 5000};"
    (found,) = read(packed([submission(selftext=entity)]))
    assert entity in found.payload.decode()
