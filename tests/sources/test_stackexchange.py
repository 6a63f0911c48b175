"""Stack Exchange: threads from posts in any order, answers by score as numbers, deleted parents told."""

from __future__ import annotations

import io
import random
from pathlib import Path

import pytest

from corpusforge.sources.base import Damaged, Record, Skipped, SourceFile
from corpusforge.sources.stackexchange import Parameters, StackExchange, site_of, tags_of, text_of

QUESTION = (
    '<row Id="1" PostTypeId="1" Score="5" Title="How?" Body="&lt;p&gt;Tell me&lt;/p&gt;" AcceptedAnswerId="4" '
    'Tags="&lt;a&gt;&lt;b&gt;" CreationDate="2015-01-27T20:09:32.720" ContentLicense="CC BY-SA 3.0" />'
)
SCORES = {2: 9, 3: 2, 4: 10, 5: -3, 6: 9}
ANSWERS = [
    f'<row Id="{number}" PostTypeId="2" ParentId="1" Score="{score}" Body="&lt;p&gt;answer {number}&lt;/p&gt;" />'
    for number, score in SCORES.items()
]


def read(rows: list[str], path: str = "coffee.stackexchange.com/Posts.xml", **parameters: object) -> list:
    data = ("\ufeff<?xml version='1.0'?>\n<posts>\n" + "\n".join(rows) + "\n</posts>\n").encode()
    source = StackExchange(Parameters(**parameters))
    return list(source.records(SourceFile(path, path, len(data)), io.BytesIO(data)))


def threads(rows: list[str], **parameters: object) -> list:
    """Collect, sort and assemble as the exchange does."""
    source = StackExchange(Parameters(**parameters))
    posts = [item for item in read(rows, **parameters) if isinstance(item, Record)]
    containers: dict[str, list] = {}
    for post in posts:
        name, place = source.container(post)
        containers.setdefault(name, []).append((place, post))
    found = []
    for name, parts in sorted(containers.items()):
        ordered = [post for _, post in sorted(parts, key=lambda part: part[0])]
        found += list(source.assemble(name, iter(ordered)))
    return found


def test_answers_come_by_score_as_numbers_wherever_they_stand():
    rows = [QUESTION, *ANSWERS]
    random.Random(1).shuffle(rows)
    (thread,) = threads(rows)
    assert thread.payload.decode() == (
        "Q: How?\n\nTell me\n\nA: answer 4\n\nA: answer 2\n\nA: answer 6\n\nA: answer 3\n\nA: answer 5"
    )
    assert thread.meta["answer_scores"] == [10, 9, 9, 2, -3]
    assert thread.meta["tags"] == ["a", "b"]
    assert thread.url == "https://coffee.stackexchange.com/questions/1"
    assert thread.date == "2015-01-27T20:09:32Z"
    assert thread.license == "CC BY-SA 3.0"
    assert thread.origin_key == "coffee.stackexchange.com/1"


def test_parameters_choose_answers():
    (thread,) = threads([QUESTION, *ANSWERS], min_answer_score=3, max_answers=2, mark_accepted=True)
    assert thread.payload.decode().endswith("A (accepted): answer 4\n\nA: answer 2")
    (skipped,) = threads([QUESTION, *ANSWERS], min_question_score=6)
    assert skipped.kind == "question_score"


def test_a_deleted_question_takes_its_answers_along():
    (skipped,) = threads(ANSWERS)
    assert isinstance(skipped, Skipped)
    assert skipped.kind == "question_deleted"


def test_each_bad_row_costs_itself():
    bad = [
        '<row Id="x" PostTypeId="1" Body="" />',
        '<row Id="7" PostTypeId="2" Body="no parent" />',
        '<row Id="8" PostTypeId="1" Body="cut',
        '<row Id="9" PostTypeId="1" Body="&bomb;" />',
        '<row Id="10" PostTypeId="1" Title="<!ENTITY a" />',
        '<row Id="11" PostTypeId="5" Body="a wiki" />',
        f'<row Id="12" PostTypeId="1" Body="{"y" * 3000}" />',
    ]
    found = read([*bad, QUESTION], max_post_bytes=2000)
    kinds = [item.kind for item in found if not isinstance(item, Record)]
    assert kinds == ["no_row", "no_row", *["bad_xml"] * 5, "post_type_5", "post_too_long", "no_row"]
    assert sum(isinstance(item, Record) for item in found) == 1


def test_numbers_that_are_none_cost_no_more_than_their_row():
    rows = [
        '<row Id="20" PostTypeId="1" AcceptedAnswerId="²" Body="" />',
        f'<row Id="21" PostTypeId="1" AcceptedAnswerId="{"9" * 5000}" Body="" />',
        '<row Id="22" PostTypeId="1" CreationDate="0001-01-01T00:00:00+14:00" Body="" />',
        '<row Id="²" PostTypeId="1" Body="" />',
        '<row Id="23" PostTypeId="2" ParentId="1_0" Body="" />',
        f'<row Id="24" PostTypeId="1" Score="{"9" * 5000}" Body="" />',
        '<row Id="25" PostTypeId="²" Body="" />',
    ]
    found = read([*rows, QUESTION])
    kinds = [item.kind for item in found if not isinstance(item, Record)]
    assert kinds == ["no_row", "no_row", *["bad_xml"] * 3, "post_type_other", "no_row"]
    posts = [item for item in found if isinstance(item, Record)]
    assert [post.meta["accepted"] for post in posts] == [None, None, None, 4]
    assert [post.date for post in posts] == [None, None, None, "2015-01-27T20:09:32Z"]


def test_code_and_lists_keep_their_lines():
    html = b"<p>Try:</p><pre><code>if x &lt; 1:\n    y()</code></pre><ul><li>a</li><li>b</li></ul>"
    assert text_of(html) == "Try:\n\nif x < 1:\n    y()\n  • a\n  • b"


def test_names_of_sites_and_tags():
    assert site_of("dump/coffee.stackexchange.com/Posts.xml") == "coffee.stackexchange.com"
    assert site_of("french.meta.stackexchange.com.7z") == "french.meta.stackexchange.com"
    assert site_of("stackoverflow.com-Posts.7z") == "stackoverflow.com"
    assert tags_of("|a|b|") == tags_of("<a><b>") == ["a", "b"]


def test_an_archive_that_is_none():
    source = StackExchange()
    pytest.importorskip("py7zr")
    data = b"7z\xbc\xaf\x27\x1c" + b"\0" * 100
    found = list(source.records(SourceFile("site.7z", "site.7z", len(data)), io.BytesIO(data)))
    assert [item.kind for item in found] == ["bad_archive"]


def test_real_dumps(shared_data: Path):
    pytest.importorskip("py7zr")
    source = StackExchange()
    for name, posts in (
        ("coffee.stackexchange.com/Posts.xml", 500),
        ("french.meta.stackexchange.com.7z", 500),
    ):
        path = shared_data / "stackexchange" / name
        with path.open("rb") as stream:
            found = list(source.records(SourceFile(name, str(path), path.stat().st_size), stream))
        assert sum(isinstance(item, Record) for item in found) > posts
        assert not any(isinstance(item, Damaged) for item in found)


def test_notices_of_duplicates_go_and_cells_stand_side_by_side():
    notice = (
        "<blockquote>\n  <p><strong>Possible Duplicate:</strong><br>\n  <a>Other</a></p>\n</blockquote>\n\n"
    )
    assert text_of((notice + "<p>My question</p>").encode()) == "My question"
    quote = "<p>See</p><blockquote><p><strong>Possible Duplicate:</strong> is a notice</p></blockquote>"
    assert "is a notice" in text_of(quote.encode())
    assert text_of(b"<table><tr><td>1</td><td>2</td></tr></table>") == "1\t2"
    assert text_of(b"<pre><code>a\t\tb</code></pre>") == "a\t\tb"


def packed_site(members: dict[str, bytes]) -> bytes:
    py7zr = pytest.importorskip("py7zr")
    sink = io.BytesIO()
    with py7zr.SevenZipFile(sink, "w") as archive:
        for name, data in members.items():
            archive.writestr(data, name)
    return sink.getvalue()


def read_archive(data: bytes, **parameters: object) -> list:
    file = SourceFile("coffee.stackexchange.com.7z", "x.7z", len(data))
    return list(StackExchange(Parameters(**parameters)).records(file, io.BytesIO(data)))


def test_an_archive_is_read_like_its_posts():
    posts = ("<posts>\n" + "\n".join([QUESTION, *ANSWERS]) + "\n</posts>\n").encode()
    found = read_archive(packed_site({"Users.xml": b"<users />", "Posts.xml": posts, "etc/Posts.xml": b"x"}))
    assert [item.origin_key for item in found if isinstance(item, Record)] == [
        f"coffee.stackexchange.com/{number}" for number in (1, 2, 3, 4, 5, 6)
    ]
    assert [item.kind for item in read_archive(packed_site({"a/Posts.xml": posts}))] == ["no_posts"]


def test_archives_that_unfold_to_too_much_or_are_cut_cost_themselves():
    bomb = packed_site({"Posts.xml": b" " * (20 << 20)})
    assert [item.kind for item in read_archive(bomb, max_archive_bytes=1 << 20)] == ["archive_too_large"]
    assert [item.kind for item in read_archive(bomb)] == ["decompression_bomb"]
    posts = packed_site({"Posts.xml": random.Random(1).randbytes(50_000)})
    for cut in (
        posts[:-20],
        posts[: len(posts) // 2],
        posts[:32],
        posts[:1000] + b"\xff" * 3000 + posts[4000:],
    ):
        assert {type(item) for item in read_archive(cut)} == {Damaged}
